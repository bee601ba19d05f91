//! `-vpython-tool pack`: an environment becomes an archive or a package.
//!
//! What is packed is a directory in which the environment was built for this alone. Its bytes are
//! all that counts: order, owners, times, permission bits and compression are the same everywhere,
//! so that the same plan is the same file. Nothing but this program is needed, neither the
//! superuser nor `tar`, `rpmbuild` or `dpkg`.

mod contents;
mod deb;
mod depends;
mod home;
mod order;
mod package;
mod rpm;
mod rules;
mod scan;
mod tar;
mod zip;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

pub use order::Order;

use super::additions::{Standalone, StandaloneRequest};
use super::audit::{Audit, Surroundings};
use super::pack_manifest::{Member, PackManifest};
use crate::build::Sharing;
use crate::fs::{self, StagedDir};
use crate::invocation::{Invocation, Pack};
use crate::plan::{Key, Plan};
use crate::process::Process;
use crate::report;
use contents::Contents;
use order::Archive;

/// The permission bits of an archive.
const MODE: u32 = 0o644;
/// How much is written at a time.
const BUFFER: usize = 1 << 16;

/// Builds the environment beside the file, packs it, and removes it. Gives the exit code.
///
/// # Errors
/// It cannot be built, or something in it cannot be packed; the file cannot be written. Then the
/// file is what it was before.
pub fn run(options: &Pack, invocation: &Invocation, process: &Process) -> Result<i32> {
    // A mistake in the options is reported before anything is built.
    let order = &Order::read(options, process)?;
    let environment = &Standalone::decide(invocation, process)?;
    let request = StandaloneRequest::pack(&order.additions, &order.output, environment)?;
    let staged = StagedDir::beside(&order.output)?;
    request.build(environment, Sharing::Linked, staged.path())?;
    request.compile(environment, staged.path())?;
    let members = members(order, environment, process, staged.path());
    let contents = members
        .and_then(|members| contents(order, &environment.plan, staged.path(), members))
        .with_context(|| format!("cannot pack `{}`", order.output.display()))?;
    write(order, &contents, &environment.plan.interpreter.platform)?;
    Ok(0)
}

/// What of the environment that stands in the directory `staged` goes into the file. What would not
/// be at home elsewhere is told, or mended.
fn members(
    order: &Order,
    environment: &Standalone,
    process: &Process,
    staged: &Path,
) -> Result<Vec<Member>> {
    let members = scan::members(staged)?;
    let surroundings = Surroundings {
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
    let mut audit = Audit::of(&members, &surroundings)?;
    let is_mended = order.fix_rpath && audit.mend(&members, staged)?;
    audit.tell();
    if !order.fix_rpath && audit.can_be_mended() {
        report::notice("with `--fix-rpath`, run paths are mended");
    }
    if !order.additions.with_python {
        home::tell(&environment.plan.interpreter.executable, process.home());
    }
    if is_mended {
        scan::members(staged)
    } else {
        Ok(members)
    }
}

/// The members and what is said of them.
fn contents(order: &Order, plan: &Plan, staged: &Path, members: Vec<Member>) -> Result<Contents> {
    let mut listing = PackManifest::of(plan, &Key::of(plan), members)?;
    listing.prefix.clone_from(&order.prefix);
    listing.name = order.archive.package().map(|package| package.name.clone());
    Contents::new(staged.to_path_buf(), listing, order.time)
}

/// Writes the file for interpreters of this platform.
fn write(order: &Order, contents: &Contents, platform: &str) -> Result<()> {
    fs::replace_by(&order.output, MODE, |file| match &order.archive {
        Archive::Tar(compression) => {
            buffered(file, |file| tar::write(contents, *compression, file))
        }
        Archive::Zip => buffered(file, |file| zip::write(contents, file)),
        Archive::Deb(package) => {
            buffered(file, |file| deb::write(contents, package, platform, file))
        }
        Archive::Rpm(package) => rpm::write(contents, package, platform, file),
    })
}

/// Writes to a file in large pieces.
fn buffered(
    file: &mut File,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    let mut file = BufWriter::with_capacity(BUFFER, file);
    write(&mut file)?;
    file.flush().context("cannot write to the disk")
}
