//! A registry on this machine, which keeps what it gets, by repository, and requires no login. The
//! unit tests of `remote` include this file too.
#![allow(
    dead_code,
    reason = "the unit tests and the integration tests use different parts"
)]
#![allow(clippy::disallowed_methods, reason = "tests look at the disk as it is")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::http_server::{HttpServer, Received, Reply};

/// The repository and the name, a tag or `sha256:…`, and the media type with the bytes.
type Kept = HashMap<(String, String), (String, Vec<u8>)>;

/// A running registry. It ends when it is dropped.
pub struct OciRegistry {
    pub server: HttpServer,
    kept: Arc<Mutex<Kept>>,
}

impl OciRegistry {
    /// Starts a registry. A request that `refuse` has a reply for gets that.
    pub fn start(refuse: impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let shared = Arc::clone(&kept);
        let server = HttpServer::start(move |request| {
            refuse(request).unwrap_or_else(|| answer(request, &mut shared.lock().unwrap()))
        });
        Self { server, kept }
    }

    /// Returns a reference to a repository and what follows it, such as `:TAG`.
    pub fn reference(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.server.address())
    }

    /// Copies the blobs of an image layout, and its only manifest under a tag.
    pub fn load(&self, layout: &Path, repository: &str, tag: &str) {
        let mut kept = self.kept.lock().unwrap();
        let mut keep = |name: String, kind: &str, bytes: Vec<u8>| {
            kept.insert((repository.to_owned(), name), (kind.to_owned(), bytes));
        };
        let index = std::fs::read(layout.join("index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        let manifest = &index["manifests"][0];
        for entry in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let (path, name) = entry.map(|it| (it.path(), it.file_name())).unwrap();
            let name = format!("sha256:{}", name.to_str().unwrap());
            let bytes = std::fs::read(path).unwrap();
            if manifest["digest"] == name {
                let kind = manifest["mediaType"].as_str().unwrap();
                keep(tag.to_owned(), kind, bytes.clone());
                keep(name, kind, bytes);
            } else {
                keep(name, "application/octet-stream", bytes);
            }
        }
    }

    /// Puts bytes of a media type into a repository: a manifest under a tag, or a blob.
    pub fn put(&self, repository: &str, tag: Option<&str>, kind: &str, bytes: &[u8]) {
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        let mut kept = self.kept.lock().unwrap();
        for name in tag.into_iter().chain([&*digest]) {
            let key = (repository.to_owned(), name.to_owned());
            kept.insert(key, (kind.to_owned(), bytes.to_vec()));
        }
    }

    /// Changes the bytes that the registry has for a digest in a repository.
    pub fn damage(&self, repository: &str, digest: &str) {
        let mut kept = self.kept.lock().unwrap();
        let name = (repository.to_owned(), digest.to_owned());
        kept.get_mut(&name).unwrap().1[0] ^= 1;
    }

    /// Removes a manifest or a blob from a repository.
    pub fn remove(&self, repository: &str, name: &str) {
        let mut kept = self.kept.lock().unwrap();
        let name = (repository.to_owned(), name.to_owned());
        kept.remove(&name).unwrap();
    }

    /// Returns the bytes of a manifest or a blob.
    pub fn bytes(&self, repository: &str, name: &str) -> Vec<u8> {
        let kept = self.kept.lock().unwrap();
        kept[&(repository.to_owned(), name.to_owned())].1.clone()
    }

    /// Returns the paths of the requests with a method so far.
    pub fn paths(&self, method: &str) -> Vec<String> {
        let received = self.server.received().into_iter();
        received
            .filter(|request| request.method == method)
            .map(|request| request.path)
            .collect()
    }
}

fn answer(request: &Received, kept: &mut Kept) -> Reply {
    let path = request.path.replace("%3A", ":").replace("%2F", "/");
    let path = path.strip_prefix("/v2/").unwrap_or_default();
    let (repository, name) = path
        .split_once("/blobs/")
        .or_else(|| path.split_once("/manifests/"))
        .unwrap_or_default();
    let key = |name: &str| (repository.to_owned(), name.to_owned());
    match request.method.as_str() {
        "POST" => {
            let mount = name.strip_prefix("uploads/?mount=");
            let found = mount.and_then(|mount| {
                let (digest, from) = mount.split_once("&from=")?;
                let found = kept.get(&(from.to_owned(), digest.to_owned())).cloned()?;
                Some((digest, found))
            });
            match found {
                Some((digest, found)) => {
                    kept.insert(key(digest), found);
                    Reply::new(201, "")
                }
                None => Reply::new(202, "").header("Location", format!("{}1", request.path)),
            }
        }
        "PUT" => {
            let digest = format!("sha256:{}", hex::encode(Sha256::digest(&request.body)));
            let content_type = request.header("content-type").to_owned();
            let found = (content_type, request.body.clone());
            let stated = name.split_once("digest=").map(|(_, digest)| digest);
            if stated.is_some_and(|stated| stated != digest) {
                return Reply::new(400, "");
            }
            if stated.is_none() {
                kept.insert(key(name), found.clone());
            }
            kept.insert(key(&digest), found);
            Reply::new(201, "")
        }
        _ => match kept.get(&key(name)) {
            // Without a range, an answer has no entity tag, as that of a manifest.
            Some((_, bytes)) if !request.header("range").is_empty() => {
                Reply::file(request, bytes, "\"x\"")
            }
            Some((kind, bytes)) => Reply::new(200, bytes.clone()).header("Content-Type", kind),
            None => match path.split_once("/tags/list") {
                Some((repository, query)) => tags(repository, query, kept),
                None => Reply::new(404, ""),
            },
        },
    }
}

/// Lists the tags of a repository, two at a time.
fn tags(repository: &str, query: &str, kept: &Kept) -> Reply {
    let (_, last) = query.split_once("last=").unwrap_or_default();
    let names = kept.keys().filter(|(known, _)| known == repository);
    let mut tags: Vec<&str> = names.map(|(_, name)| name.as_str()).collect();
    if tags.is_empty() {
        return Reply::new(404, "");
    }
    tags.retain(|tag| !tag.starts_with("sha256:") && *tag > last);
    tags.sort_unstable();
    let has_more = tags.len() > 2;
    tags.truncate(2);
    let next = format!(
        "</v2/{repository}/tags/list?n=2&last={}>; rel=\"next\"",
        tags.last().unwrap_or(&"")
    );
    let body = serde_json::json!({ "name": repository, "tags": tags }).to_string();
    let reply = Reply::new(200, body).header("Content-Type", "application/json");
    if has_more {
        reply.header("Link", next)
    } else {
        reply
    }
}
