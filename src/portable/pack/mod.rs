//! Packs an environment into an archive or a package.
//!
//! The input is a directory in which vpython has built the environment for this purpose. Only the
//! bytes of its files matter: member order, owners, times, permission bits and compression are
//! fixed, so that the same plan always produces the same file. vpython needs neither superuser
//! rights nor `tar`, `rpmbuild` or `dpkg`; only an image for mounting needs `mksquashfs`.

mod contents;
mod deb;
mod depends;
mod home;
pub(crate) mod image;
mod order;
mod package;
mod rpm;
mod rules;
mod scan;
mod squashfs;
mod tar;
mod zip;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};

pub use order::{Order, has_suffix_of_image};

use super::audit::{Audit, AuditContext};
use crate::build::Sharing;
use crate::fs::{self, Digest, StagedDir};
use crate::interpreter::Facts;
use crate::packed::manifest::PackManifest;
use crate::packed::member::Member;
use crate::plan::{Key, Plan};
use crate::portable::standalone::{Standalone, StandaloneRequest};
use crate::process::Process;
use crate::report::{self, Failure};
use contents::Contents;
use image::Sources;
use order::Archive;

/// The permission bits of the archive file.
const MODE: u32 = 0o644;
/// The size of the write buffer in bytes.
const BUFFER: usize = 1 << 16;

/// Builds the environment next to the output file, packs it, and removes it. Returns the digest of
/// an image that was sent to a registry.
///
/// # Errors
/// Returns an error if the environment cannot be built, if something in it cannot be packed, or if
/// the file cannot be written. The output file is then unchanged. A registry that refuses a part of
/// an image does not get its manifest.
pub fn pack(order: &Order, environment: &Standalone, process: &Process) -> Result<Option<Digest>> {
    let sources = match &order.archive {
        Archive::Image(request) => Sources::open(request, environment)?,
        _ => Sources::default(),
    };
    let temporary = order
        .is_pushed()
        .then(fs::create_temporary_dir)
        .transpose()?;
    let output = temporary
        .as_ref()
        .map(|temporary| temporary.path().join("image"));
    let output = output.as_ref().unwrap_or(&order.output);
    let request = StandaloneRequest::pack(&order.additions, output, environment)?;
    let staged = StagedDir::beside(&order.environment_place(output))?;
    request.build(environment, Sharing::Linked, staged.path())?;
    request.compile(environment, staged.path())?;
    let members = members(order, environment, process, staged.path());
    let contents = members
        .and_then(|members| contents(order, &environment.plan, staged.path(), members))
        .with_context(|| format!("cannot pack `{}`", order.output.display()))?;
    write(
        order,
        &sources,
        &contents,
        &environment.plan.interpreter,
        output,
    )
}

/// Returns the members of the environment in the directory `staged`, after warning of paths that do
/// not work on other machines, or fixing them.
fn members(
    order: &Order,
    environment: &Standalone,
    process: &Process,
    staged: &Path,
) -> Result<Vec<Member>> {
    let members = scan::members(staged)?;
    let context = AuditContext {
        staged,
        prefix: order.prefix.as_deref().map(Path::new),
        private: [
            Some(environment.store_root()),
            process.home(),
            process.directory.as_deref(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        interpreter: &environment.plan.interpreter,
        with_python: order.additions.with_python,
    };
    let mut audit = Audit::of(&members, &context)?;
    let is_fixed = order.fix_rpath && audit.fix(&members, staged)?;
    audit.warn();
    if !order.fix_rpath && audit.is_fixable() {
        report::notice("`--fix-rpath` rewrites these run paths");
    }
    if !order.additions.with_python {
        home::warn_if_private(&environment.plan.interpreter.executable, process.home());
    }
    // Fixing a run path changes digests, so the members are scanned again.
    if is_fixed {
        scan::members(staged)
    } else {
        Ok(members)
    }
}

/// Returns the members with the manifest that describes them.
fn contents(order: &Order, plan: &Plan, staged: &Path, members: Vec<Member>) -> Result<Contents> {
    let mut manifest = PackManifest::of(plan, &Key::of(plan), members)?;
    manifest.prefix.clone_from(&order.prefix);
    manifest.name = order.archive.package().map(|package| package.name.clone());
    Contents::new(staged.to_path_buf(), manifest, order.time)
}

/// Returns the members of a directory.
pub(super) fn members_of(directory: &Path) -> Result<Vec<Member>> {
    scan::members(directory)
}

/// Writes a directory as a layer in Zstandard, with its manifest as the first member. Returns its
/// digest before compression.
pub(super) fn write_layer(
    directory: &Path,
    manifest: PackManifest,
    time: u32,
    to: &mut dyn Write,
) -> Result<Digest> {
    let contents = Contents::new(directory.to_path_buf(), manifest, time)?;
    tar::layer(&contents, to)
}

/// Returns the modification time of all members, in seconds since 1970.
pub(super) fn time(process: &Process) -> Result<u32> {
    order::time(process).map_err(|why| Failure::new(why).into())
}

/// Shows a time as the configuration of an image does.
pub(super) fn shown_time(time: u32) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(time.into());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Writes the output, and returns the digest of an image that was sent to a registry.
fn write(
    order: &Order,
    sources: &Sources,
    contents: &Contents,
    interpreter: &Facts,
    output: &Path,
) -> Result<Option<Digest>> {
    let machine = interpreter.linux_machine().unwrap_or(&interpreter.platform);
    match &order.archive {
        Archive::Tar(compression) => replace(output, |file| {
            buffered(file, |file| tar::write(contents, *compression, file))
        }),
        Archive::Zip => replace(output, |file| {
            buffered(file, |file| zip::write(contents, file))
        }),
        Archive::Squashfs(mksquashfs) => {
            replace(output, |file| squashfs::write(contents, mksquashfs, file))
        }
        Archive::Deb(package) => replace(output, |file| {
            buffered(file, |file| deb::write(contents, package, machine, file))
        }),
        Archive::Rpm(package) => {
            replace(output, |file| rpm::write(contents, package, machine, file))
        }
        Archive::Image(request) => {
            return image::write(request, sources, contents, interpreter, output);
        }
    }?;
    Ok(None)
}

/// Replaces the output file.
fn replace(output: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    fs::replace_by(output, MODE, write)
}

/// Writes to a file through a large buffer.
fn buffered(
    file: &mut File,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    let mut file = BufWriter::with_capacity(BUFFER, file);
    write(&mut file)?;
    file.flush().context("cannot write to the disk")
}
