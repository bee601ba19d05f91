//! The location of the store, and the check that it is safe to use: it must belong to the caller or
//! the superuser, and no other user may be able to write to it.

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

/// The bits that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// Returns the root for a command line. It creates a missing root and checks an existing one.
pub(super) fn find(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let path = configured_path(invocation, process)?;
    let Some(metadata) = root_metadata(&path, invocation)? else {
        return create_root(path, invocation, process);
    };
    check(&path, &metadata, process.user)?;
    normalized(path)
}

/// Returns the metadata of the root. The default root is absent if the home directory cannot be
/// entered.
fn root_metadata(path: &Path, invocation: &Invocation) -> Result<Option<std::fs::Metadata>> {
    let looked = fs::link_metadata(path);
    if invocation.root.is_some() {
        looked
    } else {
        Ok(fs::ok_if_hidden(looked)?.flatten())
    }
}

/// Returns the existing directory in which the first missing one on the way to the root would be
/// created, if the caller can write to it.
fn writable_above(path: &Path) -> Option<&Path> {
    let above = path.ancestors().skip(1).find(|above| fs::exists(above))?;
    is_writable(above).then_some(above)
}

/// Returns whether the caller can create files in a directory.
pub(super) fn is_writable(directory: &Path) -> bool {
    let access = AccessFlags::W_OK | AccessFlags::X_OK;
    faccessat(AT_FDCWD, directory, access, AtFlags::AT_EACCESS).is_ok()
}

/// Creates the root. If none was specified and the user's cache directory is not writable, it is
/// created in the directory for temporary files.
fn create_root(path: PathBuf, invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    // Check before creating anything: the superuser can write to every home directory, and a later
    // error would leave the first created directory there.
    if let Some(above) = writable_above(&path) {
        path_trust::check_above(above, &path, process.user)?;
    }
    // If the default root cannot be created, fall back to the directory for temporary files.
    let made =
        create(&path).with_context(|| format!("cannot create the store `{}`", path.display()));
    let (path, metadata) = match made {
        Ok(metadata) => (path, metadata),
        Err(error) if invocation.root.is_none() && path != temporary_root(process) => {
            let instead = temporary_root(process);
            let metadata = fs::link_metadata(&instead).ok().flatten();
            let is_new = metadata.is_none();
            let Some(metadata) = metadata.or_else(|| create(&instead).ok()) else {
                return Err(error);
            };
            if is_new {
                report::warning(&format!(
                    "using `{}` as the store: {}",
                    instead.display(),
                    report::one_line(&error)
                ));
            }
            (instead, metadata)
        }
        Err(error) => return Err(error),
    };
    check(&path, &metadata, process.user)?;
    normalized(path)
}

/// Returns the root for a command line. It checks an existing root, and creates none.
pub(super) fn look(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let path = configured_path(invocation, process)?;
    let (path, metadata) = match root_metadata(&path, invocation)? {
        None if invocation.root.is_none() && writable_above(&path).is_none() => {
            let instead = temporary_root(process);
            let metadata = fs::link_metadata(&instead)?;
            (instead, metadata)
        }
        metadata => (path, metadata),
    };
    let Some(metadata) = metadata else {
        return Ok(path);
    };
    check(&path, &metadata, process.user)?;
    normalized(path)
}

/// Returns the configured path of the root.
pub(super) fn configured_path(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let path = invocation.root.clone().unwrap_or_else(|| default(process));
    if !path.is_absolute() {
        return Err(Failure::new(format!("cannot resolve `{}`", path.display()))
            .because("the current directory is gone")
            .hint("name the root with `-vpython-root`, as an absolute path")
            .into());
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

/// Resolves `..`: Python 3.14 warns about an interpreter whose path is not normalized.
fn normalized(path: PathBuf) -> Result<PathBuf> {
    if path.components().any(|part| part == Component::ParentDir) {
        fs::canonicalize(&path)
    } else {
        Ok(path)
    }
}

/// Returns `vpython-root.UID` in the user's cache directory, or in the directory for temporary
/// files if there is none. The user ID is in the name because `sudo` may keep the caller's `HOME`.
fn default(process: &Process) -> PathBuf {
    let cache = process
        .setting("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    if let Some(cache) = cache.or_else(|| process.home().map(|home| home.join(".cache"))) {
        return cache.join(format!("vpython-root.{}", process.user));
    }
    temporary_root(process)
}

/// Returns the root in the directory for temporary files.
fn temporary_root(process: &Process) -> PathBuf {
    temporary_directory(process).join(format!("vpython-root.{}", process.user))
}

/// Returns the directory for temporary files.
pub(super) fn temporary_directory(process: &Process) -> PathBuf {
    let directory = process
        .setting("TMPDIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    directory.unwrap_or_else(|| "/tmp".into())
}

/// Returns the configured path of a root that cannot be created, after checking that no other user
/// can create it either, and put memos there.
pub(super) fn uncreated(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let path = configured_path(invocation, process)?;
    check_existing_above(&path, process.user)?;
    normalized(path)
}

/// Checks the directories that exist above a root that does not.
fn check_existing_above(path: &Path, user: u32) -> Result<()> {
    let above = path.ancestors().skip(1).find(|above| fs::exists(above));
    above.map_or(Ok(()), |above| path_trust::check_above(above, path, user))
}

/// Creates the root if it does not exist.
pub(super) fn create_missing(path: &Path, user: u32) -> Result<()> {
    if fs::exists(path) {
        return Ok(());
    }
    check_existing_above(path, user)?;
    create(path)
        .with_context(|| format!("cannot create the store `{}`", path.display()))
        .map(drop)
}

fn create(path: &Path) -> Result<std::fs::Metadata> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent, 0o777)?;
    }
    fs::create_dir_all(path, 0o700)?;
    fs::metadata(path)?.context("it was removed meanwhile")
}

fn check(path: &Path, metadata: &std::fs::Metadata, user: u32) -> Result<()> {
    let refuse = |why: String| {
        Failure::new(format!("cannot use `{}` as the store", path.display())).because(why)
    };
    // A link counts if it is trusted; then its target is checked.
    if metadata.is_symlink() && is_trusted(metadata, user) {
        let target = fs::metadata(path)?
            .with_context(|| format!("`{}` is a dangling link", path.display()))?;
        return check(path, &target, user);
    }
    if !metadata.is_dir() && is_trusted(metadata, user) {
        return Err(refuse("it is not a directory".into()).into());
    }
    if !is_trusted(metadata, user) {
        return Err(refuse(format!(
            "it belongs to user {}, but vpython runs as user {user}",
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
            "it is writable by other users (mode {:04o})",
            metadata.mode() & 0o7777
        ))
        .hint(format!(
            "run `chmod go-w '{}'` if you trust its contents",
            path.display()
        ))
        .into());
    }
    Ok(())
}

/// Returns whether something belongs to the caller or the superuser.
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
            "vpython: error: cannot use `{path}` as the store\n  caused by: it is writable by other users (mode 0775)\n  \
             hint: run `chmod go-w '{path}'` if you trust its contents\n"
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
