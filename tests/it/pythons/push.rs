//! `push --python`.

use expect_test::expect;
use serde_json::{Value, json};

use super::{Image, blob, world};
use crate::support::{OciRegistry, World};

fn push<'w>(world: &'w World, words: &[&str]) -> crate::support::Launch<'w> {
    let push = world.vpython(["-vpython-tool", "push"]);
    push.arguments(words)
}

#[test]
fn an_interpreter_is_pushed_as_an_ordinary_image_with_the_same_bytes_each_time() {
    let world = World::new();
    let image = Image::get();
    let version = &world.python.version;
    // Another place, another user mask is left to `.ci/fleet`.
    let outcome = push(&world, &["--python", "oci:other:mine"]).run();
    let outcome = super::redacted(outcome).replacing(version, "[VERSION]");
    assert_eq!(
        outcome.stdout,
        "oci:[WORLD]/work/other:mine@sha256:[IMAGE]\n"
    );
    let notice = "vpython: CPython [VERSION] on linux x86_64 in `oci:[WORLD]/work/other:mine`: 3 of 3 blobs new, ";
    assert!(outcome.stderr.starts_with(notice), "{outcome}");
    let outcome = push(&world, &["--python", "oci:other"]).run();
    super::redacted(outcome).replacing(version, "[VERSION]").expect(
        0,
        "oci:[WORLD]/work/other:[VERSION]@sha256:[IMAGE]\n",
        "vpython: CPython [VERSION] on linux x86_64 in `oci:[WORLD]/work/other:[VERSION]`: nothing new\n",
    );
    let manifest = image.manifest();
    let kinds: Vec<&Value> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| &layer["mediaType"])
        .collect();
    assert_eq!(
        kinds,
        [&json!("application/vnd.oci.image.layer.v1.tar+zstd"); 2]
    );
    let annotations = |number: usize| &manifest["layers"][number]["annotations"];
    assert_eq!(*annotations(0), json!({"vpython.layer": "skeleton"}));
    let library = annotations(1)["vpython.c-library"].as_str().unwrap();
    assert!(library.starts_with("glibc 2."), "{library}");
    assert_eq!(manifest["artifactType"], Value::Null);
    let config = manifest["config"]["digest"].as_str().unwrap();
    let config = std::fs::read(blob(&image.layout, &config[7..])).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["architecture"], "amd64");
    assert_eq!(config["os"], "linux");
    assert_eq!(config["created"], "1980-01-01T00:00:00Z");
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["vpython.python"], **version);
    let build = labels["vpython.build"].as_str().unwrap();
    assert!(build.starts_with(&**version), "{build}");
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
}

#[test]
fn an_interpreter_is_sent_to_a_registry_once() {
    let world = World::new();
    let registry = OciRegistry::start(|_| None);
    let reference = registry.reference("team/python:3");
    let address = registry.server.address().to_string();
    let run = || {
        let outcome = push(&world, &["--python", &reference]).run();
        super::redacted(outcome)
            .replacing(&address, "REGISTRY")
            .replacing(&world.python.version, "[VERSION]")
    };
    let first = run();
    assert_eq!(
        (first.code, &*first.stdout),
        (Some(0), "oci://REGISTRY/team/python:3@sha256:[IMAGE]\n"),
        "{first}"
    );
    let sent = || {
        let mut paths = registry.paths("PUT");
        paths.retain(|path| path.contains("/blobs/"));
        paths.len()
    };
    assert_eq!(sent(), 3, "two layers and the configuration");
    run().expect(
        0,
        "oci://REGISTRY/team/python:3@sha256:[IMAGE]\n",
        "vpython: CPython [VERSION] on linux x86_64 in `oci://REGISTRY/team/python:3`: nothing new\n",
    );
    assert_eq!(sent(), 3);
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let world = world();
    let reference = Image::get().reference();
    push(&world, &["--python", "--built", "oci:x"])
        .run()
        .refuses(
            125,
            expect![[r#"
            vpython: error: `--python` and `--built` of `-vpython-tool push` cannot be used together
              caused by: `--python` copies an interpreter, and `--built` wheels
        "#]],
        );
    push(&world, &["--python", "oci:x", "a.py", "b.py"])
        .run()
        .refuses(
            125,
            expect![[r#"
            vpython: error: `push --python` takes one script or spec
              caused by: each has an interpreter of its own
        "#]],
        );
    let launch = push(&world, &["--python", "oci:x"]).env("VPYTHON_INTERPRETER", reference);
    super::redacted(launch.run()).refuses(125, expect![[r#"
        vpython: error: the interpreter is in the image `oci:[WORLD]/work/layout@sha256:[IMAGE]` already
          hint: copy the image with `skopeo copy`, or name an interpreter of this machine with `-vpython-interpreter`
    "#]]);
    assert!(!world.path("x").exists());
}
