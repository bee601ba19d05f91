//! Images that are sent to a registry, and unpacked from there.

use expect_test::expect;
use serde_json::Value;

use super::base::{architecture, base};
use super::{is_alive, parse, sha256};
use crate::pack::{pack, world};
use crate::support::http_server::Reply;
use crate::support::{OciRegistry, Outcome, World};

const PREFIX: [&str; 2] = ["--prefix", "/opt/app"];

/// Unpacks an image into the directory `env`.
fn unpack(world: &World, image: &str) -> Outcome {
    let directory = world.outside("env");
    let words = ["unpack", image, directory.to_str().unwrap()];
    world.vpython(["-vpython-tool"]).arguments(words).run()
}

/// The digests of the layers in a manifest.
fn layers(manifest: &[u8]) -> Vec<String> {
    let manifest = parse(manifest);
    let layers = manifest["layers"].as_array().unwrap().iter();
    let digest = |layer: &Value| layer["digest"].as_str().unwrap().to_owned();
    layers.map(digest).collect()
}

#[test]
fn an_image_is_sent_to_a_registry_and_unpacked_from_there() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    let reference = registry.reference("team/app:1.0");
    let push = || pack(&world, &reference, &PREFIX);
    let first = push();
    let digest = sha256(&registry.bytes("team/app", "1.0"));
    let printed = format!("sha256:{digest}\n");
    first.expect(0, &*printed, &*world.interpreter_warning());
    // It is the image that `pack` writes into a directory.
    let layout = super::packed(&world, "app.oci", &PREFIX);
    let index = parse(&std::fs::read(layout.join("index.json")).unwrap());
    assert_eq!(index["manifests"][0]["digest"], printed.trim_end());
    // A second time, only the manifest is sent.
    let sent = registry.paths("PUT").len();
    push().expect(0, &*printed, &*world.interpreter_warning());
    assert_eq!(registry.paths("PUT").len(), sent + 1);
    // Without one of the wheels, the skeleton, the configuration and the manifest are new.
    world.write("vpython.toml", "dependencies = ['some']\n");
    let latest = registry.reference("team/app");
    pack(&world, &latest, &PREFIX).succeeds_with(&*world.interpreter_warning());
    let put = registry.paths("PUT");
    assert_eq!(put.len(), sent + 1 + 3, "{put:?}");
    assert_eq!(put.last().unwrap(), "/v2/team/app/manifests/latest");
    let pinned = registry.reference(&format!("team/app@sha256:{digest}"));
    for image in [&reference, &pinned] {
        unpack(&world, image).prints("[WORLD]/env\n");
        is_alive(&world.outside("env"));
    }
    // A second time, only the manifest is.
    let read = registry.paths("GET").len();
    unpack(&world, &reference).prints("[WORLD]/env\n");
    assert_eq!(registry.paths("GET").len(), read + 1);
}

/// The layers of an image in a registry that were requested since `from` requests.
fn layers_read(registry: &OciRegistry, from: usize) -> Vec<String> {
    let paths = registry.paths("GET").split_off(from);
    let digest = |path: &String| Some(path.rsplit_once("/blobs/")?.1.to_owned());
    paths.iter().filter_map(digest).collect()
}

#[test]
fn layers_that_the_store_has_are_not_downloaded_again() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    let send = |tag: &str| {
        let reference = registry.reference(&format!("team/app:{tag}"));
        pack(&world, &reference, &PREFIX).succeeds_with(&*world.interpreter_warning());
        (reference, layers(&registry.bytes("team/app", tag)))
    };
    let (first, of_first) = send("1");
    unpack(&world, &first).prints("[WORLD]/env\n");
    // The next image shares the layer of a wheel.
    world.write("vpython.toml", "dependencies = ['some']\n");
    let (second, of_second) = send("2");
    let mut new = of_second.clone();
    new.retain(|layer| !of_first.contains(layer));
    assert!(!new.is_empty() && new.len() < of_second.len(), "{new:?}");
    let from = registry.paths("GET").len();
    unpack(&world, &second).prints("[WORLD]/env\n");
    let mut read = layers_read(&registry, from);
    read.sort();
    new.sort();
    assert_eq!(read, new);
    // One that is damaged, or no file at all, is downloaded again.
    let kept = |layer: &str| {
        let digest = layer.trim_start_matches("sha256:");
        world.store("layers/blobs/sha256").join(digest)
    };
    let (flipped, replaced) = (&of_first[0], &of_first[1]);
    let mut bytes = std::fs::read(kept(flipped)).unwrap();
    bytes[0] ^= 1;
    std::fs::write(kept(flipped), bytes).unwrap();
    std::fs::remove_file(kept(replaced)).unwrap();
    std::fs::create_dir(kept(replaced)).unwrap();
    // A killed download has left this.
    let leftover = kept(".new-1");
    std::fs::write(&leftover, "part").unwrap();
    let from = registry.paths("GET").len();
    unpack(&world, &first).prints("[WORLD]/env\n");
    let mut read = layers_read(&registry, from);
    read.sort();
    let mut damaged = vec![flipped.clone(), replaced.clone()];
    damaged.sort();
    assert_eq!(read, damaged);
    assert!(!leftover.exists());
    is_alive(&world.outside("env"));
}

#[test]
fn layers_are_pruned() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    let reference = registry.reference("app:1");
    pack(&world, &reference, &PREFIX).succeeds_with(&*world.interpreter_warning());
    unpack(&world, &reference).prints("[WORLD]/env\n");
    let kept = || {
        std::fs::read_dir(world.store("layers/blobs/sha256"))
            .unwrap()
            .count()
    };
    let count = layers(&registry.bytes("app", "1")).len();
    assert_eq!(kept(), count);
    let prune = |words: &[&str]| {
        let outcome = world
            .vpython(["-vpython-tool", "prune"])
            .arguments(words)
            .run();
        assert_eq!(outcome.stderr, "");
        outcome.stdout
    };
    // What was used lately stays, and goes first if the store is too large.
    assert!(!prune(&["--older-than", "1h"]).contains("of images"));
    let of_image = prune(&["--dry-run", "--older-than", "1h", "--max-size", "100MiB"]);
    assert!(!of_image.contains("of images"), "{of_image}");
    let found = prune(&["--dry-run", "--older-than", "1h", "--max-size", "1B"]);
    assert!(
        found.contains(&format!("{count} layers of images")),
        "{found}"
    );
    assert_eq!(kept(), count);
    let all = prune(&["--all"]);
    assert!(all.contains(&format!("{count} layers of images")), "{all}");
    assert_eq!(kept(), 0);
}

#[test]
fn an_image_is_unpacked_without_a_store() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    let reference = registry.reference("app:1");
    pack(&world, &reference, &PREFIX).succeeds_with(&*world.interpreter_warning());
    let directory = world.outside("env");
    let outcome = world
        .vpython([
            "-vpython-root",
            "/dev/null/store",
            "-vpython-tool",
            "unpack",
            &reference,
        ])
        .arguments([directory.to_str().unwrap()])
        .run();
    outcome.prints("[WORLD]/env\n");
    is_alive(&directory);
}

#[test]
fn the_layers_of_a_base_stay_in_its_registry() {
    let world = world();
    base(&world, "base", architecture(), 1);
    let (registry, other) = (OciRegistry::start(|_| None), OciRegistry::start(|_| None));
    for registry in [&registry, &other] {
        registry.load(&world.path("base"), "library/base", "12");
    }
    let push = |registry: &OciRegistry, base: &OciRegistry| {
        let base = base.reference("library/base:12");
        let output = registry.reference("app:1");
        let options = [&PREFIX[..], &["--base", &base]].concat();
        pack(&world, &output, &options).succeeds_with(&*world.interpreter_warning());
        registry.bytes("app", "1")
    };
    let manifest = push(&registry, &registry);
    let bottom = &layers(&manifest)[0];
    let get = |registry: &OciRegistry| registry.paths("GET");
    // The layer was mounted: nobody has read it.
    assert_eq!(registry.bytes("app", bottom), b"a layer");
    assert!(!get(&registry).iter().any(|path| path.ends_with(bottom)));
    // An image on disk, and one in another registry, have copies of it.
    let reference = registry.reference("library/base:12");
    let options = [&PREFIX[..], &["--base", &reference]].concat();
    let layout = super::packed(&world, "app.oci", &options);
    let path = format!("blobs/sha256/{}", bottom.trim_start_matches("sha256:"));
    assert_eq!(std::fs::read(layout.join(path)).unwrap(), b"a layer");
    assert_eq!(push(&other, &registry), manifest);
    assert_eq!(other.bytes("app", bottom), b"a layer");
}

#[test]
fn what_a_registry_does_wrong_is_reported() {
    let world = world();
    let registry = OciRegistry::start(|request| {
        let is_closed = request.path.contains("/v2/closed/");
        is_closed.then(|| Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x"))
    });
    let message = |outcome: Outcome, expected: expect_test::Expect| {
        outcome
            .replacing(&registry.server.address().to_string(), "REGISTRY")
            .refuses(125, expected);
    };
    message(
        unpack(&world, &registry.reference("app:1")),
        expect![[r#"
            vpython: error: cannot unpack `oci://REGISTRY/app:1`
              caused by: the registry `REGISTRY` has no tag `1` in `app`
              hint: check the repository name and the tag
        "#]],
    );
    let closed = registry.reference("closed/app:1");
    message(
        unpack(&world, &closed),
        expect![[r#"
        vpython: error: cannot unpack `oci://REGISTRY/closed/app:1`
          caused by: cannot fetch `[INDEX]/v2/closed/app/manifests/1`
          caused by: the server answered 401 Unauthorized
          hint: log in: `docker login REGISTRY` or `skopeo login REGISTRY`; vpython found no login in `[WORLD]/home/.docker/config.json`, `[WORLD]/home/.config/containers/auth.json`
    "#]],
    );
    pack(&world, &registry.reference("app:1"), &PREFIX)
        .succeeds_with(&*world.interpreter_warning());
    let damaged = &layers(&registry.bytes("app", "1"))[0];
    registry.damage("app", damaged);
    let outcome = unpack(&world, &registry.reference("app:1"));
    let found = sha256(&registry.bytes("app", damaged));
    message(
        outcome
            .replacing(damaged.trim_start_matches("sha256:"), "DIGEST")
            .replacing(&found, "FOUND"),
        expect![[r#"
            vpython: error: cannot unpack `oci://REGISTRY/app:1`
              caused by: cannot fetch `[INDEX]/v2/app/blobs/sha256:DIGEST`
              caused by: its SHA-256 digest is FOUND, and DIGEST is expected
              hint: the file was replaced after its digest was recorded, or something on the way changed it
        "#]],
    );
    assert!(!world.outside("env").exists());
    let offline = world
        .vpython(["-vpython-offline", "-vpython-tool", "pack", "--output"])
        .arguments([&closed])
        .run();
    message(
        offline,
        expect![[r#"
        vpython: error: cannot send the image to `oci://REGISTRY/closed/app:1`
          caused by: registries need the network, which is forbidden
          caused by: `-vpython-offline` or `VPYTHON_OFFLINE` is set
    "#]],
    );
    // Before anything is built.
    let refused = pack(&world, &closed, &[]).replacing(&world.interpreter_warning(), "");
    message(
        refused,
        expect![[r#"
        vpython: error: cannot send the image to `oci://REGISTRY/closed/app:1`
          caused by: cannot upload to `[INDEX]/v2/closed/app/blobs/uploads/`
          caused by: the server answered 401 Unauthorized
          hint: log in: `docker login REGISTRY` or `skopeo login REGISTRY`; vpython found no login in `[WORLD]/home/.docker/config.json`, `[WORLD]/home/.config/containers/auth.json`
    "#]],
    );
}

#[test]
fn an_invalid_destination_is_refused() {
    let world = world();
    let refuses = |output: &str, expected: expect_test::Expect| {
        pack(&world, output, &[]).refuses(125, expected);
    };
    let digest = "0".repeat(64);
    refuses(
        &format!("oci://registry.example/app@sha256:{digest}"),
        expect![[r#"
            vpython: error: cannot pack `oci://registry.example/app@sha256:0000000000000000000000000000000000000000000000000000000000000000`
              caused by: the digest of an image is known when it is complete
              hint: name a tag: `oci://HOST/REPO:TAG`
        "#]],
    );
    refuses(
        "oci:app",
        expect![[r#"
        vpython: error: cannot pack `oci:app`
          caused by: `oci:` names an image layout that exists
          hint: name a directory `NAME.oci` or a file `NAME.oci.tar`
    "#]],
    );
    refuses(
        "oci://x",
        expect![[r#"
        vpython: error: cannot pack `oci://x`
          caused by: it names no repository after the host
    "#]],
    );
    refuses(
        "oci://x/A",
        expect![[r#"
        vpython: error: cannot pack `oci://x/A`
          caused by: `A` is not a repository: its names consist of lower-case letters, digits and single `.`, `_` and `-`
    "#]],
    );
}
