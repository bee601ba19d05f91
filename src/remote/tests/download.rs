//! Files: broken, resumed, replaced and falsified.

use super::*;
use crate::fs::Digest;
use expect_test::expect;

/// A file of 300,000 different bytes.
fn content() -> Vec<u8> {
    (0..75_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// Downloads `/x.whl` with this size and digest to memory.
fn download(
    server: &HttpServer,
    size: Option<u64>,
    sha256: Option<Digest>,
) -> Result<Vec<u8>, String> {
    let mut sink = Vec::new();
    let url = url(server, "/x.whl");
    let download = Download {
        url: &url,
        size,
        sha256,
        limit: 1 << 20,
    };
    let downloaded = client().download(&download, &mut sink, None);
    let downloaded = downloaded.map_err(|error| text_of(&error, server))?;
    let expected = Downloaded {
        url,
        size: sink.len() as u64,
        sha256: Digest::of(&sink),
    };
    assert_eq!(downloaded, expected);
    Ok(sink)
}

fn ranges(server: &HttpServer) -> Vec<String> {
    let received = server.received();
    received
        .iter()
        .map(|request| request.header("range").to_owned())
        .collect()
}

#[test]
fn a_file_is_downloaded_as_it_is() {
    let server = HttpServer::start(|request| Reply::file(request, &content(), "\"e\""));
    let digest = Some(Digest::of(&content()));
    for (size, sha256) in [(None, None), (Some(300_000), None), (Some(300_000), digest)] {
        assert_eq!(download(&server, size, sha256).unwrap(), content());
    }
    let compressed =
        HttpServer::start(|_| Reply::new(200, content()).header("Content-Encoding", "gzip"));
    assert_eq!(download(&compressed, None, digest).unwrap(), content());
    assert_eq!(
        compressed.received()[0].header("accept-encoding"),
        "identity"
    );
}

#[test]
fn a_broken_download_is_resumed() {
    for end in [
        End::ClosedAfter(100_000),
        End::StallsAfter(100_000),
        End::ResetAfter(100_000),
    ] {
        let server = HttpServer::start(move |request| {
            let reply = Reply::file(request, &content(), "\"e\"");
            if request.earlier < 2 {
                reply.end(end)
            } else {
                reply
            }
        });
        let digest = Some(Digest::of(&content()));
        assert_eq!(download(&server, Some(300_000), digest).unwrap(), content());
        let received = server.received();
        assert_eq!(received.len(), 3, "{end:?}");
        if !matches!(end, End::ResetAfter(_)) {
            assert_eq!(ranges(&server), ["", "bytes=100000-", "bytes=200000-"]);
            assert_eq!(received[1].header("if-range"), "\"e\"");
        }
    }
}

#[test]
fn a_broken_download_starts_again_where_ranges_are_refused() {
    for framing in [Framing::Length, Framing::Chunked] {
        let server = HttpServer::start(move |request| {
            let reply = Reply::new(200, content()).framing(framing);
            match request.earlier {
                0 => reply.end(End::ClosedAfter(100_000)),
                // The second attempt does not even get as far as the first.
                1 => reply.end(End::ClosedAfter(50_000)),
                _ => reply,
            }
        });
        let digest = Some(Digest::of(&content()));
        assert_eq!(download(&server, None, digest).unwrap(), content());
        assert_eq!(server.received().len(), 3);
        // Without anything to recognize the file by, no range is requested.
        let server = HttpServer::start(move |request| {
            let reply = Reply::new(200, content()).framing(framing);
            if request.earlier == 0 {
                reply.end(End::ClosedAfter(100_000))
            } else {
                reply
            }
        });
        assert_eq!(download(&server, None, None).unwrap(), content());
        assert_eq!(ranges(&server), ["", ""]);
    }
}

#[test]
fn a_body_that_ends_with_its_connection_is_checked_by_its_size() {
    let server = HttpServer::start(|request| {
        let reply = Reply::file(request, &content(), "\"e\"").framing(Framing::Close);
        if request.earlier == 0 {
            reply.end(End::ClosedAfter(1000))
        } else {
            reply
        }
    });
    assert_eq!(download(&server, Some(300_000), None).unwrap(), content());
    assert_eq!(ranges(&server), ["", "bytes=1000-"]);
}

#[test]
fn a_download_that_breaks_after_the_last_byte_is_complete() {
    let server = HttpServer::start(|request| {
        let reply = Reply::file(request, &content(), "\"e\"").framing(Framing::Chunked);
        reply.end(if request.earlier == 0 {
            End::ClosedAfter(300_000)
        } else {
            End::Whole
        })
    });
    let digest = Some(Digest::of(&content()));
    assert_eq!(download(&server, None, digest).unwrap(), content());
    assert_eq!(ranges(&server), ["", "bytes=300000-"]);
}

#[test]
fn a_file_that_changes_in_between_is_noticed() {
    let text = "vpython: error: cannot fetch `http://SERVER/x.whl`\n  \
                caused by: the file changed while it was downloaded\n  hint: try again\n";
    let other = || content().into_iter().rev().collect::<Vec<_>>();
    let server = HttpServer::start(move |request| match request.earlier {
        0 => Reply::file(request, &content(), "\"e\"").end(End::ClosedAfter(100_000)),
        _ => Reply::file(request, &other(), "\"f\""),
    });
    assert_eq!(download(&server, None, None).unwrap_err(), text);
    let server = HttpServer::start(move |request| match request.earlier {
        0 => Reply::file(request, &content(), "\"e\"").end(End::ClosedAfter(100_000)),
        _ => Reply::file(request, &content()[..50_000], "\"e\""),
    });
    assert_eq!(download(&server, None, None).unwrap_err(), text);
}

#[test]
fn a_file_with_another_digest_or_size_is_refused() {
    let digest = Digest::of(b"expected");
    let size_hint = "hint: the file was replaced after its size was recorded, or something on the way changed it\n";
    let digest_hint = "hint: the file was replaced after its digest was recorded, or something on the way changed it\n";
    let wrong_digest = format!(
        "its SHA-256 digest is {}, and {digest} is expected",
        Digest::of(&content())
    );
    #[rustfmt::skip]
    let rows = [
        (Framing::Length, None, Some(digest), wrong_digest.clone(), digest_hint),
        (Framing::Chunked, Some(300_000), Some(digest), wrong_digest, digest_hint),
        (Framing::Length, Some(299_999), None, "the file has 300000 bytes, and 299999 are expected".to_owned(), size_hint),
        (Framing::Length, Some(300_001), None, "the file has 300000 bytes, and 300001 are expected".to_owned(), size_hint),
        (Framing::Chunked, Some(299_999), None, "the file is larger than 299999 bytes, its expected size".to_owned(), size_hint),
    ];
    for (framing, size, sha256, cause, hint) in rows {
        let server = HttpServer::start(move |_| Reply::new(200, content()).framing(framing));
        let text = format!(
            "vpython: error: cannot fetch `http://SERVER/x.whl`\n  caused by: {cause}\n  {hint}"
        );
        assert_eq!(download(&server, size, sha256).unwrap_err(), text);
        assert_eq!(server.received().len(), 1, "trying again does not help");
    }
}

#[test]
fn a_file_above_the_limit_is_refused_before_it_arrives() {
    for framing in [Framing::Length, Framing::Chunked] {
        let server = HttpServer::start(move |_| Reply::new(200, vec![0; 2 << 20]).framing(framing));
        expect![[r#"
            vpython: error: cannot fetch `http://SERVER/x.whl`
              caused by: the file is larger than the limit of 1 MiB
        "#]]
        .assert_eq(&download(&server, None, None).unwrap_err());
    }
}

#[test]
fn an_absent_file_is_an_error() {
    for (status, reason) in [(404, "Not Found"), (410, "Gone")] {
        let server = HttpServer::start(move |_| Reply::new(status, ""));
        let text = format!(
            "vpython: error: cannot fetch `http://SERVER/x.whl`\n  caused by: the server answered {status} {reason}\n  \
             hint: the file was removed, or the URL is wrong\n"
        );
        assert_eq!(download(&server, None, None).unwrap_err(), text);
    }
}

#[test]
fn a_line_that_always_breaks_but_advances_is_enough() {
    let large = || content().repeat(10);
    let server = HttpServer::start(move |request| {
        Reply::file(request, &large(), "\"e\"").end(End::ClosedAfter(1_200_000))
    });
    let url = url(&server, "/x.whl");
    let download = Download {
        url: &url,
        size: None,
        sha256: None,
        limit: 10 << 20,
    };
    let client = client_with(&[], |settings| settings.retry.attempts = 2);
    let mut sink = Vec::new();
    client.download(&download, &mut sink, None).unwrap();
    assert_eq!(sink, large());
    assert_eq!(ranges(&server), ["", "bytes=1200000-", "bytes=2400000-"]);
}

#[test]
fn a_sink_that_fails_ends_the_download() {
    let server = HttpServer::start(|request| Reply::file(request, &content(), "\"e\""));
    let url = url(&server, "/x.whl");
    let download = Download {
        url: &url,
        size: None,
        sha256: None,
        limit: 1 << 20,
    };
    let mut full = [0; 10];
    let error = client()
        .download(&download, &mut &mut full[..], None)
        .unwrap_err();
    assert_eq!(
        report::one_line(&error),
        "cannot write the downloaded file: failed to write whole buffer"
    );
    assert_eq!(server.received().len(), 1);
}
