//! [`Client::download`]: files of any size, hashed while they arrive and resumed where they broke.
//!
//! Where the server refuses a range, the file is sent again from its beginning. The part that the
//! sink has already is then compared by its digest and skipped, so that a sink never has to go back.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};

use anyhow::{Context, Result};
use sha2::Digest as _;

use super::attempt::{Answer, Headers, Message};
use super::request::content_range;
use super::retry::Attempts;
use super::service::Service;
use super::trouble::{Purpose, Trouble};
use super::{Client, Range, RemoteUrl};
use crate::fs::Digest;
use crate::report::progress::Part;

/// The number of bytes read at a time.
const CHUNK: usize = 64 * 1024;
/// The number of bytes that count as progress: a connection that brings so many before it breaks
/// is worth another series of attempts.
const PROGRESS: u64 = 1 << 20;

/// A file to download.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// The file.
    pub url: &'a RemoteUrl,
    /// The size that it must have in bytes, if it is known.
    pub size: Option<u64>,
    /// The digest that it must have, if it is known.
    pub sha256: Option<Digest>,
    /// The maximum size in bytes.
    pub limit: u64,
}

/// A sink that can be emptied, so that another server can send the file.
pub trait Restart: Write {
    /// Removes what was written.
    ///
    /// # Errors
    /// The file cannot be emptied.
    fn restart(&mut self) -> std::io::Result<()>;
}

impl Restart for Vec<u8> {
    fn restart(&mut self) -> std::io::Result<()> {
        self.clear();
        Ok(())
    }
}

impl Restart for File {
    fn restart(&mut self) -> std::io::Result<()> {
        self.set_len(0)?;
        self.rewind()
    }
}

/// A file that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The URL after redirects.
    pub url: RemoteUrl,
    /// The size in bytes.
    pub size: u64,
    /// The digest.
    pub sha256: Digest,
}

impl Client {
    /// Downloads a file into `sink`, such as a new file in a staged directory, and checks its size
    /// and digest. Each byte is written once and in order, so that the sink may also be a program
    /// or an unpacker. `progress` counts the bytes.
    ///
    /// # Errors
    /// The last attempt fails, the file has another size or digest, the URL is not permitted, or
    /// the sink fails. The sink then has an unusable part of the file.
    pub fn download(
        &self,
        download: &Download<'_>,
        sink: &mut dyn Write,
        progress: Option<&Part<'_>>,
    ) -> Result<Downloaded> {
        self.logins.remember(download.url);
        self.download_from(&self.logins, download, sink, progress)
    }

    /// Like [`Client::download`], from a server of this kind.
    pub(super) fn download_from(
        &self,
        service: &dyn Service,
        download: &Download<'_>,
        sink: &mut dyn Write,
        progress: Option<&Part<'_>>,
    ) -> Result<Downloaded> {
        let mut transfer = Transfer {
            service,
            download,
            sink,
            progress,
            hasher: sha2::Sha256::new(),
            length: 0,
            etag: None,
        };
        let retry = self.settings.retry;
        retry.run(Purpose::Fetch, download.url, |attempts| {
            transfer.attempt(self, attempts)
        })
    }
}

/// The state of a download between attempts.
struct Transfer<'a> {
    service: &'a dyn Service,
    download: &'a Download<'a>,
    sink: &'a mut dyn Write,
    progress: Option<&'a Part<'a>>,
    /// The digest of the bytes in the sink.
    hasher: sha2::Sha256,
    /// The number of bytes in the sink.
    length: u64,
    /// The strong entity tag of the file.
    etag: Option<String>,
}

impl Transfer<'_> {
    /// Continues the download, and checks the file at its end.
    fn attempt(&mut self, client: &Client, attempts: &mut Attempts) -> Result<Downloaded, Trouble> {
        let start = self.length;
        let message = Message {
            must_exist: true,
            ..Message::get(self.headers(), self.service)
        };
        let mut answer = client.attempt(self.download.url, &message)?;
        let mut received = 0;
        let result = self.receive(client, &mut answer, &mut received);
        answer.log(received);
        if self.length - start >= PROGRESS {
            attempts.has_progressed();
        }
        result.and_then(|()| self.check(&answer.url))
    }

    /// Returns the headers that request the rest of the file. A range is requested only if a change
    /// of the file can be detected: by its entity tag, or at the end by its digest.
    fn headers(&self) -> Headers<'_> {
        let can_resume = self.etag.is_some() || self.download.sha256.is_some();
        let range = Some(Range::From(self.length).to_string());
        Headers {
            accept_encoding: "identity",
            range: range.filter(|_| self.length > 0 && can_resume),
            if_range: self.etag.as_deref().filter(|_| self.length > 0),
            ..Headers::default()
        }
    }

    /// Writes the body of an answer to the sink.
    fn receive(
        &mut self,
        client: &Client,
        answer: &mut Answer,
        received: &mut u64,
    ) -> Result<(), Trouble> {
        let url = answer.url.clone();
        if self.is_complete(answer) {
            return Ok(());
        }
        let mut skip = self.length - self.first_byte(answer)?;
        let etag = answer.header("etag").filter(|tag| !tag.starts_with("W/"));
        self.etag = etag.map(str::to_owned);
        let mut skipped = sha2::Sha256::new();
        let mut chunk = vec![0; CHUNK];
        let mut body = answer.body.as_reader();
        loop {
            let length = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(client.transport_trouble(&url, error.into())),
            };
            *received += length as u64;
            // Compare what the sink has already.
            let known = usize::try_from(skip).unwrap_or(CHUNK).min(length);
            if known > 0 {
                skipped.update(&chunk[..known]);
                skip -= known as u64;
                if skip == 0 && skipped.clone().finalize() != self.hasher.clone().finalize() {
                    return Err(changed(&url));
                }
            }
            self.write(&url, &chunk[known..length])?;
        }
        // A body without a length ends wherever its connection does.
        let is_short = self.download.size.is_some_and(|size| self.length < size);
        if skip > 0 || is_short {
            return Err(Trouble::passing(
                &url,
                "the connection was lost: it ended too early",
            ));
        }
        Ok(())
    }

    /// Returns whether an answer says that no more follows: the last attempt broke after the last
    /// byte.
    fn is_complete(&self, answer: &Answer) -> bool {
        let range = answer.header("content-range").and_then(content_range);
        answer.status == 416
            && self.length > 0
            && range.is_some_and(|range| range.size == Some(self.length))
    }

    /// Returns the offset in the file at which the body of an answer begins.
    fn first_byte(&self, answer: &Answer) -> Result<u64, Trouble> {
        let url = &answer.url;
        match answer.status {
            206 => {
                let range = answer.header("content-range").and_then(content_range);
                let first = range.and_then(|range| range.part).map(|(first, _)| first);
                first
                    .filter(|first| *first == self.length && self.length > 0)
                    .ok_or_else(|| {
                        Trouble::lasting(url, "the server sent another range than requested")
                    })
            }
            // The sink has more than the file.
            416 => Err(changed(url)),
            200 => {
                let length = answer
                    .header("content-length")
                    .and_then(|length| length.trim().parse().ok());
                length.map_or(Ok(()), |length| {
                    self.check_length(url, length, self.download.size)
                })?;
                Ok(0)
            }
            status => Err(Trouble::lasting(
                url,
                format!("the server answered {status} without the file"),
            )),
        }
    }

    /// Writes bytes to the sink and counts them.
    fn write(&mut self, url: &RemoteUrl, bytes: &[u8]) -> Result<(), Trouble> {
        let length = self.length + bytes.len() as u64;
        let longest = self.download.size.unwrap_or(u64::MAX);
        if length > longest {
            let cause = format!("the file is larger than {longest} bytes, its expected size");
            return Err(Trouble::lasting(url, cause).hint(REPLACED));
        }
        self.check_length(url, length, None)?;
        let written = self
            .sink
            .write_all(bytes)
            .context("cannot write the downloaded file");
        written.map_err(|error| Trouble::local(url, error))?;
        self.hasher.update(bytes);
        self.length = length;
        if let Some(progress) = self.progress {
            progress.advance(bytes.len() as u64);
        }
        Ok(())
    }

    /// Checks a length against the limit, and against the expected size if there is one.
    fn check_length(&self, url: &RemoteUrl, length: u64, size: Option<u64>) -> Result<(), Trouble> {
        let limit = self.download.limit;
        if length > limit {
            let cause = format!("the file is larger than the limit of {} MiB", limit >> 20);
            return Err(Trouble::lasting(url, cause));
        }
        match size {
            Some(size) if size != length => Err(wrong_size(url, length, size)),
            _ => Ok(()),
        }
    }

    /// Checks the complete file.
    fn check(&self, url: &RemoteUrl) -> Result<Downloaded, Trouble> {
        self.check_length(url, self.length, self.download.size)?;
        let sha256 = Digest::from(<[u8; 32]>::from(self.hasher.clone().finalize()));
        if let Some(expected) = self.download.sha256
            && expected != sha256
        {
            let cause = format!("its SHA-256 digest is {sha256}, and {expected} is expected");
            return Err(Trouble::lasting(url, cause)
                .hint("the file was replaced after its digest was recorded, or something on the way changed it"));
        }
        Ok(Downloaded {
            url: url.clone(),
            size: self.length,
            sha256,
        })
    }
}

const REPLACED: &str =
    "the file was replaced after its size was recorded, or something on the way changed it";

fn wrong_size(url: &RemoteUrl, length: u64, size: u64) -> Trouble {
    Trouble::lasting(
        url,
        format!("the file has {length} bytes, and {size} are expected"),
    )
    .hint("the file was replaced after its size was recorded, or something on the way changed it")
}

fn changed(url: &RemoteUrl) -> Trouble {
    Trouble::lasting(url, "the file changed while it was downloaded").hint("try again")
}
