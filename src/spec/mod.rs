//! What is asked for: a Python version, requirements, where wheels are; and where that is written.
//!
//! [`find()`] reads the text of the one spec that counts, which is all that a warm launch needs;
//! [`SpecText::parse`] gives it its meaning. Each kind of spec has a file or a directory of its
//! own.

mod find;
mod holds;
mod listed;
mod location;
mod luci;
mod marker;
mod pep723;
mod platform;
mod pylock;
mod pyproject;
mod python;
mod requirement;
mod requirements;
mod source;
mod system_packages;
mod unlocked;
mod unnamed;
pub mod upgrade;
mod uv_lock;
mod vpython_toml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;

pub use find::{Block, Finding, Probe, Probed, SearchLog, find, find_by};
pub use holds::holds;
pub use listed::{Condition, ListedWheel, TagPattern, Variable};
use location::Places;
pub use location::{Located, Location, Origin, STANDARD_INPUT};
pub use marker::extras;
pub use platform::{Platform, System, Target, TargetPython};
pub use pylock::{Basis, Bound, Lock, LockForm, LockedPackage, LockedWheel, Marker};
pub use python::{PythonDefault, PythonRange};
pub use requirement::{parse_marker, parse_requirement};
pub use system_packages::SystemPackages;
pub use unlocked::ways_around_digests;
pub use unnamed::{has_project, unnamed};
pub use uv_lock::is_uv_lock;

use crate::fs::{Digest, Stamped, Trust};
use crate::invocation::Chosen;
use crate::process::Process;
use crate::report::Failure;

/// A requirement of the dependency specifier grammar (PEP 508).
pub type Requirement = pep508_rs::Requirement<pep508_rs::VerbatimUrl>;

/// The kinds of specs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecKind {
    /// A `vpython.toml` file.
    VpythonToml,
    /// A `pyproject.toml` file (PEP 621, PEP 735).
    Pyproject,
    /// A `# /// script` block (PEP 723) in a script, in the text of `-c`, or on standard input.
    Pep723,
    /// LUCI's `vpython.Spec` in protobuf text: `.vpython3`, `.vpython`, a partner file, or a
    /// `[VPYTHON:BEGIN]` block in a script.
    Luci,
    /// pip's `requirements.txt`.
    Requirements,
    /// A lock of the form of all tools (PEP 751): `pylock.toml`, `pylock.NAME.toml`.
    Pylock,
    /// There is no spec: an environment with no packages.
    None,
}

impl SpecKind {
    /// Its name in what tools print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VpythonToml => "vpython.toml",
            Self::Pyproject => "pyproject",
            Self::Pep723 => "pep723",
            Self::Luci => "luci",
            Self::Requirements => "requirements",
            Self::Pylock => "pylock",
            Self::None => "none",
        }
    }
}

/// The text of a spec as it was found, before any meaning is given to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecText {
    /// Which kind it is.
    pub kind: SpecKind,
    /// Where it stands.
    pub origin: Origin,
    /// The directory that its paths are relative to, and in which wheelhouses of the usual names
    /// are looked for; none where there is no spec.
    pub base: Option<PathBuf>,
    /// The text: the whole file, or the content of the block.
    pub content: String,
    /// What was seen on the way to it and its author should know, a sentence each, with the place.
    pub warnings: Vec<String>,
    /// What the command line chooses of it, where it is a `pyproject.toml`.
    pub chosen: Chosen,
}

/// What a spec asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spec {
    /// The Python versions that will do; none where any will.
    pub requires_python: Option<Located<PythonRange>>,
    /// Which of them is taken where it names none.
    pub python_default: PythonDefault,
    /// The distributions to have.
    pub packages: Packages,
    /// Directories of wheels that the spec names, as absolute paths.
    pub wheelhouses: Vec<Located<PathBuf>>,
    /// Import roots of first-party code, as absolute paths.
    pub python_path: Vec<PathBuf>,
    /// Platforms beside this one that it is meant for.
    pub platforms: Vec<Located<Platform>>,
    /// The same in LUCI's way, as they are written.
    pub verify_tags: Vec<Located<TagPattern>>,
    /// The directory of the spec.
    pub base: Option<PathBuf>,
    /// Whether what is sloppy about wheels is an error.
    pub strict: bool,
    /// Whose files count beside its own: what it names, and what is looked for beside it.
    pub trust: Trust,
    /// Whether the interpreter's own packages can be imported.
    pub system_packages: SystemPackages,
    /// The lock of uv's own form beside it, which counts where there is none of the form of all
    /// tools.
    pub uv_lock: Option<SpecText>,
    /// Whether digests that are pinned do not count.
    pub unlocked: bool,
    /// The files whose digests do not count for that, sorted.
    pub unchecked: Vec<PathBuf>,
    /// Whether pip, setuptools and wheel may be the interpreter's own, those that `ensurepip`
    /// installs, where no directory has one that fits. Where wheels are listed, these three are in
    /// the environment without being listed.
    pub seed: bool,
    /// What it was read from, besides its own text.
    pub sources: Vec<Source>,
    /// What its author should know, a sentence each, with the place.
    pub warnings: Vec<String>,
}

/// What a spec was read from, besides its own text: where any of these is another, so may be the
/// spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file that it names, as it was before it was read.
    File(Stamped),
    /// An environment variable that it names.
    Variable {
        /// The name.
        name: String,
        /// The value; none where it was not set, or empty.
        value: Option<String>,
    },
}

impl Spec {
    /// Without the directories of wheels and of code that another user may have put where it names
    /// them, each with a warning.
    fn without_planted_directories(mut self) -> Self {
        let base = self.base.clone().unwrap_or_default();
        let Self {
            trust,
            sources,
            warnings,
            wheelhouses,
            python_path,
            ..
        } = &mut self;
        let mut counts = |path: &Path, what: &str| {
            let Some(stranger) = trust.stranger_on_way(path, &base) else {
                return true;
            };
            warnings.push(format!(
                "the {what} `{}` is skipped: {stranger}",
                path.display()
            ));
            sources.push(Source::File(Stamped::look(&stranger.path)));
            false
        };
        wheelhouses.retain(|directory| counts(&directory.value, "wheel directory"));
        python_path.retain(|root| counts(root, "import root"));
        self
    }

    /// Whether it asks for no wheels at all.
    #[must_use]
    pub fn wants_no_wheels(&self) -> bool {
        let is_seeded = self.seed && matches!(self.packages, Packages::Listed(_));
        self.packages.is_empty() && !is_seeded
    }

    /// The platforms beside this one that it is meant for, each once, in its order.
    ///
    /// # Errors
    /// Tags of LUCI's that name none, all of them.
    pub fn targets(&self) -> Result<Vec<Located<Target>>> {
        let tags = luci::targets::read(&self.verify_tags).map_err(|mistakes| {
            Failure::new("cannot tell for which platforms to look").because_of(mistakes)
        })?;
        let here = |platform: &Located<Platform>| {
            let value = Target {
                platform: platform.value.clone(),
                python: None,
            };
            Located {
                value,
                place: platform.place.clone(),
            }
        };
        let mut targets: Vec<Located<Target>> = Vec::new();
        for target in self.platforms.iter().map(here).chain(tags) {
            if !targets.iter().any(|known| known.value == target.value) {
                targets.push(target);
            }
        }
        Ok(targets)
    }
}

/// The distributions that a spec asks for, in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packages {
    /// Requirements, among whose wheels there is a choice.
    Required(Requirements),
    /// Wheels by name and exact version, in the spec's order. What they require comes along as far
    /// as there are wheels for it.
    Listed(Vec<Located<ListedWheel>>),
    /// Packages with their files, and none but these.
    Locked(Box<Lock>),
}

impl Packages {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Required(requirements) => requirements.asked.is_empty(),
            Self::Listed(wheels) => wheels.is_empty(),
            // What a lock lacks that its spec asks for is for the plan to say.
            Self::Locked(lock) => {
                lock.packages.is_empty()
                    && lock
                        .bound
                        .as_ref()
                        .is_none_or(|bound| bound.asked.is_empty())
            }
        }
    }
}

impl Default for Packages {
    fn default() -> Self {
        Self::Required(Requirements::default())
    }
}

/// Requirements, and how they are to be met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The distributions to have, in the spec's order.
    pub asked: Vec<Located<Requested>>,
    /// What holds for a distribution if something else asks for it.
    pub constraints: Vec<Located<Requested>>,
    /// Whether the chosen wheels' own requirements count.
    pub dependencies: Dependencies,
    /// Whether pre-releases count also where nobody names one.
    pub pre_releases: bool,
    /// Whether no wheel will do whose digest is not among those that the spec names for it.
    pub hashes_required: bool,
    /// Versions that are taken before higher ones, where they will do: those of a lock that is made
    /// anew.
    pub preferred: BTreeMap<PackageName, Version>,
}

/// Whether the requirements of the chosen wheels count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dependencies {
    /// They do: what they ask for is in the environment too.
    #[default]
    Followed,
    /// They do not: there is nothing but what the spec asks for.
    Ignored,
}

/// A requirement that a spec states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// The requirement.
    pub requirement: Requirement,
    /// The digests that a wheel for it may have; none where any will do.
    pub hashes: Vec<Digest>,
}

impl SpecText {
    /// No spec at all.
    fn none() -> Self {
        let origin = Origin {
            file: None,
            lines_before: 0,
            columns_before: 0,
        };
        let chosen = Chosen::default();
        Self {
            kind: SpecKind::None,
            origin,
            base: None,
            content: String::new(),
            warnings: Vec::new(),
            chosen,
        }
    }

    /// Gives the text its meaning. Of the process, its environment may count; a lock beside the
    /// spec does.
    ///
    /// # Errors
    /// All that is wrong with it, each with line and column; a lock that cannot be read, or is not
    /// this spec's any more.
    pub fn parse(&self, process: &Process) -> Result<Spec> {
        let spec = pylock::bind(self, self.parse_without_lock(process)?, process)?;
        unlocked::apply(self, uv_lock::bind(self, spec)?)
    }

    /// Gives the text its meaning, as if there were no lock beside it, be it of the form of all
    /// tools or of uv's.
    ///
    /// # Errors
    /// All that is wrong with it, each with line and column.
    pub fn parse_without_lock(&self, process: &Process) -> Result<Spec> {
        let spec = match self.kind {
            SpecKind::VpythonToml | SpecKind::Pyproject | SpecKind::Pep723 => {
                requirements::uv_lock::bind(self, vpython_toml::parse(self)?, process)?
            }
            SpecKind::Luci => luci::parse_for(self, process.called_as())?,
            SpecKind::Requirements => requirements::parse(self, process)?,
            SpecKind::Pylock => pylock::parse(self)?,
            SpecKind::None => Spec::default(),
        };
        let spec = Spec {
            trust: self.trust(process),
            ..spec
        }
        .without_planted_directories();
        unlocked::apply(self, spec)
    }

    /// Whose files count beside it: those of the caller, of the superuser, and of the owner of its
    /// own file.
    fn trust(&self, process: &Process) -> Trust {
        let trust = Trust::of_user(process.user);
        match self.origin.file_on_disk() {
            Some(file) => trust.and_owner_of(file),
            None => trust,
        }
    }

    /// Whether a file beside it may count, such as its lock. One that another user may have put
    /// there does not, and a warning says so.
    fn counts_beside(&self, path: &Path, process: &Process, warnings: &mut Vec<String>) -> bool {
        let base = path.parent().unwrap_or(Path::new("/"));
        let stranger = self.trust(process).stranger_on_way(path, base);
        warnings.extend(
            stranger
                .iter()
                .map(|stranger| format!("the lock {stranger}; it is skipped")),
        );
        stranger.is_none()
    }

    /// Whether it is a file of LUCI's that only `vpython` reads there, and not `vpython3`:
    /// `.vpython`, or `SCRIPT.vpython`.
    fn is_for_vpython2(&self) -> bool {
        let name = self
            .origin
            .file
            .as_deref()
            .and_then(Path::file_name)
            .unwrap_or_default();
        self.kind == SpecKind::Luci && name.as_encoded_bytes().ends_with(b".vpython")
    }

    /// The line in which it begins, counted from 1: of a block, its first guard.
    #[must_use]
    pub fn line(&self) -> usize {
        self.origin.lines_before.max(1)
    }

    /// The text as a person would name it.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.origin.file {
            Some(file) => format!("`{}`", file.display()),
            None => "the text of `-c`".to_owned(),
        }
    }

    /// The absolute path of a relative one in the spec.
    fn resolve(&self, path: &str) -> PathBuf {
        self.base
            .as_deref()
            .unwrap_or(Path::new("/"))
            .join(path)
            .components()
            .collect()
    }
}
