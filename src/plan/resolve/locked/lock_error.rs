//! The error for a lock file that cannot be satisfied: all problems at once, with file, line and
//! digests, and a hint.

use std::path::PathBuf;

use pep440_rs::VersionSpecifiers;

use crate::interpreter::Facts;
use crate::plan::resolve::hint::PULL_FROM_LFS;
use crate::plan::wheelhouse::Wheelhouse;
use crate::report::Failure;
use crate::spec::{
    Located, Location, Lock, LockForm, LockedPackage, LockedWheel, ways_around_digests,
};
use crate::wheel::Impostor;

/// The reason why a package of a lock file cannot be installed.
pub(super) enum LockProblem<'a> {
    /// The package requires another version of Python.
    OtherPython {
        package: &'a Located<LockedPackage>,
        range: &'a VersionSpecifiers,
    },
    /// The name of a file is not valid for the package.
    BadName {
        package: &'a Located<LockedPackage>,
        wheel: &'a Located<LockedWheel>,
        why: String,
    },
    /// None of the files is compatible with the interpreter.
    NoWheel {
        package: &'a Located<LockedPackage>,
        misfits: Vec<String>,
    },
    /// The file is not in any wheel directory.
    Missing {
        package: &'a Located<LockedPackage>,
        wheel: &'a Located<LockedWheel>,
    },
    /// The file has another digest.
    OtherBytes {
        package: &'a Located<LockedPackage>,
        wheel: &'a Located<LockedWheel>,
        path: PathBuf,
        /// The path for messages, which ends in the wheel's own name.
        shown: PathBuf,
        digests: Box<Digests>,
    },
}

/// Two digests that differ.
pub(super) struct Digests {
    /// The name of the algorithm.
    pub name: &'static str,
    /// The digest of the file.
    pub found: String,
    /// The digest in the lock file.
    pub locked: String,
}

impl<'a> LockProblem<'a> {
    /// Returns the package.
    pub fn package(&self) -> &'a Located<LockedPackage> {
        match self {
            Self::OtherPython { package, .. }
            | Self::BadName { package, .. }
            | Self::NoWheel { package, .. }
            | Self::Missing { package, .. }
            | Self::OtherBytes { package, .. } => package,
        }
    }

    /// Returns whether only the file is wrong or missing, and the lock file itself is usable.
    pub fn is_of_file(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::OtherBytes { .. })
    }

    /// Returns the location in the lock file.
    fn place(&self) -> &Location {
        match self {
            Self::OtherPython { package, .. } | Self::NoWheel { package, .. } => &package.place,
            Self::BadName { wheel, .. }
            | Self::Missing { wheel, .. }
            | Self::OtherBytes { wheel, .. } => &wheel.place,
        }
    }

    /// Returns the cause for the error message.
    fn cause(&self, interpreter: &Facts, directories: &str) -> String {
        match self {
            Self::OtherPython { package, range } => {
                format!(
                    "{} requires Python `{range}`; the interpreter is {}",
                    title(package),
                    interpreter.title()
                )
            }
            Self::BadName { wheel, why, .. } => {
                format!(
                    "the file name `{}` is not valid for its package ({}): {why}",
                    wheel.value.file_name, wheel.place
                )
            }
            Self::NoWheel { package, misfits } => no_wheel(package, misfits, interpreter),
            Self::Missing { wheel, .. } => {
                let LockedWheel {
                    file_name,
                    size,
                    sha256,
                    ..
                } = &wheel.value;
                let size = size
                    .map(|size| format!("{size} bytes, "))
                    .unwrap_or_default();
                format!(
                    "`{file_name}` ({size}sha256 `{sha256}`) is not in {directories} ({})",
                    wheel.place
                )
            }
            Self::OtherBytes {
                wheel,
                path,
                shown,
                digests,
                ..
            } => {
                let Digests {
                    name,
                    found,
                    locked,
                } = &**digests;
                // For a file that is not a wheel, its kind explains more than its digest.
                if let Some(impostor) = Impostor::at(path) {
                    return format!("`{}` {impostor} ({})", path.display(), wheel.place);
                }
                format!(
                    "`{}` has the {name} `{found}`, but `{locked}` is locked ({})",
                    shown.display(),
                    wheel.place
                )
            }
        }
    }
}

/// Returns the name and version of a package, with its location.
fn title(package: &Located<LockedPackage>) -> String {
    let LockedPackage { name, version, .. } = &package.value;
    let version = version
        .as_ref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    format!("`{name}`{version} ({})", package.place)
}

/// Returns the reason why no file of a package is usable. A package may have a file for every
/// Python version and platform, so the message lists these instead of the files.
fn no_wheel(package: &Located<LockedPackage>, misfits: &[String], interpreter: &Facts) -> String {
    let mut kinds: Vec<&str> = misfits.iter().map(String::as_str).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let title = title(package);
    match (kinds.is_empty(), package.value.other_source) {
        (true, Some(source)) => {
            format!("{title} is locked as {source}, but vpython installs only wheels")
        }
        (true, None) => format!("{title} is locked without a file"),
        // It may be locked with a source too, which explains why a wheel is missing.
        (false, source) => {
            let source = source
                .map(|source| format!("; there is {source}, but vpython installs only wheels"));
            let kinds = kinds.join(", ");
            format!(
                "{title} has wheels for {kinds}; the interpreter is {}{}",
                interpreter.title(),
                source.unwrap_or_default()
            )
        }
    }
}

/// Returns the error for all problems, in the order of the lock file.
pub(super) fn explain(
    mut problems: Vec<LockProblem<'_>>,
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &Wheelhouse,
) -> Failure {
    problems.sort_by_key(|problem| problem.place().line);
    let directories = wheelhouse
        .directory_list()
        .unwrap_or_else(|| "a wheel directory: none is configured".to_owned());
    let causes = problems
        .iter()
        .map(|problem| problem.cause(interpreter, &directories));
    // A registry or mirror may have what no directory has.
    let not_asked = is_missing(&problems).then(|| wheelhouse.why_servers_are_not_asked());
    let failure = Failure::new(format!(
        "cannot satisfy the lock file `{}`",
        lock.path.display()
    ))
    .because_of(causes)
    .because_of(not_asked.flatten());
    failure.hint(hint(&problems, lock, wheelhouse))
}

/// Returns the hint for the most important problem.
fn hint(problems: &[LockProblem<'_>], lock: &Lock, wheelhouse: &Wheelhouse) -> String {
    // A pointer of Git LFS in place of the wheel.
    let is_in_lfs = |problem: &LockProblem| match problem {
        LockProblem::OtherBytes { path, .. } => Impostor::at(path) == Some(Impostor::LfsPointer),
        _ => false,
    };
    if problems.iter().any(is_in_lfs) {
        return PULL_FROM_LFS.to_owned();
    }
    if is_missing(problems)
        && let Some(hint) = hint_for_missing(wheelhouse)
    {
        return hint;
    }
    // A file with another digest.
    if problems
        .iter()
        .any(|problem| matches!(problem, LockProblem::OtherBytes { .. }))
    {
        if let (LockForm::Uv, Some(command)) = (lock.form, wheelhouse.fetch_command()) {
            return ways_around_digests(command);
        }
        let fetch = wheelhouse
            .fetch_command()
            .map(|command| format!(" (`{command}`)"))
            .unwrap_or_default();
        let relock = lock
            .how_to_relock()
            .map(|relock| format!("; to lock the present wheel instead, `{relock}`"));
        return format!(
            "replace it with the locked wheel{fetch}{}",
            relock.unwrap_or_default()
        );
    }
    // A package without wheels, or only with incompatible ones.
    if problems.iter().any(
        |problem| matches!(problem, LockProblem::NoWheel { misfits, .. } if misfits.is_empty()),
    ) {
        let hint = "lock without source packages (`uv export --no-emit-project`), or build wheels from them and lock the wheels";
        return hint.to_owned();
    }
    how_to_lock_for_another(lock)
}

/// Returns whether a file of the lock is missing.
fn is_missing(problems: &[LockProblem<'_>]) -> bool {
    problems
        .iter()
        .any(|problem| matches!(problem, LockProblem::Missing { .. }))
}

/// Returns the hint how to get missing files: by fetching, if that is permitted.
fn hint_for_missing(wheelhouse: &Wheelhouse) -> Option<String> {
    if let Some(why) = wheelhouse.fetching_forbidden() {
        return Some(format!(
            "copy the missing files to a wheel directory; nothing can be fetched: {why}"
        ));
    }
    let command = wheelhouse.fetch_command()?;
    let at_launch = match wheelhouse.why_servers_are_not_asked() {
        Some(_) => ", or fetch at launch: `-vpython-fetch`",
        None => "",
    };
    Some(format!("fetch what is missing: `{command}`{at_launch}"))
}

/// Returns the hint for a lock file that does not cover the interpreter.
pub(super) fn how_to_lock_for_another(lock: &Lock) -> String {
    match lock.how_to_relock() {
        Some(relock) => format!("lock again for this platform too: `{relock}`"),
        None => {
            "lock again for this platform too, with the tool that created the lock file".to_owned()
        }
    }
}
