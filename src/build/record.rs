//! RECORD: which files a distribution has, with digest and size.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::report::Failure;

/// What RECORD says of a file. The digest is `algorithm=text`, as it stands there; both are missing for RECORD itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub digest: Option<String>,
    pub size: Option<u64>,
}

/// The rows of a wheel's RECORD, by path.
pub(super) type Rows = HashMap<String, Row>;

/// Reads a RECORD.
///
/// # Errors
/// It is no CSV, or a path stands there twice with different rows.
pub(super) fn parse(text: &[u8]) -> Result<Rows> {
    let mut rows = Rows::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    for (number, record) in reader.records().enumerate() {
        let record = record.with_context(|| format!("line {} of RECORD cannot be read", number + 1))?;
        let column = |index| record.get(index).filter(|text| !text.is_empty());
        let Some(path) = column(0) else { continue };
        let size = column(2).map(str::parse).transpose();
        let size = size.with_context(|| format!("line {} of RECORD has a bad size", number + 1))?;
        let row = Row { digest: column(1).map(str::to_owned), size };
        if rows.insert(path.to_owned(), row.clone()).is_some_and(|before| before != row) {
            return Err(Failure::new(format!("RECORD has two rows for `{path}`")).into());
        }
    }
    Ok(rows)
}

/// The digest column for a SHA-256 digest.
pub(super) fn sha256_column(digest: &[u8]) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(digest))
}

/// Writes a RECORD, its rows in the order of their paths, with its own row.
pub(super) fn render(mut rows: BTreeMap<String, Row>, own_path: &str) -> Result<Vec<u8>> {
    rows.insert(own_path.to_owned(), Row::default());
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    for (path, row) in rows {
        let size = row.size.map(|size| size.to_string()).unwrap_or_default();
        writer.write_record([path, row.digest.unwrap_or_default(), size])?;
    }
    // Dropping the writer would swallow the error of its last write.
    writer.into_inner().map_err(csv::IntoInnerError::into_error).context("cannot write RECORD")
}

/// A writer that counts and hashes what goes through it: in SHA-256, for our own record, and in the wheel's algorithm.
pub(super) struct Verifier<W> {
    inner: W,
    sha256: Sha256,
    stated: Stated,
    size: u64,
}

/// The hash that a row of RECORD is in, where it is not SHA-256.
enum Stated {
    Same,
    Sha384(Sha384),
    Sha512(Sha512),
}

/// What went through a [`Verifier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    /// The SHA-256 digest, as a column of RECORD.
    pub digest: String,
    /// In bytes.
    pub size: u64,
}

impl<W: Write> Verifier<W> {
    /// Wraps a writer of the file that `row` is about.
    ///
    /// # Errors
    /// The row's algorithm is none that RECORD may use.
    pub fn new(inner: W, row: &Row) -> Result<Self> {
        let algorithm = row.digest.as_deref().map(|digest| digest.split('=').next().unwrap_or_default());
        let stated = match algorithm {
            None | Some("sha256") => Stated::Same,
            Some("sha384") => Stated::Sha384(Sha384::new()),
            Some("sha512") => Stated::Sha512(Sha512::new()),
            Some(other) => return Err(Failure::new(format!("RECORD uses `{other}`, which is no secure hash")).into()),
        };
        Ok(Self { inner, sha256: Sha256::new(), stated, size: 0 })
    }

    /// Compares what went through with the row of `member`, and gives back the writer.
    ///
    /// # Errors
    /// Digest or size are not what the row says.
    pub fn finish(self, member: &str, row: &Row) -> Result<(W, Verified)> {
        let digest = sha256_column(&self.sha256.finalize());
        let found = match self.stated {
            Stated::Same => digest.clone(),
            Stated::Sha384(hasher) => format!("sha384={}", URL_SAFE_NO_PAD.encode(hasher.finalize())),
            Stated::Sha512(hasher) => format!("sha512={}", URL_SAFE_NO_PAD.encode(hasher.finalize())),
        };
        let refuse = |what: &str, stated: &str, found: &str| {
            Failure::new(format!("member `{member}` is not what RECORD says"))
                .because(format!("RECORD says {what} {stated}; it is {found}"))
        };
        if let Some(stated) = row.digest.as_deref().filter(|stated| stated.trim_end_matches('=') != found) {
            return Err(refuse("digest", stated, &found).into());
        }
        if let Some(stated) = row.size.filter(|stated| *stated != self.size) {
            return Err(refuse("size", &stated.to_string(), &self.size.to_string()).into());
        }
        Ok((self.inner, Verified { digest, size: self.size }))
    }
}

impl<W: Write> Write for Verifier<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        let bytes = &bytes[..written];
        self.sha256.update(bytes);
        match &mut self.stated {
            Stated::Same => {}
            Stated::Sha384(hasher) => hasher.update(bytes),
            Stated::Sha512(hasher) => hasher.update(bytes),
        }
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_written() {
        let text = b"a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\"b,c.py\",,\nx/RECORD,,\n";
        let rows = parse(text).unwrap();
        assert_eq!(rows["a.py"].size, Some(0));
        assert_eq!(rows["b,c.py"], Row::default());
        assert_eq!(render(rows.into_iter().collect(), "x/RECORD").unwrap(), text);
    }

    #[test]
    fn two_rows_for_one_path_must_agree() {
        assert!(parse(b"a,,\na,,\n").is_ok());
        assert_eq!(parse(b"a,,1\na,,2\n").unwrap_err().to_string(), "RECORD has two rows for `a`");
    }

    /// What comes of a member `m` with this content and this row.
    fn verify(content: &[u8], digest: Option<&str>, size: Option<u64>) -> Result<Verified> {
        let row = Row { digest: digest.map(str::to_owned), size };
        let mut verifier = Verifier::new(Vec::new(), &row)?;
        verifier.write_all(content)?;
        verifier.finish("m", &row).map(|(_, verified)| verified)
    }

    #[test]
    fn digest_and_size_are_held_against_the_row() {
        let empty = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(verify(b"", Some(empty), Some(0)).unwrap(), Verified { digest: empty.into(), size: 0 });
        assert!(verify(b"", Some(&format!("{empty}=")), None).is_ok(), "padding is let pass");
        let sha384 = "sha384=OLBgp1GsljhM2TJ-sbHjaiH9txEUvgdDTAzHv2P24donTt6_529l-9Ua0vFImLlb";
        assert_eq!(verify(b"", Some(sha384), None).unwrap().digest, empty, "our own record is in SHA-256");
        let error = verify(b"x", Some(empty), None).unwrap_err();
        let text = "vpython: error: member `m` is not what RECORD says\n  caused by: RECORD says digest \
                    sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU; it is \
                    sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE\n";
        assert_eq!(crate::report::render(&error), text);
        assert!(verify(b"x", None, Some(2)).is_err());
        assert_eq!(verify(b"x", Some("md5=x"), None).unwrap_err().to_string(), "RECORD uses `md5`, which is no secure hash");
    }
}
