//! `fetch` with a network that fails.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{came, lines, module, put, world};
use crate::support::{Launch, World};

/// A server on this machine that drops its first connections and then serves a wheel of `a`.
/// Returns the URL and a counter of the connections.
fn index(dropped: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://127.0.0.1:{}/simple",
        listener.local_addr().unwrap().port()
    );
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            if counter.fetch_add(1, Ordering::SeqCst) < dropped {
                continue;
            }
            let (kind, body) = if request[..length].starts_with(b"GET /simple/a/ ") {
                (
                    "text/html",
                    b"<!DOCTYPE html><a href='/a-1-py3-none-any.whl'>a-1-py3-none-any.whl</a>"
                        .to_vec(),
                )
            } else {
                ("application/octet-stream", module("a", "1").bytes())
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    (url, calls)
}

/// vpython with an index on the network, to which pip tries each connection twice; pip prints
/// nothing about those that it tries once.
fn online<'a>(world: &'a World, url: &str, timeout: &str) -> Launch<'a> {
    let launch = world
        .vpython(["-vpython-tool", "fetch", "--build"])
        .env("PIP_INDEX_URL", url)
        .env("PIP_RETRIES", "1")
        .env("PIP_NO_CACHE_DIR", "1");
    launch.env("VPYTHON_NETWORK_RETRY_TIMEOUT", timeout)
}

#[test]
fn a_network_that_fails_is_tried_again_for_a_while() {
    let Some(world) = world(None) else { return };
    world.write("vpython.toml", "dependencies = ['a']\n");
    let (url, calls) = index(2);
    let outcome = online(&world, &url, "1").run();
    assert_eq!(
        (outcome.code, came(&outcome)),
        (Some(0), vec!["a-1-py3-none-any.whl"]),
        "{outcome}"
    );
    let notice =
        "the network failed; retrying for 1 s (`VPYTHON_NETWORK_RETRY_TIMEOUT=0` disables retries)";
    assert_eq!(lines(&outcome, "the network failed"), [notice], "{outcome}");
    assert!(calls.load(Ordering::SeqCst) >= 4, "{outcome}");
}

#[test]
fn without_a_network_pip_is_called_only_once() {
    let Some(world) = world(None) else { return };
    put(&world, &[]);
    world.write(
        "vpython.toml",
        "dependencies = ['a', 'b', 'c']\n[tool.vpython]\nplatforms = ['win_amd64']\n",
    );
    let (url, calls) = index(usize::MAX);
    let outcome = online(&world, &url, "0").run();
    let end = "vpython: error: pip cannot fetch the missing wheels\n  caused by: the network failed\n  caused by: a (here ([VERSION]))\n  \
               caused by: b (here ([VERSION]))\n  caused by: c (here ([VERSION]))\n  caused by: a (win_amd64)\n  caused by: b \
               (win_amd64)\n  caused by: c (win_amd64)\n  hint: check the connection, the proxy and the index in pip's configuration; \
               `VPYTHON_NETWORK_RETRY_TIMEOUT=SECONDS` changes how long vpython retries\n";
    assert!(outcome.stderr.ends_with(end), "{outcome}");
    assert_eq!(
        (outcome.code, calls.load(Ordering::SeqCst)),
        (Some(125), 2),
        "{outcome}"
    );
    assert_eq!(lines(&outcome, "fetching into").len(), 1, "{outcome}");
}
