//! The servers that have wheels by their digest: registries (`oci://HOST/REPO`) and mirrors
//! (`https://HOST/{sha256}`). They are asked before the URL of a lock or an index, one request for
//! each wheel, and only where the caller asked for the network.

use std::collections::HashSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Error, Result};
use tracing::debug;

use super::registry_of_site;
use crate::fs::{self, Digest};
use crate::invocation::{Invocation, WheelhouseReference};
use crate::oci::{self, Manifest, RegistryReference, Version};
use crate::process::Process;
use crate::remote::index::Transport;
use crate::remote::registry::Registry;
use crate::remote::{
    Client, Download, Downloaded, FileToFetch, RemoteUrl, Request, Response, Restart,
};
use crate::report::progress::Part;
use crate::report::{self, Failure};
use crate::spec::Spec;

/// The part of the URL of a mirror that the digest replaces.
const DIGEST: &str = "{sha256}";

/// Returns the wheelhouses that are named for a launch, in their order: the caller's, the spec's, the
/// site's.
pub(super) fn wheelhouses<'a>(
    spec: &'a Spec,
    invocation: &'a Invocation,
) -> impl Iterator<Item = &'a WheelhouseReference> {
    let of_spec = spec.wheelhouses.iter().map(|named| &named.value);
    let wheels = &invocation.wheels;
    let of_caller = wheels.of_caller.iter();
    of_caller.chain(of_spec).chain(&wheels.of_site)
}

/// The servers of a spec and its caller, in the order in which they are asked.
#[derive(Debug)]
pub(super) struct Sources {
    client: Arc<Client>,
    sources: Vec<Source>,
}

#[derive(Debug)]
pub(super) struct Source {
    /// The reference, as it was written.
    pub shown: String,
    server: Server,
    /// Whether it is that of `VPYTHON_REGISTRY`, which is asked first.
    is_in_front: bool,
    /// Whether a warning has said that it failed.
    has_failed: AtomicBool,
    /// The manifests of wheels, as soon as they were read.
    manifests: OnceLock<Result<Arc<Vec<Manifest>>, Failure>>,
}

#[derive(Debug)]
enum Server {
    /// A repository, with the version that the reference names.
    Registry(Box<Registry>, Option<Version>),
    /// A URL with [`DIGEST`].
    Mirror(String),
}

impl Sources {
    /// Returns the servers: that of `VPYTHON_REGISTRY`, the caller's, the spec's, the site's.
    ///
    /// # Errors
    /// A reference is not valid.
    pub fn of(
        spec: &Spec,
        invocation: &Invocation,
        process: &Process,
        client: &Arc<Client>,
    ) -> Result<Self> {
        let in_front = registry_of_site(process)?.map(WheelhouseReference::Registry);
        let in_front = in_front.iter().map(|named| (named, true));
        let others = wheelhouses(spec, invocation).map(|named| (named, false));
        let sources = in_front.chain(others).filter_map(|(named, is_in_front)| {
            let server = match named {
                WheelhouseReference::Directory(_) | WheelhouseReference::Layout(_) => return None,
                WheelhouseReference::Registry(reference) => {
                    Registry::new(client, reference).map(|registry| {
                        Server::Registry(Box::new(registry), reference.version.clone())
                    })
                }
                WheelhouseReference::Mirror(url) => Ok(Server::Mirror(url.clone())),
            };
            Some(server.map(|server| Source {
                shown: named.to_string(),
                server,
                is_in_front,
                has_failed: AtomicBool::new(false),
                manifests: OnceLock::new(),
            }))
        });
        Ok(Self {
            client: Arc::clone(client),
            sources: sources.collect::<Result<_>>()?,
        })
    }

    /// Returns the URL of a wheel on the first server; `None` if there is no server.
    pub fn url_of(&self, digest: &Digest) -> Option<RemoteUrl> {
        self.sources.first()?.url_of(digest).ok()
    }

    /// Downloads a file into `sink`: from the first server that has it, or else from its own URL.
    /// `progress` counts the bytes.
    ///
    /// # Errors
    /// No server has it, and its own URL fails too; the error says what each of them said. Or the
    /// sink fails.
    pub fn download(
        &self,
        file: &FileToFetch,
        sink: &mut dyn Restart,
        progress: Option<&Part<'_>>,
    ) -> Result<Downloaded> {
        let mut failures: Vec<Error> = Vec::new();
        let mut is_asked = false;
        let mut failed: Option<&Source> = None;
        // A warning says that the next source is asked, so there must be one.
        let note = |failed: Option<&Source>, failures: &[Error]| {
            if let Some((source, error)) = failed.zip(failures.last()) {
                source.note(error);
            }
        };
        if let Some(digest) = &file.sha256 {
            for source in self.in_order(file, digest) {
                note(failed, &failures);
                is_asked |= source.has_url(digest, &file.url);
                match source.download(&self.client, file, digest, sink, progress) {
                    Ok(downloaded) => return Ok(downloaded),
                    Err(error) if fs::is_io_failure(&error) => return Err(error),
                    Err(error) => failures.push(error),
                }
                failed = Some(source);
                sink.restart().context("cannot write the downloaded file")?;
            }
        }
        if !is_asked {
            note(failed, &failures);
            match self.client.download(&file.download(), sink, progress) {
                Err(error) if !failures.is_empty() => failures.push(error),
                own => return own,
            }
        }
        if failures.len() == 1 {
            return Err(failures.swap_remove(0));
        }
        let failure = Failure::new(format!("no server has `{}`", file.file_name));
        let said = failures.iter().map(report::one_line);
        Err(failure.because_of(said.collect::<Vec<_>>()).into())
    }
}

impl Sources {
    /// Returns the servers in the order in which they are asked for a wheel: where it was found by
    /// its name, that registry comes before the others. Each repository is asked once, and none whose
    /// manifests were read and do not have it.
    fn in_order(&self, file: &FileToFetch, digest: &Digest) -> Vec<&Source> {
        let mut sources: Vec<&Source> = self.sources.iter().collect();
        sources.sort_by_key(|source| !source.is_in_front && !source.has_url(digest, &file.url));
        let mut known = HashSet::new();
        sources.retain(|source| {
            if !source.may_have(digest) {
                return false;
            }
            let url = source.url_of(digest);
            url.map_or(true, |url| known.insert(url.as_url().clone()))
        });
        sources
    }

    /// Returns the registries among the wheelhouses, in their order.
    pub fn registries(&self) -> impl Iterator<Item = &Source> {
        let is_registry = |source: &&Source| matches!(source.server, Server::Registry(..));
        let sources = self.sources.iter().filter(|source| !source.is_in_front);
        sources.filter(is_registry)
    }

    /// Downloads a file of an index from its own URL.
    ///
    /// # Errors
    /// The index does not have it, or the sink fails.
    pub fn download_from_index(
        &self,
        file: &FileToFetch,
        sink: &mut dyn Write,
    ) -> Result<Downloaded> {
        let mut sink = sink;
        self.client.download(&file.download(), &mut sink, None)
    }

    /// Returns the manifests of a registry among the wheelhouses.
    ///
    /// # Errors
    /// The registry cannot be read.
    pub fn manifests(&self, reference: &RegistryReference) -> Result<Arc<Vec<Manifest>>> {
        let shown = reference.to_string();
        let source = self.registries().find(|source| source.shown == shown);
        source.map_or_else(|| Ok(Arc::default()), Source::manifests)
    }

    /// Returns the client of a repository.
    ///
    /// # Errors
    /// The reference is not valid.
    pub fn registry(&self, reference: &RegistryReference) -> Result<Registry> {
        Registry::new(&self.client, reference)
    }

    /// Downloads a blob that is not a wheel from the first registry that has it. Returns `false` if
    /// none has it.
    ///
    /// # Errors
    /// No registry has it, and one of them failed; or the sink fails.
    pub fn download_blob(&self, digest: &Digest, sink: &mut dyn Restart) -> Result<bool> {
        let mut failure = None;
        for source in &self.sources {
            let Server::Registry(registry, _) = &source.server else {
                continue;
            };
            let mut to: &mut dyn Write = sink;
            match registry.download_blob_if_there(digest, &mut to) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if fs::is_io_failure(&error) => return Err(error),
                Err(error) => failure = Some(error),
            }
            sink.restart().context("cannot write the downloaded file")?;
        }
        failure.map_or(Ok(false), Err)
    }
}

impl Transport for Sources {
    /// Requests a document: with the login for its registry if the URL is one of a registry.
    fn get(&self, request: &Request<'_>) -> Result<Response> {
        let registries = self
            .sources
            .iter()
            .filter_map(|source| match &source.server {
                Server::Registry(registry, _) => Some(registry),
                Server::Mirror(_) => None,
            });
        let mut of_url = registries.filter(|registry| registry.has(request.url));
        match of_url.next() {
            Some(registry) => registry.get(request),
            None => self.client.get(request),
        }
    }
}

impl Source {
    /// Returns the manifests of wheels that the reference names. They are requested once in a run. A
    /// registry without them is warned of.
    ///
    /// # Errors
    /// The registry cannot be read.
    pub fn manifests(&self) -> Result<Arc<Vec<Manifest>>> {
        let Server::Registry(registry, version) = &self.server else {
            return Ok(Arc::default());
        };
        let shown = &self.shown;
        let read = || {
            let found = registry.artifacts(oci::WHEELS_TYPE, version.as_ref());
            let found = found.with_context(|| format!("cannot read the wheelhouse `{shown}`"))?;
            if found.is_none() {
                report::warning(&format!(
                    "the registry has no `{shown}`; this wheelhouse is skipped"
                ));
            }
            Ok::<_, Error>(Arc::new(found.unwrap_or_default()))
        };
        let read = self
            .manifests
            .get_or_init(|| read().map_err(|error| Failure::of(&error)));
        Ok(read.clone()?)
    }

    /// Returns the URL of a wheel.
    ///
    /// # Errors
    /// It is not valid.
    pub fn url_of(&self, digest: &Digest) -> Result<RemoteUrl> {
        match &self.server {
            Server::Registry(registry, _) => registry.blob_url(digest),
            Server::Mirror(url) => RemoteUrl::parse(&url.replace(DIGEST, &digest.to_string())),
        }
    }

    /// Returns whether the server may have a wheel, as far as its manifests were read.
    fn may_have(&self, digest: &Digest) -> bool {
        let Some(Ok(manifests)) = self.manifests.get() else {
            return true;
        };
        let mut layers = manifests.iter().flat_map(|manifest| &manifest.layers);
        layers.any(|layer| layer.digest == *digest)
    }

    fn has_url(&self, digest: &Digest, url: &RemoteUrl) -> bool {
        self.url_of(digest).is_ok_and(|own| own == *url)
    }

    fn download(
        &self,
        client: &Client,
        file: &FileToFetch,
        digest: &Digest,
        sink: &mut dyn Restart,
        progress: Option<&Part<'_>>,
    ) -> Result<Downloaded> {
        let mut sink: &mut dyn Write = sink;
        match &self.server {
            Server::Registry(registry, _) => {
                registry.download_blob(digest, file.size, &mut sink, progress)
            }
            Server::Mirror(_) => {
                let url = self.url_of(digest)?;
                let download = Download {
                    url: &url,
                    ..file.download()
                };
                client.download(&download, &mut sink, progress)
            }
        }
    }

    /// Warns once that the server has failed.
    fn note(&self, error: &Error) {
        let text = report::one_line(error);
        if self.has_failed.swap(true, Ordering::Relaxed) {
            debug!("asked the next server: {text}");
        } else {
            report::warning(&format!(
                "{text}; other sources are asked in place of `{}`",
                self.shown
            ));
        }
    }
}
