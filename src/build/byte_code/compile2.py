"""Compiles sources into byte code next to them.

Run as `python2.7 [-O] -E -s -S -B -c <this text> DIRECTORY SOURCE...`, with the names of sources in
DIRECTORY. It skips a source that cannot be compiled.
"""
import imp
import marshal
import os
import struct
import sys
import warnings

warnings.simplefilter("ignore")
directory = sys.argv[1]
for name in sys.argv[2:]:
    path = os.path.join(directory, name)
    with open(path, "U") as file:
        source = file.read()
        changed = int(os.fstat(file.fileno()).st_mtime)
    try:
        # The byte code contains only this name of the source; the import system inserts the real path.
        code = compile(source + "\n", name, "exec", 0, True)
    except Exception:
        continue
    compiled = path + ("o" if sys.flags.optimize else "c")
    unfinished = "%s.%d" % (compiled, os.getpid())
    with open(unfinished, "wb") as file:
        file.write(imp.get_magic() + struct.pack("<L", changed & 0xFFFFFFFF) + marshal.dumps(code))
    os.rename(unfinished, compiled)
