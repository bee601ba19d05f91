//! Tests of wheels that are changed while they are unpacked. The tests change a wheel between two
//! members, from the progress callback.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use zip::write::SimpleFileOptions;

use super::{parts, unpack};
use crate::fs::{self, Digest};
use crate::plan::PlannedWheel;

/// Writes a wheel of `a` with these members, uncompressed.
fn wheel(path: &Path, members: &[(&str, &[u8])]) -> PlannedWheel {
    let own: [(&str, &[u8]); 3] = [
        ("a-1.dist-info/WHEEL", b"Wheel-Version: 1.0\n"),
        (
            "a-1.dist-info/entry_points.txt",
            b"[console_scripts]\nrun = a:one\n",
        ),
        ("a-1.dist-info/RECORD", b""),
    ];
    let mut archive = zip::ZipWriter::new(fs::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in members.iter().chain(&own) {
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
    PlannedWheel {
        name: "a".parse().unwrap(),
        version: "1".parse().unwrap(),
        path: path.to_path_buf(),
        in_layout: None,
        built: None,
        to_fetch: None,
        size: path.metadata().unwrap().len(),
        sha256: Digest::of_file(path, drop).unwrap(),
        required_by: Vec::new(),
    }
}

/// Overwrites each occurrence of `old` in a file. Both have the same length.
fn rewrite(path: &Path, old: &[u8], new: &[u8]) {
    let content = fs::read(path).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    let places: Vec<usize> = memchr::memmem::find_iter(&content, old).collect();
    assert!(!places.is_empty());
    for at in places {
        file.write_all_at(new, at as u64).unwrap();
    }
}

/// Returns the content of a file, with its CRC-32 as in an archive.
fn with_checksum(content: &[u8]) -> (Vec<u8>, [u8; 4]) {
    (content.to_vec(), libdeflater::crc32(content).to_le_bytes())
}

/// Replaces `old` by `new` in the wheel, CRC-32 included, so that the archive stays consistent.
fn forge(path: &Path, old: &[u8], new: &[u8]) {
    let ((old, old_checksum), (new, new_checksum)) = (with_checksum(old), with_checksum(new));
    rewrite(path, &old, &new);
    rewrite(path, &old_checksum, &new_checksum);
}

#[test]
fn a_wheel_in_memory_is_unpacked_as_it_was_hashed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, to) = (
        directory.path().join("a-1-py3-none-any.whl"),
        directory.path().join("to"),
    );
    fs::create_dir_all(&to, 0o755).unwrap();
    let planned = wheel(
        &path,
        &[("a.py", b"VERSION = 'one'"), ("b.py", b"VERSION = 'two'")],
    );
    let done = AtomicUsize::new(0);
    let rewrite_after_one = |_| {
        if done.fetch_add(1, Ordering::Relaxed) == 0 {
            forge(&path, b"VERSION = 'one'", b"VERSION = 'bad'");
            forge(&path, b"VERSION = 'two'", b"VERSION = 'BAD'");
        }
    };
    unpack(&planned, &to, rewrite_after_one).unwrap();
    let read = |name: &str| fs::read(&to.join("site").join(name)).unwrap();
    assert_eq!(
        (&*read("a.py"), &*read("b.py")),
        (&b"VERSION = 'one'"[..], &b"VERSION = 'two'"[..])
    );
    let again = directory.path().join("again");
    fs::create_dir_all(&again, 0o755).unwrap();
    let error = format!("{:#}", unpack(&planned, &again, drop).unwrap_err());
    assert!(
        error.starts_with("it has changed since it was selected"),
        "{error}"
    );
}

#[test]
fn a_large_wheel_is_unpacked_as_it_was_hashed_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a-1-py3-none-any.whl");
    let limit = usize::try_from(parts::LIMIT).unwrap();
    let (larger, large) = (vec![1; limit + 1], vec![2; limit / 2]);
    let members: [(&str, &[u8]); 5] = [
        ("first.py", b"one"),
        ("larger.bin", &larger),
        ("large.bin", &large),
        ("large2.bin", &large),
        ("last.py", b"LAST = 'one'"),
    ];
    let planned = wheel(&path, &members);
    let unpacked = |name: &str, advance: &(dyn Fn(u64) + Send + Sync)| {
        let to = directory.path().join(name);
        fs::create_dir_all(&to, 0o755).unwrap();
        let done = unpack(&planned, &to, advance).map_err(|error| format!("{error:#}"));
        (to, done)
    };
    let (to, done) = unpacked("clean", &|_| {});
    done.unwrap();
    for (name, content) in members {
        assert!(
            fs::read(&to.join("site").join(name)).unwrap() == content,
            "{name}"
        );
    }
    assert!(fs::exists(&to.join("scripts/run")));
    // After the first part, the last one changes.
    let changes: [(&str, &[u8], &[u8]); 2] = [
        ("content", b"LAST = 'one'", b"LAST = 'bad'"),
        (
            "entry points",
            b"[console_scripts]\nrun = a:one\n",
            b"[console_scripts]\nrun = a:bad\n",
        ),
    ];
    for (what, right, wrong) in changes {
        let done_members = AtomicUsize::new(0);
        let (_, done) = unpacked(what, &|_| {
            if done_members.fetch_add(1, Ordering::Relaxed) == 0 {
                forge(&path, right, wrong);
            }
        });
        let error = done.unwrap_err();
        assert!(
            error.starts_with("it has changed since it was selected"),
            "{what}: {error}"
        );
        forge(&path, wrong, right);
        unpacked(&format!("{what} again"), &|_| {}).1.unwrap();
    }
}
