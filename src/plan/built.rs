//! Built wheels in image layouts and registries: archives with the files of a wheel and its byte code for one
//! version of python, which `push --built` has put there.
//!
//! The maker of such an archive decides what python runs, as with a wheel. So one is used only if
//! the lock pins its digest, or if the user's own configuration trusts its source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::sources::wheelhouses;
use super::{Connection, PlannedWheel};
use crate::fs::{self, Digest};
use crate::interpreter::Facts;
use crate::invocation::{Invocation, WheelhouseReference};
use crate::oci::{self, Descriptor, Layout, LayoutReference, Manifest, media_type};
use crate::spec::{BuiltPins, Packages, Spec};

/// The annotation of a built wheel with the digest of its wheel.
pub const WHEEL: &str = "vpython.wheel.digest";
/// The annotation of a built wheel with the version of python that its byte code is for.
pub const PYTHON: &str = "vpython.python";
/// The annotation of a built wheel with the version of its form.
pub const FORM: &str = "vpython.built.form";
/// The version of the form of built wheels. Increment it with each change to what one contains.
pub const BUILT_FORM: u32 = 1;

/// A built wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltLayer {
    /// The archive, if it is in an image layout on disk.
    pub path: Option<PathBuf>,
    /// Its digest.
    pub digest: Digest,
    /// The version of python that its byte code is for, such as `3.11`.
    pub python: String,
}

/// Adds the built wheels that the lock of a spec pins.
pub(super) fn attach(
    wheels: &mut [PlannedWheel],
    spec: &Spec,
    invocation: &Invocation,
    interpreter: &Facts,
) {
    let Packages::Locked(lock) = &spec.packages else {
        return;
    };
    let Some(python) = interpreter.byte_code_version() else {
        return;
    };
    let layouts: Vec<&LayoutReference> = layouts(spec, invocation).collect();
    for wheel in wheels {
        let layer = |layers: &BTreeMap<String, Digest>| layers.get(&python).copied();
        let Some(digest) = lock.built.get(&wheel.sha256).and_then(layer) else {
            continue;
        };
        let mut paths = layouts.iter().map(|layout| blob(&layout.path, &digest));
        wheel.built = Some(BuiltLayer {
            path: paths.find(|path| fs::is_file(path)),
            digest,
            python: python.clone(),
        });
    }
}

/// Returns the built wheels in the image layouts of a spec and its caller and, with a connection, in
/// the registries.
///
/// # Errors
/// A layout or a registry cannot be read.
pub(super) fn in_wheelhouses(
    spec: &Spec,
    invocation: &Invocation,
    connection: Option<&Connection>,
) -> Result<BuiltPins> {
    let mut pins = BuiltPins::new();
    for named in wheelhouses(spec, invocation) {
        let found = match (named, connection) {
            (WheelhouseReference::Layout(layout), _) => built_in(&manifests_of_layout(layout)?),
            (WheelhouseReference::Registry(registry), Some(connection)) => {
                built_in(&connection.manifests(registry)?)
            }
            _ => continue,
        };
        // The first wheelhouse wins, as with wheels.
        for (wheel, layers) in found {
            let of_wheel = pins.entry(wheel).or_default();
            for (python, digest) in layers {
                of_wheel.entry(python).or_insert(digest);
            }
        }
    }
    Ok(pins)
}

/// Reads the manifests of wheels of a layout, the one that was added last first.
///
/// # Errors
/// The layout cannot be read.
pub fn manifests_of_layout(reference: &LayoutReference) -> Result<Vec<Manifest>> {
    let layout = Layout::open(&reference.path)?;
    let manifests = layout.artifacts(oci::WHEELS_TYPE, reference.tag.as_deref())?;
    let manifests = manifests.into_iter().rev().map(|image| image.manifest);
    Ok(manifests.collect())
}

/// Returns the built wheels of manifests, in the form that this version of vpython reads. Of several
/// for one wheel and python, the first one wins.
#[must_use]
pub fn built_in(manifests: &[Manifest]) -> BuiltPins {
    let mut pins = BuiltPins::new();
    for layer in manifests.iter().flat_map(|manifest| &manifest.layers) {
        if let Some((wheel, python)) = built_of(layer) {
            let of_wheel = pins.entry(wheel).or_default();
            of_wheel.entry(python).or_insert(layer.digest);
        }
    }
    pins
}

/// Returns the wheel and the version of python of a layer that is a built wheel.
fn built_of(layer: &Descriptor) -> Option<(Digest, String)> {
    let annotation = |name: &str| layer.annotations.get(name);
    let is_built = layer.media_type == media_type::BUILT
        && annotation(FORM).is_some_and(|form| *form == BUILT_FORM.to_string());
    let wheel = annotation(WHEEL)?.strip_prefix("sha256:")?.parse().ok()?;
    is_built.then_some((wheel, annotation(PYTHON)?.clone()))
}

/// Returns the image layouts among the wheelhouses of a launch, in their order.
fn layouts<'a>(
    spec: &'a Spec,
    invocation: &'a Invocation,
) -> impl Iterator<Item = &'a LayoutReference> {
    wheelhouses(spec, invocation).filter_map(|named| match named {
        WheelhouseReference::Layout(layout) => Some(layout),
        _ => None,
    })
}

fn blob(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join(oci::BLOBS).join(digest.to_string())
}
