//! What is said when a lock cannot be followed: all of it at once, with file, line and digests, and
//! what to try.

use std::path::PathBuf;

use pep440_rs::VersionSpecifiers;

use crate::plan::Facts;
use crate::plan::resolve::hint::PULL_FROM_LFS;
use crate::plan::wheelhouse::{Impostor, Wheelhouse};
use crate::report::Failure;
use crate::spec::{
    Located, Location, Lock, LockForm, LockedPackage, LockedWheel, ways_around_digests,
};

/// Why a package of a lock cannot be had.
pub(super) enum Trouble<'a> {
    /// It is not for this Python.
    OtherPython {
        package: &'a Located<LockedPackage>,
        range: &'a VersionSpecifiers,
    },
    /// A file of it is named like none of its wheels.
    BadName {
        package: &'a Located<LockedPackage>,
        wheel: &'a Located<LockedWheel>,
        why: String,
    },
    /// None of its files fits the interpreter.
    NoWheel {
        package: &'a Located<LockedPackage>,
        misfits: Vec<String>,
    },
    /// Its file is in none of the directories.
    Missing {
        package: &'a Located<LockedPackage>,
        wheel: &'a Located<LockedWheel>,
    },
    /// Its file has other bytes.
    OtherBytes {
        package: &'a Located<LockedPackage>,
        wheel: &'a Located<LockedWheel>,
        path: PathBuf,
        digests: Digests,
    },
}

/// Two digests that should be the same.
pub(super) struct Digests {
    /// How they are called.
    pub name: &'static str,
    /// What the file has.
    pub found: String,
    /// What the lock has.
    pub locked: String,
}

impl<'a> Trouble<'a> {
    /// The package.
    pub fn package(&self) -> &'a Located<LockedPackage> {
        match self {
            Self::OtherPython { package, .. }
            | Self::BadName { package, .. }
            | Self::NoWheel { package, .. }
            | Self::Missing { package, .. }
            | Self::OtherBytes { package, .. } => package,
        }
    }

    /// Whether only the file is in the way, and the lock itself is not.
    pub fn is_of_file(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::OtherBytes { .. })
    }

    /// Where the lock has what cannot be had.
    fn place(&self) -> &Location {
        match self {
            Self::OtherPython { package, .. } | Self::NoWheel { package, .. } => &package.place,
            Self::BadName { wheel, .. }
            | Self::Missing { wheel, .. }
            | Self::OtherBytes { wheel, .. } => &wheel.place,
        }
    }

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
                    "`{}` is no name for its wheel ({}): {why}",
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
                digests:
                    Digests {
                        name,
                        found,
                        locked,
                    },
                ..
            } => {
                if let Some(impostor) = Impostor::at(path) {
                    return format!("`{}` {impostor} ({})", path.display(), wheel.place);
                }
                format!(
                    "`{}` has the {name} `{found}`, and `{locked}` is locked ({})",
                    path.display(),
                    wheel.place
                )
            }
        }
    }
}

/// A package as a person would name it, and where it is locked.
fn title(package: &Located<LockedPackage>) -> String {
    let LockedPackage { name, version, .. } = &package.value;
    let version = version
        .as_ref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    format!("`{name}`{version} ({})", package.place)
}

/// Why no file of a package will do. A package may have a file for each python and platform that
/// there is, so only kinds are named.
fn no_wheel(package: &Located<LockedPackage>, misfits: &[String], interpreter: &Facts) -> String {
    let mut kinds: Vec<&str> = misfits.iter().map(String::as_str).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let title = title(package);
    match (kinds.is_empty(), package.value.other_source) {
        (true, Some(source)) => {
            format!("{title} is locked as {source}, and vpython installs wheels alone")
        }
        (true, None) => format!("{title} is locked without a file"),
        (false, source) => {
            let source = source
                .map(|source| format!("; there is {source}, but vpython installs wheels alone"));
            let kinds = kinds.join(", ");
            format!(
                "{title} has wheels for {kinds}; the interpreter is {}{}",
                interpreter.title(),
                source.unwrap_or_default()
            )
        }
    }
}

/// The whole error.
pub(super) fn explain(
    mut troubles: Vec<Trouble<'_>>,
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &Wheelhouse,
) -> Failure {
    troubles.sort_by_key(|trouble| trouble.place().line);
    let directories: Vec<String> = wheelhouse
        .directories()
        .map(|directory| format!("`{}`", directory.display()))
        .collect();
    let directories = if directories.is_empty() {
        "a directory of wheels: none is named".to_owned()
    } else {
        directories.join(", ")
    };
    let causes = troubles
        .iter()
        .map(|trouble| trouble.cause(interpreter, &directories));
    let failure = Failure::new(format!("cannot follow the lock `{}`", lock.path.display()))
        .because_of(causes);
    failure.hint(hint(&troubles, lock, wheelhouse))
}

fn hint(troubles: &[Trouble<'_>], lock: &Lock, wheelhouse: &Wheelhouse) -> String {
    let is_in_lfs = |trouble: &Trouble| match trouble {
        Trouble::OtherBytes { path, .. } => Impostor::at(path) == Some(Impostor::LfsPointer),
        _ => false,
    };
    if troubles.iter().any(is_in_lfs) {
        return PULL_FROM_LFS.to_owned();
    }
    let is_missing = troubles
        .iter()
        .any(|trouble| matches!(trouble, Trouble::Missing { .. }));
    if let (true, Some(command)) = (is_missing, wheelhouse.fetch_command()) {
        return format!("fetch what is missing: `{command}`");
    }
    if troubles
        .iter()
        .any(|trouble| matches!(trouble, Trouble::OtherBytes { .. }))
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
            .map(|relock| format!("; if the other one is meant, `{relock}`"));
        return format!(
            "put the wheel that is locked in its place{fetch}{}",
            relock.unwrap_or_default()
        );
    }
    if troubles
        .iter()
        .any(|trouble| matches!(trouble, Trouble::NoWheel { misfits, .. } if misfits.is_empty()))
    {
        let hint = "lock without sources (`uv export --no-emit-project`), or build wheels of them and lock these";
        return hint.to_owned();
    }
    how_to_lock_for_another(lock)
}

/// What to do where a lock has nothing for an interpreter.
pub(super) fn how_to_lock_for_another(lock: &Lock) -> String {
    match lock.how_to_relock() {
        Some(relock) => format!("lock again for this platform too: `{relock}`"),
        None => "lock again for this platform too, with the tool that made the lock".to_owned(),
    }
}
