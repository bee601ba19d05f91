//! Running of pip: the command for the interpreter, and pip's output, which goes to stderr.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use super::pip::Pip;
use crate::report::progress;

/// Runs pip like `-m pip`, without the current directory among the import roots. Only Python 3.11
/// and later have `-P` for that, and `-I` would exclude the user site.
const RUN_PIP: &str = "import sys; del sys.path[0]; import runpy; runpy.run_module('pip', run_name='__main__', alter_sys=True)";
/// The amount of pip's output that is kept for analysis, in bytes.
const MAX_CAPTURED: usize = 1 << 20;

impl Pip<'_> {
    /// Runs pip, and copies its output to stderr. Returns its exit status and its stderr output.
    pub(super) fn call(&self, words: &[OsString]) -> Result<(ExitStatus, String)> {
        let cannot = || format!("cannot run `{}`", self.python.executable.display());
        let mut command = self.python();
        if self.has_safe_path() {
            command.args(["-m", "pip"])
        } else {
            command.args(["-c", RUN_PIP])
        };
        // pip's stdout is connected to stderr directly, so that pip shows its progress bar on a
        // terminal.
        let error = std::io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .context("cannot share stderr with pip")?;
        command.arg("--disable-pip-version-check").args(words);
        command
            .stdin(Stdio::inherit())
            .stdout(Stdio::from(error))
            .stderr(Stdio::piped());
        progress::end();
        let mut pip = command.spawn().with_context(cannot)?;
        let mut captured = Vec::new();
        if let Some(mut stderr) = pip.stderr.take() {
            copy_to_stderr(&mut stderr, &mut captured).with_context(cannot)?;
        }
        Ok((
            pip.wait().with_context(cannot)?,
            String::from_utf8_lossy(&captured).into_owned(),
        ))
    }

    /// Returns the command for the interpreter, with the caller's environment. `-B` keeps it from
    /// writing byte code next to its packages.
    pub(super) fn python(&self) -> Command {
        let mut command = Command::new(&self.python.executable);
        if self.has_safe_path() {
            command.arg("-P");
        }
        command.arg("-B").env_clear().envs(
            self.process
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        );
        command
    }

    /// Checks whether the interpreter has `-P`.
    fn has_safe_path(&self) -> bool {
        self.python.release >= [3, 11, 0]
    }

    /// Returns the command line prefix for messages.
    pub(super) fn title(&self) -> String {
        let safe = if self.has_safe_path() { "-P " } else { "" };
        format!(
            "{} {safe}-B -m pip --disable-pip-version-check",
            self.python.executable.display()
        )
    }
}

/// Copies a stream to stderr until its end, and keeps the last [`MAX_CAPTURED`] bytes.
fn copy_to_stderr(from: &mut impl Read, kept: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // A closed stderr is not an error: the caller does not want the output.
        let _ = std::io::stderr().write_all(&buffer[..length]);
        kept.extend_from_slice(&buffer[..length]);
        // The reason for a failure is at the end of pip's output.
        let surplus = kept.len().saturating_sub(MAX_CAPTURED);
        kept.drain(..surplus);
    }
}
