//! Logins: who gets them, and who does not.

use expect_test::expect;

use super::*;
use crate::fs;

/// `me:geheim` and `me:other` as servers receive them.
const GEHEIM: &str = "Basic bWU6Z2VoZWlt";
const OTHER: &str = "Basic bWU6b3RoZXI=";

/// A server for those that know one of the passwords.
fn closed() -> HttpServer {
    HttpServer::start(|request| match request.header("authorization") {
        GEHEIM | OTHER => Reply::new(200, "open"),
        _ => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    })
}

fn with_login(server: &HttpServer, login: &str, path: &str) -> RemoteUrl {
    let text = server
        .url(path)
        .replace("http://", &format!("http://{login}@"));
    RemoteUrl::parse(&text).unwrap()
}

fn sent(server: &HttpServer) -> Vec<String> {
    let received = server.received();
    received
        .iter()
        .map(|request| request.header("authorization").to_owned())
        .collect()
}

#[test]
fn the_login_of_an_index_is_that_of_its_files() {
    let server = closed();
    let client = client();
    let index = with_login(&server, "me:geheim", "/simple/");
    client.get(&Request::new(&index, 100)).unwrap();
    client
        .get(&Request::new(&index.join("/x.whl").unwrap(), 100))
        .unwrap();
    client
        .get(&Request::new(&url(&server, "/y.whl"), 100))
        .unwrap();
    assert_eq!(sent(&server), [GEHEIM; 3]);
}

#[test]
fn a_login_does_not_follow_a_redirect_to_another_origin() {
    let other = HttpServer::start(|_| Reply::new(200, "x"));
    let target = other.url("/x");
    let server = HttpServer::start(move |request| match request.path.as_str() {
        "/1" => Reply::redirect("/2"),
        _ => Reply::redirect(&target.replace("//", "//evil:evil@")),
    });
    client()
        .get(&Request::new(&with_login(&server, "me:geheim", "/1"), 100))
        .unwrap();
    assert_eq!(sent(&server), [GEHEIM; 2]);
    assert_eq!(sent(&other), [""]);
}

#[test]
fn a_login_of_netrc_is_for_its_host() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netrc");
    fs::write_new(
        &path,
        b"machine 127.0.0.1\nlogin me\npassword geheim\n",
        0o600,
    )
    .unwrap();
    let server = closed();
    let client = client_with(&[("NETRC", path.to_str().unwrap())], |_| {});
    assert_eq!(
        client
            .get(&Request::new(&url(&server, "/"), 100))
            .unwrap()
            .body,
        b"open"
    );
    assert_eq!(sent(&server), [GEHEIM]);
}

#[test]
fn keyring_is_asked_once_and_only_if_it_is_enabled() {
    let directory = tempfile::tempdir().unwrap();
    let script = b"#!/bin/sh\necho \"$@\" >> \"$LOG\"\necho other\n";
    fs::write_new(&directory.path().join("keyring"), script, 0o755).unwrap();
    let (directory, log) = (
        directory.path().to_str().unwrap(),
        directory.path().join("log"),
    );
    let environment = [("PATH", directory), ("LOG", log.to_str().unwrap())];
    let server = closed();
    let url = with_login(&server, "me", "/simple/");
    let error = client_with(&environment, |_| {})
        .get(&Request::new(&url, 100))
        .unwrap_err();
    expect![[r#"
        vpython: error: cannot fetch `http://SERVER/simple/`
          caused by: the server answered 401 Unauthorized
          hint: check the user name and the password for `127.0.0.1`
    "#]]
    .assert_eq(&text_of(&error, &server));
    assert!(!fs::exists(&log));
    for provider in ["PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"] {
        let environment = [environment[0], environment[1], (provider, "subprocess")];
        let client = client_with(&environment, |_| {});
        for _ in 0..2 {
            assert_eq!(client.get(&Request::new(&url, 100)).unwrap().body, b"open");
        }
    }
    let asked = format!("get {} me\n", server.url("/simple/")).repeat(2);
    assert_eq!(String::from_utf8(fs::read(&log).unwrap()).unwrap(), asked);
}

#[test]
fn a_proxy_gets_its_own_login() {
    let proxy = HttpServer::start(|request| {
        assert_eq!(request.method, "CONNECT");
        match request.header("proxy-authorization") {
            GEHEIM => Reply::new(502, ""),
            _ => Reply::new(407, ""),
        }
    });
    let address = proxy.address();
    let rows = [
        (
            format!("http://{address}"),
            "the proxy SERVER refuses requests without its login\n  \
             hint: write the proxy as `http://user:password@host:port`\n",
        ),
        (
            format!("http://me:geheim@{address}"),
            "the proxy SERVER made no connection to `a.example`: proxy server responded 502/502 (after 3 attempts)\n  \
             hint: check the proxy, or name the host in `NO_PROXY`\n",
        ),
    ];
    for (value, expected) in rows {
        let client = client_with(
            &[("HTTP_PROXY", &value), ("PIP_TRUSTED_HOST", "a.example")],
            |_| {},
        );
        let url = RemoteUrl::parse("http://u:p@a.example/x").unwrap();
        let error = client.get(&Request::new(&url, 100)).unwrap_err();
        assert_eq!(
            text_of(&error, &proxy),
            format!("vpython: error: cannot fetch `http://a.example/x`\n  caused by: {expected}")
        );
    }
    assert_eq!(proxy.received()[0].path, "a.example:80");
}

#[test]
fn secrets_are_in_no_text() {
    let server = HttpServer::start(|request| match request.path.as_str() {
        "/1?token=geheim" => Reply::redirect("/2?signature=geheim"),
        _ => Reply::new(403, ""),
    });
    let url = with_login(&server, "geheim:geheim", "/1?token=geheim#geheim");
    let settings = Settings {
        proxy: Some("http://geheim:geheim@p".into()),
        ..Settings::default()
    };
    let (shown, log) = with_log(|| {
        let client = client();
        let error = client.get(&Request::new(&url, 100)).unwrap_err();
        let proxied = Client::new(&Process::default(), settings.clone()).unwrap();
        let request = Request::new(&url, 100);
        format!(
            "{error:?} {} {client:?} {proxied:?} {settings:?} {url:?} {url} {request:?}",
            report::render(&error)
        )
    });
    for text in [shown, log] {
        assert!(
            !text.contains("geheim") && !text.contains("Basic"),
            "{text}"
        );
    }
}
