//! One attempt at a request: with the login of the user, through the redirects of the server, up to
//! the header of the final answer.

use std::time::{Instant, SystemTime};

use tracing::debug;
use ureq::Body;
use ureq::http::{HeaderMap, Response, StatusCode};

use super::logins::Authorization;
use super::redirect::{self, is_redirect};
use super::trouble::Trouble;
use super::{Client, RemoteUrl, Secret, plain_http, retry};

/// The headers of a request, apart from those that are always the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers<'a> {
    pub(super) accept: Option<&'a str>,
    pub(super) accept_encoding: &'static str,
    pub(super) if_none_match: Option<&'a str>,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<&'a str>,
    /// The statuses of refusal that the caller understands.
    pub(super) understood: &'a [u16],
}

/// The final answer of an attempt: its header, and its body to be read.
pub(super) struct Answer {
    pub(super) url: RemoteUrl,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    started: Instant,
}

impl Answer {
    /// Returns the text of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Records the end of the answer in the log.
    pub(super) fn log(&self, bytes: u64) {
        log(&self.url, self.status, bytes, self.started);
    }
}

fn log(url: &RemoteUrl, status: u16, bytes: u64, started: Instant) {
    let milliseconds = started.elapsed().as_millis();
    debug!(method = "GET", %url, status, bytes, ms = %milliseconds, "answered");
}

impl Client {
    /// Requests a URL once, follows redirects, and returns the answer if its status is one of
    /// success, 304, 404, 410 or 416, or one that the caller understands.
    pub(super) fn attempt(
        &self,
        url: &RemoteUrl,
        headers: &Headers<'_>,
    ) -> Result<Answer, Trouble> {
        let mut url = url.clone();
        for _ in 0..=redirect::MOST {
            plain_http::check(&url, &self.settings.trusted_hosts)
                .map_err(|error| Trouble::local(&url, error))?;
            let answer = self.send_with_login(&url, headers)?;
            if !is_redirect(answer.status) {
                return self.check_status(answer, headers.understood);
            }
            answer.log(0);
            url = redirect::target(&url, answer.header("location"))?;
        }
        let cause = format!("the server redirects more than {} times", redirect::MOST);
        Err(Trouble::lasting(&url, cause))
    }

    /// Sends a request with the user's login, and again if the server refuses it and `keyring` has
    /// another.
    fn send_with_login(&self, url: &RemoteUrl, headers: &Headers<'_>) -> Result<Answer, Trouble> {
        let login = self.logins.for_url(url);
        let answer = self.send(url, headers, login.as_ref())?;
        if answer.status != 401 {
            return Ok(answer);
        }
        match self.logins.after_refusal(url, login.as_ref()) {
            Some(other) => {
                answer.log(0);
                self.send(url, headers, Some(&other))
            }
            None => Ok(answer),
        }
    }

    /// Sends one request and receives the header of its answer.
    fn send(
        &self,
        url: &RemoteUrl,
        headers: &Headers<'_>,
        login: Option<&Authorization>,
    ) -> Result<Answer, Trouble> {
        let started = Instant::now();
        let agent = self.agents.for_url(url, &self.settings);
        let agent = agent.map_err(|error| Trouble::local(url, error))?;
        let mut request = agent.get(url.as_url().as_str());
        let login = login.map(Authorization::header);
        let optional = [
            ("accept", headers.accept),
            ("accept-encoding", Some(headers.accept_encoding)),
            ("if-none-match", headers.if_none_match),
            ("range", headers.range.as_deref()),
            ("if-range", headers.if_range),
            ("authorization", login.as_ref().map(Secret::reveal)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let response = request
            .call()
            .map_err(|error| self.transport_trouble(url, error))?;
        let (parts, body) = Response::into_parts(response);
        Ok(Answer {
            url: url.clone(),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            started,
        })
    }

    /// Describes an error of the transport.
    pub(super) fn transport_trouble(&self, url: &RemoteUrl, error: ureq::Error) -> Trouble {
        let proxy = self.agents.proxy_name(url);
        Trouble::of_transport(url, error, proxy.as_deref(), &self.settings)
    }

    /// Passes on an answer whose status the caller understands.
    fn check_status(&self, answer: Answer, understood: &[u16]) -> Result<Answer, Trouble> {
        let status = answer.status;
        if matches!(status, 200..=299 | 304 | 404 | 410 | 416) || understood.contains(&status) {
            return Ok(answer);
        }
        answer.log(0);
        let url = &answer.url;
        let host = url.host();
        let reason = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason());
        let cause = match reason {
            Some(reason) => format!("the server answered {status} {reason}"),
            None => format!("the server answered {status}"),
        };
        let has_login = self.logins.for_url(url).is_some();
        let pause = answer
            .header("retry-after")
            .and_then(|value| retry::retry_after(value, SystemTime::now()));
        Err(match status {
            401 if has_login => Trouble::lasting(url, cause)
                .hint(format!("check the user name and the password for `{host}`")),
            401 => Trouble::lasting(url, cause).hint(format!(
                "put a login for `{host}` into `~/.netrc`: `machine {host} login NAME password PASSWORD`"
            )),
            403 => Trouble::lasting(url, cause)
                .hint(format!("ask the operator of `{host}` for access, or name another index")),
            407 => Trouble::lasting(url, cause)
                .hint("write the proxy as `http://user:password@host:port`"),
            408 | 429 | 500..=599 => Trouble::passing(url, cause)
                .after(pause)
                .hint(format!("try again later, or ask the operator of `{host}`")),
            _ => Trouble::lasting(url, cause),
        })
    }
}
