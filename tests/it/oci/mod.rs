//! Image layouts on disk as wheelhouses: read by launches, and written by `push`.

mod built;
mod built_on_servers;
mod by_name;
mod once;
mod push;
mod push_refused;
mod registry;
mod servers;
mod trusted;
mod unusable;
mod wheelhouse;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vpython::testing::fs::Digest;

use crate::support::{Wheel, World};

/// The type of a manifest of wheels.
const WHEELS: &str = "application/vnd.vpython.wheels.v1";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The annotations of a tag and of a file name.
const TAG: &str = "org.opencontainers.image.ref.name";
const TITLE: &str = "org.opencontainers.image.title";

/// Another user.
const OTHER_USER: u32 = 54_321;

/// A layout that is written by the test.
struct Layout {
    path: PathBuf,
    manifests: Vec<Value>,
}

impl Layout {
    /// An empty layout.
    fn new(path: PathBuf) -> Self {
        std::fs::create_dir_all(path.join("blobs/sha256")).unwrap();
        std::fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let layout = Self {
            path,
            manifests: Vec::new(),
        };
        layout.write_index();
        layout
    }

    /// A layout `work/layout` in a world with these wheels under the tag `v1`.
    fn of(world: &World, wheels: &[Wheel]) -> Self {
        let mut layout = Self::new(world.path("layout"));
        layout.tag("v1", wheels);
        layout
    }

    /// Writes a blob, and returns its descriptor.
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes).to_string();
        std::fs::write(self.path.join("blobs/sha256").join(&digest), bytes).unwrap();
        json!({
            "mediaType": media_type,
            "digest": format!("sha256:{digest}"),
            "size": bytes.len(),
        })
    }

    /// Adds a manifest with these wheels.
    fn tag(&mut self, tag: &str, wheels: &[Wheel]) {
        let layers: Vec<Value> = wheels.iter().map(|wheel| self.layer(wheel)).collect();
        self.tag_layers(tag, WHEELS, &layers);
    }

    /// Writes a wheel, and returns the descriptor with its name.
    fn layer(&self, wheel: &Wheel) -> Value {
        let mut layer = self.blob("application/zip", &wheel.bytes());
        layer["annotations"] = json!({ TITLE: wheel.file_name() });
        layer
    }

    /// Adds a manifest of a type with these layers.
    fn tag_layers(&mut self, tag: &str, artifact_type: &str, layers: &[Value]) {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": self.blob("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": layers,
        });
        let mut manifest = self.blob(MANIFEST, manifest.to_string().as_bytes());
        manifest["annotations"] = json!({ TAG: tag });
        self.manifests.push(manifest);
        self.write_index();
    }

    fn write_index(&self) {
        let index = json!({ "schemaVersion": 2, "manifests": self.manifests });
        std::fs::write(self.path.join("index.json"), index.to_string()).unwrap();
    }

    /// The path of the blob of a wheel.
    fn path_of(&self, wheel: &Wheel) -> PathBuf {
        blob(&self.path, &Digest::of(&wheel.bytes()).to_string())
    }
}

/// The path of a blob in a layout.
fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs/sha256").join(digest)
}

/// A wheel with one module, and the digest of its bytes.
fn module(name: &str, version: &str) -> (Wheel, String) {
    let wheel = Wheel::module(name, version);
    let digest = Digest::of(&wheel.bytes()).to_string();
    (wheel, digest)
}

/// Writes a script that requires `a` and prints its version, with this list of wheelhouses.
fn write_script(world: &World, wheels: &str) {
    world.write(
        "tool.py",
        format!(
            "# /// script\n# dependencies = ['a']\n# [tool.vpython]\n# wheels = {wheels}\n# ///\nimport a\nprint(a.VERSION)\n"
        ),
    );
}
