//! A world: a temporary directory with its own home, store, working directory and `PATH`.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use tempfile::TempDir;

use super::{Launch, Python, Wheel};

/// The vpython under test.
pub const VPYTHON: &str = env!("CARGO_BIN_EXE_vpython");

/// The world of one test.
///
/// ```text
/// [WORLD]/.gclient    ends the walk for a spec
/// [WORLD]/home        HOME
/// [WORLD]/root        the store; vpython makes it
/// [WORLD]/bin         first on PATH; `python3` is a link to a real interpreter
/// [WORLD]/work        the current directory, where tests write scripts, specs and wheels
/// ```
#[derive(Debug)]
pub struct World {
    // Dropped last, which removes the whole world.
    _directory: TempDir,
    base: PathBuf,
    /// The interpreter to which `python3` on `PATH` links.
    pub python: &'static Python,
}

impl World {
    /// A world with the default python.
    pub fn new() -> Self {
        Self::with_python(Python::any())
    }

    /// A world with this python.
    pub fn with_python(python: &'static Python) -> Self {
        let directory = tempfile::Builder::new().prefix("world-").tempdir().unwrap();
        let base = std::fs::canonicalize(directory.path()).unwrap();
        for name in ["home", "bin", "work", "tmp"] {
            std::fs::create_dir(base.join(name)).unwrap();
        }
        std::fs::write(base.join(".gclient"), "").unwrap();
        symlink(&python.path, base.join("bin/python3")).unwrap();
        Self {
            _directory: directory,
            base,
            python,
        }
    }

    /// A path in the working directory.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.base.join("work").join(relative)
    }

    /// A path in the world.
    pub fn outside(&self, relative: &str) -> PathBuf {
        self.base.join(relative)
    }

    /// A path in the store's layout.
    pub fn store(&self, relative: &str) -> PathBuf {
        self.base.join("root/v1").join(relative)
    }

    /// Writes a file in the working directory.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.write_with_mode(relative, content, 0o644)
    }

    /// Writes a file with these permission bits.
    pub fn write_with_mode(&self, relative: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(relative);
        write_with_mode(&path, content.as_ref(), mode);
        path
    }

    /// Writes a wheel into `wheels/`, where specs in the working directory find it.
    pub fn wheel(&self, wheel: &Wheel) -> PathBuf {
        wheel.write_to(&self.path("wheels"))
    }

    /// Copies vpython to a path in the world.
    pub fn copy_vpython(&self, relative: &str) -> PathBuf {
        let path = self.outside(relative);
        write_with_mode(&path, &std::fs::read(VPYTHON).unwrap(), 0o755);
        path
    }

    /// vpython with these arguments, to be run in this world.
    pub fn vpython<W: AsRef<std::ffi::OsStr>>(
        &self,
        words: impl IntoIterator<Item = W>,
    ) -> Launch<'_> {
        self.program(VPYTHON, words)
    }

    /// Another program, to be run in the same way as vpython.
    pub fn program<W: AsRef<std::ffi::OsStr>>(
        &self,
        program: impl AsRef<Path>,
        words: impl IntoIterator<Item = W>,
    ) -> Launch<'_> {
        Launch::new(self, program.as_ref(), words)
    }

    /// A pyenv root, `pyenv` next to the other directories, in which these are installed under
    /// their versions.
    pub fn pyenv(&self, pythons: &[&Python]) {
        for python in pythons {
            let bin = self.outside(&format!("pyenv/versions/{}/bin", python.version));
            std::fs::create_dir_all(&bin).unwrap();
            std::os::unix::fs::symlink(&python.path, bin.join("python3")).unwrap();
        }
    }

    /// The value of `PATH`.
    pub fn search_path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.outside("bin").display())
    }

    /// Installs the environment of a command line, and returns its path.
    pub fn install<W: AsRef<std::ffi::OsStr>>(
        &self,
        words: impl IntoIterator<Item = W>,
    ) -> PathBuf {
        let outcome = self
            .vpython(["-vpython-tool", "install"])
            .arguments(words)
            .run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome.raw_stdout.trim_end_matches('\n').into()
    }

    /// The warning of `pack` about an interpreter that other machines may not have.
    pub fn interpreter_warning(&self) -> String {
        interpreter_warning(&self.python.path)
    }

    /// The environments in the store.
    pub fn environments(&self) -> Vec<PathBuf> {
        list(&self.store("envs"))
    }

    /// The remains of unfinished builds.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        [
            self.environments(),
            list(&self.store("wheels")),
            list(&self.store("tmp")),
        ]
        .concat()
    }

    /// The text with the parts that differ between worlds replaced.
    pub fn redact(&self, text: &str) -> String {
        let text = text.replace(self.base.to_str().unwrap(), "[WORLD]");
        let text = text.replace(self.python.path.to_str().unwrap(), "[PYTHON]");
        let text = text.replace(&self.python.version, "[VERSION]");
        redact_times(&redact_keys(&redact_indexes(&text)))
    }
}

/// The warning of `pack` about this interpreter, with its path as [`World::redact`] leaves it.
pub fn interpreter_warning(python: &Path) -> String {
    let is_below = |directories: &[&str]| {
        directories
            .iter()
            .any(|directory| python.starts_with(directory))
    };
    let place = match python {
        _ if is_below(&["/home", "/root", "/Users"]) => "below a home directory",
        _ if is_below(&[
            "/usr",
            "/bin",
            "/sbin",
            "/lib",
            "/lib64",
            "/opt",
            "/nix/store",
            "/Library",
        ]) =>
        {
            return String::new();
        }
        _ => "outside the system's directories",
    };
    format!(
        "vpython: warning: the package needs `[PYTHON]`, which is {place}; other machines may not have it\n\
         vpython: use `-vpython-interpreter /usr/bin/python3` to pack for the system interpreter, or `--with-python` to include a copy of this one\n"
    )
}

/// Held for reading while a program is started, and for writing while one is written. A process
/// that is forked in between briefly has the file open for writing, and until then it cannot be
/// executed ("text file busy").
pub static STARTS: RwLock<()> = RwLock::new(());

/// Held for reading by a test in its own mount namespace, and for writing by one that unmounts a file
/// system: a copy of the mount in another namespace would keep the file system alive.
pub static MOUNTS: RwLock<()> = RwLock::new(());

/// Writes a file and creates its parent directories.
pub fn write_with_mode(path: &Path, content: &[u8], mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _nobody_starts = STARTS.write().unwrap_or_else(PoisonError::into_inner);
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Replaces the text after `envs/` that has the form of a key.
fn redact_keys(text: &str) -> String {
    let mut parts = text.split("/envs/");
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_key = part.len() >= 40 && part.as_bytes()[..40].iter().all(u8::is_ascii_hexdigit);
        redacted.push_str(if is_key { "/envs/[KEY]" } else { "/envs/" });
        redacted.push_str(if is_key { &part[40..] } else { part });
    }
    redacted
}

/// Replaces the address of a package index, whose port is another one in each run.
fn redact_indexes(text: &str) -> String {
    let mut parts = text.split("http://127.0.0.1:");
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        redacted.push_str("[INDEX]");
        redacted.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    redacted
}

/// Replaces the duration at the end of the summary of `install`, as in `vpython: 1 wheel, 20 files,
/// 0.3 s`.
fn redact_times(text: &str) -> String {
    let line = |line: &str| match line
        .strip_suffix(" s\n")
        .and_then(|line| line.rsplit_once(" files, "))
    {
        Some((start, time)) if start.starts_with("vpython: ") && is_time(time) => {
            format!("{start} files, [TIME]\n")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Checks whether the text is seconds with one decimal place.
fn is_time(text: &str) -> bool {
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(whole, part)| is_number(whole) && is_number(part) && part.len() == 1)
}

/// The paths in a directory, sorted; none if the directory does not exist.
fn list(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The files and links below a directory, each with its permission bits and its content or target.
pub fn files(directory: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(directory).into_iter();
    let entries = entries.map(|entry| entry.unwrap());
    entries
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let name = entry.path().strip_prefix(directory).unwrap();
            let content = if entry.path_is_symlink() {
                let target = std::fs::read_link(entry.path()).unwrap();
                target.into_os_string().into_encoded_bytes()
            } else {
                std::fs::read(entry.path()).unwrap()
            };
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            (name.to_string_lossy().into_owned(), (mode, content))
        })
        .collect()
}

/// Everything below a directory, a line each: path, kind and permission bits, size, and time of the
/// last change.
pub fn tree(directory: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    let line = |entry: walkdir::DirEntry| {
        let metadata = entry.path().symlink_metadata().unwrap();
        let times = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
        format!(
            "{} {:o} {} {times}",
            entry.path().display(),
            metadata.mode(),
            metadata.len()
        )
    };
    entries.map(line).collect()
}
