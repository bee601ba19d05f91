//! Opening of a [`Wheelhouse`]: the directories and image layouts of a launch in their order of
//! precedence, and which of them are skipped because another user may have written them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use tracing::debug;

use super::bundle::Bundle;
use super::index::Index;
use super::{Directory, Place, SkippedFile, WheelFile, Wheelhouse};
use crate::fs;
use crate::invocation::{Invocation, WheelhouseReference, WheelsSource};
use crate::plan::Evidence;
use crate::remote::index::NamedBy;
use crate::report::Failure;
use crate::spec::{Packages, Spec};
use crate::wheel::WheelName;

/// The names of the default wheel directories next to a spec.
const NEXT_TO_SPEC: [&str; 2] = ["wheels", "pip_packages"];

/// The maximum number of other users' wheels that a warning names.
const NAMED_AT_MOST: usize = 3;

impl Wheelhouse {
    /// Lists the wheelhouses of a launch: the caller's, the spec's, the default ones next to the
    /// spec, those that its lock names, the site's, and `wheels` next to vpython's binary. `memo`
    /// is the directory for cached facts about wheels. Those on servers are for `fetch`.
    ///
    /// # Errors
    /// A wheelhouse from the spec or the flag does not exist, or an image layout is damaged.
    pub fn open(
        spec: &Spec,
        invocation: &Invocation,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<Self> {
        let caller = &invocation.wheels;
        let fetching_forbidden = invocation.why_nothing_is_fetched();
        let fetch_command = (spec.base.is_some() && fetching_forbidden.is_none())
            .then(|| invocation.command_of_tool("fetch"));
        let (trust, bundle) = (spec.trust.clone(), Bundle::new(spec.seed, memo));
        let mut wheelhouse = Self {
            trust,
            directories: Vec::new(),
            listed: HashSet::new(),
            wheels: BTreeMap::new(),
            file_names: HashSet::new(),
            skipped_files: Vec::new(),
            missing_blobs: Vec::new(),
            on_servers: Vec::new(),
            registries: Vec::new(),
            fetch_command,
            fetching_forbidden,
            bundle,
            of_indexes: None,
        };
        // The order of the directories is their precedence; the caller's come first.
        for named in &caller.of_caller {
            let is_there = wheelhouse.add_named(named, memo, evidence)?;
            match caller.source {
                WheelsSource::Flag if !is_there => {
                    let why = "it comes from `-vpython-wheels`";
                    return Err(Failure::new(absence_of(named)).because(why).into());
                }
                WheelsSource::Variable if !is_there => {
                    debug!(wheelhouse = %named, "skipped a missing one from `VPYTHON_WHEELS`");
                }
                _ => {}
            }
        }
        for named in &spec.wheelhouses {
            let is_there = wheelhouse.add_named(&named.value, memo, evidence)?;
            if !is_there && !spec.may_fetch(invocation) {
                let hint = "paths in a spec are relative to the spec's own directory";
                let how_to_create = match named.value {
                    WheelhouseReference::Directory(_) => wheelhouse
                        .fetch_command
                        .map(|command| format!("`{command}` creates and fills it")),
                    _ => Some("`-vpython-tool push` and `skopeo copy` create one".to_owned()),
                };
                let how_to_create = how_to_create.map(|how| format!("; {how}"));
                return Err(Failure::new(absence_of(&named.value))
                    .because(format!("it comes from {}", named.place))
                    .hint(format!("{hint}{}", how_to_create.unwrap_or_default()))
                    .into());
            }
        }
        // Default directories and those of a lock file are used only if no other user can have
        // written them.
        let named_in_lock = match &spec.packages {
            Packages::Locked(lock) => lock.directories(),
            _ => BTreeSet::new(),
        };
        let base = spec.base.clone().unwrap_or_default();
        for path in next_to(spec).chain(named_in_lock.into_iter().map(Path::to_path_buf)) {
            wheelhouse.add_if_trusted(&path, &base, memo, evidence)?;
        }
        for named in &caller.of_site {
            wheelhouse.add_named(named, memo, evidence)?;
        }
        if let Some(path) = &caller.of_program {
            wheelhouse.add_if_trusted(
                path,
                path.parent().unwrap_or(Path::new("/")),
                memo,
                evidence,
            )?;
        }
        wheelhouse.add_missing_blobs();
        // A lock pins every digest, so the owner of a wheel does not matter.
        if !matches!(spec.packages, Packages::Locked(_)) {
            evidence
                .warnings
                .extend(wheelhouse.warnings_of_other_users());
        }
        Ok(wheelhouse)
    }

    /// Adds the wheels of a wheelhouse; returns `false` if it does not exist. One on a server is
    /// not asked.
    fn add_named(
        &mut self,
        named: &WheelhouseReference,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<bool> {
        match named {
            WheelhouseReference::Directory(path) => self.add(path, memo, evidence),
            WheelhouseReference::Layout(layout) => self.add_layout(layout, memo, evidence),
            WheelhouseReference::Registry(_) | WheelhouseReference::Mirror(_) => {
                self.on_servers.push(named.to_string());
                Ok(true)
            }
        }
    }

    /// Adds the wheels of a directory that a setting of pip names, after those of the others. A
    /// missing one is a warning.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn add_configured(
        &mut self,
        path: &Path,
        by: &NamedBy,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<()> {
        if !self.add(path, memo, evidence)? {
            let path = path.display();
            let warning = format!("the directory `{path}` ({by}) does not exist; it is skipped");
            evidence.passing.push(warning);
        }
        Ok(())
    }

    /// Returns the path of a file in the spec's own directories, not the caller's.
    pub fn path_in_own_directories(file_name: &str, spec: &Spec) -> Option<PathBuf> {
        let own = spec
            .wheelhouses
            .iter()
            .filter_map(|named| named.value.directory().map(Path::to_path_buf))
            .chain(next_to(spec));
        own.map(|directory| directory.join(file_name))
            .find(|path| fs::is_file(path))
    }

    /// Adds the wheels of a directory below `base`, unless another user may have created it.
    fn add_if_trusted(
        &mut self,
        path: &Path,
        base: &Path,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<()> {
        match self.trust.stranger_on_way(path, base) {
            None => drop(self.add(path, memo, evidence)?),
            Some(other_user) => {
                evidence.stamps.look(&other_user.path);
                evidence
                    .warnings
                    .push(format!("the wheel directory {other_user}; it is skipped"));
            }
        }
        Ok(())
    }

    /// Adds the wheels of a directory; returns `false` if it does not exist. Files not named like
    /// wheels are skipped.
    fn add(&mut self, path: &Path, memo: &Path, evidence: &mut Evidence) -> Result<bool> {
        if self.listed.contains(path) {
            return Ok(true);
        }
        evidence.stamps.look(path);
        let Some(names) = fs::list(path)? else {
            return Ok(false);
        };
        let names: Vec<String> = names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .collect();
        let index = Index::load(path, &names, memo);
        let trust = self.trust.within(path);
        let directory = self.directories.len();
        self.listed.insert(path.to_path_buf());
        self.directories.push(Directory {
            path: path.to_path_buf(),
            index,
            is_bundle: false,
            blobs: None,
        });
        for file_name in names {
            match WheelName::parse(&file_name) {
                Ok(name) => {
                    let untrusted_owner = trust
                        .as_ref()
                        .and_then(|trust| trust.other_owner(&path.join(&file_name)));
                    self.add_wheel(WheelFile {
                        name: Arc::new(name),
                        file_name: file_name.into(),
                        untrusted_owner,
                        place: Place::Directory(directory),
                    });
                }
                Err(why) => {
                    debug!(directory = %path.display(), file_name, why, "skipped a file that is not named like a wheel");
                    self.skipped_files.push(SkippedFile {
                        path: path.join(file_name),
                        why,
                    });
                }
            }
        }
        Ok(true)
    }

    /// Adds a wheel. Its file name in an earlier directory hides it.
    pub(super) fn add_wheel(&mut self, wheel: WheelFile) {
        if self.file_names.insert(Arc::clone(&wheel.file_name)) {
            let wheels = self.wheels.entry(wheel.name.project.clone());
            // Most projects have one wheel.
            let wheels = wheels.or_insert_with(|| Vec::with_capacity(1));
            wheels.push(wheel);
        }
    }

    /// Returns a warning for each directory with wheels that other users may have written.
    fn warnings_of_other_users(&self) -> Vec<String> {
        let mut by_directory: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for wheel in self
            .wheels
            .values()
            .flatten()
            .filter(|wheel| wheel.untrusted_owner.is_some())
        {
            if let Place::Directory(directory) = wheel.place {
                let names = by_directory.entry(directory).or_default();
                names.push(&wheel.file_name);
            }
        }
        // One warning per directory, with the first few names.
        let say = |(directory, mut names): (usize, Vec<&str>)| {
            names.sort_unstable();
            let more = names.len().saturating_sub(NAMED_AT_MOST);
            let more = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            names.truncate(NAMED_AT_MOST);
            let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
            format!(
                "wheels of other users in `{}`, which other users can write to, are skipped unless their digest is pinned: {}{more}",
                self.directories[directory].title(),
                names.join(", ")
            )
        };
        by_directory.into_iter().map(say).collect()
    }
}

/// Returns the error for a wheelhouse that does not exist.
fn absence_of(named: &WheelhouseReference) -> String {
    match named {
        WheelhouseReference::Layout(layout) => {
            format!(
                "the image layout `{}` does not exist",
                layout.path.display()
            )
        }
        other => format!("the directory `{other}` does not exist"),
    }
}

/// Returns the default directories next to a spec.
fn next_to(spec: &Spec) -> impl Iterator<Item = PathBuf> {
    spec.base
        .iter()
        .flat_map(|base| NEXT_TO_SPEC.map(|name| base.join(name)))
}
