//! The skeleton of a virtual environment, made without running python.
//!
//! What CPython 3 needs is `pyvenv.cfg`, a link to the interpreter's binary and a site-packages
//! directory. The interpreter is a symbolic link, so that it finds its own libraries. CPython 2.7
//! knows no environments: it takes for its prefix where its binary lies, and so there is a copy of
//! that, with a link to each part of the standard library beside it. `pyvenv.cfg` is there for
//! those who look for it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use memchr::memmem;

use super::{activate, byte_code};
use crate::fs;
use crate::plan::Facts;
use crate::report::Failure;
use crate::spec::SystemPackages;

/// Permission bits of directories.
pub(super) const DIRECTORY_MODE: u32 = 0o755;
/// The binary of CPython 2.7 in an environment, and its standard library.
const BINARY_2: &str = "bin/python2.7";
const LIBRARY_2: &str = "lib/python2.7";
/// How the module `site` leaves it to others whether there is a directory of the user's own
/// packages, and how it decides that itself.
const USER_SITE: &[u8] = b"\nENABLE_USER_SITE = None\n";
const NO_USER_SITE: &[u8] = b"\nENABLE_USER_SITE = False\n";
/// Where it looks for packages, and where it does so if the interpreter's own are to be found too:
/// these are where the standard library really is, which the environment has links to, so that no
/// place is named.
const PREFIXES: &[u8] = b"\nPREFIXES = [sys.prefix, sys.exec_prefix]\n";
const PREFIXES_AND_SYSTEMS: &[u8] = b"\nPREFIXES = [sys.prefix, sys.exec_prefix, os.path.realpath(\
    os.path.join(os.path.dirname(os.__file__), 'os.py')).rsplit(os.sep, 3)[0]]\n";

/// Makes the skeleton in the empty directory `root`.
pub(super) fn lay_out(interpreter: &Facts, system: SystemPackages, root: &Path) -> Result<()> {
    let site_packages = root.join(&interpreter.site_packages);
    fs::create_dir_all(&site_packages, DIRECTORY_MODE)?;
    let bin = root.join("bin");
    fs::create_dir_all(&bin, DIRECTORY_MODE)?;
    if interpreter.is_python2() {
        for (path, content, mode) in own_files_2(&interpreter.executable, system)? {
            fs::write_new(&root.join(path), &content, mode)?;
        }
        byte_code::compile_modules(&root.join(LIBRARY_2), &interpreter.executable)?;
    } else {
        // Python would make this directory when it first imports a module that is a single file,
        // and so change the time of site-packages, by which a launch tells that something was
        // installed.
        fs::create_dir(&site_packages.join("__pycache__"), DIRECTORY_MODE)?;
    }
    for (path, target) in links(&interpreter.executable, interpreter.release)? {
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

/// The links of an environment but `lib64`: their paths in it, and what they say.
pub(super) fn links(
    interpreter: &Path,
    [major, minor, _]: [u32; 3],
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
    Ok(vec![
        own,
        named("python".into(), "python3"),
        named(format!("python{major}.{minor}"), "python3"),
    ])
}

/// The links to the standard library of a CPython 2.7.
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
    // Where the binary looks for its library beside itself.
    let others = ["lib/libpython2.7.so.1.0", "include/python2.7"]
        .into_iter()
        .map(PathBuf::from);
    let others = others.filter(|path| fs::exists(&prefix.join(path)));
    Ok(parts
        .chain(others)
        .map(|path| (path.clone(), prefix.join(path)))
        .collect())
}

/// What CPython 2.7 has in an environment that is no link: its binary, and its module `site` with
/// the user's own packages turned off, as CPython 3 does it in an environment. Paths in the
/// environment, content and permission bits.
///
/// # Errors
/// They cannot be read; the interpreter's own packages are to be visible, and its `site` is not as
/// CPython 2.7 has it.
pub(super) fn own_files_2(
    interpreter: &Path,
    system: SystemPackages,
) -> Result<[(PathBuf, Vec<u8>, u32); 2]> {
    let module = Path::new(LIBRARY_2).join("site.py");
    let text = fs::read(&prefix(interpreter)?.join(&module))?;
    let text = replaced(&text, USER_SITE, NO_USER_SITE).unwrap_or(text);
    let text = match system {
        SystemPackages::Hidden => text,
        SystemPackages::Visible => replaced(&text, PREFIXES, PREFIXES_AND_SYSTEMS).ok_or_else(|| {
            let failure = Failure::new(format!("cannot make the packages of `{}` visible", interpreter.display()));
            let failure = failure.because("its module `site` is not as CPython 2.7 has it");
            failure.hint("leave `system-site-packages` out, or name another interpreter with `-vpython-interpreter`")
        })?,
    };
    Ok([
        (BINARY_2.into(), fs::read(interpreter)?, 0o555),
        (module, text, 0o444),
    ])
}

/// The text with what is first found replaced; none where it is not found.
fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let start = memmem::find(text, old)?;
    Some([&text[..start], new, &text[start + old.len()..]].concat())
}

fn prefix(interpreter: &Path) -> Result<&Path> {
    interpreter
        .parent()
        .and_then(Path::parent)
        .context("the interpreter is in no `bin` directory")
}

/// The text of `pyvenv.cfg`. `home` must be absolute: python 3.11 and later reads a relative one
/// from the current directory. Without the second line the interpreter's own packages would be
/// visible whether asked for or not.
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
