//! The readers of what package indexes send, and of pip's settings about them.

use std::path::Path;

use anyhow::Result;
use vpython::testing::invocation::Invocation;
use vpython::testing::remote::index::{
    Format, Index, IndexFile, IndexSettings, Listing, Options, Project, Transport, WheelMetadata,
    parse_page,
};
use vpython::testing::remote::{ContentRange, Range, RemoteUrl, Request, Response};
use vpython::testing::spec::Spec;

use super::{process, promised};

/// A page in JSON.
pub(super) fn json(_: &Path, bytes: &[u8]) -> Result<()> {
    page(Format::Json, bytes)
}

/// A page in HTML.
pub(super) fn html(_: &Path, bytes: &[u8]) -> Result<()> {
    page(Format::Html, bytes)
}

/// Parses a page. What it names can be requested over HTTP only, and has the name of a file; its
/// parsed form can be cached.
fn page(format: Format, bytes: &[u8]) -> Result<()> {
    let url = RemoteUrl::parse("https://index.invalid/simple/a/")?;
    let project = parse_page(format, url.as_url(), bytes)?;
    for file in &project.wheels {
        let url = RemoteUrl::parse(&file.url)?;
        promised(url.login().is_none(), || format!("a login in {url}"))?;
        let name = &file.file_name;
        let is_name = !name.contains(['/', '\0', '\n']) && name.to_lowercase().ends_with(".whl");
        promised(is_name, || format!("the name {name:?}"))?;
    }
    let cached = serde_json::to_vec(&project)?;
    let again: Project = serde_json::from_slice(&cached)?;
    promised(again == project, || {
        format!("{project:?} is cached as {again:?}")
    })
}

/// pip's configuration file.
pub(super) fn pip_conf(directory: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(directory.join("pip.conf"), bytes)?;
    let mut process = process(directory, &["x.py"]);
    let named = ("PIP_CONFIG_FILE".into(), directory.join("pip.conf").into());
    process.environment.push(named);
    let conf = Invocation::read(&process)?.conf;
    let settings = IndexSettings::read(&[], &Spec::default().indexes, &conf, &process)?;
    let shown = format!("{settings:?}");
    promised(!shown.contains("correct-horse"), || {
        format!("a secret in {shown}")
    })
}

/// A wheel of which only parts are requested.
pub(super) fn remote_wheel(_: &Path, bytes: &[u8]) -> Result<()> {
    let (settings, server) = (IndexSettings::default(), Server(bytes));
    let index = Index::new(&server, settings.clone(), Options::default());
    let file = IndexFile {
        file_name: "a-1-py3-none-any.whl".into(),
        url: "https://index.invalid/a-1-py3-none-any.whl".into(),
        size: Some(bytes.len() as u64),
        ..IndexFile::default()
    };
    match index.metadata(&Listing::default(), &file)? {
        WheelMetadata::Content(_) => Ok(()),
        WheelMetadata::NeedsWheel => anyhow::bail!("the whole wheel is needed"),
    }
}

/// A server with one file, which sends the ranges that a client requests.
struct Server<'a>(&'a [u8]);

impl Transport for Server<'_> {
    fn get(&self, request: &Request<'_>) -> Result<Response> {
        let size = self.0.len() as u64;
        let Some(Range::Bytes(first, last)) = request.range.filter(|_| size > 0) else {
            anyhow::bail!("not a range of bytes");
        };
        // As a server does, answer with the part that exists.
        let last = last.min(size - 1);
        let range = usize::try_from(first)?..=usize::try_from(last)?;
        Ok(Response {
            status: 206,
            url: request.url.clone(),
            etag: None,
            last_modified: None,
            cache_control: None,
            age: None,
            content_type: None,
            content_range: Some(ContentRange {
                part: Some((first, last)),
                size: Some(size),
            }),
            body: self.0.get(range).unwrap_or_default().to_vec(),
        })
    }
}
