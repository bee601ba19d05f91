//! Registries as wheelhouses without a lock: their manifests say which wheels they have.

use expect_test::expect;
use serde_json::{Value, json};
use vpython::testing::fs::Digest;

use super::servers::{fetch, launch, redacted};
use super::{Layout, MANIFEST, TITLE, WHEELS, module};
use crate::support::http_server::Reply;
use crate::support::{Listed, OciRegistry, Outcome, PackageIndex, Wheel, World};

/// A world with a script that requires `a`, which requires `b`, and prints their versions.
fn world() -> World {
    let world = World::new();
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a, b\nprint(a.VERSION, b.VERSION)\n",
    );
    world
}

/// Puts wheels into a repository under a tag.
fn tag(registry: &OciRegistry, tag: &str, wheels: &[Wheel]) {
    let layers: Vec<Value> = wheels
        .iter()
        .map(|wheel| {
            let bytes = wheel.bytes();
            let layer = json!({
                "mediaType": "application/zip",
                "digest": format!("sha256:{}", Digest::of(&bytes)),
                "size": bytes.len(),
                "annotations": {TITLE: wheel.file_name()},
            });
            registry.put("team/wheels", None, "application/zip", &bytes);
            layer
        })
        .collect();
    tag_layers(registry, tag, WHEELS, &layers);
}

/// Puts a manifest of a type into a repository under a tag.
fn tag_layers(registry: &OciRegistry, tag: &str, artifact_type: &str, layers: &[Value]) {
    let config = json!({
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": format!("sha256:{}", Digest::of(b"{}")),
        "size": 2,
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": config,
        "layers": layers,
    });
    let bytes = manifest.to_string().into_bytes();
    registry.put("team/wheels", Some(tag), MANIFEST, &bytes);
}

/// The wheels that the script needs.
fn wheels() -> [Wheel; 2] {
    [
        Wheel::module("a", "1").requires("b"),
        Wheel::module("b", "2"),
    ]
}

/// Runs the script with a registry as its only wheelhouse.
fn run(world: &World, registry: &OciRegistry, repository: &str) -> Outcome {
    let reference = registry.reference(repository);
    let outcome = launch(world, &["-vpython-wheels", &reference, "tool.py"]).run();
    redacted(outcome, &[(&registry.server, "REGISTRY")])
}

#[test]
fn a_launch_finds_wheels_by_their_names_and_asks_no_index() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    tag(&registry, "v1", &wheels());
    // The only index cannot be reached.
    run(&world, &registry, "team/wheels:v1").expect(0, "1 2\n", "");
    let manifests = || {
        let paths = registry.paths("GET").into_iter();
        paths.filter(|path| path.contains("/manifests/")).count()
    };
    assert_eq!(manifests(), 1);
    // A warm launch asks nothing, and needs no permission.
    let asked = registry.paths("GET").len();
    let reference = registry.reference("team/wheels:v1");
    let warm = world.vpython(["-vpython-wheels", &reference, "tool.py"]);
    warm.run().expect(0, "1 2\n", "");
    assert_eq!(registry.paths("GET").len(), asked);
}

#[test]
fn without_a_tag_the_manifests_of_all_tags_count() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    let [a, b] = wheels();
    tag(&registry, "one", &[a]);
    tag(&registry, "two", &[b]);
    tag(&registry, "three", &[Wheel::module("c", "1")]);
    // An image in the same repository has no wheels.
    tag_layers(
        &registry,
        "zero",
        "application/vnd.oci.image.config.v1+json",
        &[],
    );
    run(&world, &registry, "team/wheels").expect(0, "1 2\n", "");
    // Of wheels with one name, that of `latest` is used.
    let other = |text: &str| Wheel::new("b", "2").file("b.py", format!("VERSION = '{text}'\n"));
    tag(&registry, "a-first", &[other("first")]);
    tag(&registry, "latest", &[other("latest")]);
    let throw_away = ["-vpython-root=", "-vpython-wheels"];
    let reference = registry.reference("team/wheels");
    let words = [&throw_away[..], &[&reference, "tool.py"]].concat();
    launch(&world, &words).run().expect(0, "1 latest\n", "");
}

#[test]
fn what_is_not_the_name_of_a_wheel_is_skipped() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    tag(&registry, "v1", &wheels());
    let evil = Wheel::module("b", "9").bytes();
    let digest = format!("sha256:{}", Digest::of(&evil));
    registry.put("team/wheels", None, "application/zip", &evil);
    let titles = [
        "../b-9-py3-none-any.whl",
        "x/b-9-py3-none-any.whl",
        "b-9.zip",
        "",
    ];
    let layers: Vec<Value> = titles
        .iter()
        .map(|title| {
            json!({
                "mediaType": "application/zip",
                "digest": digest,
                "size": evil.len(),
                "annotations": {TITLE: title},
            })
        })
        .collect();
    tag_layers(&registry, "latest", WHEELS, &layers);
    run(&world, &registry, "team/wheels").expect(0, "1 2\n", "");
}

#[test]
fn directories_and_indexes_are_used_too() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    let [a, b] = wheels();
    tag(&registry, "v1", std::slice::from_ref(&a));
    let reference = registry.reference("team/wheels:v1");
    let words = ["-vpython-root=", "-vpython-wheels", &reference, "tool.py"];
    // What the registry lacks is in a directory.
    world.wheel(&b);
    launch(&world, &words).run().expect(0, "1 2\n", "");
    // Or on an index, which is asked now, and whose higher version of `a` counts.
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    let higher = Wheel::module("a", "3").requires("b");
    let index = PackageIndex::start([&higher, &b].map(Listed::wheel).to_vec());
    let run = launch(&world, &words).env("PIP_INDEX_URL", index.url());
    run.run().expect(0, "3 2\n", "");
    // If nothing has it, the error names the registry.
    let outcome = launch(&world, &words).env("PIP_NO_INDEX", "1").run();
    redacted(outcome, &[(&registry.server, "REGISTRY")]).refuses(
        125,
        expect![[r#"
            vpython: error: no wheel in `oci://REGISTRY/team/wheels:v1` or on the package index fits `b` (required by `a` 1, `a-1-py3-none-any.whl`)
              caused by: `a` is required in `[WORLD]/work/tool.py`, line 2
              caused by: no package index is asked for `b`, because of `PIP_NO_INDEX`
              hint: check the name of the project, and the index (`PIP_INDEX_URL`, `index` in the spec)
        "#]],
    );
}

#[test]
fn a_registry_that_cannot_be_read_ends_the_run() {
    let world = world();
    let registry = OciRegistry::start(|request| {
        let is_closed = request.path.starts_with("/v2/closed/");
        is_closed.then(|| Reply::new(403, ""))
    });
    tag(&registry, "v1", &wheels());
    run(&world, &registry, "closed/wheels").refuses(
        125,
        expect![[r#"
            vpython: error: cannot read the wheelhouse `oci://REGISTRY/closed/wheels`
              caused by: cannot fetch `[INDEX]/v2/closed/wheels/tags/list?...`
              caused by: the server answered 403 Forbidden
              hint: log in: `docker login REGISTRY` or `skopeo login REGISTRY`; vpython found no login in `[WORLD]/home/.docker/config.json`, `[WORLD]/home/.config/containers/auth.json`
        "#]],
    );
    // One that has no such tag or repository is skipped. The index is the next source.
    let [a, b] = wheels();
    let index = PackageIndex::start([&a, &b].map(Listed::wheel).to_vec());
    for repository in ["team/wheels:v2", "team/nothing"] {
        let reference = registry.reference(repository);
        let words = ["-vpython-root=", "-vpython-wheels", &reference, "tool.py"];
        let outcome = launch(&world, &words)
            .env("PIP_INDEX_URL", index.url())
            .run();
        let outcome = redacted(outcome, &[(&registry.server, "REGISTRY")]);
        let warning = format!(
            "vpython: warning: the registry has no `oci://REGISTRY/{repository}`; this wheelhouse is skipped\n"
        );
        let of_blobs = |line: &&str| !line.contains("/blobs/");
        let stderr: Vec<&str> = outcome.stderr.lines().filter(of_blobs).collect();
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(0), "1 2\n"),
            "{outcome}"
        );
        assert_eq!(stderr.join("\n") + "\n", warning);
    }
    // A tag of another kind is a mistake.
    tag_layers(
        &registry,
        "image",
        "application/vnd.oci.image.config.v1+json",
        &[],
    );
    run(&world, &registry, "team/wheels:image").refuses(
        125,
        expect![[r#"
            vpython: error: cannot read the wheelhouse `oci://REGISTRY/team/wheels:image`
              caused by: the tag `image` of `REGISTRY/team/wheels` is not of the type `application/vnd.vpython.wheels.v1`
              hint: name another tag, or none to use all manifests of this type
        "#]],
    );
}

#[test]
fn a_repository_with_too_many_tags_is_refused() {
    let world = world();
    let registry = OciRegistry::start(|request| {
        let is_list = request.path.contains("/tags/list");
        let tags: Vec<String> = (0..600).map(|number| format!("t{number}")).collect();
        is_list.then(|| Reply::new(200, json!({ "tags": tags }).to_string()))
    });
    run(&world, &registry, "team/wheels").refuses(
        125,
        expect![[r#"
            vpython: error: cannot read the wheelhouse `oci://REGISTRY/team/wheels`
              caused by: the repository `REGISTRY/team/wheels` has more than 512 tags
              hint: name one by its tag
        "#]],
    );
    let paths = registry.paths("GET");
    assert_eq!(paths, ["/v2/team/wheels/tags/list?n=513"]);
}

#[test]
fn a_large_manifest_is_refused() {
    let world = world();
    let registry = OciRegistry::start(|request| {
        let is_manifest = request.path.contains("/manifests/");
        is_manifest.then(|| Reply::new(200, vec![b' '; (4 << 20) + 1]))
    });
    run(&world, &registry, "team/wheels:v1").refuses(
        125,
        expect![[r#"
            vpython: error: cannot read the wheelhouse `oci://REGISTRY/team/wheels:v1`
              caused by: cannot fetch `[INDEX]/v2/team/wheels/manifests/v1`
              caused by: the answer is larger than the limit of 4 MiB
        "#]],
    );
}

#[test]
fn a_lock_has_the_digests_of_the_wheels_and_no_url() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    tag(&registry, "v1", &wheels());
    let reference = registry.reference("team/wheels:v1");
    let words = [
        "-vpython-wheels",
        &reference,
        "-vpython-tool",
        "lock",
        "tool.py",
    ];
    let lock = launch(&world, &words).env("PIP_NO_INDEX", "1").run();
    assert_eq!(lock.code, Some(0), "{lock}");
    let text = std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    let digest = Digest::of(&wheels()[0].bytes()).to_string();
    assert!(text.contains(&digest) && !text.contains("url"), "{text}");
    // A layout with the same wheels gives the same lock.
    std::fs::remove_file(world.path("pylock.tool.toml")).unwrap();
    Layout::of(&world, &wheels());
    let words = [
        "-vpython-wheels",
        "oci:layout",
        "-vpython-tool",
        "lock",
        "tool.py",
    ];
    assert_eq!(world.vpython(words).run().code, Some(0));
    let same = std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    assert_eq!(same, text);
    // With the lock, no manifest is read.
    let asked = registry.paths("GET").len();
    run(&world, &registry, "team/wheels:v1").expect(0, "1 2\n", "");
    let paths = registry.paths("GET");
    assert_eq!(paths.len() - asked, 2);
    assert!(
        paths[asked..].iter().all(|path| path.contains("/blobs/")),
        "{paths:?}"
    );
}

#[test]
fn fetch_brings_wheels_that_were_found_by_name() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    tag(&registry, "v1", &wheels());
    let reference = registry.reference("team/wheels:v1");
    fetch(&world, &reference);
    for wheel in wheels() {
        let file = world.path(&format!("new/{}", wheel.file_name()));
        assert_eq!(std::fs::read(file).unwrap(), wheel.bytes());
    }
    // What is present is enough: no manifest is read again.
    let asked = registry.paths("GET").len();
    fetch(&world, &reference);
    assert_eq!(registry.paths("GET").len(), asked);
}

#[test]
fn an_upgrade_asks_the_indexes_too() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    tag(&registry, "v1", &wheels());
    let higher = Wheel::module("a", "3").requires("b");
    let index = PackageIndex::start(vec![Listed::wheel(&higher)]);
    let reference = registry.reference("team/wheels:v1");
    let words = ["-vpython-wheels", "new", "-vpython-wheels", &reference];
    let fetch = |option: &[&str]| {
        let words = [&words[..], &["-vpython-tool", "fetch", "tool.py"], option].concat();
        let outcome = launch(&world, &words).env("PIP_INDEX_URL", index.url());
        let outcome = outcome.run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let names = std::fs::read_dir(world.path("new")).unwrap();
        let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let of_registry = ["a-1-py3-none-any.whl", "b-2-py3-none-any.whl"];
    assert_eq!(fetch(&[]), of_registry);
    assert_eq!(index.server.paths(), [""; 0]);
    let upgraded = [of_registry[0], "a-3-py3-none-any.whl", of_registry[1]];
    assert_eq!(fetch(&["--upgrade"]), upgraded);
}

#[test]
fn wheels_of_a_damaged_registry_are_not_installed() {
    let world = world();
    let registry = OciRegistry::start(|_| None);
    tag(&registry, "v1", &wheels());
    let digest = format!("sha256:{}", Digest::of(&module("b", "2").0.bytes()));
    registry.damage("team/wheels", &digest);
    let outcome = run(&world, &registry, "team/wheels:v1");
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(
        outcome.stderr.contains("its SHA-256 digest is"),
        "{outcome}"
    );
}
