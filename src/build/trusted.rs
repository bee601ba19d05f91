//! The built wheels of sources that the user's own `vpython.conf` trusts by name
//! (`trusted-built-wheels`). A wheel whose digest is known is taken from one as it was built there, in
//! place of unpacking and compiling it, although no lock pins the archive.
//!
//! A user who may write to such a source decides what python runs. So only the configuration names
//! one, and never a spec; the reference that is written there is the only one that is trusted, with no
//! rule that would include others; and a layout counts only if no other user can write to it.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::fs::{self, Digest};
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::oci::{self, LayoutReference, Reference, RegistryReference};
use crate::plan::{BuiltLayer, Connection, PlannedWheel, built_in, manifests_of_layout};
use crate::remote::registry::Registry;
use crate::report;
use crate::spec::{BuiltPins, Spec};
use crate::store;

/// The trusted sources of a launch.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    references: &'a [Reference],
    may_fetch: bool,
    user: u32,
}

/// A built wheel of a trusted source.
#[derive(Debug)]
pub(super) struct TrustedLayer {
    /// The archive.
    pub layer: BuiltLayer,
    /// The position in [`TrustedLayers::registries`] of the registry that has it; none for an image
    /// layout.
    registry: Option<usize>,
}

/// The built wheels of trusted sources for one interpreter.
#[derive(Debug, Default)]
pub(super) struct TrustedLayers {
    by_wheel: HashMap<Digest, TrustedLayer>,
    registries: Vec<Registry>,
    /// Why sources are not used, one sentence each.
    pub warnings: Vec<String>,
}

impl<'a> Trusted<'a> {
    /// Returns the sources that `vpython.conf` names. Registries count only where the launch may use
    /// the network.
    #[must_use]
    pub fn of(spec: &Spec, invocation: &'a Invocation) -> Self {
        let named = invocation.conf.trusted_built_wheels.as_ref();
        Self {
            references: named.map_or(&[], |named| &named.value),
            may_fetch: spec.may_fetch(invocation),
            user: invocation.user,
        }
    }

    /// Returns whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.references.is_empty()
    }

    /// Returns whether a registry is to be asked.
    pub(super) fn need_network(&self) -> bool {
        let is_registry = |named: &Reference| matches!(named, Reference::Registry(_));
        self.may_fetch && self.references.iter().any(is_registry)
    }

    /// Reads the manifests of the sources, each once. One that cannot be used is a warning.
    pub(super) fn read(
        &self,
        interpreter: &Facts,
        connection: Option<&Connection>,
    ) -> TrustedLayers {
        let mut layers = TrustedLayers::default();
        let Some(python) = interpreter.byte_code_version() else {
            return layers;
        };
        for reference in self.references {
            let added = match (reference, connection) {
                (Reference::Layout(layout), _) => self.add_layout(layout, &python, &mut layers),
                (Reference::Registry(registry), Some(connection)) if self.may_fetch => {
                    add_registry(registry, connection, &python, &mut layers)
                }
                (Reference::Registry(_), _) => Ok(()),
            };
            let added = added.with_context(|| {
                format!("cannot use `{reference}`, a trusted source of built wheels")
            });
            layers
                .warnings
                .extend(added.err().map(|error| report::one_line(&error)));
        }
        layers
    }

    fn add_layout(
        &self,
        reference: &LayoutReference,
        python: &str,
        layers: &mut TrustedLayers,
    ) -> Result<()> {
        let path = &reference.path;
        ensure!(fs::exists(path), "it does not exist");
        let blobs = path.join(oci::BLOBS);
        for directory in [path.as_path(), blobs.parent().unwrap_or(path), &blobs] {
            store::check_closed(directory, "it is not safe", self.user)?;
        }
        self.check_file(&path.join(oci::INDEX))?;
        let built = built_in(&manifests_of_layout(reference)?);
        layers.add(&built, python, None, |digest| {
            Some(blobs.join(digest.to_string()))
        });
        Ok(())
    }

    /// Checks that no other user can write to a file.
    fn check_file(&self, path: &Path) -> Result<()> {
        let found =
            fs::metadata(path)?.with_context(|| format!("there is no `{}`", path.display()))?;
        ensure!(
            fs::is_closed_to_others(&found, self.user),
            "other users can write to `{}`",
            path.display()
        );
        Ok(())
    }
}

fn add_registry(
    reference: &RegistryReference,
    connection: &Connection,
    python: &str,
    layers: &mut TrustedLayers,
) -> Result<()> {
    let registry = connection.registry(reference)?;
    let found = registry.artifacts(oci::WHEELS_TYPE, reference.version.as_ref())?;
    let manifests = found.context("the registry does not have it")?;
    let number = layers.registries.len();
    layers.registries.push(registry);
    layers.add(&built_in(&manifests), python, Some(number), |_| None);
    Ok(())
}

impl TrustedLayers {
    /// Adds the built wheels of a source for a version of python. Earlier sources win.
    fn add(
        &mut self,
        built: &BuiltPins,
        python: &str,
        registry: Option<usize>,
        path: impl Fn(&Digest) -> Option<std::path::PathBuf>,
    ) {
        for (wheel, layers) in built {
            let Some(digest) = layers.get(python) else {
                continue;
            };
            self.by_wheel.entry(*wheel).or_insert_with(|| TrustedLayer {
                layer: BuiltLayer {
                    path: path(digest),
                    digest: *digest,
                    python: python.to_owned(),
                },
                registry,
            });
        }
    }

    /// Returns the built wheel for a wheel that the lock pins no other one for.
    pub fn of(&self, wheel: &PlannedWheel) -> Option<&TrustedLayer> {
        let layer = self.by_wheel.get(&wheel.sha256);
        layer.filter(|_| wheel.built.is_none())
    }

    /// Returns the registry that has a built wheel; none if it is in an image layout.
    pub fn registry(&self, layer: &TrustedLayer) -> Option<&Registry> {
        self.registries.get(layer.registry?)
    }
}
