//! `vpython.conf`: what a site sets for all launches of its program, in TOML.
//!
//! The file beside the program's own binary counts, links resolved; where there is none,
//! `/etc/vpython.conf` does. It is one of the two and never both, so that a program that was
//! installed with a file of its own does the same on every machine. Flags and variables win over
//! each key. As of a spec, nothing is believed that a stranger may have put there.
//!
//! Each launch reads it anew, and what it says comes to [`super::Invocation`]: so a memo has what
//! decides a launch among its inputs, and needs no stamp of the file. Where there is none, that
//! costs one attempt to open each.

mod reader;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::fs::{self, Trust};
use crate::process::{Process, variable};
use crate::report::{self, Failure};

/// What `VPYTHON_CONF` names where no file is to be read, as pip's `PIP_CONFIG_FILE` does.
const NO_FILE: &str = "/dev/null";

/// What the file says; nothing where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf {
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Where the store is.
    pub root: Option<Set<PathBuf>>,
    /// Wheelhouses after those of the spec.
    pub wheels: Option<Set<Vec<PathBuf>>>,
    /// The spec of a program that has none.
    pub default_spec: Option<Set<PathBuf>>,
    /// The versions of Python to look for first where a spec names none, for the name that the
    /// program is called by.
    pub python: Option<Set<Vec<String>>>,
    /// For how long an environment stays unused before it is pruned.
    pub prune_older_than: Option<Set<Duration>>,
    /// How large the store may grow, in bytes.
    pub prune_max_size: Option<Set<u64>>,
    /// Whether `fetch` may use the network.
    pub fetch_allow: Option<Set<bool>>,
    /// The index that `fetch` asks.
    pub fetch_index_url: Option<Set<String>>,
    /// Words for pip, before those of the command line.
    pub fetch_pip_options: Option<Set<Vec<String>>>,
    /// The text that `VPYTHON_BYPASS` acts on.
    pub bypass: Option<Set<String>>,
    /// What its author should know, a sentence each, with the line.
    pub warnings: Vec<String>,
}

/// A value that the file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// The line in which it stands, counted from 1.
    pub line: usize,
}

impl Conf {
    /// Reads the file that counts: the one that `VPYTHON_CONF` names, or the first of the usual
    /// ones that is there and trusted.
    ///
    /// # Errors
    /// All that is wrong in it, each with line and column; the one that is named cannot be read.
    pub(super) fn read(process: &Process) -> Result<Self> {
        if let Some(path) = process.setting(variable::CONF) {
            let path = process.absolute(path.as_ref());
            if path == Path::new(NO_FILE) {
                return Ok(Self::default());
            }
            let content = fs::read(&path).with_context(|| {
                format!("cannot use the settings that `{}` names", variable::CONF)
            })?;
            return reader::parse(&path, content, process);
        }
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
                Err(why) => warnings.push(format!("`{}` is passed over: {why}", path.display())),
            }
        }
        Ok(Self {
            warnings,
            ..Self::default()
        })
    }

    /// Where a line of the file is.
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

    /// Why `fetch` may not be used; none where it may.
    #[must_use]
    pub fn refusal_of_fetch(&self) -> Option<Failure> {
        let allow = self.fetch_allow.as_ref().filter(|allow| !allow.value)?;
        let failure = Failure::new("`-vpython-tool fetch` may not be used here");
        Some(failure.because(format!(
            "`fetch.allow` is false in {}",
            self.place(allow.line)
        )))
    }
}

/// The content of a file in a usual place; none where there is none.
///
/// # Errors
/// Why it does not count: it cannot be read, or somebody else may have written it.
fn read_trusted(path: &Path, process: &Process) -> Result<Option<Vec<u8>>, String> {
    let cannot = |error: &anyhow::Error| report::one_line(error);
    let Some((mut file, metadata)) = fs::open_if_there(path).map_err(|error| cannot(&error))?
    else {
        return Ok(None);
    };
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let owner = metadata.uid();
    let trust = Trust::of_user(process.user);
    if !owner_of_program(path, process)
        .into_iter()
        .fold(trust, Trust::and)
        .includes(owner)
    {
        return Err(format!("it is user {owner}'s"));
    }
    if fs::is_open_to_all(&metadata) {
        return Err("everybody can write to it".to_owned());
    }
    if fs::metadata(directory)
        .ok()
        .flatten()
        .is_none_or(|directory| fs::is_open_to_all(&directory))
    {
        return Err(format!("everybody can write to `{}`", directory.display()));
    }
    let beginning = fs::read_beginning(&mut file, path).map_err(|error| cannot(&error))?;
    let content = fs::read_rest(&mut file, beginning, path, fs::limits::SETTINGS)
        .map_err(|error| cannot(&error))?;
    fs::leave_open(file);
    Ok(Some(content))
}

/// The owner of the program beside which the file is: who can replace the program need not be
/// distrusted. None for a file elsewhere.
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
    fn the_first_file_that_counts_is_the_only_one() {
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
        assert_eq!(conf.root, None, "nothing of the other");
        fs::set_mode(&files[0], 0o646).unwrap();
        let conf = read();
        let warning = format!(
            "`{}` is passed over: everybody can write to it",
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
        let stranger = Process {
            user: user + 1,
            ..process.clone()
        };
        let owner = format!("it is user {user}'s");
        let passed_over = files.map(|file| format!("`{}` is passed over: {owner}", file.display()));
        match user {
            // The superuser's files are everybody's to believe.
            0 => assert_eq!(Conf::read(&stranger).unwrap().file, read().file),
            _ => assert_eq!(Conf::read(&stranger).unwrap().warnings, passed_over),
        }
    }
}
