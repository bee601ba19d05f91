//! Specs: the Python version, the requirements and the wheel directories of a program, with the
//! source location of each value.
//!
//! [`find()`] reads the text of the one spec that applies, which is all that a warm launch needs;
//! [`SpecText::parse`] parses that text. Each kind of spec has a file or a directory of its own.

mod dependency_tables;
mod direct_url;
mod find;
mod holds;
mod index_tables;
mod indexes;
mod listed;
mod location;
mod luci;
mod marker;
mod marker_tree;
mod packages;
mod pep723;
mod platform;
mod pylock;
mod pyproject;
mod python;
mod requirement;
mod requirements;
mod script_block;
mod source;
mod system_packages;
mod toml_reader;
mod unlocked;
mod unnamed;
pub mod upgrade;
mod uv_lock;
mod uv_tables;
mod vpython_toml;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use find::{Block, Finding, Probe, Probed, SearchLog, find, find_by};
pub use holds::holds;
pub use indexes::{IndexRole, IndexUrl, Indexes, SpecIndex};
pub use listed::{Condition, ListedWheel, TagPattern, Variable};
use location::Places;
pub use location::{Located, Location, Origin, STANDARD_INPUT};
pub use marker_tree::extras;
pub use packages::{Dependencies, Packages, Requested, Requirements};
pub use platform::{Platform, System, Target, TargetPython};
pub use pylock::{Basis, BuiltPins, Lock, LockForm, LockedPackage, LockedWheel, Marker};
pub use python::{PythonDefault, PythonRange};
pub use requirement::{parse_marker, parse_requirement};
pub use system_packages::SystemPackages;
pub use unlocked::ways_around_digests;
pub use unnamed::{has_project, unnamed};
pub use uv_lock::is_uv_lock;

use crate::fs::{Stamped, Trust};
use crate::invocation::{Chosen, Fetching, Invocation, WheelhouseReference};
use crate::oci::PinnedReference;
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
    /// A standard lock file (PEP 751): `pylock.toml`, `pylock.NAME.toml`.
    Pylock,
    /// No spec: an environment without packages.
    None,
}

impl SpecKind {
    /// Returns the kind's name in tool output.
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

/// The unparsed text of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecText {
    /// The kind of the spec.
    pub kind: SpecKind,
    /// The location of the text.
    pub origin: Origin,
    /// The directory that relative paths in the spec are resolved against, and that vpython
    /// searches for wheelhouses with the usual names; `None` if there is no spec.
    pub base: Option<PathBuf>,
    /// The text: the whole file, or the content of the block.
    pub content: String,
    /// Warnings from the search for the spec, one sentence each, with the location.
    pub warnings: Vec<String>,
    /// The extras and groups that the command line selects, if the spec is a `pyproject.toml`.
    pub chosen: Chosen,
}

/// A parsed spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a key of the spec")]
pub struct Spec {
    /// The Python versions that satisfy the spec; `None` if any version does.
    pub requires_python: Option<Located<PythonRange>>,
    /// The Python to prefer if the spec names no version.
    pub python_default: PythonDefault,
    /// The image that the interpreter comes from, unless the caller names an interpreter.
    pub interpreter: Option<Located<PinnedReference>>,
    /// The distributions to install.
    pub packages: Packages,
    /// The wheelhouses that the spec names, with absolute paths.
    pub wheelhouses: Vec<Located<WheelhouseReference>>,
    /// The package indexes that the spec names.
    pub indexes: Indexes,
    /// Whether a launch may fetch missing wheels from the package indexes.
    pub fetch: bool,
    /// Import roots of first-party code, as absolute paths.
    pub python_path: Vec<PathBuf>,
    /// Further target platforms, in addition to the current one.
    pub platforms: Vec<Located<Platform>>,
    /// Further target platforms as LUCI's `verify_pep425_tag`, as written.
    pub verify_tags: Vec<Located<TagPattern>>,
    /// The directory of the spec.
    pub base: Option<PathBuf>,
    /// Whether irregularities in wheels are errors.
    pub strict: bool,
    /// The users whose files vpython trusts: files that the spec names, and files next to it.
    pub trust: Trust,
    /// Whether Python can import the packages that are installed for the interpreter itself.
    pub system_packages: SystemPackages,
    /// The uv lock file next to the spec, which applies if there is no standard lock file.
    pub uv_lock: Option<SpecText>,
    /// Whether vpython ignores pinned digests.
    pub unlocked: bool,
    /// The files whose digests are ignored, sorted.
    pub unchecked: Vec<PathBuf>,
    /// Whether pip, setuptools and wheel may come from the interpreter itself (the copies that
    /// `ensurepip` installs) if no wheel directory has a compatible one. For listed wheels, the
    /// environment contains these three without listing them.
    pub seed: bool,
    /// The inputs of the spec, apart from its own text.
    pub sources: Vec<Source>,
    /// Warnings for the spec's author, one sentence each, with the location.
    pub warnings: Vec<String>,
}

/// An input of a spec, apart from its own text: if any of them changes, the spec may change too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file that the spec names, with its stamp from before it was read.
    File(Stamped),
    /// An environment variable that the spec names.
    Variable {
        /// The name.
        name: String,
        /// The value; `None` if the variable is unset or empty.
        value: Option<String>,
    },
}

impl Spec {
    /// Drops the wheelhouses and import roots that another user may have planted under the
    /// named paths, each with a warning.
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
        wheelhouses.retain(|wheelhouse| match &wheelhouse.value {
            WheelhouseReference::Directory(path) => counts(path, "wheel directory"),
            WheelhouseReference::Layout(layout) => counts(&layout.path, "image layout"),
            WheelhouseReference::Registry(_) | WheelhouseReference::Mirror(_) => true,
        });
        python_path.retain(|root| counts(root, "import root"));
        self
    }

    /// Checks whether a launch may fetch missing wheels: the caller or the spec asks for that, and
    /// neither the caller nor the site forbids it.
    #[must_use]
    pub fn may_fetch(&self, invocation: &Invocation) -> bool {
        let is_asked = match invocation.fetching {
            Fetching::Declined | Fetching::Offline => false,
            Fetching::Asked => true,
            Fetching::Unasked => self.fetch,
        };
        is_asked && invocation.conf.refusal_of_fetch().is_none()
    }

    /// Checks whether the spec needs no wheels at all.
    #[must_use]
    pub fn wants_no_wheels(&self) -> bool {
        let is_seeded = self.seed && matches!(self.packages, Packages::Listed(_));
        self.packages.is_empty() && !is_seeded
    }

    /// Returns the further target platforms, without duplicates, in the spec's order.
    ///
    /// # Errors
    /// LUCI tags that name no platform; the error lists all of them.
    pub fn targets(&self) -> Result<Vec<Located<Target>>> {
        let tags = luci::targets::read(&self.verify_tags).map_err(|mistakes| {
            Failure::new("cannot determine the target platforms").because_of(mistakes)
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

impl SpecText {
    /// Returns the text for a program without a spec.
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

    /// Parses the text and applies the lock file next to the spec, if there is one. The environment
    /// variables of the process may affect the result; hints name the flags of the invocation.
    ///
    /// # Errors
    /// All mistakes in the text, each with line and column; a lock file that cannot be read, or
    /// that no longer matches the spec.
    pub fn parse(&self, invocation: &Invocation, process: &Process) -> Result<Spec> {
        let spec = self.parse_without_lock(process)?;
        let spec = pylock::bind(self, spec, invocation, process)?;
        unlocked::apply(self, uv_lock::bind(self, spec)?)
    }

    /// Parses the text, but ignores lock files next to the spec, both standard ones and uv's.
    ///
    /// # Errors
    /// All mistakes in the text, each with line and column.
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

    /// Returns the users whose files are trusted in addition to the spec itself: the caller, root,
    /// and the owner of the spec's own file.
    fn trust(&self, process: &Process) -> Trust {
        let trust = Trust::of_user(process.user);
        match self.origin.file_on_disk() {
            Some(file) => trust.and_owner_of(file),
            None => trust,
        }
    }

    /// Checks whether vpython may use a file next to the spec, such as its lock file. If another
    /// user may have planted the file, the answer is no, with a warning.
    pub fn trusts_neighbour(
        &self,
        path: &Path,
        process: &Process,
        warnings: &mut Vec<String>,
    ) -> bool {
        let base = path.parent().unwrap_or(Path::new("/"));
        let stranger = self.trust(process).stranger_on_way(path, base);
        warnings.extend(
            stranger
                .iter()
                .map(|stranger| format!("the lock file {stranger}; it is skipped")),
        );
        stranger.is_none()
    }

    /// Checks whether the spec is a LUCI file that only LUCI's `vpython` reads, and not its
    /// `vpython3`: `.vpython`, or `SCRIPT.vpython`.
    fn is_for_vpython2(&self) -> bool {
        let name = self
            .origin
            .file
            .as_deref()
            .and_then(Path::file_name)
            .unwrap_or_default();
        self.kind == SpecKind::Luci && name.as_encoded_bytes().ends_with(b".vpython")
    }

    /// Returns the line in which the spec begins, counted from 1; for a block, the line of its
    /// first guard.
    #[must_use]
    pub fn line(&self) -> usize {
        self.origin.lines_before.max(1)
    }

    /// Returns the text's name for messages.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.origin.file {
            Some(file) => format!("`{}`", file.display()),
            None => "the text of `-c`".to_owned(),
        }
    }

    /// Resolves a path in the spec against the spec's directory.
    fn resolve(&self, path: &str) -> PathBuf {
        self.base
            .as_deref()
            .unwrap_or(Path::new("/"))
            .join(path)
            .components()
            .collect()
    }
}
