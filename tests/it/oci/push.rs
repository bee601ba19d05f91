//! `-vpython-tool push` to image layouts on disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use expect_test::expect;
use serde_json::{Value, json};
use vpython::testing::fs::Digest;

use super::{Layout, TAG, TITLE, WHEELS, blob, module};
use crate::support::{Outcome, Wheel, World, tree};

/// A world with two wheels, and a script that requires them.
pub(super) fn world() -> World {
    let world = World::new();
    for (name, version) in [("a", "1"), ("b", "2")] {
        world.wheel(&Wheel::module(name, version));
    }
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a', 'b']\n# ///\nimport a, b\nprint(a.VERSION, b.VERSION)\n",
    );
    world
}

pub(super) fn push(world: &World, words: &[&str]) -> Outcome {
    let words = ["-vpython-tool", "push"].iter().chain(words);
    world.vpython(words).run()
}

/// Pushes successfully, and returns the digest of the manifest.
#[track_caller]
pub(super) fn pushed(world: &World, words: &[&str]) -> String {
    let outcome = push(world, words);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let digest = outcome.stdout.trim_end().strip_prefix("sha256:");
    digest.unwrap_or_else(|| panic!("{outcome}")).to_owned()
}

pub(super) fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The manifests that a layout lists, each with its tag.
pub(super) fn tags(layout: &Path) -> Vec<(String, String)> {
    let index = read(&layout.join("index.json"));
    let manifests = index["manifests"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    manifests
        .iter()
        .map(|manifest| {
            (
                text(&manifest["annotations"][TAG]),
                text(&manifest["digest"]),
            )
        })
        .collect()
}

#[test]
fn the_wheels_of_a_lock_are_pushed_whole_and_a_launch_finds_them_there() {
    let world = world();
    world.vpython(["-vpython-tool", "lock", "tool.py"]).run();
    let ((a, of_a), (b, of_b)) = (module("a", "1"), module("b", "2"));
    let outcome = push(&world, &["oci:layout:v1", "tool.py"]);
    let digest = outcome
        .stdout
        .trim_end()
        .strip_prefix("sha256:")
        .unwrap()
        .to_owned();
    let size = a.bytes().len() + b.bytes().len();
    outcome.expect(
        0,
        &*format!("sha256:{digest}\n"),
        &*format!(
            "vpython: 2 wheels in `oci:[WORLD]/work/layout:v1`: 2 new, {}\n",
            shown(size)
        ),
    );
    let layout = world.path("layout");
    let layer = |wheel: &Wheel, digest: &str| {
        json!({
            "mediaType": "application/zip",
            "digest": format!("sha256:{digest}"),
            "size": wheel.bytes().len(),
            "annotations": { TITLE: wheel.file_name() },
        })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": WHEELS,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [layer(&a, &of_a), layer(&b, &of_b)],
    });
    assert_eq!(read(&blob(&layout, &digest)), manifest);
    let mut lines = [format!("{of_a}\n"), format!("{of_b}\n")];
    lines.sort();
    let of_wheels = Digest::of(lines.concat().as_bytes()).to_string();
    let listed = |tag: &str| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha256:{digest}"),
            "size": std::fs::metadata(blob(&layout, &digest)).unwrap().len(),
            "annotations": { TAG: tag },
            "artifactType": WHEELS,
        })
    };
    let of_lock = format!("lock-{}", &of_wheels[..40]);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [listed(&of_lock), listed("v1")],
    });
    assert_eq!(read(&layout.join("index.json")), index);
    let mark = read(&layout.join("oci-layout"));
    assert_eq!(mark, json!({ "imageLayoutVersion": "1.0.0" }));
    for path in [
        blob(&layout, &of_a),
        layout.join("index.json"),
        layout.join("oci-layout"),
    ] {
        assert_eq!(
            path.metadata().unwrap().mode() & 0o7777,
            0o644,
            "{}",
            path.display()
        );
    }
    // Nothing else is needed for a launch, with the lock or without.
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    for tag in ["", ":v1", &format!(":{of_lock}")] {
        let launch = world.vpython(["tool.py"]);
        launch
            .env("VPYTHON_WHEELS", format!("oci:layout{tag}"))
            .run()
            .prints("1 2\n");
        std::fs::remove_dir_all(world.outside("root")).unwrap();
    }
    std::fs::remove_file(world.path("pylock.tool.toml")).unwrap();
    let launch = world.vpython(["-vpython-wheels=oci:layout", "tool.py"]);
    launch.run().prints("1 2\n");
    // From one layout to another, without a lock.
    let words = [
        "-vpython-wheels=oci:layout",
        "-vpython-tool",
        "push",
        "oci:other",
        "tool.py",
    ];
    let outcome = world.vpython(words).run();
    assert_eq!(outcome.stdout, format!("sha256:{digest}\n"), "{outcome}");
}

/// A number of bytes as `push` shows it.
fn shown(size: usize) -> String {
    bytesize::ByteSize::b(size as u64).to_string()
}

#[test]
fn a_second_push_writes_nothing() {
    let world = world();
    let digest = pushed(&world, &["oci:layout:v1", "tool.py"]);
    let before = tree(&world.path("layout"));
    let outcome = push(&world, &["oci:layout:v1", "tool.py"]);
    outcome.expect(
        0,
        &*format!("sha256:{digest}\n"),
        "vpython: 2 wheels in `oci:[WORLD]/work/layout:v1`: nothing new\n",
    );
    assert_eq!(tree(&world.path("layout")), before);
    let outcome = push(&world, &["oci:layout:v2", "tool.py"]);
    outcome.succeeds_with("vpython: 2 wheels in `oci:[WORLD]/work/layout:v2`: none of them new\n");
    assert_eq!(tags(&world.path("layout")).len(), 3);
    let outcome = push(
        &world,
        &["-vpython-log-level=error", "oci:layout:v1", "tool.py"],
    );
    outcome.prints(&*format!("sha256:{digest}\n"));
}

#[test]
fn other_manifests_of_a_layout_stay_as_they_are() {
    let world = world();
    let mut layout = Layout::new(world.path("layout"));
    layout.tag_layers("image", "application/vnd.example", &[]);
    layout.tag_layers("registry.example/app:v1", "application/vnd.example", &[]);
    layout.manifests[0]["urls"] = json!(["https://registry.example/"]);
    layout.write_index();
    let digest = format!("sha256:{}", pushed(&world, &["oci:layout:v1", "tool.py"]));
    let index = read(&layout.path.join("index.json"));
    assert_eq!(index["manifests"][0], layout.manifests[0]);
    // The tag moves, also from a full name with the tag at its end.
    let found = tags(&layout.path);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[2], ("v1".to_owned(), digest));
    // A newer wheel moves it again, and the older one keeps its own tag.
    world.wheel(&Wheel::module("a", "3"));
    let newer = format!("sha256:{}", pushed(&world, &["oci:layout:v1", "tool.py"]));
    let found = tags(&layout.path);
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(found[3], ("v1".to_owned(), newer));
    assert!(
        found[1].0.starts_with("lock-") && found[2].0.starts_with("lock-"),
        "{found:?}"
    );
}

#[test]
fn the_files_of_a_lock_for_other_platforms_are_pushed_too() {
    let world = World::new();
    let built = |tag: &str| Wheel::module("a", "1").tag(tag);
    let here = built("py3-none-linux_x86_64");
    for wheel in [
        &here,
        &built("py3-none-win_amd64"),
        &built("py3-none-win32"),
    ] {
        world.wheel(wheel);
    }
    world.write(
        "vpython.toml",
        "dependencies = ['a']\n[tool.vpython]\nplatforms = ['linux_x86_64', 'win_amd64', 'win32']\n",
    );
    let locked = world.vpython(["-vpython-tool", "lock"]).run();
    assert_eq!(locked.code, Some(0), "{locked}");
    let digest = pushed(&world, &["oci:layout", "vpython.toml"]);
    let manifest = read(&blob(&world.path("layout"), &digest));
    let layers = manifest["layers"].as_array().unwrap();
    let titles: Vec<&str> = layers
        .iter()
        .map(|layer| layer["annotations"][TITLE].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        [
            "a-1-py3-none-linux_x86_64.whl",
            "a-1-py3-none-win32.whl",
            "a-1-py3-none-win_amd64.whl"
        ]
    );
    // One that a platform of the spec needs is missing.
    std::fs::remove_file(world.path("wheels/a-1-py3-none-win32.whl")).unwrap();
    let outcome = push(&world, &["oci:layout", "vpython.toml"]);
    let sha256 = Digest::of(&built("py3-none-win32").bytes()).to_string();
    outcome
        .replacing(&sha256, "[DIGEST]")
        .refuses(125, expect![[r#"
            vpython: error: the wheels for win32 are not complete
              caused by: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`
              caused by: `a-1-py3-none-win32.whl` (842 bytes, sha256 `[DIGEST]`) is not in `[WORLD]/work/wheels` (`[WORLD]/work/pylock.vpython.toml`, line 18)
              hint: fetch what is missing: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]]);
    // A platform that the spec does not name.
    world.write("vpython.toml", "dependencies = ['a']\n");
    let lock = std::fs::read_to_string(world.path("pylock.vpython.toml")).unwrap();
    std::fs::remove_file(world.path("pylock.vpython.toml")).unwrap();
    let lock: Vec<&str> = lock
        .lines()
        .take_while(|line| !line.starts_with("[tool"))
        .collect();
    world.write("pylock.toml", lock.join("\n"));
    let digest = pushed(&world, &["oci:layout", "pylock.toml"]);
    let manifest = read(&blob(&world.path("layout"), &digest));
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
}

#[test]
fn several_specs_become_one_manifest() {
    let world = world();
    world.wheel(&Wheel::module("c", "1"));
    world.write("requirements.txt", "c\n");
    let digest = pushed(&world, &["oci:layout", "tool.py", "requirements.txt"]);
    let manifest = read(&blob(&world.path("layout"), &digest));
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
    // Without a word, the spec of the current directory.
    world.write("vpython.toml", "dependencies = ['a', 'b', 'c']\n");
    assert_eq!(pushed(&world, &["oci:layout"]), digest);
    // Two different wheels of one name.
    let rebuilt = Wheel::module("a", "1").file("more.py", "");
    rebuilt.write_to(&world.path("below/wheels"));
    world.write("below/vpython.toml", "dependencies = ['a']\n");
    let outcome = push(&world, &["oci:layout", "tool.py", "below/vpython.toml"]);
    outcome
        .replacing(&module("a", "1").1, "[DIGEST]")
        .replacing(&Digest::of(&rebuilt.bytes()).to_string(), "[OTHER]")
        .refuses(
            125,
            expect![[r#"
            vpython: error: the specs use two wheels `a-1-py3-none-any.whl`
              caused by: `[WORLD]/work/wheels/a-1-py3-none-any.whl` has the sha256 `[DIGEST]`
              caused by: `[WORLD]/work/below/wheels/a-1-py3-none-any.whl` has the sha256 `[OTHER]`
              hint: push one spec after the other
        "#]],
        );
}

#[test]
fn a_damaged_blob_and_leftovers_are_replaced() {
    let world = world();
    let digest = pushed(&world, &["oci:layout", "tool.py"]);
    let layout = world.path("layout");
    let (wheel, of_wheel) = module("a", "1");
    let path = blob(&layout, &of_wheel);
    let mut damaged = wheel.bytes();
    damaged[7] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    std::fs::write(blob(&layout, &digest), "").unwrap();
    let leftover = blob(&layout, ".new-123456");
    std::fs::write(&leftover, "half of a wheel").unwrap();
    assert_eq!(pushed(&world, &["oci:layout", "tool.py"]), digest);
    assert_eq!(std::fs::read(path).unwrap(), wheel.bytes());
    assert!(!leftover.exists());
    // A process that was killed before it could list its manifest.
    std::fs::remove_file(layout.join("index.json")).unwrap();
    assert_eq!(pushed(&world, &["oci:layout", "tool.py"]), digest);
    assert_eq!(tags(&layout).len(), 1);
}

#[test]
fn simultaneous_pushes_all_end_up_in_the_list() {
    let world = world();
    let count = 8;
    for number in 0..count {
        let name = format!("m{number}");
        world.wheel(&Wheel::module(&name, "1").file("large.bin", vec![number; 300_000]));
        world.write(&format!("{name}.txt"), format!("a\n{name}\n"));
    }
    let pushes: Vec<_> = (0..count)
        .map(|number| {
            let words = ["-vpython-tool", "push"].map(str::to_owned);
            let own = [format!("oci:layout:t{number}"), format!("m{number}.txt")];
            world.vpython(words.into_iter().chain(own)).spawn()
        })
        .collect();
    for push in pushes {
        let output = push.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mut found: Vec<String> = tags(&world.path("layout"))
        .into_iter()
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.starts_with("lock-"))
        .collect();
    found.sort();
    let expected: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
    assert_eq!(found, expected);
    assert_eq!(tags(&world.path("layout")).len(), 2 * usize::from(count));
}

#[test]
fn skopeo_carries_the_wheels() {
    let world = world();
    let version = world.program("/usr/bin/env", ["skopeo", "--version"]).run();
    if version.code != Some(0) {
        not_tested!("there is no skopeo");
        return;
    }
    let digest = pushed(&world, &["oci:layout:v1", "tool.py"]);
    let words = [
        "skopeo",
        "--insecure-policy",
        "copy",
        "oci:layout:v1",
        "oci:copied:v2",
    ];
    let copied = world.program("/usr/bin/env", words).run();
    assert_eq!(copied.code, Some(0), "{copied}");
    let found = tags(&world.path("copied"));
    assert_eq!(found, [("v2".to_owned(), format!("sha256:{digest}"))]);
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    std::fs::remove_dir_all(world.path("layout")).unwrap();
    let launch = world.vpython(["tool.py"]);
    launch
        .env("VPYTHON_WHEELS", "oci:copied")
        .run()
        .prints("1 2\n");
    // A push adds to what skopeo has written.
    let words = [
        "-vpython-wheels=oci:copied",
        "-vpython-tool",
        "push",
        "oci:copied",
        "tool.py",
    ];
    let outcome = world.vpython(words).run();
    assert_eq!(outcome.stdout, format!("sha256:{digest}\n"), "{outcome}");
    assert_eq!(tags(&world.path("copied")).len(), 2);
}
