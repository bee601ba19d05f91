//! RECORD: the files of a distribution, with digest and size. The build of an environment, in
//! `build/install.rs`, decides which rows one has.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::oddities::{Oddity, OddityKind};

/// A row of RECORD. The digest has the form `algorithm=text`, as in the file; RECORD's own row has
/// neither digest nor size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub digest: Option<String>,
    pub size: Option<u64>,
}

/// The rows of a wheel's RECORD, by path.
pub type Rows = HashMap<String, Row>;

/// Parses a RECORD of any tool: it accepts all forms of paths, and missing sizes or digests.
/// Returns the rows by member name, and the oddities.
///
/// # Errors
/// It is not CSV.
pub fn parse(text: &[u8]) -> Result<(Rows, Vec<Oddity>)> {
    let mut rows = Rows::new();
    let mut oddities = Vec::new();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text);
    for (number, record) in reader.records().enumerate() {
        let record =
            record.with_context(|| format!("line {} of RECORD is malformed", number + 1))?;
        let column = |index| record.get(index).filter(|text| !text.is_empty());
        let Some(written) = column(0) else { continue };
        // An unusual path or size is an oddity, not an error.
        let path = normal_path(written);
        if path != written {
            oddities.push(Oddity::new(written, OddityKind::PathForm));
        }
        let size = column(2).map(str::parse).transpose().unwrap_or_else(|_| {
            oddities.push(Oddity::new(&path, OddityKind::OtherSize));
            None
        });
        let row = Row {
            digest: column(1).map(str::to_owned),
            size,
        };
        if rows
            .insert(path.clone(), row.clone())
            .is_some_and(|before| before != row)
        {
            oddities.push(Oddity::new(&path, OddityKind::SeveralRows));
        }
    }
    Ok((rows, oddities))
}

/// Returns the member name for a path in RECORD: some tools on Windows wrote backslashes, others a
/// leading `/` or `./`.
fn normal_path(written: &str) -> String {
    let mut path = written.replace('\\', "/");
    while let Some(rest) = path.strip_prefix("./").or_else(|| path.strip_prefix('/')) {
        path = rest.to_owned();
    }
    path
}

/// Returns the digest column for a SHA-256 digest.
pub fn sha256_column(digest: &[u8]) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(digest))
}

/// Renders a RECORD, with rows sorted by path and a row for itself.
pub fn render(mut rows: BTreeMap<String, Row>, own_path: &str) -> Result<Vec<u8>> {
    rows.insert(own_path.to_owned(), Row::default());
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    for (path, row) in rows {
        let size = row.size.map(|size| size.to_string()).unwrap_or_default();
        writer.write_record([path, row.digest.unwrap_or_default(), size])?;
    }
    // Dropping the writer would hide the error of its last write.
    writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)
        .context("cannot write RECORD")
}

/// Returns the path that a name in RECORD denotes, relative to the environment; `site` is the
/// site-packages directory. `..` is resolved by name: no link of an environment is on that path.
pub fn path_in_environment(site: &Path, name: &Path) -> PathBuf {
    let mut path = PathBuf::new();
    for component in site.join(name).components() {
        match component {
            Component::ParentDir => drop(path.pop()),
            component => path.push(component),
        }
    }
    path
}

/// The columns of a row: name, digest and size, as in the file.
pub type Columns = [Vec<u8>; 3];

/// Returns the digest and size columns for a content.
pub fn columns_of(content: &[u8]) -> [Vec<u8>; 2] {
    let digest = sha256_column(&Sha256::digest(content));
    [digest.into_bytes(), content.len().to_string().into_bytes()]
}

/// Rewrites rows of an installed RECORD. `replace` gets the columns of each row and returns the new
/// ones, or `None` to keep the row. Rows that are kept, or are not CSV, keep their bytes.
///
/// # Errors
/// Those of `replace`.
pub fn rewrite(
    text: &[u8],
    mut replace: impl FnMut(&Columns) -> Result<Option<Columns>>,
) -> Result<Vec<u8>> {
    let mut rewritten = Vec::with_capacity(text.len());
    for row in text.split_inclusive(|byte| *byte == b'\n') {
        let columns = columns(row);
        let new = columns.as_ref().map(&mut replace).transpose()?.flatten();
        match new.filter(|new| Some(new) != columns.as_ref()) {
            Some(new) => rewritten.extend(render_row(&new, row.ends_with(b"\r\n"))?),
            None => rewritten.extend_from_slice(row),
        }
    }
    Ok(rewritten)
}

/// Returns the columns of a row; `None` if it is not CSV, or has fewer than two columns.
fn columns(row: &[u8]) -> Option<Columns> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(row);
    let columns = reader.byte_records().next()?.ok()?;
    let column = |index| columns.get(index).unwrap_or_default().to_vec();
    (columns.len() >= 2).then(|| [column(0), column(1), column(2)])
}

fn render_row(columns: &Columns, has_carriage_return: bool) -> Result<Vec<u8>> {
    let terminator = if has_carriage_return {
        csv::Terminator::CRLF
    } else {
        csv::Terminator::Any(b'\n')
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(terminator)
        .from_writer(Vec::new());
    writer.write_record(columns)?;
    Ok(writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?)
}

/// A writer that counts and hashes what is written through it: with SHA-256, for the installed
/// RECORD, and with the algorithm of the wheel's RECORD.
pub struct Verifier<W> {
    inner: W,
    sha256: Sha256,
    stated: Stated,
    size: u64,
}

/// The hash algorithm of a row of RECORD.
enum Stated {
    Sha256,
    Sha384(Sha384),
    Sha512(Sha512),
    /// An algorithm that is not checked.
    Other,
}

/// The result of a [`Verifier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The SHA-256 digest, as a column of RECORD.
    pub digest: String,
    /// The size in bytes.
    pub size: u64,
    /// How RECORD disagrees with the content, if it does.
    pub oddity: Option<OddityKind>,
}

impl<W: Write> Verifier<W> {
    /// Wraps a writer of the file that `row` describes.
    pub fn new(inner: W, row: &Row) -> Self {
        let stated = match row
            .digest
            .as_deref()
            .map(|digest| algorithm(digest).to_ascii_lowercase())
            .as_deref()
        {
            // `wheel` on CPython 2.7 wrote `sha` for SHA-256.
            None | Some("sha256" | "sha") => Stated::Sha256,
            Some("sha384") => Stated::Sha384(Sha384::new()),
            Some("sha512") => Stated::Sha512(Sha512::new()),
            Some(_) => Stated::Other,
        };
        Self {
            inner,
            sha256: Sha256::new(),
            stated,
            size: 0,
        }
    }

    /// Compares the content with its row, and returns the writer.
    pub fn finish(self, row: &Row) -> (W, Verified) {
        let sha256 = self.sha256.finalize();
        let in_form = |name: &str, found: &[u8]| {
            row.digest
                .as_deref()
                .and_then(|stated| compare(stated, name, found))
        };
        let oddity = match self.stated {
            Stated::Sha256 => in_form("sha256", &sha256),
            Stated::Sha384(hasher) => in_form("sha384", &hasher.finalize()),
            Stated::Sha512(hasher) => in_form("sha512", &hasher.finalize()),
            Stated::Other => Some(OddityKind::OtherAlgorithm),
        };
        // A wrong digest is the worst finding, then a wrong size, then an algorithm that is not
        // checked.
        let is_other_size = row.size.is_some_and(|stated| stated != self.size);
        let oddity = oddity.filter(|oddity| *oddity == OddityKind::OtherDigest || !is_other_size);
        let oddity = oddity.or(is_other_size.then_some(OddityKind::OtherSize));
        (
            self.inner,
            Verified {
                digest: sha256_column(&sha256),
                size: self.size,
                oddity,
            },
        )
    }
}

/// Returns the algorithm of a digest column.
fn algorithm(column: &str) -> &str {
    column.split('=').next().unwrap_or_default()
}

/// Returns how a digest column disagrees with the actual digest; none if it has the form of the
/// specification, with or without padding.
fn compare(column: &str, algorithm: &str, found: &[u8]) -> Option<OddityKind> {
    let (name, text) = column.split_once('=').unwrap_or((column, ""));
    let text = text.trim_end_matches('=');
    let is_standard = text == URL_SAFE_NO_PAD.encode(found);
    let is_same = || {
        hex::decode(text).is_ok_and(|digest| digest == found)
            || text == STANDARD_NO_PAD.encode(found)
    };
    match (name == algorithm, is_standard) {
        (true, true) => None,
        (false, true) => Some(OddityKind::DigestForm),
        _ if is_same() => Some(OddityKind::DigestForm),
        _ => Some(OddityKind::OtherDigest),
    }
}

impl<W: Write> Write for Verifier<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        let bytes = &bytes[..written];
        self.sha256.update(bytes);
        match &mut self.stated {
            Stated::Sha256 | Stated::Other => {}
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
        let (rows, oddities) = parse(text).unwrap();
        assert_eq!(oddities, []);
        assert_eq!(rows["a.py"].size, Some(0));
        assert_eq!(rows["b,c.py"], Row::default());
        assert_eq!(
            render(rows.into_iter().collect(), "x/RECORD").unwrap(),
            text
        );
    }

    #[test]
    fn rows_in_other_forms_are_read_and_noted() {
        let (rows, oddities) =
            parse(b"./a.py,,\n/b.py,,\nc\\d.py,,\ne.py,,many\nf,,1\nf,,2\ng,,\ng,,\n").unwrap();
        let mut paths: Vec<_> = rows.keys().map(String::as_str).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["a.py", "b.py", "c/d.py", "e.py", "f", "g"]);
        let expected = [
            Oddity::new("./a.py", OddityKind::PathForm),
            Oddity::new("/b.py", OddityKind::PathForm),
            Oddity::new("c\\d.py", OddityKind::PathForm),
            Oddity::new("e.py", OddityKind::OtherSize),
            Oddity::new("f", OddityKind::SeveralRows),
        ];
        assert_eq!(oddities, expected);
    }

    #[test]
    fn digest_and_size_are_compared_with_the_row() {
        let empty = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        let sha384 = "sha384=OLBgp1GsljhM2TJ-sbHjaiH9txEUvgdDTAzHv2P24donTt6_529l-9Ua0vFImLlb";
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        #[rustfmt::skip]
        let rows: [(&[u8], Option<&str>, Option<u64>, Option<OddityKind>, &str); 13] = [
            (b"", Some(empty), Some(0), None, "the form of the specification"),
            (b"", Some(&format!("{empty}=")), None, None, "padding"),
            (b"", Some(sha384), None, None, "a longer hash"),
            (b"", None, None, None, "nothing is said"),
            (b"", Some(&format!("sha256={hex}")), None, Some(OddityKind::DigestForm), "hexadecimal digits"),
            (b"", Some(&format!("sha256={}", hex.to_uppercase())), None, Some(OddityKind::DigestForm), "in capitals"),
            (b"", Some(&empty.replace("sha256", "SHA256")), None, Some(OddityKind::DigestForm), "the name in capitals"),
            (b"", Some(&empty.replace("sha256", "sha")), None, Some(OddityKind::DigestForm), "a short name"),
            (b"", Some(&empty.replace('-', "+").replace('_', "/")), None, Some(OddityKind::DigestForm), "other base64"),
            (b"x", Some(empty), None, Some(OddityKind::OtherDigest), "another digest"),
            (b"x", Some(empty), Some(7), Some(OddityKind::OtherDigest), "another digest and size"),
            (b"x", None, Some(2), Some(OddityKind::OtherSize), "another size"),
            (b"x", Some("md5=x"), None, Some(OddityKind::OtherAlgorithm), "a weak hash"),
        ];
        for (content, digest, size, expected, what) in rows {
            let row = Row {
                digest: digest.map(str::to_owned),
                size,
            };
            let mut writer = Verifier::new(Vec::new(), &row);
            writer.write_all(content).unwrap();
            let (_, verified) = writer.finish(&row);
            assert_eq!(verified.oddity, expected, "{what}");
            assert_eq!(
                verified.digest,
                sha256_column(&Sha256::digest(content)),
                "vpython always writes SHA-256: {what}"
            );
        }
    }
}
