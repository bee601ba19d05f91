//! The search for the interpreter of a spec.
//!
//! 1. The interpreter that `-vpython-interpreter` or `VPYTHON_INTERPRETER` names; if that is a
//!    version, one of the following with that version. A launch has already replaced an image, which
//!    the spec may name too, by its copy in the store.
//! 2. Bundles: directories named by version next to vpython's own binary, the highest one that
//!    satisfies the spec.
//! 3. Names on `PATH`, as a shell would find them: `python3`, `python`, then names with a version;
//!    if the spec allows only one minor version, the name with that version comes first.
//! 4. The interpreters that pyenv and uv have installed, the highest one that satisfies the spec.
//!
//! If neither the caller nor the spec names a version, there may be default versions. All sources
//! are searched for each of them before any other version is considered: see `default`.
//!
//! A free-threaded build is used if it is requested, as in `3.13t`. From 3.14 on, it is also used if
//! the search finds no other build.
//!
//! Python 2.7 is searched only if the spec allows no Python 3, and only by the names `python2.7`,
//! `python2` and `python`.
//!
//! vpython itself under another name and scripts on `PATH` are never run; a pyenv shim is resolved
//! by reading pyenv's files.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tracing::debug;

use super::binary::{Executable, search_path};
use super::candidate::NO_VERSION;
use super::choice::{InterpreterChoice, Source};
use super::free_threading::FreeThreading;
use super::version::{NamedVersion, VersionedName, is_for_python2, single_minor};
use super::{Facts, default, pyenv};
use crate::fs::{self, Stamps, Trust};
use crate::invocation::Invocation;
use crate::oci::PinnedReference;
use crate::process::Process;
use crate::report::{Failure, Kind};
use crate::spec::{Located, PythonRange, Spec};

/// Finds the interpreter for a spec. `memo` is the directory for cached facts about interpreters,
/// if any. Adds what it inspects to `seen`, and how it selects to `choice`.
///
/// # Errors
/// No interpreter satisfies the spec, or the one that is named does not or cannot be run.
pub fn find(
    invocation: &Invocation,
    spec: &Spec,
    process: &Process,
    memo: Option<&Path>,
    seen: &mut Stamps,
    choice: &mut InterpreterChoice,
) -> Result<Facts> {
    let wanted = spec.requires_python.as_ref();
    // Search for each default version first.
    for version in default::versions(invocation, spec) {
        choice.defaults.push(version.text.clone());
        let wants_python2 = is_for_python2(&version.specifiers);
        let mut search = Search {
            wanted,
            free_threading: FreeThreading::accepted(wanted, Some(&version)),
            version: Some(version),
            wants_python2,
            process,
            memo,
            seen,
            choice,
        };
        if let Some(facts) = search.anywhere()? {
            return Ok(facts);
        }
        // Interpreters of other versions are considered again.
        choice.passed_over.clear();
    }
    let named = invocation.interpreter.as_deref();
    let mut version = named.and_then(NamedVersion::of);
    if let (Some(path), Some(_)) = (named, &version) {
        // A file of such a name in the current directory takes precedence over the version, unless
        // another user may have put it there.
        let path = process.absolute(path);
        seen.look(&path);
        let is_planted = || {
            Trust::of_user(process.user)
                .stranger_on_way(&path, Path::new("/"))
                .is_some()
        };
        version = version.filter(|_| !fs::exists(&path) || is_planted());
    }
    let wants_python2 = wanted.is_some_and(|wanted| is_for_python2(&wanted.value.specifiers))
        || version
            .as_ref()
            .is_some_and(|version| is_for_python2(&version.specifiers));
    let mut search = Search {
        wanted,
        free_threading: FreeThreading::accepted(wanted, version.as_ref()),
        version,
        wants_python2,
        process,
        memo,
        seen,
        choice,
    };
    if let (Some(path), None) = (named, &search.version) {
        let path = process.absolute(path);
        return match &invocation.interpreter_image {
            Some(image) => search.of_image(&path, image),
            None => search.named(&path, Source::Named),
        };
    }
    let takes_highest = default::takes_highest(invocation, spec);
    let mut found = search.first_or_highest(takes_highest)?;
    if found.is_none() && search.free_threading == FreeThreading::Avoided {
        search.free_threading = FreeThreading::LastResort;
        search.choice.passed_over.clear();
        found = search.first_or_highest(takes_highest)?;
    }
    found.ok_or_else(|| search.none_found().into())
}

/// The state of one search.
pub(super) struct Search<'a> {
    pub(super) wanted: Option<&'a Located<PythonRange>>,
    /// The version to search for: one that the caller names, or a default.
    pub(super) version: Option<NamedVersion>,
    /// Whether the spec or the caller allows only Python 2.
    pub(super) wants_python2: bool,
    pub(super) free_threading: FreeThreading,
    pub(super) process: &'a Process,
    pub(super) memo: Option<&'a Path>,
    /// The files and directories that were inspected.
    pub(super) seen: &'a mut Stamps,
    pub(super) choice: &'a mut InterpreterChoice,
}

impl Search<'_> {
    /// Returns the interpreter that the caller names: an executable, or a bundle's directory. It is
    /// run whatever it is, unless it is vpython.
    fn named(&mut self, path: &Path, source: Source) -> Result<Facts> {
        self.seen.look(path);
        let is_bundle = fs::metadata(path)?.is_some_and(|metadata| metadata.is_dir());
        let path = if is_bundle {
            self.in_bundle(path)?
        } else {
            path.to_path_buf()
        };
        let cannot = |kind| {
            Failure::new(format!(
                "cannot use `{}` as the interpreter",
                path.display()
            ))
            .kind(kind)
        };
        // Reject vpython itself, and resolve a shim, before anything is run.
        let path = match self.looks(&path)? {
            Some(Executable::Vpython) => {
                return Err(cannot(Kind::CannotExecute)
                    .because("it is vpython itself")
                    .into());
            }
            Some(Executable::Script(text)) if pyenv::is_shim(&text) => self
                .resolve_shim(&path)?
                .ok_or_else(|| cannot(Kind::NotFound).because(NO_VERSION))?,
            Some(_) => path,
            None if fs::is_file(&path) => {
                return Err(cannot(Kind::CannotExecute)
                    .because("it is not executable")
                    .into());
            }
            None => {
                return Err(cannot(Kind::NotFound)
                    .because("the file does not exist")
                    .into());
            }
        };
        let facts = self.probe(&path)?;
        // The interpreter must still satisfy the spec.
        match self.objection(&facts) {
            None => Ok(self.take(facts, &path, source)),
            Some(why) => Err(Failure::new(format!(
                "cannot use `{}` as the interpreter",
                path.display()
            ))
            .because(why)
            .into()),
        }
    }

    /// Returns the interpreter at `path`, which is the copy of one in an image.
    fn of_image(&mut self, path: &Path, image: &PinnedReference) -> Result<Facts> {
        let mut facts = self
            .named(path, Source::Image)
            .with_context(|| format!("cannot use the interpreter from `{image}`"))?;
        facts.image = Some(image.digest);
        self.choice.image = Some(image.clone());
        if let Some(taken) = &mut self.choice.taken {
            taken.facts.image = facts.image;
        }
        Ok(facts)
    }

    /// Returns the interpreter of a bundle: Python 3, unless there is none or the spec requires
    /// Python 2.
    fn in_bundle(&self, directory: &Path) -> Result<PathBuf> {
        let three = directory.join("bin/python3");
        let two = directory.join("bin/python2.7");
        let takes_two =
            fs::look_for_file(&two)? && (self.wants_python2 || !fs::look_for_file(&three)?);
        Ok(if takes_two { two } else { three })
    }

    fn first_or_highest(&mut self, takes_highest: bool) -> Result<Option<Facts>> {
        if takes_highest {
            self.highest()
        } else {
            self.anywhere()
        }
    }

    /// Returns the first interpreter that satisfies the spec, or `None`.
    pub(super) fn anywhere(&mut self) -> Result<Option<Facts>> {
        for source in [
            Self::bundles,
            Self::on_path,
            Self::installed_by_pyenv,
            Self::installed_by_uv,
        ] {
            if let Some(facts) = source(self)? {
                return Ok(Some(facts));
            }
        }
        Ok(None)
    }

    fn bundles(&mut self) -> Result<Option<Facts>> {
        let Some(directory) = self
            .process
            .executable
            .as_ref()
            .and_then(|own| own.parent())
        else {
            return Ok(None);
        };
        self.seen.look(directory);
        self.highest_in(directory, Source::Bundle)
    }

    fn installed_by_pyenv(&mut self) -> Result<Option<Facts>> {
        self.installed_by(
            Source::Pyenv,
            pyenv::root(self.process).map(|root| root.join("versions")),
        )
    }

    fn installed_by_uv(&mut self) -> Result<Option<Facts>> {
        self.installed_by(Source::Uv, uv_versions(self.process))
    }

    fn installed_by(&mut self, tool: Source, versions: Option<PathBuf>) -> Result<Option<Facts>> {
        let Some(versions) = versions else {
            return Ok(None);
        };
        debug!(?tool, directory = %versions.display(), "looking through the installed versions");
        self.seen.look(&versions);
        self.highest_in(&versions, tool)
    }

    /// Returns the highest version that satisfies the spec, among the directories named by a
    /// version.
    fn highest_in(&mut self, directory: &Path, source: Source) -> Result<Option<Facts>> {
        for installed in pyenv::installed_versions(directory)? {
            let path = directory.join(installed.name).join(if self.wants_python2 {
                "bin/python2.7"
            } else {
                "bin/python3"
            });
            // A version that is being installed may not have its interpreter yet.
            self.seen.look(&path);
            if let Some(facts) = self.consider(&path, source)? {
                return Ok(Some(facts));
            }
        }
        Ok(None)
    }

    fn on_path(&mut self) -> Result<Option<Facts>> {
        let directories = search_path(self.process);
        let ranges = self.version.iter().map(|version| &version.specifiers);
        let mut ranges = ranges.chain(self.wanted.map(|wanted| &wanted.value.specifiers));
        let pinned = ranges.find_map(single_minor).map(|minor| {
            let free_threaded = self.free_threading == FreeThreading::Requested;
            VersionedName {
                minor,
                free_threaded,
            }
            .to_string()
        });
        let names: &[&str] = if self.wants_python2 {
            &["python2.7", "python2", "python"]
        } else {
            &["python3", "python"]
        };
        // The usual names in each directory first.
        for name in pinned
            .iter()
            .map(String::as_str)
            .chain(names.iter().copied())
        {
            for directory in &directories {
                self.seen.look(directory);
                if let Some(facts) = self.consider(&directory.join(name), Source::Path)? {
                    return Ok(Some(facts));
                }
            }
        }
        if self.wants_python2 {
            return Ok(None);
        }
        // Then names with a minor version, the highest of each directory first.
        for directory in &directories {
            let names = fs::ok_if_hidden(fs::list(directory))?
                .flatten()
                .unwrap_or_default();
            let mut names: Vec<VersionedName> = names
                .iter()
                .filter_map(|name| VersionedName::parse(name))
                .filter(|name| self.free_threading.admits(*name))
                .collect();
            names.sort_unstable_by_key(|name| (Reverse(name.minor), name.free_threaded));
            for name in names {
                if let Some(facts) =
                    self.consider(&directory.join(name.to_string()), Source::Path)?
                {
                    return Ok(Some(facts));
                }
            }
        }
        Ok(None)
    }

    fn none_found(&self) -> Failure {
        let what = self
            .version
            .as_ref()
            .map_or("no interpreter".to_owned(), |version| {
                format!("no interpreter {}", version.text)
            });
        let what = match self.wanted {
            Some(wanted) => format!("{what} satisfies `{}` ({})", wanted.value, wanted.place),
            None => format!("{what} found"),
        };
        Failure::new(what)
            .because_of(self.version.is_some().then(|| self.searched()))
            .because_of(self.choice.passed_over.iter().map(ToString::to_string))
            .hint("install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`")
            .kind(Kind::NotFound)
    }

    /// Returns the places that were searched, for messages.
    fn searched(&self) -> String {
        let bundles = self
            .process
            .executable
            .as_ref()
            .and_then(|own| own.parent())
            .map(|directory| ("next to vpython", directory.into()));
        let path = Some(("on `PATH`", PathBuf::from(self.process.search_path())));
        let pyenv = pyenv::root(self.process).map(|root| ("in pyenv", root.join("versions")));
        let uv = uv_versions(self.process).map(|directory| ("in uv", directory));
        let places = [bundles, path, pyenv, uv].into_iter().flatten();
        let places: Vec<_> = places
            .map(|(title, place)| format!("{title} (`{}`)", place.display()))
            .collect();
        format!("searched {}", places.join(", "))
    }
}

/// Returns the directory of uv's interpreters.
fn uv_versions(process: &Process) -> Option<PathBuf> {
    if let Some(directory) = process.setting("UV_PYTHON_INSTALL_DIR") {
        return Some(directory.into());
    }
    let data = process.setting("XDG_DATA_HOME").map(PathBuf::from);
    Some(
        data.or_else(|| Some(process.home()?.join(".local/share")))?
            .join("uv/python"),
    )
}
