//! Files that are named like wheels but are something else: leftovers of a checkout, a download or
//! a full disk.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Source, archive};
use crate::fs;

/// The first bytes of a Git LFS pointer.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";
/// The first bytes of a zip archive.
const ZIP: &[u8] = b"PK\x03\x04";
/// The number of bytes that are inspected.
const BEGINNING: u64 = 512;

/// A file in place of a wheel. Its text completes a sentence that begins with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impostor {
    /// A Git LFS pointer to a file that has not been fetched.
    LfsPointer,
    /// An HTML page, as servers send for an error or a login.
    Html,
    /// An empty file.
    Empty,
    /// A truncated zip archive.
    CutShort,
}

impl Impostor {
    /// Recognizes a file; `None` if it may be a wheel or cannot be read.
    pub fn at(path: &Path) -> Option<Self> {
        Self::of(&fs::open_regular(path).ok()?)
    }

    /// Recognizes a file that was just opened.
    pub fn of(mut file: &File) -> Option<Self> {
        let mut beginning = Vec::new();
        let reader = Read::by_ref(&mut file);
        reader.take(BEGINNING).read_to_end(&mut beginning).ok()?;
        let text = beginning.trim_ascii_start().to_ascii_lowercase();
        if beginning.is_empty() {
            Some(Self::Empty)
        } else if beginning.starts_with(LFS_POINTER) {
            Some(Self::LfsPointer)
        } else if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") {
            Some(Self::Html)
        } else if beginning.starts_with(ZIP) && is_truncated(file) {
            Some(Self::CutShort)
        } else {
            None
        }
    }
}

/// Checks whether a file has no central directory, which a zip archive ends with.
fn is_truncated(file: &File) -> bool {
    Source::file(file).is_ok_and(|source| archive::directory_of(source).is_err())
}

impl fmt::Display for Impostor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LfsPointer => "is a Git LFS pointer, not a wheel",
            Self::Html => "is an HTML page, not a wheel",
            Self::Empty => "is an empty file, not a wheel",
            Self::CutShort => "is a truncated zip archive, perhaps from an interrupted download",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impostors_are_recognized_by_their_first_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let mut whole = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        whole
            .start_file("one.py", zip::write::SimpleFileOptions::default())
            .unwrap();
        let whole = whole.finish().unwrap().into_inner();
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
        let rows: [(&[u8], Option<Impostor>); 8] = [
            (b"", Some(Impostor::Empty)),
            (pointer, Some(Impostor::LfsPointer)),
            (b"\n <!DOCTYPE html>\n<html>", Some(Impostor::Html)),
            (b"<html lang=en>", Some(Impostor::Html)),
            (&whole[..whole.len() - 30], Some(Impostor::CutShort)),
            (&whole, None),
            (b"no archive", None),
            (b"<xml>", None),
        ];
        for (number, (content, expected)) in rows.into_iter().enumerate() {
            let path = directory.path().join(number.to_string());
            fs::write_new(&path, content, 0o644).unwrap();
            assert_eq!(Impostor::at(&path), expected, "row {number}");
        }
        assert_eq!(Impostor::at(&directory.path().join("none")), None);
    }
}
