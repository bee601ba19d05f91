//! Files of our own making, which somebody else may have put something in the place of: no link is
//! followed, no pipe waited for, and no device read.

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

/// Opens a file of our own making: no link is followed, and a pipe that was put in its place is not
/// waited for.
fn open_own(path: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Whether opening failed because something else than a file stands there: a link, or a device or
/// socket that nobody can open.
fn is_something_else(error: &std::io::Error) -> bool {
    let codes = [Errno::ELOOP, Errno::ENXIO, Errno::ENODEV];
    codes
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

/// Opens a file of our own making for reading; none where there is none, or a link or device that
/// somebody has put there.
pub fn open_optional(path: &Path) -> Result<Option<File>> {
    let opened = match open_own(path) {
        Err(error) if is_something_else(&error) => Ok(None),
        opened => optional(opened),
    };
    opened.with_context(|| format!("cannot open `{}`", path.display()))
}

/// The same, but what the process becomes has the file open too.
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

/// Opens a file for reading and writing, and makes it, readable by its owner alone, where it is
/// missing. Its content stays. What is no file is removed first: nobody but us puts something at
/// such a path, and all who come later would stumble over it.
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
        // A file by now, or one that cannot be opened.
        Err(error) if !is_odd(path)? => Err(error),
        _ => {
            remove_odd(path)?;
            open()
        }
    }
}

/// Whether something that is no file stands at `path`.
fn is_odd(path: &Path) -> Result<bool> {
    Ok(link_metadata(path)?.is_some_and(|metadata| !metadata.is_file()))
}

/// Removes what is no file. Of all who find it one does so at a time, lest a later one remove the
/// file that an earlier one has made.
fn remove_odd(path: &Path) -> Result<()> {
    let directory = open(path.parent().unwrap_or(Path::new("/")))?;
    lock_exclusive(&directory);
    if is_odd(path)? {
        tracing::debug!("`{}` is not a file, and is removed", path.display());
        remove_any(path)?;
    }
    Ok(())
}

/// The content of an open file of our own making.
///
/// # Errors
/// It cannot be read, or is no file and more than short: a device may have no end.
fn read_open(file: &mut File, path: &Path) -> Result<Vec<u8>> {
    let beginning = read_beginning(file, path)?;
    read_rest(file, beginning, path, limits::STATE)
}

/// The content of a file of our own making; none where there is none.
fn look_for_content(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(mut file) = open_optional(path)? else {
        return Ok(None);
    };
    read_open(&mut file, path).map(Some)
}

/// The value in a JSON text that is sealed, or never was.
fn parse<T: DeserializeOwned>(mut content: Vec<u8>) -> Result<T> {
    match unseal(&mut content) {
        Content::Sealed(json) | Content::Unsealed(json) => Ok(serde_json::from_slice(json)?),
        Content::Damaged => bail!("its checksum is another"),
    }
}

/// Reads a JSON file of our own making that has to be there.
///
/// # Errors
/// It is not there, or not what was written.
pub fn read_own_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let content =
        look_for_content(path)?.with_context(|| format!("there is no `{}`", path.display()))?;
    parse(content).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Reads a JSON file of our own making, which can be made again. Whatever is wrong with it, there
/// is none.
#[must_use]
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    parse(look_for_content(path).ok()??).ok()
}

/// Reads a JSON file of our own making; none where there is none, or it is not what it should be.
///
/// # Errors
/// Nobody can tell what is there, for a reason that lies in the system.
pub fn look_for_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match look_for_content(path) {
        Err(error) if is_io_failure(&error) => Err(error),
        content => Ok(content
            .ok()
            .flatten()
            .and_then(|content| parse(content).ok())),
    }
}

/// Reads a memo, which decides what is not looked at again: one without a right checksum is none.
#[must_use]
pub fn read_memo<T: DeserializeOwned>(path: &Path) -> Option<T> {
    parse_memo(look_for_content(path).ok()??)
}

/// The same on the way to `execve`.
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

/// Writes a memo: a value with members, as JSON with a checksum. A directory in its place goes,
/// since nothing can be renamed onto it.
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
    fn what_is_no_file_gives_way_to_one() {
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
    fn a_memo_has_its_checksum_and_takes_the_place_of_a_directory() {
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
