//! [`Client`]: the requests of callers.

use anyhow::Result;

use super::agents::Agents;
use super::attempt::{Answer, Headers, Message};
use super::logins::Logins;
use super::registry::Sessions;
use super::request::content_range;
use super::service::Service;
use super::trouble::Purpose;
use super::{RemoteUrl, Request, Response, Settings};
use crate::process::Process;
use crate::report::Failure;

/// An HTTP client, shared by all threads of a run.
#[derive(Debug)]
pub struct Client {
    pub(super) settings: Settings,
    pub(super) agents: Agents,
    pub(super) logins: Logins,
    pub(super) registries: Sessions,
}

impl Client {
    /// Creates a client. Reads no file, starts no thread and opens no socket.
    ///
    /// # Errors
    /// The URL of a proxy is not valid, or the process has more privileges than its caller, who
    /// could choose what it trusts by environment variables.
    pub fn new(process: &Process, settings: Settings) -> Result<Self> {
        if process.is_elevated {
            return Err(Failure::new(
                "cannot use the network with more privileges than the caller",
            )
            .into());
        }
        Ok(Self {
            agents: Agents::of(process, &settings)?,
            logins: Logins::of(process, &settings),
            registries: Sessions::of(process),
            settings,
        })
    }

    /// Remembers the login of a URL for all URLs of its origin, before it is requested: the files of
    /// an index may be requested without its pages, from a lock or from cached answers.
    pub fn remember_login(&self, url: &RemoteUrl) {
        self.logins.remember(url);
    }

    /// Requests a document, as often as the settings say.
    ///
    /// # Errors
    /// The last attempt fails, the body is larger than the limit, the status is none that
    /// [`Response::status`] names, or the URL is one of plain http that the configuration does not
    /// permit. The error is a [`Failure`] that names the URL.
    pub fn get(&self, request: &Request<'_>) -> Result<Response> {
        self.logins.remember(request.url);
        self.get_from(&self.logins, request)
    }

    /// Like [`Client::get`], from a server of this kind.
    pub(super) fn get_from(
        &self,
        service: &dyn Service,
        request: &Request<'_>,
    ) -> Result<Response> {
        let headers = Headers {
            accept: request.accept,
            content_type: None,
            // A part of a compressed body is not compressed by itself.
            accept_encoding: if request.range.is_some() {
                "identity"
            } else {
                "gzip"
            },
            if_none_match: request.if_none_match,
            range: request.range.map(|range| range.to_string()),
            if_range: None,
            understood: request.understood,
        };
        let message = Message::get(headers, service);
        self.settings.retry.run(Purpose::Fetch, request.url, |_| {
            let mut answer = self.attempt(request.url, &message)?;
            let body = if matches!(answer.status, 200..=299) {
                self.read_body(&mut answer, request.limit)?
            } else {
                Vec::new()
            };
            answer.log(body.len() as u64);
            Ok(response(&answer, body))
        })
    }
}

fn response(answer: &Answer, body: Vec<u8>) -> Response {
    let text = |name| answer.header(name).map(str::to_owned);
    Response {
        status: answer.status,
        url: answer.url.clone(),
        etag: text("etag"),
        last_modified: text("last-modified"),
        cache_control: text("cache-control"),
        age: answer.header("age").and_then(|age| age.trim().parse().ok()),
        content_type: text("content-type"),
        content_range: answer.header("content-range").and_then(content_range),
        body,
    }
}
