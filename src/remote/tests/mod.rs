//! Tests of the client against a server that misbehaves.

mod download;
mod get;
mod logins;

use std::time::Duration;

use super::*;
use crate::process::Process;
use crate::report;

#[path = "../../../tests/it/support/http_server.rs"]
pub(super) mod http_server;

use http_server::{End, Framing, HttpServer, Received, Reply};

/// A client with three attempts, no pauses, short timeouts and this environment.
fn client_with(environment: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> Client {
    let environment = environment.iter();
    let process = Process {
        environment: environment
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        ..Process::default()
    };
    let mut settings = Settings {
        idle_timeout: Duration::from_millis(300),
        retry: Retry {
            attempts: 3,
            first_pause: Duration::ZERO,
            longest_pause: Duration::from_millis(10),
        },
        ..Settings::of(&process)
    };
    change(&mut settings);
    Client::new(&process, settings).unwrap()
}

fn client() -> Client {
    client_with(&[], |_| {})
}

fn url(server: &HttpServer, path: &str) -> RemoteUrl {
    RemoteUrl::parse(&server.url(path)).unwrap()
}

/// The text of an error, with the address of the server as `SERVER`.
fn text_of(error: &anyhow::Error, server: &HttpServer) -> String {
    report::render(error).replace(&server.address().to_string(), "SERVER")
}
