//! Archives that two unzip programs would read differently: vpython refuses each of them, by the
//! rule that it breaks.

use expect_test::expect;

use crate::support::{Expected, Wheel, planned};

#[test]
fn a_valid_archive_is_unpacked() {
    for wheel in [
        wheel(),
        wheel().compressed(),
        wheel().file("directory/", ""),
    ] {
        assert_eq!(unpacking(&wheel.bytes()), "");
    }
}

/// The bytes of a wheel, with the offsets of its headers.
struct Archive {
    bytes: Vec<u8>,
    end: usize,
}

impl Archive {
    fn of(wheel: &Wheel) -> Self {
        let bytes = wheel.bytes();
        let end = bytes.len() - 22;
        assert_eq!(bytes[end..end + 4], *b"PK\x05\x06");
        Self { bytes, end }
    }

    fn u16(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes(
            self.bytes[at..at + 2].try_into().unwrap(),
        ))
    }

    fn u32(&self, at: usize) -> usize {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap()) as usize
    }

    fn directory(&self) -> usize {
        self.u32(self.end + 16)
    }

    /// The offset of a member's record in the central directory.
    fn record(&self, name: &str) -> usize {
        let mut at = self.directory();
        while self.bytes[at + 46..at + 46 + self.u16(at + 28)] != *name.as_bytes() {
            at += 46 + self.u16(at + 28) + self.u16(at + 30) + self.u16(at + 32);
        }
        at
    }

    /// The offset of a member's local header.
    fn header(&self, name: &str) -> usize {
        self.u32(self.record(name) + 42)
    }

    /// Overwrites the bytes at `at`.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Inserts bytes before the central directory and updates the end record.
    fn insert_before_directory(&mut self, bytes: &[u8]) {
        let at = self.directory();
        self.bytes.splice(at..at, bytes.iter().copied());
        self.end += bytes.len();
        let moved = u32::try_from(at + bytes.len()).unwrap();
        self.put(self.end + 16, &moved.to_le_bytes());
    }

    /// Adds an extra field to a record of the central directory.
    fn insert_extra(&mut self, name: &str, extra: &[u8]) {
        let record = self.record(name);
        let at = record + 46 + self.u16(record + 28);
        self.bytes.splice(at..at, extra.iter().copied());
        self.put(
            record + 30,
            &u16::try_from(extra.len()).unwrap().to_le_bytes(),
        );
        self.end += extra.len();
        let length = u32::try_from(self.end - self.directory()).unwrap();
        self.put(self.end + 12, &length.to_le_bytes());
    }
}

/// Checks that vpython refuses to unpack this archive as the wheel of `a` with this message.
#[track_caller]
fn refuses(bytes: &[u8], message: impl Expected) {
    message.check(&unpacking(bytes));
}

/// Applies each change to a copy of the archive, and returns the messages.
fn refusals(rows: &[(&str, fn(&mut Archive))]) -> String {
    let message = |(what, change): &(&str, fn(&mut Archive))| {
        let mut zip = Archive::of(&wheel());
        change(&mut zip);
        format!("{what}:\n{}", unpacking(&zip.bytes))
    };
    rows.iter().map(message).collect()
}

/// Unpacks an archive and returns the result. This calls the library, because a launch reads the
/// wheel earlier and refuses some archives with other messages.
fn unpacking(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (file, to) = (
        directory.path().join("a-1-py3-none-any.whl"),
        directory.path().join("to"),
    );
    std::fs::write(&file, bytes).unwrap();
    std::fs::create_dir(&to).unwrap();
    let result = vpython::testing::build::unpack(&planned(&file, bytes), &to);
    let entries: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(entries.len(), 2, "nothing is written outside: {entries:?}");
    match result {
        Ok(()) => String::new(),
        Err(error) => {
            vpython::testing::report::render(&error).replace(to.to_str().unwrap(), "[TO]")
        }
    }
}

fn wheel() -> Wheel {
    Wheel::module("a", "1").file("b.txt", vec![b'b'; 100])
}

#[test]
fn duplicated_fields_of_an_archive_must_agree() {
    #[rustfmt::skip]
    let rows: [(&str, fn(&mut Archive)); 10] = [
        ("name", |zip| { let at = zip.header("a.py"); zip.put(at + 30, b"c.py"); }),
        ("flags", |zip| { let at = zip.header("a.py"); zip.put(at + 6, &[2, 0]); }),
        ("method", |zip| { let at = zip.header("a.py"); zip.put(at + 8, &[8, 0]); }),
        ("CRC-32", |zip| { let at = zip.header("a.py"); zip.put(at + 14, &[1; 4]); }),
        ("size", |zip| { let at = zip.header("a.py"); zip.put(at + 22, &[1; 4]); }),
        ("size of what is stored as it is", |zip| { let at = zip.record("b.txt"); zip.put(at + 20, &[99, 0, 0, 0]); }),
        ("number of members", |zip| { let at = zip.end; zip.put(at + 8, &[9, 0, 9, 0]); }),
        ("number of members on the disk", |zip| { let at = zip.end; zip.put(at + 8, &[9, 0]); }),
        ("Zip64", |zip| { let at = zip.end; zip.put(at + 8, &[0xff; 4]); }),
        ("place", |zip| { let at = zip.record("a.py"); zip.put(at + 42, &[3, 0, 0, 0]); }),
    ];
    expect![[r#"
        name:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its local header has another name
        flags:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its local header has another compression method or other flags
        method:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its local header has another compression method or other flags
        CRC-32:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its local header has another size or CRC-32
        size:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its local header has another size or CRC-32
        size of what is stored as it is:
        vpython: error: member `b.txt` cannot be unpacked
          caused by: it is stored uncompressed, but its two sizes differ
        number of members:
        vpython: error: it has 5 members, but its end record states 9
        number of members on the disk:
        vpython: error: it is part of a multi-disk archive
        Zip64:
        vpython: error: its end-of-central-directory record requires a Zip64 locator, and it has none
        place:
        vpython: error: member `a.py` cannot be unpacked
          caused by: it has no local header
    "#]].assert_eq(&refusals(&rows));
}

#[test]
fn data_before_between_or_after_the_members_is_refused() {
    let plain = Archive::of(&wheel()).bytes;
    let why = expect![[r#"
        vpython: error: extra data before the archive, or between its central directory and its end record
    "#]];
    refuses(&[b"junk", &plain[..]].concat(), &why);
    refuses(
        &[&plain[..], b"junk"].concat(),
        expect![[r#"
            vpython: error: trailing data after the end-of-central-directory record
        "#]],
    );
    let many = vec![0; 70_000];
    refuses(
        &[&plain[..], &many].concat(),
        expect![[r#"
            vpython: error: it is not a zip archive: no end-of-central-directory record in its last 65557 bytes
        "#]],
    );
    // Programs that read backward find one of them, programs that read forward the other.
    let mut zip = Archive::of(&wheel());
    let second = zip.bytes[zip.end..].to_vec();
    zip.put(zip.end + 20, &[22, 0]);
    refuses(&[&zip.bytes[..], &second].concat(), &why);
    let mut zip = Archive::of(&wheel());
    zip.insert_before_directory(b"junk");
    refuses(
        &zip.bytes,
        expect![[r#"
            vpython: error: 4 bytes before `the central directory` belong to no member
        "#]],
    );
    let mut zip = Archive::of(&wheel());
    let second = zip.header("b.txt").to_le_bytes();
    let record = zip.record("a.py");
    zip.put(record + 42, &second[..4]);
    refuses(
        &zip.bytes,
        expect![[r#"
            vpython: error: member `a.py` cannot be unpacked
              caused by: its local header has another name
        "#]],
    );
}

#[test]
fn what_programs_read_differently_is_refused() {
    #[rustfmt::skip]
    let rows: [(&str, fn(&mut Archive)); 8] = [
        ("encryption", |zip| { for at in [zip.header("a.py") + 6, zip.record("a.py") + 8] { zip.put(at, &[1, 0]); } }),
        ("another method", |zip| { for at in [zip.header("a.py") + 8, zip.record("a.py") + 10] { zip.put(at, &[12, 0]); } }),
        ("a device", |zip| { let at = zip.record("a.py"); zip.put(at + 40, &[0, 0o20]); }),
        ("a directory by its mode", |zip| { let at = zip.record("a.py"); zip.put(at + 40, &[0, 0x40]); }),
        ("a directory by its attributes", |zip| { let at = zip.record("a.py"); zip.put(at + 38, &[0x10, 0]); }),
        ("another name in an extra field", |zip| zip.insert_extra("a.py", b"\x75\x70\x09\x00\x01\x00\x00\x00\x00x.py")),
        ("an extra field that is cut short", |zip| zip.insert_extra("a.py", b"\x55\x54\x09\x00\x01")),
        ("a second size", |zip| zip.insert_extra("a.py", b"\x01\x00\x08\x00\x07\x00\x00\x00\x00\x00\x00\x00")),
    ];
    expect![[r#"
        encryption:
        vpython: error: member `a.py` cannot be unpacked
          caused by: it has unsupported flags (0x0001)
        another method:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its compression method is 12, and only 0 and 8 are supported
        a device:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its mode is not that of a file or directory, or contradicts its name
        a directory by its mode:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its mode is not that of a file or directory, or contradicts its name
        a directory by its attributes:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its name is that of a file, but its attributes are those of a directory
        another name in an extra field:
        vpython: error: member `a.py` cannot be unpacked
          caused by: it has an extra field that programs interpret differently (0x7075)
        an extra field that is cut short:
        vpython: error: member `a.py` cannot be unpacked
          caused by: a header is truncated
        a second size:
        vpython: error: member `a.py` cannot be unpacked
          caused by: its Zip64 field has excess data
    "#]]
    .assert_eq(&refusals(&rows));
}

#[test]
fn content_must_match_what_the_archive_declares() {
    let mut zip = Archive::of(&wheel());
    let content = zip.header("a.py") + 34;
    zip.put(content, b"W");
    refuses(
        &zip.bytes,
        expect![[r#"
            vpython: error: member `a.py` cannot be unpacked
              caused by: cannot unpack it to `[TO]/site/a.py`
              caused by: its content does not match the CRC-32 that the archive states
        "#]],
    );
}

#[test]
fn a_comment_and_nul_bytes_may_follow_the_end() {
    let mut zip = Archive::of(&wheel());
    for trailing in [&b"\0"[..], &[0; 5000]] {
        assert_eq!(unpacking(&[&zip.bytes[..], trailing].concat()), "");
    }
    zip.put(zip.end + 20, &[4, 0]);
    assert_eq!(unpacking(&[&zip.bytes[..], b"made"].concat()), "");
    assert_eq!(unpacking(&[&zip.bytes[..], b"made", &[0; 40]].concat()), "");
}

#[test]
fn names_that_differ_in_case_or_form_are_files_of_their_own() {
    for [one, other] in [
        ["c/x.py", "C/x.py"],
        ["\u{e9}.py", "e\u{301}.py"],
        ["C", "c/x.py"],
    ] {
        assert_eq!(
            unpacking(&wheel().file(one, "1").file(other, "2").bytes()),
            "",
            "{one} {other}"
        );
    }
    assert_eq!(
        unpacking(&wheel().file("C.py", "1").data("purelib/c.py", "2").bytes()),
        ""
    );
    refuses(
        &wheel().file("c", "1").file("c/x.py", "2").bytes(),
        expect![[r#"
            vpython: error: member `c/x.py` is inside member `c`, which is a file
        "#]],
    );
}

#[test]
fn an_archive_bomb_is_refused_before_it_expands() {
    let size: u32 = (1 << 30) + 1;
    let mut zip = Archive::of(&wheel().compressed());
    for at in [zip.header("b.txt") + 22, zip.record("b.txt") + 24] {
        zip.put(at, &size.to_le_bytes());
    }
    let length = zip.bytes.len();
    let outcome = unpacking(&zip.bytes);
    let why = format!("bytes from {length} bytes (limit 100x)");
    assert!(outcome.contains(&why), "{outcome}");
    // The stream ends where its header says, although it has more data.
    let mut zip = Archive::of(&wheel().compressed());
    for at in [zip.header("b.txt") + 22, zip.record("b.txt") + 24] {
        zip.put(at, &[50, 0, 0, 0]);
    }
    let outcome = unpacking(&zip.bytes);
    assert!(
        outcome.contains("it has more content than the archive states"),
        "{outcome}"
    );
}
