//! The state of the process at its start: arguments, environment, current directory, user. Captured
//! once, in `main`.
//!
//! Other modules do not use `std::env`: they take a `&Process`, so that a test can set the inputs
//! of a launch without changing its own environment.

mod child_signal;
mod input;
mod nested;
mod standard_streams;
pub mod threads;

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, IntoRawFd};
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub use child_signal::ChildSignal;
pub use nested::{KEY_LENGTH, is_environment_bin, is_key};
pub use standard_streams::{no_input, no_output};

/// The environment variables of vpython, and those it shares with other tools.
pub mod variable {
    /// The store's directory, if `-vpython-root` is not given.
    pub const ROOT: &str = "VPYTHON_VIRTUALENV_ROOT";
    /// The spec for programs that have none.
    pub const DEFAULT_SPEC: &str = "VPYTHON_DEFAULT_SPEC";
    /// The interpreter, if `-vpython-interpreter` is not given.
    pub const INTERPRETER: &str = "VPYTHON_INTERPRETER";
    /// A path list of wheelhouses, if `-vpython-wheels` is not given.
    pub const WHEELS: &str = "VPYTHON_WHEELS";
    /// A path list of stores to look into before anything is built or fetched.
    pub const SHARED_ROOTS: &str = "VPYTHON_SHARED_ROOTS";
    /// The registry, `oci://HOST/REPO`, that is asked for wheels before all other servers.
    pub const REGISTRY: &str = "VPYTHON_REGISTRY";
    /// The settings file to read instead of the default ones.
    pub const CONF: &str = "VPYTHON_CONF";
    /// Any text turns the log on, at level `debug`.
    pub const LOG_TRACE: &str = "VPYTHON_LOG_TRACE";
    /// True if a launch may fetch missing wheels, if `-vpython-fetch` is not given.
    pub const FETCH: &str = "VPYTHON_FETCH";
    /// True if nothing may use the network, if `-vpython-offline` is not given.
    pub const OFFLINE: &str = "VPYTHON_OFFLINE";
    /// The file for a trace of the run, if `-vpython-trace` is not given.
    pub const TRACE: &str = "VPYTHON_TRACE";
    /// The maximum size of the store, such as `10GiB`.
    pub const MAX_CACHE: &str = "VPYTHON_MAX_CACHE";
    /// The number of seconds during which `fetch` retries after network errors.
    pub const NETWORK_RETRY_TIMEOUT: &str = "VPYTHON_NETWORK_RETRY_TIMEOUT";
    /// Set while vpython probes an interpreter. A vpython that sees it fails, because it is not an
    /// interpreter.
    pub const PROBE: &str = "VPYTHON_PROBE";
    /// The prefix of vpython's own variables.
    pub const PREFIX: &str = "VPYTHON_";
    /// With the exact text that LUCI defines, vpython runs the next python on `PATH` without an
    /// environment.
    pub const BYPASS: &str = "VPYTHON_BYPASS";
    /// The number of bypassed launches, each of which was started by the previous one. Set for the
    /// program of a bypassed launch.
    pub const BYPASS_DEPTH: &str = "VPYTHON_BYPASS_DEPTH";
    /// The timestamp of all packed files, in seconds since 1970:
    /// <https://reproducible-builds.org/specs/source-date-epoch/>.
    pub const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
}

/// The processor that this program is built for, in the words of Rust.
pub const MACHINE: &str = std::env::consts::ARCH;

/// The name of the settings file next to vpython's binary, and the path of the system-wide one.
const CONF: [&str; 2] = ["vpython.conf", "/etc/vpython.conf"];

/// The search path if `PATH` is not set: python's `os.defpath`, and the default of `execvp`.
pub const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The names under which vpython can be started, as far as they change its behaviour: LUCI has one
/// program for each major version of Python.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CalledAs {
    /// `vpython`, and any other name.
    #[default]
    Vpython,
    /// `vpython3`, and any name that contains `python3`, such as a link `python3` or `vpython3.11`.
    Vpython3,
}

/// The inputs of the process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The file name of `argv[0]`; `None` if the caller passed no path.
    pub name: Option<OsString>,
    /// The command line without the program's name.
    pub arguments: Vec<OsString>,
    /// The environment, in its original order.
    pub environment: Vec<(OsString, OsString)>,
    /// The current directory; `None` if it was deleted.
    pub directory: Option<PathBuf>,
    /// The real path of vpython's binary; `None` if the system does not report it.
    pub executable: Option<PathBuf>,
    /// The default paths of the settings file; the first existing one is read.
    pub conf_files: Vec<PathBuf>,
    /// The effective user id.
    pub user: u32,
    /// Whether the process has more privileges than its caller, by a set-user-ID bit or file
    /// capabilities.
    pub is_elevated: bool,
    /// Whether standard input belongs to this process and may be read.
    pub has_input: bool,
}

impl Process {
    /// Captures the inputs of this process; `words` is its command line, which starts with the name
    /// of the program. Call it once, before any file is opened: it also reopens closed standard
    /// streams.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "the only function that reads the environment"
    )]
    pub fn capture(mut words: impl Iterator<Item = OsString>) -> Self {
        hold_closed_streams();
        let executable = std::env::current_exe().ok();
        let next_to_program = executable
            .iter()
            .map(|program| program.with_file_name(CONF[0]));
        let conf_files = next_to_program.chain([CONF[1].into()]).collect();
        let name = words
            .next()
            .and_then(|path| Some(Path::new(&path).file_name()?.to_owned()));
        Self {
            name,
            arguments: words.collect(),
            environment: std::env::vars_os().collect(),
            directory: std::env::current_dir().ok(),
            executable,
            conf_files,
            user: u32::try_from(auxiliary_value(libc::AT_EUID)).unwrap_or(u32::MAX),
            is_elevated: auxiliary_value(libc::AT_SECURE) != 0,
            has_input: true,
        }
    }

    /// Returns the kind of name under which vpython was started.
    #[must_use]
    pub fn called_as(&self) -> CalledAs {
        let name = self.name.as_deref().unwrap_or_default().as_encoded_bytes();
        if memchr::memmem::find(name, b"python3").is_some() {
            CalledAs::Vpython3
        } else {
            CalledAs::Vpython
        }
    }

    /// Returns the value of an environment variable, which may be empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// Returns the value of an environment variable if it is not empty. A caller with fewer
    /// privileges than the process cannot set any.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&OsStr> {
        self.variable(name)
            .filter(|value| !value.is_empty() && !self.is_elevated)
    }

    /// Returns the search path for programs: `PATH`, or the default if it is not set. A privileged
    /// process uses only system directories.
    #[must_use]
    pub fn search_path(&self) -> &OsStr {
        let given = || self.variable("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
        if self.is_elevated {
            OsStr::new("/usr/local/bin:/usr/bin:/bin")
        } else {
            given()
        }
    }

    /// Returns the path of a program on the search path.
    #[must_use]
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.search_path())
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(name))
            .find(|path| crate::fs::is_file(path))
    }

    /// Reads the program on standard input without taking it from python. Returns `None` if
    /// standard input is a terminal or another device.
    ///
    /// # Errors
    /// The program is too large, or cannot be passed on to python.
    pub fn program_on_input(&self) -> Result<Option<Vec<u8>>> {
        let temporary = self.setting("TMPDIR").map_or(Path::new("/tmp"), Path::new);
        if self.has_input {
            input::read(temporary)
        } else {
            Ok(None)
        }
    }

    /// Returns the user's home directory from `HOME`. The password database is not used: a static
    /// binary must not load NSS modules.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.setting("HOME")
            .map(Path::new)
            .filter(|home| home.is_absolute())
    }

    /// Returns `path` as an absolute path without redundant `.` components. Returns it unchanged if
    /// there is no current directory.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        match &self.directory {
            Some(directory) => directory.join(path),
            None => path.to_path_buf(),
        }
        .components()
        .collect()
    }
}

/// Returns a value of the auxiliary vector, as `getauxval(3)` names it, without a system call.
#[allow(
    unsafe_code,
    reason = "only the C library has it, and no safe wrapper exists"
)]
fn auxiliary_value(what: libc::c_ulong) -> libc::c_ulong {
    // SAFETY: the function takes a number, returns a number, and has no side effects.
    unsafe { libc::getauxval(what) }
}

/// Opens `/dev/null` on each of the descriptors 0 to 2 that is closed, with close-on-exec.
///
/// So no file that vpython opens becomes a standard stream, and python finds the stream closed, as
/// the caller left it.
fn hold_closed_streams() {
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut streams = [input.as_fd(), output.as_fd(), error.as_fd()]
        .map(|stream| PollFd::new(stream, PollFlags::empty()));
    if poll(&mut streams, PollTimeout::ZERO).is_err() {
        return;
    }
    for stream in &streams {
        if stream
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLNVAL))
        {
            // The kernel returns the lowest free descriptor, which is this stream's.
            if let Ok(held) = crate::fs::open_device_null() {
                let _ = held.into_raw_fd();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(directory: Option<&str>) -> Process {
        Process {
            directory: directory.map(PathBuf::from),
            ..Process::default()
        }
    }

    #[test]
    fn a_path_is_made_absolute_without_file_access() {
        let rows = [
            (
                Some("/here"),
                "tool.py",
                "/here/tool.py",
                "a name is relative to the current directory",
            ),
            (
                Some("/here"),
                "./a/./tool.py",
                "/here/a/tool.py",
                "a dot is removed",
            ),
            (
                Some("/here"),
                "../tool.py",
                "/here/../tool.py",
                "`..` after a symlink cannot be resolved lexically",
            ),
            (
                Some("/here"),
                "/tool.py",
                "/tool.py",
                "an absolute path stays",
            ),
            (
                Some("/here"),
                "",
                "/here",
                "the empty path is the current directory",
            ),
            (
                None,
                "tool.py",
                "tool.py",
                "without a current directory the path stays",
            ),
        ];
        for (directory, path, absolute, why) in rows {
            assert_eq!(
                process(directory).absolute(Path::new(path)),
                Path::new(absolute),
                "{why}"
            );
        }
    }

    #[test]
    fn a_name_with_python3_in_it_is_vpython3() {
        let rows = [
            (Some("vpython"), CalledAs::Vpython),
            (Some("vpython3"), CalledAs::Vpython3),
            (Some("python3"), CalledAs::Vpython3),
            (Some("vpython3.11"), CalledAs::Vpython3),
            (Some("vpython3-dev"), CalledAs::Vpython3),
            (Some("vpython2"), CalledAs::Vpython),
            (Some("vpython2.7"), CalledAs::Vpython),
            (Some("python"), CalledAs::Vpython),
            (Some("launcher"), CalledAs::Vpython),
            (None, CalledAs::Vpython),
        ];
        for (name, expected) in rows {
            let process = Process {
                name: name.map(OsString::from),
                ..Process::default()
            };
            assert_eq!(process.called_as(), expected, "{name:?}");
        }
    }

    #[test]
    fn an_unset_search_path_has_a_default() {
        let path = |environment: &[(&str, &str)]| {
            let environment = environment
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
            Process {
                environment,
                ..Process::default()
            }
            .search_path()
            .to_owned()
        };
        assert_eq!(path(&[]), "/bin:/usr/bin");
        assert_eq!(path(&[("PATH", "/a")]), "/a");
        assert_eq!(path(&[("PATH", "")]), "", "an empty value is kept");
    }

    #[test]
    fn an_empty_variable_is_a_value_but_not_a_setting() {
        let process = Process {
            environment: vec![("A".into(), "".into())],
            ..Process::default()
        };
        assert_eq!(process.variable("A"), Some(OsStr::new("")));
        assert_eq!(process.setting("A"), None);
        let process = Process {
            environment: vec![("A".into(), "1".into())],
            is_elevated: true,
            ..Process::default()
        };
        assert_eq!(
            process.setting("A"),
            None,
            "a caller with fewer privileges is ignored"
        );
    }
}
