"""`python -m vpython` runs the program `vpython` that was installed with this module.

It is a module, because the package of the same name belongs to VPython, a project for 3D graphics. Where both are installed, no file of
VPython is overwritten, and python prefers the package.
"""

import os
import sys


def find():
    """Returns the path of the program."""
    directory = os.path.dirname(os.path.abspath(__file__))
    # `pip install --target`; and `PREFIX/lib/python3.X/site-packages` in environments, in systems and below `~/.local`.
    prefixes = directory, os.path.join(directory, "..", "..", "..")
    first, second = [os.path.normpath(os.path.join(prefix, "bin", "vpython")) for prefix in prefixes]
    for program in first, second:
        if os.access(program, os.X_OK):
            return program
    print(f"vpython: error: neither `{first}` nor `{second}` is a program", file=sys.stderr)
    print("  hint: install the distribution `vpython-launcher` again", file=sys.stderr)
    sys.exit(127)


if __name__ == "__main__":
    program = find()
    os.execv(program, [program] + sys.argv[1:])
