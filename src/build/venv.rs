//! The skeleton of a virtual environment, made without running python.
//!
//! What CPython needs is `pyvenv.cfg`, a link to the interpreter's binary and a site-packages folder; what its `venv` module adds
//! for pip's sake is left out. The interpreter is a symbolic link, so that it finds its own libraries.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::activate;
use crate::fs;
use crate::plan::Facts;

/// Permission bits of folders.
pub(super) const FOLDER: u32 = 0o755;

/// Makes the skeleton in the empty folder `root`.
pub(super) fn lay_out(interpreter: &Facts, root: &Path) -> Result<()> {
    let site_packages = root.join(&interpreter.site_packages);
    // Python would make this folder when it first imports a module that is a single file, and so change the time of site-packages,
    // by which a launch tells that something was installed.
    fs::create_dir_all(&site_packages.join("__pycache__"), FOLDER)?;
    let bin = root.join("bin");
    fs::create_dir_all(&bin, FOLDER)?;
    for (path, target) in links(&interpreter.executable, interpreter.release) {
        fs::symlink(&target, &root.join(path))?;
    }
    if interpreter.abi.pointer_bits == 64 && interpreter.site_packages.starts_with("lib/") {
        fs::symlink(Path::new("lib"), &root.join("lib64"))?;
    }
    activate::write(root)?;
    fs::write_new(&root.join("pyvenv.cfg"), configuration(&interpreter.executable, interpreter.release)?.as_bytes(), 0o444)
}

/// The links to the interpreter: their paths in the environment, and what they say.
pub(super) fn links(interpreter: &Path, [major, minor, _]: [u32; 3]) -> [(PathBuf, PathBuf); 3] {
    let sibling = |name: String| (Path::new("bin").join(name), PathBuf::from("python3"));
    [("bin/python3".into(), interpreter.to_path_buf()), sibling("python".into()), sibling(format!("python{major}.{minor}"))]
}

/// The text of `pyvenv.cfg`. `home` must be absolute: python 3.11 and later reads a relative one from the current directory. Without the second line the
/// interpreter's own packages would be visible.
pub(super) fn configuration(interpreter: &Path, release: [u32; 3]) -> Result<String> {
    let home = interpreter.parent().and_then(Path::to_str).filter(|home| !home.contains('\n'));
    let home = home.with_context(|| format!("cannot write the path of `{}` into `pyvenv.cfg`", interpreter.display()))?;
    let version = release.map(|part| part.to_string()).join(".");
    Ok(format!("home = {home}\ninclude-system-site-packages = false\nversion = {version}\n"))
}
