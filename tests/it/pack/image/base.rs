//! The base of an image.

use expect_test::expect;
use serde_json::{Value, json};

use super::{blob, documents, packed, sha256};
use crate::pack::{pack, world};
use crate::support::{Wheel, World};

/// Writes a layout with an image of one layer, for an architecture.
pub(super) fn base(world: &World, name: &str, architecture: &str, layer_count: usize) {
    let layout = world.path(name);
    std::fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let add = |kind: &str, bytes: &[u8]| {
        let digest = sha256(bytes);
        std::fs::write(layout.join("blobs/sha256").join(&digest), bytes).unwrap();
        json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    };
    let layer = add(
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        b"a layer",
    );
    let config = json!({
        "architecture": architecture, "os": "linux", "author": "somebody",
        "config": {"Env": ["A=1", "PATH=/usr/bin"], "Cmd": ["sh"], "WorkingDir": "/x"},
        "rootfs": {"type": "layers", "diff_ids": vec!["sha256:00"; layer_count]},
        "history": vec![json!({"created_by": "hand"}); layer_count],
    });
    let config = add(
        "application/vnd.oci.image.config.v1+json",
        config.to_string().as_bytes(),
    );
    let manifest = json!({
        "schemaVersion": 2, "config": config, "layers": vec![layer; layer_count],
    });
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut manifest = add(kind, manifest.to_string().as_bytes());
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "12"});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    std::fs::write(layout.join("index.json"), index.to_string()).unwrap();
    std::fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
}

/// The architecture of this machine in the words of images.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[test]
fn an_environment_is_added_to_a_base() {
    let world = world();
    base(&world, "base", architecture(), 1);
    let options = ["--prefix", "/opt/app", "--base", "oci:base:12"];
    let layout = packed(&world, "app.oci", &options);
    let (manifest, config) = documents(&layout);
    let bottom = &manifest["layers"][0];
    assert_eq!(blob(&layout, &bottom["digest"]), b"a layer");
    assert_eq!(
        bottom["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    assert_eq!(config["rootfs"]["diff_ids"][0], "sha256:00");
    assert_eq!(config["history"][0], json!({"created_by": "hand"}));
    assert_eq!(config["author"], "somebody");
    let process = &config["config"];
    assert_eq!(process["Env"], json!(["A=1", "PATH=/opt/app/bin:/usr/bin"]));
    assert_eq!(process["Entrypoint"], json!(["/opt/app/bin/python3"]));
    assert_eq!(
        (&process["Cmd"], &process["WorkingDir"]),
        (&Value::Null, &json!("/x"))
    );
    // The environment is unpacked without the base.
    let unpacked = world
        .vpython(["-vpython-tool", "unpack", "oci:app.oci", "env"])
        .run();
    assert_eq!(unpacked.code, Some(0), "{unpacked}");
    assert!(!world.path("env/x").exists());
}

#[test]
fn an_image_has_at_most_127_layers() {
    let world = World::new();
    for number in 0..4 {
        world.wheel(&Wheel::module(&format!("m{number}"), "1"));
    }
    world.write("vpython.toml", "dependencies = ['m0', 'm1', 'm2', 'm3']\n");
    base(&world, "base", architecture(), 121);
    let options = ["--prefix", "/opt/app", "--base", "oci:base"];
    let (manifest, _) = documents(&packed(&world, "app.oci", &options));
    // Two wheels have one each, two share one, and there is the skeleton.
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 125);
    base(&world, "high", architecture(), 124);
    let options = ["--prefix", "/opt/app", "--base", "oci:high"];
    let outcome = pack(&world, "other.oci", &options).replacing(&world.interpreter_warning(), "");
    outcome.refuses(
        125,
        expect![[r#"
        vpython: error: the base has 124 layers
          caused by: an image has at most 127
    "#]],
    );
}

#[test]
fn an_unusable_base_is_an_error() {
    let world = world();
    base(&world, "base", "other", 1);
    base(&world, "damaged", architecture(), 1);
    let layer = world.path("damaged/blobs/sha256").join(sha256(b"a layer"));
    std::fs::write(layer, "A layer").unwrap();
    std::fs::create_dir(world.path("empty")).unwrap();
    std::fs::write(world.path("file"), "text").unwrap();
    for (base, message) in [
        (
            "oci:base",
            expect![[r#"
                vpython: error: cannot use the base `oci:[WORLD]/work/base`
                  caused by: it is for linux on other, but the interpreter is for linux on amd64
            "#]],
        ),
        (
            "oci:base:13",
            expect![[r#"
                vpython: error: cannot use the base `oci:[WORLD]/work/base:13`
                  caused by: the image layout `[WORLD]/work/base` has no tag `13`
                  hint: it has `12`
            "#]],
        ),
        (
            "oci:damaged",
            expect![[r#"
            vpython: error: cannot copy `[WORLD]/work/damaged/blobs/sha256/e28d98ac666afd34f089b971a663264d54d67a60ddc82996d48d8f3c204eb75f`
              caused by: it differs from its digest
        "#]],
        ),
        (
            "oci:empty",
            expect![[r#"
                vpython: error: cannot use the base `oci:[WORLD]/work/empty`
                  caused by: cannot read the image layout `[WORLD]/work/empty`
                  caused by: it contains no `oci-layout`
                  hint: an image layout is what `skopeo copy … oci:DIR` writes
            "#]],
        ),
        (
            "oci:file",
            expect![[r#"
                vpython: error: cannot use the base `oci:[WORLD]/work/file`
                  caused by: cannot read the image layout `[WORLD]/work/file`
                  caused by: it is not a directory, and not a `.tar` without compression
                  caused by: failed to read entire block
            "#]],
        ),
        (
            "oci:missing",
            expect![[r#"
                vpython: error: cannot use the base `oci:[WORLD]/work/missing`
                  caused by: cannot read the image layout `[WORLD]/work/missing`
                  caused by: it does not exist
            "#]],
        ),
    ] {
        let options = ["--prefix", "/opt/app", "--base", base];
        let outcome = pack(&world, "app.oci", &options);
        let outcome = outcome.replacing(&world.interpreter_warning(), "");
        outcome.refuses(125, message);
        assert!(!world.path("app.oci").exists(), "{base}");
    }
}
