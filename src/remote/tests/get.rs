//! Documents: what the server does, and what the caller gets.

use std::io::Write;

use expect_test::expect;

use super::*;

/// Requests a path from a server, with a limit of 1 MiB.
fn get(client: &Client, server: &HttpServer, path: &str) -> anyhow::Result<Response> {
    client.get(&Request::new(&url(server, path), 1 << 20))
}

/// The error of a request for `/x` from a server with this behaviour, and the number of requests.
fn failure(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> (String, usize) {
    let server = HttpServer::start(answer);
    let error = get(&client(), &server, "/x").unwrap_err();
    (text_of(&error, &server), server.received().len())
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_document_comes_with_its_headers() {
    let server = HttpServer::start(|request| {
        Reply::file(request, b"hello", "\"e1\"")
            .header("Content-Type", "text/html")
            .header("Cache-Control", "max-age=600")
            .header("Age", "17")
    });
    let client = client();
    let url = url(&server, "/simple/?a=b#c");
    let mut request = Request::new(&url, 5);
    request.accept = Some("text/html, */*;q=0.1");
    let response = client.get(&request).unwrap();
    let expected = Response {
        status: 200,
        url: url.clone(),
        etag: Some("\"e1\"".to_owned()),
        last_modified: None,
        cache_control: Some("max-age=600".to_owned()),
        age: Some(17),
        content_type: Some("text/html".to_owned()),
        content_range: None,
        body: b"hello".to_vec(),
    };
    assert_eq!(response, expected);
    request.if_none_match = Some("\"e1\"");
    let response = client.get(&request).unwrap();
    assert_eq!((response.status, response.body), (304, Vec::new()));
    let received = server.received();
    assert_eq!(received[0].path, "/simple/?a=b");
    assert_eq!(received[0].header("accept"), "text/html, */*;q=0.1");
    assert_eq!(received[0].header("accept-encoding"), "gzip");
    assert_eq!(received[0].header("user-agent"), "vpython/0.1.0");
    assert_eq!(received[0].header("authorization"), "");
}

#[test]
fn a_part_comes_with_its_range() {
    let server = HttpServer::start(|request| Reply::file(request, b"0123456789", "\"e\""));
    let client = client();
    let url = url(&server, "/x");
    let rows = [
        (Range::Bytes(2, 4), 206, "234", Some((2, 4))),
        (Range::From(8), 206, "89", Some((8, 9))),
        (Range::Last(3), 206, "789", Some((7, 9))),
        (Range::From(10), 416, "", None),
    ];
    for (range, status, body, part) in rows {
        let mut request = Request::new(&url, 100);
        request.range = Some(range);
        let response = client.get(&request).unwrap();
        assert_eq!(
            (response.status, &*response.body),
            (status, body.as_bytes())
        );
        let size = Some(10);
        assert_eq!(response.content_range, Some(ContentRange { part, size }));
    }
    assert_eq!(server.received()[0].header("accept-encoding"), "identity");
}

#[test]
fn every_framing_and_compression_is_read() {
    let server = HttpServer::start(|request| {
        let content = vec![b'x'; 10_000];
        let framing = match request.path.as_bytes()[1] {
            b'l' => Framing::Length,
            b'c' => Framing::Chunked,
            _ => Framing::Close,
        };
        if request.path.ends_with("gzip") {
            Reply::new(200, gzip(&content)).header("Content-Encoding", "gzip")
        } else {
            Reply::new(200, content)
        }
        .framing(framing)
    });
    let client = client();
    for path in [
        "/length",
        "/chunked",
        "/open",
        "/length/gzip",
        "/chunked/gzip",
        "/open/gzip",
    ] {
        assert_eq!(
            get(&client, &server, path).unwrap().body,
            vec![b'x'; 10_000],
            "{path}"
        );
    }
}

#[test]
fn an_absent_document_is_a_status() {
    let server =
        HttpServer::start(|request| Reply::new(request.path[1..].parse().unwrap(), "gone"));
    for status in [404, 410] {
        let response = get(&client(), &server, &format!("/{status}")).unwrap();
        assert_eq!((response.status, response.body), (status, Vec::new()));
    }
}

#[test]
fn a_failure_that_passes_is_not_noticed() {
    let ways: [fn() -> Reply; 10] = [
        || Reply::new(500, "no"),
        || Reply::new(503, "no").header("Retry-After", "0"),
        || Reply::new(429, "no").header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
        || Reply::new(408, "no"),
        || Reply::new(200, "12345").end(End::ClosedAfter(2)),
        || Reply::new(200, "12345").end(End::ResetAfter(0)),
        || Reply::new(200, "12345").end(End::StallsAfter(2)),
        || {
            Reply::new(200, vec![0; 3000])
                .framing(Framing::Chunked)
                .end(End::ClosedAfter(2000))
        },
        || {
            let body = gzip(&[0; 10_000]);
            let half = body[..body.len() / 2].to_vec();
            Reply::new(200, half)
                .header("Content-Encoding", "gzip")
                .framing(Framing::Close)
        },
        || Reply::new(599, ""),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let server = HttpServer::start(move |request| match request.earlier {
            0 => way(),
            _ => Reply::new(200, "fine"),
        });
        let response = get(&client(), &server, "/x");
        assert_eq!(response.unwrap().body, b"fine", "{number}");
        assert_eq!(server.received().len(), 2, "{number}");
    }
}

#[test]
fn a_lasting_failure_says_how_often_it_was_tried() {
    let later = "  hint: try again later, or ask the operator of `127.0.0.1`\n";
    let rows: [(fn() -> Reply, &str, &str); 4] = [
        (
            || Reply::new(503, ""),
            "the server answered 503 Service Unavailable",
            later,
        ),
        (
            || Reply::new(429, ""),
            "the server answered 429 Too Many Requests",
            later,
        ),
        (
            || Reply::new(200, "12345").end(End::ClosedAfter(2)),
            "the connection was lost: it ended too early",
            "",
        ),
        (
            || Reply::new(200, "12345").end(End::StallsAfter(2)),
            "the server sent nothing for 0.3 s",
            "",
        ),
    ];
    for (reply, cause, hint) in rows {
        let text = format!(
            "vpython: error: cannot fetch `http://SERVER/x`\n  caused by: {cause} (after 3 attempts)\n{hint}"
        );
        assert_eq!(failure(move |_| reply()), (text, 3));
    }
}

#[test]
fn a_useless_repetition_is_saved() {
    let login = "  hint: put a login for `127.0.0.1` into `~/.netrc`: `machine 127.0.0.1 login NAME password PASSWORD`\n";
    let access = "  hint: ask the operator of `127.0.0.1` for access, or name another index\n";
    let rows: [(fn() -> Reply, &str, &str); 9] = [
        (
            || Reply::new(401, ""),
            "the server answered 401 Unauthorized",
            login,
        ),
        (
            || Reply::new(403, ""),
            "the server answered 403 Forbidden",
            access,
        ),
        (
            || Reply::new(418, ""),
            "the server answered 418 I'm a teapot",
            "",
        ),
        (
            || Reply::new(200, vec![0; (1 << 20) + 1]),
            "the answer is larger than the limit of 1 MiB",
            "",
        ),
        (
            || Reply::new(200, gzip(&vec![0; 2 << 20])).header("Content-Encoding", "gzip"),
            "the answer is larger than the limit of 1 MiB",
            "",
        ),
        (
            || Reply::new(200, "rubbish rubbish").header("Content-Encoding", "gzip"),
            "the answer is not valid gzip: invalid gzip header",
            "",
        ),
        (
            || Reply::new(200, "x").header("Content-Encoding", "br"),
            "the server compressed the answer as `br`, unasked",
            "",
        ),
        (
            || Reply::new(200, "x").header("X", "y".repeat(100_000)),
            "the header of the answer is larger than the limit of 64 KiB",
            "",
        ),
        (
            || Reply::redirect("/x"),
            "the server redirects more than 10 times",
            "",
        ),
    ];
    for (reply, cause, hint) in rows {
        let text =
            format!("vpython: error: cannot fetch `http://SERVER/x`\n  caused by: {cause}\n{hint}");
        assert_eq!(failure(move |_| reply()).0, text);
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_named() {
    let server = HttpServer::start(|_| Reply::new(200, ""));
    let address = server.address();
    drop(server);
    let server = HttpServer::start(|_| Reply::new(200, ""));
    let hint = "hint: check the network and the URL; where a proxy is needed, set `HTTPS_PROXY`\n";
    let rows = [
        (
            format!("http://{address}/x"),
            format!("`{}` refused the connection", address.ip()),
        ),
        (
            "https://no-such-name.invalid/x".to_owned(),
            "the name service has no address for `no-such-name.invalid`".to_owned(),
        ),
    ];
    for (url, cause) in rows {
        let parsed = RemoteUrl::parse(&url).unwrap();
        let error = client().get(&Request::new(&parsed, 1)).unwrap_err();
        assert_eq!(
            text_of(&error, &server),
            format!(
                "vpython: error: cannot fetch `{url}`\n  caused by: {cause} (after 3 attempts)\n  {hint}"
            )
        );
    }
}

#[test]
fn redirects_are_followed() {
    let server = HttpServer::start(|request| match request.path.as_str() {
        "/1" => Reply::redirect("/2?q=geheim"),
        "/2?q=geheim" => Reply::redirect("3"),
        "/3" => Reply::new(200, "end"),
        _ => Reply::new(403, ""),
    });
    let response = get(&client(), &server, "/1").unwrap();
    assert_eq!(
        (response.url, &*response.body),
        (url(&server, "/3"), &b"end"[..])
    );
    let other = HttpServer::start({
        let target = server.url("/signed?signature=geheim");
        move |_| Reply::redirect(&target)
    });
    let error = get(&client(), &other, "/x").unwrap_err();
    expect![[r#"
        vpython: error: cannot fetch `http://SERVER/x`
          caused by: it redirects to `http://OTHER/signed?...`
          caused by: the server answered 403 Forbidden
          hint: ask the operator of `127.0.0.1` for access, or name another index
    "#]]
    .assert_eq(&text_of(&error, &other).replace(&server.address().to_string(), "OTHER"));
}

#[test]
fn nothing_is_sent_by_plain_http_to_other_hosts() {
    let server = HttpServer::start(|_| Reply::redirect("http://a.example/"));
    let why = "cannot fetch `http://a.example/`: plain http is permitted only for this machine: \
               others on the way could change what it returns";
    let direct = RemoteUrl::parse("http://a.example/").unwrap();
    for url in [direct, url(&server, "/x")] {
        let error = client().get(&Request::new(&url, 1)).unwrap_err();
        assert_eq!(report::one_line(&error), why);
    }
}

#[test]
fn connections_are_kept_open_and_shared_by_threads() {
    let server = HttpServer::start(|request| Reply::new(200, request.path.clone()));
    let client = client();
    let paths: Vec<String> = (0..30).map(|number| format!("/{number}")).collect();
    let bodies = in_parallel(CONNECTIONS, &paths, |path| {
        String::from_utf8(get(&client, &server, path).unwrap().body).unwrap()
    });
    assert_eq!(bodies, paths);
    assert!(
        server.connections() <= CONNECTIONS,
        "{} connections",
        server.connections()
    );
}

#[test]
fn a_privileged_process_uses_no_network() {
    let process = Process {
        is_elevated: true,
        ..Process::default()
    };
    let error = Client::new(&process, Settings::default()).unwrap_err();
    assert_eq!(
        report::one_line(&error),
        "cannot use the network with more privileges than the caller"
    );
}
