//! Registries of container images, by the protocol of the OCI distribution specification
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>).
//!
//! A [`Registry`] is one repository of a registry. Requests are those of the [`Client`]: its
//! retries, limits, proxies and certificates apply. Only the logins are others: those of docker and
//! podman, which are read when a registry answers 401.
//!
//! | file | responsibility |
//! |---|---|
//! | `artifacts` | [`Registry::artifacts`]: the manifests of a type |
//! | `images` | [`Registry::image`], [`Registry::pull_blobs`]: several blobs at a time |
//! | `push` | [`Registry::push_image`]: several blobs at a time, and then the manifest |
//! | `manifests` | [`Registry::manifest`], [`Registry::put_manifest`] |
//! | `blobs` | [`Registry::download_blob`] and the other requests that read blobs |
//! | `upload` | [`Registry::upload_blob`], [`Registry::mount_blob`] |
//! | `name` | the names of Docker Hub |
//! | `authorization`, `challenge`, `token` | what a registry requires: `Basic`, or a token |
//! | `docker_config`, `credential_helper` | the logins of the user |
//! | `words` | what a registry says about a refusal |

mod artifacts;
mod authorization;
mod blobs;
mod challenge;
mod credential_helper;
mod docker_config;
mod images;
mod manifests;
mod name;
mod push;
mod token;
mod upload;
mod words;

use std::fmt;
use std::sync::Arc;

use anyhow::Result;

pub(super) use authorization::Sessions;
pub use manifests::FoundManifest;
pub use push::{BlobSource, BlobToPush, Sent};
pub use upload::Pushed;

use super::{Client, Origin, RemoteUrl, Request, Response, plain_http};
use crate::fs::Digest;
use crate::oci::RegistryReference;
use crate::report::Failure;
use authorization::{Action, Permission};
use docker_config::Found;

/// A repository of a registry.
#[derive(Debug)]
pub struct Registry {
    client: Arc<Client>,
    /// The host as the user names it, with its port if there is one.
    host: String,
    /// The full name of the repository.
    repository: String,
    /// The URL of the repository, with a slash at its end.
    base: RemoteUrl,
}

impl Registry {
    /// Creates the client of the repository that a reference names. Requests nothing.
    ///
    /// # Errors
    /// The host or the repository is not a valid part of a URL.
    pub fn new(client: &Arc<Client>, reference: &RegistryReference) -> Result<Self> {
        let RegistryReference {
            host, repository, ..
        } = reference;
        let repository = name::full_repository(host, repository);
        let endpoint = name::endpoint(host);
        let scheme = if plain_http::is_for_registry(endpoint, &client.settings.trusted_hosts) {
            "http"
        } else {
            "https"
        };
        let path = format!("/v2/{repository}/");
        let invalid = || Failure::new(format!("`{host}/{repository}` is not a valid repository"));
        let base = RemoteUrl::parse(&format!("{scheme}://{endpoint}{path}"));
        let base = base.map_err(|_| invalid())?;
        // A name with other characters would be another URL.
        if base.as_url().path() != path || base.login().is_some() {
            return Err(invalid().into());
        }
        Ok(Self {
            client: Arc::clone(client),
            host: host.clone(),
            repository,
            base,
        })
    }

    /// Returns the host as the user names it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the full name of the repository.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    fn origin(&self) -> Origin {
        self.base.origin()
    }

    /// Returns the URL of a blob.
    pub fn blob_url(&self, digest: &Digest) -> Result<RemoteUrl> {
        self.base.join(&format!("blobs/sha256:{digest}"))
    }

    /// Returns whether a URL is below that of the repository.
    #[must_use]
    pub fn has(&self, url: &RemoteUrl) -> bool {
        let path = url.as_url().path();
        url.origin() == self.origin() && path.starts_with(self.base.as_url().path())
    }

    /// Requests a document or a blob of the repository by its URL, as [`Client::get`] does, with the
    /// login for the repository.
    ///
    /// # Errors
    /// Those of [`Client::get`].
    pub fn get(&self, request: &Request<'_>) -> Result<Response> {
        self.client.get_from(&self.to_pull(), request)
    }

    /// The permission to read.
    fn to_pull(&self) -> Permission<'_> {
        Permission {
            registry: self,
            action: Action::Pull,
            from: None,
        }
    }

    /// The permission to read and write, and to read from another repository.
    fn to_push<'b>(&'b self, from: Option<&'b str>) -> Permission<'b> {
        Permission {
            registry: self,
            action: Action::Push,
            from,
        }
    }

    /// Returns the login of the user for this repository.
    fn login(&self) -> Option<Found> {
        let sessions = &self.client.registries;
        sessions.login(&self.host, &self.repository)
    }

    /// Returns what the user can do about a refusal.
    fn hint(&self, action: Action, status: u16) -> Option<String> {
        let Self {
            host, repository, ..
        } = self;
        match status {
            401 | 403 => Some(self.login_hint(status)),
            404 | 410 => Some(match action {
                Action::Pull => format!(
                    "check the repository name `{repository}`; `{host}` may also have removed content that no tag refers to"
                ),
                Action::Push => format!(
                    "check the repository name `{repository}`, and whether `{host}` requires that the repository is created first"
                ),
            }),
            _ => None,
        }
    }

    fn login_hint(&self, status: u16) -> String {
        let Self {
            host, repository, ..
        } = self;
        match self.login() {
            Some(Found { file, .. }) if status == 401 => format!(
                "check the login for `{host}` in `{}`, or log in again: `docker login {host}` or `skopeo login {host}`",
                file.display()
            ),
            Some(_) => {
                format!("ask the operator of `{host}` for access to the repository `{repository}`")
            }
            None => {
                let files = docker_config::files(&self.client.registries.process);
                let files: Vec<String> = files
                    .iter()
                    .map(|file| format!("`{}`", file.display()))
                    .collect();
                format!(
                    "log in: `docker login {host}` or `skopeo login {host}`; vpython found no login in {}",
                    if files.is_empty() {
                        "any file, since `HOME` is not set".to_owned()
                    } else {
                        files.join(", ")
                    }
                )
            }
        }
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.repository)
    }
}
