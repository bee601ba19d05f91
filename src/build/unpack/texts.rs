//! The texts that are read from a wheel before its members are unpacked, and the directory that has
//! them.

use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};

use crate::plan::PlannedWheel;
use crate::wheel::{Archive, MemberReader, dist_info};

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
        let dist_info =
            dist_info::own_directory(archive, &wheel.name, &wheel.version, ".dist-info")?
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
