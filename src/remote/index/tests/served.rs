//! Tests of [`Index`] with the client and a server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::metadata::wheel;
use super::*;
use crate::process::Process;
use crate::remote::tests::http_server::{End, HttpServer, Received, Reply};
use crate::remote::{Client, Retry, Settings};

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const METADATA: &str = "Metadata-Version: 2.1\nName: a\nVersion: 1\n";

fn client() -> Client {
    let settings = Settings {
        idle_timeout: Duration::from_millis(300),
        retry: Retry {
            attempts: 2,
            first_pause: Duration::ZERO,
            longest_pause: Duration::ZERO,
        },
        ..Settings::default()
    };
    Client::new(&Process::default(), settings).unwrap()
}

/// The page of `a`, in the format that the client accepts with the highest quality.
fn page(request: &Received, size: usize) -> Reply {
    assert!(request.header("accept").starts_with(JSON));
    let name = "a-1-py3-none-any.whl";
    let body = format!(
        r#"{{"meta": {{"api-version": "1.1"}}, "name": "a", "files": [{{"filename": "{name}",
        "url": "../../files/{name}", "hashes": {{}}, "size": {size}}}]}}"#
    );
    let reply = Reply::file(request, body.as_bytes(), "\"p1\"");
    reply.header("Content-Type", JSON)
}

/// A server with the project `a` behind a redirect, whose wheel is `wheel`.
fn server(wheel: Vec<u8>, is_broken: &'static AtomicBool) -> HttpServer {
    HttpServer::start(move |request| match request.path.as_str() {
        "/old/simple/a/" => Reply::redirect("/simple/a/"),
        "/simple/a/" if is_broken.load(Ordering::Relaxed) => Reply::new(503, "later"),
        "/simple/a/" => page(request, wheel.len()),
        "/files/a-1-py3-none-any.whl" => Reply::file(request, &wheel, "\"w1\""),
        _ => Reply::new(404, ""),
    })
}

#[test]
fn a_wheel_is_found_and_its_metadata_read_in_two_ranges() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    let (wheel, directory) = (wheel(METADATA, 400_000), tempfile::tempdir().unwrap());
    let server = server(wheel, &BROKEN);
    let (client, settings) = (client(), settings(&[&server.url("/old/simple")], &[]));
    let read = |freshness| {
        let options = Options {
            cache: Some(directory.path().into()),
            freshness,
            ..Options::default()
        };
        let index = Index::new(&client, settings.clone(), options);
        let listing = index.project(&name("a")).unwrap().unwrap();
        assert_eq!(index.project(&name("b")).unwrap(), None);
        let metadata = index
            .metadata(&listing, &listing.project.wheels[0])
            .unwrap();
        assert_eq!(metadata, WheelMetadata::Content(METADATA.into()));
    };
    read(Freshness::Fresh);
    let wheel = "/files/a-1-py3-none-any.whl";
    let found = [
        "/old/simple/a/",
        "/simple/a/",
        "/old/simple/b/",
        wheel,
        wheel,
    ];
    assert_eq!(server.paths(), found);
    // Again: the page is cached, and what is not on a server is asked for again.
    read(Freshness::Fresh);
    assert_eq!(server.paths()[5..], ["/old/simple/b/", wheel, wheel]);
    // The server confirms the page.
    read(Freshness::Confirmed);
    let received = server.received();
    let confirmed = received
        .iter()
        .rfind(|request| request.path == "/simple/a/")
        .unwrap();
    assert_eq!(confirmed.header("if-none-match"), "\"p1\"");
}

#[test]
fn a_server_that_fails_is_an_error_and_leaves_the_cache() {
    static BROKEN: AtomicBool = AtomicBool::new(true);
    let directory = tempfile::tempdir().unwrap();
    let server = server(wheel(METADATA, 10), &BROKEN);
    let (client, settings) = (client(), settings(&[&server.url("/simple")], &[]));
    let read = || {
        let options = Options {
            cache: Some(directory.path().into()),
            ..Options::default()
        };
        let index = Index::new(&client, settings.clone(), options);
        index
            .project(&name("a"))
            .map(|listing| listing.unwrap().project.wheels.len())
    };
    let message = crate::report::render(&read().unwrap_err());
    let message = message.replace(&server.address().to_string(), "SERVER");
    let begin = "vpython: error: cannot read `a` from the index `http://SERVER/simple` (`--index-url`)\n  caused by: ";
    assert!(message.starts_with(begin), "{message}");
    assert!(message.contains("503 Service Unavailable"), "{message}");
    BROKEN.store(false, Ordering::Relaxed);
    assert_eq!(read().unwrap(), 1);
    BROKEN.store(true, Ordering::Relaxed);
    assert_eq!(read().unwrap(), 1, "from the cache");
}

#[test]
fn a_server_that_breaks_off_ranges_costs_only_the_shortcut() {
    let body = wheel(METADATA, 400_000);
    let size = body.len();
    let server = HttpServer::start(move |request| match request.path.as_str() {
        "/simple/a/" => page(request, size),
        _ => Reply::file(request, &body, "\"w1\"").end(End::ClosedAfter(100)),
    });
    let (client, settings) = (client(), settings(&[&server.url("/simple")], &[]));
    let index = Index::new(&client, settings.clone(), Options::default());
    let listing = index.project(&name("a")).unwrap().unwrap();
    let metadata = index.metadata(&listing, &listing.project.wheels[0]);
    assert_eq!(metadata.unwrap(), WheelMetadata::NeedsWheel);
}
