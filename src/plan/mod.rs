//! The plan of a spec on this machine: one interpreter, and each wheel with its file and digest.
//!
//! A plan is derived from the interpreter's facts and the wheels' metadata. Planning builds
//! nothing. Its inputs are recorded as [`Evidence`], so that a later launch can check with a few
//! stamps that it would get the same plan.

mod built;
mod by_name;
mod choose;
mod connection;
mod files;
mod from_index;
mod key;
pub mod lock;
mod missing_wheels;
mod outline;
mod pins;
mod pip;
mod registries;
mod resolve;
mod seed;
mod sources;
mod verify;
mod wheelhouse;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;
use tracing::{debug, info_span};

pub use built::{BUILT_FORM, BuiltLayer, FORM, PYTHON, WHEEL, built_in, manifests_of_layout};
pub use choose::{Caller, choose_wheels};
pub use connection::{Connection, Use, connect};
pub use files::{WheelOnDisk, on_disk};
pub use from_index::{SystemWheels, choose_from_index};
pub use key::Key;
pub use missing_wheels::{Lacking, Present, present, shortfall, taken};
pub use outline::{Outline, outline};
pub use pins::pins;
pub use pip::add_pip;
pub use registries::{registry_client, registry_of_site};
pub use seed::{Seed, is_seed};
pub use verify::{Cell, Column, Row, RowOrigin, Verification, verify};

use crate::fs::{Digest, Stamped, Stamps};
use crate::interpreter::{self, Facts, InterpreterChoice};
use crate::invocation::Invocation;
use crate::oci::LayoutReference;
use crate::process::{Process, threads};
use crate::remote::FileToFetch;
use crate::report::{Failure, progress};
use crate::spec::{Location, Source, Spec, SystemPackages};

/// The contents of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interpreter, which has been probed.
    pub interpreter: Facts,
    /// The wheels, one for each project, sorted by project name.
    pub wheels: Vec<PlannedWheel>,
    /// The wheels that are locked and whose files are missing. An existing environment can still be
    /// used, and so can unpacked wheels.
    pub unavailable: Option<Unavailable>,
    /// Whether deviations of wheels from the specifications, and conflicting files of several
    /// wheels, are errors.
    pub strict: bool,
    /// Whether the interpreter's own packages can be imported.
    pub system_packages: SystemPackages,
}

/// The wheels of a plan without a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The error of a launch that needs the files.
    pub failure: Failure,
    /// The digests of the wheels.
    pub wheels: Vec<Digest>,
}

/// A wheel of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedWheel {
    /// The project's normalised name.
    pub name: PackageName,
    /// The version in the file's name.
    pub version: Version,
    /// The wheel file; for a wheel that is still to be downloaded, its URL.
    pub path: PathBuf,
    /// The image layout that it is in, where the file has no name of its own; `None` elsewhere.
    pub in_layout: Option<InLayout>,
    /// An archive with its files and byte code, to use in place of unpacking and compiling it.
    pub built: Option<BuiltLayer>,
    /// Where to download it from; `None` for a local file.
    pub to_fetch: Option<FileToFetch>,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// The origins of the requirements for it.
    pub required_by: Vec<RequiredBy>,
}

/// A wheel in an image layout, where the name of its file is its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InLayout {
    /// The layout.
    pub layout: LayoutReference,
    /// The wheel's file name.
    pub file_name: Arc<str>,
}

impl InLayout {
    /// The hint for a blob that differs from its digest.
    pub const HOW_TO_REPAIR: &str =
        "remove the blob; then `-vpython-tool push` or `skopeo copy` writes it again";
}

/// The origin of a requirement for a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequiredBy {
    /// The spec, at this location.
    Spec(Location),
    /// The spec's lock, at this location.
    Lock(Location),
    /// Implicitly each LUCI spec.
    Seed,
    /// Another wheel of the plan.
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
    /// Returns the project of the requiring wheel; `None` for a spec or lock.
    #[must_use]
    pub fn project(&self) -> Option<&PackageName> {
        match self {
            Self::Spec(_) | Self::Lock(_) | Self::Seed => None,
            Self::Wheel { project, .. } => Some(project),
        }
    }

    /// Returns the file name of the requiring wheel; `None` for a spec or lock.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        match self {
            Self::Spec(_) | Self::Lock(_) | Self::Seed => None,
            Self::Wheel { file_name, .. } => Some(file_name),
        }
    }
}

/// The origin of a seed.
const SEEDED: &str = "seeded for LUCI specs";

impl fmt::Display for RequiredBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(place) => write!(formatter, "required in {place}"),
            Self::Lock(place) => write!(formatter, "locked in {place}"),
            Self::Seed => formatter.write_str(SEEDED),
            Self::Wheel {
                project,
                version,
                file_name,
            } => {
                write!(
                    formatter,
                    "required by `{project}` {version}, `{file_name}`"
                )
            }
        }
    }
}

impl PlannedWheel {
    /// Checks whether the spec itself requires it, not only another wheel; installers record that
    /// in `REQUESTED`.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.required_by
            .iter()
            .any(|required_by| matches!(required_by, RequiredBy::Spec(_) | RequiredBy::Seed))
    }

    /// Returns the file for messages: its path, and its name if the path does not end in it.
    #[must_use]
    pub fn title(&self) -> String {
        let path = self.path.display();
        match &self.in_layout {
            Some(InLayout { file_name, .. }) => format!("`{file_name}`, the blob `{path}`"),
            None => format!("`{path}`"),
        }
    }

    /// Returns the wheel's file name.
    #[must_use]
    pub fn file_name(&self) -> String {
        if let Some(InLayout { file_name, .. }) = &self.in_layout {
            return file_name.to_string();
        }
        // A URL by digest does not contain the name.
        if let Some(file) = &self.to_fetch {
            return file.file_name.clone();
        }
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// Groups wheels by the directories or image layouts that they are in. Keeps their order within
/// each.
#[must_use]
pub fn by_directory(wheels: &[PlannedWheel]) -> BTreeMap<PathBuf, Vec<&PlannedWheel>> {
    let mut directories: BTreeMap<PathBuf, Vec<&PlannedWheel>> = BTreeMap::new();
    for wheel in wheels {
        let directory = match &wheel.in_layout {
            Some(InLayout { layout, .. }) => Some(PathBuf::from(layout.to_string())),
            None => wheel.path.parent().map(Path::to_path_buf),
        };
        if let Some(directory) = directory {
            directories.entry(directory).or_default().push(wheel);
        }
    }
    directories
}

/// The inputs of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Files and directories that were inspected, including absent ones.
    pub stamps: Stamps,
    /// Further wheels, which a warm launch checks once an hour.
    pub other_wheels: Vec<Stamped>,
    /// Environment variables that the spec names, with their values; `None` for an unset or empty
    /// variable.
    pub variables: BTreeMap<String, Option<String>>,
    /// Warnings for the caller, one sentence each.
    pub warnings: Vec<String>,
    /// Warnings that a warm launch does not repeat, one sentence each: about settings of package
    /// indexes, which it does not read.
    pub passing: Vec<String>,
    /// Warnings about the requirements of listed wheels, one sentence each. A launch does not print
    /// them.
    pub remarks: Vec<String>,
    /// The seeds that the environment should have and lacks, because there is no wheel for them.
    pub unseeded: Vec<Seed>,
    /// The interpreter's selection, for `explain`.
    pub choice: InterpreterChoice,
}

impl Evidence {
    /// Returns the inputs of the spec itself.
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

    /// Merges other evidence; the first stamp of a path is kept.
    fn extend(&mut self, seen: Self) {
        let Self {
            stamps,
            other_wheels,
            variables,
            warnings,
            passing,
            remarks,
            unseeded,
            choice: _,
        } = seen;
        self.stamps.merge(stamps);
        self.other_wheels.extend(other_wheels);
        self.variables.extend(variables);
        self.warnings.extend(warnings);
        self.passing.extend(passing);
        self.remarks.extend(remarks);
        self.unseeded.extend(unseeded);
    }
}

/// A plan, and what was used to make it.
pub struct Made {
    /// The plan.
    pub plan: Plan,
    /// The connection to the package indexes, if they were used.
    pub connection: Option<Connection>,
}

/// Selects the interpreter and the wheels of a spec, and adds what decided to the evidence. `memo`
/// is the store's directory for cached facts.
///
/// # Errors
/// No interpreter or no set of wheels satisfies the spec, or a wheel cannot be read.
pub fn make(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
    evidence: &mut Evidence,
) -> Result<Made> {
    progress::phase("finding the interpreter");
    evidence.extend(Evidence::of_spec(spec));
    let caller = Caller {
        invocation,
        process,
        memo,
    };
    // Probing a new interpreter takes time, so the wheels are listed concurrently.
    let is_probed = AtomicBool::new(false);
    let (interpreter, listed) = std::thread::scope(|scope| {
        let is_waiting = || !is_probed.load(Ordering::Relaxed);
        let list = move || choose::list_for_launch(spec, caller, &is_waiting);
        let listing = (!spec.wants_no_wheels()).then(|| threads::spawn_scoped(scope, list));
        let interpreter = info_span!("find the interpreter")
            .in_scope(|| find_interpreter(invocation, spec, process, Some(memo), evidence));
        is_probed.store(true, Ordering::Relaxed);
        let listed = listing.map(|listing| match listing {
            Some(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => list(),
        });
        (interpreter, listed)
    });
    let interpreter = interpreter?;
    debug!(interpreter = %interpreter.executable.display(), version = %interpreter.version(), "chose the interpreter");
    // With both at hand, select the wheels.
    let ((mut wheels, unavailable), connection) = match listed.transpose()? {
        Some(listed) => choose::choose_or_fetch(listed, spec, &interpreter, caller, evidence)?,
        None => ((Vec::new(), None), None),
    };
    built::attach(&mut wheels, spec, invocation, &interpreter);
    let plan = Plan {
        interpreter,
        wheels,
        unavailable,
        strict: spec.strict || invocation.strict,
        system_packages: spec.system_packages,
    };
    Ok(Made { plan, connection })
}

/// Finds the interpreter for a spec, as [`interpreter::find`] does, and adds what decided to the
/// evidence.
///
/// # Errors
/// No interpreter satisfies the spec, or the one that is named does not or cannot be run.
pub fn find_interpreter(
    invocation: &Invocation,
    spec: &Spec,
    process: &Process,
    memo: Option<&Path>,
    evidence: &mut Evidence,
) -> Result<Facts> {
    // The copy of an image takes its place before; no other interpreter is used instead.
    let of_spec = spec.interpreter.as_ref().map(|image| &image.value);
    let image = invocation.interpreter_image.as_ref().or(of_spec);
    if let (Some(image), None) = (image, &invocation.interpreter) {
        let failure = Failure::new(format!("cannot use the interpreter from `{image}`"));
        return Err(failure.because("it is not in the store").into());
    }
    let Evidence { stamps, choice, .. } = evidence;
    interpreter::find(invocation, spec, process, memo, stamps, choice)
}
