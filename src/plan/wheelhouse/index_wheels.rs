//! The wheels of package indexes and registries, beside those of the wheel directories. They are
//! listed only where the caller asked for that.
//!
//! The list of a project and the metadata of a wheel are requested when the resolver needs them;
//! [`crawl`](mod@super::crawl) requests in advance what it will probably need. The first I/O error is
//! kept, and ends the resolution.

mod reasons;
mod registries;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Error, Result};
use pep440_rs::{Operator, Version};
use pep508_rs::{PackageName, VersionOrUrl};
use tracing::debug;

use super::{Place, WheelFile, Wheelhouse};
use crate::fs::{self, Digest};
use crate::plan::by_name::WheelIndex;
use crate::plan::sources::Sources;
use crate::remote::index::{IndexFile, Listing, WheelMetadata};
use crate::remote::{FileToFetch, KeptFile, RemoteUrl};
use crate::report::Failure;
use crate::spec::Requirement;
use crate::wheel::{Metadata, WheelName};

/// The wheels of package indexes, as far as they were asked for.
pub(in crate::plan) struct IndexWheels {
    index: Arc<WheelIndex>,
    /// Whether the indexes are asked; without, only the registries are.
    asks_index: bool,
    /// The wheels of registries by their names, and the projects that were looked for there.
    registries: Option<Arc<WheelIndex>>,
    of_registries: HashSet<PackageName>,
    sources: Arc<Sources>,
    /// The versions that the spec pins: a yanked wheel is used only if its version is pinned (PEP
    /// 592).
    pinned: HashSet<(PackageName, Version)>,
    /// The only projects that the indexes are asked for; all if there is no such set.
    only: Option<HashSet<PackageName>>,
    /// What was found for each project that was asked for.
    projects: HashMap<PackageName, Option<Arc<Listing>>>,
    wheels: Vec<IndexWheel>,
    /// The first error of an index.
    failure: Option<Error>,
}

/// A wheel of an index.
pub(super) struct IndexWheel {
    file: FileToFetch,
    /// What the index says about it; `None` for a wheel of a lock file.
    listed: Option<(Arc<Listing>, usize)>,
    /// Whether it is a wheel of a registry, and not of an index.
    is_of_registry: bool,
    metadata: Option<Metadata>,
}

impl IndexWheel {
    /// Returns its URL in the form of a path, for messages.
    pub fn shown_path(&self) -> PathBuf {
        PathBuf::from(self.file.url.to_string())
    }

    fn listed(&self) -> Option<(&Listing, &IndexFile)> {
        let (listing, number) = self.listed.as_ref()?;
        Some((listing, listing.project.wheels.get(*number)?))
    }
}

impl IndexWheels {
    /// Creates an empty list. `pinned` are the versions that the spec pins.
    pub fn new(
        index: Arc<WheelIndex>,
        sources: Arc<Sources>,
        pinned: HashSet<(PackageName, Version)>,
    ) -> Self {
        Self {
            index,
            asks_index: true,
            registries: None,
            of_registries: HashSet::new(),
            sources,
            pinned,
            only: None,
            projects: HashMap::new(),
            wheels: Vec::new(),
            failure: None,
        }
    }

    /// Lists a project when it is asked for the first time. Returns its wheels, those of registries
    /// first, and the yanked ones only if their version is pinned.
    fn list(&mut self, project: &PackageName) -> Vec<WheelFile> {
        let mut files = self.list_in_registries(project);
        files.extend(self.list_on_index(project));
        files
    }

    fn list_on_index(&mut self, project: &PackageName) -> Vec<WheelFile> {
        let is_excluded = |only: &HashSet<PackageName>| !only.contains(project);
        if !self.asks_index
            || self.projects.contains_key(project)
            || self.only.as_ref().is_some_and(is_excluded)
        {
            return Vec::new();
        }
        let listing = match self.index.project(project) {
            Ok(listing) => listing,
            // The next system that asks gets the same error.
            Err(error) => {
                self.failure.get_or_insert(error);
                return Vec::new();
            }
        };
        self.projects.insert(project.clone(), listing.clone());
        listing.map_or_else(Vec::new, |listing| self.add_all(project, &listing, false))
    }

    /// Adds the wheels in the list of a project.
    fn add_all(
        &mut self,
        project: &PackageName,
        listing: &Arc<Listing>,
        is_of_registry: bool,
    ) -> Vec<WheelFile> {
        let mut files = Vec::new();
        for (number, file) in listing.project.wheels.iter().enumerate() {
            // A name that is not that of a wheel of this project is not meant for installers.
            let Ok(name) = WheelName::parse(&file.file_name) else {
                continue;
            };
            let version = (name.project.clone(), name.version.clone());
            let is_offered = file.yanked.is_none() || self.pinned.contains(&version);
            if name.project != *project || !is_offered {
                continue;
            }
            let Ok(url) = listing.url_of(&file.url) else {
                continue;
            };
            let to_fetch = FileToFetch {
                url,
                file_name: file.file_name.clone(),
                size: file.size,
                sha256: file.hashes.sha256,
                stated: None,
                kept: None,
            };
            files.push(self.add(name, to_fetch, Some((Arc::clone(listing), number))));
            if let Some(wheel) = self.wheels.last_mut() {
                wheel.is_of_registry = is_of_registry;
            }
        }
        files
    }

    fn add(
        &mut self,
        name: WheelName,
        file: FileToFetch,
        listed: Option<(Arc<Listing>, usize)>,
    ) -> WheelFile {
        let file_name = file.file_name.clone();
        self.wheels.push(IndexWheel {
            file,
            listed,
            is_of_registry: false,
            metadata: None,
        });
        WheelFile {
            name: Arc::new(name),
            file_name: file_name.into(),
            untrusted_owner: None,
            place: Place::Index(self.wheels.len() - 1),
        }
    }

    /// Downloads a whole wheel once, to read it, and keeps it. An error is kept too, since without
    /// the wheel an older version would be chosen.
    fn download(&mut self, number: usize) -> Result<&KeptFile> {
        if self.wheels[number].file.kept.is_none() {
            let download = || {
                let mut file = fs::create_unnamed()?;
                let wheel = &self.wheels[number];
                let downloaded = if wheel.is_of_registry {
                    self.sources.download(&wheel.file, &mut file, None)?
                } else {
                    self.sources.download_from_index(&wheel.file, &mut file)?
                };
                Ok(KeptFile::new(file, downloaded))
            };
            let kept = download().inspect_err(|error| {
                self.failure
                    .get_or_insert_with(|| Failure::of(error).into());
            })?;
            let wheel = &mut self.wheels[number].file;
            wheel.size = Some(kept.downloaded().size);
            wheel.sha256 = Some(kept.downloaded().sha256);
            wheel.kept = Some(kept);
        }
        let kept = self.wheels[number].file.kept.as_ref();
        kept.context("the wheel was not kept")
    }

    /// Requests the metadata of a wheel. An error is kept, since without it an older version would
    /// be chosen.
    fn request_metadata(&mut self, number: usize, name: &WheelName) -> Result<Metadata> {
        let wheel = &self.wheels[number];
        let found = match wheel.listed().filter(|_| wheel.file.kept.is_none()) {
            Some((listing, file)) => {
                let registries = self.registries.as_ref();
                let registries = registries.filter(|_| wheel.is_of_registry);
                registries.unwrap_or(&self.index).metadata(listing, file)
            }
            None => Ok(WheelMetadata::NeedsWheel),
        };
        let found = found.inspect_err(|error| {
            self.failure
                .get_or_insert_with(|| Failure::of(error).into());
        });
        if let WheelMetadata::Content(text) = found? {
            match Metadata::parse(&text, name) {
                Ok(stated) => {
                    self.wheels[number].file.stated = Some(stated.clone());
                    return Ok(stated);
                }
                Err(error) => debug!("cannot use the metadata that an index states: {error:#}"),
            }
        }
        let shown = self.wheels[number].shown_path();
        Metadata::of_file(self.download(number)?.file(), name)
            .with_context(|| Metadata::cannot_read(&shown))
    }
}

impl Wheelhouse {
    /// Adds the wheels of package indexes to those of the directories.
    pub fn attach(&mut self, wheels: IndexWheels) {
        self.of_indexes = Some(wheels);
    }

    /// Asks the indexes for these projects only.
    pub fn restrict_index(&mut self, projects: HashSet<PackageName>) {
        if let Some(of_indexes) = &mut self.of_indexes {
            of_indexes.only = Some(projects);
        }
    }

    /// Returns the package indexes, if they are used.
    pub fn of_indexes(&self) -> Option<&IndexWheels> {
        self.of_indexes.as_ref()
    }

    /// Adds the wheels of a project that an index has, once, after those of the directories: a
    /// file that is there is used, unless it is damaged.
    pub fn list_on_index(&mut self, project: &PackageName) {
        let Some(of_indexes) = &mut self.of_indexes else {
            return;
        };
        let files = of_indexes.list(project);
        if !files.is_empty() {
            self.wheels
                .entry(project.clone())
                .or_default()
                .extend(files);
        }
    }

    /// Returns the URL of a wheel on the first server that has wheels by digest.
    pub fn url_by_digest(&self, sha256: &Digest) -> Option<RemoteUrl> {
        self.of_indexes.as_ref()?.sources.url_of(sha256)
    }

    /// Offers a wheel by the URL in a lock file. No index is asked for it.
    pub fn offer(&mut self, name: &WheelName, file: FileToFetch) {
        let Some(of_indexes) = &mut self.of_indexes else {
            return;
        };
        let file = of_indexes.add(name.clone(), file, None);
        let wheels = self.wheels.entry(name.project.clone()).or_default();
        wheels.push(file);
    }

    pub(super) fn of_index(&self, number: usize) -> &IndexWheel {
        let wheels = self
            .of_indexes
            .as_ref()
            .map(|of_indexes| &of_indexes.wheels);
        &wheels.expect("a wheel of an index comes from one")[number]
    }

    /// Returns where to download a wheel from; `None` if it is in a directory.
    pub fn to_fetch(&self, wheel: &WheelFile) -> Option<FileToFetch> {
        match wheel.place {
            Place::Directory(_) => None,
            Place::Index(number) => Some(self.of_index(number).file.clone()),
        }
    }

    /// Returns the Python versions that an index states for a wheel, without requesting more.
    pub fn listed_requires_python(&self, wheel: &WheelFile) -> Option<String> {
        match wheel.place {
            Place::Directory(_) => None,
            Place::Index(number) => {
                let (_, file) = self.of_index(number).listed()?;
                file.requires_python.clone()
            }
        }
    }

    /// Returns the first error of a package index, once.
    pub fn take_index_failure(&mut self) -> Option<Error> {
        self.of_indexes.as_mut()?.failure.take()
    }

    /// Returns the metadata of a wheel of an index.
    pub(super) fn metadata_of_index(
        &mut self,
        number: usize,
        name: &WheelName,
    ) -> Result<Metadata> {
        let of_indexes = self.of_indexes.as_mut().context("no index is used")?;
        let wheel = &of_indexes.wheels[number];
        if let Some(known) = &wheel.metadata {
            return Ok(known.clone());
        }
        let metadata = of_indexes.request_metadata(number, name)?;
        of_indexes.wheels[number].metadata = Some(metadata.clone());
        Ok(metadata)
    }

    /// Returns the digest of a wheel of an index: the one that the index states, or that of the
    /// file where it states none.
    pub(super) fn digest_of_index(&mut self, number: usize) -> Result<Digest> {
        let of_indexes = self.of_indexes.as_mut().context("no index is used")?;
        match of_indexes.wheels[number].file.sha256 {
            Some(digest) => Ok(digest),
            None => Ok(of_indexes.download(number)?.downloaded().sha256),
        }
    }
}

/// Returns the versions that requirements pin with `==` or `===`.
pub(in crate::plan) fn pinned<'a>(
    requirements: impl IntoIterator<Item = &'a Requirement>,
) -> HashSet<(PackageName, Version)> {
    let mut pinned = HashSet::new();
    for requirement in requirements {
        if let Some(VersionOrUrl::VersionSpecifier(specifiers)) = &requirement.version_or_url {
            let exact = specifiers.iter().filter(|specifier| {
                matches!(specifier.operator(), Operator::Equal | Operator::ExactEqual)
            });
            pinned.extend(
                exact.map(|specifier| (requirement.name.clone(), specifier.version().clone())),
            );
        }
    }
    pinned
}
