//! `std::fs` with the path in each error, stamps and digests, and publishing by rename. No code
//! outside this module calls `std::fs`.
//!
//! Each function behaves like its namesake in `std::fs`. Its error says which operation failed for
//! which path, with the system's error as the cause.
#![allow(clippy::disallowed_methods, reason = "this module wraps them")]

mod ancestors;
mod change;
mod digest;
mod fault;
mod hashing;
pub mod limits;
mod lock;
pub mod path_text;
mod plain;
mod read;
mod remove;
mod replace;
mod seal;
mod staged_dir;
mod stamp;
mod state_file;
mod sync;
mod trust;
mod umask;

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use ancestors::Ancestors;
pub use digest::{Digest, LongDigest};
pub use fault::{
    is_already_exists, is_immovable, is_io_failure, is_not_empty, is_not_found, is_unwritable,
    ok_if_hidden,
};
pub use hashing::Hashing;
pub use lock::{Attempt, lock_exclusive, lock_shared, try_lock_exclusive, try_lock_shared};
pub use path_text::TextPath;
pub use plain::plain_place;
pub use read::{
    leave_open, open_if_there, open_regular, open_without_waiting, read, read_before_exec,
    read_beginning, read_named_text, read_rest, read_text, real_path,
};
pub use remove::{Marks, remove_in_place};
pub use replace::{UNFINISHED, replace, replace_by, replace_link, rewrite, write_atomically};
pub use seal::seal;
pub use staged_dir::StagedDir;
pub use stamp::{Stamp, Stamped, Stamps};
pub use state_file::{
    look_for_json, open_across_exec, open_optional, open_or_create, read_json, read_memo,
    read_memo_before_exec, read_own_json, write_memo,
};
pub use sync::{sync, sync_file_system};
pub use trust::{
    Trust, create_named, is_closed_to_others, is_open_to_all, may_be_renamed_by_others,
};
pub use umask::PlainUmask;

/// Returns the metadata of the file at `path`, following links; none if it does not exist.
pub fn metadata(path: &Path) -> Result<Option<std::fs::Metadata>> {
    optional(std::fs::metadata(path))
        .with_context(|| format!("cannot inspect `{}`", path.display()))
}

/// Returns the metadata of the file at `path` without following a link; none if it does not exist.
pub fn link_metadata(path: &Path) -> Result<Option<std::fs::Metadata>> {
    optional(std::fs::symlink_metadata(path))
        .with_context(|| format!("cannot inspect `{}`", path.display()))
}

/// Returns whether a regular file is at `path`, following links. On any error the answer is no.
#[must_use]
pub fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Like [`is_file`], for callers that must not mistake an I/O failure for absence: such a failure
/// is an error.
pub fn look_for_file(path: &Path) -> Result<bool> {
    Ok(ok_if_hidden(metadata(path))?
        .flatten()
        .is_some_and(|metadata| metadata.is_file()))
}

/// Like [`exists`], for callers that must not mistake an I/O failure for absence: such a failure is
/// an error.
pub fn look_for(path: &Path) -> Result<bool> {
    Ok(ok_if_hidden(metadata(path))?.flatten().is_some())
}

/// Returns whether anything is at `path`, following links. On any error the answer is no.
#[must_use]
pub fn exists(path: &Path) -> bool {
    std::fs::metadata(path).is_ok()
}

/// Returns the absolute path without links and dots.
pub fn canonicalize(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).with_context(|| format!("cannot resolve `{}`", path.display()))
}

/// Opens a file for reading.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot open `{}`", path.display()))
}

/// Opens `/dev/null` for reading and writing, close-on-exec.
pub fn open_device_null() -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .context("cannot open `/dev/null`")
}

/// Creates a file, or truncates an existing one.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot create `{}`", path.display()))
}

/// Creates a new file with exactly the permission bits `mode`, whatever the umask. It is an error
/// if the file exists.
pub fn create_new(path: &Path, mode: u32) -> Result<File> {
    let create = || {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok::<_, std::io::Error>(file)
    };
    create().with_context(|| format!("cannot create `{}`", path.display()))
}

/// Creates a file without a name in the directory for temporary files, for reading and writing. The
/// system removes it when the last handle is closed, also if the process becomes another program.
pub fn create_unnamed() -> Result<File> {
    tempfile::tempfile().context("cannot create a temporary file")
}

/// Creates a directory for temporary files, which only this user can read. It is removed when the
/// value is dropped.
pub fn create_temporary_dir() -> Result<tempfile::TempDir> {
    tempfile::tempdir().context("cannot create a temporary directory")
}

/// Creates a new file with this content and exactly the permission bits `mode`.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let mut file = create_new(path, mode)?;
    file.write_all(content)
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Returns the names in a directory, sorted; none if the directory does not exist.
pub fn list(path: &Path) -> Result<Option<Vec<std::ffi::OsString>>> {
    let names = || {
        let mut names = std::fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<std::io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    };
    optional(names()).with_context(|| format!("cannot list `{}`", path.display()))
}

/// Creates a directory and its missing parents, with the permission bits `mode` less the umask.
pub fn create_dir_all(path: &Path, mode: u32) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .with_context(|| format!("cannot create directory `{}`", path.display()))
}

/// Creates a directory in an existing one, with the permission bits `mode` less the umask. It
/// succeeds if the directory exists.
pub fn create_dir(path: &Path, mode: u32) -> Result<()> {
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        result => result.with_context(|| format!("cannot create directory `{}`", path.display())),
    }
}

/// Creates a symbolic link at `path` with this target. It succeeds if the same link exists: a
/// network file system that lost a reply reports this error when the call is repeated.
pub fn symlink(target: &Path, path: &Path) -> Result<()> {
    match std::os::unix::fs::symlink(target, path) {
        Err(_) if std::fs::read_link(path).is_ok_and(|said| said == target) => Ok(()),
        result => result.with_context(|| format!("cannot create link `{}`", path.display())),
    }
}

/// Returns the target of a symbolic link.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    std::fs::read_link(path).with_context(|| format!("cannot read the link `{}`", path.display()))
}

/// Creates a hard link. It returns the bare error, whose kind decides what the caller tries
/// instead.
pub fn hard_link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to)
}

/// Copies a file's bytes and permission bits to a new file. It never writes to an existing file at
/// `to`, which may be the same file.
pub fn copy_new(from: &Path, to: &Path) -> Result<()> {
    let mut content = open(from)?;
    let copy = |content: &mut File| {
        let metadata = content.metadata()?;
        let mut copied = create_new(to, mode(&metadata))?;
        std::io::copy(content, &mut copied).inspect_err(|_| drop(std::fs::remove_file(to)))?;
        Ok::<_, anyhow::Error>(())
    };
    copy(&mut content)
        .with_context(|| format!("cannot copy `{}` to `{}`", from.display(), to.display()))
}

/// Copies a file's bytes and permission bits, and overwrites an existing file at `to`.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy `{}` to `{}`", from.display(), to.display()))
}

/// Sets exactly these permission bits.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the permissions of `{}`", path.display()))
}

/// Sets the modification time of a file or directory.
pub fn set_modified(path: &Path, time: std::time::SystemTime) -> Result<()> {
    open(path)?
        .set_modified(time)
        .with_context(|| format!("cannot set the time of `{}`", path.display()))
}

/// Renames `from` to `to` atomically.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)
        .with_context(|| format!("cannot rename `{}` to `{}`", from.display(), to.display()))
}

/// Removes a directory tree, read-only directories included. It succeeds if the directory does not
/// exist.
pub fn remove_dir_all(path: &Path) -> Result<()> {
    let remove = || optional(std::fs::remove_dir_all(path));
    let removed = match remove() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let _ = remove::make_removable(path);
            remove()
        }
        removed => removed,
    };
    removed
        .map(drop)
        .with_context(|| format!("cannot remove `{}`", path.display()))
}

/// Returns the permission bits.
#[must_use]
pub fn mode(metadata: &std::fs::Metadata) -> u32 {
    metadata.mode() & 0o7777
}

/// Removes a file. It succeeds if the file does not exist.
pub fn remove_file(path: &Path) -> Result<()> {
    optional(std::fs::remove_file(path))
        .map(drop)
        .with_context(|| format!("cannot remove `{}`", path.display()))
}

/// Removes a file, a link or a directory tree. It succeeds if nothing is there.
pub fn remove_any(path: &Path) -> Result<()> {
    let is_directory = link_metadata(path)?.is_some_and(|metadata| metadata.is_dir());
    if is_directory {
        remove_dir_all(path)
    } else {
        remove_file(path)
    }
}

/// Returns a file's device and inode numbers.
#[must_use]
pub fn inode(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Returns whether two paths are names of the same file, without following links.
#[must_use]
pub fn are_one(one: &Path, other: &Path) -> bool {
    let inode = |path| {
        std::fs::symlink_metadata(path)
            .ok()
            .map(|metadata| inode(&metadata))
    };
    inode(one).is_some_and(|found| inode(other) == Some(found))
}

/// Returns whether an open file is still the one at `path`.
pub fn is_at(file: &File, path: &Path) -> Result<bool> {
    let ours = file
        .metadata()
        .with_context(|| format!("cannot inspect `{}`", path.display()))?;
    Ok(metadata(path)?.is_some_and(|now| inode(&now) == inode(&ours)))
}

/// Returns the disk space that a file occupies, in bytes.
#[must_use]
pub fn space(metadata: &std::fs::Metadata) -> u64 {
    metadata.blocks() * 512
}

/// Turns the error that a file does not exist into none.
fn optional<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_no_longer_at_a_name_that_another_has_got() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_atomically(&path, b"x").unwrap();
        let file = open(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        write_atomically(&path, b"x").unwrap();
        assert!(!is_at(&file, &path).unwrap(), "another file has the name");
        remove_file(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap(), "no file has the name");
    }

    #[test]
    fn a_new_file_has_its_mode_whatever_the_umask() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_new(&path, b"x", 0o777).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o777);
        assert!(write_new(&path, b"y", 0o444).is_err(), "it exists already");
    }

    #[test]
    fn removing_what_does_not_exist_succeeds() {
        let path = tempfile::tempdir().unwrap().path().join("gone");
        remove_dir_all(&path).unwrap();
        remove_file(&path).unwrap();
        remove_any(&path).unwrap();
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read(Path::new("/nowhere/file")).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot open `/nowhere/file`: No such file or directory (os error 2)"
        );
    }
}
