//! Size limits of texts from outside that are read as a whole. Each limit is many times what is in
//! use, and small enough that the parsed text fits into the memory of a small machine. Limits of
//! what is inside such a text are next to its reader; docs/reliability.md has all of them.

use std::path::Path;

use crate::report::Failure;

/// The size limit of a kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The kind, with its article.
    of: &'static str,
    /// The limit in bytes.
    pub bytes: u64,
}

impl Limit {
    const fn new(of: &'static str, mebibytes: u64) -> Self {
        Self {
            of,
            bytes: mebibytes << 20,
        }
    }

    /// Returns the error for a longer text.
    pub(super) fn refusal(self, path: &Path) -> Failure {
        let Self { of, bytes } = self;
        Failure::new(format!("cannot read `{}`", path.display())).because(format!(
            "it is larger than the limit for {of}: {} MiB",
            bytes >> 20
        ))
    }
}

/// `vpython.toml`, `pyproject.toml`, LUCI's specs, requirements and constraints: 100,000 pins with
/// a digest each are 10 MiB.
pub const SPEC: Limit = Limit::new("a spec", 32);
/// Lock files: 100,000 packages of one wheel each are 25 MiB.
pub const LOCK: Limit = Limit::new("a lock file", 64);
/// Programs that may contain a spec. CPython needs a hundred times the size of a module to compile
/// it.
pub const PROGRAM: Limit = Limit::new("a program", 256);
/// Sources that are searched for imports. The longest on PyPI that are not data have about 1 MiB.
pub const SOURCE: Limit = Limit::new("a source", 4);
/// `pyvenv.cfg`, `.python-version` and similar files: a few lines.
pub const SETTINGS: Limit = Limit::new("a settings file", 1);
/// `METADATA` of a wheel, including its long description. The longest on PyPI have about 2 MiB.
pub const METADATA: Limit = Limit::new("a `METADATA` file", 16);
/// `RECORD` of an environment, and the file lists that vpython keeps: 500,000 files are 60 MiB.
pub const LIST: Limit = Limit::new("a file list", 128);
/// Memos, facts and indexes in the store: the data of 100,000 wheels is about 100 MiB.
pub const STATE: Limit = Limit::new("a store file", 256);
