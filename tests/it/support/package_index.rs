//! A package index with the simple repository API (PEP 691), and wheels made by the tests.

use std::path::Path;

use vpython::testing::fs::Digest;

use super::Wheel;
use super::http_server::{HttpServer, Received, Reply};

/// What an index says about one file, and what it sends for it.
#[derive(Clone)]
pub struct Listed {
    name: String,
    project: String,
    content: Vec<u8>,
    sha256: Option<String>,
    requires_python: Option<String>,
    yanked: Option<String>,
}

impl Listed {
    /// Lists a wheel, with its digest.
    pub fn wheel(wheel: &Wheel) -> Self {
        Self::named(wheel.file_name(), wheel.bytes())
    }

    /// Lists a wheel file, with its digest.
    pub fn file(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap();
        Self::named(name.to_owned(), std::fs::read(path).unwrap())
    }

    fn named(name: String, content: Vec<u8>) -> Self {
        Self {
            project: name
                .split('-')
                .next()
                .unwrap()
                .to_ascii_lowercase()
                .replace('_', "-"),
            sha256: Some(Digest::of(&content).to_string()),
            name,
            content,
            requires_python: None,
            yanked: None,
        }
    }

    /// Lists a source distribution.
    pub fn sdist(project: &str, version: &str) -> Self {
        Self {
            name: format!("{project}-{version}.tar.gz"),
            project: project.to_owned(),
            content: b"no archive".to_vec(),
            sha256: None,
            requires_python: None,
            yanked: None,
        }
    }

    /// States another digest.
    pub fn digest(mut self, sha256: Option<&str>) -> Self {
        self.sha256 = sha256.map(str::to_owned);
        self
    }

    /// States the Python versions.
    pub fn requires_python(mut self, range: &str) -> Self {
        self.requires_python = Some(range.to_owned());
        self
    }

    /// States that the file was yanked.
    pub fn yanked(mut self, reason: &str) -> Self {
        self.yanked = Some(reason.to_owned());
        self
    }
}

/// A running index. `reply` may replace the replies of a good server.
pub struct PackageIndex {
    pub server: HttpServer,
}

impl PackageIndex {
    /// Starts an index of these files.
    pub fn start(files: Vec<Listed>) -> Self {
        Self::with(files, |_, reply| reply)
    }

    /// Starts an index of these files whose replies are changed by `change`.
    pub fn with(
        files: Vec<Listed>,
        change: impl Fn(&Received, Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = HttpServer::start(move |request| {
            let reply = answer(&files, request);
            change(request, reply)
        });
        Self { server }
    }

    /// Returns the content of the file at a path, if there is one.
    pub fn whole(files: &[Listed], path: &str) -> Option<Vec<u8>> {
        let name = path.strip_prefix("/files/")?;
        let file = files.iter().find(|file| file.name == name)?;
        Some(file.content.clone())
    }

    /// Returns the URL of the index.
    pub fn url(&self) -> String {
        self.server.url("/simple")
    }

    /// Returns the names of the files that were requested, sorted, each once.
    pub fn downloads(&self) -> Vec<String> {
        let paths = self.server.paths();
        let names = paths.iter().filter_map(|path| path.strip_prefix("/files/"));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}

fn answer(files: &[Listed], request: &Received) -> Reply {
    if let Some(name) = request.path.strip_prefix("/files/") {
        return match files.iter().find(|file| file.name == name) {
            Some(file) => Reply::file(request, &file.content, &format!("\"{name}\"")),
            None => Reply::new(404, ""),
        };
    }
    let project = request
        .path
        .trim_start_matches("/simple/")
        .trim_end_matches('/');
    let listed: Vec<&Listed> = files
        .iter()
        .filter(|file| file.project == project)
        .collect();
    if listed.is_empty() {
        return Reply::new(404, "");
    }
    let entries: Vec<serde_json::Value> = listed.iter().map(|file| entry(file)).collect();
    let page = serde_json::json!({
        "meta": {"api-version": "1.1"},
        "name": project,
        "files": entries,
    });
    Reply::new(200, page.to_string()).header("Content-Type", "application/vnd.pypi.simple.v1+json")
}

fn entry(file: &Listed) -> serde_json::Value {
    let mut entry = serde_json::json!({
        "filename": file.name,
        "url": format!("/files/{}", file.name),
        "size": file.content.len(),
        "hashes": {},
    });
    if let Some(sha256) = &file.sha256 {
        entry["hashes"]["sha256"] = sha256.as_str().into();
    }
    if let Some(range) = &file.requires_python {
        entry["requires-python"] = range.as_str().into();
    }
    if let Some(reason) = &file.yanked {
        entry["yanked"] = reason.as_str().into();
    }
    entry
}
