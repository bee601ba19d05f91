//! Unpacking a wheel: its files go into one directory for each data scheme, are compared with its
//! RECORD, and its scripts become movable.
//!
//! This is the part of an installation that does not depend on the environment, so it is done once
//! per machine. **What is unpacked is what was hashed.** Another process may write to a wheel
//! between two reads of it; so its bytes are read once, into memory, and are hashed and unpacked
//! from there: all at once (here) or, for a large wheel, part by part (`parts`).

mod parts;
#[cfg(test)]
mod rewritten;
mod step;
mod texts;

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;

use super::scripts;
use super::unpacked::{Contents, MANIFEST, UnpackedFile};
use super::venv::DIRECTORY_MODE;
use crate::fs::{self, Digest};
use crate::plan::{InLayout, PlannedWheel};
use crate::report::Failure;
use crate::wheel::oddities::{Oddities, Oddity, OddityKind};
use crate::wheel::record::{self, Row, Rows};
use crate::wheel::scheme::{Destination, Scheme};
use crate::wheel::{Archive, InMemory, Member, Source, archive, dist_info, entry_points};
use step::{NewFile, Step, StepKind, Written, write_own};
use texts::Texts;
pub(super) use texts::read_member;

/// The files that an installer writes itself, even if the wheel has files with these names.
pub(super) const INSTALLERS_OWN: [&str; 3] = ["RECORD", "INSTALLER", "REQUESTED"];
/// The signatures of RECORD, which RECORD cannot list.
const SIGNATURES: [&str; 2] = ["RECORD.jws", "RECORD.p7s"];

/// Unpacks a wheel into the empty directory `to`. `advance` receives the number of unpacked bytes
/// of the wheel. Returns its contents.
///
/// The wheel is hashed while its members are unpacked. If the digest does not match, that is the
/// error, and the caller discards what was unpacked. The call also fails if the file is not a wheel
/// that every program unpacks alike.
pub(super) fn unpack(
    wheel: &PlannedWheel,
    to: &Path,
    advance: impl Fn(u64) + Send + Sync,
) -> Result<Contents> {
    let file = fs::open_regular(&wheel.path)?;
    let length = file.metadata().context("it cannot be read")?.len();
    // A large wheel is read and hashed in parts. A small one is read once, and hashed while its
    // members are unpacked.
    let (found, contents) = if length > parts::LIMIT {
        parts::unpack(wheel, &file, to, &advance)?
    } else {
        let mut bytes = Vec::with_capacity(usize::try_from(length)? + 1);
        (&file)
            .take(length)
            .read_to_end(&mut bytes)
            .context("it cannot be read")?;
        rayon::join(
            || Digest::of(&bytes),
            || unpack_members(wheel, &bytes, to, &advance),
        )
    };
    // Compare the digest first: if the wheel has changed, the errors of its members are misleading.
    if found != wheel.sha256 && wheel.in_layout.is_some() {
        return Err(
            Failure::new("it differs from its digest in the image layout")
                .because(format!("its sha256 is {found}, not {}", wheel.sha256))
                .hint(InLayout::HOW_TO_REPAIR)
                .into(),
        );
    }
    if found != wheel.sha256 {
        return Err(Failure::new("it has changed since it was selected")
            .because(format!(
                "its sha256 was {}, but is {found} now",
                wheel.sha256
            ))
            .hint("run the command again when no process writes to the wheel any more")
            .into());
    }
    with_manifest(contents?, to)
}

/// Unpacks the bytes of a wheel, whose digest the caller has checked, into the empty directory `to`.
/// Returns its contents.
///
/// # Errors
/// They are not those of a wheel that every program unpacks alike.
pub(super) fn unpack_bytes(wheel: &PlannedWheel, bytes: &[u8], to: &Path) -> Result<Contents> {
    with_manifest(unpack_members(wheel, bytes, to, &drop)?, to)
}

/// Unpacks the members of a wheel.
fn unpack_members(
    wheel: &PlannedWheel,
    bytes: &[u8],
    to: &Path,
    advance: &(impl Fn(u64) + Send + Sync),
) -> Result<Contents> {
    let source = Source::memory(bytes, 0);
    let archive = Archive::open(source)?;
    let texts = Texts::read(wheel, &archive)?;
    let buffers = Buffers::default();
    Unpacking::begin(wheel, &archive, &texts, to)?.run(|steps| {
        let written = steps.par_iter().map(|step| {
            let run = |in_memory: &mut InMemory| step.run(source, Some(in_memory), advance);
            buffers.with(run)
        });
        // The first error in order, to be deterministic.
        written.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Buffers for members, as many as threads use at a time.
#[derive(Default)]
struct Buffers(Mutex<Vec<InMemory>>);

impl Buffers {
    /// Calls `work` with a buffer that no other thread uses meanwhile.
    fn with<T>(&self, work: impl FnOnce(&mut InMemory) -> T) -> T {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = lock().pop().unwrap_or_default();
        let result = work(&mut buffer);
        buffer.drop_large();
        lock().push(buffer);
        result
    }
}

/// Writes the contents of a wheel next to its files, and returns them.
fn with_manifest(contents: Contents, to: &Path) -> Result<Contents> {
    let bytes = serde_json::to_vec(&contents)?;
    fs::write_new(&to.join(MANIFEST), &fs::seal(&bytes), 0o444)?;
    Ok(contents)
}

/// A wheel being unpacked. First the place of each member is decided, in the order of the archive,
/// then all members are written in parallel.
struct Unpacking<'a> {
    archive: &'a Archive<'a>,
    texts: &'a Texts,
    to: &'a Path,
    data: String,
    rows: Rows,
    files: Vec<UnpackedFile>,
    /// The destinations in use.
    taken: HashSet<Destination>,
    /// The destinations by scheme and folded path, to find names that collide on case-insensitive
    /// file systems.
    folded: HashMap<(Scheme, String), Destination>,
    oddities: Vec<Oddity>,
    directories: HashSet<PathBuf>,
}

impl<'a> Unpacking<'a> {
    fn begin(
        wheel: &PlannedWheel,
        archive: &'a Archive,
        texts: &'a Texts,
        to: &'a Path,
    ) -> Result<Self> {
        dist_info::check_wheel_version(&texts.wheel)?;
        // RECORD's rows, and the oddities that are known before unpacking.
        let (rows, oddities) = record::parse(&texts.record)?;
        let data = dist_info::own_directory(archive, &wheel.name, &wheel.version, ".data")?
            .unwrap_or_else(|| texts.dist_info.replace(".dist-info", ".data"));
        let oddities = archive.oddities().iter().cloned().chain(oddities).collect();
        let (files, taken, folded, directories) =
            (Vec::new(), HashSet::new(), HashMap::new(), HashSet::new());
        Ok(Self {
            archive,
            texts,
            to,
            data,
            rows,
            files,
            taken,
            folded,
            oddities,
            directories,
        })
    }

    /// Decides the step for each member, lets `write` run the steps, and combines the results in
    /// the order of the steps.
    fn run(mut self, write: impl FnOnce(&[Step]) -> Result<Vec<Written>>) -> Result<Contents> {
        self.entry_points()?;
        let mut steps = Vec::new();
        let mut refused = None;
        for member in self.archive.members() {
            match self
                .step(member)
                .with_context(|| format!("member `{}` cannot be unpacked", member.name))
            {
                Ok(step) => steps.push(step),
                // An error of an earlier member takes precedence.
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let written = write(&steps)?;
        if let Some(error) = refused {
            return Err(error);
        }
        self.note_absent();
        for (step, written) in steps.iter().zip(written) {
            self.oddities.extend(
                written
                    .oddity
                    .map(|kind| Oddity::new(&step.member.name, kind)),
            );
            self.files.extend(written.file);
        }
        let dist_info = self.texts.dist_info.clone();
        let distribution = dist_info.split('-').next().unwrap_or_default().to_owned();
        Ok(Contents {
            dist_info,
            distribution,
            files: self.files,
            oddities: Oddities::of(self.oddities),
        })
    }

    /// Records the paths that RECORD lists and the archive does not have.
    fn note_absent(&mut self) {
        let members = self
            .archive
            .members()
            .iter()
            .filter(|member| !member.is_directory());
        let seen: HashSet<&str> = members.map(|member| &*member.name).collect();
        let absent = self
            .rows
            .keys()
            .filter(|path| !seen.contains(path.as_str()));
        self.oddities
            .extend(absent.map(|path| Oddity::new(path, OddityKind::Absent)));
    }

    /// Decides the step for a member. A directory is installed only if it has files.
    fn step(&mut self, member: &'a Member) -> Result<Step<'a>> {
        let name = &*member.name;
        if member.is_directory() {
            Destination::of(name.trim_end_matches('/'), "\0")?;
        }
        let in_dist_info = name
            .strip_prefix(&self.texts.dist_info)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or_default();
        if member.is_directory() || INSTALLERS_OWN.contains(&in_dist_info) {
            return Ok(Step {
                member,
                row: Row::default(),
                kind: StepKind::Read,
            });
        }
        // The signatures of RECORD need no row.
        let is_signature = SIGNATURES.contains(&in_dist_info);
        let row = self.rows.get(name).cloned();
        if !is_signature && row.as_ref().is_none_or(|row| row.digest.is_none()) {
            let kind = if row.is_some() {
                OddityKind::NoDigest
            } else {
                OddityKind::Unlisted
            };
            self.oddities.push(Oddity::new(name, kind));
        }
        let row = row.unwrap_or_default();
        let destination = Destination::of(name, &self.data)?;
        let is_script = destination.scheme == Scheme::Scripts;
        // The script of an entry point replaces a shipped one with the same name, as with pip.
        let kind = if is_script && self.taken.contains(&destination) {
            StepKind::Script(None)
        } else {
            let path = self.claim(&destination)?;
            let file = NewFile { destination, path };
            if is_script {
                StepKind::Script(Some(file))
            } else {
                StepKind::File(file)
            }
        };
        Ok(Step { member, row, kind })
    }

    /// Writes the scripts of the wheel's entry points.
    fn entry_points(&mut self) -> Result<()> {
        let Some(text) = &self.texts.entry_points else {
            return Ok(());
        };
        let text = std::str::from_utf8(text).context("`entry_points.txt` is not UTF-8")?;
        for point in entry_points::parse(text)? {
            let destination = Destination {
                scheme: Scheme::Scripts,
                path: point.name.clone(),
            };
            let path = self.claim(&destination)?;
            self.files.push(write_own(
                &destination,
                &path,
                scripts::of_entry_point(&point).as_bytes(),
            )?);
        }
        Ok(())
    }

    /// Reserves a destination, creates its directory, and returns its path.
    fn claim(&mut self, destination: &Destination) -> Result<PathBuf> {
        ensure!(
            self.taken.insert(destination.clone()),
            "two members of the wheel have the destination `{}`",
            destination.path
        );
        let path = self
            .to
            .join(destination.scheme.directory())
            .join(&destination.path);
        if let Some(directory) = path.parent()
            && self.directories.insert(directory.to_path_buf())
        {
            fs::create_dir_all(directory, DIRECTORY_MODE)?;
        }
        // The names collide only if the file system folds them.
        let folded = (
            destination.scheme,
            archive::folded(&destination.path).into_owned(),
        );
        if let Some(other) = self.folded.insert(folded, destination.clone()) {
            let other_path = self.to.join(other.scheme.directory()).join(&other.path);
            ensure!(
                are_distinct(&other_path, &path)?,
                "`{}` and `{}` collide on this file system, which ignores case or Unicode form",
                other.path,
                destination.path
            );
        }
        Ok(path)
    }
}

/// Returns whether the file system distinguishes two names. The second has no file yet.
fn are_distinct(one: &Path, other: &Path) -> Result<bool> {
    let is_probe = !fs::exists(one);
    if is_probe {
        fs::write_new(one, b"", 0o600)?;
    }
    let are_distinct = !fs::exists(other);
    if is_probe {
        fs::remove_file(one)?;
    }
    Ok(are_distinct)
}
