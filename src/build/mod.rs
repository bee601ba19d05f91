//! Building environments from plans. Only a cold launch gets here.
//!
//! A wheel is unpacked and checked once per machine (`unpack`). An environment is a skeleton
//! (`venv`) into which the unpacked wheels are linked (`install`). No written file contains the
//! path of the staging directory.

mod activate;
mod built;
mod byte_code;
mod check;
mod collisions;
mod direct_scripts;
mod fetch;
mod foresight;
mod import;
mod install;
mod link;
mod python;
mod scripts;
mod trusted;
mod unpack;
mod unpacked;
mod venv;
mod workers;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use tracing::{debug, info, info_span};

use crate::fs::{self, Digest};
use crate::plan::{Plan, PlannedWheel, Unavailable};
use crate::process::Process;
use crate::report::Progress;
use crate::store::{InstalledWheel, MANIFEST, Manifest, Store};
use byte_code::CompileContext;
use install::{Layout, Places};
use link::Linker;
use unpacked::{Contents, UnpackedWheel};

pub use built::{BuiltWheel, built_wheels};
pub use byte_code::add as add_byte_code;
pub use byte_code::compile_directory;
pub use byte_code::{Ahead, Imports, Program};
pub use check::check;
pub use direct_scripts::rewrite_scripts;
pub use fetch::{Fetched, fetch};
pub use foresight::foreseen;
pub use python::{WantedPython, check_python, loader_of, python};
pub use trusted::Trusted;

/// What is compiled while an environment is built.
#[derive(Clone, Copy)]
pub enum Compile<'a> {
    /// All wheels.
    Wheels(&'a Ahead<'a>),
    /// What a program imports.
    Imports(&'a Imports),
    /// Nothing.
    Nothing,
}

impl Compile<'_> {
    /// Hands over a wheel that is unpacked.
    fn add(self, wheel: &UnpackedWheel) {
        match self {
            Self::Wheels(ahead) => ahead.add(wheel),
            Self::Imports(imports) => imports.add(wheel),
            Self::Nothing => {}
        }
    }
}

/// Builds the environment of a plan in the empty directory `staging`. It first unpacks the wheels
/// that the store does not have yet, on all processors. `fetched` are those that [`fetch()`] has
/// unpacked. Returns warnings about the wheels, a sentence each.
///
/// # Errors
/// A wheel is unavailable or invalid, or has a file that wheels must not have; writing fails.
pub fn environment(
    plan: &Plan,
    store: &Store,
    fetched: Fetched,
    compile: Compile,
    staging: &Path,
) -> Result<Vec<String>> {
    let _umask = fs::PlainUmask::set();
    let wheels = unpack_all(plan, store, fetched, compile)?;
    let linker = Linker::default();
    let (places, warnings) = build(plan, &wheels, &linker, staging)?;
    let interpreter = &plan.interpreter;
    let is_compiled = byte_code::add_known(interpreter, &wheels, &places, &linker, staging)?;
    if let Compile::Imports(imports) = compile
        && !is_compiled
    {
        imports.add_to(staging, interpreter)?;
    }
    Ok(warnings)
}

/// Returns the warnings that [`environment`] returned for the environment at `path`; none if the
/// environment or one of its wheels cannot be read.
#[must_use]
pub fn warnings(path: &Path, store: &Store) -> Vec<String> {
    let Some(manifest) = fs::read_json::<Manifest>(&path.join(MANIFEST)) else {
        return Vec::new();
    };
    let read = |wheel: &InstalledWheel| UnpackedWheel::read_anywhere(store, wheel.sha256).ok();
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

/// Returns the warnings about wheels, each with its file name, in an environment with these places.
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

/// How the files of an environment outside the store relate to those of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// They share the store's data, if the file system supports it.
    Linked,
    /// They are independent copies.
    Copied,
}

/// The unpacked wheels of a plan, in its order.
pub struct Unpacked(Vec<UnpackedWheel>);

/// Unpacks the wheels of a plan that the store does not have yet, on all processors. `fetched` are
/// those that [`fetch()`] has unpacked.
///
/// # Errors
/// A wheel is unavailable or invalid, or has a file that wheels must not have; writing fails.
pub fn unpack_wheels(
    plan: &Plan,
    store: &Store,
    fetched: Fetched,
    compile: Compile,
) -> Result<Unpacked> {
    unpack_all(plan, store, fetched, compile).map(Unpacked)
}

/// Builds the environment of a plan in the empty directory `staging`, byte code included, for use
/// outside the store. Returns the same warnings as [`environment`].
///
/// # Errors
/// Those of [`environment`]; those of [`add_byte_code`].
pub fn standalone(
    plan: &Plan,
    Unpacked(wheels): &Unpacked,
    store: &Store,
    sharing: Sharing,
    process: &Process,
    staging: &Path,
) -> Result<Vec<String>> {
    let linker = match sharing {
        Sharing::Linked => Linker::default(),
        Sharing::Copied => Linker::copying(),
    };
    let (_, warnings) = build(plan, wheels, &linker, staging)?;
    byte_code::add_to_staged(
        staging,
        &plan.interpreter,
        wheels,
        &CompileContext {
            store,
            process,
            linker: &linker,
        },
    )?;
    Ok(warnings)
}

/// Checks that each wheel of a plan has a file, or that the store or a shared root has it unpacked.
///
/// # Errors
/// A wheel is available in neither form.
pub fn check_availability(plan: &Plan, store: &Store) -> Result<()> {
    match &plan.unavailable {
        Some(Unavailable { failure, wheels })
            if !wheels
                .iter()
                .all(|sha256| UnpackedWheel::exists(store, *sha256)) =>
        {
            Err(failure.clone().into())
        }
        _ => Ok(()),
    }
}

/// Returns the unpacked wheels of a plan, in its order. Those that are neither fetched nor in the
/// store or a shared root are unpacked on all processors.
fn unpack_all(
    plan: &Plan,
    store: &Store,
    fetched: Fetched,
    compile: Compile,
) -> Result<Vec<UnpackedWheel>> {
    check_availability(plan, store)?;
    let s = if plan.wheels.len() == 1 { "" } else { "s" };
    info!(
        "building an environment with {} wheel{s}",
        plan.wheels.len()
    );
    let _umask = fs::PlainUmask::set();
    let Fetched {
        wheels: fetched, ..
    } = fetched;
    let mut others: Vec<&PlannedWheel> = plan.wheels.iter().collect();
    others.retain(|wheel| !fetched.contains_key(&wheel.sha256));
    let progress = Progress::start(
        "unpacking the wheels",
        others.iter().map(|wheel| wheel.size).sum(),
    );
    // Unpack the largest wheel first, so that the last one to finish is small.
    others.sort_by(|one, other| {
        other
            .size
            .cmp(&one.size)
            .then_with(|| one.name.cmp(&other.name))
    });
    let newly_unpacked = AtomicUsize::new(0);
    let mut wheels = workers::in_order(&others, |wheel| {
        let unpacked = unpacked(wheel, store, &progress, &newly_unpacked)?;
        compile.add(&unpacked);
        Ok(unpacked)
    })?;
    let newly_unpacked = newly_unpacked.into_inner() + fetched.len();
    wheels.extend(fetched.into_values());
    if !wheels.is_empty() {
        info!(
            "wheels unpacked now: {newly_unpacked}, unpacked before: {}",
            wheels.len() - newly_unpacked
        );
    }
    // Restore the plan's order.
    let planned = plan.wheels.iter().enumerate();
    let order: HashMap<&Digest, usize> = planned
        .map(|(place, wheel)| (&wheel.sha256, place))
        .collect();
    wheels.sort_by_key(|unpacked| order.get(&unpacked.sha256));
    Ok(wheels)
}

/// Builds the environment of a plan from its unpacked wheels, which are in its order. Returns the
/// places of their files, and the same warnings as [`environment`].
fn build<'a>(
    plan: &Plan,
    wheels: &'a [UnpackedWheel],
    linker: &Linker,
    staging: &Path,
) -> Result<(Places<'a>, Vec<String>)> {
    let _umask = fs::PlainUmask::set();
    let names = || plan.wheels.iter().map(PlannedWheel::file_name);
    // With `strict`, an odd wheel is an error, even if it was unpacked earlier.
    if plan.strict
        && let Some(failure) = wheels
            .iter()
            .zip(names())
            .find_map(|(wheel, name)| wheel.contents.oddities.refusal(&name))
    {
        return Err(failure.into());
    }
    // The skeleton, then the wheels in it.
    venv::lay_out(&plan.interpreter, plan.system_packages, staging)?;
    let places = Places::decide(&Layout::of(&plan.interpreter), wheels)?;
    info_span!("install").in_scope(|| install::install(plan, wheels, &places, linker, staging))?;
    let warnings = warnings_of(names(), wheels, &places);
    // CPython 2.7 needs the byte code of top-level modules from the beginning.
    if plan.interpreter.is_python2() {
        byte_code::compile_modules(
            &staging.join(&plan.interpreter.site_packages),
            &plan.interpreter.executable,
        )?;
    }
    Ok((places, warnings))
}

/// Unpacks a wheel into the empty directory `to`, as a build of an environment does.
///
/// # Errors
/// The file is not the planned one, or not a wheel that every installer reads alike.
pub fn unpack(wheel: &PlannedWheel, to: &Path) -> Result<()> {
    unpack::unpack(wheel, to, drop).map(drop)
}

/// Returns the unpacked wheel from the store, or unpacks it now and counts it in `newly_unpacked`.
fn unpacked(
    wheel: &PlannedWheel,
    store: &Store,
    progress: &Progress,
    newly_unpacked: &AtomicUsize,
) -> Result<UnpackedWheel> {
    let part = progress.part(wheel.size);
    let unpack = |staging: &Path| {
        newly_unpacked.fetch_add(1, Ordering::Relaxed);
        debug!(wheel = %wheel.path.display(), "unpacking the wheel");
        let _unpacking = info_span!("unpack", wheel = %wheel.name, bytes = wheel.size).entered();
        unpack::unpack(wheel, staging, |bytes| part.advance(bytes))
            .with_context(|| format!("cannot unpack {}", wheel.title()))
    };
    in_store(wheel, store, unpack)
}

/// Returns the unpacked wheel from the store. If it is missing there, it comes from a shared root or
/// a built wheel, or else `unpack` unpacks it.
fn in_store(
    wheel: &PlannedWheel,
    store: &Store,
    unpack: impl FnOnce(&Path) -> Result<Contents>,
) -> Result<UnpackedWheel> {
    let unpack = |staging: &Path| {
        Ok(UnpackedWheel {
            contents: match already_unpacked(wheel, store, staging)? {
                Some(contents) => contents,
                None => unpack(staging)?,
            },
            directory: store.unpacked_wheel(&wheel.sha256),
            sha256: wheel.sha256,
        })
    };
    store.wheel(&wheel.sha256, &wheel.path, unpack, |directory| {
        UnpackedWheel::load(directory, wheel.sha256)
    })
}

/// Puts a wheel into the empty directory `to` from where it is unpacked already: a shared root, or
/// a built wheel. Returns none if there is none that can be used.
fn already_unpacked(wheel: &PlannedWheel, store: &Store, to: &Path) -> Result<Option<Contents>> {
    if let Some(contents) = import::from_shared_root(store, wheel.sha256, to)? {
        return Ok(Some(contents));
    }
    let Some((layer, path)) = wheel
        .built
        .as_ref()
        .and_then(|layer| Some((layer, layer.path.as_ref()?)))
    else {
        return Ok(None);
    };
    match built::extract(layer, path, wheel, to) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if fs::is_io_failure(&error) => Err(error),
        // The wheel itself is the next source.
        Err(error) => {
            built::note_unusable(&error, wheel);
            import::clear(to)?;
            Ok(None)
        }
    }
}
