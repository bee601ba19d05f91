//! A wheel taken apart: its files in one folder for each data scheme, checked against its RECORD, its scripts made movable.
//!
//! Of what an installer does to a wheel, this is all that does not depend on the environment; so it is done once per machine.

use std::collections::{BTreeSet, HashSet};
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::members::{Destination, Scheme};
use super::record::{self, Row, Rows, Verified, Verifier};
use super::venv::FOLDER;
use super::{ambiguity, entry_points, scripts};
use crate::fs::{self, Digest};
use crate::plan::PlannedWheel;
use crate::report::Failure;

/// The list of an unpacked wheel's files.
const MANIFEST: &str = "wheel.json";
/// What an installer writes itself, whatever the wheel ships under these names.
const INSTALLERS_OWN: [&str; 3] = ["RECORD", "INSTALLER", "REQUESTED"];
/// The signatures of RECORD, which cannot be in it.
const SIGNATURES: [&str; 2] = ["RECORD.jws", "RECORD.p7s"];
/// How much is read and written at a time.
const BUFFER: usize = 256 * 1024;

/// An unpacked wheel in the store.
#[derive(Debug)]
pub(super) struct UnpackedWheel {
    /// Its folder.
    pub folder: PathBuf,
    /// The digest of the wheel file.
    pub sha256: Digest,
    /// What is in it.
    pub contents: Contents,
}

/// What is in an unpacked wheel.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The name of its `.dist-info` folder.
    pub dist_info: String,
    /// The name that its headers are installed under: the distribution's, as the wheel spells it.
    pub distribution: String,
    /// All its files but RECORD, in the order of the archive.
    pub files: Vec<UnpackedFile>,
}

/// A file of an unpacked wheel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UnpackedFile {
    /// Where it goes.
    pub destination: Destination,
    /// Its digest, as a column of RECORD.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

impl UnpackedWheel {
    /// Reads what is in the unpacked wheel in `folder`, and looks whether it is all there: a file that is missing or was cut short
    /// is noticed by its size.
    ///
    /// # Errors
    /// A file is not there, or has not the size that it had.
    pub fn load(folder: &Path, sha256: Digest) -> Result<Self> {
        let wheel = Self::read(folder, sha256)?;
        for file in &wheel.contents.files {
            let path = wheel.path(file);
            let size = fs::link_metadata(&path)?.map(|metadata| metadata.len());
            if size != Some(file.size) {
                bail!("`{}` is not what was unpacked", path.display());
            }
        }
        Ok(wheel)
    }

    /// Reads what is in the unpacked wheel in `folder`, and looks at none of it.
    pub fn read(folder: &Path, sha256: Digest) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let contents =
            serde_json::from_slice(&fs::read(&path)?).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Self { folder: folder.to_path_buf(), sha256, contents })
    }

    /// Where a file of it lies.
    pub fn path(&self, file: &UnpackedFile) -> PathBuf {
        self.folder.join(file.destination.scheme.folder()).join(&file.destination.path)
    }
}

/// Unpacks a wheel into the empty folder `to`. `advance` is told of the bytes of the wheel as they are done.
///
/// # Errors
/// The file is not the one that was planned, is no wheel, or its members are not what its RECORD says.
pub(super) fn unpack(wheel: &PlannedWheel, to: &Path, advance: impl FnMut(u64)) -> Result<()> {
    let mut file = fs::open(&wheel.path)?;
    let found = Digest::of_reader(&mut file, drop).context("it cannot be read")?;
    if found != wheel.sha256 {
        return Err(Failure::new("it has changed since it was chosen")
            .because(format!("its sha256 was {}, and is {found}", wheel.sha256))
            .hint("run it again, when nobody writes to the wheel any more")
            .into());
    }
    let reader = BufReader::with_capacity(BUFFER, file.try_clone().context("it cannot be read")?);
    let mut archive = ZipArchive::new(reader).context("it is no zip archive")?;
    ambiguity::refuse(&file, archive.central_directory_start(), archive.offset(), archive.len())?;
    let contents = Unpacking::begin(wheel, &mut archive, to)?.run(&mut archive, advance)?;
    fs::write_new(&to.join(MANIFEST), &serde_json::to_vec(&contents)?, 0o444)
}

/// One wheel being unpacked.
struct Unpacking<'a> {
    to: &'a Path,
    dist_info: String,
    data: String,
    rows: Rows,
    files: Vec<UnpackedFile>,
    taken: HashSet<Destination>,
    folders: HashSet<PathBuf>,
}

impl<'a> Unpacking<'a> {
    fn begin<R: Read + Seek>(wheel: &PlannedWheel, archive: &mut ZipArchive<R>, to: &'a Path) -> Result<Self> {
        let dist_info = own_folder(wheel, archive, ".dist-info")?.context("it has no `.dist-info` folder")?;
        check_wheel_version(&read_member(archive, &format!("{dist_info}/WHEEL"))?)?;
        let rows = record::parse(&read_member(archive, &format!("{dist_info}/RECORD"))?)?;
        let data = own_folder(wheel, archive, ".data")?.unwrap_or_else(|| dist_info.replace(".dist-info", ".data"));
        Ok(Self { to, dist_info, data, rows, files: Vec::new(), taken: HashSet::new(), folders: HashSet::new() })
    }

    fn run<R: Read + Seek>(mut self, archive: &mut ZipArchive<R>, mut advance: impl FnMut(u64)) -> Result<Contents> {
        self.entry_points(archive)?;
        let mut seen = HashSet::new();
        for index in 0..archive.len() {
            let mut member = archive.by_index(index).with_context(|| format!("member {index} cannot be read"))?;
            let name = member.name().context("the name of a member cannot be read")?.into_owned();
            if member.is_dir() {
                Destination::of(name.trim_end_matches('/'), "\0")?;
                continue;
            }
            self.member(&mut member, &name).with_context(|| format!("member `{name}` cannot be unpacked"))?;
            advance(member.compressed_size());
            seen.insert(name);
        }
        if let Some(missing) = self.rows.keys().filter(|path| !seen.contains(*path)).min() {
            bail!("RECORD lists `{missing}`, which is not in the archive");
        }
        let distribution = self.dist_info.split('-').next().unwrap_or_default().to_owned();
        Ok(Contents { dist_info: self.dist_info, distribution, files: self.files })
    }

    /// Unpacks one file.
    fn member<R: Read>(&mut self, member: &mut ZipFile<'_, R>, name: &str) -> Result<()> {
        if member.is_symlink() {
            bail!("it is a symbolic link");
        }
        let in_dist_info = name.strip_prefix(&self.dist_info).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
        if INSTALLERS_OWN.contains(&in_dist_info) {
            return Ok(());
        }
        let is_signature = SIGNATURES.contains(&in_dist_info);
        let row = match self.rows.get(name) {
            Some(row) if row.digest.is_some() || is_signature => row.clone(),
            Some(_) => bail!("RECORD has no digest for it"),
            None if is_signature => Row::default(),
            None => bail!("it is not in RECORD"),
        };
        let destination = Destination::of(name, &self.data)?;
        if destination.scheme == Scheme::Scripts {
            return self.script(member, name, &row, destination);
        }
        // Whatever system the archive says it was made on, as with pip.
        let is_executable = (member.external_attributes() >> 16) & 0o111 != 0;
        let path = self.claim(&destination)?;
        let file = BufWriter::with_capacity(BUFFER, fs::create_new(&path, if is_executable { 0o555 } else { 0o444 })?);
        let mut sink = Verifier::new(file, &row)?;
        std::io::copy(member, &mut sink).with_context(|| format!("cannot unpack it to `{}`", path.display()))?;
        let (file, verified) = sink.finish(name, &row)?;
        // Dropping the buffer would swallow the error of the last write.
        file.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        self.add(destination, verified);
        Ok(())
    }

    /// Unpacks a script: checked as it was shipped, kept as it must be to move. It is executable whatever the archive says.
    fn script<R: Read>(&mut self, member: &mut ZipFile<'_, R>, name: &str, row: &Row, destination: Destination) -> Result<()> {
        let mut sink = Verifier::new(Vec::new(), row)?;
        std::io::copy(member, &mut sink)?;
        let (content, _) = sink.finish(name, row)?;
        // The script of an entry point takes the place of one that is shipped under its name, as with pip.
        if self.taken.contains(&destination) {
            return Ok(());
        }
        let content = scripts::of_shipped(&content).unwrap_or(content);
        self.write(destination, &content)
    }

    /// Makes the scripts that the wheel's entry points ask for.
    fn entry_points<R: Read + Seek>(&mut self, archive: &mut ZipArchive<R>) -> Result<()> {
        let member = format!("{}/entry_points.txt", self.dist_info);
        if archive.index_for_name(&member).is_none() {
            return Ok(());
        }
        let text = String::from_utf8(read_member(archive, &member)?).context("`entry_points.txt` is not UTF-8")?;
        for point in entry_points::parse(&text)? {
            let destination = Destination { scheme: Scheme::Scripts, path: point.name.clone() };
            self.write(destination, scripts::of_entry_point(&point).as_bytes())?;
        }
        Ok(())
    }

    /// Writes an executable file of our own making.
    fn write(&mut self, destination: Destination, content: &[u8]) -> Result<()> {
        let mut sink = Verifier::new(Vec::new(), &Row::default())?;
        sink.write_all(content)?;
        let (content, verified) = sink.finish(&destination.path, &Row::default())?;
        let path = self.claim(&destination)?;
        fs::write_new(&path, &content, 0o555)?;
        self.add(destination, verified);
        Ok(())
    }

    /// The path of a destination that nothing has been written to, its folder made.
    fn claim(&mut self, destination: &Destination) -> Result<PathBuf> {
        if !self.taken.insert(destination.clone()) {
            bail!("two members of the wheel are to be installed as `{}`", destination.path);
        }
        let path = self.to.join(destination.scheme.folder()).join(&destination.path);
        if let Some(folder) = path.parent()
            && self.folders.insert(folder.to_path_buf())
        {
            fs::create_dir_all(folder, FOLDER)?;
        }
        Ok(path)
    }

    fn add(&mut self, destination: Destination, verified: Verified) {
        self.files.push(UnpackedFile { destination, digest: verified.digest, size: verified.size });
    }
}

/// The one folder at the top of the wheel with this ending, which must be named after its project and version.
fn own_folder<R: Read + Seek>(wheel: &PlannedWheel, archive: &ZipArchive<R>, ending: &str) -> Result<Option<String>> {
    let mut folders = BTreeSet::new();
    for name in archive.file_names() {
        let name = name.context("the name of a member cannot be read")?;
        if let Some((folder, _)) = name.split_once('/')
            && folder.ends_with(ending)
        {
            folders.insert(folder.to_owned());
        }
    }
    if folders.len() > 1 {
        bail!("it has more than one `{ending}` folder: {}", folders.into_iter().collect::<Vec<_>>().join(", "));
    }
    let Some(folder) = folders.pop_first() else { return Ok(None) };
    let (project, version) = folder.trim_end_matches(ending).split_once('-').unwrap_or_default();
    let is_its_own = project.parse().is_ok_and(|project: pep508_rs::PackageName| project == wheel.name)
        && version.replace('_', "-").parse().is_ok_and(|version: pep440_rs::Version| version == wheel.version);
    if !is_its_own {
        bail!("`{folder}` is not the folder of `{}` {}", wheel.name, wheel.version);
    }
    Ok(Some(folder))
}

/// Refuses a format that is newer than the one that is known.
fn check_wheel_version(text: &[u8]) -> Result<()> {
    let (headers, _) = mailparse::parse_headers(text).context("its `WHEEL` is no block of headers")?;
    let version = mailparse::MailHeaderMap::get_first_value(&headers[..], "Wheel-Version").unwrap_or_default();
    match version.split('.').next() {
        Some("1") => Ok(()),
        _ => bail!("its `Wheel-Version` is `{version}`, and 1.x is what is known"),
    }
}

fn read_member<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut member = archive.by_name(name).with_context(|| format!("it has no `{name}`"))?;
    member.read_to_end(&mut content).with_context(|| format!("member `{name}` cannot be read"))?;
    Ok(content)
}
