//! Making environments from plans: the cold path's work, and never reached on the warm one.
//!
//! A wheel is unpacked and checked once per machine (`unpack`); an environment is a skeleton
//! (`venv`) into which the unpacked wheels are linked (`install`). Nothing that is written names
//! the place where it is written.

mod activate;
mod archive;
mod byte_code;
mod check;
mod collisions;
mod entry_points;
mod foresight;
mod install;
mod link;
mod members;
mod oddities;
mod record;
mod scripts;
mod unpack;
mod unpacked;
mod venv;
mod workers;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use tracing::{debug, info, info_span};

use crate::fs;
use crate::plan::{Plan, PlannedWheel};
use crate::process::Process;
use crate::report::Progress;
use crate::store::{InstalledWheel, MANIFEST, Manifest, Store};
use byte_code::CompileContext;
use install::{Layout, Places};
use link::Linker;
use unpacked::UnpackedWheel;

pub use byte_code::add as add_byte_code;
pub use byte_code::compile_directory;
pub use check::check;
pub use foresight::foreseen;

/// Builds the environment of a plan in the empty directory `staging`. Wheels that the store does
/// not have yet are unpacked there first, on all processors. Gives what the caller should know of
/// the wheels, a sentence each.
///
/// # Errors
/// A wheel is not to be had or not what it should be, or has a file that no wheel may bring; the
/// disk refuses.
pub fn environment(plan: &Plan, store: &Store, staging: &Path) -> Result<Vec<String>> {
    build(plan, store, &Linker::default(), staging).map(|(_, warnings)| warnings)
}

/// What [`environment`] said of the environment that stands at `path`; nothing where it or one of
/// its wheels cannot be read.
#[must_use]
pub fn warnings(path: &Path, store: &Store) -> Vec<String> {
    let Some(manifest) = fs::read_json::<Manifest>(&path.join(MANIFEST)) else {
        return Vec::new();
    };
    let read = |wheel: &InstalledWheel| {
        UnpackedWheel::read(&store.unpacked_wheel(&wheel.sha256), wheel.sha256).ok()
    };
    let Some(wheels) = manifest.wheels.iter().map(read).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let names = manifest.wheels.iter().map(|wheel| wheel.file_name.clone());
    let places = Layout::of_manifest(&manifest).and_then(|layout| {
        Ok(warnings_of(
            names,
            &wheels,
            &Places::decide(&layout, &wheels)?,
        ))
    });
    places.unwrap_or_default()
}

/// What there is to say of wheels, each with its file's name, in the environment with these places.
fn warnings_of(
    names: impl Iterator<Item = String>,
    wheels: &[UnpackedWheel],
    places: &Places,
) -> Vec<String> {
    let of_records = wheels
        .iter()
        .zip(names)
        .filter_map(|(wheel, name)| wheel.contents.oddities.warning(&name));
    of_records
        .chain(collisions::warnings(&places.collisions))
        .collect()
}

/// How the files of an environment that leaves the store are related to the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// They are the same files, where the file system has a way to share them.
    Linked,
    /// They are files of their own.
    Copied,
}

/// Builds the environment of a plan in the empty directory `staging`, byte code included, to be
/// kept outside the store. Gives what [`environment`] gives.
///
/// # Errors
/// Those of [`environment`]; those of [`add_byte_code`].
pub fn standalone(
    plan: &Plan,
    store: &Store,
    sharing: Sharing,
    process: &Process,
    staging: &Path,
) -> Result<Vec<String>> {
    let linker = match sharing {
        Sharing::Linked => Linker::default(),
        Sharing::Copied => Linker::copying(),
    };
    let (wheels, warnings) = build(plan, store, &linker, staging)?;
    byte_code::add_to_staged(
        staging,
        &plan.interpreter,
        &wheels,
        &CompileContext {
            store,
            process,
            linker: &linker,
        },
    )?;
    Ok(warnings)
}

fn build(
    plan: &Plan,
    store: &Store,
    linker: &Linker,
    staging: &Path,
) -> Result<(Vec<UnpackedWheel>, Vec<String>)> {
    if let Some(failure) = &plan.unavailable {
        return Err(failure.clone().into());
    }
    let s = if plan.wheels.len() == 1 { "" } else { "s" };
    info!("building the environment of {} wheel{s}", plan.wheels.len());
    let _umask = fs::PlainUmask::set();
    let progress = Progress::start(
        "unpacking the wheels",
        plan.wheels.iter().map(|wheel| wheel.size).sum(),
    );
    let mut largest_first: Vec<&PlannedWheel> = plan.wheels.iter().collect();
    largest_first.sort_by(|one, other| {
        other
            .size
            .cmp(&one.size)
            .then_with(|| one.name.cmp(&other.name))
    });
    let news = AtomicUsize::new(0);
    let mut wheels = workers::in_order(&largest_first, |wheel| {
        unpacked(wheel, store, &progress, &news)
    })?;
    let news = news.into_inner();
    if !wheels.is_empty() {
        info!(
            "wheels unpacked now: {news}, unpacked before: {}",
            wheels.len() - news
        );
    }
    // In the plan's order, whatever was unpacked first.
    wheels.sort_by_key(|unpacked| {
        plan.wheels
            .iter()
            .position(|wheel| wheel.sha256 == unpacked.sha256)
    });
    let file_name = |wheel: &UnpackedWheel| {
        let planned = plan
            .wheels
            .iter()
            .find(|planned| planned.sha256 == wheel.sha256);
        planned.map(PlannedWheel::file_name).unwrap_or_default()
    };
    if plan.strict
        && let Some(failure) = wheels
            .iter()
            .find_map(|wheel| wheel.contents.oddities.refusal(&file_name(wheel)))
    {
        return Err(failure.into());
    }
    venv::lay_out(&plan.interpreter, plan.system_packages, staging)?;
    let places = Places::decide(&Layout::of(&plan.interpreter), &wheels)?;
    info_span!("install").in_scope(|| install::install(plan, &wheels, &places, linker, staging))?;
    let warnings = warnings_of(wheels.iter().map(file_name), &wheels, &places);
    if plan.interpreter.is_python2() {
        byte_code::compile_modules(
            &staging.join(&plan.interpreter.site_packages),
            &plan.interpreter.executable,
        )?;
    }
    Ok((wheels, warnings))
}

/// Unpacks a wheel into the empty directory `to`, as it is done on the way to an environment.
///
/// # Errors
/// The file is not the one that was planned, or is no wheel that every installer reads alike.
pub fn unpack(wheel: &PlannedWheel, to: &Path) -> Result<()> {
    unpack::unpack(wheel, to, drop)
}

/// The unpacked wheel, from the store or made now, which is counted among the `news`.
fn unpacked(
    wheel: &PlannedWheel,
    store: &Store,
    progress: &Progress,
    news: &AtomicUsize,
) -> Result<UnpackedWheel> {
    let part = progress.part(wheel.size);
    let unpack = |staging: &Path| {
        news.fetch_add(1, Ordering::Relaxed);
        debug!(wheel = %wheel.path.display(), "unpacking the wheel");
        let _unpacking = info_span!("unpack", wheel = %wheel.name, bytes = wheel.size).entered();
        unpack::unpack(wheel, staging, |bytes| part.advance(bytes))
            .with_context(|| format!("cannot unpack `{}`", wheel.path.display()))
    };
    store.wheel((&wheel.sha256, &wheel.path), unpack, |directory| {
        UnpackedWheel::load(directory, wheel.sha256)
    })
}
