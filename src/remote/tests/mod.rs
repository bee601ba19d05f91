//! Tests of the client against a server that misbehaves.

mod download;
mod get;
mod logins;
mod registry;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::process::Process;
use crate::report;

#[path = "../../../tests/it/support/http_server.rs"]
pub(super) mod http_server;
#[path = "../../../tests/it/support/oci_registry.rs"]
mod oci_registry;

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

/// Runs a function that logs, and returns its result and the log.
fn with_log<T>(run: impl Fn() -> T) -> (T, String) {
    // With a single subscriber, the first thread at a place in the source decides for all threads
    // whether its events are recorded, and those of other tests have no subscriber.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    for _ in 0..100 {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        let result = tracing::subscriber::with_default(subscriber, &run);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        // Such a decision may be under way. It is revised for the next subscriber.
        if text.contains("answered") {
            return (result, text);
        }
    }
    panic!("no request was logged");
}

/// What the subscriber of a test writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
