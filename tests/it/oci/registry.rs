//! `-vpython-tool push` to registries.

use expect_test::expect;
use serde_json::{Value, json};
use vpython::testing::fs::Digest;

use super::{MANIFEST, TITLE, WHEELS};
use crate::support::http_server::Reply;
use crate::support::{OciRegistry, Outcome, Wheel, World};

/// A world with two wheels, and a script that requires them.
fn world() -> World {
    let world = World::new();
    for (name, version) in [("a", "1"), ("b", "2")] {
        world.wheel(&Wheel::module(name, version));
    }
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a', 'b']\n# ///\n",
    );
    world
}

/// Pushes the wheels of the script.
fn push(world: &World, registry: &OciRegistry, repository: &str) -> Outcome {
    let reference = registry.reference(repository);
    world
        .vpython(["-vpython-tool", "push", &reference, "tool.py"])
        .run()
        .replacing(&registry.server.address().to_string(), "REGISTRY")
}

#[test]
fn wheels_are_sent_to_a_registry_once() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    let first = push(&world, &registry, "team/wheels:v1");
    let manifest = registry.bytes("team/wheels", "v1");
    let digest = format!("sha256:{}\n", Digest::of(&manifest));
    let sizes: u64 = ["a-1", "b-2"]
        .map(|name| world.path(&format!("wheels/{name}-py3-none-any.whl")))
        .map(|path| path.metadata().unwrap().len())
        .iter()
        .sum();
    let summary = format!(
        "vpython: 2 wheels in `oci://REGISTRY/team/wheels:v1`: 2 new, {}\n",
        bytesize::ByteSize::b(sizes)
    );
    first.expect(0, &*digest, &*summary);
    let document: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(document["artifactType"], WHEELS);
    for (layer, name) in document["layers"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["a-1", "b-2"])
    {
        let file = format!("{name}-py3-none-any.whl");
        let wheel = std::fs::read(world.path(&format!("wheels/{file}"))).unwrap();
        let expected = json!({
            "mediaType": "application/zip",
            "digest": format!("sha256:{}", Digest::of(&wheel)),
            "size": wheel.len(),
            "annotations": {TITLE: file},
        });
        assert_eq!(*layer, expected);
        assert_eq!(
            registry.bytes("team/wheels", layer["digest"].as_str().unwrap()),
            wheel
        );
    }
    let empty = document["config"]["digest"].as_str().unwrap();
    assert_eq!(registry.bytes("team/wheels", empty), b"{}");
    // The tag that is derived from the wheels comes before the named one.
    let manifests = |registry: &OciRegistry| {
        let mut put = registry.paths("PUT");
        put.retain(|path| path.contains("/manifests/"));
        put
    };
    let put = manifests(&registry);
    assert_eq!(put.len(), 2);
    assert!(
        put[0].starts_with("/v2/team/wheels/manifests/lock-"),
        "{put:?}"
    );
    assert_eq!(put[1], "/v2/team/wheels/manifests/v1");
    let kinds = registry.server.received().into_iter();
    let kinds: Vec<String> = kinds
        .filter(|request| put.contains(&request.path))
        .map(|request| request.header("content-type").to_owned())
        .collect();
    assert_eq!(kinds, [MANIFEST; 2]);
    // A layout gets the same manifest.
    let layout = world
        .vpython(["-vpython-tool", "push", "oci:layout", "tool.py"])
        .run();
    assert_eq!(layout.stdout, digest);
    // A second time, no blob is sent.
    let posts = registry.paths("POST").len();
    push(&world, &registry, "team/wheels:v1").expect(
        0,
        &*digest,
        "vpython: 2 wheels in `oci://REGISTRY/team/wheels:v1`: none of them new\n",
    );
    assert_eq!(registry.paths("POST").len(), posts);
}

#[test]
fn a_registry_that_refuses_wheels_gets_no_manifest() {
    let world = world();
    let registry = OciRegistry::start(|request| {
        let is_wheel = request.method == "PUT" && request.body.starts_with(b"PK");
        is_wheel.then(|| Reply::new(403, ""))
    });
    let refused = push(&world, &registry, "team/wheels");
    refused.refuses(125, expect![[r#"
        vpython: error: cannot push to `oci://REGISTRY/team/wheels`
          caused by: cannot upload to `[INDEX]/v2/team/wheels/blobs/uploads/`
          caused by: the request for `[INDEX]/v2/team/wheels/blobs/uploads/1?...` failed
          caused by: the server answered 403 Forbidden
          hint: log in: `docker login REGISTRY` or `skopeo login REGISTRY`; vpython found no login in `[WORLD]/home/.docker/config.json`, `[WORLD]/home/.config/containers/auth.json`
    "#]]);
    assert!(
        !registry
            .paths("PUT")
            .iter()
            .any(|path| path.contains("manifests"))
    );
    // Nothing is built for a registry that refuses uploads.
    let closed =
        OciRegistry::start(|request| (request.method != "HEAD").then(|| Reply::new(403, "")));
    let reference = closed.reference("team/wheels");
    let words = ["-vpython-tool", "push", "--built", &reference, "tool.py"];
    let built = world.vpython(words).run();
    let built = built.replacing(&closed.server.address().to_string(), "REGISTRY");
    built.refuses(125, expect![[r#"
        vpython: error: cannot push to `oci://REGISTRY/team/wheels`
          caused by: cannot upload to `[INDEX]/v2/team/wheels/blobs/uploads/`
          caused by: the server answered 403 Forbidden
          hint: log in: `docker login REGISTRY` or `skopeo login REGISTRY`; vpython found no login in `[WORLD]/home/.docker/config.json`, `[WORLD]/home/.config/containers/auth.json`
    "#]]);
    assert_eq!(
        world.leftovers(),
        [""; 0].map(std::path::PathBuf::from),
        "no wheel is unpacked"
    );
    let digest = format!("team/wheels@sha256:{}", "0".repeat(64));
    push(&world, &registry, &digest).refuses(125, expect![[r#"
        vpython: error: cannot push to `oci://REGISTRY/team/wheels@sha256:0000000000000000000000000000000000000000000000000000000000000000`
          caused by: the digest of the manifest follows from the wheels
          hint: name a tag, or none: `oci://HOST/REPO:TAG`
    "#]]);
    let offline = world
        .vpython(["-vpython-offline", "-vpython-tool", "push"])
        .arguments(["oci://registry.example/x", "tool.py"])
        .run();
    offline.refuses(
        125,
        expect![[r#"
        vpython: error: cannot push to `oci://registry.example/x`
          caused by: registries need the network, which is forbidden
          caused by: `-vpython-offline` or `VPYTHON_OFFLINE` is set
    "#]],
    );
}
