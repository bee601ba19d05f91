"""Compiles sources into byte code, and prints it.

Run as `python -S -s -B -X utf8 -c <this text> FORM`, by CPython 3.7 and later, with a socket as
standard input. The form is `unchecked`, for byte code that python never compares with its source, or
`timed`, for byte code that it compares with time and size of the source, like its own. The time in it
is 0, and the caller replaces it.

A request on standard input is a length of four bytes, little-endian, and as many bytes: a directory,
and the names of sources in it, each with a NUL at its end.

An answer on standard output is a line `byte code of <cache tag>`, then for each source a length of
four bytes and as many bytes of byte code; no bytes if the source cannot be compiled. If it cannot
be read, all bits of the length are set, and a line with the reason follows. The process exits if it
runs out of memory. Nothing is written elsewhere.
"""
import sys

# Import nothing from the current directory.
sys.path = [directory for directory in sys.path if directory]

import _frozen_importlib_external as external
import _imp
import _signal
import gc
import marshal
import posix
import warnings

# PEP 552: hash-based, unchecked; and by time and size.
UNCHECKED = (1).to_bytes(4, "little")
TIMED = bytes(4)
NO_TIME = bytes(4)
# The time in seconds after which the process ends, since nobody waits for it any more.
LONGEST = 120


def compiled(directory, name):
    with open(directory + "/" + name, "rb") as file:
        source = file.read()
    # The byte code contains only this name of the source; the import system inserts the real path.
    code = compile(source, name, "exec", dont_inherit=True)
    if sys.argv[1] == "timed":
        state = TIMED + NO_TIME + (len(source) & 0xFFFFFFFF).to_bytes(4, "little")
    else:
        state = UNCHECKED + _imp.source_hash(int.from_bytes(external.MAGIC_NUMBER, "little"), source)
    return external.MAGIC_NUMBER + state + marshal.dumps(code)


def read(length):
    """Returns this many bytes of the socket; fewer at its end."""
    data = b""
    while len(data) < length:
        more = posix.read(0, length - len(data))
        if not more:
            break
        data += more
    return data


def write(data):
    while data:
        data = data[posix.write(1, data) :]


def answer(request):
    directory, *names = request.decode("utf-8", "surrogateescape").split("\0")[:-1]
    write(b"byte code of %s\n" % sys.implementation.cache_tag.encode("ascii"))
    for name in names:
        _signal.alarm(LONGEST)
        try:
            code = compiled(directory, name)
        except OSError as error:
            why = str(error).replace("\n", " ").encode("utf-8", "backslashreplace")
            write(b"\xff\xff\xff\xff" + why + b"\n")
            break
        except MemoryError:
            sys.exit(1)
        except Exception:
            code = b""
        write(len(code).to_bytes(4, "little") + code)
    _signal.alarm(0)


def main():
    # Python shows the warnings of a source when it compiles it. So it compiles those with warnings
    # itself, unless all are compiled ahead.
    warnings.simplefilter("error" if sys.argv[1] == "timed" else "ignore")
    gc.disable()
    # These signals end the process.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
    while True:
        length = read(4)
        if len(length) < 4:
            return
        answer(read(int.from_bytes(length, "little")))


main()
