//! Blobs and manifests that are sent.

use expect_test::expect;

use super::super::super::Content;
use super::super::super::registry::Pushed;
use super::*;

const BLOB: &[u8] = b"0123456789";

/// The blobs that a registry has.
type Blobs = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A registry with the URL of its uploads, as it names it to its clients, and its blobs.
fn registry_with(location: &'static str) -> (HttpServer, Blobs) {
    let blobs = Blobs::default();
    let kept = Arc::clone(&blobs);
    let server = HttpServer::start(move |request| {
        let mut blobs = kept.lock().unwrap();
        let digest = |separator| request.path.rsplit_once(separator).unwrap().1.to_owned();
        match request.method.as_str() {
            "HEAD" if blobs.contains_key(&digest("sha256:")) => Reply::new(200, ""),
            "HEAD" => Reply::new(404, ""),
            "POST" => {
                let location = location.replace("SERVER", request.header("host"));
                Reply::new(202, "").header("Location", location)
            }
            "PUT" => {
                blobs.insert(digest("digest=sha256%3A"), request.body.clone());
                Reply::new(201, "")
            }
            _ => Reply::new(405, ""),
        }
    });
    (server, blobs)
}

#[test]
fn a_blob_is_sent_where_the_registry_says() {
    let rows = [
        ("/upload/1", "PUT /upload/1?digest=DIGEST"),
        (
            "http://SERVER/upload/1?_state=a%2Fb&x=",
            "PUT /upload/1?_state=a%2Fb&x=&digest=DIGEST",
        ),
        ("2?a", "PUT REPO/blobs/uploads/2?a&digest=DIGEST"),
    ];
    for (location, put) in rows {
        let (server, blobs) = registry_with(location);
        let client = shared(&[]);
        let registry = repository(&client, &server);
        let digest = Digest::of(BLOB);
        let mut file = fs::create_unnamed().unwrap();
        std::io::Write::write_all(&mut file, BLOB).unwrap();
        let upload = || registry.upload_blob(&digest, &Content::of_file(&file, 10), None);
        assert_eq!(upload().unwrap(), Pushed::Uploaded);
        assert_eq!(blobs.lock().unwrap()[&digest.to_string()], BLOB);
        let expected = ["HEAD REPO/blobs/DIGEST", "POST REPO/blobs/uploads/", put];
        assert_eq!(requests(&server), expected);
        let received = server.received();
        assert_eq!(received[1].header("content-length"), "0");
        assert_eq!(received[2].header("content-length"), "10");
        assert_eq!(
            received[2].header("content-type"),
            "application/octet-stream"
        );
        // A second time, nothing is sent.
        assert_eq!(upload().unwrap(), Pushed::Existed);
        assert_eq!(requests(&server)[3..], ["HEAD REPO/blobs/DIGEST"]);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_blob_is_mounted_or_else_sent() {
    let server = HttpServer::start(|request| match request.method.as_str() {
        "HEAD" => Reply::new(404, ""),
        "POST" if request.path.ends_with("from=team%2Fbase") => Reply::new(201, ""),
        "POST" if request.path.ends_with("from=secret") => Reply::new(403, ""),
        "POST" => Reply::new(202, "").header("Location", "/upload"),
        _ => Reply::new(201, ""),
    });
    let client = shared(&[]);
    let registry = repository(&client, &server);
    let (digest, content) = (Digest::of(BLOB), Content::of_bytes(BLOB));
    let upload = |from| registry.upload_blob(&digest, &content, Some(from)).unwrap();
    assert_eq!(upload("team/base"), Pushed::Mounted);
    assert_eq!(upload("team/other"), Pushed::Uploaded);
    assert_eq!(upload("secret"), Pushed::Uploaded);
    assert!(registry.mount_blob(&digest, "team/base").unwrap());
    assert!(!registry.mount_blob(&digest, "team/other").unwrap());
    let post = |from| format!("POST REPO/blobs/uploads/?mount=DIGEST&from=team%2F{from}");
    let expected = [
        "HEAD REPO/blobs/DIGEST",
        &post("base"),
        "HEAD REPO/blobs/DIGEST",
        &post("other"),
        "PUT /upload?digest=DIGEST",
        "HEAD REPO/blobs/DIGEST",
        "POST REPO/blobs/uploads/?mount=DIGEST&from=secret",
        "POST REPO/blobs/uploads/",
        "PUT /upload?digest=DIGEST",
        &post("base"),
        &post("other"),
    ];
    assert_eq!(requests(&server), expected);
}

#[test]
fn an_upload_that_broke_starts_again() {
    // The first answer is lost after the blob has arrived, or before.
    for arrives in [true, false] {
        let server = HttpServer::start(move |request| {
            let is_second = request.earlier > 0;
            match request.method.as_str() {
                "HEAD" if is_second && arrives => Reply::new(200, ""),
                "HEAD" => Reply::new(404, ""),
                "POST" if is_second => Reply::new(202, "").header("Location", "/2"),
                "POST" => Reply::new(202, "").header("Location", "/1"),
                _ if request.path.starts_with("/1") => Reply::new(201, "").end(End::Unanswered),
                _ => Reply::new(201, ""),
            }
        });
        let client = shared(&[]);
        let pushed = repository(&client, &server)
            .upload_blob(&Digest::of(BLOB), &Content::of_bytes(BLOB), None)
            .unwrap();
        let first = [
            "HEAD REPO/blobs/DIGEST",
            "POST REPO/blobs/uploads/",
            "PUT /1?digest=DIGEST",
            "HEAD REPO/blobs/DIGEST",
        ];
        let rest = ["POST REPO/blobs/uploads/", "PUT /2?digest=DIGEST"];
        let (expected, requested): (_, &[&str]) = if arrives {
            (Pushed::Existed, &[])
        } else {
            (Pushed::Uploaded, &rest)
        };
        assert_eq!(pushed, expected);
        assert_eq!(requests(&server), [&first, requested].concat());
    }
}

#[test]
fn a_manifest_is_sent_under_its_name() {
    let server = HttpServer::start(|request| match request.earlier {
        0 => Reply::new(503, ""),
        _ => Reply::new(201, ""),
    });
    let client = shared(&[]);
    let registry = repository(&client, &server);
    let digest = registry
        .put_manifest(&tag("1.0"), "application/x", b"{}")
        .unwrap();
    assert_eq!(digest, Digest::of(b"{}"));
    assert_eq!(requests(&server), ["PUT REPO/manifests/1.0"; 2]);
    let received = &server.received()[1];
    assert_eq!(received.header("content-type"), "application/x");
    assert_eq!(received.body, b"{}");
}

#[test]
fn a_registry_has_more_time_after_an_upload() {
    let after = |pause: u64| {
        let server = HttpServer::start(move |request| match request.method.as_str() {
            "HEAD" => Reply::new(404, ""),
            "POST" => Reply::new(202, "").header("Location", "/1"),
            _ => {
                std::thread::sleep(Duration::from_millis(pause));
                Reply::new(201, "")
            }
        });
        let client = Arc::new(client_with(&[], |settings| {
            settings.idle_timeout = Duration::from_millis(100);
            settings.retry.attempts = 1;
        }));
        let (digest, content) = (Digest::of(BLOB), Content::of_bytes(BLOB));
        let pushed = repository(&client, &server).upload_blob(&digest, &content, None);
        pushed.map_err(|error| text_of(&error, &server))
    };
    assert_eq!(after(300), Ok(Pushed::Uploaded));
    expect![[r#"
        vpython: error: cannot upload to `http://SERVER/v2/team/app/blobs/uploads/`
          caused by: the request for `http://SERVER/1?...` failed
          caused by: the server sent nothing for 1 s
    "#]]
    .assert_eq(&after(3000).unwrap_err());
}

#[test]
fn a_refused_upload_says_why() {
    let rows: [fn(&Received) -> Reply; 6] = [
        |_| refusal(403, "DENIED", "requested access to the resource is denied"),
        |_| refusal(404, "NAME_UNKNOWN", "repository not created"),
        |_| refusal(400, "DIGEST_INVALID", "provided digest did not match"),
        |_| Reply::new(307, "").header("Location", "http://localhost:1/elsewhere"),
        |_| Reply::new(202, ""),
        |_| Reply::new(204, ""),
    ];
    let mut errors = String::new();
    for refuse in rows {
        let server = HttpServer::start(move |request| match request.method.as_str() {
            "HEAD" => Reply::new(404, ""),
            _ => refuse(request),
        });
        let client = shared(&[("HOME", "/home/me")]);
        let error = repository(&client, &server)
            .upload_blob(&Digest::of(BLOB), &Content::of_bytes(BLOB), None)
            .unwrap_err();
        errors += &text_of(&error, &server);
    }
    expect![[r#"
        vpython: error: cannot upload to `http://SERVER/v2/team/app/blobs/uploads/`
          caused by: the server answered 403 Forbidden (`DENIED: requested access to the resource is denied`)
          hint: log in: `docker login SERVER` or `skopeo login SERVER`; vpython found no login in `/home/me/.docker/config.json`, `/home/me/.config/containers/auth.json`
        vpython: error: cannot upload to `http://SERVER/v2/team/app/blobs/uploads/`
          caused by: the server answered 404 Not Found (`NAME_UNKNOWN: repository not created`)
          hint: check the repository name `team/app`, and whether `SERVER` requires that the repository is created first
        vpython: error: cannot upload to `http://SERVER/v2/team/app/blobs/uploads/`
          caused by: the server answered 400 Bad Request (`DIGEST_INVALID: provided digest did not match`)
        vpython: error: cannot upload to `http://SERVER/v2/team/app/blobs/uploads/`
          caused by: the server redirects the request to `http://localhost:1/elsewhere`, and its body is not for other hosts
        vpython: error: cannot upload to `http://SERVER/v2/team/app/blobs/uploads/`
          caused by: the registry names no URL for the upload
        vpython: error: cannot upload to `http://SERVER/v2/team/app/blobs/uploads/`
          caused by: the server answered 204, and 202 is expected
    "#]].assert_eq(&errors);
}

#[test]
fn a_login_does_not_follow_an_upload_to_another_host() {
    let other = HttpServer::start(|_| Reply::new(201, ""));
    let location = other.url("/upload");
    let server = HttpServer::start(move |request| {
        let reply = match (request.method.as_str(), request.header("authorization")) {
            (_, "") => Reply::new(401, ""),
            ("HEAD", _) => Reply::new(404, ""),
            _ => Reply::new(202, "").header("Location", location.clone()),
        };
        reply.header("WWW-Authenticate", "Basic realm=x")
    });
    let directory = tempfile::tempdir().unwrap();
    let client = client_of(&config_for(directory.path(), &server));
    repository(&client, &server)
        .upload_blob(&Digest::of(BLOB), &Content::of_bytes(BLOB), None)
        .unwrap();
    assert_eq!(authorizations(&other), [""]);
    assert_eq!(
        authorizations(&server),
        ["", "Basic bWU6Z2VoZWlt", "Basic bWU6Z2VoZWlt"]
    );
}
