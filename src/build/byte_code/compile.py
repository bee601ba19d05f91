"""Compiles sources into byte code that is never held against its source, and prints it.

Run as `python -S -s -B -X utf8 -c <this text> DIRECTORY SOURCE...`, by CPython 3.7 and later, with the names of sources in DIRECTORY. Standard
output is a line `byte code of <cache tag>`, then for each source a length of four bytes, little-endian, and as many bytes of byte code;
none where the source cannot be compiled. Where it cannot be read, the length is that of all bits set, and a line follows that says why. A
process that has no memory left ends. Nothing is written elsewhere.
"""
import sys

# Nothing is to be imported from the current directory.
sys.path = [directory for directory in sys.path if directory]

import _frozen_importlib_external as external
import _imp
import gc
import marshal
import warnings

# PEP 552: hash-based, not to be checked.
UNCHECKED = (1).to_bytes(4, "little")


def compiled(directory, name):
    with open(directory + "/" + name, "rb") as file:
        source = file.read()
    # The name is all that byte code says of where its source is; the import system puts the real path in its place.
    code = compile(source, name, "exec", dont_inherit=True)
    digest = _imp.source_hash(int.from_bytes(external.MAGIC_NUMBER, "little"), source)
    return external.MAGIC_NUMBER + UNCHECKED + digest + marshal.dumps(code)


def main():
    # What warnings a source is worth is for those who import it.
    warnings.simplefilter("ignore")
    gc.disable()
    directory, names = sys.argv[1], sys.argv[2:]
    answer = sys.stdout.buffer
    answer.write(b"byte code of %s\n" % sys.implementation.cache_tag.encode("ascii"))
    for name in names:
        try:
            code = compiled(directory, name)
        except OSError as error:
            why = str(error).replace("\n", " ").encode("utf-8", "backslashreplace")
            answer.write(b"\xff\xff\xff\xff" + why + b"\n")
            answer.flush()
            return
        except MemoryError:
            return
        except Exception:
            code = b""
        answer.write(len(code).to_bytes(4, "little") + code)
        answer.flush()


main()
