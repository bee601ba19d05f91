//! Shared roots: stores that others have filled, such as `/var/lib/vpython`, a network file system
//! or a mounted image. vpython looks into them before it builds or fetches anything, and never
//! writes to them: it takes no lock there and records no use.
//!
//! The path to a shared root is checked like that to the caller's own store, in a cold launch. The
//! memo of that launch keeps the owner and the permission bits, which a warm launch compares with
//! one system call.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, MANIFEST, Manifest, Site};
use super::{LAYOUT_DIRECTORY, Store, path_trust};
use crate::fs::{self, Digest};
use crate::plan::Key;
use crate::report::{self, Failure};

/// A shared root that the caller trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedRoot {
    /// Its absolute path.
    #[serde(with = "crate::fs::path_text")]
    pub path: PathBuf,
    /// Its owner when it was checked.
    owner: u32,
    /// Its kind and permission bits then.
    mode: u32,
}

/// The shared roots of a launch.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedRoots {
    /// The paths as the caller named them.
    named: Vec<PathBuf>,
    /// The result of the check, which a warm launch does not need.
    checked: OnceLock<Checked>,
}

/// The result of checking shared roots.
#[derive(Debug, Clone, Default)]
struct Checked {
    usable: Vec<SharedRoot>,
    /// Why others are not used, one sentence each.
    warnings: Vec<String>,
}

impl SharedRoots {
    pub fn new(named: &[PathBuf]) -> Self {
        Self {
            named: named.to_vec(),
            checked: OnceLock::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Checks all of them, once.
    fn checked(&self, own: &Path, user: u32) -> &Checked {
        self.checked.get_or_init(|| {
            let mut checked = Checked::default();
            for path in self.named.iter().filter(|path| *path != own) {
                match SharedRoot::check(path, user) {
                    Ok(Some(root)) if !checked.usable.contains(&root) => checked.usable.push(root),
                    Ok(_) => {}
                    Err(error) => checked.warnings.push(report::one_line(&error)),
                }
            }
            checked
        })
    }
}

impl SharedRoot {
    /// Checks each directory from `/` to the environments and the wheels in the root at `path`;
    /// none if there is no store, as below a mount point that nothing is mounted on.
    fn check(path: &Path, user: u32) -> Result<Option<Self>> {
        // This lookup also makes an automounter mount the root.
        let layout = path.join(LAYOUT_DIRECTORY);
        if !fs::exists(&layout) {
            tracing::debug!("there is no store in the shared root `{}`", path.display());
            return Ok(None);
        }
        let what = format!("cannot use the shared root `{}`", path.display());
        let root = path_trust::check_closed(path, &what, user)?;
        let within = ["envs", "wheels", "pythons"].map(|name| layout.join(name));
        for directory in std::iter::once(layout).chain(within) {
            if !fs::exists(&directory) {
                continue;
            }
            let stat = path_trust::check_closed(&directory, &what, user)?;
            // A store that was private has private directories even if its root no longer is.
            let access = AccessFlags::R_OK | AccessFlags::X_OK;
            if faccessat(AT_FDCWD, &directory, access, AtFlags::AT_EACCESS).is_err() {
                let mode = stat.st_mode & 0o7777;
                let why = format!(
                    "`{}` is not readable (mode {mode:04o})",
                    directory.display()
                );
                return Err(Failure::new(what).because(why).into());
            }
        }
        // Python 3.14 warns about an interpreter whose path is not normalized.
        let has_parents = path.components().any(|part| part == Component::ParentDir);
        Ok(Some(Self {
            path: if has_parents {
                fs::canonicalize(path)?
            } else {
                path.to_owned()
            },
            owner: root.st_uid,
            mode: root.st_mode,
        }))
    }

    /// Returns whether the root still has the owner and the permission bits with which it was
    /// checked.
    fn holds(&self) -> bool {
        let found = fs::metadata(&self.path).ok().flatten();
        found.is_some_and(|found| found.uid() == self.owner && found.mode() == self.mode)
    }

    /// Returns the path of the environment with this key, which need not exist.
    fn path_of(&self, key: &Key) -> PathBuf {
        self.layout().join("envs").join(key.as_str())
    }

    fn layout(&self) -> PathBuf {
        self.path.join(LAYOUT_DIRECTORY)
    }

    /// Returns the environment with this key, whose site-packages directory is known; none if it is
    /// missing or was changed.
    #[must_use]
    pub fn entry(&self, key: &Key, site: &Site) -> Option<Entry> {
        let path = self.path_of(key);
        let is_usable = self.holds()
            && fs::exists(&path.join(MANIFEST))
            && site.is_sound(&path).is_ok_and(|is_sound| is_sound);
        is_usable.then(|| Entry::shared(path, site.clone(), self.clone()))
    }

    /// Returns the environment with this key.
    fn find(&self, key: &Key) -> Found {
        let path = self.path_of(key);
        // An unreadable root, such as a network file system whose server is gone, has nothing.
        match fs::read_json::<Manifest>(&path.join(MANIFEST)) {
            None => Found::Nothing,
            Some(manifest) => match self.entry(key, &manifest.site) {
                Some(entry) if manifest.key == *key => Found::Entry(Box::new(entry)),
                _ => Found::Changed(path),
            },
        }
    }
}

/// The result of looking for an environment in a shared root.
enum Found {
    Entry(Box<Entry>),
    /// An environment that was modified after it was built.
    Changed(PathBuf),
    Nothing,
}

impl Store {
    /// Returns the shared roots that the caller trusts and that exist.
    #[must_use]
    pub fn shared_roots(&self) -> &[SharedRoot] {
        &self.shared.checked(self.root(), self.user).usable
    }

    /// Returns why other shared roots are not used, one sentence each.
    #[must_use]
    pub fn warnings_of_shared_roots(&self) -> &[String] {
        &self.shared.checked(self.root(), self.user).warnings
    }

    /// Returns a shared root as a store that is only read.
    #[must_use]
    pub fn of_shared_root(&self, root: &SharedRoot) -> Self {
        Self {
            layout: root.layout(),
            user: self.user,
            is_throw_away: false,
            is_read_only: true,
            shared: SharedRoots::default(),
        }
    }

    /// Returns the environment with this key from the first shared root that has it. Warns about
    /// those that were changed.
    pub(super) fn find_shared(&self, key: &Key) -> Option<Entry> {
        self.shared_roots()
            .iter()
            .find_map(|root| match root.find(key) {
                Found::Entry(entry) => Some(*entry),
                Found::Changed(path) => {
                    report::warning(&format!(
                        "`{}` in a shared root was changed after it was built, or copied without \
                         the times of its files; vpython does not use it",
                        path.display()
                    ));
                    None
                }
                Found::Nothing => None,
            })
    }

    /// Returns the shared root whose environment a cold launch would use for this key.
    #[must_use]
    pub fn shared_root_with(&self, key: &Key) -> Option<&SharedRoot> {
        if fs::exists(&self.path_of(key)) {
            return None;
        }
        self.shared_roots()
            .iter()
            .find(|root| matches!(root.find(key), Found::Entry(_)))
    }

    /// Returns the path of the environment that a cold launch would use for this key. It need not
    /// exist.
    #[must_use]
    pub fn place_of(&self, key: &Key) -> PathBuf {
        self.shared_root_with(key)
            .map_or_else(|| self.path_of(key), |root| root.path_of(key))
    }

    /// Returns whether the store or a shared root has an environment with this key, in any state.
    pub(super) fn has_anywhere(&self, key: &Key) -> bool {
        fs::exists(&self.path_of(key))
            || self.shared.named.iter().any(|root| {
                let environments = root.join(LAYOUT_DIRECTORY).join("envs");
                fs::exists(&environments.join(key.as_str()))
            })
    }

    /// Returns the paths of the unpacked wheel with this digest in the shared roots, which need not
    /// exist.
    pub fn shared_wheels(&self, digest: Digest) -> impl Iterator<Item = PathBuf> {
        let name = digest.to_string();
        let roots = self.shared_roots().iter();
        roots.map(move |root| root.layout().join("wheels").join(&name))
    }
}
