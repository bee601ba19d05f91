//! `vpython.conf`: a site's settings for all launches, in TOML.
//!
//! vpython reads the file next to its own binary (symlinks resolved) or, if there is none,
//! `/etc/vpython.conf`. It never reads both, so a program installed with its own file behaves the
//! same on every machine. Flags and variables override each key. As with specs, a file that an
//! untrusted user may have written is not used.
//!
//! Each launch reads the file, and its values become part of [`super::Invocation`]. So they are
//! among the inputs of a memo, which needs no stamp of the file. If there is no file, the cost is
//! one failed open for each path.

mod reader;
mod values;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::WheelhouseReference;
use crate::fs::{self, Trust};
use crate::oci::Reference;
use crate::process::{Process, variable};
use crate::report::{self, Failure};

/// The value of `VPYTHON_CONF` that disables the file, as for pip's `PIP_CONFIG_FILE`.
const NO_FILE: &str = "/dev/null";

/// The contents of the file; the default if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf {
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// The store's directory.
    pub root: Option<Set<PathBuf>>,
    /// Stores to look into before anything is built or fetched.
    pub shared_roots: Option<Set<Vec<PathBuf>>>,
    /// The image layouts and registries whose built wheels are used without a pin in a lock.
    pub trusted_built_wheels: Option<Set<Vec<Reference>>>,
    /// Wheelhouses, searched after those of the spec.
    pub wheels: Option<Set<Vec<WheelhouseReference>>>,
    /// The spec for programs that have none.
    pub default_spec: Option<Set<PathBuf>>,
    /// The Python versions to look for first if a spec names none, for the name under which vpython
    /// was started.
    pub python: Option<Set<Vec<String>>>,
    /// The age at which an unused environment is pruned.
    pub prune_older_than: Option<Set<Duration>>,
    /// The maximum size of the store, in bytes.
    pub prune_max_size: Option<Set<u64>>,
    /// Whether `fetch` may use the network.
    pub fetch_allow: Option<Set<bool>>,
    /// The index URL for `fetch`.
    pub fetch_index_url: Option<Set<String>>,
    /// Options for pip, before those of the command line.
    pub fetch_pip_options: Option<Set<Vec<String>>>,
    /// The value that `VPYTHON_BYPASS` would have.
    pub bypass: Option<Set<String>>,
    /// Warnings for the file's author, each with the line.
    pub warnings: Vec<String>,
}

/// A value that the file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// The line of the value, counted from 1.
    pub line: usize,
}

impl Conf {
    /// Reads the file that `VPYTHON_CONF` names, or the first existing trusted file of the default
    /// paths.
    ///
    /// # Errors
    /// All errors in the file, each with line and column; or the file that `VPYTHON_CONF` names
    /// cannot be read.
    pub(super) fn read(process: &Process) -> Result<Self> {
        // A file that the caller names is trusted, and must be readable.
        if let Some(path) = process.setting(variable::CONF) {
            let path = process.absolute(path.as_ref());
            if path == Path::new(NO_FILE) {
                return Ok(Self::default());
            }
            let content = fs::read(&path).with_context(|| {
                format!("cannot read the settings file from `{}`", variable::CONF)
            })?;
            return reader::parse(&path, content, process);
        }
        // Otherwise the first trusted default file counts; the others are reported.
        let mut warnings = Vec::new();
        for path in &process.conf_files {
            match read_trusted(path, process) {
                Ok(Some(content)) => {
                    let conf = reader::parse(path, content, process)?;
                    return Ok(Self {
                        warnings: warnings.into_iter().chain(conf.warnings).collect(),
                        ..conf
                    });
                }
                Ok(None) => {}
                Err(why) => warnings.push(format!("`{}` is ignored: {why}", path.display())),
            }
        }
        Ok(Self {
            warnings,
            ..Self::default()
        })
    }

    /// Returns the location of a line of the file, for messages.
    #[must_use]
    pub fn place(&self, line: usize) -> String {
        format!(
            "`{}`, line {line}",
            self.file
                .as_deref()
                .unwrap_or(Path::new("vpython.conf"))
                .display()
        )
    }

    /// Returns the error if the settings disable `fetch`.
    #[must_use]
    pub fn refusal_of_fetch(&self) -> Option<Failure> {
        let allow = self.fetch_allow.as_ref().filter(|allow| !allow.value)?;
        let failure = Failure::new("`-vpython-tool fetch` is disabled here");
        Some(failure.because(format!(
            "`fetch.allow` is false in {}",
            self.place(allow.line)
        )))
    }
}

/// Returns the content of a file at a default path; `None` if it does not exist.
///
/// # Errors
/// The reason for not using the file: it cannot be read, or another user may have written it.
fn read_trusted(path: &Path, process: &Process) -> Result<Option<Vec<u8>>, String> {
    let cannot = |error: &anyhow::Error| report::one_line(error);
    let Some((mut file, metadata)) = fs::open_if_there(path).map_err(|error| cannot(&error))?
    else {
        return Ok(None);
    };
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    // Only the user, the superuser and the owner of the program may have written the file.
    let directory = path.parent().unwrap_or(Path::new("/"));
    let owner = metadata.uid();
    let trust = Trust::of_user(process.user);
    if !owner_of_program(path, process)
        .into_iter()
        .fold(trust, Trust::and)
        .includes(owner)
    {
        return Err(format!("it belongs to user {owner}"));
    }
    if fs::is_open_to_all(&metadata) {
        return Err("every user can write to it".to_owned());
    }
    if fs::metadata(directory)
        .ok()
        .flatten()
        .is_none_or(|directory| fs::is_open_to_all(&directory))
    {
        return Err(format!("every user can write to `{}`", directory.display()));
    }
    // Read through the descriptor that was checked, so that the file cannot be swapped.
    let beginning = fs::read_beginning(&mut file, path).map_err(|error| cannot(&error))?;
    let content = fs::read_rest(&mut file, beginning, path, fs::limits::SETTINGS)
        .map_err(|error| cannot(&error))?;
    fs::leave_open(file);
    Ok(Some(content))
}

/// Returns the owner of the program next to the file: a user who can replace the program is trusted
/// with its settings. `None` for a file elsewhere.
fn owner_of_program(path: &Path, process: &Process) -> Option<u32> {
    let program = process
        .executable
        .as_deref()
        .filter(|program| program.parent() == path.parent())?;
    Some(fs::metadata(program).ok()??.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_trusted_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["beside.conf", "etc.conf"].map(|name| directory.path().join(name));
        let user = fs::metadata(directory.path()).unwrap().unwrap().uid();
        let process = Process {
            conf_files: files.to_vec(),
            user,
            ..Process::default()
        };
        let read = || Conf::read(&process).unwrap();
        assert_eq!(read(), Conf::default(), "there is none");
        fs::write_new(&files[1], b"bypass = 'etc'\nroot = '/etc-root'\n", 0o644).unwrap();
        assert_eq!(read().file.as_ref(), Some(&files[1]));
        fs::write_new(&files[0], b"bypass = 'beside'\n", 0o644).unwrap();
        let conf = read();
        assert_eq!(
            (conf.file.as_ref(), conf.bypass.unwrap().value.as_str()),
            (Some(&files[0]), "beside")
        );
        assert_eq!(conf.root, None, "no value of the other file");
        fs::set_mode(&files[0], 0o646).unwrap();
        let conf = read();
        let warning = format!(
            "`{}` is ignored: every user can write to it",
            files[0].display()
        );
        assert_eq!(
            (conf.file.as_ref(), conf.warnings),
            (Some(&files[1]), vec![warning])
        );
        let none = Process {
            environment: vec![("VPYTHON_CONF".into(), "/dev/null".into())],
            ..process.clone()
        };
        assert_eq!(Conf::read(&none).unwrap(), Conf::default());
        let other_user = Process {
            user: user + 1,
            ..process.clone()
        };
        let owner = format!("it belongs to user {user}");
        let ignored = files.map(|file| format!("`{}` is ignored: {owner}", file.display()));
        match user {
            // Files of the superuser are trusted by all users.
            0 => assert_eq!(Conf::read(&other_user).unwrap().file, read().file),
            _ => assert_eq!(Conf::read(&other_user).unwrap().warnings, ignored),
        }
    }
}
