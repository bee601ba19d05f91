//! Wheels made by code: with valid METADATA, WHEEL and RECORD, unless a fault is requested. The
//! same calls make the same bytes.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use vpython::testing::plan::PlannedWheel;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A fault of a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// RECORD has another digest for the member.
    WrongDigest(&'static str),
    /// RECORD has another size for the member.
    WrongSize(&'static str),
    /// RECORD has no digest for the member.
    NoDigest(&'static str),
    /// RECORD does not list the member.
    MissingRow(&'static str),
    /// RECORD lists a member that is not there.
    MissingMember(&'static str),
    /// A symbolic link of this name to that target.
    Symlink(&'static str, &'static str),
    /// There is no METADATA.
    NoMetadata,
    /// There is no RECORD.
    NoRecord,
    /// A member of the first name appears under the second, of the same length, in all headers of
    /// the archive.
    Renamed(&'static str, &'static str),
}

/// A wheel to be written.
#[derive(Debug, Clone)]
pub struct Wheel {
    name: String,
    version: String,
    build: Option<String>,
    tag: String,
    headers: Vec<String>,
    entry_points: Vec<String>,
    members: Vec<Member>,
    faults: Vec<Fault>,
    record: Option<fn(&str) -> String>,
    compressed: bool,
}

#[derive(Debug, Clone)]
struct Member {
    name: String,
    content: Vec<u8>,
    mode: u32,
}

impl Wheel {
    /// An empty wheel for any Python 3.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            build: None,
            tag: "py3-none-any".into(),
            headers: Vec::new(),
            entry_points: Vec::new(),
            members: Vec::new(),
            faults: Vec::new(),
            record: None,
            compressed: false,
        }
    }

    /// A wheel with one module of its own name, whose `VERSION` is the wheel's.
    pub fn module(name: &str, version: &str) -> Self {
        Self::new(name, version).file(&format!("{name}.py"), format!("VERSION = {version:?}\n"))
    }

    /// Adds a `Requires-Dist`.
    pub fn requires(self, requirement: &str) -> Self {
        self.header(&format!("Requires-Dist: {requirement}"))
    }

    /// Sets `Requires-Python`.
    pub fn requires_python(self, range: &str) -> Self {
        self.header(&format!("Requires-Python: {range}"))
    }

    /// Adds a `Provides-Extra`.
    pub fn extra(self, name: &str) -> Self {
        self.header(&format!("Provides-Extra: {name}"))
    }

    /// Adds a line to `METADATA`.
    pub fn header(mut self, line: &str) -> Self {
        self.headers.push(line.into());
        self
    }

    /// Sets the tags, as in `cp311-cp311-linux_x86_64`.
    pub fn tag(mut self, tag: &str) -> Self {
        self.tag = tag.into();
        self
    }

    /// Sets the build tag.
    pub fn build(mut self, build: &str) -> Self {
        self.build = Some(build.into());
        self
    }

    /// Adds a member that is not executable; a directory, where the name ends with `/`.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_with_mode(name, content, 0o644)
    }

    /// Adds a member with these permission bits.
    pub fn file_with_mode(mut self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> Self {
        self.members.push(Member {
            name: name.into(),
            content: content.as_ref().into(),
            mode,
        });
        self
    }

    /// Adds a script that is shipped unchanged; the archive does not mark it as executable.
    pub fn script(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.data(&format!("scripts/{name}"), content)
    }

    /// Adds a member of the `.data` directory, as in `headers/greeting.h`.
    pub fn data(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("{}.data/{path}", self.stem());
        self.file(&name, content)
    }

    /// Adds a script made from an entry point.
    pub fn entry_point(mut self, name: &str, object: &str) -> Self {
        self.entry_points.push(format!("{name} = {object}"));
        self
    }

    /// Adds a fault.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Replaces the valid RECORD by the result of this function.
    pub fn record_as(mut self, rewrite: fn(&str) -> String) -> Self {
        self.record = Some(rewrite);
        self
    }

    /// Compresses the members.
    pub fn compressed(mut self) -> Self {
        self.compressed = true;
        self
    }

    fn stem(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// The file name.
    pub fn file_name(&self) -> String {
        let build = self
            .build
            .as_ref()
            .map(|build| format!("-{build}"))
            .unwrap_or_default();
        format!("{}{build}-{}.whl", self.stem(), self.tag)
    }

    /// Writes the wheel into a directory, which is created if it is missing.
    pub fn write_to(&self, directory: &Path) -> PathBuf {
        std::fs::create_dir_all(directory).unwrap();
        let path = directory.join(self.file_name());
        std::fs::write(&path, self.bytes()).unwrap();
        path
    }

    /// The wheel's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let members = self.all_members();
        for member in &members {
            if member.name.ends_with('/') {
                writer
                    .add_directory(&*member.name, self.options(0o755))
                    .unwrap();
                continue;
            }
            writer
                .start_file(&*member.name, self.options(member.mode))
                .unwrap();
            writer.write_all(&member.content).unwrap();
        }
        for fault in &self.faults {
            if let Fault::Symlink(name, target) = fault {
                writer
                    .add_symlink(*name, *target, self.options(0o777))
                    .unwrap();
            }
        }
        let mut bytes = writer.finish().unwrap().into_inner();
        for fault in &self.faults {
            if let Fault::Renamed(from, to) = fault {
                rename(&mut bytes, from.as_bytes(), to.as_bytes());
            }
        }
        bytes
    }

    fn options(&self, mode: u32) -> SimpleFileOptions {
        let method = if self.compressed {
            CompressionMethod::Deflated
        } else {
            CompressionMethod::Stored
        };
        // The default time is the earliest that a zip archive can store.
        SimpleFileOptions::DEFAULT
            .compression_method(method)
            .unix_permissions(mode)
    }

    /// The members in the order of the archive, RECORD last.
    fn all_members(&self) -> Vec<Member> {
        let dist_info = format!("{}.dist-info", self.stem());
        let own = |name: &str, content: String| Member {
            name: format!("{dist_info}/{name}"),
            content: content.into_bytes(),
            mode: 0o644,
        };
        let mut members = self.members.clone();
        if !self.entry_points.is_empty() {
            members.push(own(
                "entry_points.txt",
                format!("[console_scripts]\n{}\n", self.entry_points.join("\n")),
            ));
        }
        if !self.faults.contains(&Fault::NoMetadata) {
            members.push(own("METADATA", self.metadata()));
        }
        members.push(own(
            "WHEEL",
            format!(
                "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {}\n",
                self.tag
            ),
        ));
        if !self.faults.contains(&Fault::NoRecord) {
            let record = self.record(&members, &dist_info);
            members.push(own("RECORD", record));
        }
        members
    }

    fn metadata(&self) -> String {
        let mut lines = vec![
            "Metadata-Version: 2.1".to_owned(),
            format!("Name: {}", self.name),
            format!("Version: {}", self.version),
        ];
        lines.extend(self.headers.iter().cloned());
        lines.join("\n") + "\n\nMade by the tests.\n"
    }

    fn record(&self, members: &[Member], dist_info: &str) -> String {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .from_writer(Vec::new());
        let mut row = |name: &str, digest: &str, size: &str| {
            writer.write_record([name, digest, size]).unwrap();
        };
        for member in members {
            let has = |fault: fn(&'static str) -> Fault| {
                self.faults
                    .iter()
                    .any(|known| is_about(known, fault, &member.name))
            };
            if has(Fault::MissingRow) || member.name.ends_with('/') {
                continue;
            }
            let content = if has(Fault::WrongDigest) {
                b"other"
            } else {
                &member.content[..]
            };
            let size = member.content.len() + usize::from(has(Fault::WrongSize));
            let digest = if has(Fault::NoDigest) {
                String::new()
            } else {
                digest_column(content)
            };
            row(self.final_name(&member.name), &digest, &size.to_string());
        }
        for fault in &self.faults {
            if let Fault::MissingMember(name) = fault {
                row(name, &digest_column(b""), "0");
            }
        }
        row(&format!("{dist_info}/RECORD"), "", "");
        let record = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        self.record
            .map_or(record.clone(), |rewrite| rewrite(&record))
    }

    /// The name of a member in the archive.
    fn final_name<'a>(&self, name: &'a str) -> &'a str {
        let renamed = self.faults.iter().find_map(|fault| match fault {
            Fault::Renamed(from, to) if *from == name => Some(*to),
            _ => None,
        });
        renamed.unwrap_or(name)
    }
}

fn digest_column(content: &[u8]) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(Sha256::digest(content)))
}

/// Checks whether a fault is of this kind and affects this member.
fn is_about(known: &Fault, kind: fn(&'static str) -> Fault, name: &str) -> bool {
    match known {
        Fault::WrongDigest(member)
        | Fault::WrongSize(member)
        | Fault::NoDigest(member)
        | Fault::MissingRow(member) => *member == name && *known == kind(member),
        _ => false,
    }
}

/// Replaces every occurrence of a name by one of the same length.
fn rename(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(
        from.len(),
        to.len(),
        "the replacement must have the same length"
    );
    for start in 0..=bytes.len() - from.len() {
        if bytes[start..].starts_with(from) {
            bytes[start..start + to.len()].copy_from_slice(to);
        }
    }
}

/// The plan of the wheel of `a` 1 in a file with this content.
pub fn planned(path: &Path, bytes: &[u8]) -> PlannedWheel {
    PlannedWheel {
        name: "a".parse().unwrap(),
        version: "1".parse().unwrap(),
        path: path.to_path_buf(),
        in_layout: None,
        built: None,
        to_fetch: None,
        size: bytes.len() as u64,
        sha256: vpython::testing::fs::Digest::of(bytes),
        required_by: Vec::new(),
    }
}
