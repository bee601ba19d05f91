//! The probes of the search for a spec, in order, for tools that show them. A launch records none,
//! and so allocates nothing.

use std::path::PathBuf;

use anyhow::Result;

/// The probes so far, or nothing if the log is off.
#[derive(Debug, Default)]
pub struct SearchLog(Option<Vec<Probe>>);

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The probed location.
    pub place: Probed,
    /// The result.
    pub found: Finding,
}

/// A location that may hold a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// `-vpython-spec`, and the file that it names.
    Flag(Option<PathBuf>),
    /// The program itself, if vpython does not search it.
    Program(PathBuf),
    /// A partner file.
    Partner(PathBuf),
    /// A block in a file, or in the text of `-c` if there is no file.
    Block(Block, Option<PathBuf>),
    /// A file with one of the usual names, found during the walk.
    Walk(PathBuf),
    /// `.gclient`, which ends the walk; vpython probes it only in directories without a spec.
    Barrier(PathBuf),
    /// `VPYTHON_DEFAULT_SPEC`, and the file that it names.
    Variable(Option<PathBuf>),
    /// This `vpython.conf`, and the file that it names for programs without a spec.
    Conf(PathBuf, PathBuf),
}

/// The kinds of blocks, by their opening lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// `# /// script`.
    Pep723,
    /// `[VPYTHON:BEGIN]`.
    Luci,
}

/// The result of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing.
    Nothing,
    /// The spec that vpython uses.
    Spec,
    /// A file or block that would be used, but cannot be read.
    Broken,
    /// A directory, a pipe or a socket, which is skipped.
    NoFile,
    /// A skipped spec: it belongs to this user, in a directory that other users can write to.
    Stranger(u32),
    /// A spec for Python 2, which `vpython3` skips.
    Python2,
    /// A zip archive, which vpython does not search.
    Archive,
    /// The file that ends the walk.
    Barrier,
}

impl Finding {
    /// Returns the finding for an attempt to read the spec.
    pub(super) fn of<T>(read: &Result<T>) -> Self {
        if read.is_ok() {
            Self::Spec
        } else {
            Self::Broken
        }
    }

    /// Returns the finding for a text, from whether it has a block; `None` if the text cannot be
    /// read.
    pub(super) fn of_block(has_block: Option<bool>) -> Self {
        match has_block {
            Some(true) => Self::Spec,
            Some(false) => Self::Nothing,
            None => Self::Broken,
        }
    }
}

impl SearchLog {
    /// Returns a log that is on.
    #[must_use]
    pub fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// Returns the recorded probes, in order.
    #[must_use]
    pub fn looks(self) -> Vec<Probe> {
        self.0.unwrap_or_default()
    }

    /// Records a probe, if the log is on.
    pub(super) fn note(&mut self, found: Finding, place: impl FnOnce() -> Probed) {
        if let Some(looks) = &mut self.0 {
            looks.push(Probe {
                place: place(),
                found,
            });
        }
    }
}
