//! A wheel taken apart: its files in one directory for each data scheme, compared with its RECORD,
//! its scripts made movable.
//!
//! Of what an installer does to a wheel, this is all that does not depend on the environment; so it
//! is done once per machine. **What is unpacked is what was hashed.** Whoever may write to a wheel
//! may do so between any two looks at it; so its bytes are read once, into memory, and are hashed
//! and unpacked from there: all at once (here), or, of a large wheel, part by part (`parts`).

mod parts;
#[cfg(test)]
mod rewritten;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;

use super::archive::{self, Archive, InMemory, Member, MemberReader, Source};
use super::members::{Destination, Scheme};
use super::oddities::{Oddities, Oddity, OddityKind};
use super::record::{self, Row, Rows, Verified, Verifier};
use super::unpacked::{Contents, MANIFEST, UnpackedFile};
use super::venv::DIRECTORY_MODE;
use super::{entry_points, scripts};
use crate::fs::{self, Digest};
use crate::plan::PlannedWheel;
use crate::report::Failure;

/// What an installer writes itself, whatever the wheel ships under these names.
pub(super) const INSTALLERS_OWN: [&str; 3] = ["RECORD", "INSTALLER", "REQUESTED"];
/// The signatures of RECORD, which cannot be in it.
const SIGNATURES: [&str; 2] = ["RECORD.jws", "RECORD.p7s"];
/// What names the scripts that a wheel wants.
const ENTRY_POINTS: &str = "entry_points.txt";
/// How much is written at a time.
const BUFFER: usize = 256 * 1024;
/// How large what is read as a whole may be: RECORD, and scripts for python. Real ones are a tenth
/// of that.
const TEXT_LIMIT: u64 = 64 << 20;

/// Unpacks a wheel into the empty directory `to`. `advance` is told of the bytes of the wheel as
/// they are done.
///
/// The digest of the whole is found while members are unpacked; where it is another one, what was
/// unpacked goes unseen, and that is the error. So it is where the file is not a wheel that every
/// program unpacks alike.
pub(super) fn unpack(
    wheel: &PlannedWheel,
    to: &Path,
    advance: impl Fn(u64) + Send + Sync,
) -> Result<()> {
    let file = fs::open_regular(&wheel.path)?;
    let length = file.metadata().context("it cannot be read")?.len();
    let (found, contents) = if length > parts::LIMIT {
        parts::unpack(wheel, &file, to, &advance)?
    } else {
        let mut bytes = Vec::with_capacity(usize::try_from(length)? + 1);
        (&file)
            .take(length)
            .read_to_end(&mut bytes)
            .context("it cannot be read")?;
        let source = Source::memory(&bytes, 0);
        let take_apart = || {
            let archive = Archive::open(source)?;
            let texts = Texts::read(wheel, &archive)?;
            Unpacking::begin(wheel, &archive, &texts, to)?.run(|steps| {
                let written = steps.par_iter().map_init(InMemory::default, |whole, step| {
                    step.take_from(source, whole, &advance)
                });
                // The first failure in order, whichever came first.
                written.collect::<Vec<_>>().into_iter().collect()
            })
        };
        rayon::join(|| Digest::of(&bytes), take_apart)
    };
    if found != wheel.sha256 {
        return Err(Failure::new("it has changed since it was chosen")
            .because(format!("its sha256 was {}, and is {found}", wheel.sha256))
            .hint("run it again, when nobody writes to the wheel any more")
            .into());
    }
    fs::write_new(
        &to.join(MANIFEST),
        &fs::seal(&serde_json::to_vec(&contents?)?),
        0o444,
    )
}

/// What is read of a wheel before its members are unpacked.
struct Texts {
    dist_info: String,
    wheel: Vec<u8>,
    record: Vec<u8>,
    entry_points: Option<Vec<u8>>,
}

impl Texts {
    fn read(wheel: &PlannedWheel, archive: &Archive) -> Result<Self> {
        let dist_info = own_directory(wheel, archive, ".dist-info")?
            .context("it has no `.dist-info` directory")?;
        let read = |name: &str| read_member(archive, &format!("{dist_info}/{name}"));
        let has_entry_points = archive
            .member(&format!("{dist_info}/{ENTRY_POINTS}"))
            .is_some();
        let entry_points = has_entry_points.then(|| read(ENTRY_POINTS)).transpose()?;
        Ok(Self {
            wheel: read("WHEEL")?,
            record: read("RECORD")?,
            entry_points,
            dist_info,
        })
    }
}

/// One wheel being unpacked: first the place of each member is decided on, in the order of the
/// archive, then the members are written, on all processors.
struct Unpacking<'a> {
    archive: &'a Archive<'a>,
    texts: &'a Texts,
    to: &'a Path,
    data: String,
    rows: Rows,
    files: Vec<UnpackedFile>,
    /// What has been decided on.
    taken: HashSet<Destination>,
    /// The same by scheme and folded path: names that are one file where case and Unicode form do
    /// not count.
    folded: HashMap<(Scheme, String), Destination>,
    oddities: Vec<Oddity>,
    directories: HashSet<PathBuf>,
}

/// What is to be done with a member.
struct Step<'a> {
    member: &'a Member,
    row: Row,
    kind: StepKind,
}

enum StepKind {
    /// It is read, since what is wrong with it is wrong with the wheel, and not kept.
    Read,
    /// It becomes this file.
    File(Destination, PathBuf),
    /// It is a script, and becomes this file, if an entry point has not taken its place.
    Script(Option<(Destination, PathBuf)>),
}

impl<'a> Unpacking<'a> {
    fn begin(
        wheel: &PlannedWheel,
        archive: &'a Archive,
        texts: &'a Texts,
        to: &'a Path,
    ) -> Result<Self> {
        check_wheel_version(&texts.wheel)?;
        let (rows, oddities) = record::parse(&texts.record)?;
        let data = own_directory(wheel, archive, ".data")?
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

    /// Decides on each member, has `write` take the steps, and puts together what came of them, in
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
                // What is wrong with a member before this one comes first.
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

    /// Notes what RECORD lists and the archive does not have.
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

    /// Decides what becomes of a member; of a directory, nothing but the files in it is installed.
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
        // The script of an entry point takes the place of one that is shipped under its name, as
        // with pip.
        let kind = if is_script && self.taken.contains(&destination) {
            StepKind::Script(None)
        } else {
            let path = self.claim(&destination)?;
            if is_script {
                StepKind::Script(Some((destination, path)))
            } else {
                StepKind::File(destination, path)
            }
        };
        Ok(Step { member, row, kind })
    }

    /// Makes the scripts that the wheel's entry points ask for.
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

    /// The path of a destination that nothing else has, its directory made.
    fn claim(&mut self, destination: &Destination) -> Result<PathBuf> {
        ensure!(
            self.taken.insert(destination.clone()),
            "two members of the wheel are to be installed as `{}`",
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
        let folded = (
            destination.scheme,
            archive::folded(&destination.path).into_owned(),
        );
        if let Some(other) = self.folded.insert(folded, destination.clone()) {
            let other_path = self.to.join(other.scheme.directory()).join(&other.path);
            ensure!(
                are_apart(&other_path, &path)?,
                "`{}` and `{}` are one file on this file system, which ignores case or Unicode form",
                other.path,
                destination.path
            );
        }
        Ok(path)
    }
}

/// Whether the file system keeps two names apart, of which the second has no file yet.
fn are_apart(one: &Path, other: &Path) -> Result<bool> {
    let is_probe = !fs::exists(one);
    if is_probe {
        fs::write_new(one, b"", 0o600)?;
    }
    let are_apart = !fs::exists(other);
    if is_probe {
        fs::remove_file(one)?;
    }
    Ok(are_apart)
}

/// What came of a member.
#[derive(Default)]
struct Written {
    file: Option<UnpackedFile>,
    /// How RECORD disagrees with it.
    oddity: Option<OddityKind>,
}

impl Written {
    fn new(
        destination: &Destination,
        Verified {
            digest,
            size,
            oddity,
        }: Verified,
    ) -> Self {
        Self {
            file: Some(UnpackedFile {
                destination: destination.clone(),
                digest,
                size,
            }),
            oddity,
        }
    }
}

impl Step<'_> {
    /// Does it with the member's bytes in `source`, and says so.
    fn take_from(
        &self,
        source: Source,
        whole: &mut InMemory,
        advance: &impl Fn(u64),
    ) -> Result<Written> {
        let written = self.take(source, whole);
        advance(self.member.compressed);
        written.with_context(|| format!("member `{}` cannot be unpacked", self.member.name))
    }

    fn take(&self, source: Source, whole: &mut InMemory) -> Result<Written> {
        match &self.kind {
            StepKind::Read => {
                std::io::copy(&mut self.member.content(source), &mut std::io::sink())?;
                Ok(Written::default())
            }
            // Whatever system the archive says it was made on, as with pip.
            StepKind::File(destination, path) => self.file(
                (destination, path),
                self.member.is_executable(),
                source,
                whole,
            ),
            StepKind::Script(place) => self.script(place.as_ref(), source),
        }
    }

    /// Most members are small: read, inflated, hashed and written as a whole.
    fn file(
        &self,
        (destination, path): (&Destination, &Path),
        is_executable: bool,
        source: Source,
        whole: &mut InMemory,
    ) -> Result<Written> {
        let verified = match whole.read(source, self.member) {
            Some(content) => write(&self.row, path, is_executable, |sink| {
                sink.write_all(content)
            })?,
            None => write(&self.row, path, is_executable, |sink| {
                copy(self.member.content(source), sink)
            })?,
        };
        Ok(Written::new(destination, verified))
    }

    /// Unpacks a script: checked as it was shipped, kept as it must be to move. It is executable
    /// whatever the archive says.
    fn script(&self, place: Option<&(Destination, PathBuf)>, source: Source) -> Result<Written> {
        let mut content = self.member.content(source);
        let beginning = beginning(&mut content, scripts::SHIPPED.len())?;
        if let Some((destination, path)) = place
            && beginning != scripts::SHIPPED
        {
            let verified = write(&self.row, path, true, |sink| {
                copy(Cursor::new(beginning).chain(content), sink)
            })?;
            return Ok(Written::new(destination, verified));
        }
        let mut sink = Verifier::new(Vec::new(), &self.row);
        sink.write_all(&beginning)?;
        copy_text(content, &mut sink)?;
        let (content, Verified { oddity, .. }) = sink.finish(&self.row);
        let Some((destination, path)) = place else {
            return Ok(Written { file: None, oddity });
        };
        let content = scripts::of_shipped(&content).unwrap_or(content);
        Ok(Written {
            file: Some(write_own(destination, path, &content)?),
            oddity,
        })
    }
}

/// Writes an executable file of our own making.
fn write_own(destination: &Destination, path: &Path, content: &[u8]) -> Result<UnpackedFile> {
    let Verified { digest, size, .. } =
        write(&Row::default(), path, true, |sink| sink.write_all(content))?;
    Ok(UnpackedFile {
        destination: destination.clone(),
        digest,
        size,
    })
}

/// Writes a file, and compares it with its row of RECORD.
fn write(
    row: &Row,
    path: &Path,
    is_executable: bool,
    fill: impl FnOnce(&mut Verifier<File>) -> std::io::Result<()>,
) -> Result<Verified> {
    let mut sink = Verifier::new(
        fs::create_new(path, if is_executable { 0o555 } else { 0o444 })?,
        row,
    );
    fill(&mut sink).with_context(|| format!("cannot unpack it to `{}`", path.display()))?;
    Ok(sink.finish(row).1)
}

/// Copies a content of any size, with few calls of the system.
fn copy(mut content: impl Read, sink: &mut Verifier<File>) -> std::io::Result<()> {
    let mut buffer = BufWriter::with_capacity(BUFFER, sink);
    std::io::copy(&mut content, &mut buffer)?;
    // Dropping the buffer would swallow the error of the last write.
    buffer
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    Ok(())
}

/// The one directory at the top of the wheel with this ending, which must be named after its
/// project and version.
pub(super) fn own_directory(
    wheel: &PlannedWheel,
    archive: &Archive,
    ending: &str,
) -> Result<Option<String>> {
    let tops = archive
        .members()
        .iter()
        .filter_map(|member| member.name.split_once('/'));
    let mut directories: BTreeSet<String> = tops
        .map(|(directory, _)| directory)
        .filter(|directory| directory.ends_with(ending))
        .map(str::to_owned)
        .collect();
    if directories.len() > 1 {
        bail!(
            "it has more than one `{ending}` directory: {}",
            directories.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    let Some(directory) = directories.pop_first() else {
        return Ok(None);
    };
    let (project, version) = directory
        .trim_end_matches(ending)
        .split_once('-')
        .unwrap_or_default();
    let is_its_own = project
        .parse()
        .is_ok_and(|project: pep508_rs::PackageName| project == wheel.name)
        && version
            .replace('_', "-")
            .parse()
            .is_ok_and(|version: pep440_rs::Version| version == wheel.version);
    if !is_its_own {
        bail!(
            "`{directory}` is not the directory of `{}` {}",
            wheel.name,
            wheel.version
        );
    }
    Ok(Some(directory))
}

/// Refuses a format that is newer than the one that is known.
fn check_wheel_version(text: &[u8]) -> Result<()> {
    let (headers, _) =
        mailparse::parse_headers(text).context("its `WHEEL` is no block of headers")?;
    let version = mailparse::MailHeaderMap::get_first_value(&headers[..], "Wheel-Version")
        .unwrap_or_default();
    match version.split_once('.') {
        Some(("1", minor))
            if !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Ok(())
        }
        _ => bail!("its `Wheel-Version` is `{version}`, and 1.x is what is known"),
    }
}

/// A member as a whole.
pub(super) fn read_member(archive: &Archive, name: &str) -> Result<Vec<u8>> {
    let member = archive
        .member(name)
        .with_context(|| format!("it has no `{name}`"))?;
    let mut text = Vec::new();
    copy_text(archive.content(member), &mut text)
        .with_context(|| format!("member `{name}` cannot be read"))?;
    Ok(text)
}

/// Copies what has to fit into memory.
fn copy_text(content: MemberReader, sink: &mut impl Write) -> Result<()> {
    let copied = std::io::copy(&mut content.take(TEXT_LIMIT), sink)?;
    ensure!(
        copied < TEXT_LIMIT,
        "it is larger than {} MiB",
        TEXT_LIMIT >> 20
    );
    Ok(())
}

/// The first bytes of a content, as many as `length` where there are that many.
fn beginning(content: &mut MemberReader, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
