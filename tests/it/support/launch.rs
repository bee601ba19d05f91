//! One run of a program in a world, and its outcome.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::PoisonError;

use super::world::STARTS;
use super::{Expected, World};

/// A program to be run, with no environment variables except those of the world and the test.
#[derive(Debug)]
pub struct Launch<'a> {
    world: &'a World,
    command: Command,
    input: Option<Vec<u8>>,
}

impl<'a> Launch<'a> {
    pub(super) fn new<W: AsRef<OsStr>>(
        world: &'a World,
        program: &Path,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(world.path(""))
            .env_clear()
            .env("HOME", world.outside("home"))
            .env("PATH", world.search_path())
            .env("TMPDIR", world.outside("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .env("VPYTHON_VIRTUALENV_ROOT", world.outside("root"))
            // Tests must not depend on an `/etc/vpython.conf` of this machine.
            .env("VPYTHON_CONF", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // The search would pass it over.
        if world.python.free_threaded {
            command.env("VPYTHON_INTERPRETER", &world.python.path);
        }
        Self {
            world,
            command,
            input: None,
        }
    }

    /// Adds arguments to the command line.
    pub fn arguments<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command.args(words);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes a variable.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets the current directory.
    pub fn within(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs the program as another user; requires the superuser.
    pub fn user(mut self, id: u32) -> Self {
        self.command.uid(id).gid(id);
        self
    }

    /// Passes these bytes through a pipe as standard input.
    pub fn input(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = Some(bytes.as_ref().to_vec());
        self
    }

    /// Passes a file or pipe as standard input.
    pub fn stdin(mut self, input: impl Into<Stdio>) -> Self {
        self.command.stdin(input);
        self
    }

    /// Passes a file or pipe as standard output.
    pub fn stdout(mut self, output: impl Into<Stdio>) -> Self {
        self.command.stdout(output);
        self
    }

    /// Passes a file or pipe as standard error.
    pub fn stderr(mut self, error: impl Into<Stdio>) -> Self {
        self.command.stderr(error);
        self
    }

    /// Starts the program; the test waits for it.
    pub fn spawn(mut self) -> Child {
        start(&mut self.command)
    }

    /// Runs the program to its end.
    pub fn run(mut self) -> Outcome {
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let scene = format!("{:?}", self.command);
        let mut child = start(&mut self.command);
        if let Some(input) = self.input {
            // A program may end without reading all of its input.
            let _ = child.stdin.take().unwrap().write_all(&input);
        }
        Outcome::new(self.world, &scene, &child.wait_with_output().unwrap())
    }
}

/// Starts a program while no test writes one.
pub fn start(command: &mut Command) -> Child {
    let _nobody_writes = STARTS.read().unwrap_or_else(PoisonError::into_inner);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Checks whether `strace` works here, and says so if not.
pub fn has_strace() -> bool {
    let mut command = Command::new("/usr/bin/env");
    command
        .args(["strace", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let works = start(&mut command).wait().unwrap().success();
    if !works {
        not_tested!("there is no strace, or it may not trace");
    }
    works
}

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    scene: String,
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    /// The signal that ended the process.
    pub signal: Option<i32>,
    /// Standard output, redacted.
    pub stdout: String,
    /// Standard error, redacted.
    pub stderr: String,
    /// Standard output, unmodified.
    pub raw_stdout: String,
}

impl Outcome {
    /// The outcome of a program that the test started itself.
    pub fn new(world: &World, scene: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            scene: world.redact(scene),
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: world.redact(&text(&output.stdout)),
            stderr: world.redact(&text(&output.stderr)),
            raw_stdout: text(&output.stdout),
        }
    }

    /// Replaces a text in the output that differs between machines or runs, such as a digest, by a
    /// placeholder in brackets.
    pub fn replacing(mut self, text: &str, placeholder: &str) -> Self {
        self.stdout = self.stdout.replace(text, placeholder);
        self.stderr = self.stderr.replace(text, placeholder);
        self
    }

    /// Checks the exit code and the exact output.
    #[track_caller]
    pub fn expect(&self, code: i32, stdout: impl Expected, stderr: impl Expected) {
        let _scene = Scene(self);
        assert_eq!(self.code, Some(code), "exit code");
        stdout.check(&self.stdout);
        stderr.check(&self.stderr);
    }

    /// Checks that the run succeeded with this output and without messages.
    #[track_caller]
    pub fn prints(&self, stdout: impl Expected) {
        self.expect(0, stdout, "");
    }

    /// Checks that vpython succeeded with this text on standard error.
    #[track_caller]
    pub fn succeeds_with(&self, stderr: impl Expected) {
        self.expect(0, &self.stdout, stderr);
    }

    /// Checks that vpython failed in part, with this text on standard error.
    #[track_caller]
    pub fn fails_with(&self, code: i32, stderr: impl Expected) {
        self.expect(code, &self.stdout, stderr);
    }

    /// Checks that `install` printed the path of the environment, these warnings, and a summary.
    #[track_caller]
    pub fn installs(&self, warnings: impl Expected) {
        let _scene = Scene(self);
        assert_eq!(
            (self.code, &*self.stdout),
            (Some(0), "[WORLD]/root/v1/envs/[KEY]\n")
        );
        let environment = Path::new(self.raw_stdout.trim_end());
        let manifest = std::fs::read(environment.join("vpython.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let files = walkdir::WalkDir::new(environment)
            .into_iter()
            .filter(|entry| !entry.as_ref().unwrap().file_type().is_dir());
        let counted = |count: usize, what: &str| {
            format!("{count} {what}{}", if count == 1 { "" } else { "s" })
        };
        let wheels = counted(manifest["wheels"].as_array().unwrap().len(), "wheel");
        let summary = format!("vpython: {wheels}, {}, ", counted(files.count(), "file"));
        let found = self.stderr.rsplit_once(&summary);
        let (before, end) = found.unwrap_or_else(|| panic!("there is no summary `{summary}`"));
        assert!(matches!(end, "[TIME]\n" | "already built\n"));
        warnings.check(before);
    }

    /// Checks that vpython failed with this message.
    #[track_caller]
    pub fn refuses(&self, code: i32, message: impl Expected) {
        self.expect(code, "", message);
    }
}

/// Shows the whole outcome if a check of it fails.
struct Scene<'a>(&'a Outcome);

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scene,
            code,
            signal,
            stdout,
            stderr,
            ..
        } = self;
        write!(
            formatter,
            "{scene}\nexit code {code:?}, signal {signal:?}\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }
}
