//! An environment in the store: finding it, and keeping it while a program runs in it.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{SharedRoot, Store};
use crate::fs::{self, Attempt, Digest};
use crate::interpreter::title_of_version;
use crate::plan::{Key, Plan, is_seed};
use crate::spec::SystemPackages;

/// The manifest of an entry. It is written last, a lock on it shows that the entry is in use, and
/// its modification time is the time of the entry's last use.
pub const MANIFEST: &str = "vpython.json";
/// The marker file in an entry to which byte code was added.
pub const COMPILED: &str = "vpython.compiled";
/// The file in an entry that tells python where its interpreter is, and to ignore the interpreter's
/// own packages.
const CONFIGURATION: &str = "pyvenv.cfg";
/// The age at which a launch renews the time of the last use.
const LAST_USE_PRECISION: Duration = Duration::from_hours(1);

/// The contents of an environment. It contains no absolute path but the interpreter's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The environment's key.
    pub key: Key,
    /// The real path of the interpreter.
    #[serde(with = "crate::fs::path_text")]
    pub interpreter: PathBuf,
    /// The interpreter's version.
    pub python: String,
    /// The installed wheels, sorted by project.
    pub wheels: Vec<InstalledWheel>,
    /// Its site-packages directory.
    pub site: Site,
    /// Whether its python also finds the interpreter's own packages.
    #[serde(default, skip_serializing_if = "SystemPackages::are_hidden")]
    pub system_packages: SystemPackages,
}

/// A wheel in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledWheel {
    /// The project's normalized name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The wheel file's name.
    pub file_name: String,
    /// The digest of the wheel file.
    pub sha256: Digest,
}

/// The site-packages directory of an environment, and its modification time, which any installation
/// into it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The directory, relative to the environment.
    #[serde(rename = "folder")]
    pub directory: String,
    /// Its modification time, in seconds since 1970.
    pub seconds: i64,
    /// The nanoseconds of that second.
    pub nanoseconds: i64,
    /// The size of `pyvenv.cfg`: with a truncated file, python would use the interpreter's own
    /// packages. None in a manifest of an older vpython.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration: Option<u64>,
}

impl Site {
    /// Returns the path of the interpreter, relative to the environment.
    #[must_use]
    pub fn python(&self) -> &'static str {
        if self.directory.starts_with("lib/python2.") {
            "bin/python2.7"
        } else {
            "bin/python3"
        }
    }

    /// Inspects the site-packages directory of a complete environment at `path`.
    fn look(path: &Path, directory: &str) -> Result<Self> {
        let (seconds, nanoseconds) = fs::metadata(&path.join(directory))?
            .map_or((0, 0), |site| (site.mtime(), site.mtime_nsec()));
        let configuration = fs::metadata(&path.join(CONFIGURATION))?.map(|metadata| metadata.len());
        Ok(Self {
            directory: directory.to_owned(),
            seconds,
            nanoseconds,
            configuration,
        })
    }

    /// Returns whether nothing was installed into the environment at `path` since. An archive may
    /// have preserved only whole seconds.
    pub fn holds(&self, path: &Path) -> Result<bool> {
        let Some(site) = fs::metadata(&path.join(&self.directory))? else {
            return Ok(false);
        };
        Ok(site.mtime() == self.seconds
            && (site.mtime_nsec() == self.nanoseconds || site.mtime_nsec() == 0))
    }

    /// Returns whether the environment at `path` is unchanged and has its essential files.
    pub(super) fn is_sound(&self, path: &Path) -> Result<bool> {
        Ok(self.holds(path)? && is_whole(path, self)?)
    }
}

/// Returns whether the environment at `path` still has its essential files: without `pyvenv.cfg`,
/// python would use the interpreter's own packages.
fn is_whole(path: &Path, site: &Site) -> Result<bool> {
    let size_of = |name: &str| {
        Ok::<_, anyhow::Error>(
            fs::metadata(&path.join(name))?
                .and_then(|found| found.is_file().then_some(found.len())),
        )
    };
    let is_configured = size_of(CONFIGURATION)?
        .is_some_and(|size| site.configuration.is_none_or(|expected| size == expected));
    Ok(is_configured && size_of(site.python())?.is_some())
}

impl Manifest {
    /// Returns whether its python is a free-threaded build, whose libraries are in `lib/python3.13t`.
    #[must_use]
    pub fn is_free_threaded(&self) -> bool {
        let mut parts = self.site.directory.split('/');
        parts.any(|part| part.starts_with("python") && part.ends_with('t'))
    }

    /// Returns a short description.
    #[must_use]
    pub fn title(&self) -> String {
        // Seed packages come last: every environment of a LUCI spec has them.
        let (seeds, others): (Vec<_>, Vec<_>) =
            self.wheels.iter().partition(|wheel| is_seed(&wheel.name));
        let wheels = others.into_iter().chain(seeds);
        let names: Vec<String> = wheels
            .map(|wheel| format!("{} {}", wheel.name, wheel.version))
            .collect();
        let python = title_of_version(&self.python, self.is_free_threaded());
        match &names[..] {
            [] => format!("python {python} without wheels"),
            [one] => format!("python {python} with {one}"),
            [one, two] => format!("python {python} with {one} and {two}"),
            [one, two, more @ ..] => {
                format!("python {python} with {one}, {two} and {} more", more.len())
            }
        }
    }

    /// Returns the manifest of an environment that was built as planned at `path`.
    pub fn of(plan: &Plan, key: &Key, path: &Path) -> Result<Self> {
        let wheels = plan.wheels.iter().map(|wheel| InstalledWheel {
            name: wheel.name.to_string(),
            version: wheel.version.to_string(),
            file_name: wheel.file_name(),
            sha256: wheel.sha256,
        });
        Ok(Self {
            key: key.clone(),
            interpreter: plan.interpreter.executable.clone(),
            python: plan.interpreter.version().to_string(),
            wheels: wheels.collect(),
            site: Site::look(path, &plan.interpreter.site_packages)?,
            system_packages: plan.system_packages,
        })
    }
}

/// A complete environment. One in the caller's own store has its shared lock.
#[derive(Debug)]
pub struct Entry {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its site-packages directory.
    pub site: Site,
    /// The shared root that it is in; none if it is in the caller's own store.
    pub shared_root: Option<SharedRoot>,
    /// Open and locked; none in a shared root, where nothing is locked.
    manifest: Option<File>,
    /// When it was last used.
    last_use: Option<SystemTime>,
}

/// The result of looking up a key.
pub enum Lookup {
    /// A complete environment, locked for use.
    Ready(Entry),
    /// Nothing.
    Absent,
    /// An environment that is locked exclusively, for example by a process that removes it.
    Busy,
    /// An environment that was modified after it was built.
    Changed,
}

impl Store {
    /// Looks up an environment by its key.
    pub(super) fn lookup(&self, key: &Key) -> Result<Lookup> {
        let path = self.environments().join(key.as_str());
        match fs::look_for_json::<Manifest>(&path.join(MANIFEST))? {
            Some(manifest) if manifest.key == *key => self.entry(key, &manifest.site),
            _ => Ok(if fs::link_metadata(&path)?.is_some() {
                Lookup::Changed
            } else {
                Lookup::Absent
            }),
        }
    }

    /// Opens and locks the environment with this key, whose site-packages directory is known. It
    /// never waits.
    pub fn entry(&self, key: &Key, site: &Site) -> Result<Lookup> {
        let path = self.environments().join(key.as_str());
        // The file stays open across `execve`, so the lock lasts as long as the program, and the
        // environment is not removed meanwhile.
        let Some(manifest) = fs::open_across_exec(&path.join(MANIFEST))? else {
            return Ok(Lookup::Absent);
        };
        if fs::try_lock_shared(&manifest) == Attempt::Busy {
            return Ok(Lookup::Busy);
        }
        let ours = manifest.metadata()?;
        // A lock on a removed entry protects nothing. The site-packages directory shows whether the
        // entry that now has this name is the locked one: it is inspected after locking, and an
        // entry built meanwhile has a different time.
        if !ours.is_file() || !site.is_sound(&path)? {
            return Ok(if fs::exists(&path) {
                Lookup::Changed
            } else {
                Lookup::Absent
            });
        }
        Ok(Lookup::Ready(Entry {
            path,
            site: site.clone(),
            shared_root: None,
            manifest: Some(manifest),
            last_use: ours.modified().ok(),
        }))
    }

    /// Waits until no process has an exclusive lock on the environment with this key.
    pub(super) fn wait_for(&self, key: &Key) -> Result<()> {
        match fs::open_optional(&self.environments().join(key.as_str()).join(MANIFEST))? {
            Some(manifest) => {
                fs::lock_shared(&manifest);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Entry {
    /// Returns an environment in a shared root.
    pub(super) fn shared(path: PathBuf, site: Site, root: SharedRoot) -> Self {
        Self {
            path,
            site,
            shared_root: Some(root),
            manifest: None,
            last_use: None,
        }
    }

    /// The interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.path.join(self.site.python())
    }

    /// Records that the environment is in use, at most once an hour. In a read-only store and in a
    /// shared root, nothing is recorded.
    pub fn touch(&self) {
        let Some(manifest) = &self.manifest else {
            return;
        };
        let now = SystemTime::now();
        // A time in the future does not count.
        let is_recent = self.last_use.is_some_and(|last| {
            now.duration_since(last)
                .is_ok_and(|age| age < LAST_USE_PRECISION)
        });
        if !is_recent && let Err(error) = manifest.set_modified(now) {
            tracing::debug!(
                "cannot record the use of `{}`: {error}",
                self.path.display()
            );
        }
    }
}

/// Whether a program uses something, according to its lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Use {
    /// No program uses it.
    #[default]
    Free,
    /// A program uses it.
    Busy,
    /// The file system has no locks.
    Unknown,
}

impl From<Attempt> for Use {
    /// Converts the result of an attempt to take an exclusive lock.
    fn from(attempt: Attempt) -> Self {
        match attempt {
            Attempt::Held => Self::Free,
            Attempt::Busy => Self::Busy,
            Attempt::Unsupported => Self::Unknown,
        }
    }
}

/// Returns whether a program runs in the environment at `path`.
pub(super) fn use_of(path: &Path) -> Result<Use> {
    let Some(manifest) = fs::open_optional(&path.join(MANIFEST))? else {
        return Ok(Use::Free);
    };
    Ok(fs::try_lock_exclusive(&manifest).into())
}
