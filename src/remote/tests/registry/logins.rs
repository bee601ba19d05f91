//! What registries require: user names and passwords, tokens, and who gets them.

use expect_test::expect;

use super::super::super::{Content, in_parallel};
use super::*;

const BASIC: &str = "Basic bWU6Z2VoZWlt";

/// A registry that requires a token, which it issues itself: `token-N` for the N-th request.
fn registry_with_tokens(
    issue: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    accepts: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> HttpServer {
    HttpServer::start(move |request| {
        let scope = match request.method.as_str() {
            "GET" | "HEAD" => "pull",
            _ => "pull,push",
        };
        if request.path.starts_with("/token") {
            return issue(request);
        }
        if accepts(request.header("authorization")) {
            return match request.method.as_str() {
                "POST" | "PUT" => Reply::new(201, ""),
                _ => Reply::new(200, "{}"),
            };
        }
        let host = request.header("host");
        refusal(401, "UNAUTHORIZED", "authentication required").header(
            "WWW-Authenticate",
            format!(
                r#"Bearer realm="http://{host}/token?a=b",service="the service",scope="repository:team/app:{scope}""#
            ),
        )
    })
}

fn token(text: &str) -> Reply {
    Reply::new(200, format!(r#"{{"token":"{text}","expires_in":300}}"#))
}

#[test]
fn a_token_is_requested_once_for_a_repository_and_an_action() {
    let server = registry_with_tokens(
        |request| token(&format!("geheim-{}", request.path.len())),
        |authorization| authorization.starts_with("Bearer geheim-"),
    );
    let client = shared(&[]);
    let registry = repository(&client, &server);
    for _ in 0..2 {
        registry.manifest(&tag("1")).unwrap();
        registry
            .put_manifest(&tag("1"), "application/x", b"{}")
            .unwrap();
    }
    let scope = "/token?a=b&service=the+service&scope=repository%3Ateam%2Fapp%3Apull";
    let manifest = "/v2/team/app/manifests/1";
    assert_eq!(
        server.paths(),
        [
            manifest,
            scope,
            manifest,
            manifest,
            &format!("{scope}%2Cpush"),
            manifest,
            manifest,
            manifest
        ]
    );
    // The user has no login, and the server issues tokens without one.
    let sent = authorizations(&server);
    assert_eq!([&*sent[0], &*sent[1], &*sent[3]], [""; 3]);
    assert_eq!(sent[2], format!("Bearer geheim-{}", scope.len()));
}

#[test]
fn threads_share_one_token() {
    let server = registry_with_tokens(
        |request| match request.header("authorization") {
            BASIC => token("geheim"),
            _ => Reply::new(401, ""),
        },
        |authorization| authorization == "Bearer geheim",
    );
    let directory = tempfile::tempdir().unwrap();
    let client = client_of(&config_for(directory.path(), &server));
    let barrier = std::sync::Barrier::new(8);
    in_parallel(8, &[(); 8], |()| {
        barrier.wait();
        // A `Registry` of its own for each thread.
        repository(&client, &server).manifest(&tag("1")).unwrap();
    });
    let paths = server.paths();
    let tokens = paths.iter().filter(|path| path.starts_with("/token"));
    assert_eq!(tokens.count(), 1, "{paths:?}");
}

#[test]
fn a_token_that_expired_is_replaced() {
    let uses = Mutex::new(0);
    let server = registry_with_tokens(
        |request| token(&format!("geheim-{}", request.earlier)),
        // The first token is accepted once.
        move |authorization| match authorization {
            "Bearer geheim-0" => {
                let mut uses = uses.lock().unwrap();
                *uses += 1;
                *uses == 1
            }
            other => other == "Bearer geheim-1",
        },
    );
    let client = shared(&[]);
    let registry = repository(&client, &server);
    for _ in 0..3 {
        registry.manifest(&tag("1")).unwrap();
    }
    let sent = authorizations(&server);
    let (first, second) = ("Bearer geheim-0", "Bearer geheim-1");
    assert_eq!(sent, ["", "", first, first, "", second, second]);
}

#[test]
fn a_refused_login_is_sent_once() {
    let server = registry_with_tokens(
        |_| refusal(401, "UNAUTHORIZED", "incorrect username or password"),
        |_| false,
    );
    let directory = tempfile::tempdir().unwrap();
    let client = client_of(&config_for(directory.path(), &server));
    let errors = in_parallel(4, &[(); 4], |()| {
        let error = repository(&client, &server).manifest(&tag("1"));
        text_of(&error.unwrap_err(), &server)
            .replace(directory.path().to_str().unwrap(), "DIRECTORY")
    });
    expect![[r#"
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the registry requires a token from `http://SERVER/token?...`: the server answered 401 Unauthorized (`UNAUTHORIZED: incorrect username or password`)
          hint: check the login for `SERVER` in `DIRECTORY/config.json`, or log in again: `docker login SERVER` or `skopeo login SERVER`
    "#]].assert_eq(&errors[0]);
    assert!(errors.iter().all(|error| *error == errors[0]));
    let sent = authorizations(&server);
    assert_eq!(sent.iter().filter(|sent| !sent.is_empty()).count(), 1);
}

#[test]
fn a_registry_may_take_the_password_itself() {
    let server = HttpServer::start(|request| match request.header("authorization") {
        BASIC => Reply::new(200, "{}"),
        _ => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let directory = tempfile::tempdir().unwrap();
    let client = client_of(&config_for(directory.path(), &server));
    let registry = repository(&client, &server);
    for _ in 0..2 {
        registry.manifest(&tag("1")).unwrap();
    }
    assert_eq!(authorizations(&server), ["", BASIC, BASIC]);
    // A registry that answers without a login does not get any.
    let open = HttpServer::start(|_| Reply::new(200, "{}"));
    repository(&client, &open).manifest(&tag("1")).unwrap();
    assert_eq!(authorizations(&open), [""]);
    let error = repository(&client_of(&[]), &server).manifest(&tag("1"));
    expect![[r#"
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server answered 401 Unauthorized
          hint: log in: `docker login SERVER` or `skopeo login SERVER`; vpython found no login in any file, since `HOME` is not set
    "#]].assert_eq(&text_of(&error.unwrap_err(), &server));
}

#[test]
fn a_credential_helper_has_the_login() {
    let server = registry_with_tokens(
        |request| {
            assert_eq!(request.method, "POST");
            let body = String::from_utf8(request.body.clone()).unwrap();
            let expected = "grant_type=refresh_token&client_id=vpython&service=the+service\
                &scope=repository%3Ateam%2Fapp%3Apull&refresh_token=geheim";
            assert_eq!(body, expected);
            Reply::new(200, r#"{"access_token":"geheim-1"}"#)
        },
        |authorization| authorization == "Bearer geheim-1",
    );
    let directory = tempfile::tempdir().unwrap();
    let config = format!(r#"{{"credHelpers": {{"{}": "test"}}}}"#, server.address());
    let path = directory.path();
    fs::write_new(&path.join("config.json"), config.as_bytes(), 0o600).unwrap();
    let script = b"#!/bin/sh\nread registry\necho $registry >> \"$LOG\"\n\
        echo '{\"Username\":\"<token>\",\"Secret\":\"geheim\"}'\n";
    fs::write_new(&path.join("docker-credential-test"), script, 0o755).unwrap();
    let log = path.join("log");
    let directory = path.to_str().unwrap().to_owned();
    let client = client_of(&[
        ("PATH", directory.clone()),
        ("DOCKER_CONFIG", directory),
        ("LOG", log.to_str().unwrap().to_owned()),
    ]);
    in_parallel(4, &[(); 4], |()| {
        repository(&client, &server).manifest(&tag("1")).unwrap();
    });
    let asked = String::from_utf8(fs::read(&log).unwrap()).unwrap();
    assert_eq!(asked, format!("{}\n", server.address()));
}

#[test]
fn a_token_does_not_follow_a_redirect_to_another_origin() {
    let storage =
        HttpServer::start(|request| Reply::file(request, b"0123456789", "\"e\"").header("X", "y"));
    let location = storage.url("/signed?signature=geheim");
    let server = HttpServer::start(move |request| match request.header("authorization") {
        BASIC => Reply::redirect(&location),
        _ => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let directory = tempfile::tempdir().unwrap();
    let environment = config_for(directory.path(), &server);
    let netrc = directory.path().join("netrc");
    fs::write_new(&netrc, b"machine 127.0.0.1 login me password geheim", 0o600).unwrap();
    let [config] = environment;
    let client = client_of(&[config, ("NETRC", netrc.to_str().unwrap().to_owned())]);
    let digest = Digest::of(b"0123456789");
    let mut sink = Vec::new();
    repository(&client, &server)
        .download_blob(&digest, Some(10), &mut sink, None)
        .unwrap();
    assert_eq!(sink, b"0123456789");
    assert_eq!(authorizations(&storage), [""]);
}

#[test]
fn secrets_are_in_no_text_of_a_registry() {
    // The server quotes what it refuses.
    let server = HttpServer::start(|request| {
        let sent = request.header("authorization").to_owned();
        if request.path.starts_with("/token") {
            return token("geheim-1");
        }
        let host = request.header("host");
        refusal(401, "UNAUTHORIZED", &format!("{sent} is not accepted")).header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="http://{host}/token",service=x"#),
        )
    });
    let basic = HttpServer::start(|request| {
        let sent = request.header("authorization").to_owned();
        refusal(401, "UNAUTHORIZED", &format!("me:geheim is {sent}"))
            .header("WWW-Authenticate", "Basic realm=x")
    });
    let tokens = HttpServer::start({
        let realm = basic.url("/token");
        move |_| Reply::new(401, "").header("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
    });
    for server in [&server, &basic, &tokens] {
        let directory = tempfile::tempdir().unwrap();
        let environment = config_for(directory.path(), server);
        let (shown, log) = with_log(|| {
            let client = client_of(&environment);
            let registry = repository(&client, server);
            let read = registry.manifest(&tag("1")).unwrap_err();
            let content = Content::of_bytes(b"x");
            let sent = registry.upload_blob(&Digest::of(b"x"), &content, None);
            let sent = sent.unwrap_err();
            format!(
                "{read:?} {sent:?} {client:?} {registry:?} {} {}",
                report::render(&read),
                report::render(&sent)
            )
        });
        for text in [shown, log] {
            let is_shown = ["geheim", "Basic ", "bWU6"]
                .into_iter()
                .any(|secret| text.contains(secret));
            assert!(!is_shown, "{text}");
        }
    }
}
