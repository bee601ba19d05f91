//! Predicting the collisions of wheels in an environment that is not built yet, from the listings
//! of their archives, without unpacking.

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::collisions;
use super::install::{Layout, Places};
use super::scripts;
use super::unpack::{INSTALLERS_OWN, read_member};
use super::unpacked::{Contents, UnpackedFile, UnpackedWheel};
use crate::fs::{self, Digest};
use crate::plan::{Plan, PlannedWheel};
use crate::wheel::oddities::Oddities;
use crate::wheel::scheme::{Destination, Scheme};
use crate::wheel::{Archive, Source, dist_info, entry_points};

/// Returns the warnings about collisions that a build of this plan will give; none if a wheel
/// cannot be read, which only a build reports.
#[must_use]
pub fn foreseen(plan: &Plan) -> Vec<String> {
    let listed = plan
        .wheels
        .par_iter()
        .map(list)
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<Vec<_>>>();
    let warnings = listed.and_then(|wheels| {
        // METADATA decides which of two colliding wheels requires the other.
        let metadata = |wheel: &UnpackedWheel| {
            let file = fs::open(&wheel.directory)?;
            read_member(
                &Archive::open(Source::file(&file)?)?,
                &format!("{}/METADATA", wheel.contents.dist_info),
            )
        };
        let places = Places::decide_by(&Layout::of(&plan.interpreter), &wheels, &metadata)?;
        Ok(collisions::warnings(&places.collisions))
    });
    warnings.unwrap_or_default()
}

/// Lists the files that would be unpacked from a wheel. Size and CRC-32 replace the digest of a
/// file, and the wheel's own path replaces its directory.
fn list(wheel: &PlannedWheel) -> Result<UnpackedWheel> {
    let file = fs::open_regular(&wheel.path)?;
    let archive = Archive::open(Source::file(&file)?)?;
    let own_directory =
        |ending| dist_info::own_directory(&archive, &wheel.name, &wheel.version, ending);
    let dist_info = own_directory(".dist-info")?.context("it has no `.dist-info` directory")?;
    let data = own_directory(".data")?.unwrap_or_else(|| dist_info.replace(".dist-info", ".data"));
    let mut files = scripts_of_entry_points(&archive, &dist_info)?;
    for member in archive
        .members()
        .iter()
        .filter(|member| !member.is_directory())
    {
        let in_dist_info = member
            .name
            .strip_prefix(&dist_info)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or_default();
        if INSTALLERS_OWN.contains(&in_dist_info) {
            continue;
        }
        let destination = Destination::of(&member.name, &data)?;
        // The script of an entry point replaces a shipped one with the same name.
        if destination.scheme != Scheme::Scripts
            || files.iter().all(|file| file.destination != destination)
        {
            files.push(UnpackedFile {
                destination,
                digest: format!("{} {:08x}", member.size, member.crc()),
                size: member.size,
            });
        }
    }
    let distribution = dist_info.split('-').next().unwrap_or_default().to_owned();
    let contents = Contents {
        dist_info,
        distribution,
        files,
        oddities: Oddities::default(),
    };
    Ok(UnpackedWheel {
        directory: wheel.path.clone(),
        sha256: wheel.sha256,
        contents,
    })
}

/// Returns the scripts that a build creates for a wheel.
fn scripts_of_entry_points(archive: &Archive, dist_info: &str) -> Result<Vec<UnpackedFile>> {
    let member = format!("{dist_info}/entry_points.txt");
    if archive.member(&member).is_none() {
        return Ok(Vec::new());
    }
    let text = String::from_utf8(read_member(archive, &member)?)?;
    let points = entry_points::parse(&text)?;
    // A build generates the same content, so its digest is known without unpacking.
    let script = |point: entry_points::EntryPoint| {
        let content = scripts::of_entry_point(&point);
        let digest = Digest::of(content.as_bytes()).to_string();
        let destination = Destination {
            scheme: Scheme::Scripts,
            path: point.name,
        };
        UnpackedFile {
            destination,
            digest,
            size: content.len() as u64,
        }
    };
    Ok(points.into_iter().map(script).collect())
}
