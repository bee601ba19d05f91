//! What the readers of indexes need of the client: one function.

use std::sync::Arc;

use anyhow::Result;

use crate::remote::{Client, Request, Response};

/// Requests documents. It is the [`Client`]; a test answers from a table.
pub trait Transport: Sync {
    /// Requests a document, with the statuses and errors of [`Client::get`].
    ///
    /// # Errors
    /// Those of [`Client::get`].
    fn get(&self, request: &Request<'_>) -> Result<Response>;
}

impl Transport for Client {
    fn get(&self, request: &Request<'_>) -> Result<Response> {
        Self::get(self, request)
    }
}

impl<T: Transport + Send> Transport for Arc<T> {
    fn get(&self, request: &Request<'_>) -> Result<Response> {
        T::get(self, request)
    }
}

impl<T: Transport> Transport for &T {
    fn get(&self, request: &Request<'_>) -> Result<Response> {
        T::get(self, request)
    }
}
