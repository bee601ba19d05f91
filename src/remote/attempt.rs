//! One attempt at a request: with the login of the user, through the redirects of the server, up to
//! the header of the final answer.

use std::time::{Instant, SystemTime};

use tracing::debug;
use ureq::http::{self, HeaderMap, Method, Response, StatusCode};
use ureq::{Agent, Body, Error, SendBody};

use super::content::Content;
use super::logins::Authorization;
use super::redirect;
use super::service::Service;
use super::trouble::Trouble;
use super::{Client, RemoteUrl, Secret, Settings, plain_http, retry};

/// How many times longer than elsewhere a server may be silent after an upload, which it reads again
/// before it answers.
const UPLOAD_PATIENCE: u32 = 10;

/// What an attempt sends, apart from the URL.
pub(super) struct Message<'a> {
    pub(super) method: Method,
    pub(super) headers: Headers<'a>,
    pub(super) content: Option<&'a Content<'a>>,
    /// Whether an answer 404 or 410 is an error.
    pub(super) must_exist: bool,
    /// The kind of the server.
    pub(super) service: &'a dyn Service,
}

impl<'a> Message<'a> {
    /// Requests a document, which may not exist.
    pub(super) fn get(headers: Headers<'a>, service: &'a dyn Service) -> Self {
        Self {
            method: Method::GET,
            headers,
            content: None,
            must_exist: false,
            service,
        }
    }

    /// Sends a document of a media type.
    pub(super) fn send(
        method: Method,
        media_type: Option<&'a str>,
        content: &'a Content<'a>,
        service: &'a dyn Service,
    ) -> Self {
        let headers = Headers {
            content_type: media_type,
            ..Headers::default()
        };
        Self {
            method,
            headers,
            content: Some(content),
            must_exist: true,
            service,
        }
    }

    /// Returns whether the request changes nothing on the server.
    fn only_reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// The headers of a request, apart from those that are always the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers<'a> {
    pub(super) accept: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
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
    method: Method,
    started: Instant,
}

impl Answer {
    /// Returns the text of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Records the end of the answer in the log.
    pub(super) fn log(&self, bytes: u64) {
        let Self {
            method,
            url,
            status,
            ..
        } = self;
        let milliseconds = self.started.elapsed().as_millis();
        debug!(%method, %url, status, bytes, ms = %milliseconds, "answered");
    }
}

impl Client {
    /// Requests a URL once, follows redirects, and returns the answer if its status is one of
    /// success, or one that the caller understands. These are also 404 and 410 unless the document
    /// must exist, and 304 and 416 if the request only reads.
    pub(super) fn attempt(
        &self,
        url: &RemoteUrl,
        message: &Message<'_>,
    ) -> Result<Answer, Trouble> {
        let mut url = url.clone();
        for _ in 0..=redirect::MOST {
            plain_http::check(&url, &self.settings.trusted_hosts)
                .map_err(|error| Trouble::local(&url, error))?;
            let (answer, sent) = self.send_with_login(&url, message)?;
            if !redirect::is_followed(answer.status, message.only_reads()) {
                return self.check_status(answer, message, sent.as_ref());
            }
            answer.log(0);
            let target = redirect::target(&url, answer.header("location"))?;
            // The body of a request for a token contains the login.
            if !message.only_reads() && target.origin() != url.origin() {
                let cause = format!(
                    "the server redirects the request to `{target}`, and its body is not for other hosts"
                );
                return Err(Trouble::lasting(&url, cause));
            }
            url = target;
        }
        let cause = format!("the server redirects more than {} times", redirect::MOST);
        Err(Trouble::lasting(&url, cause))
    }

    /// Sends a request with the user's login, and again if the server refuses it and there is
    /// another. Also returns the login that was sent last.
    fn send_with_login(
        &self,
        url: &RemoteUrl,
        message: &Message<'_>,
    ) -> Result<(Answer, Option<Authorization>), Trouble> {
        let login = message.service.authorization(url);
        let answer = self.send(url, message, login.as_ref())?;
        if answer.status != 401 {
            return Ok((answer, login));
        }
        let other = message
            .service
            .after_refusal(self, &answer, login.as_ref())?;
        match other {
            Some(other) => {
                answer.log(0);
                Ok((self.send(url, message, Some(&other))?, Some(other)))
            }
            None => Ok((answer, login)),
        }
    }

    /// Sends one request and receives the header of its answer.
    fn send(
        &self,
        url: &RemoteUrl,
        message: &Message<'_>,
        login: Option<&Authorization>,
    ) -> Result<Answer, Trouble> {
        let started = Instant::now();
        let agent = self.agents.for_url(url, &self.settings);
        let agent = agent.map_err(|error| Trouble::local(url, error))?;
        let Message {
            method,
            headers,
            content,
            ..
        } = message;
        let login = login.map(Authorization::header);
        let length = content.map(|content| content.size().to_string());
        let optional = [
            ("accept", headers.accept),
            ("accept-encoding", Some(headers.accept_encoding)),
            ("content-type", headers.content_type),
            ("content-length", length.as_deref()),
            ("if-none-match", headers.if_none_match),
            ("range", headers.range.as_deref()),
            ("if-range", headers.if_range),
            ("authorization", login.as_ref().map(Secret::reveal)),
        ];
        let mut request = http::Request::builder()
            .method(method)
            .uri(url.as_url().as_str());
        for (name, value) in optional {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                request = request.header(name, value);
            }
        }
        let response = match content {
            Some(content) => self.upload(url, &agent, request, content)?,
            None => request
                .body(())
                .map_err(Error::from)
                .and_then(|request| agent.run(request))
                .map_err(|error| self.transport_trouble(url, error))?,
        };
        let (parts, body) = Response::into_parts(response);
        Ok(Answer {
            url: url.clone(),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            method: method.clone(),
            started,
        })
    }

    /// Sends a request with a body and receives the header of its answer.
    fn upload(
        &self,
        url: &RemoteUrl,
        agent: &Agent,
        request: http::request::Builder,
        content: &Content<'_>,
    ) -> Result<Response<Body>, Trouble> {
        let settings = Settings {
            idle_timeout: self.settings.idle_timeout * UPLOAD_PATIENCE,
            ..self.settings.clone()
        };
        let mut reader = content.reader();
        let response = request
            .body(SendBody::from_reader(&mut reader))
            .map_err(Error::from)
            .and_then(|request| {
                let request = agent.configure_request(request);
                let timeout = Some(settings.idle_timeout);
                agent.run(request.timeout_per_read(timeout).build())
            });
        match reader.failure() {
            Some(error) => Err(Trouble::local(url, error)),
            None => response.map_err(|error| {
                let proxy = self.agents.proxy_name(url);
                Trouble::of_transport(url, error, proxy.as_deref(), &settings)
            }),
        }
    }

    /// Describes an error of the transport.
    pub(super) fn transport_trouble(&self, url: &RemoteUrl, error: Error) -> Trouble {
        let proxy = self.agents.proxy_name(url);
        Trouble::of_transport(url, error, proxy.as_deref(), &self.settings)
    }

    /// Passes on an answer whose status the caller understands.
    fn check_status(
        &self,
        mut answer: Answer,
        message: &Message<'_>,
        sent: Option<&Authorization>,
    ) -> Result<Answer, Trouble> {
        let status = answer.status;
        let is_understood = match status {
            200..=299 => true,
            304 | 416 => message.only_reads(),
            404 | 410 => !message.must_exist,
            _ => false,
        };
        if is_understood || message.headers.understood.contains(&status) {
            return Ok(answer);
        }
        // A server may quote what it refuses.
        let words = message.service.words(self, &mut answer);
        let words = words.filter(|words| sent.is_none_or(|sent| !sent.is_in(words)));
        answer.log(0);
        let url = &answer.url;
        let cause = refusal(status, words.as_deref());
        let pause = answer
            .header("retry-after")
            .and_then(|value| retry::retry_after(value, SystemTime::now()));
        let hint = match status {
            407 => Some("write the proxy as `http://user:password@host:port`".to_owned()),
            408 | 429 | 500..=599 => {
                let host = url.host();
                Some(format!("try again later, or ask the operator of `{host}`"))
            }
            _ => message.service.hint(url, status),
        };
        let trouble = match status {
            408 | 429 | 500..=599 => Trouble::passing(url, cause).after(pause),
            _ => Trouble::lasting(url, cause),
        };
        Err(match hint {
            Some(hint) => trouble.hint(hint),
            None => trouble,
        })
    }
}

/// Describes an answer of refusal, with the words of the server if there are any.
fn refusal(status: u16, words: Option<&str>) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let words = words.map(|words| format!(" (`{words}`)"));
    format!(
        "the server answered {status}{}{}{}",
        if reason.is_some() { " " } else { "" },
        reason.unwrap_or_default(),
        words.unwrap_or_default()
    )
}
