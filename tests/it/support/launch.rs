//! One run of a program in a world, and what came of it.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::PoisonError;

use super::World;
use super::world::STARTS;

/// A program that is about to be run, with nothing in its environment but what the world and the
/// test give it.
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
            // What this machine has at `/etc/vpython.conf` is nothing to a test.
            .env("VPYTHON_CONF", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            world,
            command,
            input: None,
        }
    }

    /// Adds words to the command line.
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

    /// Runs it as another user; only the superuser can.
    pub fn user(mut self, id: u32) -> Self {
        self.command.uid(id).gid(id);
        self
    }

    /// Gives it these bytes through a pipe as standard input.
    pub fn input(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = Some(bytes.as_ref().to_vec());
        self
    }

    /// Gives it a file or pipe as standard input.
    pub fn stdin(mut self, input: impl Into<Stdio>) -> Self {
        self.command.stdin(input);
        self
    }

    /// Gives it a file or pipe as standard output.
    pub fn stdout(mut self, output: impl Into<Stdio>) -> Self {
        self.command.stdout(output);
        self
    }

    /// Gives it a file or pipe as standard error.
    pub fn stderr(mut self, error: impl Into<Stdio>) -> Self {
        self.command.stderr(error);
        self
    }

    /// Starts it. The test looks after the rest.
    pub fn spawn(mut self) -> Child {
        start(&mut self.command)
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Outcome {
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let scene = format!("{:?}", self.command);
        let mut child = start(&mut self.command);
        if let Some(input) = self.input {
            // A program that does not read to the end is not at fault.
            let _ = child.stdin.take().unwrap().write_all(&input);
        }
        Outcome::new(self.world, &scene, &child.wait_with_output().unwrap())
    }
}

/// Starts a program while nobody writes one.
pub fn start(command: &mut Command) -> Child {
    let _nobody_writes = STARTS.read().unwrap_or_else(PoisonError::into_inner);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Whether `strace` works here. Where it does not, that is said aloud.
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

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    scene: String,
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output, redacted.
    pub stdout: String,
    /// Standard error, redacted.
    pub stderr: String,
    /// Standard output as it came.
    pub raw_stdout: String,
}

impl Outcome {
    /// The outcome of a program that was run by hand.
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

    /// It ended with this exit code and printed exactly this.
    #[track_caller]
    pub fn expect(&self, code: i32, stdout: &str, stderr: &str) {
        let is_right = (self.code, &*self.stdout, &*self.stderr) == (Some(code), stdout, stderr);
        assert!(
            is_right,
            "expected exit code {code}\n--- expected stdout\n{stdout}--- expected stderr\n{stderr}\nbut:\n{self}"
        );
    }

    /// It succeeded, printed this, and said nothing.
    #[track_caller]
    pub fn prints(&self, stdout: &str) {
        self.expect(0, stdout, "");
    }

    /// vpython did what it was called for, and said this on standard error.
    #[track_caller]
    pub fn succeeds_with(&self, stderr: &str) {
        self.expect(0, &self.stdout, stderr);
    }

    /// `install` printed the environment's path, these warnings, and what is in the environment.
    #[track_caller]
    pub fn installs(&self, warnings: &str) {
        assert_eq!(
            (self.code, &*self.stdout),
            (Some(0), "[WORLD]/root/v1/envs/[KEY]\n"),
            "{self}"
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
        let summary = format!(
            "{warnings}vpython: {wheels}, {}, ",
            counted(files.count(), "file")
        );
        let end = self.stderr.strip_prefix(&summary);
        assert!(
            matches!(end, Some("[TIME]\n" | "already built\n")),
            "expected {summary}[TIME]\nbut:\n{self}"
        );
    }

    /// vpython refused, with this message.
    #[track_caller]
    pub fn refuses(&self, code: i32, message: &str) {
        self.expect(code, "", message);
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
