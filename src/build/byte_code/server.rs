//! A process of the interpreter that compiles, for many requests: starting one takes as long as
//! compiling a small wheel.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Result;
use nix::poll::{PollFd, PollFlags, poll};

use super::compiler::NoCompiler;
use crate::fs;
use crate::process::no_output;

const PROGRAM: &str = include_str!("compile.py");
/// The time limit for a source, in milliseconds. The largest in use take a few seconds.
const TIMEOUT: u16 = 60_000;
/// The time limit for a source of which python can write the byte code itself, in milliseconds.
const SHORT_TIMEOUT: u16 = 2_000;

/// What python compares byte code with on import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing.
    Unchecked,
    /// The modification time and the size of the source, as in the byte code that it writes itself.
    Timed,
}

impl Form {
    /// Returns the argument of the program.
    fn argument(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Timed => "timed",
        }
    }

    /// Returns the time limit for a source, in milliseconds.
    fn timeout(self) -> u16 {
        match self {
            Self::Unchecked => TIMEOUT,
            Self::Timed => SHORT_TIMEOUT,
        }
    }
}

/// A running process of the interpreter, which is killed on drop.
pub(super) struct Server {
    process: Child,
    requests: UnixStream,
    answers: BufReader<Answers>,
    /// Whether it has answered a request before.
    pub is_used: bool,
}

/// The output of the process.
struct Answers {
    output: ChildStdout,
    /// The time limit for a read, in milliseconds.
    timeout: u16,
}

impl Server {
    /// Starts a process.
    ///
    /// # Errors
    /// [`NoCompiler`], or the error of the system.
    pub fn start(
        interpreter: &Path,
        environment: &[(OsString, OsString)],
        form: Form,
    ) -> Result<Self> {
        // The standard library writes to a socket without SIGPIPE.
        let (requests, theirs) = UnixStream::pair()?;
        let mut command = Command::new(interpreter);
        command.args([
            "-S",
            "-s",
            "-B",
            "-X",
            "utf8",
            "-c",
            PROGRAM,
            form.argument(),
        ]);
        command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(no_output())
            .current_dir("/");
        command.env_clear();
        let is_pythons = |name: &OsString| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"PYTHON") || name.starts_with(b"__PYVENV")
        };
        let others = environment.iter().filter(|(name, _)| !is_pythons(name));
        command.envs(others.cloned());
        // The order of constants in a set depends on it.
        command.env("PYTHONHASHSEED", "0");
        let mut process = command.spawn().map_err(|error| {
            let error = anyhow::Error::from(error);
            if fs::is_io_failure(&error) {
                error.context("cannot run the interpreter")
            } else {
                NoCompiler.into()
            }
        })?;
        let output = process.stdout.take().ok_or(NoCompiler)?;
        Ok(Self {
            process,
            requests,
            answers: BufReader::new(Answers {
                output,
                timeout: form.timeout(),
            }),
            is_used: false,
        })
    }

    /// Requests the byte code of these sources in a directory. If the process has ended, its answer
    /// shows that.
    pub fn request(&mut self, directory: &Path, names: &[&str]) {
        let mut request = vec![0; 4];
        let directory = directory.as_os_str().as_bytes();
        for text in std::iter::once(directory).chain(names.iter().map(|name| name.as_bytes())) {
            request.extend(text);
            request.push(0);
        }
        let length = u32::try_from(request.len() - 4).unwrap_or_default();
        request[..4].copy_from_slice(&length.to_le_bytes());
        let _ = self.requests.write_all(&request);
    }

    /// Returns the answer to the request.
    pub fn answer(&mut self) -> &mut impl BufRead {
        &mut self.answers
    }

    /// Returns the exit status of the process, which has closed its output; none if it continues
    /// without.
    pub fn end(&mut self) -> Option<ExitStatus> {
        for _ in 0..500 {
            if let Some(status) = self.process.try_wait().ok()? {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        None
    }
}

impl Read for Answers {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut output = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
        if poll(&mut output, self.timeout)? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        self.output.read(buffer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
