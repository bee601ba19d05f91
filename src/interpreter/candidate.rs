//! One candidate of the search: what kind of file it is, its facts, and whether it satisfies the
//! spec.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tracing::debug;

use super::binary::{self, Executable};
use super::choice::{PassedOver, Source, Taken};
use super::find::Search;
use super::version::VersionedName;
use super::{Facts, probe, pyenv};
use crate::fs::{self, Stamp, Trust};
use crate::report;
use crate::spec::PythonRange;

/// The reason why a shim is rejected.
pub(super) const NO_VERSION: &str =
    "it is a pyenv shim, and pyenv selects no installed version here";

impl Search<'_> {
    /// Takes an interpreter if it satisfies the spec, or else records why not. An error of the
    /// system is returned and does not skip the candidate: another run would find it, and get
    /// another environment.
    pub(super) fn consider(&mut self, path: &Path, source: Source) -> Result<Option<Facts>> {
        // A rejected file may be fixed in place: made executable, or a link's target created. A
        // missing file is covered by the stamp of its directory.
        if fs::link_metadata(path).is_ok_and(|metadata| metadata.is_some()) {
            self.seen.look(path);
        }
        if let Some(other_user) =
            Trust::of_user(self.process.user).stranger_on_way(path, Path::new("/"))
        {
            return Ok(self.skip(path, &other_user.to_string()));
        }
        let found = path;
        let path = match self.looks(path)? {
            None => return Ok(None),
            Some(Executable::Binary) => path.to_path_buf(),
            Some(Executable::Script(text)) if pyenv::is_shim(&text) => {
                match self.resolve_shim(path)? {
                    Some(resolved) => resolved,
                    // pyenv has a shim for each installed version, whether it is selected or not.
                    None if path.file_name().is_some_and(|name| {
                        VersionedName::parse(name).is_some() || name == "python2.7"
                    }) =>
                    {
                        return Ok(None);
                    }
                    None => return Ok(self.skip(path, NO_VERSION)),
                }
            }
            Some(Executable::Script(_)) => {
                return Ok(self.skip(path, "it is a script, not an interpreter"));
            }
            Some(Executable::Vpython) => return Ok(self.skip(path, "it is vpython itself")),
        };
        Ok(match self.probe(&path) {
            Ok(facts) => match self
                .objection(&facts)
                .or_else(|| self.unrequested_python2(&facts))
                .or_else(|| self.free_threading.objection(&facts))
            {
                None => Some(self.take(facts, found, source)),
                Some(why) => self.skip(&path, &why),
            },
            Err(error) if fs::is_io_failure(&error) => return Err(error),
            Err(error) => self.skip(&path, &report::one_line(&error)),
        })
    }

    /// Returns what kind of executable a candidate is. A candidate with cached facts is an
    /// interpreter, and is not read again.
    pub(super) fn looks(&self, path: &Path) -> Result<Option<Executable>> {
        if fs::look_for_file(path)? && self.memo.is_some_and(|memo| probe::is_known(path, memo)) {
            return Ok(Some(Executable::Binary));
        }
        binary::look(path, self.process)
    }

    pub(super) fn resolve_shim(&mut self, shim: &Path) -> Result<Option<PathBuf>> {
        pyenv::resolve(shim, self.process, self.seen)
    }

    pub(super) fn probe(&mut self, path: &Path) -> Result<Facts> {
        let known = probe::facts(path, self.process, self.memo)?;
        for stamped in known.stamps {
            self.seen.push_new(stamped);
        }
        Ok(known.facts)
    }

    /// Returns the reason why these facts do not satisfy the spec or the caller.
    pub(super) fn objection(&self, facts: &Facts) -> Option<String> {
        let version = self
            .version
            .as_ref()
            .filter(|version| !version.admits(facts));
        let name = facts.implementation_title();
        let other = version.map(|version| {
            format!(
                "it is {name} {}, but {} is {}",
                facts.version(),
                version.text,
                version.how
            )
        });
        facts.unsupported().or(other).or_else(|| {
            let wanted = self.wanted.filter(|wanted| {
                let PythonRange {
                    specifiers,
                    free_threaded,
                    ..
                } = &wanted.value;
                !specifiers.contains(facts.version()) || *free_threaded && !facts.abi.free_threaded
            })?;
            let (place, PythonRange { key, written, .. }) = (&wanted.place, &wanted.value);
            Some(format!(
                "it is {name} {}, but `{key}` is `{written}` ({place})",
                facts.version()
            ))
        })
    }

    /// Returns the reason why a Python 2 that is not requested is skipped.
    fn unrequested_python2(&self, facts: &Facts) -> Option<String> {
        let is_unrequested = facts.is_python2() && !self.wants_python2;
        is_unrequested.then(|| {
            format!(
                "it is CPython {}, which is used only if the spec allows no Python 3",
                facts.version()
            )
        })
    }

    fn skip<T>(&mut self, path: &Path, why: &str) -> Option<T> {
        debug!(path = %path.display(), why, "skipped an interpreter");
        let passed_over = PassedOver {
            path: path.to_path_buf(),
            why: why.to_owned(),
        };
        let known = &mut self.choice.passed_over;
        // The same file may be found under several names, by a link or in a linked directory.
        let stamp = Stamp::of(path);
        let says = |passed: &PassedOver| passed.why.replace(&*passed.path.to_string_lossy(), "");
        let is_same = |known: &PassedOver| {
            known.path == path
                || stamp.is_some()
                    && Stamp::of(&known.path) == stamp
                    && says(known) == says(&passed_over)
        };
        if !known.iter().any(is_same) {
            known.push(passed_over);
        }
        None
    }

    /// Records the source of the selected interpreter.
    pub(super) fn take(&mut self, facts: Facts, path: &Path, source: Source) -> Facts {
        self.choice.taken = Some(Taken {
            path: path.to_path_buf(),
            source,
            facts: facts.clone(),
        });
        facts
    }
}
