"""Compiles sources into byte code that python never compares with its source, and prints it.

Run as `python -S -s -B -X utf8 -c <this text> DIRECTORY SOURCE...`, by CPython 3.7 and later, with
the names of sources in DIRECTORY. Standard output is a line `byte code of <cache tag>`, then for
each source a length of four bytes, little-endian, and as many bytes of byte code; no bytes if the
source cannot be compiled. If it cannot be read, all bits of the length are set, and a line with the
reason follows. The process exits when it runs out of memory. It writes nothing elsewhere.
"""
import sys

# Import nothing from the current directory.
sys.path = [directory for directory in sys.path if directory]

import _frozen_importlib_external as external
import _imp
import gc
import marshal
import warnings

# PEP 552: hash-based, unchecked.
UNCHECKED = (1).to_bytes(4, "little")


def compiled(directory, name):
    with open(directory + "/" + name, "rb") as file:
        source = file.read()
    # The byte code contains only this name of the source; the import system inserts the real path.
    code = compile(source, name, "exec", dont_inherit=True)
    digest = _imp.source_hash(int.from_bytes(external.MAGIC_NUMBER, "little"), source)
    return external.MAGIC_NUMBER + UNCHECKED + digest + marshal.dumps(code)


def main():
    # Python shows the warnings of a source when it is imported.
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
