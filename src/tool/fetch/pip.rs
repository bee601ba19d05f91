//! Calling the interpreter's own pip.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::fs;
use crate::invocation::Fetch;
use crate::plan::Facts;
use crate::process::Process;
use crate::report::{Failure, Kind, progress};

/// Whether what is fetched brings along what it requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    Dependencies,
    Nothing,
}

/// What is to be fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// For this system.
    pub system: &'a Facts,
    /// Lines of a requirements file.
    pub lines: &'a [String],
    /// What is there already, and is to be kept to: lines of a constraints file.
    pub kept: &'a [String],
    /// Folders of wheels to look into too.
    pub folders: &'a [&'a Path],
    /// Whether pre-releases will do.
    pub pre_releases: bool,
}

/// The pip of an interpreter.
pub(super) struct Pip<'a> {
    python: &'a Path,
    options: &'a [OsString],
    process: &'a Process,
}

impl<'a> Pip<'a> {
    /// The pip of this interpreter.
    ///
    /// # Errors
    /// It has none.
    pub fn of(python: &'a Path, options: &'a Fetch, process: &'a Process) -> Result<Self> {
        let pip = Self { python, options: &options.pip_options, process };
        let mut command = pip.command();
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        let answer = command.status().with_context(|| format!("cannot run `{}`", python.display()));
        if fs::visible(answer)?.is_some_and(|status| status.success()) {
            return Ok(pip);
        }
        Err(Failure::new(format!("the interpreter `{}` has no pip to fetch wheels with", python.display()))
            .hint(format!(
                "install it (`{} -m ensurepip`, or the system's package `python3-pip`), or name another interpreter with \
                 `-vpython-interpreter`",
                python.display()
            ))
            .into())
    }

    /// Fetches into the folder `to`: for this machine by `pip wheel`, which builds what has no wheel, for others by `pip download`. What pip
    /// says goes to stderr. Where it cannot, that is the inner error.
    pub fn fetch(&self, request: &Request<'_>, follow: Follow, to: &Path) -> Result<Result<(), Failure>> {
        let mut command = self.command();
        if request.system.is_elsewhere() {
            command.arg("download").arg("--dest").arg(to).args(request.system.pip_platform_options());
        } else {
            command.arg("wheel").arg("--wheel-dir").arg(to);
        }
        if follow == Follow::Nothing || request.system.is_elsewhere() {
            command.arg("--no-deps");
        }
        for folder in request.folders {
            command.arg("--find-links").arg(folder);
        }
        if request.pre_releases {
            command.arg("--pre");
        }
        command.arg("--requirement").arg(written(to, "requirements.txt", request.lines)?);
        if !request.kept.is_empty() {
            command.arg("--constraint").arg(written(to, "constraints.txt", request.kept)?);
        }
        command.args(self.options);
        let error = std::io::stderr().as_fd().try_clone_to_owned().context("cannot share stderr with pip")?;
        command.stdout(Stdio::from(error));
        // It writes to the terminal itself.
        progress::end();
        let status = command.status().with_context(|| format!("cannot run `{}`", self.python.display()))?;
        if status.success() {
            return Ok(Ok(()));
        }
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        Ok(Err(Failure::new(format!("pip cannot fetch {}", request.lines.join(", ")))
            .because(format!("`{} {}` ended with {status}", self.python.display(), words.join(" ")))
            .hint("its own words are above; words behind `--` are passed on to it")
            .kind(Kind::Refused)))
    }

    /// pip, with the caller's environment, and without byte code beside the interpreter's packages.
    fn command(&self) -> Command {
        let mut command = Command::new(self.python);
        command.args(["-B", "-m", "pip", "--disable-pip-version-check"]).stdin(Stdio::inherit());
        command.env_clear().envs(self.process.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A file of these lines.
fn written(folder: &Path, name: &str, lines: &[String]) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    fs::write_atomically(&path, (lines.join("\n") + "\n").as_bytes())?;
    Ok(path)
}
