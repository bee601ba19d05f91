//! Reads the program on standard input, and leaves it there for python.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::dup2_stdin;

use crate::report::Failure;

/// The maximum size of a program on standard input.
const LIMIT: u64 = 64 << 20;
const CANNOT_READ: &str = "cannot read the program on standard input";

/// Returns the bytes that python would run: for a file, those from its current position on, which
/// does not change; for a pipe or socket, all of them.
///
/// Data read from a pipe cannot be put back. It is kept in a file that replaces the pipe: in memory,
/// or, if the system has no such files, a nameless one in the directory `temporary`. Python, which
/// reads to the end before it runs anything, gets the same bytes.
pub(super) fn read(temporary: &Path) -> Result<Option<Vec<u8>>> {
    let Ok(input) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return Ok(None);
    };
    let mut input = File::from(input);
    let Ok(kind) = input.metadata().map(|metadata| metadata.file_type()) else {
        return Ok(None);
    };
    if kind.is_file() {
        return match read_file(&mut input) {
            Ok(program) => refuse_too_large(&program).map(|()| Some(program)),
            // Python reports the error for an unreadable file.
            Err(_) => Ok(None),
        };
    }
    if !kind.is_fifo() && !kind.is_socket() {
        return Ok(None);
    }
    let mut program = Vec::new();
    match read_pipe(&input, &mut program) {
        // The pipe may be open for writing only. Nothing was read, and python reports the error.
        Err(_) if program.is_empty() => return Ok(None),
        read => read.context(CANNOT_READ)?,
    }
    refuse_too_large(&program)?;
    keep(&program, temporary).context("cannot pass the program on standard input to python")?;
    Ok(Some(program))
}

fn refuse_too_large(program: &[u8]) -> Result<()> {
    if program.len() as u64 <= LIMIT {
        return Ok(());
    }
    let why = format!("it is larger than {} MiB", LIMIT >> 20);
    Err(Failure::new(CANNOT_READ)
        .because(why)
        .hint("write the program to a file, and run that")
        .into())
}

/// Reads from the current position, which does not change, to the end or just past the limit.
fn read_file(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut offset = file.stream_position()?;
    let mut program = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read_at(&mut chunk, offset) {
            Ok(0) => return Ok(program),
            Ok(_) if program.len() as u64 > LIMIT => return Ok(program),
            Ok(count) => {
                program.extend_from_slice(&chunk[..count]);
                offset += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads to the end, or just past the limit.
fn read_pipe(pipe: &File, program: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let rest = (LIMIT + 1).saturating_sub(program.len() as u64);
        match pipe.take(rest).read_to_end(program) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(
                    &mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)],
                    PollTimeout::NONE,
                )?;
            }
            read => return read.map(drop),
        }
    }
}

/// Replaces standard input by a file with these bytes.
fn keep(program: &[u8], temporary: &Path) -> Result<()> {
    let mut memory = match memfd_create("vpython: standard input", MFdFlags::MFD_CLOEXEC) {
        Ok(memory) => File::from(memory),
        // An old kernel, or a container that refuses the call.
        Err(Errno::ENOSYS | Errno::EPERM) => tempfile::tempfile_in(temporary)?,
        Err(errno) => return Err(std::io::Error::from(errno).into()),
    };
    memory.write_all(program)?;
    memory.rewind()?;
    dup2_stdin(&memory).map_err(std::io::Error::from)?;
    Ok(())
}
