//! Files that are named like wheels and are something else: what a checkout, a download or a disk
//! has left in place of the wheel.

use std::fmt;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::fs;

/// How Git LFS begins the file that stands for another.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";
/// How a zip archive begins.
const ZIP: &[u8] = b"PK\x03\x04";
/// How much of a file is looked at.
const BEGINNING: u64 = 512;

/// What a file is in place of a wheel. It is told as the rest of a sentence that begins with the
/// file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impostor {
    /// What Git LFS puts in place of a file that has not been fetched.
    LfsPointer,
    /// A page, as servers send it with an error or to have somebody log in.
    Html,
    /// Nothing.
    Empty,
    /// The beginning of a zip archive, without its end.
    CutShort,
}

impl Impostor {
    /// What the file is; none where it may be a wheel, or cannot be read.
    pub fn at(path: &Path) -> Option<Self> {
        let file = fs::open_regular(path).ok()?;
        let mut beginning = Vec::new();
        (&file).take(BEGINNING).read_to_end(&mut beginning).ok()?;
        let text = beginning.trim_ascii_start().to_ascii_lowercase();
        if beginning.is_empty() {
            Some(Self::Empty)
        } else if beginning.starts_with(LFS_POINTER) {
            Some(Self::LfsPointer)
        } else if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") {
            Some(Self::Html)
        } else if beginning.starts_with(ZIP) && ZipArchive::new(BufReader::new(file)).is_err() {
            Some(Self::CutShort)
        } else {
            None
        }
    }
}

impl fmt::Display for Impostor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LfsPointer => "is a Git LFS pointer, not a wheel",
            Self::Html => "is an HTML page, not a wheel",
            Self::Empty => "is an empty file, not a wheel",
            Self::CutShort => {
                "is a zip archive without its end, as an interrupted download leaves it"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_place_of_a_wheel_is_told_by_how_it_begins() {
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
