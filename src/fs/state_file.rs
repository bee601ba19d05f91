//! State files that vpython itself writes. Another user may have replaced one by something else:
//! these functions follow no link, wait for no pipe and read no device.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::read::{leave_open, read_beginning, read_rest};
use super::seal::{Content, seal, unseal};
use super::{
    is_io_failure, limits, link_metadata, lock_exclusive, open, optional, remove_any,
    remove_dir_all, write_atomically,
};

/// Opens a state file. It does not follow a link, and does not wait for a pipe in its place.
fn open_own(path: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Returns whether opening failed because something other than a file is there: a link, or a device
/// or socket that cannot be opened.
fn is_something_else(error: &std::io::Error) -> bool {
    let codes = [Errno::ELOOP, Errno::ENXIO, Errno::ENODEV];
    codes
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

/// Opens a state file for reading; none if it does not exist, or if a link or device is in its
/// place.
pub fn open_optional(path: &Path) -> Result<Option<File>> {
    let opened = match open_own(path) {
        Err(error) if is_something_else(&error) => Ok(None),
        opened => optional(opened),
    };
    opened.with_context(|| format!("cannot open `{}`", path.display()))
}

/// Like [`open_optional`], but the file stays open across `execve`.
pub fn open_across_exec(path: &Path) -> Result<Option<File>> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    match nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENXIO | Errno::ENODEV) => {
            Ok(None)
        }
        Err(errno) => Err(std::io::Error::from(errno))
            .with_context(|| format!("cannot open `{}`", path.display())),
    }
}

/// Opens a state file for reading and writing, and creates it, accessible only to its owner, if it
/// is missing. Its content stays. Anything other than a file is removed first: only vpython uses
/// such a path, and every later process would fail on it.
pub fn open_or_create(path: &Path) -> Result<File> {
    let open = || {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags.bits());
        options
            .open(path)
            .with_context(|| format!("cannot open `{}`", path.display()))
    };
    match open() {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Ok(file),
        // It is a file by now, or cannot be opened.
        Err(error) if !is_odd(path)? => Err(error),
        _ => {
            remove_odd(path)?;
            open()
        }
    }
}

/// Returns whether something other than a file is at `path`.
fn is_odd(path: &Path) -> Result<bool> {
    Ok(link_metadata(path)?.is_some_and(|metadata| !metadata.is_file()))
}

/// Removes anything other than a file. Processes take turns, so that a later one does not remove
/// the file that an earlier one has created.
fn remove_odd(path: &Path) -> Result<()> {
    let directory = open(path.parent().unwrap_or(Path::new("/")))?;
    lock_exclusive(&directory);
    if is_odd(path)? {
        tracing::debug!("`{}` is not a file, and is removed", path.display());
        remove_any(path)?;
    }
    Ok(())
}

/// Reads an open state file.
///
/// # Errors
/// It cannot be read, or it is longer than a short file and not regular: a device may have no end.
fn read_open(file: &mut File, path: &Path) -> Result<Vec<u8>> {
    let beginning = read_beginning(file, path)?;
    read_rest(file, beginning, path, limits::STATE)
}

/// Reads a state file; none if it does not exist.
fn look_for_content(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(mut file) = open_optional(path)? else {
        return Ok(None);
    };
    read_open(&mut file, path).map(Some)
}

/// Parses a JSON text with or without a checksum.
fn parse<T: DeserializeOwned>(mut content: Vec<u8>) -> Result<T> {
    match unseal(&mut content) {
        Content::Sealed(json) | Content::Unsealed(json) => Ok(serde_json::from_slice(json)?),
        Content::Damaged => bail!("its checksum does not match"),
    }
}

/// Reads a JSON state file that must exist.
///
/// # Errors
/// It does not exist, or is not what was written.
pub fn read_own_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let content =
        look_for_content(path)?.with_context(|| format!("`{}` does not exist", path.display()))?;
    parse(content).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Reads a JSON state file that can be recreated; none whatever is wrong with it.
#[must_use]
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    parse(look_for_content(path).ok()??).ok()
}

/// Reads a JSON state file; none if it does not exist or is invalid.
///
/// # Errors
/// An I/O failure prevents finding out whether it exists.
pub fn look_for_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match look_for_content(path) {
        Err(error) if is_io_failure(&error) => Err(error),
        content => Ok(content
            .ok()
            .flatten()
            .and_then(|content| parse(content).ok())),
    }
}

/// Reads a memo, which decides what a launch does not check again; none without a correct checksum.
#[must_use]
pub fn read_memo<T: DeserializeOwned>(path: &Path) -> Option<T> {
    parse_memo(look_for_content(path).ok()??)
}

/// Like [`read_memo`], shortly before `execve`.
#[must_use]
pub fn read_memo_before_exec<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut file = open_optional(path).ok()??;
    let content = read_open(&mut file, path).ok()?;
    leave_open(file);
    parse_memo(content)
}

fn parse_memo<T: DeserializeOwned>(mut content: Vec<u8>) -> Option<T> {
    match unseal(&mut content) {
        Content::Sealed(json) => serde_json::from_slice(json).ok(),
        Content::Unsealed(_) | Content::Damaged => None,
    }
}

/// Writes a memo: a JSON object with members, with a checksum. A directory in its place is removed
/// first, since a file cannot be renamed onto it.
pub fn write_memo<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let content = seal(&serde_json::to_vec(value)?);
    match write_atomically(path, &content) {
        Err(_) if link_metadata(path)?.is_some_and(|metadata| metadata.is_dir()) => {
            remove_dir_all(path)?;
            write_atomically(path, &content)
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn anything_other_than_a_file_is_replaced_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.lock");
        let puts: [&dyn Fn(); 4] = [
            &|| fs::symlink(Path::new("/nowhere/x"), &path).unwrap(),
            &|| fs::create_dir_all(&path.join("below"), 0o755).unwrap(),
            &|| nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            &|| drop(std::os::unix::net::UnixListener::bind(&path).unwrap()),
        ];
        for put in puts {
            put();
            assert_eq!(read_memo::<Vec<u8>>(&path), None);
            let file = open_or_create(&path).unwrap();
            assert!(file.metadata().unwrap().is_file() && fs::is_at(&file, &path).unwrap());
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_memo_has_a_checksum_and_replaces_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memo.json");
        fs::create_dir_all(&path.join("below"), 0o755).unwrap();
        let value = std::collections::BTreeMap::from([("key".to_owned(), 1)]);
        write_memo(&path, &value).unwrap();
        assert_eq!(
            (read_memo(&path), read_memo_before_exec(&path)),
            (Some(value.clone()), Some(value))
        );
        fs::write_atomically(&path, b"{\"key\":1}").unwrap();
        assert_eq!(
            read_memo::<std::collections::BTreeMap<String, u32>>(&path),
            None
        );
        assert_eq!(
            read_own_json::<std::collections::BTreeMap<String, u32>>(&path)
                .unwrap()
                .len(),
            1
        );
    }
}
