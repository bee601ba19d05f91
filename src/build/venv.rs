//! The skeleton of a virtual environment, made without running python.
//!
//! What CPython needs is `pyvenv.cfg`, a link to the interpreter's binary and a site-packages folder; what its `venv` module adds
//! for pip's sake is left out. The interpreter is a symbolic link, so that it finds its own libraries.

use std::path::Path;

use anyhow::{Context, Result};

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
    fs::symlink(&interpreter.executable, &bin.join("python3"))?;
    let [major, minor, _] = interpreter.release;
    for name in ["python".to_owned(), format!("python{major}.{minor}")] {
        fs::symlink(Path::new("python3"), &bin.join(name))?;
    }
    if interpreter.abi.pointer_bits == 64 && interpreter.site_packages.starts_with("lib/") {
        fs::symlink(Path::new("lib"), &root.join("lib64"))?;
    }
    fs::write_new(&root.join("pyvenv.cfg"), configuration(interpreter)?.as_bytes(), 0o444)
}

/// `home` must be absolute: python 3.11 and later reads a relative one from the current directory. Without the second line the
/// interpreter's own packages would be visible.
fn configuration(interpreter: &Facts) -> Result<String> {
    let home = interpreter.executable.parent().and_then(Path::to_str).filter(|home| !home.contains('\n'));
    let home =
        home.with_context(|| format!("cannot write the path of `{}` into `pyvenv.cfg`", interpreter.executable.display()))?;
    let version = interpreter.release.map(|part| part.to_string()).join(".");
    Ok(format!("home = {home}\ninclude-system-site-packages = false\nversion = {version}\n"))
}
