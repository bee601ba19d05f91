//! The connection to the package indexes of a spec: opened only where the caller asked for it.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::Evidence;
use super::by_name::{self, WheelIndex};
use super::sources::Sources;
use super::wheelhouse::{IndexWheels, Wheelhouse, pinned, request_lists};
use crate::fs::Digest;
use crate::invocation::{Conf, Invocation};
use crate::oci::{Manifest, RegistryReference};
use crate::process::Process;
use crate::remote::index::{
    DirectUrls, Freshness, Index, IndexSettings, Named, Options, Timestamp,
};
use crate::remote::registry::Registry;
use crate::remote::{Client, Downloaded, FileToFetch, RemoteUrl, Restart, Settings};
use crate::report::progress::Part;
use crate::report::{self, Failure};
use crate::spec::{Indexes, Located, Packages, Spec};

/// The name of the cache of the indexes' answers, beside the store's directory of memos.
const CACHE: &str = "index";

/// How the indexes are used.
#[derive(Debug, Clone, Default)]
pub struct Use {
    /// The words of pip's options about indexes.
    pub options: Vec<String>,
    /// Whether cached answers are confirmed or requested again.
    pub is_refreshed: bool,
    /// The upload time from which on files are left out.
    pub exclude_newer: Option<Timestamp>,
}

/// Connects to the package indexes of a spec as a launch does.
///
/// # Errors
/// Those of [`Connection::open`].
pub fn connect(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<Connection> {
    Connection::open(&Use::default(), spec, invocation, process, memo)
}

/// The package indexes of a spec, and the client that reads them.
pub struct Connection {
    index: Arc<WheelIndex>,
    /// The wheels of registries by their names, as soon as they were read; none for a lock, which has
    /// their digests.
    registries: OnceLock<Result<Option<Arc<WheelIndex>>, Failure>>,
    /// The directory in which answers are cached.
    cache: PathBuf,
    is_locked: bool,
    pinned: HashSet<(PackageName, Version)>,
    /// The servers that have wheels by digest.
    sources: Arc<Sources>,
    /// The directories of `find-links` in pip's settings and in `[tool.uv]`.
    directories: Vec<Named<PathBuf>>,
    /// Warnings about the settings, one sentence each.
    pub warnings: Vec<String>,
}

impl Connection {
    /// Reads the settings about the indexes. Opens no socket yet. `memo` is the store's directory
    /// of memos, beside which answers are cached.
    ///
    /// # Errors
    /// A setting is invalid, or a settings file cannot be read.
    pub fn open(
        options: &Use,
        spec: &Spec,
        invocation: &Invocation,
        process: &Process,
        memo: &Path,
    ) -> Result<Self> {
        let (site, of_pip) = site_options(invocation, process)?;
        let words = [site, options.options.clone()].concat();
        let mut settings = IndexSettings::read(&words, &spec.indexes, &invocation.conf, process)?;
        settings.warnings.extend(of_pip);
        let (limit, of_limit) = exclude_newer(options, &spec.indexes);
        settings.warnings.extend(of_limit);
        let connections = settings.connections(Settings::of(process));
        let warnings = std::mem::take(&mut settings.warnings);
        let directories = std::mem::take(&mut settings.directories);
        let client = Arc::new(Client::new(process, connections)?);
        // A URL that is not valid is an error where it is requested, which says what names it.
        let urls = settings.urls().map(|url| RemoteUrl::parse(url.reveal()));
        urls.flatten().for_each(|url| client.remember_login(&url));
        let direct = direct_urls(spec, &client)?;
        let cache = memo.with_file_name(CACHE);
        let options = Options {
            cache: Some(cache.clone()),
            freshness: if options.is_refreshed {
                Freshness::Confirmed
            } else {
                Freshness::Fresh
            },
            exclude_newer: limit,
            direct,
        };
        let sources = Arc::new(Sources::of(spec, invocation, process, &client)?);
        let index = Arc::new(Index::new(Arc::clone(&sources), settings, options));
        Ok(Self {
            sources,
            index,
            registries: OnceLock::new(),
            cache,
            is_locked: matches!(spec.packages, Packages::Locked(_)),
            pinned: pinned_of(spec),
            directories,
            warnings,
        })
    }

    /// Adds the wheels of the indexes to a wheelhouse, after those of pip's `find-links` directories.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub(super) fn attach_to(
        &self,
        wheelhouse: &mut Wheelhouse,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<()> {
        for Named { value, by } in &self.directories {
            wheelhouse.add_configured(value, by, memo, evidence)?;
        }
        let (index, sources) = (Arc::clone(&self.index), Arc::clone(&self.sources));
        wheelhouse.attach(IndexWheels::new(index, sources, self.pinned.clone()));
        Ok(())
    }

    /// Adds the wheels of registries by their names to a wheelhouse that [`Self::attach_to`] has
    /// prepared. Returns `false` if there are none.
    ///
    /// # Errors
    /// A registry cannot be read. As with a package index, no other one is asked then, which might
    /// have another project of that name.
    pub(super) fn attach_registries(&self, wheelhouse: &mut Wheelhouse) -> Result<bool> {
        let index = self.registries()?;
        if let Some(index) = &index {
            let shown = self.sources.registries().map(|source| source.shown.clone());
            wheelhouse.attach_registries(Arc::clone(index), shown.collect());
        }
        Ok(index.is_some())
    }

    /// Reads the manifests of the registries, once.
    fn registries(&self) -> Result<Option<Arc<WheelIndex>>> {
        if !self.has_registries() {
            return Ok(None);
        }
        let read = || by_name::index(&self.sources, self.cache.clone());
        let read = self.registries.get_or_init(|| {
            let index = read().map_err(|error| Failure::of(&error))?;
            Ok(index.map(Arc::new))
        });
        Ok(read.clone()?)
    }

    /// Returns whether registries may have wheels by their names.
    fn has_registries(&self) -> bool {
        !self.is_locked && self.sources.registries().next().is_some()
    }

    /// Returns the manifests of wheels of a registry among the wheelhouses.
    ///
    /// # Errors
    /// The registry cannot be read.
    pub(super) fn manifests(&self, reference: &RegistryReference) -> Result<Arc<Vec<Manifest>>> {
        self.sources.manifests(reference)
    }

    /// Requests the lists of projects in advance, while `is_wanted` returns true, or the manifests of
    /// registries, which come before the indexes. Errors are left to the resolver, which asks again.
    pub(super) fn request_lists(
        &self,
        projects: &[PackageName],
        is_wanted: &(dyn Fn() -> bool + Sync),
    ) {
        if self.has_registries() {
            let _ = self.registries();
            return;
        }
        request_lists(&self.index, projects, is_wanted);
    }

    /// Checks whether a wheel is in one of pip's `find-links` directories.
    pub(super) fn has_in_directory(&self, wheel: &Path) -> bool {
        let parent = wheel.parent();
        let mut directories = self.directories.iter();
        directories.any(|directory| parent == Some(&*directory.value))
    }

    /// Downloads a file into `sink`, from a server that has it by its digest or from its URL, and
    /// checks its size and its digest, or copies it if this process has downloaded it before. `progress` counts the bytes.
    ///
    /// # Errors
    /// The file cannot be downloaded, or is another one than expected.
    pub fn download(
        &self,
        file: &FileToFetch,
        sink: &mut dyn Restart,
        progress: Option<&Part<'_>>,
    ) -> Result<Downloaded> {
        if let Some(kept) = &file.kept {
            let mut sink: &mut dyn Write = sink;
            let downloaded = kept.copy_to(&mut sink)?;
            if let Some(progress) = progress {
                progress.advance(downloaded.size);
            }
            return Ok(downloaded);
        }
        self.sources.download(file, sink, progress)
    }
}

impl Connection {
    /// Returns the client of a repository.
    ///
    /// # Errors
    /// The reference is not valid.
    pub fn registry(&self, reference: &RegistryReference) -> Result<Registry> {
        self.sources.registry(reference)
    }

    /// Downloads a blob from the first registry that has it, and compares it with its digest.
    /// Returns `false` if none has it.
    ///
    /// # Errors
    /// No registry has it, and one of them failed; or the sink fails.
    pub fn download_blob(&self, digest: &Digest, sink: &mut dyn Restart) -> Result<bool> {
        self.sources.download_blob(digest, sink)
    }
}

/// The beginnings of pip's options that name an index, or forbid one.
const NAMES_INDEX: [&str; 7] = [
    "--index",
    "--extra-index",
    "--find-links",
    "--no-index",
    "--pypi",
    "-i",
    "-f",
];

/// Returns the site's options for pip if all of them are about indexes, and otherwise a sentence
/// that says that only pip uses them.
///
/// # Errors
/// Some of the options name an index, and others are only for pip: without the index, projects
/// would come from another one.
pub(super) fn site_options(
    invocation: &Invocation,
    process: &Process,
) -> Result<(Vec<String>, Option<String>)> {
    let conf = &invocation.conf;
    let Some(set) = &conf.fetch_pip_options else {
        return Ok((Vec::new(), None));
    };
    let read = IndexSettings::read(&set.value, &Indexes::default(), &Conf::default(), process);
    let place = conf.place(set.line);
    let Err(error) = read else {
        return Ok((set.value.clone(), None));
    };
    let names_index = |word: &String| NAMES_INDEX.iter().any(|start| word.starts_with(start));
    if set.value.iter().any(names_index) {
        let failure = Failure::new(format!("cannot use `fetch.pip-options` in {place}"));
        return Err(failure
            .because(report::one_line(&error))
            .hint("name the index by `fetch.index-url` instead, or fetch with `--build`")
            .into());
    }
    let what =
        "only `fetch --build` uses `fetch.pip-options`, because not all of them are about indexes";
    Ok((Vec::new(), Some(format!("{what} ({place})"))))
}

/// Returns the wheels that a spec names by URL. The client learns their logins.
///
/// # Errors
/// A URL is not usable.
fn direct_urls(spec: &Spec, client: &Client) -> Result<DirectUrls> {
    let mut direct = DirectUrls::default();
    let Packages::Required(requirements) = &spec.packages else {
        return Ok(direct);
    };
    let constraints = requirements.constraints.iter();
    for asked in requirements.asked.iter().chain(constraints) {
        let Some(url) = &asked.value.url else {
            continue;
        };
        let usable = RemoteUrl::parse(url.reveal());
        let url = usable.with_context(|| format!("cannot fetch `{url}` ({})", asked.place))?;
        client.remember_login(&url);
        let only = match asked.value.hashes[..] {
            [digest] => Some(digest),
            _ => None,
        };
        direct.add(&asked.value.requirement.name, &url, only);
    }
    let by_name = requirements.asked.iter();
    for asked in by_name.filter(|asked| asked.value.url.is_none()) {
        direct.note_indexed(&asked.value.requirement.name);
    }
    Ok(direct)
}

/// Returns the time from which files are passed over: that of the caller, or else that of the spec; and
/// a warning if the latter is neither a date nor a time.
fn exclude_newer(options: &Use, spec: &Indexes) -> (Option<Timestamp>, Option<String>) {
    let of_spec = spec.exclude_newer.as_ref();
    let (None, Some(Located { value, place })) = (options.exclude_newer, of_spec) else {
        return (options.exclude_newer, None);
    };
    match Timestamp::parse_limit(value) {
        Ok(limit) => (Some(limit), None),
        Err(why) => {
            let warning = format!("{place}: `tool.uv.exclude-newer` is ignored: {why}");
            (None, Some(warning))
        }
    }
}

/// Returns the versions that a spec pins.
fn pinned_of(spec: &Spec) -> HashSet<(PackageName, Version)> {
    match &spec.packages {
        Packages::Required(requirements) => {
            let asked = requirements.asked.iter().chain(&requirements.constraints);
            pinned(asked.map(|asked| &asked.value.requirement))
        }
        Packages::Listed(wheels) => wheels
            .iter()
            .map(|wheel| (wheel.value.project.clone(), wheel.value.wanted.clone()))
            .collect(),
        Packages::Locked(lock) => {
            let packages = lock.packages.iter().map(|package| &package.value);
            packages
                .filter_map(|package| Some((package.name.clone(), package.version.clone()?)))
                .collect()
        }
    }
}
