//! Interpreters from registries.

use std::process::Stdio;
use std::time::Duration;

use expect_test::expect;

use super::{IN_STORE, Image, WHERE, names, redacted};
use crate::support::http_server::Reply;
use crate::support::{Launch, OciRegistry, Outcome, World};

const REPOSITORY: &str = "team/python";

/// A registry with the image, which answers some requests otherwise.
fn registry(
    refuse: impl Fn(&crate::support::http_server::Received) -> Option<Reply> + Send + Sync + 'static,
) -> OciRegistry {
    let registry = OciRegistry::start(refuse);
    registry.load(&Image::get().layout, REPOSITORY, "3");
    registry
}

/// vpython with the interpreter from a registry.
fn launch<'w>(world: &'w World, registry: &OciRegistry, words: &[&str]) -> Launch<'w> {
    let reference = registry.reference(&format!("{REPOSITORY}:3@sha256:{}", Image::get().digest));
    world.vpython(words).env("VPYTHON_INTERPRETER", reference)
}

fn fetching<'w>(world: &'w World, registry: &OciRegistry) -> Launch<'w> {
    launch(world, registry, &["-c", WHERE]).env("VPYTHON_FETCH", "1")
}

fn shown(outcome: Outcome, registry: &OciRegistry) -> Outcome {
    let layers = Image::get().layers();
    redacted(outcome)
        .replacing(&registry.server.address().to_string(), "REGISTRY")
        .replacing(&layers[0], "[LAYER]")
}

#[test]
fn a_registry_is_asked_only_where_fetching_was_asked_for() {
    let world = World::new();
    let registry = registry(|_| None);
    let refusal = "\
vpython: error: cannot use the interpreter from `oci://REGISTRY/team/python:3@sha256:[IMAGE]`
  caused by: it is in a registry, and this launch may not use the network
  hint: fetch at launch: `-vpython-fetch`, `VPYTHON_FETCH=1`, or `fetch = true` under `[tool.vpython]`; or copy it into an image layout on disk, by `skopeo copy`
";
    for tool in [&["-c", WHERE][..], &["-vpython-tool", "install", "-c", ""]] {
        let outcome = launch(&world, &registry, tool).run();
        shown(outcome, &registry).refuses(125, refusal);
    }
    let offline = fetching(&world, &registry)
        .arguments([""])
        .env("VPYTHON_OFFLINE", "1");
    shown(offline.run(), &registry).refuses(125, refusal);
    assert_eq!(registry.server.received().len(), 0);
    // The layer with the C library is not downloaded: this machine has one.
    shown(fetching(&world, &registry).run(), &registry).prints(IN_STORE);
    let layers = Image::get().layers();
    let expected = [
        format!("/v2/{REPOSITORY}/manifests/sha256:{}", Image::get().digest),
        format!("/v2/{REPOSITORY}/blobs/sha256:{}", layers[0]),
    ];
    assert_eq!(registry.paths("GET"), expected);
    // The registry stops, and launches go on, warm and cold.
    let world = {
        let outcome = launch(&world, &registry, &["-c", WHERE]);
        drop(registry.server);
        redacted(outcome.run()).prints(IN_STORE);
        world
    };
    std::fs::remove_dir_all(world.store("memo")).unwrap();
    let reference = format!("oci://127.0.0.1:9/x@sha256:{}", Image::get().digest);
    let cold = world
        .vpython(["-c", WHERE])
        .env("VPYTHON_INTERPRETER", reference);
    redacted(cold.run()).prints(IN_STORE);
}

#[test]
fn a_spec_that_permits_fetching_permits_it_for_the_interpreter() {
    let world = World::new();
    let registry = registry(|_| None);
    let image = registry.reference(&format!("{REPOSITORY}@sha256:{}", Image::get().digest));
    let spec = |fetch: &str| {
        world.write(
            "vpython.toml",
            format!("[tool.vpython]\ninterpreter = '{image}'\n{fetch}"),
        )
    };
    spec("fetch = true\n");
    redacted(world.vpython(["-c", WHERE]).run()).prints(IN_STORE);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    // `fetch` needs no such permission.
    spec("");
    world.write("wheels/.keep", "");
    let outcome = world
        .vpython(["-vpython-tool", "fetch", "vpython.toml"])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    redacted(world.vpython(["-c", WHERE]).run()).prints(IN_STORE);
}

#[test]
fn the_registry_of_the_site_is_asked_first() {
    let world = World::new();
    let (site, own) = (registry(|_| None), registry(|_| None));
    let run = |mirror: &str| {
        let _ = std::fs::remove_dir_all(world.outside("root"));
        let reference = site.reference(mirror);
        fetching(&world, &own)
            .env("VPYTHON_REGISTRY", reference)
            .run()
    };
    redacted(run(REPOSITORY)).prints(IN_STORE);
    assert_eq!((site.paths("GET").len(), own.paths("GET").len()), (2, 0));
    let outcome = redacted(run("empty")).replacing(&site.server.address().to_string(), "SITE");
    outcome.expect(0, IN_STORE, expect![[r#"
        vpython: warning: the registry `SITE` has no manifest `sha256:[IMAGE]` in `empty`; other sources are asked in place of `oci://SITE/empty`
    "#]]);
    assert_eq!(own.paths("GET").len(), 2);
}

#[test]
fn a_layer_that_is_missing_damaged_or_short_is_an_error_and_leaves_nothing() {
    let world = World::new();
    let layer = format!("/v2/{REPOSITORY}/blobs/sha256:{}", Image::get().layers()[0]);
    let blob = std::fs::read(super::blob(&Image::get().layout, &Image::get().layers()[0])).unwrap();
    let check = |reply: Reply, message: expect_test::Expect| {
        let layer = layer.clone();
        let registry = registry(move |request| (request.path == layer).then(|| reply.clone()));
        let outcome = shown(fetching(&world, &registry).run(), &registry);
        let sizes = [blob.len(), blob.len() - 9].map(|size| size.to_string());
        let outcome = outcome.replacing(&sizes[0], "[SIZE]");
        let outcome = outcome.replacing(&sizes[1], "[SHORTER]");
        outcome.refuses(125, message);
        assert_eq!(names(&world.store("pythons")), [""; 0]);
        assert_eq!(names(&world.store("tmp")), [""; 0]);
    };
    check(
        Reply::new(404, ""),
        expect![[r#"
        vpython: error: cannot use the interpreter from `oci://REGISTRY/team/python:3@sha256:[IMAGE]`
          caused by: cannot fetch `[INDEX]/v2/team/python/blobs/sha256:[LAYER]`
          caused by: the server answered 404 Not Found
          hint: check the repository name `team/python`; `REGISTRY` may also have removed content that no tag refers to
    "#]],
    );
    let mut damaged = blob.clone();
    damaged[100] ^= 1;
    let digest = vpython::testing::fs::Digest::of(&damaged).to_string();
    let registry = {
        let (layer, damaged) = (layer.clone(), damaged);
        registry(move |request| (request.path == layer).then(|| Reply::new(200, damaged.clone())))
    };
    let outcome = shown(fetching(&world, &registry).run(), &registry);
    outcome
        .replacing(&digest, "[OTHER]")
        .refuses(125, expect![[r#"
            vpython: error: cannot use the interpreter from `oci://REGISTRY/team/python:3@sha256:[IMAGE]`
              caused by: cannot fetch `[INDEX]/v2/team/python/blobs/sha256:[LAYER]`
              caused by: its SHA-256 digest is [OTHER], and [LAYER] is expected
              hint: the file was replaced after its digest was recorded, or something on the way changed it
        "#]]);
    check(
        Reply::new(200, &blob[..blob.len() - 9]),
        expect![[r#"
        vpython: error: cannot use the interpreter from `oci://REGISTRY/team/python:3@sha256:[IMAGE]`
          caused by: cannot fetch `[INDEX]/v2/team/python/blobs/sha256:[LAYER]`
          caused by: the file has [SHORTER] bytes, and [SIZE] are expected
          hint: the file was replaced after its size was recorded, or something on the way changed it
    "#]],
    );
    // Then it works as if nothing had been.
    let registry = self::registry(|_| None);
    shown(fetching(&world, &registry).run(), &registry).prints(IN_STORE);
}

#[test]
fn many_processes_fetch_an_interpreter_once() {
    let world = World::new();
    let registry = registry(|_| None);
    let children: Vec<_> = (0..6)
        .map(|_| fetching(&world, &registry).stderr(Stdio::null()).spawn())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("/pythons/"), "{text}");
    }
    assert_eq!(
        registry.paths("GET").len(),
        2,
        "{:?}",
        registry.paths("GET")
    );
}

#[test]
fn a_killed_fetch_leaves_nothing_half() {
    let world = World::new();
    let registry = registry(|_| None);
    let image = Image::get();
    for tenths in [1, 4, 8, 12, 20] {
        let mut child = fetching(&world, &registry).spawn();
        std::thread::sleep(Duration::from_millis(tenths * 100));
        let _ = child.kill();
        let _ = child.wait();
        // What has its name is complete.
        let copy = image.copy(&world);
        if copy.exists() {
            assert!(copy.join("vpython-python.json").exists());
            let checked = world.vpython(["-vpython-tool", "check", "--all"]).run();
            assert_eq!(checked.code, Some(0), "{checked}");
        }
        shown(fetching(&world, &registry).run(), &registry).prints(IN_STORE);
        assert_eq!(names(&world.store("tmp")), [""; 0], "after {tenths}00 ms");
        std::fs::remove_dir_all(world.outside("root")).unwrap();
    }
}
