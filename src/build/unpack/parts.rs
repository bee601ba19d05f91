//! Unpacking a large wheel part by part: each part is read once, and hashed and unpacked from
//! memory. A member larger than a part is streamed through memory, while a separate thread hashes
//! the pieces. So memory for a single part is enough.
//!
//! The headers are read first, from the bytes of the central directory that are hashed at the end.
//! Each local header, and each text that was read in advance, is compared with the part that
//! contains it.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::texts::ENTRY_POINTS;
use super::{Buffers, Step, Texts, Unpacking, Written};
use crate::build::unpacked::Contents;
use crate::fs::Digest;
use crate::plan::PlannedWheel;
use crate::process::threads;
use crate::wheel::{Archive, InMemory, Member, Source, Tap, archive};

/// The maximum size of a part, and of a wheel that is unpacked all at once, in bytes: about the
/// size of a processor's caches.
pub(super) const LIMIT: u64 = 4 << 20;
/// The number of pieces of a large member that may wait to be hashed.
const WAITING: usize = 8;

/// Unpacks a wheel as [`super::unpack`] does. Returns the digest of its bytes, and its contents or
/// the reason why it cannot be unpacked.
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
    match unpack_parts(wheel, file, to, advance, &mut hasher) {
        Ok(contents) => Ok((
            Digest::from(<[u8; 32]>::from(hasher.finalize())),
            Ok(contents),
        )),
        // A changed file takes precedence over this error, so hash the whole file.
        Err(error) => Ok((
            Digest::of_reader(&mut { file }, drop).context("it cannot be read")?,
            Err(error),
        )),
    }
}

fn unpack_parts(
    wheel: &PlannedWheel,
    file: &File,
    to: &Path,
    advance: &(impl Fn(u64) + Sync),
    hasher: &mut Sha256,
) -> Result<Contents> {
    // Keep the central directory in memory: it is hashed last.
    let source = Source::file(file)?;
    let directory = archive::directory_of(source)?;
    let mut end = Vec::new();
    let end = bytes(file, &(directory..source.length()), &mut end)?;
    let archive = Archive::open(source.holding(end, directory))?;
    let texts = Texts::read(wheel, &archive)?;
    let contents = Unpacking::begin(wheel, &archive, &texts, to)?.run(|steps| {
        let (mut room, buffers) = (Vec::new(), Buffers::default());
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
                buffers: &buffers,
            };
            let done = match &inside[..] {
                [(index, step)] if part.is_large() => {
                    vec![(*index, part.stream(step, advance, hasher, &mut room)?)]
                }
                _ => part.unpack(&inside, advance, hasher, &mut room)?,
            };
            for (index, done) in done {
                written[index] = Some(done);
            }
        }
        written
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .context("a member is not in any part")
    })?;
    hasher.update(end);
    Ok(contents)
}

/// A part of a wheel.
struct Part<'a> {
    file: &'a File,
    range: Range<u64>,
    texts: &'a Texts,
    /// Buffers for small members, which the parts reuse.
    buffers: &'a Buffers,
}

impl Part<'_> {
    fn is_large(&self) -> bool {
        self.range.end - self.range.start > LIMIT
    }

    /// Runs the steps of the members in this part, while the part is hashed.
    fn unpack(
        &self,
        steps: &[(usize, &Step)],
        advance: &(impl Fn(u64) + Sync),
        hasher: &mut Sha256,
        room: &mut Vec<u8>,
    ) -> Result<Vec<(usize, Written)>> {
        let bytes = bytes(self.file, &self.range, room)?;
        let source = Source::memory(bytes, self.range.start);
        let run_steps = || {
            let written = steps.par_iter().map(|(index, step)| {
                self.check_again(step.member, source)?;
                let run = |in_memory: &mut InMemory| step.run(source, Some(in_memory), advance);
                Ok((*index, self.buffers.with(run)?))
            });
            // The first error in order, to be deterministic.
            written
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<Result<Vec<_>>>()
        };
        let ((), written) = rayon::join(|| hasher.update(bytes), run_steps);
        written
    }

    /// Runs the step of the only member in this part, whose content is streamed.
    fn stream(
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
        let run = |show: &(dyn Fn(&[u8]) -> bool + Sync)| {
            let tap = Tap::new(extent.start, show);
            step.run(source.through(&tap), None, advance)
        };
        let written = std::thread::scope(|scope| {
            let (to, pieces) = sync_channel::<Vec<u8>>(WAITING);
            let hashing = &mut *hasher;
            let hash = move || pieces.into_iter().for_each(|piece| hashing.update(piece));
            threads::spawn_scoped(scope, hash)?;
            // The thread ends when `to` is dropped.
            Some(run(&move |piece| to.send(piece.to_vec()).is_ok()))
        });
        let written = written.unwrap_or_else(|| {
            let hashing = Mutex::new(&mut *hasher);
            run(&|piece| {
                let hashing = hashing.lock();
                hashing.map(|mut hasher| hasher.update(piece)).is_ok()
            })
        })?;
        // At most a data descriptor follows.
        hasher.update(bytes(self.file, &(extent.end..self.range.end), room)?);
        Ok(written)
    }

    /// Compares a member with what was read of it earlier.
    fn check_again(&self, member: &Member, source: Source) -> Result<()> {
        Archive::check_again(source, member, self.range.end)?;
        let Texts {
            dist_info,
            wheel,
            record,
            entry_points,
        } = self.texts;
        // The texts that were read in advance must be unchanged.
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
            "member `{}` was changed while the wheel was read",
            member.name
        );
        Ok(())
    }
}

/// Reads a byte range of a file into `room`, which grows if necessary.
fn bytes<'a>(file: &File, range: &Range<u64>, room: &'a mut Vec<u8>) -> Result<&'a [u8]> {
    let length = usize::try_from(range.end - range.start)?;
    if room.len() < length {
        *room = vec![0; length];
    }
    file.read_exact_at(&mut room[..length], range.start)
        .context("it cannot be read")?;
    Ok(&room[..length])
}
