//! An environment in the store: how it is found, and how it is kept while a program runs in it.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::fs::{self, Attempt, Digest};
use crate::plan::{Key, Plan, is_seed};
use crate::spec::SystemPackages;

/// The file in an entry that says what it is. It is written last, its lock says that the entry is
/// in use, and its time of change is the time of the entry's last use.
pub const MANIFEST: &str = "vpython.json";
/// The file in an entry that says that byte code was put into it.
pub const COMPILED: &str = "vpython.compiled";
/// The file in an entry that tells python where its interpreter is, and that it is to use no
/// packages of that.
const CONFIGURATION: &str = "pyvenv.cfg";
/// How old the last-use stamp may grow before a launch renews it.
const LAST_USE_PRECISION: Duration = Duration::from_hours(1);

/// What an environment is made of. It names no place but the interpreter's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The environment's key.
    pub key: Key,
    /// The real path of the interpreter.
    #[serde(with = "crate::fs::path_text")]
    pub interpreter: PathBuf,
    /// The interpreter's version.
    pub python: String,
    /// What was installed, sorted by project.
    pub wheels: Vec<InstalledWheel>,
    /// Where its packages are.
    pub site: Site,
    /// Whether its python finds the interpreter's own packages too.
    #[serde(default, skip_serializing_if = "SystemPackages::are_hidden")]
    pub system_packages: SystemPackages,
}

/// A wheel in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledWheel {
    /// The project's normalised name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The wheel file's name.
    pub file_name: String,
    /// The digest of the wheel file.
    pub sha256: Digest,
}

/// The site-packages directory of an environment, and when it was last changed: whatever is
/// installed there changes that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The directory, relative to the environment.
    #[serde(rename = "folder")]
    pub directory: String,
    /// The time of its last change, in seconds since 1970.
    pub seconds: i64,
    /// And the nanoseconds of that second.
    pub nanoseconds: i64,
    /// The size of `pyvenv.cfg`: one that was cut off lets python use the interpreter's own
    /// packages. None where an older vpython built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration: Option<u64>,
}

impl Site {
    /// The interpreter that belongs to it, relative to the environment.
    #[must_use]
    pub fn python(&self) -> &'static str {
        if self.directory.starts_with("lib/python2.") {
            "bin/python2.7"
        } else {
            "bin/python3"
        }
    }

    /// Looks at the directory of an environment that stands, complete, at `path`.
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

    /// Whether nothing was installed into the environment at `path` since. An archive may have kept
    /// whole seconds only.
    pub fn holds(&self, path: &Path) -> Result<bool> {
        let Some(site) = fs::metadata(&path.join(&self.directory))? else {
            return Ok(false);
        };
        Ok(site.mtime() == self.seconds
            && (site.mtime_nsec() == self.nanoseconds || site.mtime_nsec() == 0))
    }
}

/// Whether the environment at `path` still has what makes it one: without the first, python would
/// use the interpreter's own packages.
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
    /// What it is, in a few words.
    #[must_use]
    pub fn title(&self) -> String {
        // What each environment of LUCI's specs has says least.
        let (seeds, others): (Vec<_>, Vec<_>) =
            self.wheels.iter().partition(|wheel| is_seed(&wheel.name));
        let wheels = others.into_iter().chain(seeds);
        let names: Vec<String> = wheels
            .map(|wheel| format!("{} {}", wheel.name, wheel.version))
            .collect();
        match &names[..] {
            [] => format!("python {} without wheels", self.python),
            [one] => format!("python {} with {one}", self.python),
            [one, two] => format!("python {} with {one} and {two}", self.python),
            [one, two, more @ ..] => format!(
                "python {} with {one}, {two} and {} more",
                self.python,
                more.len()
            ),
        }
    }

    /// The manifest of an environment that was built as planned and stands at `path`.
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

/// An environment that stands, with the shared lock that keeps it.
#[derive(Debug)]
pub struct Entry {
    /// Where it is, from `/` on.
    pub path: PathBuf,
    /// Its site-packages directory.
    pub site: Site,
    /// Open and locked.
    manifest: File,
    /// When it was last used.
    last_use: Option<SystemTime>,
}

/// What stands under a key.
pub(super) enum Lookup {
    /// A complete environment, locked for use.
    Ready(Entry),
    /// Nothing.
    Absent,
    /// An environment that somebody has locked for himself, as who removes it does.
    Busy,
    /// Something that is no longer what was built.
    Changed,
}

impl Store {
    /// Looks for an environment by its key.
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

    /// Opens and locks the environment of a key whose site-packages is known. Never waits.
    pub(super) fn entry(&self, key: &Key, site: &Site) -> Result<Lookup> {
        let path = self.environments().join(key.as_str());
        // Left open across `execve`, the lock lasts as long as the program: nobody removes the
        // environment under it.
        let Some(manifest) = fs::open_across_exec(&path.join(MANIFEST))? else {
            return Ok(Lookup::Absent);
        };
        if fs::try_lock_shared(&manifest) == Attempt::Busy {
            return Ok(Lookup::Busy);
        }
        let ours = manifest.metadata()?;
        // A lock on a removed entry keeps nothing. That what has this name now is what was locked
        // tells its site-packages: it is looked at behind the lock, and whatever was built in the
        // meantime has one of another time.
        if !ours.is_file() || !site.holds(&path)? || !is_whole(&path, site)? {
            return Ok(if fs::exists(&path) {
                Lookup::Changed
            } else {
                Lookup::Absent
            });
        }
        Ok(Lookup::Ready(Entry {
            path,
            site: site.clone(),
            manifest,
            last_use: ours.modified().ok(),
        }))
    }

    /// Waits until nobody has the environment of a key for himself.
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
    /// The interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.path.join(self.site.python())
    }

    /// Notes that the environment is used, at most once an hour. In a store that cannot be written,
    /// nothing is noted.
    pub fn touch(&self) {
        let now = SystemTime::now();
        // A stamp in the future is as good as none.
        let is_recent = self.last_use.is_some_and(|last| {
            now.duration_since(last)
                .is_ok_and(|age| age < LAST_USE_PRECISION)
        });
        if !is_recent && let Err(error) = self.manifest.set_modified(now) {
            tracing::debug!("cannot note the use of `{}`: {error}", self.path.display());
        }
    }
}

/// Whether a program uses something, as far as its lock tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Use {
    /// None does.
    #[default]
    Free,
    /// One does.
    InUse,
    /// The file system has no locks.
    Unknown,
}

impl From<Attempt> for Use {
    /// What an attempt to have it for oneself tells.
    fn from(attempt: Attempt) -> Self {
        match attempt {
            Attempt::Held => Self::Free,
            Attempt::Busy => Self::InUse,
            Attempt::Unsupported => Self::Unknown,
        }
    }
}

/// Whether a program runs in the environment at `path`.
pub(super) fn use_of(path: &Path) -> Result<Use> {
    let Some(manifest) = fs::open_optional(&path.join(MANIFEST))? else {
        return Ok(Use::Free);
    };
    Ok(fs::try_lock_exclusive(&manifest).into())
}
