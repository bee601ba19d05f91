//! Replacing the process with python: program, arguments and environment as one value, and the
//! `execve` that ends a run.
//!
//! The list of environment variables to remove is based on measurements: `PYTHONHOME` and
//! `PYTHONPLATLIBDIR` change the interpreter's prefix or make it crash at startup,
//! `PYTHONUSERBASE` adds the user's packages, and `__PYVENV_LAUNCHER__` and `PYTHONEXECUTABLE`
//! change a virtual environment's prefix, since CPython 3.11 even on Linux and even under `-I`.

pub mod supervise;

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::process::{DEFAULT_PATH, Process, is_environment_bin, variable};
use crate::report::{Failure, Kind, log, progress};

/// Variables that would change the environment of python.
const REMOVED: [&str; 5] = [
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "PYTHONEXECUTABLE",
    "__PYVENV_LAUNCHER__",
];

/// A program with its arguments and its complete environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// The program's path, which is also its `argv[0]`.
    pub program: PathBuf,
    /// The arguments after `argv[0]`.
    pub arguments: Vec<OsString>,
    /// The complete environment.
    pub environment: Vec<(OsString, OsString)>,
}

impl Handoff {
    /// Returns the handoff to python in the environment at `entry`, with first-party import roots
    /// prepended to `PYTHONPATH`.
    ///
    /// # Errors
    /// An import root contains a colon, so a path list cannot hold it.
    pub fn into_environment(
        entry: &Path,
        python: PathBuf,
        words: &[OsString],
        roots: &[PathBuf],
        process: &Process,
    ) -> Result<Self> {
        let path = search_path(&entry.join("bin"), process.variable("PATH"));
        let python_path = python_path(roots, process.setting("PYTHONPATH"))?;
        let mut environment = process.environment.clone();
        // A vpython that the program runs would overwrite the trace of this run.
        environment.retain(|(name, _)| {
            REMOVED
                .iter()
                .chain([&variable::TRACE])
                .all(|removed| name != removed)
        });
        set(&mut environment, "PYTHONNOUSERSITE", "1".into());
        set(&mut environment, "VIRTUAL_ENV", entry.into());
        set(&mut environment, "PATH", path);
        if let Some(python_path) = python_path {
            set(&mut environment, "PYTHONPATH", python_path);
        }
        let arguments = std::iter::once("-s".into())
            .chain(words.iter().cloned())
            .collect();
        Ok(Self {
            program: python,
            arguments,
            environment,
        })
    }

    /// Returns the handoff to a program with these words and the unchanged environment.
    #[must_use]
    pub fn passthrough(program: PathBuf, words: &[OsString], process: &Process) -> Self {
        Self {
            program,
            arguments: words.to_vec(),
            environment: process.environment.clone(),
        }
    }

    /// Sets an environment variable of the program.
    pub fn set(&mut self, name: &str, value: OsString) {
        set(&mut self.environment, name, value);
    }

    /// Replaces this process with the program. Returns only on failure.
    ///
    /// This function calls `execve` directly. It has no state to restore first, because this
    /// process never changed its signal dispositions (see `main.rs`).
    ///
    /// # Errors
    /// The program does not exist or cannot be executed.
    pub fn exec(self) -> Result<Infallible> {
        // Convert everything to C strings.
        let cannot = format!("cannot run `{}`", self.program.display());
        let text = |text: OsString| CString::new(text.into_vec()).with_context(|| cannot.clone());
        let program = text(self.program.into_os_string())?;
        let arguments = self
            .arguments
            .into_iter()
            .map(text)
            .collect::<Result<Vec<_>>>()?;
        let arguments: Vec<&CString> = std::iter::once(&program).chain(&arguments).collect();
        let environment = self.environment.into_iter().map(|(name, value)| {
            let mut entry = name;
            entry.push("=");
            entry.push(value);
            text(entry)
        });
        let environment = environment.collect::<Result<Vec<_>>>()?;
        // This is the last chance to clear the progress line and to write the trace.
        progress::end();
        log::finish_trace();
        let Err(errno) = nix::unistd::execve(&program, &arguments, &environment);
        let kind = if errno == Errno::ENOENT {
            Kind::NotFound
        } else {
            Kind::CannotExecute
        };
        Err(Failure::new(cannot)
            .because(std::io::Error::from(errno).to_string())
            .kind(kind)
            .into())
    }
}

/// Returns `PATH` with an environment's `bin` prepended, and without the `bin` directories that an
/// outer vpython added.
fn search_path(bin: &Path, path: Option<&OsStr>) -> OsString {
    let path = path
        .filter(|path| !path.is_empty())
        .unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut joined = bin.as_os_str().as_bytes().to_vec();
    // Split and joined by hand: an empty item means the current directory and must stay empty.
    for directory in path.as_bytes().split(|byte| *byte == b':') {
        if !is_environment_bin(Path::new(OsStr::from_bytes(directory))) {
            joined.push(b':');
            joined.extend_from_slice(directory);
        }
    }
    OsString::from_vec(joined)
}

/// Returns the first-party roots followed by the caller's `PYTHONPATH`, or `None` if there are no
/// first-party roots.
fn python_path(roots: &[PathBuf], given: Option<&OsStr>) -> Result<Option<OsString>> {
    if roots.is_empty() {
        return Ok(None);
    }
    let joined = std::env::join_paths(roots).map_err(|_| {
        let colon = roots
            .iter()
            .find(|root| root.as_os_str().as_bytes().contains(&b':'));
        let root = colon
            .map(|root| root.display().to_string())
            .unwrap_or_default();
        Failure::new(format!("cannot put `{root}` on `PYTHONPATH`"))
            .because("a path list cannot hold a path with a colon")
    })?;
    let mut list = joined;
    if let Some(given) = given {
        list.push(":");
        list.push(given);
    }
    Ok(Some(list))
}

fn set(environment: &mut Vec<(OsString, OsString)>, name: &str, value: OsString) {
    environment.retain(|(known, _)| known != name);
    environment.push((name.into(), value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handoff(environment: &[(&str, &str)], roots: &[&str]) -> Vec<(String, String)> {
        let process = Process {
            environment: environment
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Process::default()
        };
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        let handoff = Handoff::into_environment(
            Path::new("/e"),
            "/e/bin/python3".into(),
            &["x.py".into()],
            &roots,
            &process,
        )
        .unwrap();
        assert_eq!(handoff.arguments, ["-s", "x.py"]);
        handoff
            .environment
            .into_iter()
            .map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap()))
            .collect()
    }

    fn value(environment: &[(&str, &str)], roots: &[&str], name: &str) -> Option<String> {
        handoff(environment, roots)
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    #[test]
    fn what_would_change_the_environment_is_removed() {
        let names = REMOVED.map(|name| (name, "x"));
        for name in REMOVED {
            assert_eq!(value(&names, &[], name), None, "{name}");
        }
        assert_eq!(
            value(&[("PYTHONNOUSERSITE", "")], &[], "PYTHONNOUSERSITE").as_deref(),
            Some("1")
        );
        assert_eq!(
            value(&[("VIRTUAL_ENV", "/other")], &[], "VIRTUAL_ENV").as_deref(),
            Some("/e")
        );
        assert_eq!(
            value(&[("LANG", "C")], &[], "LANG").as_deref(),
            Some("C"),
            "all other variables are the caller's"
        );
    }

    #[test]
    fn path_begins_with_the_environment() {
        let outer = format!("/store/v1/envs/{}/bin", "ab".repeat(20));
        let rows = [
            (
                Some("/usr/bin:/bin".to_owned()),
                "/e/bin:/usr/bin:/bin",
                "the caller's follows",
            ),
            (
                Some(format!("{outer}:/bin")),
                "/e/bin:/bin",
                "an outer vpython's is removed",
            ),
            (
                Some("/usr/bin::/bin".to_owned()),
                "/e/bin:/usr/bin::/bin",
                "the current directory stays where it was",
            ),
            (
                Some(String::new()),
                "/e/bin:/bin:/usr/bin",
                "an empty one is not the current directory",
            ),
            (
                None,
                "/e/bin:/bin:/usr/bin",
                "without a value, python uses this default",
            ),
        ];
        for (path, expected, why) in rows {
            let environment: Vec<(&str, &str)> =
                path.iter().map(|path| ("PATH", path.as_str())).collect();
            assert_eq!(
                value(&environment, &[], "PATH").as_deref(),
                Some(expected),
                "{why}"
            );
        }
    }

    #[test]
    fn first_party_roots_come_before_the_callers() {
        assert_eq!(value(&[], &[], "PYTHONPATH"), None);
        assert_eq!(
            value(&[("PYTHONPATH", "/x")], &[], "PYTHONPATH").as_deref(),
            Some("/x")
        );
        assert_eq!(
            value(&[("PYTHONPATH", "/x")], &["/a", "/b"], "PYTHONPATH").as_deref(),
            Some("/a:/b:/x")
        );
        assert_eq!(
            value(&[("PYTHONPATH", "")], &["/a"], "PYTHONPATH").as_deref(),
            Some("/a")
        );
        assert!(python_path(&["/a:b".into()], None).is_err());
    }
}
