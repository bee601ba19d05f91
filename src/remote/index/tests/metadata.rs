//! Tests of the ways to the `METADATA` of a wheel.

use std::io::{Cursor, Write};

use super::*;
use crate::fs::Digest;

/// A wheel whose `METADATA` is before `padding` bytes that cannot be compressed.
pub(super) fn wheel(metadata: &str, padding: usize) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::DEFAULT;
    let mut put = |name: &str, content: &[u8]| {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    };
    put("a/__init__.py", b"");
    put("vendored/x-1.dist-info/METADATA", b"Name: x\n");
    put("a-1.dist-info/METADATA", metadata.as_bytes());
    let noise =
        (0..padding.div_ceil(32)).flat_map(|index| *Digest::of(&index.to_le_bytes()).as_bytes());
    put("a/noise.bin", &noise.collect::<Vec<u8>>());
    writer.finish().unwrap().into_inner()
}

#[test]
fn metadata_is_read_from_its_file_else_by_ranges_else_not_at_all() {
    let text = "Metadata-Version: 2.1\nName: a\nVersion: 1\n";
    let url = "https://one.example/f/a-1-py3-none-any.whl";
    let digest = Digest::of(text.as_bytes());
    let file = IndexFile {
        file_name: WHEEL.into(),
        url: url.into(),
        ..IndexFile::default()
    };
    let with = |metadata| IndexFile {
        metadata,
        ..file.clone()
    };
    let large = wheel(text, 400_000);
    let sized = IndexFile {
        size: Some(large.len() as u64),
        ..file.clone()
    };
    let listing = Listing::default();
    let settings = settings(&[], &[]);
    let read = |table: &Table, file: &IndexFile| {
        let index = Index::new(table, settings.clone(), Options::default());
        let metadata = index.metadata(&listing, file);
        let requests: Vec<String> = table
            .requests()
            .into_iter()
            .map(|line| line.replace(url, ""))
            .collect();
        (
            metadata.map_err(|error| crate::report::render(&error)),
            requests,
        )
    };
    let content = || Ok(WheelMetadata::Content(text.into()));
    let mut table = Table::default();
    // The metadata file, with its digest.
    table.put(&format!("{url}.metadata"), html(text));
    assert_eq!(
        read(&table, &with(Sidecar::Hashed(digest))),
        (content(), vec![".metadata".into()])
    );
    assert_eq!(read(&table, &with(Sidecar::Unhashed)).0, content());
    let other = Digest::of(b"other");
    let message = format!(
        "vpython: error: cannot read the metadata of `{WHEEL}`\n  caused by: the metadata of `{WHEEL}` is not that of its index\n  \
         caused by: `{url}.metadata` has the sha256 {digest}\n  caused by: the index states {other}\n"
    );
    assert_eq!(read(&table, &with(Sidecar::Hashed(other))).0, Err(message));
    // No metadata file, though the index states one: ranges.
    table.answers.clear();
    let size = large.len() as u64;
    table.put(
        url,
        Answer {
            sends_ranges: true,
            body: large,
            ..Answer::default()
        },
    );
    let (metadata, requests) = read(&table, &with(Sidecar::Unhashed));
    assert_eq!(metadata, content());
    assert_eq!(requests[..2], [".metadata".to_owned(), format!(" -{TAIL}")]);
    assert_eq!(requests.len(), 3);
    let (metadata, requests) = read(&table, &sized);
    assert_eq!(metadata, content());
    assert_eq!(requests[0], format!(" {}-{}", size - TAIL, size - 1));
    assert_eq!(requests.len(), 2);
    // A server without ranges sends a small wheel as a whole.
    table.put(
        url,
        Answer {
            body: wheel(text, 10),
            ..Answer::default()
        },
    );
    assert_eq!(read(&table, &file), (content(), vec![format!(" -{TAIL}")]));
    // What is not a wheel, fails, or does not exist needs the whole wheel.
    for answer in [
        html("not a wheel"),
        Answer {
            fails: true,
            ..Answer::default()
        },
    ] {
        table.put(url, answer);
        assert_eq!(read(&table, &file).0, Ok(WheelMetadata::NeedsWheel));
    }
    table.answers.clear();
    assert_eq!(read(&table, &file).0, Ok(WheelMetadata::NeedsWheel));
}

/// The length of the first range.
const TAIL: u64 = 128 << 10;

#[test]
fn metadata_of_a_wheel_with_a_digest_is_cached() {
    let directory = tempfile::tempdir().unwrap();
    let url = "https://one.example/f/a-1-py3-none-any.whl";
    let mut table = Table::default();
    // The description is not kept.
    let body = wheel("Name: a\n\nA long text.\n", 10);
    let file = IndexFile {
        file_name: WHEEL.into(),
        url: url.into(),
        hashes: Hashes {
            sha256: Some(Digest::of(&body)),
            ..Default::default()
        },
        ..IndexFile::default()
    };
    table.put(
        url,
        Answer {
            sends_ranges: true,
            body,
            ..Answer::default()
        },
    );
    let listing = Listing::default();
    let settings = settings(&[], &[]);
    let read = |file: &IndexFile| {
        let options = Options {
            cache: Some(directory.path().into()),
            ..Options::default()
        };
        let index = Index::new(&table, settings.clone(), options);
        let metadata = index.metadata(&listing, file).unwrap();
        assert_eq!(metadata, WheelMetadata::Content(b"Name: a\n".into()));
        table.requests().len()
    };
    assert_eq!([read(&file), read(&file)], [1, 0]);
    let without = IndexFile {
        hashes: Hashes::default(),
        ..file
    };
    assert_eq!([read(&without), read(&without)], [1, 1]);
    // Within a run, also metadata that is not cached is requested once.
    let index = Index::new(&table, settings, Options::default());
    let first = index.metadata(&listing, &without).unwrap();
    assert_eq!(index.metadata(&listing, &without).unwrap(), first);
    assert_eq!(table.requests().len(), 1);
}
