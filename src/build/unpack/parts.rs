//! A large wheel, unpacked part by part: each part is read once, and hashed and unpacked from
//! memory. A member that is larger than a part goes through memory piece by piece, and each piece
//! is hashed by a thread of its own. Memory for one part is all that it takes.
//!
//! What an archive says of its members is read before, from the bytes of the central directory that
//! are hashed in the end; each local header and each text that was read before is held against the
//! part that it is in.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{ENTRY_POINTS, Step, Texts, Unpacking, Written};
use crate::build::archive::{self, Archive, InMemory, Member, Source, Tap};
use crate::build::unpacked::Contents;
use crate::fs::Digest;
use crate::plan::PlannedWheel;

/// How large a part may be, in bytes, and a wheel that is no large one: as much as the caches of a
/// processor hold.
pub(super) const LIMIT: u64 = 4 << 20;
/// How many pieces of a large member wait to be hashed.
const WAITING: usize = 8;

/// Unpacks a wheel as [`super::unpack`] does. Gives the digest of its bytes, and what was unpacked
/// or why it could not be.
///
/// # Errors
/// It cannot be read.
pub(super) fn unpack(
    wheel: &PlannedWheel,
    file: &File,
    to: &Path,
    advance: &(impl Fn(u64) + Sync),
) -> Result<(Digest, Result<Contents>)> {
    let mut hasher = Sha256::new();
    match take_apart(wheel, file, to, advance, &mut hasher) {
        Ok(contents) => Ok((
            Digest::from(<[u8; 32]>::from(hasher.finalize())),
            Ok(contents),
        )),
        // Whether it is the wheel that was planned comes first.
        Err(error) => Ok((
            Digest::of_reader(&mut { file }, drop).context("it cannot be read")?,
            Err(error),
        )),
    }
}

fn take_apart(
    wheel: &PlannedWheel,
    file: &File,
    to: &Path,
    advance: &(impl Fn(u64) + Sync),
    hasher: &mut Sha256,
) -> Result<Contents> {
    let source = Source::file(file)?;
    let directory = archive::directory_of(source)?;
    let mut end = Vec::new();
    let end = bytes(file, &(directory..source.length()), &mut end)?;
    let archive = Archive::open(source.holding(end, directory))?;
    let texts = Texts::read(wheel, &archive)?;
    let contents = Unpacking::begin(wheel, &archive, &texts, to)?.run(|steps| {
        let (mut room, wholes) = (Vec::new(), Mutex::new(Vec::new()));
        let mut written: Vec<Option<Written>> = steps.iter().map(|_| None).collect();
        for range in archive.parts(LIMIT) {
            let inside = steps
                .iter()
                .enumerate()
                .filter(|(_, step)| range.contains(&step.member.header()));
            let inside: Vec<(usize, &Step)> = inside.collect();
            let part = Part {
                file,
                range,
                texts: &texts,
                wholes: &wholes,
            };
            let done = match &inside[..] {
                [(index, step)] if part.is_large() => {
                    vec![(*index, part.take_large(step, advance, hasher, &mut room)?)]
                }
                _ => part.take(&inside, advance, hasher, &mut room)?,
            };
            for (index, done) in done {
                written[index] = Some(done);
            }
        }
        written
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .context("a member is in no part")
    })?;
    hasher.update(end);
    Ok(contents)
}

/// A part of a wheel.
struct Part<'a> {
    file: &'a File,
    range: Range<u64>,
    texts: &'a Texts,
    /// Room for small members, which each part takes up again.
    wholes: &'a Mutex<Vec<InMemory>>,
}

impl Part<'_> {
    fn is_large(&self) -> bool {
        self.range.end - self.range.start > LIMIT
    }

    /// Takes the steps with the members in it, while it is hashed.
    fn take(
        &self,
        steps: &[(usize, &Step)],
        advance: &(impl Fn(u64) + Sync),
        hasher: &mut Sha256,
        room: &mut Vec<u8>,
    ) -> Result<Vec<(usize, Written)>> {
        let bytes = bytes(self.file, &self.range, room)?;
        let source = Source::memory(bytes, self.range.start);
        let take = || {
            let written = steps.par_iter().map(|(index, step)| {
                self.check_again(step.member, source)?;
                let mut whole = self.wholes().pop().unwrap_or_default();
                let written = step.take_from(source, &mut whole, advance);
                self.wholes().push(whole);
                Ok((*index, written?))
            });
            // The first failure in order, whichever came first.
            written
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<Result<Vec<_>>>()
        };
        let ((), written) = rayon::join(|| hasher.update(bytes), take);
        written
    }

    fn wholes(&self) -> MutexGuard<'_, Vec<InMemory>> {
        self.wholes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the step with the one member in it, whose content goes through memory once.
    fn take_large(
        &self,
        step: &Step,
        advance: &impl Fn(u64),
        hasher: &mut Sha256,
        room: &mut Vec<u8>,
    ) -> Result<Written> {
        let extent = step.member.extent();
        let header = bytes(self.file, &(self.range.start..extent.start), room)?;
        let source = Source::file(self.file)?.holding(header, self.range.start);
        Archive::check_again(source, step.member, self.range.end)?;
        hasher.update(header);
        let written = std::thread::scope(|scope| {
            let (to, pieces) = sync_channel::<Vec<u8>>(WAITING);
            let hashing = &mut *hasher;
            scope.spawn(move || pieces.into_iter().for_each(|piece| hashing.update(piece)));
            let tap = Tap::new(extent.start, to);
            step.take_from(source.through(&tap), &mut InMemory::default(), advance)
        })?;
        // What stands behind it is no more than a few numbers.
        hasher.update(bytes(self.file, &(extent.end..self.range.end), room)?);
        Ok(written)
    }

    /// Holds a member against what was read of it before.
    fn check_again(&self, member: &Member, source: Source) -> Result<()> {
        Archive::check_again(source, member, self.range.end)?;
        let Texts {
            dist_info,
            wheel,
            record,
            entry_points,
        } = self.texts;
        let before = match member
            .name
            .strip_prefix(dist_info.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
        {
            Some("WHEEL") => wheel,
            Some("RECORD") => record,
            Some(ENTRY_POINTS) => entry_points.as_ref().unwrap_or(record),
            _ => return Ok(()),
        };
        let mut now = Vec::new();
        member
            .content(source)
            .take(before.len() as u64 + 1)
            .read_to_end(&mut now)?;
        ensure!(
            now == *before,
            "member `{}` was written to meanwhile",
            member.name
        );
        Ok(())
    }
}

/// The bytes of a file in a range, read into `room`, which grows where it has to.
fn bytes<'a>(file: &File, range: &Range<u64>, room: &'a mut Vec<u8>) -> Result<&'a [u8]> {
    let length = usize::try_from(range.end - range.start)?;
    if room.len() < length {
        *room = vec![0; length];
    }
    file.read_exact_at(&mut room[..length], range.start)
        .context("it cannot be read")?;
    Ok(&room[..length])
}
