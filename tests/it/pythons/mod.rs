//! Interpreters from images: `push --python`, and what launches and tools make of them.

mod empty_root;
mod launch;
mod push;
mod registry;
mod shared;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{Launch, Outcome, World};

/// The image of the default interpreter of tests, which all of them share.
pub struct Image {
    /// The layout that it is in.
    layout: PathBuf,
    /// The digest of its manifest.
    digest: String,
}

impl Image {
    /// Returns the image, which the first test makes.
    pub fn get() -> &'static Self {
        static IMAGE: OnceLock<Image> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let layout = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-image");
            let _ = std::fs::remove_dir_all(&layout);
            let world = World::new();
            let words = ["-vpython-tool", "push", "--python"];
            let destination = format!("oci:{}", layout.display());
            let outcome = world.vpython(words).arguments([destination]).run();
            assert_eq!(outcome.code, Some(0), "{outcome}");
            let pushed = outcome.raw_stdout.trim_end().rsplit_once("@sha256:");
            let (_, digest) = pushed.unwrap_or_else(|| panic!("{outcome}"));
            Self {
                digest: digest.to_owned(),
                layout,
            }
        })
    }

    /// Returns the manifest.
    fn manifest(&self) -> Value {
        let text = std::fs::read(blob(&self.layout, &self.digest)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Returns the digests of the layers: that of the interpreter, and that of the C library.
    fn layers(&self) -> Vec<String> {
        let manifest = self.manifest();
        let layers = manifest["layers"].as_array().unwrap().clone();
        let digest = |layer: &Value| layer["digest"].as_str().unwrap()[7..].to_owned();
        layers.iter().map(digest).collect()
    }

    /// Puts the layout into a world as `layout`, and returns its path.
    pub fn put(&self, world: &World) -> PathBuf {
        let layout = world.path("layout");
        let blobs = "blobs/sha256";
        std::fs::create_dir_all(layout.join(blobs)).unwrap();
        for name in ["oci-layout", "index.json"] {
            std::fs::copy(self.layout.join(name), layout.join(name)).unwrap();
        }
        for entry in std::fs::read_dir(self.layout.join(blobs)).unwrap() {
            let entry = entry.unwrap();
            let to = layout.join(blobs).join(entry.file_name());
            if std::fs::hard_link(entry.path(), &to).is_err() {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
        layout
    }

    /// Returns the reference to the layout in a world.
    pub fn reference(&self) -> String {
        format!("oci:layout@sha256:{}", self.digest)
    }

    /// Returns the copy in the store of a world.
    fn copy(&self, world: &World) -> PathBuf {
        world.store(&format!("pythons/{}", self.digest))
    }
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs/sha256").join(digest)
}

/// A world with the layout.
fn world() -> World {
    let world = World::new();
    Image::get().put(&world);
    world
}

/// The program that prints where its interpreter is.
const WHERE: &str = "import sys; print(sys.base_prefix)";

/// vpython with the interpreter from the layout.
fn launch<'w>(world: &'w World, words: &[&str]) -> Launch<'w> {
    let launch = world.vpython(words);
    launch.env("VPYTHON_INTERPRETER", Image::get().reference())
}

/// Replaces the digest of the image in an outcome.
fn redacted(outcome: Outcome) -> Outcome {
    outcome.replacing(&Image::get().digest, "[IMAGE]")
}

/// What [`WHERE`] prints in a world.
const IN_STORE: &str = "[WORLD]/root/v1/pythons/[IMAGE]\n";

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}
