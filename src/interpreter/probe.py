"""Prints the facts of the interpreter that runs it, as one line of JSON.

Run as `python -I -S -c <this text>`, once per interpreter, by CPython 3.6 and later; as `python -E -s -S -c <this text>` by CPython 2.7,
which has no `-I`. It does not import site-packages, and starts no process except on musl, whose version only its loader prints.
The module `platform` is not used: in old versions it starts processes. The module `json` is not used either: importing it takes a
quarter of the time of this program.
"""
import io
import os
import sys
import sysconfig


def full_version(info):
    text = "%d.%d.%d" % tuple(info[:3])
    if info[3] != "final":
        text += {"alpha": "a", "beta": "b", "candidate": "rc"}[info[3]] + str(info[4])
    return text


def text(path):
    """Returns a path as text for JSON."""
    return path if str is bytes else os.fsdecode(path)


def libc():
    """Returns the C library's kind, version and file."""
    try:
        with open("/proc/self/maps", "rb") as maps:
            files = [text(line.split(None, 5)[5].rstrip(b"\n")) for line in maps if line.count(b"/")]
    except (IOError, OSError):
        files = []
    for path in files:
        if os.path.basename(path).startswith("ld-musl-"):
            import subprocess

            answer = subprocess.Popen([path], stderr=subprocess.PIPE).communicate()[1].decode()
            version = answer.split("Version ")[1].split()[0]
            return "Musl", version, path
    path = next((path for path in files if os.path.basename(path).startswith("libc")), None)
    try:
        return "Glibc", glibc_version(), path
    except (ValueError, OSError, AttributeError, ImportError, IndexError):
        return "Other", None, path


def glibc_version():
    if str is not bytes:
        return os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    # Python 2 has no such name.
    import ctypes

    version = ctypes.CDLL(None).gnu_get_libc_version
    version.restype = ctypes.c_char_p
    return version()


def base_executable():
    """Returns the real binary. A virtual environment may contain a copy; its `pyvenv.cfg` names the directory of the original."""
    real = os.path.realpath(sys.executable)
    for directory in (os.path.dirname(real), os.path.dirname(os.path.dirname(real))):
        try:
            with io.open(os.path.join(directory, "pyvenv.cfg"), encoding="utf-8") as file:
                settings = dict([part.strip() for part in line.split("=", 1)] for line in file if "=" in line)
        except (IOError, OSError):
            continue
        names = [os.path.basename(real), "python%d.%d" % sys.version_info[:2], "python3", "python"]
        # A normal build of the same version may be in the same directory.
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            names.insert(0, "python%d.%dt" % sys.version_info[:2])
        for name in names:
            original = os.path.join(directory, settings.get("home", ""), name)
            if os.path.isfile(original):
                return os.path.realpath(original)
    return real


def is_nonstandard():
    """Returns whether no manylinux wheel fits a 32-bit build, as `packaging` decides it: by the ELF header."""
    if sys.maxsize > 2**32:
        return False
    import struct

    with open(sys.executable, "rb") as file:
        header = file.read(40)
    machine, flags = struct.unpack("<18xH16xI", header)
    is_i386 = machine == 3
    is_hard_float_arm = machine == 40 and flags & 0xFF000400 == 0x05000400
    return not (header[4:6] == b"\x01\x01" and (is_i386 or is_hard_float_arm))


def bundled():
    """Returns the directories of wheels that `ensurepip` installs from: the distribution's if one is configured, then its own."""
    own = os.path.join(os.path.realpath(sysconfig.get_path("stdlib")), "ensurepip", "_bundled")
    of_packager = sysconfig.get_config_var("WHEEL_PKG_DIR")
    return [os.path.abspath(path) for path in (of_packager, own) if path]


def as_json(value):
    """Returns a value as JSON in ASCII."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s: %s" % (as_json(key), as_json(value[key])) for key in value)
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(map(as_json, value))
    value = value.decode("utf-8") if isinstance(value, bytes) else value
    # A character outside the Basic Multilingual Plane is a pair of surrogates.
    units = value.encode("utf-16-be", "strict" if str is bytes else "surrogatepass")
    units = ["%02x%02x" % pair for pair in zip(bytearray(units[::2]), bytearray(units[1::2]))]
    plain = [unit[:2] == "00" and " " <= chr(int(unit, 16)) <= "~" and unit not in ("0022", "005c") for unit in units]
    return '"%s"' % "".join(chr(int(unit, 16)) if is_plain else "\\u" + unit for unit, is_plain in zip(units, plain))


def main():
    kind, version, libc_path = libc() if sys.platform.startswith("linux") else ("Other", None, None)
    major_minor = version.split(".")[:2] if version else None
    # Debian's default scheme is for the system's own packages; an environment uses that of a
    # virtual environment.
    scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"
    prefix = "/prefix"
    site_packages = sysconfig.get_path("purelib", scheme, {"base": prefix, "platbase": prefix})
    config = sysconfig.get_config_var
    system, _, system_release, system_version, machine = os.uname()
    # As `packaging.markers` does for a python without `sys.implementation`.
    implementation = getattr(sys, "implementation", None)
    kind_of_python = implementation.name if implementation else "pypy" if "__pypy__" in sys.builtin_module_names else "cpython"
    version = full_version(sys.version_info)
    pymalloc = config("WITH_PYMALLOC")
    names = {"cpython": "CPython", "pypy": "PyPy"}
    print(
        as_json(
            {
                "executable": base_executable(),
                "release": sys.version_info[:3],
                "build": sys.version,
                "cache_tag": implementation and implementation.cache_tag or "",
                "site_packages": os.path.relpath(site_packages, prefix),
                "platform": sysconfig.get_platform(),
                "abi": {
                    "debug": bool(config("Py_DEBUG")),
                    "pymalloc": pymalloc is None or bool(pymalloc),
                    "free_threaded": bool(config("Py_GIL_DISABLED")),
                    "wide_unicode": str is bytes and sys.maxunicode > 0xFFFF,
                    "nonstandard": sys.platform.startswith("linux") and is_nonstandard(),
                    "pointer_bits": 64 if sys.maxsize > 2**32 else 32,
                },
                "libc": {kind: {"major": int(major_minor[0]), "minor": int(major_minor[1])}} if major_minor else kind,
                "libc_path": libc_path,
                "bundled": bundled(),
                "markers": {
                    "implementation_name": implementation.name if implementation else "",
                    "implementation_version": full_version(implementation.version) if implementation else "0",
                    "os_name": os.name,
                    "platform_machine": machine,
                    "platform_python_implementation": names.get(kind_of_python, kind_of_python),
                    "platform_release": system_release,
                    "platform_system": system,
                    "platform_version": system_version,
                    "python_full_version": version,
                    "python_version": "%d.%d" % sys.version_info[:2],
                    "sys_platform": sys.platform,
                },
            }
        )
    )


main()
