//! The fields of a package's header: its metadata, its files, and the payload.

use std::collections::BTreeMap;

use super::header::{Header, tag};
use super::payload::{Payload, inode, mode};
use crate::portable::pack::contents::{Contents, Item, ItemKind};
use crate::portable::pack::depends::{Comparison, Requirement};
use crate::portable::pack::package::Package;

/// The number of SHA-256 among the hash algorithms (RFC 4880, 9.4).
const SHA256: u32 = 8;
/// Dependency flags: how versions compare, and that the dependency is a feature of rpm itself.
const LESS: u32 = 1 << 1;
const GREATER: u32 = 1 << 2;
const EQUAL: u32 = 1 << 3;
const RPMLIB: u32 = 1 << 24;
/// The rpm features that every package requires.
const FEATURES: [(&str, &str); 3] = [
    ("rpmlib(CompressedFileNames)", "3.0.4-1"),
    ("rpmlib(FileDigests)", "4.6.0-1"),
    ("rpmlib(PayloadFilesHavePrefix)", "4.0-1"),
];
/// The rpm feature that a dependency in parentheses requires.
const RICH_FEATURE: (&str, &str) = ("rpmlib(RichDependencies)", "4.12.0-1");
/// System directories, which belong to the package `filesystem`.
const SYSTEM: [&str; 24] = [
    "bin",
    "etc",
    "home",
    "lib",
    "lib64",
    "media",
    "mnt",
    "opt",
    "root",
    "run",
    "sbin",
    "srv",
    "tmp",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/libexec",
    "usr/local",
    "usr/local/lib",
    "usr/local/share",
    "usr/share",
    "var",
    "var/lib",
];

/// The width of size fields: 32 bits, or 64 if a size may need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Large,
}

impl Size {
    /// The width that the sizes of a package with these files need. For each file, the payload adds
    /// less than a kilobyte plus the length of its name.
    pub fn of(items: &[Item<'_>]) -> Self {
        let bound = items
            .iter()
            .map(|item| size(item) + 1024 + 2 * item.path.len() as u64)
            .sum::<u64>();
        if bound + bound / 512 > u64::from(u32::MAX) {
            Self::Large
        } else {
            Self::Small
        }
    }

    /// Stores a size under the first tag, or under the second if it may exceed 32 bits.
    pub fn put(self, header: &mut Header, (small, large): (u32, u32), size: u64) {
        match u32::try_from(size) {
            Ok(size) if self == Self::Small => header.numbers(small, &[size]),
            _ => header.large(large, &[size]),
        }
    }
}

/// Returns the items that the package owns: all but the system's directories.
pub(super) fn owned(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    items
        .into_iter()
        .filter(|item| !SYSTEM.contains(&&*item.path))
        .collect()
}

/// Builds the header of a package for this architecture.
pub(super) fn header(
    contents: &Contents,
    package: &Package,
    arch: &str,
    (items, payload): (&[Item<'_>], &Payload),
) -> Header {
    let mut header = Header::default();
    header.texts(tag::LANGUAGES, &["C"]);
    header.text(tag::NAME, &package.name);
    header.text(tag::VERSION, &package.version);
    header.text(tag::RELEASE, &package.release);
    header.translated(tag::SUMMARY, &package.summary());
    header.translated(tag::DESCRIPTION, &package.details(&contents.manifest));
    header.numbers(tag::BUILD_TIME, &[contents.time]);
    header.text(tag::BUILD_HOST, "localhost");
    header.text(tag::LICENSE, &package.license);
    if let Some(maintainer) = &package.maintainer {
        header.text(tag::PACKAGER, maintainer);
    }
    header.translated(tag::GROUP, "Unspecified");
    header.text(tag::OS, "linux");
    header.text(tag::ARCH, arch);
    // A header that names its source package is that of a binary package.
    header.text(
        tag::SOURCE_RPM,
        &format!(
            "{}-{}-{}.src.rpm",
            package.name, package.version, package.release
        ),
    );
    header.text(tag::ENCODING, "utf-8");
    put_dependencies(&mut header, package);
    put_files(&mut header, contents, items);
    header.text(tag::PAYLOAD_FORMAT, "cpio");
    header.text(tag::PAYLOAD_COMPRESSOR, "gzip");
    header.text(tag::PAYLOAD_FLAGS, "6");
    header.texts(tag::PAYLOAD_DIGEST, &[hex::encode(payload.sha256)]);
    header.numbers(tag::PAYLOAD_DIGEST_ALGORITHM, &[SHA256]);
    header
}

fn put_dependencies(header: &mut Header, package: &Package) {
    let mut rows: Vec<(&str, u32, &str)> = FEATURES
        .iter()
        .map(|(name, version)| (*name, RPMLIB | LESS | EQUAL, *version))
        .collect();
    let required: Vec<Requirement<'_>> = package
        .depends
        .iter()
        .filter_map(|text| Requirement::parse(text))
        .collect();
    // Older versions of rpm refuse the package instead of misreading it.
    if required.iter().any(Requirement::is_rich) {
        rows.push((RICH_FEATURE.0, RPMLIB | LESS | EQUAL, RICH_FEATURE.1));
    }
    rows.extend(
        required
            .iter()
            .map(|one| (one.name, flags(one.comparison), one.version)),
    );
    // The order of the options does not matter.
    rows.sort_unstable();
    rows.dedup();
    header.texts(
        tag::REQUIRE_NAMES,
        &rows.iter().map(|row| row.0).collect::<Vec<_>>(),
    );
    header.numbers(
        tag::REQUIRE_FLAGS,
        &rows.iter().map(|row| row.1).collect::<Vec<_>>(),
    );
    header.texts(
        tag::REQUIRE_VERSIONS,
        &rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    );
    // Every package provides itself at its own version.
    header.texts(tag::PROVIDE_NAMES, &[&package.name]);
    header.numbers(tag::PROVIDE_FLAGS, &[EQUAL]);
    header.texts(
        tag::PROVIDE_VERSIONS,
        &[format!("{}-{}", package.version, package.release)],
    );
}

fn flags(comparison: Comparison) -> u32 {
    match comparison {
        Comparison::Any => 0,
        Comparison::Less => LESS,
        Comparison::LessOrEqual => LESS | EQUAL,
        Comparison::Equal => EQUAL,
        Comparison::GreaterOrEqual => GREATER | EQUAL,
        Comparison::Greater => GREATER,
    }
}

fn put_files(header: &mut Header, contents: &Contents, items: &[Item<'_>]) {
    put_paths(header, items);
    Size::of(items).put(
        header,
        (tag::SIZE, tag::LONG_SIZE),
        items.iter().map(size).sum(),
    );
    // Writing the payload fails for a file of 4 GiB or more.
    let sizes = items
        .iter()
        .map(|item| u32::try_from(size(item)).unwrap_or(u32::MAX));
    header.numbers(tag::FILE_SIZES, &sizes.collect::<Vec<_>>());
    let modes = items
        .iter()
        .map(|item| u16::try_from(mode(&item.kind)).unwrap_or_default());
    header.short(tag::FILE_MODES, &modes.collect::<Vec<_>>());
    header.texts(
        tag::FILE_DIGESTS,
        &items.iter().map(digest).collect::<Vec<_>>(),
    );
    header.texts(
        tag::FILE_LINKS,
        &items.iter().map(target).collect::<Vec<_>>(),
    );
    header.numbers(tag::FILE_DIGEST_ALGORITHM, &[SHA256]);
    let count = items.len();
    header.numbers(tag::FILE_INODES, &(0..count).map(inode).collect::<Vec<_>>());
    header.numbers(tag::FILE_TIMES, &vec![contents.time; count]);
    header.texts(tag::FILE_USERS, &vec!["root"; count]);
    header.texts(tag::FILE_GROUPS, &vec!["root"; count]);
    // `rpm --verify` checks every attribute of every file.
    header.numbers(tag::FILE_VERIFY_FLAGS, &vec![u32::MAX; count]);
    header.numbers(tag::FILE_FLAGS, &vec![0; count]);
    header.numbers(tag::FILE_DEVICES, &vec![1; count]);
    header.short(tag::FILE_DEVICE_NUMBERS, &vec![0; count]);
    header.texts(tag::FILE_LANGUAGES, &vec![""; count]);
}

/// Stores the paths: the distinct directories, then for each file the index of its directory and
/// its base name.
fn put_paths(header: &mut Header, items: &[Item<'_>]) {
    let mut directories: Vec<String> = Vec::new();
    let mut numbers = BTreeMap::new();
    let mut names = Vec::new();
    let mut indexes = Vec::new();
    for item in items {
        let (directory, name) = item.path.rsplit_once('/').unwrap_or(("", &item.path));
        let number = *numbers.entry(directory).or_insert_with(|| {
            directories.push(if directory.is_empty() {
                "/".to_owned()
            } else {
                format!("/{directory}/")
            });
            u32::try_from(directories.len() - 1).unwrap_or(u32::MAX)
        });
        names.push(name);
        indexes.push(number);
    }
    header.texts(tag::DIRECTORY_NAMES, &directories);
    header.texts(tag::BASE_NAMES, &names);
    header.numbers(tag::DIRECTORY_INDEXES, &indexes);
}

/// The size of a file, or the length of a link's target; 0 for a directory.
fn size(item: &Item<'_>) -> u64 {
    match item.kind {
        ItemKind::Directory => 0,
        ItemKind::Link { target } => target.len() as u64,
        ItemKind::File { size, .. } => size,
    }
}

/// The digest of a file; empty for anything else.
fn digest(item: &Item<'_>) -> String {
    if let ItemKind::File { sha256, .. } = item.kind {
        sha256.to_string()
    } else {
        String::new()
    }
}

fn target<'a>(item: &Item<'a>) -> &'a str {
    if let ItemKind::Link { target } = item.kind {
        target
    } else {
        ""
    }
}
