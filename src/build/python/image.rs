//! An image of `push --python`, in an image layout or in a registry: its layers, and their bytes.

use std::path::Path;

use anyhow::{Error, Result, bail};

use crate::fs;
use crate::oci::{
    Descriptor, Image, Layout, Manifest, PinnedReference, Platform, Reference, Version,
};
use crate::packed::manifest::{PACK_MANIFEST, PackManifest};
use crate::packed::{self, C_LIBRARY, LAYER, PLATFORM, SKELETON};
use crate::process;
use crate::remote::registry::Registry;
use crate::report::progress::Progress;
use crate::report::{self, Failure};

/// The name of a layer in the directory that it is extracted into. No copy has it.
const ARCHIVE: &str = "archive.layer";

/// An image of an interpreter.
pub(super) struct PythonImage {
    /// The layer with the interpreter.
    pub interpreter: Descriptor,
    /// The layer with the C library and other libraries of the machine that it was made on.
    pub c_library: Option<Descriptor>,
    source: Source,
}

/// Where the layers of an image are.
enum Source {
    Layout(Layout),
    Registries(Registries),
}

/// The repositories that may have an image, in the order in which they are asked.
pub(super) struct Registries(pub Vec<Registry>);

impl PythonImage {
    /// Opens an image. `connect` returns the repositories to ask.
    ///
    /// # Errors
    /// The image cannot be found, or is not one of an interpreter for this machine.
    pub fn open(
        image: &PinnedReference,
        connect: impl FnOnce() -> Result<Registries>,
    ) -> Result<Self> {
        let platform = Platform::linux(process::MACHINE);
        let (found, source) = match &image.reference {
            Reference::Layout(layout) => {
                let layout = Layout::open(&layout.path)?;
                let found = layout.pinned(&image.digest, &platform)?;
                (found, Source::Layout(layout))
            }
            Reference::Registry(_) => {
                let mut registries = connect()?;
                let version = Version::Digest(image.digest);
                let (found, _) = registries.first(|it| it.image(&version, &platform))?;
                (found, Source::Registries(registries))
            }
        };
        let Image { manifest, .. } = found;
        check_platform(&manifest, &platform)?;
        let with = |name: &str, value: Option<&str>| {
            let mut layers = manifest.layers.iter();
            let found = layers.find(|layer| {
                let annotation = layer.annotations.get(name);
                annotation.is_some_and(|found| value.is_none_or(|value| found == value))
            });
            found.cloned()
        };
        let Some(interpreter) = with(LAYER, Some(SKELETON)) else {
            let failure =
                Failure::new("it contains no interpreter that `push --python` has written");
            return Err(failure
                .hint("a tool that compresses layers again also removes their annotations")
                .into());
        };
        Ok(Self {
            interpreter,
            c_library: with(C_LIBRARY, None),
            source,
        })
    }

    /// Extracts a layer into the empty directory `into`, which then also has its list of members.
    ///
    /// # Errors
    /// No source has the layer, it differs from its digest or from its list of members, or a file
    /// cannot be written.
    pub fn extract(&mut self, layer: &Descriptor, into: &Path) -> Result<PackManifest> {
        let manifest = match &mut self.source {
            Source::Layout(layout) => {
                packed::extract_archive(layer, &mut layout.blob(layer)?, into)?
            }
            Source::Registries(registries) => {
                let archive = into.join(ARCHIVE);
                registries.first(|registry| {
                    let progress = Progress::download(1, layer.size);
                    let mut sink = fs::create(&archive)?;
                    let part = progress.part(layer.size);
                    registry.download_blob(&layer.digest, Some(layer.size), &mut sink, Some(&part))
                })?;
                let manifest = packed::extract_archive(layer, &mut fs::open(&archive)?, into)?;
                fs::remove_file(&archive)?;
                manifest
            }
        };
        fs::write_new(&into.join(PACK_MANIFEST), &manifest.text()?, 0o444)?;
        Ok(manifest)
    }
}

/// Checks that an image is for this machine, or for a 32-bit one that this machine runs.
fn check_platform(manifest: &Manifest, here: &Platform) -> Result<()> {
    let Some(found) = manifest.annotations.get(PLATFORM) else {
        return Ok(());
    };
    let runs = match &*here.architecture {
        "amd64" => &["amd64", "386"][..],
        "arm64" => &["arm64", "arm"],
        _ => &[],
    };
    if *found == here.architecture || runs.contains(&found.as_str()) {
        return Ok(());
    }
    bail!(
        "it is for {found}, and this machine is {}",
        here.architecture
    )
}

impl Registries {
    /// Requests something from the first repository that has it. One that fails is not asked again.
    ///
    /// # Errors
    /// All of them fail; the error says what each of them said.
    fn first<T>(&mut self, request: impl Fn(&Registry) -> Result<T>) -> Result<T> {
        let mut failures: Vec<Error> = Vec::new();
        while let Some(registry) = self.0.first() {
            let error = match request(registry) {
                Ok(answer) => return Ok(answer),
                Err(error) if fs::is_io_failure(&error) => return Err(error),
                Err(error) => error,
            };
            // A warning says that the next one is asked, so there must be one.
            if self.0.len() > 1 {
                report::warning(&format!(
                    "{}; other sources are asked in place of `oci://{registry}`",
                    report::one_line(&error)
                ));
            }
            failures.push(error);
            self.0.remove(0);
        }
        if failures.len() == 1 {
            return Err(failures.swap_remove(0));
        }
        let said: Vec<String> = failures.iter().map(report::one_line).collect();
        Err(Failure::new("no registry has it").because_of(said).into())
    }
}
