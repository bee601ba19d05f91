//! Where the store is, and whether it is safe to use: it must be the caller's or the superuser's,
//! and nobody else's to write.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

use super::path_trust;
use crate::fs;
use crate::invocation::Invocation;
use crate::process::{Process, variable};
use crate::report::{self, Failure};

/// Bits that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// The root that a command line is to use: made where it is missing, checked where it is there.
pub(super) fn find(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let path = place(invocation, process)?;
    let Some(metadata) = looked_at(&path, invocation)? else {
        return make(path, invocation, process);
    };
    check(&path, &metadata, process.user)?;
    normalised(path)
}

/// What stands at the root. Where nobody has named it, a home directory that cannot be entered has
/// none.
fn looked_at(path: &Path, invocation: &Invocation) -> Result<Option<std::fs::Metadata>> {
    let looked = fs::link_metadata(path);
    if invocation.root.is_some() {
        looked
    } else {
        Ok(fs::ok_if_hidden(looked)?.flatten())
    }
}

/// The directory that is to hold the first of those that are missing on the way to the root, if the
/// caller can write to it.
fn writable_above(path: &Path) -> Option<&Path> {
    let above = path.ancestors().skip(1).find(|above| fs::exists(above))?;
    let access = AccessFlags::W_OK | AccessFlags::X_OK;
    faccessat(AT_FDCWD, above, access, AtFlags::AT_EACCESS)
        .is_ok()
        .then_some(above)
}

/// Makes the root. Where nobody has named one, and the user's cache directory cannot be written to,
/// it is made beside temporary files.
fn make(path: PathBuf, invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    // The superuser can write to everybody's home: a refusal after the first directory is made
    // would leave that one there.
    if let Some(above) = writable_above(&path) {
        path_trust::check_above(above, &path, process.user)?;
    }
    let made = create(&path).with_context(|| format!("cannot make the store `{}`", path.display()));
    let (path, metadata) = match made {
        Ok(metadata) => (path, metadata),
        Err(error) if invocation.root.is_none() && path != temporary(process) => {
            let instead = temporary(process);
            let metadata = fs::link_metadata(&instead).ok().flatten();
            let is_new = metadata.is_none();
            let Some(metadata) = metadata.or_else(|| create(&instead).ok()) else {
                return Err(error);
            };
            if is_new {
                report::warning(&format!(
                    "the store is `{}`: {}",
                    instead.display(),
                    report::one_line(&error)
                ));
            }
            (instead, metadata)
        }
        Err(error) => return Err(error),
    };
    check(&path, &metadata, process.user)?;
    normalised(path)
}

/// The root that a command line is to use, checked where it is there.
pub(super) fn look(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let path = place(invocation, process)?;
    let (path, metadata) = match looked_at(&path, invocation)? {
        None if invocation.root.is_none() && writable_above(&path).is_none() => {
            let instead = temporary(process);
            let metadata = fs::link_metadata(&instead)?;
            (instead, metadata)
        }
        metadata => (path, metadata),
    };
    let Some(metadata) = metadata else {
        return Ok(path);
    };
    check(&path, &metadata, process.user)?;
    normalised(path)
}

/// Where the root is to be.
fn place(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let path = invocation.root.clone().unwrap_or_else(|| default(process));
    if !path.is_absolute() {
        return Err(
            Failure::new(format!("cannot tell where `{}` is", path.display()))
                .because("the current directory is gone")
                .hint("name the root with `-vpython-root`, from `/` on")
                .into(),
        );
    }
    if path.as_os_str().as_bytes().contains(&b':') {
        return Err(
            Failure::new(format!("cannot use `{}` as the store", path.display()))
                .because("`PATH` cannot hold a directory with a colon in its name")
                .hint("name another directory with `-vpython-root`")
                .into(),
        );
    }
    Ok(path)
}

/// Python 3.14 warns of an interpreter whose path is not normalised.
fn normalised(path: PathBuf) -> Result<PathBuf> {
    if path.components().any(|part| part == Component::ParentDir) {
        fs::canonicalize(&path)
    } else {
        Ok(path)
    }
}

/// `vpython-root.UID` in the user's cache directory, or a directory for temporary files where there
/// is none. The user's id is in the name, because `sudo` may keep the caller's `HOME`.
fn default(process: &Process) -> PathBuf {
    let cache = process
        .setting("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    if let Some(cache) = cache.or_else(|| process.home().map(|home| home.join(".cache"))) {
        return cache.join(format!("vpython-root.{}", process.user));
    }
    temporary(process)
}

/// The root in the directory for temporary files.
fn temporary(process: &Process) -> PathBuf {
    temporary_directory(process).join(format!("vpython-root.{}", process.user))
}

/// The directory for temporary files.
pub(super) fn temporary_directory(process: &Process) -> PathBuf {
    let directory = process
        .setting("TMPDIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    directory.unwrap_or_else(|| "/tmp".into())
}

fn create(path: &Path) -> Result<std::fs::Metadata> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent, 0o777)?;
    }
    fs::create_dir_all(path, 0o700)?;
    fs::metadata(path)?.context("it is gone again")
}

fn check(path: &Path, metadata: &std::fs::Metadata, user: u32) -> Result<()> {
    let refuse = |why: String| {
        Failure::new(format!("cannot use `{}` as the store", path.display())).because(why)
    };
    if metadata.is_symlink() && is_trusted(metadata, user) {
        let target = fs::metadata(path)?
            .with_context(|| format!("`{}` is a link to nothing", path.display()))?;
        return check(path, &target, user);
    }
    if !metadata.is_dir() && is_trusted(metadata, user) {
        return Err(refuse("it is not a directory".into()).into());
    }
    if !is_trusted(metadata, user) {
        return Err(refuse(format!(
            "it belongs to user {}, and this is user {user}",
            metadata.uid()
        ))
        .hint(format!(
            "name another directory with `-vpython-root` or `{}`",
            variable::ROOT
        ))
        .into());
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(refuse(format!(
            "others may write to it (mode {:04o})",
            metadata.mode() & 0o7777
        ))
        .hint(format!(
            "`chmod go-w '{}'`, if you trust what is in it",
            path.display()
        ))
        .into());
    }
    Ok(())
}

/// Whether something is the caller's or the superuser's.
fn is_trusted(metadata: &std::fs::Metadata, user: u32) -> bool {
    metadata.uid() == user || metadata.uid() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(environment: &[(&str, &str)]) -> Process {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Process {
            environment,
            user: 1000,
            ..Process::default()
        }
    }

    #[test]
    fn the_default_is_in_the_cache_directory_of_the_user() {
        let rows: [(&[(&str, &str)], &str); 5] = [
            (&[("HOME", "/home/me")], "/home/me/.cache/vpython-root.1000"),
            (
                &[("HOME", "/home/me"), ("XDG_CACHE_HOME", "/cache")],
                "/cache/vpython-root.1000",
            ),
            (
                &[("HOME", "/home/me"), ("XDG_CACHE_HOME", "cache")],
                "/home/me/.cache/vpython-root.1000",
            ),
            (&[("HOME", "")], "/tmp/vpython-root.1000"),
            (&[("TMPDIR", "/scratch")], "/scratch/vpython-root.1000"),
        ];
        for (environment, expected) in rows {
            assert_eq!(
                default(&process(environment)),
                Path::new(expected),
                "{environment:?}"
            );
        }
    }

    #[test]
    fn a_root_that_others_own_or_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let metadata = |mode| {
            fs::set_mode(directory.path(), mode).unwrap();
            fs::metadata(directory.path()).unwrap().unwrap()
        };
        let me = metadata(0o700).uid();
        assert!(check(directory.path(), &metadata(0o755), me).is_ok());
        let path = directory.path().display();
        let error = check(directory.path(), &metadata(0o775), me).unwrap_err();
        let text = format!(
            "vpython: error: cannot use `{path}` as the store\n  caused by: others may write to it (mode 0775)\n  \
             hint: `chmod go-w '{path}'`, if you trust what is in it\n"
        );
        assert_eq!(crate::report::render(&error), text);
        if me == 0 {
            assert!(
                check(directory.path(), &metadata(0o700), 1000).is_ok(),
                "the superuser's is trusted"
            );
        } else {
            assert!(
                check(directory.path(), &metadata(0o700), me + 1).is_err(),
                "another user's is not"
            );
        }
    }
}
