//! Manifests and blobs that are read.

use expect_test::expect;

use super::*;

const MANIFEST: &[u8] = br#"{"schemaVersion":2}"#;
const BLOB: &[u8] = b"0123456789";

#[test]
fn a_manifest_is_read_by_tag_or_by_digest() {
    let server = HttpServer::start(|request| {
        let digest = Digest::of(MANIFEST);
        match request.path.rsplit('/').next().unwrap() {
            "absent" => refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            _ => Reply::new(200, MANIFEST)
                .header(
                    "Content-Type",
                    "application/vnd.OCI.image.manifest.v1+json; charset=utf-8",
                )
                .header("Docker-Content-Digest", format!("sha256:{digest}")),
        }
    });
    let client = shared(&[]);
    let registry = repository(&client, &server);
    let digest = Digest::of(MANIFEST);
    for name in [tag("1.0"), Version::Digest(digest)] {
        let found = registry.manifest(&name).unwrap().unwrap();
        assert_eq!(found.bytes, MANIFEST);
        assert_eq!(found.digest, digest);
        assert_eq!(
            found.media_type,
            "application/vnd.oci.image.manifest.v1+json"
        );
    }
    let absent = registry.manifest(&tag("absent")).unwrap();
    assert_eq!(absent, None);
    assert_eq!(
        requests(&server),
        [
            "GET REPO/manifests/1.0",
            "GET REPO/manifests/DIGEST",
            "GET REPO/manifests/absent"
        ]
    );
    let accept = server.received()[0].header("accept").to_owned();
    for kind in [
        "oci.image.manifest",
        "oci.image.index",
        "docker.distribution.manifest.list",
    ] {
        assert!(
            accept.contains(&format!("application/vnd.{kind}.v")),
            "{accept}"
        );
    }
}

#[test]
fn a_manifest_with_another_digest_is_refused() {
    let server = HttpServer::start(|request| {
        if request.path.ends_with("large") {
            return Reply::new(200, vec![b' '; (4 << 20) + 1]);
        }
        let stated = format!("sha256:{}", Digest::of(b"stated"));
        Reply::new(200, "tampered").header("Docker-Content-Digest", stated)
    });
    let client = shared(&[]);
    let registry = repository(&client, &server);
    let names = [
        Version::Digest(Digest::of(MANIFEST)),
        tag("latest"),
        tag("large"),
    ];
    let errors = names.map(|name| text_of(&registry.manifest(&name).unwrap_err(), &server));
    expect![[r#"
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/sha256:bafebd36189ad3688b7b3915ea55d461e0bfcfbdde11e54b0a123999fb6be50f`
          caused by: its SHA-256 digest is d121be3103007b41edf96f8262925f8c7d61894afe9a041843b631f69445bc57, and bafebd36189ad3688b7b3915ea55d461e0bfcfbdde11e54b0a123999fb6be50f is expected
          hint: the registry is damaged, or something on the way changed the manifest
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/latest`
          caused by: its SHA-256 digest is d121be3103007b41edf96f8262925f8c7d61894afe9a041843b631f69445bc57, and 12bb4b11b2dbc961ab5383572a98f68081a47e36ad20ec7cbf23b9b188f9e492 is expected
          hint: the registry is damaged, or something on the way changed the manifest
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/large`
          caused by: the answer is larger than the limit of 4 MiB
    "#]]
    .assert_eq(&errors.concat());
}

#[test]
fn a_blob_is_downloaded_and_continued() {
    let content = vec![b'x'; 3_000_000];
    let sent = content.clone();
    let server = HttpServer::start(move |request| {
        let reply = Reply::file(request, &sent, "\"e\"");
        match request.earlier {
            0 => reply.end(End::ClosedAfter(2_000_000)),
            _ => reply,
        }
    });
    let client = shared(&[]);
    let registry = repository(&client, &server);
    let (digest, size) = (Digest::of(&content), content.len() as u64);
    let mut sink = Vec::new();
    registry
        .download_blob(&digest, Some(size), &mut sink, None)
        .unwrap();
    assert!(sink == content);
    assert_eq!(requests(&server), ["GET REPO/blobs/DIGEST"; 2]);
    let range = server.received()[1].header("range").to_owned();
    assert!(range.starts_with("bytes="), "{range}");
    let part = registry.blob_part(&digest, Range::Last(5), 10).unwrap();
    assert_eq!((part.status, &*part.body), (206, &b"xxxxx"[..]));
}

#[test]
fn a_blob_that_differs_is_refused() {
    let tampered = HttpServer::start(|_| Reply::new(200, "tampered!!"));
    let short = HttpServer::start(|_| Reply::new(200, &BLOB[..9]));
    let long = HttpServer::start(|_| Reply::new(200, [BLOB, b"x"].concat()));
    let endless =
        HttpServer::start(|_| Reply::new(200, vec![b'x'; 1 << 20]).framing(Framing::Close));
    let gone = HttpServer::start(|_| refusal(404, "BLOB_UNKNOWN", "blob unknown to registry"));
    let stalls = HttpServer::start(|_| Reply::new(200, BLOB).end(End::StallsAfter(4)));
    let mut errors = String::new();
    for server in [&tampered, &short, &long, &endless, &gone, &stalls] {
        let client = shared(&[]);
        let registry = repository(&client, server);
        let digest = Digest::of(BLOB);
        let error = registry
            .download_blob(&digest, Some(10), &mut Vec::new(), None)
            .unwrap_err();
        errors += &text_of(&error, server).replace(&digest.to_string(), "DIGEST");
    }
    expect![[r#"
        vpython: error: cannot fetch `http://SERVER/v2/team/app/blobs/sha256:DIGEST`
          caused by: its SHA-256 digest is e0413c6e97788b41c84415fe016f6efdfa8a2f49c94614a19abbf4a35b35101c, and DIGEST is expected
          hint: the file was replaced after its digest was recorded, or something on the way changed it
        vpython: error: cannot fetch `http://SERVER/v2/team/app/blobs/sha256:DIGEST`
          caused by: the file has 9 bytes, and 10 are expected
          hint: the file was replaced after its size was recorded, or something on the way changed it
        vpython: error: cannot fetch `http://SERVER/v2/team/app/blobs/sha256:DIGEST`
          caused by: the file has 11 bytes, and 10 are expected
          hint: the file was replaced after its size was recorded, or something on the way changed it
        vpython: error: cannot fetch `http://SERVER/v2/team/app/blobs/sha256:DIGEST`
          caused by: the file is larger than 10 bytes, its expected size
          hint: the file was replaced after its size was recorded, or something on the way changed it
        vpython: error: cannot fetch `http://SERVER/v2/team/app/blobs/sha256:DIGEST`
          caused by: the server answered 404 Not Found (`BLOB_UNKNOWN: blob unknown to registry`)
          hint: check the repository name `team/app`; `SERVER` may also have removed content that no tag refers to
        vpython: error: cannot fetch `http://SERVER/v2/team/app/blobs/sha256:DIGEST`
          caused by: the server sent nothing for 0.3 s (after 3 attempts)
    "#]].assert_eq(&errors);
}

#[test]
fn a_blob_is_found_by_its_header() {
    let server = HttpServer::start(|request| {
        if request.path.ends_with(&Digest::of(BLOB).to_string()) {
            Reply::new(200, BLOB)
        } else {
            Reply::new(404, "")
        }
    });
    let client = shared(&[]);
    let registry = repository(&client, &server);
    assert!(registry.has_blob(&Digest::of(BLOB)).unwrap());
    assert!(!registry.has_blob(&Digest::of(b"other")).unwrap());
    assert_eq!(requests(&server), ["HEAD REPO/blobs/DIGEST"; 2]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_refusal_says_what_the_registry_says() {
    let rows: [fn() -> Reply; 7] = [
        || refusal(401, "UNAUTHORIZED", "authentication required"),
        || refusal(403, "DENIED", "no `pull` for you"),
        || refusal(429, "TOOMANYREQUESTS", "slow down").header("Retry-After", "0"),
        || refusal(500, "UNKNOWN", "disk full"),
        || Reply::new(503, "<html>"),
        || Reply::new(200, "x").end(End::StallsAfter(0)),
        || Reply::new(418, "x"),
    ];
    let mut errors = String::new();
    for reply in rows {
        let server = HttpServer::start(move |_| reply());
        let client = shared(&[("HOME", "/home/me")]);
        let error = repository(&client, &server)
            .manifest(&tag("1"))
            .unwrap_err();
        errors += &text_of(&error, &server);
    }
    expect![[r#"
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server answered 401 Unauthorized (`UNAUTHORIZED: authentication required`)
          hint: log in: `docker login SERVER` or `skopeo login SERVER`; vpython found no login in `/home/me/.docker/config.json`, `/home/me/.config/containers/auth.json`
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server answered 403 Forbidden (`DENIED: no 'pull' for you`)
          hint: log in: `docker login SERVER` or `skopeo login SERVER`; vpython found no login in `/home/me/.docker/config.json`, `/home/me/.config/containers/auth.json`
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server answered 429 Too Many Requests (`TOOMANYREQUESTS: slow down`) (after 3 attempts)
          hint: try again later, or ask the operator of `127.0.0.1`
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server answered 500 Internal Server Error (`UNKNOWN: disk full`) (after 3 attempts)
          hint: try again later, or ask the operator of `127.0.0.1`
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server answered 503 Service Unavailable (after 3 attempts)
          hint: try again later, or ask the operator of `127.0.0.1`
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server sent nothing for 0.3 s (after 3 attempts)
        vpython: error: cannot fetch `http://SERVER/v2/team/app/manifests/1`
          caused by: the server answered 418 I'm a teapot
    "#]].assert_eq(&errors);
}

#[test]
fn a_busy_registry_is_asked_again() {
    let server = HttpServer::start(|request| match request.earlier {
        0 => Reply::new(429, "").header("Retry-After", "0"),
        1 => Reply::new(502, ""),
        _ => Reply::new(200, MANIFEST),
    });
    let client = shared(&[]);
    let found = repository(&client, &server).manifest(&tag("1"));
    assert_eq!(found.unwrap().unwrap().bytes, MANIFEST);
}

#[test]
fn a_repository_is_part_of_a_url() {
    let client = shared(&[]);
    let shown = |host, repository| {
        let registry = Registry::new(&client, &reference(host, repository)).unwrap();
        format!("{registry:?}")
    };
    let rows = [
        (
            "docker.io",
            "alpine",
            "https://registry-1.docker.io/v2/library/alpine/",
        ),
        ("ghcr.io", "a/b", "https://ghcr.io/v2/a/b/"),
        ("localhost:5000", "a", "http://localhost:5000/v2/a/"),
        ("[::1]:5000", "a", "http://[::1]:5000/v2/a/"),
        ("a.example:5000", "a", "https://a.example:5000/v2/a/"),
    ];
    for (host, repository, expected) in rows {
        assert!(shown(host, repository).contains(expected), "{host}");
    }
    for (host, repository) in [
        ("a.example", "a/../../x"),
        ("a.example", "a?b"),
        ("me:geheim@a.example", "a"),
        ("a.example/x", "a"),
        ("", "a"),
    ] {
        let error = Registry::new(&client, &reference(host, repository)).unwrap_err();
        assert!(
            report::one_line(&error).ends_with("is not a valid repository"),
            "{host}"
        );
    }
    let trusted = shared(&[("PIP_TRUSTED_HOST", "a.example:5000")]);
    let registry = Registry::new(&trusted, &reference("a.example:5000", "a")).unwrap();
    assert!(format!("{registry:?}").contains("http://a.example:5000/v2/a/"));
}
