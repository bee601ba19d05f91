"""Asks an interpreter about itself, and prints the answer as one line of JSON.

Run as `python -I -S -c <this text>`, once per interpreter; by CPython 3.6 and later. Nothing of site-packages is imported, and no
process is started but on musl, whose version only its loader tells. `platform` is not used: it starts processes in old versions.
"""
import json
import os
import sys
import sysconfig


def full_version(info):
    text = "%d.%d.%d" % tuple(info[:3])
    if info[3] != "final":
        text += {"alpha": "a", "beta": "b", "candidate": "rc"}[info[3]] + str(info[4])
    return text


def libc():
    """The C library's kind, version and file."""
    try:
        with open("/proc/self/maps", "rb") as maps:
            files = [os.fsdecode(line.split(None, 5)[5].rstrip(b"\n")) for line in maps if line.count(b"/")]
    except OSError:
        files = []
    for path in files:
        if os.path.basename(path).startswith("ld-musl-"):
            import subprocess

            text = subprocess.run([path], stderr=subprocess.PIPE).stderr.decode()
            version = text.split("Version ")[1].split()[0]
            return "Musl", version, path
    path = next((path for path in files if os.path.basename(path).startswith("libc")), None)
    try:
        return "Glibc", os.confstr("CS_GNU_LIBC_VERSION").split()[1], path
    except (ValueError, OSError, AttributeError, IndexError):
        return "Other", None, path


def base_executable():
    """The real binary. A virtual environment may hold a copy of it, and names the folder of the original in its `pyvenv.cfg`."""
    real = os.path.realpath(sys.executable)
    for folder in (os.path.dirname(real), os.path.dirname(os.path.dirname(real))):
        try:
            with open(os.path.join(folder, "pyvenv.cfg"), encoding="utf-8") as file:
                settings = dict(map(str.strip, line.split("=", 1)) for line in file if "=" in line)
        except OSError:
            continue
        for name in (os.path.basename(real), "python%d.%d" % sys.version_info[:2], "python3", "python"):
            original = os.path.join(settings.get("home", folder), name)
            if os.path.isfile(original):
                return os.path.realpath(original)
    return real


def main():
    kind, version, libc_path = libc() if sys.platform == "linux" else ("Other", None, None)
    major_minor = version.split(".")[:2] if version else None
    # Debian's default scheme is for the system's own packages; the scheme of a virtual environment is what is wanted.
    scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"
    prefix = "/prefix"
    site_packages = sysconfig.get_path("purelib", scheme, {"base": prefix, "platbase": prefix})
    config = sysconfig.get_config_var
    system = os.uname()
    implementation = sys.implementation
    version = full_version(sys.version_info)
    pymalloc = config("WITH_PYMALLOC")
    names = {"cpython": "CPython", "pypy": "PyPy"}
    print(
        json.dumps(
            {
                "executable": base_executable(),
                "release": sys.version_info[:3],
                "build": sys.version,
                "cache_tag": implementation.cache_tag or "",
                "site_packages": os.path.relpath(site_packages, prefix),
                "platform": sysconfig.get_platform(),
                "abi": {
                    "debug": bool(config("Py_DEBUG")),
                    "pymalloc": pymalloc is None or bool(pymalloc),
                    "free_threaded": bool(config("Py_GIL_DISABLED")),
                    "pointer_bits": 64 if sys.maxsize > 2**32 else 32,
                },
                "libc": {kind: {"major": int(major_minor[0]), "minor": int(major_minor[1])}} if major_minor else kind,
                "libc_path": libc_path,
                "markers": {
                    "implementation_name": implementation.name,
                    "implementation_version": full_version(implementation.version),
                    "os_name": os.name,
                    "platform_machine": system.machine,
                    "platform_python_implementation": names.get(implementation.name, implementation.name),
                    "platform_release": system.release,
                    "platform_system": system.sysname,
                    "platform_version": system.version,
                    "python_full_version": version,
                    "python_version": "%d.%d" % sys.version_info[:2],
                    "sys_platform": sys.platform,
                },
            }
        )
    )


main()
