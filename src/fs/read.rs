//! Reading files: with as few system calls as possible, since each launch reads several; and, for
//! files from outside, with a size limit and without blocking.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::limits::Limit;
use super::{canonicalize, open, optional, read_link};
use crate::report::Failure;

/// Reads a file of any kind as a whole. The caller trusts that it fits into memory.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?
        .read_to_end(&mut content)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(content)
}

/// Reads a regular file from outside, whose size and kind are unknown, as a whole.
///
/// # Errors
/// It is not a regular file, it exceeds its limit, or it cannot be read.
pub fn read_text(path: &Path, limit: Limit) -> Result<Vec<u8>> {
    read_to_limit(open_regular(path)?, path, limit)
}

/// Like [`read_text`], for a file named on the command line. A file that the process inherited as
/// an open descriptor, such as `/dev/stdin` or `<(command)` of a shell, is read whatever its kind,
/// and a named pipe until its writers close it.
///
/// # Errors
/// Those of [`read_text`].
pub fn read_named_text(path: &Path, limit: Limit) -> Result<Vec<u8>> {
    let is_inherited = ["/dev/fd", "/dev/stdin", "/proc/self/fd"]
        .iter()
        .any(|given| path.starts_with(given));
    if is_inherited {
        return read_to_limit(open(path)?, path, limit);
    }
    let file = open_without_waiting(path)?;
    let metadata = file
        .metadata()
        .with_context(|| format!("cannot inspect `{}`", path.display()))?;
    if metadata.file_type().is_fifo() {
        return read_pipe(&file, path, limit, PIPE_TIMEOUT);
    }
    check_kind(&metadata, path)?;
    read_to_limit(file, path, limit)
}

/// The number of seconds without data after which reading a named pipe fails.
const PIPE_TIMEOUT: u16 = 30;

fn read_pipe(mut file: &File, path: &Path, limit: Limit, seconds: u16) -> Result<Vec<u8>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let mut content = Vec::new();
    let mut chunk = vec![0; BEGINNING];
    loop {
        // Wait for data or for the writers to close the pipe.
        let timeout = PollTimeout::try_from(u32::from(seconds) * 1000).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(std::io::Error::from(errno)).with_context(cannot),
            Ok(0) => {
                let why = format!(
                    "it is a named pipe, and no process has written to it for {seconds} seconds"
                );
                return Err(Failure::new(cannot()).because(why).into());
            }
            Ok(_) => {}
        }
        match file.read(&mut chunk) {
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            read => match read.with_context(cannot)? {
                0 => return Ok(content),
                length => content.extend_from_slice(&chunk[..length]),
            },
        }
        if content.len() as u64 > limit.bytes {
            return Err(limit.refusal(path).into());
        }
    }
}

/// Opens a regular file. If it is a named pipe instead, the call does not wait for a writer.
///
/// # Errors
/// It is not a regular file.
pub fn open_regular(path: &Path) -> Result<File> {
    let file = open_without_waiting(path)?;
    check_kind(
        &file
            .metadata()
            .with_context(|| format!("cannot inspect `{}`", path.display()))?,
        path,
    )?;
    Ok(file)
}

/// Opens a file that is expected to be regular. If it is a named pipe, neither this call nor a read
/// of the file blocks.
pub fn open_without_waiting(path: &Path) -> Result<File> {
    try_open(path).with_context(|| format!("cannot open `{}`", path.display()))
}

/// Like [`open_without_waiting`], and also returns the file's metadata; none if it does not exist.
pub fn open_if_there(path: &Path) -> Result<Option<(File, std::fs::Metadata)>> {
    let opened =
        optional(try_open(path)).with_context(|| format!("cannot open `{}`", path.display()));
    let Some(file) = opened? else { return Ok(None) };
    let metadata = file
        .metadata()
        .with_context(|| format!("cannot inspect `{}`", path.display()))?;
    Ok(Some((file, metadata)))
}

fn try_open(path: &Path) -> std::io::Result<File> {
    File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
}

/// Rejects everything but regular files and `/dev/null`, which counts as an empty file: a link to
/// it disables a file.
fn check_kind(metadata: &std::fs::Metadata, path: &Path) -> Result<()> {
    let what = match metadata.file_type() {
        kind if kind.is_file()
            || kind.is_char_device() && metadata.rdev() == nix::sys::stat::makedev(1, 3) =>
        {
            return Ok(());
        }
        kind if kind.is_dir() => {
            let error = std::io::Error::from(Errno::EISDIR);
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(Failure::new(format!("cannot read `{}`", path.display()))
        .because(format!("it is {what}, and not a regular file"))
        .into())
}

fn read_to_limit(file: File, path: &Path, limit: Limit) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(limit.bytes + 1)
        .read_to_end(&mut content)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    if content.len() as u64 > limit.bytes {
        Err(limit.refusal(path).into())
    } else {
        Ok(content)
    }
}

/// Reads a regular file as a whole shortly before `execve`: a short file takes two system calls.
///
/// # Errors
/// Those of [`read_text`]. A file that is not regular is noticed only if it is longer than
/// [`BEGINNING`].
pub fn read_before_exec(path: &Path, limit: Limit) -> Result<Vec<u8>> {
    let mut file = open_without_waiting(path)?;
    let beginning = read_beginning(&mut file, path)?;
    let content = read_rest(&mut file, beginning, path, limit)?;
    leave_open(file);
    Ok(content)
}

/// Appends the rest of a file to what [`read_beginning`] returned. `path` is for the error.
pub fn read_rest(
    file: &mut File,
    beginning: Vec<u8>,
    path: &Path,
    limit: Limit,
) -> Result<Vec<u8>> {
    let mut content = beginning;
    if content.len() < BEGINNING {
        return Ok(content);
    }
    let metadata = file
        .metadata()
        .with_context(|| format!("cannot inspect `{}`", path.display()))?;
    check_kind(&metadata, path)?;
    if metadata.len() > limit.bytes {
        return Err(limit.refusal(path).into());
    }
    let mut length = content.len();
    // One byte more than the file's size: a read that leaves it empty is the end of the file, and
    // saves the call that would confirm it.
    content.resize(
        usize::try_from(metadata.len()).unwrap_or(0).max(length) + 1,
        0,
    );
    loop {
        match file.read(&mut content[length..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => {
                length += read.with_context(|| format!("cannot read `{}`", path.display()))?;
                if length < content.len() {
                    content.truncate(length);
                    return Ok(content);
                }
                // The file grows, or its size is unknown, as in `/proc`.
                if length as u64 > limit.bytes {
                    return Err(limit.refusal(path).into());
                }
                content.resize(2 * length, 0);
            }
        }
    }
}

/// The number of bytes that [`read_beginning`] reads.
pub const BEGINNING: usize = 8 * 1024;

/// Reads the first [`BEGINNING`] bytes of a regular file that was just opened, or all of a shorter
/// one, with one system call: a short read of a regular file is its end. `path` is for the error.
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

/// Returns the real path of an open file, with one system call if `/proc` is mounted. `path` is the
/// path by which it was opened.
pub fn real_path(file: &File, path: &Path) -> Result<PathBuf> {
    match read_link(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd()))) {
        Ok(real) if real.is_absolute() => Ok(real),
        _ => canonicalize(path),
    }
}

/// Leaves an open file to `execve`, which closes it. This saves a system call.
pub fn leave_open(file: File) {
    let _ = file.into_raw_fd();
}

#[cfg(test)]
mod tests {
    use super::super::{create_dir, limits, write_new};
    use super::*;

    /// Reads the text with this limit by each function; errors as one line.
    fn read_each_way(path: &Path, limit: Limit) -> [Result<usize, String>; 2] {
        [read_text(path, limit), read_before_exec(path, limit)].map(|read| {
            read.map(|text| text.len())
                .map_err(|error| crate::report::one_line(&error))
        })
    }

    #[test]
    fn a_text_is_read_up_to_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("text");
        let limit = limits::SETTINGS;
        let longest = usize::try_from(limit.bytes).unwrap();
        for length in [
            0,
            1,
            BEGINNING - 1,
            BEGINNING,
            BEGINNING + 1,
            longest - 1,
            longest,
        ] {
            super::super::remove_file(&path).unwrap();
            write_new(&path, &vec![b'x'; length], 0o644).unwrap();
            assert_eq!(read_each_way(&path, limit), [Ok(length), Ok(length)]);
        }
        let why = format!(
            "cannot read `{}`: it is larger than the limit for a settings file: 1 MiB",
            path.display()
        );
        for length in [longest + 1, longest * 5000] {
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(length as u64)
                .unwrap();
            assert_eq!(
                read_each_way(&path, limit),
                [Err(why.clone()), Err(why.clone())]
            );
        }
    }

    #[test]
    fn a_file_that_is_not_regular_is_rejected_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let (pipe, inner) = (
            directory.path().join("pipe"),
            directory.path().join("inner"),
        );
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        create_dir(&inner, 0o755).unwrap();
        let rows = [
            (pipe.as_path(), "it is a named pipe, and not a regular file"),
            (
                Path::new("/dev/zero"),
                "it is a device, and not a regular file",
            ),
            (inner.as_path(), "Is a directory (os error 21)"),
        ];
        for (path, why) in rows {
            let [text, before_exec] = read_each_way(path, limits::SPEC);
            assert_eq!(
                text,
                Err(format!("cannot read `{}`: {why}", path.display()))
            );
            // A pipe without a writer ends at once.
            assert_eq!(before_exec, if path == pipe { Ok(0) } else { text });
            assert!(open_regular(path).is_err());
        }
    }

    #[test]
    fn an_inherited_descriptor_is_read_whatever_its_kind() {
        use std::io::Write;
        let (read, write) = nix::unistd::pipe().unwrap();
        File::from(write).write_all(b"text").unwrap();
        let path = format!("/dev/fd/{}", read.as_raw_fd());
        assert_eq!(
            read_named_text(Path::new(&path), limits::SPEC).unwrap(),
            b"text"
        );
        assert_eq!(
            read_named_text(Path::new("/dev/null"), limits::SPEC).unwrap(),
            b""
        );
        assert!(read_named_text(Path::new("/dev/zero"), limits::SPEC).is_err());
    }

    #[test]
    fn a_named_pipe_is_read_until_its_writers_close_it() {
        use std::io::Write;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let quiet = read_pipe(
            &open_without_waiting(&path).unwrap(),
            &path,
            limits::SPEC,
            0,
        )
        .unwrap_err();
        let why = format!(
            "cannot read `{}`: it is a named pipe, and no process has written to it for 0 seconds",
            path.display()
        );
        assert_eq!(crate::report::one_line(&quiet), why);
        let writing = path.clone();
        let writer = std::thread::spawn(move || {
            let mut pipe = File::options().write(true).open(&writing).unwrap();
            for text in ["one ", "two "] {
                pipe.write_all(text.as_bytes()).unwrap();
            }
        });
        assert_eq!(read_named_text(&path, limits::SPEC).unwrap(), b"one two ");
        writer.join().unwrap();
    }
}
