//! A strict reader of zip archives: it takes only what every unzip program reads alike, and refuses
//! the rest before anything is unpacked.
//!
//! The format is that of <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, 6.3.10, of
//! which wheels need little. An archive here is its members one after the other from the first byte
//! on, then the central directory, then the record that ends it with a comment and NUL bytes at
//! most, and nothing before or between. Each member is described twice, in the directory and before
//! its content, and both must say the same. What programs are known to read differently is refused:
//! a name with several contents, names that are not UTF-8, links out of the archive and devices,
//! encryption, other methods than "stored" and "deflated", extra fields that rename a member or
//! change its kind.
//!
//! The library that reads wheels elsewhere in this crate lets most of this pass, and does not tell
//! where a member ends; so content is read here too, by what was checked: what is unpacked cannot
//! be something else than what was looked at.

mod byte_reader;
mod directory;
mod eocd;
mod extra;
mod in_memory;
mod local_header;
mod member_reader;
mod names;
mod source;

use std::io::Read;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::stat::SFlag;

pub(super) use in_memory::InMemory;
pub(super) use member_reader::MemberReader;
pub(super) use names::folded;
pub(super) use source::{Source, Tap};

use super::oddities::{Oddity, OddityKind};
use eocd::Trailing;

/// The longest path that Linux takes, in bytes.
const PATH_LIMIT: u64 = 4096;

/// An archive that was looked at.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    source: Source<'a>,
    /// Where the central directory begins.
    directory: u64,
    members: Vec<Member>,
    oddities: Vec<Oddity>,
}

/// What an archive says of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name, `/` between directories and behind the name of a directory.
    pub name: String,
    /// How its content is stored.
    method: Method,
    /// The flags that both its headers must have.
    flags: u16,
    /// The CRC-32 of its content.
    crc: u32,
    /// How many bytes of the archive its content takes.
    pub compressed: u64,
    /// How many bytes its content is.
    pub size: u64,
    /// Its mode bits; zero where the archive has none.
    pub mode: u32,
    /// Where its local header begins.
    header: u64,
    /// Where its content begins.
    data: u64,
}

/// How a member's content is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// As it is.
    Stored = 0,
    /// By RFC 1951.
    Deflated = 8,
}

impl<'a> Archive<'a> {
    /// Looks at all of an archive but the contents of its members.
    ///
    /// # Errors
    /// It is none, or one that another program may read otherwise: the rule that it breaks, and the
    /// member.
    pub fn open(source: Source<'a>) -> Result<Self> {
        let (directory, trailing) = eocd::find(source)?;
        let mut members = directory::read(source, &directory)?;
        let mut ends: Vec<(Range<u64>, usize)> = Vec::new();
        for (index, member) in members.iter_mut().enumerate() {
            let extent = local_header::check(source, member, directory.at)
                .with_context(|| format!("member `{}` cannot be unpacked", member.name))?;
            ends.push((extent, index));
        }
        ends.sort_by_key(|(extent, _)| extent.start);
        let mut position = 0;
        for (extent, index) in &ends {
            refuse_gap(position..extent.start, &members[*index].name)?;
            position = extent.end;
        }
        refuse_gap(position..directory.at, "the central directory")?;
        refuse_bomb(&members, source.length())?;
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
        let mut index = 0..;
        members.retain(|_| !index.next().is_some_and(|index| repeated.contains(&index)));
        Ok(Self {
            source,
            directory: directory.at,
            members,
            oddities,
        })
    }

    /// What is odd about the archive, and read alike by every program all the same.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }

    /// The members, each name once, in the order of the central directory.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of a name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The content of a member; what is wrong with it is an error of reading.
    pub fn content(&self, member: &Member) -> MemberReader<'_> {
        MemberReader::new(self.source, member)
    }

    /// The archive up to its central directory, in parts one behind the other with whole members in
    /// each. One that is larger than `limit` has one member.
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

    /// Holds a member against what a part that ends at `end` has of it: what was looked at before
    /// may have been written to since.
    ///
    /// # Errors
    /// It is another one.
    pub fn check_again(part: Source, member: &Member, end: u64) -> Result<()> {
        let mut again = Member {
            data: 0,
            ..member.clone()
        };
        local_header::check(part, &mut again, end)?;
        ensure!(again == *member, "it has another place by now");
        Ok(())
    }
}

impl Member {
    /// The CRC-32 of its content, as the archive says.
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// Where it begins, with its local header.
    pub fn header(&self) -> u64 {
        self.header
    }

    /// The bytes of the archive that its content takes.
    pub fn extent(&self) -> Range<u64> {
        self.data..self.data + self.compressed
    }

    /// Its content in a part of the archive; what is wrong with it is an error of reading.
    pub fn content<'a>(&self, part: Source<'a>) -> MemberReader<'a> {
        MemberReader::new(part, self)
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Whether it is marked as a symbolic link. As with pip, it becomes a plain file all the same.
    pub fn is_link(&self) -> bool {
        SFlag::from_bits_truncate(self.mode & SFlag::S_IFMT.bits()) == SFlag::S_IFLNK
    }

    /// Whether it is marked as a symbolic link, and whether its file will be executable.
    fn becomes(&self) -> (bool, bool) {
        (self.is_link(), self.is_executable())
    }

    /// Whether its file will be executable: any of the three bits is enough, as with pip.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0 && !self.is_link()
    }
}

/// Where the central directory of an archive begins.
///
/// # Errors
/// It is none.
pub(super) fn directory_of(source: Source) -> Result<u64> {
    eocd::find(source).map(|(directory, _)| directory.at)
}

/// Refuses a symbolic link that leads out of the archive, and one that is longer than any path.
/// Other programs would make the link.
fn refuse_link_out(source: Source, member: &Member) -> Result<()> {
    let mut target = Vec::new();
    MemberReader::new(source, member)
        .take(PATH_LIMIT + 1)
        .read_to_end(&mut target)?;
    ensure!(
        target.len() as u64 <= PATH_LIMIT,
        "it is a symbolic link with a target longer than any path"
    );
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

/// Members stand side by side: where they do not, bytes are hidden between them or belong to two.
fn refuse_gap(gap: Range<u64>, what: &str) -> Result<()> {
    if gap.start > gap.end {
        bail!("`{what}` begins within another member");
    }
    if gap.start < gap.end {
        bail!(
            "{} bytes that belong to no member stand before `{what}`",
            gap.end - gap.start
        );
    }
    Ok(())
}

/// Above this size what an archive comes to must be in a sensible ratio to what it is.
const LARGE: u64 = 1 << 30;
/// Of wheels in use, the highest such ratio that was found is 14.
const RATIO: u64 = 100;

/// Refuses an archive that would fill the disk. Members hold no more than they say, and share no
/// bytes.
fn refuse_bomb(members: &[Member], length: u64) -> Result<()> {
    let total = members
        .iter()
        .fold(0_u64, |total, member| total.saturating_add(member.size));
    if total > LARGE && total / RATIO > length {
        bail!(
            "{total} bytes would come of the {length} bytes of the archive, which is more than {RATIO} times as much"
        );
    }
    Ok(())
}
