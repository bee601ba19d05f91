//! [`Program`]: the program of a launch, as far as its text shows what it imports.

use std::path::{Path, PathBuf};

use crate::fs::{self, limits};
use crate::invocation::{Invocation, Target};
use crate::process::Process;

/// The variables with which python writes no byte code next to a source, or byte code of another kind.
const OTHER_BYTE_CODE: [&str; 3] = [
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONOPTIMIZE",
];

/// A program, for guessing what it imports.
#[derive(Debug)]
pub struct Program {
    /// Its text; empty for a module.
    pub(super) text: String,
    /// The module that runs, with dots, if it is one.
    pub(super) module: Option<String>,
    /// The directories in which python searches modules before site-packages.
    pub(super) directories: Vec<PathBuf>,
}

impl Program {
    /// Reads the program of a command line. Returns none if there is no text to read, or if python
    /// would not write byte code on import.
    #[must_use]
    pub fn of(invocation: &Invocation, roots: &[PathBuf], process: &Process) -> Option<Self> {
        let is_set = |name: &&str| process.variable(name).is_some_and(|text| !text.is_empty());
        if !invocation.writes_byte_code() || OTHER_BYTE_CODE.iter().any(is_set) {
            return None;
        }
        let here = || PathBuf::from(".");
        let (text, module, directory) = match &invocation.target {
            Target::Script(path) if fs::look_for_file(path).ok()? => {
                let script = fs::canonicalize(path).ok()?;
                (read(&script)?, None, script.parent()?.to_path_buf())
            }
            Target::Script(path) => (read(&path.join("__main__.py"))?, None, path.clone()),
            Target::Command(text) => (text.to_str()?.to_owned(), None, here()),
            Target::Module(name) => (String::new(), Some(name.to_str()?.to_owned()), here()),
            Target::Stdin | Target::None | Target::Information => return None,
        };
        let directories = std::iter::once(directory).chain(roots.iter().cloned());
        Some(Self {
            text,
            module,
            directories: directories.collect(),
        })
    }
}

/// Reads a source as a whole.
pub(super) fn read(path: &Path) -> Option<String> {
    let text = fs::read_text(path, limits::SOURCE).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
