//! Files of our own making, which somebody else may have put something in the place of: no link is followed, and no pipe waited for.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::read::{read_beginning, read_rest, read_to_the_end};
use super::{is_systems_fault, optional, write_atomically};

/// Opens a file of our own making: no link is followed, and a pipe that was put in its place is not waited for.
fn open_own(path: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    File::options().read(true).custom_flags(flags.bits()).open(path)
}

/// Opens a file of our own making for reading; none where there is none, or a link that somebody has put there.
pub fn open_optional(path: &Path) -> Result<Option<File>> {
    let is_link = |error: &std::io::Error| error.raw_os_error() == Some(Errno::ELOOP as i32);
    let opened = match open_own(path) {
        Err(error) if is_link(&error) => Ok(None),
        opened => optional(opened),
    };
    opened.with_context(|| format!("cannot open `{}`", path.display()))
}

/// The same, but what the process becomes has the file open too.
pub fn open_across_exec(path: &Path) -> Result<Option<File>> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    match nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
        Err(errno) => Err(std::io::Error::from(errno)).with_context(|| format!("cannot open `{}`", path.display())),
    }
}

/// Opens a file for reading and writing, and makes it, readable by its owner alone, where it is missing. Its content stays, and a
/// link in its place is refused.
pub fn open_or_create(path: &Path) -> Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
        .with_context(|| format!("cannot open `{}`", path.display()))
}

/// The content of a file of our own making; none where there is none.
fn read_own(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(mut file) = open_optional(path)? else { return Ok(None) };
    let beginning = read_beginning(&mut file, path)?;
    read_rest(&mut file, beginning, path).map(Some)
}

/// Reads a JSON file of our own making, which can be made again. Whatever is wrong with it, there is none.
#[must_use]
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_own(path).ok()??).ok()
}

/// The same for a launch memo, which is read on the way to `execve`.
#[must_use]
pub fn read_json_before_exec<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let file = open_optional(path).ok()??;
    serde_json::from_slice(&read_to_the_end(file, path).ok()?).ok()
}

/// Reads a JSON file of our own making; none where there is none, or it is not what it should be.
///
/// # Errors
/// Nobody can tell what is there, for a reason that lies in the system.
pub fn look_for_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match read_own(path) {
        Err(error) if is_systems_fault(&error) => Err(error),
        content => Ok(content.ok().flatten().and_then(|content| serde_json::from_slice(&content).ok())),
    }
}

/// Writes a value as JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    write_atomically(path, &serde_json::to_vec(value)?)
}
