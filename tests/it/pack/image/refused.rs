//! What is refused: options, outputs that are not images of `pack`, and damaged images.

use expect_test::{Expect, expect};

use super::base::{architecture, base};
use super::{documents, layers, packed, sha256};
use crate::pack::{pack, world};

#[test]
fn invalid_options_of_an_image_are_reported_at_once() {
    let world = world();
    let options = [
        "--base",
        "debian:12",
        "--layers",
        "200",
        "--entrypoint",
        "'x",
        "--user",
        "root",
        "--label",
        "x",
        "--name",
        "app",
    ];
    pack(&world, "app.oci", &options).refuses(
        125,
        expect![[r#"
        vpython: error: cannot pack `app.oci`
          caused by: `--name` applies only to `.rpm` and `.deb`
          caused by: `--base` needs `--prefix /opt/NAME`: the base has directories of its own
          caused by: `--base debian:12`: it does not begin with `oci:`
          caused by: `--layers 200`: the maximum is 123
          caused by: `--entrypoint 'x`: it has no words, or a quote is not closed
          caused by: `--user root`: it is neither `UID` nor `UID:GID`
          caused by: `--label x`: it is not `NAME=VALUE`
    "#]],
    );
    let options = ["--base", "oci:b", "--user", "1", "--compression", "zstd"];
    pack(&world, "app.tar", &options).refuses(
        125,
        expect![[r#"
        vpython: error: cannot pack `app.tar`
          caused by: `--base` applies only to images
          caused by: `--user` applies only to images
          caused by: `--compression` applies only to images
    "#]],
    );
    pack(&world, "app.oci", &["--compression", "xz"]).refuses(
        125,
        expect![[r#"
        vpython: error: invalid value `xz` for `--compression` of `-vpython-tool pack`
          hint: the values are: `gzip`, `zstd`
    "#]],
    );
}

#[test]
fn only_an_image_of_pack_is_replaced() {
    let world = world();
    let options = ["--prefix", "/opt/app"];
    let first = layers(&packed(&world, "app.oci", &options));
    world.write("vpython.toml", "dependencies = ['other']\n");
    let second = layers(&packed(&world, "app.oci", &options));
    assert!(first.contains_key("some 1") && !second.contains_key("some 1"));
    base(&world, "base.oci", architecture(), 1);
    std::fs::create_dir(world.path("precious.oci")).unwrap();
    world.write("precious.oci/file", "text");
    world.write("file.oci", "text");
    for (file, message) in [
        (
            "base.oci",
            expect![[r#"
            vpython: error: cannot replace `[WORLD]/work/base.oci`
              caused by: it is a directory that `pack` has not written
              hint: choose another name, or remove it
        "#]],
        ),
        (
            "precious.oci",
            expect![[r#"
            vpython: error: cannot replace `[WORLD]/work/precious.oci`
              caused by: it is a directory that `pack` has not written
              hint: choose another name, or remove it
        "#]],
        ),
        (
            "file.oci",
            expect![[r#"
            vpython: error: cannot pack `file.oci`
              caused by: a file of that name exists
        "#]],
        ),
    ] {
        pack(&world, file, &options).refuses(125, message);
    }
    assert_eq!(world.path("base.oci").read_dir().unwrap().count(), 3);
}

#[test]
fn a_damaged_image_is_not_unpacked() {
    let world = world();
    let layout = packed(&world, "app.oci", &["--prefix", "/opt/app"]);
    let (manifest, _) = documents(&layout);
    let of = |kind: &str| {
        let layers = manifest["layers"].as_array().unwrap();
        let found = layers
            .iter()
            .find(|layer| layer["annotations"]["vpython.layer"] == kind);
        let digest = found.unwrap()["digest"].as_str().unwrap();
        layout.join("blobs/sha256").join(&digest["sha256:".len()..])
    };
    let wheel = of("wheel");
    let good = std::fs::read(&wheel).unwrap();
    let refuse = |bytes: Option<&[u8]>, message: Expect| {
        match bytes {
            Some(bytes) => std::fs::write(&wheel, bytes).unwrap(),
            None => std::fs::remove_file(&wheel).unwrap(),
        }
        let outcome = world
            .vpython(["-vpython-tool", "unpack", "oci:app.oci", "env"])
            .run();
        let name = wheel.file_name().unwrap().to_str().unwrap();
        let found = sha256(bytes.unwrap_or_default());
        let outcome = outcome
            .replacing(name, "[DIGEST]")
            .replacing(&found, "[OTHER]")
            .replacing(&format!(" {} ", good.len()), " [SIZE] ");
        outcome.refuses(125, message);
        assert!(!world.path("env").exists());
    };
    // The time in the header of gzip changes no member.
    let mut other = good.clone();
    other[4] ^= 1;
    refuse(
        Some(&other),
        expect![[r#"
            vpython: error: cannot unpack `oci:[WORLD]/work/app.oci`
              caused by: the layer `sha256:[DIGEST]` differs from its digest: its bytes have the digest `[OTHER]`
        "#]],
    );
    refuse(
        Some(&good[..10]),
        expect![[r#"
            vpython: error: cannot unpack `oci:[WORLD]/work/app.oci`
              caused by: cannot read `[WORLD]/work/app.oci/blobs/sha256/[DIGEST]`
              caused by: its size is 10 bytes, but [SIZE] are expected
        "#]],
    );
    refuse(
        None,
        expect![[r#"
            vpython: error: cannot unpack `oci:[WORLD]/work/app.oci`
              caused by: cannot read `[WORLD]/work/app.oci/blobs/sha256/[DIGEST]`
              caused by: it does not exist
        "#]],
    );
    base(&world, "base", architecture(), 1);
    let outcome = world
        .vpython(["-vpython-tool", "unpack", "oci:base", "env"])
        .run();
    outcome.refuses(
        125,
        expect![[r#"
        vpython: error: cannot unpack `oci:[WORLD]/work/base`
          caused by: it contains no environment that `pack` has written
          hint: a tool that compresses layers again also removes their annotations
    "#]],
    );
}
