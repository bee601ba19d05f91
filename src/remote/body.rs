//! The body of an answer, read into memory: decompressed, and never more than its limit.

use std::io::{ErrorKind, Read};

use flate2::read::MultiGzDecoder;

use super::Client;
use super::attempt::Answer;
use super::trouble::Trouble;

impl Client {
    /// Reads the body of an answer.
    pub(super) fn read_body(&self, answer: &mut Answer, limit: u64) -> Result<Vec<u8>, Trouble> {
        let encoding = answer
            .header("content-encoding")
            .unwrap_or("identity")
            .to_ascii_lowercase();
        let url = answer.url.clone();
        let raw = answer.body.as_reader();
        // One byte more shows that the body is too large. What `gzip` expands to is counted, not
        // what arrives.
        let mut body = Vec::new();
        let read = match encoding.trim() {
            "identity" | "" => raw.take(limit + 1).read_to_end(&mut body),
            "gzip" | "x-gzip" => MultiGzDecoder::new(raw)
                .take(limit + 1)
                .read_to_end(&mut body),
            other => {
                let cause = format!("the server compressed the answer as `{other}`, unasked");
                return Err(Trouble::lasting(&url, cause));
            }
        };
        match read {
            Ok(length) if length as u64 > limit => {
                let cause = format!("the answer is larger than the limit of {} MiB", limit >> 20);
                Err(Trouble::lasting(&url, cause))
            }
            Ok(_) => Ok(body),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidInput | ErrorKind::InvalidData
                ) =>
            {
                Err(Trouble::lasting(
                    &url,
                    format!("the answer is not valid gzip: {error}"),
                ))
            }
            Err(error) => Err(self.transport_trouble(&url, error.into())),
        }
    }
}
