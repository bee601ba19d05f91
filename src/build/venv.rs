//! The skeleton of a virtual environment, created without running python.
//!
//! CPython 3 needs `pyvenv.cfg`, a link to the interpreter's binary and a site-packages directory.
//! The interpreter is a symbolic link, so that it finds its own libraries. CPython 2.7 does not
//! support environments: it derives its prefix from the location of its binary. So the environment
//! has a copy of the binary, with a link to each part of the standard library next to it.
//! `pyvenv.cfg` is there for tools that look for it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use memchr::memmem;

use super::{activate, byte_code};
use crate::fs;
use crate::interpreter::{Facts, library_name};
use crate::report::Failure;
use crate::spec::SystemPackages;

/// Permission bits of directories.
pub(super) const DIRECTORY_MODE: u32 = 0o755;
/// The binary of CPython 2.7 and its standard library, relative to an environment.
const BINARY_2: &str = "bin/python2.7";
const LIBRARY_2: &str = "lib/python2.7";
/// The setting of the `site` module that lets it decide later whether to use the directory of the
/// user's own packages, and the one that disables it.
const USER_SITE: &[u8] = b"\nENABLE_USER_SITE = None\n";
const NO_USER_SITE: &[u8] = b"\nENABLE_USER_SITE = False\n";
/// The prefixes in which `site` looks for packages, and those that include the interpreter's own
/// packages. The latter are derived from the real location of the standard library, to which the
/// environment has links, so that the text contains no path.
const PREFIXES: &[u8] = b"\nPREFIXES = [sys.prefix, sys.exec_prefix]\n";
const PREFIXES_AND_SYSTEMS: &[u8] = b"\nPREFIXES = [sys.prefix, sys.exec_prefix, os.path.realpath(\
    os.path.join(os.path.dirname(os.__file__), 'os.py')).rsplit(os.sep, 3)[0]]\n";

/// Creates the skeleton in the empty directory `root`.
pub(super) fn lay_out(interpreter: &Facts, system: SystemPackages, root: &Path) -> Result<()> {
    let site_packages = root.join(&interpreter.site_packages);
    fs::create_dir_all(&site_packages, DIRECTORY_MODE)?;
    let bin = root.join("bin");
    fs::create_dir_all(&bin, DIRECTORY_MODE)?;
    if interpreter.is_python2() {
        for file in own_files_2(&interpreter.executable, system)? {
            fs::write_new(&root.join(file.path), &file.content, file.mode)?;
        }
        byte_code::compile_modules(&root.join(LIBRARY_2), &interpreter.executable)?;
    } else {
        // Python would create this directory when it first imports a single-file module. That would
        // change the time of site-packages, by which a launch detects that something was installed.
        fs::create_dir(&site_packages.join("__pycache__"), DIRECTORY_MODE)?;
    }
    for (path, target) in links(
        &interpreter.executable,
        interpreter.release,
        &interpreter.site_packages,
    )? {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root), DIRECTORY_MODE)?;
        fs::symlink(&target, &path)?;
    }
    if interpreter.abi.pointer_bits == 64 && interpreter.site_packages.starts_with("lib/") {
        fs::symlink(Path::new("lib"), &root.join("lib64"))?;
    }
    activate::write(root)?;
    fs::write_new(
        &root.join("pyvenv.cfg"),
        configuration(&interpreter.executable, interpreter.release, system)?.as_bytes(),
        0o444,
    )
}

/// Returns the links of an environment except `lib64`: their paths in it, and their targets. The
/// environment of a free-threaded build has the name of its library directory, `python3.13t`, in
/// `bin` too, as those of `venv` do.
pub(super) fn links(
    interpreter: &Path,
    [major, minor, _]: [u32; 3],
    site_packages: &str,
) -> Result<Vec<(PathBuf, PathBuf)>> {
    let named = |name: String, target: &str| (Path::new("bin").join(name), PathBuf::from(target));
    if major == 2 {
        let mut links = vec![
            named("python".into(), "python2.7"),
            named("python2".into(), "python2.7"),
        ];
        links.extend(library_links(interpreter)?);
        return Ok(links);
    }
    let own = (PathBuf::from("bin/python3"), interpreter.to_path_buf());
    let free_threaded = library_name(major, minor, true);
    let is_free_threaded = Path::new(site_packages)
        .iter()
        .any(|part| part == &*free_threaded);
    let mut links = vec![
        own,
        named("python".into(), "python3"),
        named(library_name(major, minor, false), "python3"),
    ];
    links.extend(is_free_threaded.then(|| named(free_threaded, "python3")));
    Ok(links)
}

/// Returns the links to the standard library of a CPython 2.7.
fn library_links(interpreter: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let prefix = prefix(interpreter)?;
    let library = Path::new(LIBRARY_2);
    let names = fs::list(&prefix.join(library))?;
    let names = names.with_context(|| {
        format!(
            "the standard library is not in `{}`",
            prefix.join(library).display()
        )
    })?;
    let left_out = [
        "site-packages",
        "dist-packages",
        "site.py",
        "site.pyc",
        "site.pyo",
    ]
    .map(OsStr::new);
    let parts = names
        .into_iter()
        .filter(|name| !left_out.contains(&&**name))
        .map(|name| library.join(name));
    // Other files that are looked up relative to the binary.
    let others = ["lib/libpython2.7.so.1.0", "include/python2.7"]
        .into_iter()
        .map(PathBuf::from);
    let others = others.filter(|path| fs::exists(&prefix.join(path)));
    Ok(parts
        .chain(others)
        .map(|path| (path.clone(), prefix.join(path)))
        .collect())
}

/// A file of an environment.
pub(super) struct OwnFile {
    /// The path in the environment.
    pub path: PathBuf,
    /// The content.
    pub content: Vec<u8>,
    /// The permission bits.
    pub mode: u32,
}

/// Returns the files that an environment of CPython 2.7 has instead of links: its binary, and its
/// `site` module with the user's own packages disabled, as in an environment of CPython 3.
///
/// # Errors
/// A file cannot be read; or the interpreter's own packages are to be visible, and its `site`
/// module differs from that of CPython 2.7.
pub(super) fn own_files_2(interpreter: &Path, system: SystemPackages) -> Result<[OwnFile; 2]> {
    let module = Path::new(LIBRARY_2).join("site.py");
    let text = fs::read(&prefix(interpreter)?.join(&module))?;
    let text = replaced(&text, USER_SITE, NO_USER_SITE).unwrap_or(text);
    // Here a missing line is an error: the packages that the spec wants would silently stay hidden.
    let text = match system {
        SystemPackages::Hidden => text,
        SystemPackages::Visible => replaced(&text, PREFIXES, PREFIXES_AND_SYSTEMS).ok_or_else(|| {
            let failure = Failure::new(format!("cannot make the packages of `{}` visible", interpreter.display()));
            let failure = failure.because("its `site` module differs from that of CPython 2.7");
            failure.hint("remove `system-site-packages`, or name another interpreter with `-vpython-interpreter`")
        })?,
    };
    let binary = OwnFile {
        path: BINARY_2.into(),
        content: fs::read(interpreter)?,
        mode: 0o555,
    };
    let module = OwnFile {
        path: module,
        content: text,
        mode: 0o444,
    };
    Ok([binary, module])
}

/// Replaces the first occurrence of `old`; none if there is none.
fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let start = memmem::find(text, old)?;
    Some([&text[..start], new, &text[start + old.len()..]].concat())
}

fn prefix(interpreter: &Path) -> Result<&Path> {
    interpreter
        .parent()
        .and_then(Path::parent)
        .context("the interpreter is not in a `bin` directory")
}

/// Returns the text of `pyvenv.cfg`. `home` must be absolute: python 3.11 and later resolves a
/// relative one from the current directory. Without the second line, the interpreter's own packages
/// would always be visible.
pub(super) fn configuration(
    interpreter: &Path,
    release: [u32; 3],
    system: SystemPackages,
) -> Result<String> {
    let home = interpreter
        .parent()
        .and_then(Path::to_str)
        .filter(|home| !home.contains('\n'));
    let home = home.with_context(|| {
        format!(
            "cannot write the path of `{}` into `pyvenv.cfg`",
            interpreter.display()
        )
    })?;
    let version = release.map(|part| part.to_string()).join(".");
    Ok(format!(
        "home = {home}\ninclude-system-site-packages = {}\nversion = {version}\n",
        system.setting()
    ))
}
