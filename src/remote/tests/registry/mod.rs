//! Registries: manifests, blobs and logins, with a server that misbehaves.

mod images;
mod logins;
mod pull;
mod push;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use super::super::registry::Registry;
use super::*;
use crate::fs::{self, Digest};
use crate::oci::{RegistryReference, Version};

/// The repository of a server.
fn repository(client: &Arc<Client>, server: &HttpServer) -> Registry {
    let reference = reference(&server.address().to_string(), "team/app");
    Registry::new(client, &reference).unwrap()
}

fn reference(host: &str, repository: &str) -> RegistryReference {
    RegistryReference {
        host: host.to_owned(),
        repository: repository.to_owned(),
        version: None,
    }
}

fn tag(name: &str) -> Version {
    Version::Tag(name.to_owned())
}

/// Requests as `METHOD path`, with `REPO` for the URL of the repository and `DIGEST` for digests.
fn requests(server: &HttpServer) -> Vec<String> {
    let shown = server.received().into_iter().map(|request| {
        let path = request.path.replace("/v2/team/app", "REPO");
        let path = path.replace("sha256%3A", "sha256:");
        let mut parts = path.split("sha256:");
        let mut line = format!("{} {}", request.method, parts.next().unwrap());
        for part in parts {
            line += "DIGEST";
            line += &part[64..];
        }
        line
    });
    shown.collect()
}

/// The headers `Authorization` of all requests.
fn authorizations(server: &HttpServer) -> Vec<String> {
    let received = server.received().into_iter();
    received
        .map(|request| request.header("authorization").to_owned())
        .collect()
}

/// Writes a `config.json` with the login `me:geheim` for a server, and returns the environment in
/// which it is used.
fn config_for(directory: &Path, server: &HttpServer) -> [(&'static str, String); 1] {
    let address = server.address();
    let content = format!(r#"{{"auths": {{"{address}": {{"auth": "bWU6Z2VoZWlt"}}}}}}"#);
    fs::write_new(&directory.join("config.json"), content.as_bytes(), 0o600).unwrap();
    [("DOCKER_CONFIG", directory.to_str().unwrap().to_owned())]
}

/// A client with variables of this environment.
fn client_of(environment: &[(&str, String)]) -> Arc<Client> {
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    shared(&environment)
}

/// A client with variables of this environment, of which a registry keeps a share.
fn shared(environment: &[(&str, &str)]) -> Arc<Client> {
    Arc::new(client_with(environment, |_| {}))
}

/// The answer of a registry that refuses a request.
fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    Reply::new(status, body).header("Content-Type", "application/json")
}
