//! Reading files, with as few questions to the system as will do: each launch reads several.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;

use super::{canonicalize, open, optional, read_link};

/// The whole content of a file of any kind.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(content)
}

/// The whole content of a regular file that is read on the way to `execve`: where it is short, with two system calls.
pub fn read_before_exec(path: &Path) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let beginning = read_beginning(&mut file, path)?;
    let content = read_rest(&mut file, beginning, path)?;
    leave_open(file);
    Ok(content)
}

/// What [`read_beginning`] gave, and the rest of the file. `path` is for the error.
pub fn read_rest(file: &mut File, beginning: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    let mut content = beginning;
    if content.len() == BEGINNING {
        file.read_to_end(&mut content).with_context(|| format!("cannot read `{}`", path.display()))?;
    }
    Ok(content)
}

/// How many bytes [`read_beginning`] reads.
pub const BEGINNING: usize = 8 * 1024;

/// The first [`BEGINNING`] bytes of a regular file that was just opened, or all of it where it is shorter: with one system call,
/// since a short read of a regular file is its end. `path` is for the error.
pub fn read_beginning(file: &mut File, path: &Path) -> Result<Vec<u8>> {
    let mut content = vec![0; BEGINNING];
    let length = loop {
        match file.read(&mut content) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => break result.with_context(|| format!("cannot read `{}`", path.display()))?,
        }
    };
    content.truncate(length);
    Ok(content)
}

/// The real path of an open file, with one question to the system where `/proc` is mounted. `path` is how it was opened.
pub fn real_path(file: &File, path: &Path) -> Result<PathBuf> {
    match read_link(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd()))) {
        Ok(real) if real.is_absolute() => Ok(real),
        _ => canonicalize(path),
    }
}

/// Opens a file for reading, with what the system says of it; none where there is none. A pipe in its place is not waited for.
pub fn open_without_waiting(path: &Path) -> Result<Option<(File, std::fs::Metadata)>> {
    let opened = optional(File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path));
    let Some(file) = opened.with_context(|| format!("cannot open `{}`", path.display()))? else { return Ok(None) };
    let metadata = file.metadata().with_context(|| format!("cannot look at `{}`", path.display()))?;
    Ok(Some((file, metadata)))
}

/// Leaves an open file to `execve`, which closes it, and spares a call.
pub fn leave_open(file: File) {
    let _ = file.into_raw_fd();
}
