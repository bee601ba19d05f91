//! The servers that have wheels by their digest: registries (`oci://HOST/REPO`) and mirrors
//! (`https://HOST/{sha256}`). They are asked before the URL of a lock or an index, one request for
//! each wheel, and only where the caller asked for the network.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Error, Result};
use tracing::debug;

use crate::fs::{self, Digest};
use crate::invocation::{Invocation, WheelhouseReference};
use crate::oci::Reference;
use crate::process::{Process, variable};
use crate::remote::registry::Registry;
use crate::remote::{Client, Download, Downloaded, FileToFetch, RemoteUrl, Restart};
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
struct Source {
    /// The reference, as it was written.
    shown: String,
    server: Server,
    /// Whether a warning has said that it failed.
    has_failed: AtomicBool,
}

#[derive(Debug)]
enum Server {
    Registry(Registry),
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
        let mut sources = Vec::new();
        if let Some(text) = process.setting(variable::REGISTRY) {
            let text = text.to_string_lossy();
            let failure = || {
                let name = variable::REGISTRY;
                Failure::new(format!("cannot use `{text}` from `{name}`"))
                    .hint("write `oci://HOST/REPO`")
            };
            match Reference::parse(&text) {
                Some(Ok(Reference::Registry(reference))) => {
                    sources.push(WheelhouseReference::Registry(reference));
                }
                Some(Err(why)) => return Err(failure().because(why).into()),
                _ => return Err(failure().because("it does not begin with `oci://`").into()),
            }
        }
        sources.extend(wheelhouses(spec, invocation).cloned());
        let sources = sources.into_iter().filter_map(|named| {
            let shown = named.to_string();
            let server = match named {
                WheelhouseReference::Directory(_) | WheelhouseReference::Layout(_) => return None,
                WheelhouseReference::Registry(reference) => {
                    Registry::new(client, &reference).map(Server::Registry)
                }
                WheelhouseReference::Mirror(url) => Ok(Server::Mirror(url)),
            };
            Some(server.map(|server| Source {
                shown,
                server,
                has_failed: AtomicBool::new(false),
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
            for source in &self.sources {
                note(failed, &failures);
                is_asked |= source.url_of(digest).is_ok_and(|url| url == file.url);
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
    /// Downloads a blob that is not a wheel from the first registry that has it. Returns `false` if
    /// there is no registry.
    ///
    /// # Errors
    /// No registry has it, or the sink fails.
    pub fn download_blob(&self, digest: &Digest, sink: &mut dyn Restart) -> Result<bool> {
        let mut failure = None;
        for source in &self.sources {
            let Server::Registry(registry) = &source.server else {
                continue;
            };
            let mut to: &mut dyn Write = sink;
            match registry.download_blob(digest, None, &mut to, None) {
                Ok(_) => return Ok(true),
                Err(error) if fs::is_io_failure(&error) => return Err(error),
                Err(error) => failure = Some(error),
            }
            sink.restart().context("cannot write the downloaded file")?;
        }
        failure.map_or(Ok(false), Err)
    }
}

impl Source {
    fn url_of(&self, digest: &Digest) -> Result<RemoteUrl> {
        match &self.server {
            Server::Registry(registry) => registry.blob_url(digest),
            Server::Mirror(url) => RemoteUrl::parse(&url.replace(DIGEST, &digest.to_string())),
        }
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
            Server::Registry(registry) => {
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
