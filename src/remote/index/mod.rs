//! Package indexes that have the simple repository API, and pages of links: which wheels of a
//! project they have, and the metadata of a wheel before it is downloaded.
//!
//! [`IndexSettings`] says which indexes those are, and [`Index`] reads them. Several threads share
//! an [`Index`]; each project is requested once in a run, and later runs use the cache.

mod cache;
mod direct;
mod find_links;
mod listing;
mod metadata;
mod page;
mod project;
mod remote_file;
mod settings;
#[cfg(test)]
mod tests;
mod timestamp;
mod transport;

use std::collections::HashMap;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use pep508_rs::PackageName;

pub use direct::DirectUrls;
pub use listing::{Listing, Source};
pub use metadata::WheelMetadata;
pub use page::{Format, parse as parse_page};
pub use project::{IndexFile, Project};
pub use settings::{ConfiguredIndex, IndexSettings, Named, NamedBy};
pub use timestamp::Timestamp;
pub use transport::Transport;

use super::{RemoteUrl, Request};
use crate::report::Failure;
use crate::wheel::Metadata;
use cache::{Cache, Entry, Kind};
use find_links::FindLinks;
use metadata::WithoutRanges;

/// A value that the first thread that needs it computes; the others wait. An error is shared too.
type Shared<T> = OnceLock<Result<T, Failure>>;
/// A shared value for each key. The map is only locked to find the value, so that threads with
/// different keys do not wait for each other.
type SharedMap<K, T> = Mutex<HashMap<K, Arc<Shared<T>>>>;

/// Which cached answers are used without asking the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Those that are younger than their maximum age.
    #[default]
    Fresh,
    /// None: each page is confirmed or requested again (`--refresh`).
    Confirmed,
}

/// How an [`Index`] is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The directory of the cache; none to cache nothing.
    pub cache: Option<PathBuf>,
    /// Which cached answers are used.
    pub freshness: Freshness,
    /// The upload time from which on files are left out (`--exclude-newer`).
    pub exclude_newer: Option<Timestamp>,
    /// The wheels that the spec names by URL.
    pub direct: DirectUrls,
}

/// The package indexes of a run.
pub struct Index<T> {
    transport: T,
    settings: IndexSettings,
    cache: Option<Cache>,
    freshness: Freshness,
    exclude_newer: Option<Timestamp>,
    direct: DirectUrls,
    projects: SharedMap<PackageName, Option<Arc<Listing>>>,
    /// The metadata of wheels, by URL and digest.
    metadata: SharedMap<String, WheelMetadata>,
    find_links: Shared<FindLinks>,
    without_ranges: WithoutRanges,
}

impl<T: Transport> Index<T> {
    /// Creates the indexes of a run. Requests nothing.
    pub fn new(transport: T, settings: IndexSettings, options: Options) -> Self {
        Self {
            transport,
            settings,
            cache: options.cache.map(Cache::new),
            freshness: options.freshness,
            exclude_newer: options.exclude_newer,
            direct: options.direct,
            projects: Mutex::default(),
            metadata: Mutex::default(),
            find_links: OnceLock::new(),
            without_ranges: WithoutRanges::default(),
        }
    }

    /// Returns what disables the indexes; `None` if they are used.
    pub fn disabled_by(&self) -> Option<&NamedBy> {
        self.settings.no_index.as_ref()
    }

    /// Returns the wheels of a project: those of the first index that has the project, and those on
    /// pages of links. Of a project that the spec requires by URL only, those of the URLs. None if
    /// there are none.
    ///
    /// # Errors
    /// The spec takes the project from a source that vpython cannot read. Or an index before the
    /// first one that has the project cannot be read: it might have the project. The error names the
    /// index and what names that.
    pub fn project(&self, name: &PackageName) -> Result<Option<Arc<Listing>>> {
        shared(&self.projects, name.clone(), || self.find(name))
    }

    fn find(&self, name: &PackageName) -> Result<Option<Arc<Listing>>> {
        if let Some(listing) = self.direct.listing(name) {
            return Ok(Some(listing));
        }
        let mut links = self.direct.of(name);
        links.extend(self.find_links()?.of(name));
        let mut listing = self.find_in_indexes(name)?;
        if let Some(listing) = &mut listing {
            listing.exclude_newer(self.exclude_newer);
        }
        if links.is_empty() {
            return Ok(listing.map(Arc::new));
        }
        let mut listing = listing.unwrap_or_default();
        listing.add_links(links);
        Ok(Some(Arc::new(listing)))
    }

    /// Returns the wheels of the first index that has the project.
    fn find_in_indexes(&self, name: &PackageName) -> Result<Option<Listing>> {
        if let Some(why) = self.settings.elsewhere.get(name) {
            let failure = Failure::new(format!("cannot take `{name}` from a package index"));
            return Err(failure
                .because(why.clone())
                .hint("put its wheel into a wheel directory")
                .into());
        }
        for index in self.settings.indexes_for(name) {
            let ConfiguredIndex {
                url,
                by,
                ignored_statuses,
                ..
            } = index;
            let cannot = || format!("cannot read `{name}` from the index `{url}` ({by})");
            let read = || {
                let index = RemoteUrl::parse(url.reveal())?;
                let page = self.page(&project_url(&index, name)?, ignored_statuses)?;
                Ok::<_, anyhow::Error>(page.map(|project| (index, project)))
            };
            if let Some((index, project)) = read().with_context(cannot)? {
                let by = by.clone();
                return Ok(Some(Listing {
                    source: Some(Source { index, by }),
                    project,
                    ..Listing::default()
                }));
            }
        }
        Ok(None)
    }

    /// Returns the wheels of all pages of links.
    fn find_links(&self) -> Result<&FindLinks> {
        let read = || {
            let mut links = FindLinks::default();
            for Named { value: url, by } in &self.settings.find_links {
                let cannot = || format!("cannot read the links on `{url}` ({by})");
                let read = || self.page(&RemoteUrl::parse(url.reveal())?, &[]);
                let page = read().with_context(cannot)?;
                links.add(
                    page.with_context(|| "the server does not have it")
                        .with_context(cannot)?,
                );
            }
            Ok::<_, anyhow::Error>(links)
        };
        let links = self
            .find_links
            .get_or_init(|| read().map_err(|error| Failure::of(&error)));
        Ok(links.as_ref().map_err(Clone::clone)?)
    }

    /// Returns a page, from the cache or from its server; none if the server does not have it, which
    /// it says by 404, 410 or an ignored status.
    fn page(&self, url: &RemoteUrl, ignored: &[u16]) -> Result<Option<Project>> {
        let key = url.as_url().as_str();
        let cached = self
            .cache
            .as_ref()
            .and_then(|cache| cache.find::<Project>(Kind::Page, key));
        let cached = match cached {
            Some(found) if found.is_fresh && self.freshness == Freshness::Fresh => {
                return Ok(Some(found.entry.content));
            }
            cached => cached.map(|found| found.entry),
        };
        let response = self.transport.get(&Request {
            accept: Some(page::ACCEPT),
            if_none_match: cached.as_ref().and_then(|entry| entry.etag.as_deref()),
            understood: &[ignored, &[FORBIDDEN]].concat(),
            ..Request::new(url, page::LIMIT)
        })?;
        match (response.status, cached) {
            (304, Some(entry)) => {
                self.cache
                    .iter()
                    .for_each(|cache| cache.confirm(Kind::Page, key));
                return Ok(Some(entry.content));
            }
            (404 | 410, _) => return Ok(None),
            (status, _) if ignored.contains(&status) => return Ok(None),
            (FORBIDDEN, _) => return Err(forbidden(url).into()),
            (200..=299, _) => {}
            (status, _) => {
                let failure = Failure::new(format!("cannot read `{url}`"));
                return Err(failure
                    .because(format!("the server answered {status}"))
                    .into());
            }
        }
        // Links are relative to the URL after redirects.
        let format = page::Format::of(response.content_type.as_deref());
        let project = format
            .and_then(|format| page::parse(format, response.url.as_url(), &response.body))
            .with_context(|| format!("cannot read `{url}`"))?;
        let max_age = cache::max_age(response.cache_control.as_deref(), response.age);
        let Some((cache, max_age)) = self.cache.as_ref().zip(max_age) else {
            return Ok(Some(project));
        };
        let entry = Entry {
            url: key.to_owned(),
            etag: response.etag,
            max_age,
            content: project,
        };
        cache.write(Kind::Page, &entry);
        Ok(Some(entry.content))
    }

    /// Returns the `METADATA` of a wheel of a listing, if it can be read without the whole wheel.
    ///
    /// # Errors
    /// The metadata file that the index names has another digest than the index states.
    pub fn metadata(&self, listing: &Listing, file: &IndexFile) -> Result<WheelMetadata> {
        // A wheel with a digest never changes; other metadata is only kept for this run.
        let key = file
            .hashes
            .sha256
            .map(|digest| format!("{}#{digest}", file.url));
        let cache = self.cache.as_ref().zip(key.as_ref());
        let find = || self.find_metadata(listing, file, cache);
        shared(
            &self.metadata,
            key.as_ref().unwrap_or(&file.url).clone(),
            find,
        )
    }

    /// Reads metadata from the cache, where it has this key, or requests it.
    fn find_metadata(
        &self,
        listing: &Listing,
        file: &IndexFile,
        cache: Option<(&Cache, &String)>,
    ) -> Result<WheelMetadata> {
        if let Some(found) =
            cache.and_then(|(cache, key)| cache.find::<String>(Kind::Metadata, key))
        {
            return Ok(WheelMetadata::Content(found.entry.content.into_bytes()));
        }
        let mut metadata = self
            .request_metadata(listing, file)
            .with_context(|| format!("cannot read the metadata of `{}`", file.file_name))?;
        // The description is nine tenths of it, and is not kept.
        if let WheelMetadata::Content(content) = &mut metadata {
            content.truncate(Metadata::header_length(content));
        }
        if let (Some((cache, key)), WheelMetadata::Content(content)) = (cache, &metadata)
            && let Ok(content) = std::str::from_utf8(content)
        {
            cache.write(
                Kind::Metadata,
                &Entry {
                    url: key.clone(),
                    etag: None,
                    max_age: u64::MAX,
                    content,
                },
            );
        }
        Ok(metadata)
    }

    fn request_metadata(&self, listing: &Listing, file: &IndexFile) -> Result<WheelMetadata> {
        if let Some(content) = metadata::of_sidecar(&self.transport, file, listing)? {
            return Ok(WheelMetadata::Content(content));
        }
        let url = listing.url_of(&file.url)?;
        Ok(metadata::of_ranges(
            &self.transport,
            file,
            &url,
            &self.without_ranges,
        ))
    }
}

/// Returns the value of a key, which the first thread that needs it computes.
fn shared<K: Eq + Hash, T: Clone>(
    map: &SharedMap<K, T>,
    key: K,
    compute: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let slot = {
        let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(map.entry(key).or_default())
    };
    let found = slot.get_or_init(|| compute().map_err(|error| Failure::of(&error)));
    Ok(found.clone()?)
}

/// The status by which some indexes say that they do not have a project, and others that the user
/// may not read it.
const FORBIDDEN: u16 = 403;

/// Returns the error for a page that the user may not read. As with uv, vpython does not go on to
/// the next index: the project may be a private one.
fn forbidden(url: &RemoteUrl) -> Failure {
    let host = url.host();
    Failure::new(format!("cannot read `{url}`"))
        .because("the server answered 403 Forbidden")
        .hint(format!(
            "ask the operator of `{host}` for access; if the index answers 403 for every project that it does not have, \
             set `ignore-error-codes = [403]` in its `[[tool.uv.index]]`"
        ))
}

/// Returns the URL of a project's page: that of the index, the normalized name, and a slash (PEP
/// 503). The index's own URL may lack a slash at its end, or have a query.
fn project_url(index: &RemoteUrl, name: &PackageName) -> Result<RemoteUrl> {
    let mut url = index.as_url().clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(name.as_ref()).push("");
    }
    // A relative reference keeps the login of the index.
    index.join(url.as_str())
}
