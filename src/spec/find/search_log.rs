//! What was looked at on the way to a spec, in order, for who wants to know. A launch does not: for
//! it nothing is noted and no memory is taken.

use std::path::PathBuf;

use anyhow::Result;

/// The places that were looked at so far, or nothing at all.
#[derive(Debug, Default)]
pub struct SearchLog(Option<Vec<Probe>>);

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Where it went.
    pub place: Probed,
    /// What stands there.
    pub found: Finding,
}

/// Where a spec may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// `-vpython-spec`, and the file that it names.
    Flag(Option<PathBuf>),
    /// The program itself, where there is no looking into it.
    Program(PathBuf),
    /// A partner file.
    Partner(PathBuf),
    /// A block in a file, or in the text of `-c` where there is none.
    Block(Block, Option<PathBuf>),
    /// A file of a usual name, on the walk.
    Walk(PathBuf),
    /// `.gclient`, which ends the walk; only looked for in directories without a spec.
    Barrier(PathBuf),
    /// `VPYTHON_DEFAULT_SPEC`, and the file that it names.
    Variable(Option<PathBuf>),
    /// This `vpython.conf`, and the file that it names for programs that have none.
    Conf(PathBuf, PathBuf),
}

/// The kinds of blocks, by their first lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// `# /// script`.
    Pep723,
    /// `[VPYTHON:BEGIN]`.
    Luci,
}

/// What stands where a spec may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing.
    Nothing,
    /// The spec that counts.
    Spec,
    /// What should be the spec that counts, and cannot be read.
    Broken,
    /// A directory, a pipe or a socket, which is stepped over.
    NoFile,
    /// A spec that is passed over: it is this user's, in a directory that everybody can write to.
    Stranger(u32),
    /// A spec for Python 2, which is passed over where the program is called as `vpython3`.
    Python2,
    /// A zip archive, into which nobody looks.
    Archive,
    /// What the walk ends at.
    Barrier,
}

impl Finding {
    /// What there is, where it was taken for the spec.
    pub(super) fn of<T>(read: &Result<T>) -> Self {
        if read.is_ok() {
            Self::Spec
        } else {
            Self::Broken
        }
    }

    /// What there is in a text: whether it has a block, or nothing that is known where that cannot
    /// be read.
    pub(super) fn of_block(has_block: Option<bool>) -> Self {
        match has_block {
            Some(true) => Self::Spec,
            Some(false) => Self::Nothing,
            None => Self::Broken,
        }
    }
}

impl SearchLog {
    /// One that notes.
    #[must_use]
    pub fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// What was noted, in order.
    #[must_use]
    pub fn looks(self) -> Vec<Probe> {
        self.0.unwrap_or_default()
    }

    /// Notes a look, where looks are noted.
    pub(super) fn note(&mut self, found: Finding, place: impl FnOnce() -> Probed) {
        if let Some(looks) = &mut self.0 {
            looks.push(Probe {
                place: place(),
                found,
            });
        }
    }
}
