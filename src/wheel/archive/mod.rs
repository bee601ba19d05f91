//! A strict reader of zip archives. It accepts only archives that every unzip program reads alike,
//! and rejects all others before anything is unpacked.
//!
//! The format is APPNOTE 6.3.10, <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, of
//! which wheels use little. An accepted archive consists of its members back to back from the first
//! byte on, the central directory, and the end-of-central-directory record, which only a comment
//! and NUL bytes may follow. Each member is described twice, in the central directory and in its
//! local header, and both descriptions must agree. The reader rejects everything that programs are
//! known to read differently: a name with several contents, names that are not UTF-8, links out of
//! the archive, devices, encryption, compression methods other than "stored" and "deflated", and
//! extra fields that rename a member or change its kind.
//!
//! The library that reads wheels elsewhere in this crate accepts most of these, and does not report
//! where a member ends. So this module also reads the contents, from the headers that it has
//! checked: what vpython unpacks is always what it has checked.

mod byte_reader;
mod directory;
mod eocd;
mod extra;
mod in_memory;
mod listing;
mod local_header;
mod member_reader;
mod names;
mod source;

use std::io::Read;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::stat::SFlag;

pub use in_memory::InMemory;
pub use listing::Listing;
pub use member_reader::MemberReader;
pub use names::folded;
pub use source::{ReadAt, Source, Tap};

use super::oddities::{Oddity, OddityKind};
use eocd::Trailing;

/// The longest path that Linux accepts, in bytes.
const PATH_LIMIT: u64 = 4096;

/// An archive whose headers were checked.
#[derive(Debug)]
pub struct Archive<'a> {
    source: Source<'a>,
    /// The offset of the central directory.
    directory: u64,
    members: Vec<Member>,
    oddities: Vec<Oddity>,
}

/// A member of an archive, as its headers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, with `/` between directories and at the end of a directory's name.
    pub name: String,
    /// Its compression method.
    method: Method,
    /// The general purpose flags, the same in both headers.
    flags: u16,
    /// The CRC-32 of its content.
    crc: u32,
    /// The compressed size of its content, in bytes.
    pub compressed: u64,
    /// The size of its content, in bytes.
    pub size: u64,
    /// Its Unix mode; zero if the archive records none.
    pub mode: u32,
    /// The offset of its local header.
    header: u64,
    /// The offset of its content.
    data: u64,
}

/// A compression method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Uncompressed.
    Stored = 0,
    /// Compressed as RFC 1951 specifies.
    Deflated = 8,
}

impl<'a> Archive<'a> {
    /// Checks all headers of an archive, but not the contents of its members.
    ///
    /// # Errors
    /// It is not an archive, or another program may read it differently. The error names the
    /// violated rule and the member.
    pub fn open(source: Source<'a>) -> Result<Self> {
        let (directory, trailing) = eocd::find(source)?;
        let mut members = directory::read(source, &directory)?;
        // Each local header must agree with the central directory.
        let mut ends: Vec<(Range<u64>, usize)> = Vec::new();
        for (index, member) in members.iter_mut().enumerate() {
            let extent = local_header::check(source, member, directory.at)
                .with_context(|| format!("member `{}` cannot be unpacked", member.name))?;
            ends.push((extent, index));
        }
        // Members must fill the archive without gaps and overlaps.
        ends.sort_by_key(|(extent, _)| extent.start);
        let mut position = 0;
        for (extent, index) in &ends {
            refuse_gap(position..extent.start, &members[*index].name)?;
            position = extent.end;
        }
        refuse_gap(position..directory.at, "the central directory")?;
        refuse_bomb(&members, source.length())?;
        // Deviations that every program reads alike are only recorded.
        let mut oddities = Vec::new();
        if trailing == Trailing::Harmless {
            oddities.push(Oddity::new("", OddityKind::Trailing));
        }
        for member in members.iter().filter(|member| member.is_link()) {
            refuse_link_out(source, member)
                .with_context(|| format!("member `{}` cannot be unpacked", member.name))?;
            oddities.push(Oddity::new(&member.name, OddityKind::SymbolicLink));
        }
        let repeated = names::repeated(source, &members)?;
        oddities.extend(
            repeated
                .iter()
                .map(|index| Oddity::new(&members[*index].name, OddityKind::Repeated)),
        );
        // Of repeated members, the first is kept.
        let mut index = 0..;
        members.retain(|_| !index.next().is_some_and(|index| repeated.contains(&index)));
        Ok(Self {
            source,
            directory: directory.at,
            members,
            oddities,
        })
    }

    /// Oddities of the archive that every program nevertheless reads alike.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }

    /// The members, each name once, in the order of the central directory.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Returns the member with this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Returns a reader of a member's content; a defect of the content is an I/O error of the
    /// reader.
    pub fn content(&self, member: &Member) -> MemberReader<'_> {
        MemberReader::new(self.source, member)
    }

    /// Splits the archive up to its central directory into consecutive parts of whole members. A
    /// part larger than `limit` has a single member.
    pub fn parts(&self, limit: u64) -> Vec<Range<u64>> {
        let mut starts: Vec<u64> = self.members.iter().map(|member| member.header).collect();
        starts.sort_unstable();
        let ends = starts.iter().copied().skip(1).chain([self.directory]);
        let (mut parts, mut begin) = (Vec::new(), 0);
        for (start, end) in starts.iter().copied().zip(ends) {
            if end - begin > limit && start > begin {
                parts.push(begin..start);
                begin = start;
            }
        }
        parts.push(begin..self.directory);
        parts
    }

    /// Checks that the local header in `part`, which ends at `end`, still describes `member`: the
    /// file may have been written to since the archive was opened.
    ///
    /// # Errors
    /// The local header has changed.
    pub fn check_again(part: Source, member: &Member, end: u64) -> Result<()> {
        let mut again = Member {
            data: 0,
            ..member.clone()
        };
        local_header::check(part, &mut again, end)?;
        ensure!(again == *member, "its local header has changed");
        Ok(())
    }
}

impl Member {
    /// Returns the CRC-32 of its content that the archive states.
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// Returns the offset of its local header.
    pub fn header(&self) -> u64 {
        self.header
    }

    /// Returns the byte range of its content in the archive.
    pub fn extent(&self) -> Range<u64> {
        self.data..self.data + self.compressed
    }

    /// Returns a reader of its content in a part of the archive; a defect of the content is an I/O
    /// error of the reader.
    pub fn content<'a>(&self, part: Source<'a>) -> MemberReader<'a> {
        MemberReader::new(part, self)
    }

    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Returns whether it is marked as a symbolic link. Like pip, vpython installs it as a regular
    /// file.
    pub fn is_link(&self) -> bool {
        SFlag::from_bits_truncate(self.mode & SFlag::S_IFMT.bits()) == SFlag::S_IFLNK
    }

    /// Returns whether it is marked as a symbolic link, and whether its file becomes executable.
    fn installed_kind(&self) -> (bool, bool) {
        (self.is_link(), self.is_executable())
    }

    /// Returns whether its file becomes executable: any of the three bits is enough, as with pip.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0 && !self.is_link()
    }
}

/// Returns the offset of the central directory.
///
/// # Errors
/// It is not a zip archive.
pub fn directory_of(source: Source) -> Result<u64> {
    eocd::find(source).map(|(directory, _)| directory.at)
}

/// Rejects a symbolic link that leads out of the archive or is longer than any path. Other programs
/// would create the link.
fn refuse_link_out(source: Source, member: &Member) -> Result<()> {
    let mut target = Vec::new();
    MemberReader::new(source, member)
        .take(PATH_LIMIT + 1)
        .read_to_end(&mut target)?;
    ensure!(
        target.len() as u64 <= PATH_LIMIT,
        "it is a symbolic link with a target longer than any path"
    );
    // Follow the target component by component; the depth must never become negative.
    let mut depth = member.name.matches('/').count();
    for part in target.split(|byte| *byte == b'/') {
        let is_inside = match part {
            b"" | b"." => !target.starts_with(b"/"),
            b".." => depth > 0,
            _ => true,
        };
        ensure!(
            is_inside,
            "it is a symbolic link that leads out of the wheel"
        );
        depth = if part == b".." {
            depth - 1
        } else {
            depth + usize::from(!matches!(part, b"" | b"."))
        };
    }
    Ok(())
}

/// Rejects a gap or an overlap between members: bytes would be hidden, or belong to two members.
fn refuse_gap(gap: Range<u64>, what: &str) -> Result<()> {
    if gap.start > gap.end {
        bail!("`{what}` overlaps another member");
    }
    if gap.start < gap.end {
        bail!(
            "{} bytes before `{what}` belong to no member",
            gap.end - gap.start
        );
    }
    Ok(())
}

/// The expansion ratio is checked only for archives that expand to more than this many bytes.
const LARGE: u64 = 1 << 30;
/// The highest accepted expansion ratio. The highest ratio found among wheels in use is 14.
const RATIO: u64 = 100;

/// Rejects an archive that would fill the disk. The sum is exact, since members hold no more than
/// their stated size and share no bytes.
fn refuse_bomb(members: &[Member], length: u64) -> Result<()> {
    let total = members
        .iter()
        .fold(0_u64, |total, member| total.saturating_add(member.size));
    if total > LARGE && total / RATIO > length {
        bail!("archive expands to {total} bytes from {length} bytes (limit {RATIO}x)");
    }
    Ok(())
}
