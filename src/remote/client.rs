//! [`Client`]: the requests of callers.

use anyhow::Result;

use super::{Request, Response, Settings};
use crate::process::Process;

/// An HTTP client, shared by all threads of a run.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
}

impl Client {
    /// Creates a client. Reads no file and opens no socket.
    ///
    /// # Errors
    /// A setting is not valid.
    pub fn new(process: &Process, settings: Settings) -> Result<Self> {
        let _ = process;
        Ok(Self { settings })
    }

    /// Requests a document.
    ///
    /// # Errors
    /// The request fails after all attempts, the body is larger than the limit, or the status is
    /// none that [`Response::status`] names.
    pub fn get(&self, request: &Request<'_>) -> Result<Response> {
        let _ = (self, request);
        anyhow::bail!("not there yet")
    }
}
