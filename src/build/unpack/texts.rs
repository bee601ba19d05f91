//! The texts that are read from a wheel before its members are unpacked, and the directory that has
//! them.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};

use crate::build::archive::{Archive, MemberReader};
use crate::plan::PlannedWheel;

/// The file that declares the scripts of a wheel.
pub(super) const ENTRY_POINTS: &str = "entry_points.txt";
/// Upper bound for members read into memory: RECORD, and scripts for python. Real ones are at most
/// a tenth of that.
const TEXT_LIMIT: u64 = 64 << 20;

/// The texts that are read from a wheel before its members are unpacked.
pub(super) struct Texts {
    pub(super) dist_info: String,
    pub(super) wheel: Vec<u8>,
    pub(super) record: Vec<u8>,
    pub(super) entry_points: Option<Vec<u8>>,
}

impl Texts {
    pub(super) fn read(wheel: &PlannedWheel, archive: &Archive) -> Result<Self> {
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

/// Returns the only top-level directory of the wheel with this ending, whose name must consist of
/// the wheel's project and version.
pub(in crate::build) fn own_directory(
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
    // Compare project and version in normalized form.
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

/// Rejects an unsupported major version of the wheel format.
pub(super) fn check_wheel_version(text: &[u8]) -> Result<()> {
    let (headers, _) =
        mailparse::parse_headers(text).context("its `WHEEL` file is not a block of headers")?;
    let version = mailparse::MailHeaderMap::get_first_value(&headers[..], "Wheel-Version")
        .unwrap_or_default();
    match version.split_once('.') {
        Some(("1", minor))
            if !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Ok(())
        }
        _ => bail!("its `Wheel-Version` is `{version}`, but only 1.x is supported"),
    }
}

/// Reads a member into memory.
pub(in crate::build) fn read_member(archive: &Archive, name: &str) -> Result<Vec<u8>> {
    let member = archive
        .member(name)
        .with_context(|| format!("it has no `{name}`"))?;
    let mut text = Vec::new();
    copy_text(archive.content(member), &mut text)
        .with_context(|| format!("member `{name}` cannot be read"))?;
    Ok(text)
}

/// Copies content that must fit into memory.
pub(super) fn copy_text(content: MemberReader, sink: &mut impl Write) -> Result<()> {
    let copied = std::io::copy(&mut content.take(TEXT_LIMIT), sink)?;
    ensure!(
        copied < TEXT_LIMIT,
        "it is larger than {} MiB",
        TEXT_LIMIT >> 20
    );
    Ok(())
}
