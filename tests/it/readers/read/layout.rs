//! The readers of an image layout that is a wheelhouse.

use std::path::Path;

use anyhow::{Context, Result};
use vpython::testing::fs::Digest;
use vpython::testing::interpreter::Facts;
use vpython::testing::invocation::Invocation;
use vpython::testing::plan::{Evidence, choose_wheels};

use super::{process, promised, wheel_with};

/// The manifest of a wheel of `a`.
pub fn manifest_text() -> Result<String> {
    let wheel = wheel()?;
    Ok(format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"artifactType\":\
         \"application/vnd.vpython.wheels.v1\",\"config\":{{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\
         \"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}},\"layers\":[{{\"mediaType\":\
         \"application/zip\",\"digest\":\"sha256:{}\",\"size\":{},\"annotations\":{{\"org.opencontainers.image.title\":\
         \"a-1-py3-none-any.whl\"}}}}],\"annotations\":{{}}}}",
        Digest::of(&wheel),
        wheel.len()
    ))
}

/// The list of a layout with a manifest of these bytes.
pub fn list_text(manifest: &[u8]) -> String {
    format!(
        "{{\"schemaVersion\":2,\"manifests\":[{{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\
         \"sha256:{}\",\"size\":{},\"artifactType\":\"application/vnd.vpython.wheels.v1\",\"annotations\":\
         {{\"org.opencontainers.image.ref.name\":\"x:v1\"}},\"platform\":{{\"architecture\":\"amd64\",\"os\":\"linux\"}}}}]}}",
        Digest::of(manifest),
        manifest.len()
    )
}

fn wheel() -> Result<Vec<u8>> {
    wheel_with(&[("METADATA", b"Metadata-Version: 2.1\nName: a\nVersion: 1\n")])
}

/// A list of manifests.
pub(super) fn list(directory: &Path, bytes: &[u8]) -> Result<()> {
    choose(directory, bytes, manifest_text()?.as_bytes())
}

/// A manifest.
pub(super) fn manifest(directory: &Path, bytes: &[u8]) -> Result<()> {
    choose(directory, list_text(bytes).as_bytes(), bytes)
}

/// Chooses the wheels of a spec from a layout. Each is a blob of the layout, and has the name of a
/// file.
fn choose(directory: &Path, list: &[u8], manifest: &[u8]) -> Result<()> {
    let blobs = directory.join("layout/blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    for blob in [manifest, &wheel()?] {
        std::fs::write(blobs.join(Digest::of(blob).to_string()), blob)?;
    }
    std::fs::write(directory.join("layout/oci-layout"), "{}")?;
    std::fs::write(directory.join("layout/index.json"), list)?;
    let spec = "dependencies = ['a']\n[tool.vpython]\nwheels = ['oci:layout:v1']\n";
    std::fs::write(directory.join("vpython.toml"), spec)?;
    let process = process(directory, &["-vpython-spec", "vpython.toml", "x.py"]);
    let invocation = Invocation::read(&process)?;
    let spec = vpython::testing::spec::find(&invocation, &process)?;
    let spec = spec.parse(&invocation, &process)?;
    let interpreter: Facts = serde_json::from_str(super::super::seeds::FACTS)?;
    let memo = directory.join("memo");
    let evidence = &mut Evidence::default();
    let (wheels, _) = choose_wheels(&spec, &interpreter, &invocation, &memo, evidence)
        .context("cannot choose the wheels")?;
    for wheel in wheels {
        let name = wheel.file_name();
        promised(wheel.path.parent() == Some(&blobs), || {
            format!("the path {}", wheel.path.display())
        })?;
        promised(!name.contains(['/', '\0', '\n']), || {
            format!("the name {name:?}")
        })?;
    }
    Ok(())
}
