//! What a spec comes to on this machine: one interpreter, and each wheel with its file and digest.
//!
//! A plan is made of what can be read: the interpreter's facts and the wheels' metadata. It builds
//! nothing. All that it was decided from is kept as [`Evidence`], so that a later launch can tell
//! with a few stamps that it would be decided alike.

pub mod interpreter;
mod key;
pub mod lock;
mod missing_wheels;
mod outline;
mod pins;
mod pip;
mod resolve;
mod seed;
mod tags;
mod verify;
mod wheelhouse;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;
use tracing::{debug, info_span};

pub use interpreter::Facts;
pub use key::Key;
pub use missing_wheels::{Lacking, Present, Shortfall, present, shortfall, taken};
pub use outline::{Outline, outline};
pub use pins::pins;
pub use pip::add_pip;
pub use seed::{Seed, is_seed};
pub use tags::Tags;
pub use verify::{Cell, Column, Row, RowOrigin, Verification, verify};
pub use wheelhouse::requires_dist;

use crate::fs::{Digest, Stamped};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::{Failure, progress};
use crate::spec::{Location, Packages, Source, Spec, SystemPackages};
use interpreter::InterpreterChoice;
use wheelhouse::Wheelhouse;

/// What an environment is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interpreter, one that was asked.
    pub interpreter: Facts,
    /// The wheels, sorted by project name, one for each project.
    pub wheels: Vec<PlannedWheel>,
    /// Why it cannot be built, where a wheel is locked and its file is not to be had. An
    /// environment that stands can be used.
    pub unavailable: Option<Failure>,
    /// Whether what is sloppy about a wheel, and files that several wheels bring, are errors.
    pub strict: bool,
    /// Whether the interpreter's own packages can be imported.
    pub system_packages: SystemPackages,
}

/// A wheel of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedWheel {
    /// The project's normalised name.
    pub name: PackageName,
    /// The version that the file's name says.
    pub version: Version,
    /// The wheel file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Who asks for it.
    pub required_by: Vec<RequiredBy>,
}

/// Who asks for a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequiredBy {
    /// The spec, in this place.
    Spec(Location),
    /// The lock of the spec, in this place.
    Lock(Location),
    /// Each spec of LUCI's, without saying so.
    Seed,
    /// A wheel that was chosen.
    Wheel {
        /// Its project.
        project: PackageName,
        /// Its version.
        version: Version,
        /// Its file's name.
        file_name: String,
    },
}

impl RequiredBy {
    /// The project whose wheel asks; none where the spec does.
    #[must_use]
    pub fn project(&self) -> Option<&PackageName> {
        match self {
            Self::Spec(_) | Self::Lock(_) | Self::Seed => None,
            Self::Wheel { project, .. } => Some(project),
        }
    }

    /// The name of the wheel file that asks; none where the spec does.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        match self {
            Self::Spec(_) | Self::Lock(_) | Self::Seed => None,
            Self::Wheel { file_name, .. } => Some(file_name),
        }
    }
}

/// Why a seed is in an environment.
const SEEDED: &str = "seeded for LUCI specs";

impl fmt::Display for RequiredBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(place) => write!(formatter, "asked for in {place}"),
            Self::Lock(place) => write!(formatter, "locked in {place}"),
            Self::Seed => formatter.write_str(SEEDED),
            Self::Wheel {
                project,
                version,
                file_name,
            } => {
                write!(
                    formatter,
                    "asked for by `{project}` {version}, `{file_name}`"
                )
            }
        }
    }
}

impl PlannedWheel {
    /// Whether the spec itself asks for it, and not only another wheel; installers note that in
    /// `REQUESTED`.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.required_by
            .iter()
            .any(|required_by| matches!(required_by, RequiredBy::Spec(_) | RequiredBy::Seed))
    }

    /// The wheel file's name.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// What a plan was decided from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Files and directories that were looked at, those that were absent among them.
    pub stamps: Vec<Stamped>,
    /// Wheels beyond those among `stamps`, which a warm launch looks at once an hour.
    pub other_wheels: Vec<Stamped>,
    /// Environment variables that the spec names, with their values; none where one is not set, or
    /// empty.
    pub variables: BTreeMap<String, Option<String>>,
    /// What the caller should know of the choice, a sentence each.
    pub warnings: Vec<String>,
    /// What they should know of what listed wheels require, a sentence each. A launch does not say
    /// it.
    pub remarks: Vec<String>,
    /// The seeds that the environment is to have and does not, since there is no wheel of them.
    pub unseeded: Vec<Seed>,
    /// How the interpreter was chosen. Only who explains it wants to know.
    pub choice: InterpreterChoice,
}

impl Evidence {
    /// What the spec was read from.
    fn of_spec(spec: &Spec) -> Self {
        let mut evidence = Self {
            remarks: spec.unchecked_digests(),
            ..Self::default()
        };
        for source in spec.sources.iter().cloned() {
            match source {
                Source::File(stamped) => evidence.stamps.push(stamped),
                Source::Variable { name, value } => drop(evidence.variables.insert(name, value)),
            }
        }
        evidence
    }

    /// Notes what stands at `path` now. To be called before the path is read, so that a change in
    /// between is noticed.
    fn look(&mut self, path: &Path) {
        if !self.stamps.iter().any(|stamped| stamped.path == path) {
            self.stamps.push(Stamped::look(path));
        }
    }

    /// Adds what was seen elsewhere; what was seen of a path first stands.
    fn extend(&mut self, seen: Self) {
        let Self {
            stamps,
            other_wheels,
            variables,
            warnings,
            remarks,
            unseeded,
            choice: _,
        } = seen;
        self.other_wheels.extend(other_wheels);
        let known: HashSet<PathBuf> = self.stamps.iter().map(|known| known.path.clone()).collect();
        self.stamps.extend(
            stamps
                .into_iter()
                .filter(|stamped| !known.contains(&stamped.path)),
        );
        self.variables.extend(variables);
        self.warnings.extend(warnings);
        self.remarks.extend(remarks);
        self.unseeded.extend(unseeded);
    }
}

/// Decides on the interpreter and the wheels of a spec. `memo` is the store's directory for facts
/// that can be found again.
///
/// # Errors
/// No interpreter satisfies the spec; no set of wheels does; a wheel cannot be read.
pub fn make(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<(Plan, Evidence)> {
    progress::phase("finding the interpreter");
    let mut evidence = Evidence::of_spec(spec);
    // An interpreter that was never asked takes its time to answer.
    let (interpreter, listed) = std::thread::scope(|scope| {
        let listing =
            (!spec.wants_no_wheels()).then(|| scope.spawn(|| list(spec, invocation, memo)));
        let interpreter = info_span!("find the interpreter")
            .in_scope(|| interpreter::find(invocation, spec, process, Some(memo), &mut evidence));
        let listed = listing.map(|listing| {
            listing
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        (interpreter, listed)
    });
    let interpreter = interpreter?;
    debug!(interpreter = %interpreter.executable.display(), version = %interpreter.version(), "chose the interpreter");
    let (wheels, unavailable) = match listed.transpose()? {
        Some((wheelhouse, seen)) => {
            evidence.extend(seen);
            choose_among(wheelhouse, spec, &interpreter, &mut evidence)?
        }
        None => (Vec::new(), None),
    };
    let strict = spec.strict || invocation.strict;
    let system_packages = spec.system_packages;
    Ok((
        Plan {
            interpreter,
            wheels,
            unavailable,
            strict,
            system_packages,
        },
        evidence,
    ))
}

/// The directories of wheels of a launch, and what was seen of them.
fn list(spec: &Spec, invocation: &Invocation, memo: &Path) -> Result<(Wheelhouse, Evidence)> {
    let _listing = info_span!("list the wheels").entered();
    let mut evidence = Evidence::default();
    let wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    Ok((wheelhouse, evidence))
}

/// The wheels of a spec, and why they cannot be installed, if so. No directory is looked into where
/// none is asked for.
///
/// # Errors
/// A directory of wheels that is not there; no set of wheels does; a wheel cannot be read.
pub fn choose_wheels(
    spec: &Spec,
    interpreter: &Facts,
    invocation: &Invocation,
    memo: &Path,
    evidence: &mut Evidence,
) -> Result<(Vec<PlannedWheel>, Option<Failure>)> {
    if spec.wants_no_wheels() {
        return Ok((Vec::new(), None));
    }
    progress::phase("choosing the wheels");
    let (wheelhouse, seen) = list(spec, invocation, memo)?;
    evidence.extend(seen);
    choose_among(wheelhouse, spec, interpreter, evidence)
}

fn choose_among(
    mut wheelhouse: Wheelhouse,
    spec: &Spec,
    interpreter: &Facts,
    evidence: &mut Evidence,
) -> Result<(Vec<PlannedWheel>, Option<Failure>)> {
    progress::phase("choosing the wheels");
    let _choosing = info_span!("choose the wheels").entered();
    let wheels = match &spec.packages {
        Packages::Required(requirements) => (
            resolve::resolve(requirements, interpreter, &mut wheelhouse, evidence)?,
            None,
        ),
        Packages::Listed(wheels) => (
            resolve::listed::resolve(wheels, interpreter, &mut wheelhouse, evidence)?,
            None,
        ),
        Packages::Locked(lock) => {
            resolve::locked::resolve(lock, interpreter, &mut wheelhouse, evidence)?
        }
    };
    wheelhouse.remember();
    Ok(wheels)
}
