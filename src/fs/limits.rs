//! How long a text from outside may be that is read as a whole. Each limit is many times what is in
//! use, and small enough that what is made of the text has room in the memory of a small machine.

use std::path::Path;

use crate::report::Failure;

/// How long texts of a kind may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The kind.
    of: &'static str,
    /// How many bytes.
    pub bytes: u64,
}

impl Limit {
    const fn new(of: &'static str, mebibytes: u64) -> Self {
        Self {
            of,
            bytes: mebibytes << 20,
        }
    }

    /// What is said of a longer text.
    pub(super) fn refusal(self, path: &Path) -> Failure {
        let Self { of, bytes } = self;
        Failure::new(format!("cannot read `{}`", path.display())).because(format!(
            "it is longer than {of} may be: {} MiB",
            bytes >> 20
        ))
    }
}

/// `vpython.toml`, `pyproject.toml`, LUCI's specs, requirements and constraints: 100,000 pins with
/// a digest each are 10 MiB.
pub const SPEC: Limit = Limit::new("a spec", 32);
/// Lock files: 100,000 packages of one wheel each are 25 MiB.
pub const LOCK: Limit = Limit::new("a lock file", 64);
/// Programs, in which a spec is looked for. CPython needs a hundred times the size of a module to
/// compile it.
pub const PROGRAM: Limit = Limit::new("a program", 256);
/// `pyvenv.cfg`, `.python-version` and their kind: a few lines.
pub const SETTINGS: Limit = Limit::new("a file of settings", 1);
/// `METADATA` of a wheel: its long description included, the longest on PyPI have some 2 MiB.
pub const METADATA: Limit = Limit::new("a `METADATA`", 16);
/// `RECORD` of an environment, and the lists of files that vpython keeps: 500,000 files are 60 MiB.
pub const LIST: Limit = Limit::new("a list of files", 128);
/// Memos, facts and indexes in the store: what is known of 100,000 wheels is some 100 MiB.
pub const STATE: Limit = Limit::new("a file of the store", 256);
