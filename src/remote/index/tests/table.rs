//! A transport that answers from a table.

use std::collections::HashMap;
use std::sync::Mutex;

use anyhow::Result;

use crate::remote::index::transport::Transport;
use crate::remote::{ContentRange, Range, RemoteUrl, Request, Response};

/// Answers by URL, and the requests so far.
#[derive(Default)]
pub(super) struct Table {
    pub answers: HashMap<String, Answer>,
    requests: Mutex<Vec<String>>,
}

#[derive(Clone, Default)]
pub(super) struct Answer {
    pub content_type: &'static str,
    pub etag: Option<&'static str>,
    pub cache_control: Option<&'static str>,
    /// The URL after redirects.
    pub redirected: Option<&'static str>,
    pub sends_ranges: bool,
    pub fails: bool,
    pub body: Vec<u8>,
}

impl Transport for Table {
    fn get(&self, request: &Request<'_>) -> Result<Response> {
        let url = request.url.as_url().to_string();
        let login = request.url.login().map_or("", |_| " with login");
        let range = match request.range {
            Some(Range::Bytes(first, last)) => format!(" {first}-{last}"),
            Some(Range::Last(length)) => format!(" -{length}"),
            _ => String::new(),
        };
        let tag = request.if_none_match.map(|tag| format!(" unless {tag}"));
        let line = format!("{url}{login}{range}{}", tag.unwrap_or_default());
        self.requests.lock().unwrap().push(line);
        let answer = self.answers.get(&url).cloned();
        let status = match &answer {
            None => 404,
            Some(answer) if answer.fails => anyhow::bail!("the server answered 500"),
            Some(answer) if answer.etag.is_some() && answer.etag == request.if_none_match => 304,
            Some(answer) if answer.sends_ranges && request.range.is_some() => 206,
            Some(_) => 200,
        };
        let Answer {
            content_type,
            etag,
            cache_control,
            redirected,
            body,
            ..
        } = answer.unwrap_or_default();
        let size = body.len() as u64;
        let part = match request.range {
            Some(Range::Bytes(first, last)) if status == 206 => Some((first, last)),
            Some(Range::Last(length)) if status == 206 => {
                Some((size.saturating_sub(length), size - 1))
            }
            _ => None,
        };
        let body = match (status, part) {
            (304 | 404, _) => Vec::new(),
            (_, Some((first, last))) => {
                body[usize::try_from(first)?..=usize::try_from(last)?].to_vec()
            }
            (_, None) => body,
        };
        anyhow::ensure!(body.len() as u64 <= request.limit, "larger than the limit");
        Ok(Response {
            status,
            url: match redirected {
                Some(url) => RemoteUrl::parse(url)?,
                None => request.url.clone(),
            },
            etag: etag.map(str::to_owned),
            last_modified: None,
            cache_control: cache_control.map(str::to_owned),
            age: None,
            content_type: Some(content_type.to_owned()),
            content_range: part.map(|part| ContentRange {
                part: Some(part),
                size: Some(size),
            }),
            body,
        })
    }
}

impl Table {
    pub fn put(&mut self, url: &str, answer: Answer) {
        self.answers.insert(url.to_owned(), answer);
    }

    /// Takes the requests since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// Returns a page.
pub(super) fn html(body: &str) -> Answer {
    Answer {
        content_type: "text/html",
        body: body.into(),
        ..Answer::default()
    }
}
