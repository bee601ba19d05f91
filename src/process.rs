//! What the process was given: arguments, environment, directory, user. Read once, at the edge.
//!
//! Below this module nobody asks `std::env`: whoever needs a part of this takes a `&Process`, so
//! that a test can say what a launch was given without changing its own environment.

mod input;

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, IntoRawFd};
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Every environment variable of ours, and what we share with other tools, once.
pub mod variable {
    /// The store's root, where `-vpython-root` is not given.
    pub const ROOT: &str = "VPYTHON_VIRTUALENV_ROOT";
    /// The spec of a program that has none.
    pub const DEFAULT_SPEC: &str = "VPYTHON_DEFAULT_SPEC";
    /// The interpreter, where `-vpython-interpreter` is not given.
    pub const INTERPRETER: &str = "VPYTHON_INTERPRETER";
    /// A path list of wheelhouses, where `-vpython-wheels` is not given.
    pub const WHEELS: &str = "VPYTHON_WHEELS";
    /// The file of settings to read in place of those in the usual places.
    pub const CONF: &str = "VPYTHON_CONF";
    /// Any text turns the log on, at the level `debug`.
    pub const LOG_TRACE: &str = "VPYTHON_LOG_TRACE";
    /// The file for a trace of the run, where `-vpython-trace` is not given.
    pub const TRACE: &str = "VPYTHON_TRACE";
    /// How large the store may grow, as in `10GiB`.
    pub const MAX_CACHE: &str = "VPYTHON_MAX_CACHE";
    /// For how many seconds `fetch` tries again where the network fails.
    pub const NETWORK_RETRY_TIMEOUT: &str = "VPYTHON_NETWORK_RETRY_TIMEOUT";
    /// Set for an interpreter that vpython asks about itself: a vpython that sees it fails, since
    /// it is not an interpreter.
    pub const PROBE: &str = "VPYTHON_PROBE";
    /// How the names of vpython's own variables begin.
    pub const PREFIX: &str = "VPYTHON_";
    /// With its exact text, the next python on `PATH` is run, untouched.
    pub const BYPASS: &str = "VPYTHON_BYPASS";
    /// The time of all that is packed, in seconds since 1970:
    /// <https://reproducible-builds.org/specs/source-date-epoch/>.
    pub const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
}

/// The name of the file of settings beside the program, and its place for a whole machine.
const CONF: [&str; 2] = ["vpython.conf", "/etc/vpython.conf"];

/// Where programs are found when `PATH` is not set: python's `os.defpath`, and what `execvp` takes
/// for it.
pub const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The names by which the program is called, as far as they decide what it does: LUCI has one
/// program for each major version of Python.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CalledAs {
    /// `vpython`, and any name that is not one of the others.
    #[default]
    Vpython,
    /// `vpython3`, and any name with `python3` in it, such as that of a link `python3` or
    /// `vpython3.11`.
    Vpython3,
}

/// What the process was given.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The file name of the path by which the program was called; none where the caller gave no
    /// such path.
    pub name: Option<OsString>,
    /// The command line behind the program's name.
    pub arguments: Vec<OsString>,
    /// The environment, in its own order.
    pub environment: Vec<(OsString, OsString)>,
    /// The current directory; none where it was deleted.
    pub directory: Option<PathBuf>,
    /// The real path of this program's binary; none where the system does not tell.
    pub executable: Option<PathBuf>,
    /// The usual places of the file of settings; the first that is there counts.
    pub conf_files: Vec<PathBuf>,
    /// The effective user id.
    pub user: u32,
    /// Whether the program has more rights than its caller, by a set-user-ID bit or file
    /// capabilities.
    pub is_elevated: bool,
    /// Whether standard input is this process's own, and may be read.
    pub has_input: bool,
}

impl Process {
    /// Reads what this process was given. To be called once, before any file is opened: closed
    /// standard streams are made safe here.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the place that reads the environment"
    )]
    pub fn capture() -> Self {
        hold_closed_streams();
        let mut words = std::env::args_os();
        let executable = std::env::current_exe().ok();
        let beside = executable
            .iter()
            .map(|program| program.with_file_name(CONF[0]));
        let conf_files = beside.chain([CONF[1].into()]).collect();
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
            user: u32::try_from(told_at_start(libc::AT_EUID)).unwrap_or(u32::MAX),
            is_elevated: told_at_start(libc::AT_SECURE) != 0,
            has_input: true,
        }
    }

    /// By which of its names the program was called.
    #[must_use]
    pub fn called_as(&self) -> CalledAs {
        let name = self.name.as_deref().unwrap_or_default().as_encoded_bytes();
        if memchr::memmem::find(name, b"python3").is_some() {
            CalledAs::Vpython3
        } else {
            CalledAs::Vpython
        }
    }

    /// The value of an environment variable; an empty value is a value.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// The value of an environment variable, where it has one that is not empty. A caller who has
    /// fewer rights than the program has no say in what it does.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&OsStr> {
        self.variable(name)
            .filter(|value| !value.is_empty() && !self.is_elevated)
    }

    /// Where programs are looked for: `PATH`, or the system's default where it is not set; or where
    /// the caller has no say the directories that every system has.
    #[must_use]
    pub fn search_path(&self) -> &OsStr {
        let given = || self.variable("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
        if self.is_elevated {
            OsStr::new("/usr/local/bin:/usr/bin:/bin")
        } else {
            given()
        }
    }

    /// The program that stands on standard input, which python still finds there; none where that
    /// is a terminal, or another device.
    ///
    /// # Errors
    /// It is too large to be kept, or cannot be kept.
    pub fn program_on_input(&self) -> Result<Option<Vec<u8>>> {
        if self.has_input {
            input::read()
        } else {
            Ok(None)
        }
    }

    /// The user's home directory, as `HOME` says. The password file is not asked: a static binary
    /// must not load what reads it.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.setting("HOME")
            .map(Path::new)
            .filter(|home| home.is_absolute())
    }

    /// `path` from the root, without `.` and `..` where that changes nothing; as it is where there
    /// is no current directory.
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

/// What the kernel has told the process at its start, by the names of `getauxval(3)`: no system
/// call is needed.
#[allow(
    unsafe_code,
    reason = "the C library alone knows, and no safe library asks it"
)]
fn told_at_start(what: libc::c_ulong) -> libc::c_ulong {
    // SAFETY: the call takes a number, returns a number, and has no other effect.
    unsafe { libc::getauxval(what) }
}

/// Puts `/dev/null` on each of the descriptors 0 to 2 that is closed, marked close-on-exec.
///
/// So no file of ours takes the place of a standard stream, and python finds the stream closed, as
/// it was given.
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
            // The kernel gives the lowest free number, which is this stream's.
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
    fn a_path_is_made_absolute_without_asking_the_disk() {
        let rows = [
            (
                Some("/here"),
                "tool.py",
                "/here/tool.py",
                "a name stands in the current directory",
            ),
            (
                Some("/here"),
                "./a/./tool.py",
                "/here/a/tool.py",
                "a dot is nothing",
            ),
            (
                Some("/here"),
                "../tool.py",
                "/here/../tool.py",
                "what is above a link is not ours to guess",
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
                "without a current directory nothing can be said",
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
    fn without_a_search_path_it_is_the_systems() {
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
        assert_eq!(path(&[("PATH", "")]), "", "an empty one is one");
    }

    #[test]
    fn an_empty_variable_is_a_value_but_no_setting() {
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
            "a caller with fewer rights has no say"
        );
    }
}
