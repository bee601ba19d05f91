//! The real interpreters of the machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::launch::start;

/// A real CPython 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The real path of its binary.
    pub path: PathBuf,
    /// The minor version.
    pub minor: u32,
    /// The full version, as in `3.11.7`.
    pub version: String,
    /// Whether it is a free-threaded build.
    pub free_threaded: bool,
}

impl Python {
    /// All interpreters except free-threaded builds, sorted by version: those of pyenv, on `PATH`,
    /// and of the system.
    pub fn all() -> &'static [Self] {
        &Self::found().0
    }

    /// All interpreters, and the free-threaded builds.
    fn found() -> &'static (Vec<Self>, Vec<Self>) {
        static FOUND: OnceLock<(Vec<Python>, Vec<Python>)> = OnceLock::new();
        FOUND.get_or_init(|| {
            let mut pythons: Vec<Self> = candidates()
                .iter()
                .filter_map(|path| Self::ask(path))
                .collect();
            pythons.sort_by(|one, other| (one.minor, &one.path).cmp(&(other.minor, &other.path)));
            pythons.dedup_by(|one, other| one.path == other.path);
            let (mut free_threaded, normal): (Vec<_>, Vec<_>) =
                pythons.into_iter().partition(|python| python.free_threaded);
            // One has two names, `python3.13` and `python3.13t`.
            free_threaded.dedup_by_key(|python| python.minor);
            assert!(
                !normal.is_empty(),
                "these tests need a CPython 3.6 or later: pyenv's, or one on PATH"
            );
            (normal, free_threaded)
        })
    }

    /// The default interpreter of tests: 3.11 if it is installed.
    pub fn any() -> &'static Self {
        let all = Self::all();
        all.iter()
            .find(|python| python.minor == 11)
            .unwrap_or(&all[all.len() - 1])
    }

    /// An interpreter of another minor version than [`Python::any`].
    pub fn other() -> Option<&'static Self> {
        let found = Self::all()
            .iter()
            .find(|python| python.minor != Self::any().minor);
        if found.is_none() {
            not_tested!("there is only one version of CPython");
        }
        found
    }

    /// One interpreter of each minor version.
    pub fn each_minor() -> Vec<&'static Self> {
        let mut pythons: Vec<&Self> = Self::all().iter().collect();
        pythons.dedup_by_key(|python| python.minor);
        pythons
    }

    /// One interpreter of each minor version, and the free-threaded builds.
    pub fn each_build() -> Vec<&'static Self> {
        let free_threaded = &Self::found().1;
        if free_threaded.is_empty() {
            not_tested!("there is no free-threaded CPython");
        }
        Self::each_minor()
            .into_iter()
            .chain(free_threaded)
            .collect()
    }

    /// The name with the version, as in `python3.11` or `python3.13t`, which directories of the
    /// interpreter and of its environments have too.
    pub fn name(&self) -> String {
        let threads = if self.free_threaded { "t" } else { "" };
        format!("python3.{}{threads}", self.minor)
    }

    /// A CPython 2.7: that of pyenv, or the one on `PATH`. Returns `None`, and says so, without
    /// one.
    pub fn two() -> Option<PathBuf> {
        let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
        let root = root
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")));
        let versions = root
            .and_then(|root| std::fs::read_dir(root.join("versions")).ok())
            .into_iter()
            .flatten();
        let installed = versions.map(|entry| entry.unwrap().path()).filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("2.7."))
        });
        let found = installed
            .map(|version| version.join("bin/python2.7"))
            .chain([PathBuf::from("/usr/bin/python2.7")]);
        let found = found
            .into_iter()
            .find_map(|path| std::fs::canonicalize(path).ok());
        if found.is_none() {
            not_tested!("there is no CPython 2.7");
        }
        found
    }

    fn ask(path: &Path) -> Option<Self> {
        let text = "import os, sys; print(os.path.realpath(sys.executable)); print('%d.%d.%d' % sys.version_info[:3] + ' ' + sys.abiflags)";
        let mut command = Command::new(path);
        command
            .args(["-I", "-S", "-c", text])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let output = start(&mut command).wait_with_output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (path, version) = text.split_once('\n')?;
        let (version, flags) = version.trim_end_matches('\n').split_once(' ')?;
        let minor = version
            .strip_prefix("3.")?
            .split('.')
            .next()?
            .parse()
            .ok()?;
        (minor >= 6).then(|| Self {
            path: path.into(),
            minor,
            version: version.into(),
            free_threaded: flags.contains('t'),
        })
    }
}

/// Binaries that may be a python. Scripts on `PATH`, and vpython itself, are skipped.
fn candidates() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let pyenv = variable("PYENV_ROOT").or_else(|| variable("HOME").map(|home| home.join(".pyenv")));
    let versions = pyenv
        .map(|root| root.join("versions"))
        .and_then(|versions| std::fs::read_dir(versions).ok());
    let mut paths: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path().join("bin/python3"))
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    for directory in std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]) {
        let names =
            ["python3".to_owned()]
                .into_iter()
                .chain((6..=15).flat_map(|minor| {
                    ["", "t"].map(|threads| format!("python3.{minor}{threads}"))
                }));
        paths.extend(names.map(|name| directory.join(name)));
    }
    let mut real: Vec<PathBuf> = paths
        .iter()
        .filter_map(|path| std::fs::canonicalize(path).ok())
        .filter(|path| is_python(path))
        .collect();
    real.sort();
    real.dedup();
    real
}

/// Checks whether a real path is that of a binary with the name of an interpreter.
fn is_python(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 4];
    let is_binary = std::fs::File::open(path)
        .is_ok_and(|mut file| file.read_exact(&mut head).is_ok())
        && head == *b"\x7fELF";
    is_binary
        && path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("python"))
}
