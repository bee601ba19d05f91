//! Launches with wheels from image layouts on disk.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use super::{Layout, WHEELS, module, write_script};
use crate::support::{Wheel, World, has_strace};

#[test]
fn a_layout_is_a_wheelhouse_wherever_one_can_be_named() {
    let world = World::new();
    let mut layout = Layout::of(&world, &[module("a", "1").0]);
    layout.tag("v2", &[module("a", "2").0, module("b", "1").0]);
    std::fs::create_dir(world.path("plain")).unwrap();
    let script = "import a\nprint(a.VERSION)\n";
    // In a spec, relative to it.
    world.write(
        "below/vpython.toml",
        "dependencies = ['a']\n[tool.vpython]\nwheels = ['../plain', 'oci:../layout']\n",
    );
    world.write("below/tool.py", script);
    world.vpython(["below/tool.py"]).run().prints("2\n");
    write_script(&world, "['oci:layout:v1']");
    world.vpython(["tool.py"]).run().prints("1\n");
    // On the command line, relative to the current directory.
    world.write(
        "needs.py",
        format!("# /// script\n# dependencies = ['a']\n# ///\n{script}"),
    );
    world
        .vpython(["-vpython-wheels", "oci:layout:v1", "needs.py"])
        .run()
        .prints("1\n");
    for (list, printed) in [
        ("oci:layout", "2\n"),
        ("oci:layout:v1:plain", "1\n"),
        ("plain:oci:layout:/nowhere", "2\n"),
        (
            "oci:nowhere:oci:layout:v1:oci://h:5000/a:t:https://h/{sha256}",
            "1\n",
        ),
    ] {
        let launch = world.vpython(["needs.py"]).env("VPYTHON_WHEELS", list);
        launch.run().prints(printed);
    }
    let conf = world.write("etc/vpython.conf", "wheels = ['oci:../layout:v1']\n");
    world
        .vpython(["needs.py"])
        .env("VPYTHON_CONF", conf)
        .run()
        .prints("1\n");
}

#[test]
fn only_layers_with_names_of_wheels_of_the_right_type_count() {
    let world = World::new();
    let (wheel, _) = module("a", "1");
    let mut layout = Layout::of(&world, std::slice::from_ref(&wheel));
    let newer = layout.layer(&module("a", "2").0);
    let named = |name: &str| {
        let mut layer = newer.clone();
        layer["annotations"] = json!({ super::TITLE: name });
        layer
    };
    let mut unnamed = newer.clone();
    unnamed["annotations"] = json!({});
    let layers = [
        named("../a-2-py3-none-any.whl"),
        named("wheels/a-2-py3-none-any.whl"),
        named("a-2-py3-none-../any.whl"),
        named("a-2-py3-none-any\n.whl"),
        named("a-2.tar.gz"),
        unnamed,
    ];
    layout.tag_layers("odd", WHEELS, &layers);
    layout.tag_layers("other", "application/vnd.example", &[newer]);
    write_script(&world, "['oci:layout']");
    world.vpython(["tool.py"]).run().prints("1\n");
    write_script(&world, "['oci:layout:other']");
    world.vpython(["tool.py"]).run().refuses(125, expect![[r#"
        vpython: error: the manifest `other` of the image layout `[WORLD]/work/layout` is not of the type `application/vnd.vpython.wheels.v1`
          hint: name another tag, or none to use all manifests of this type
    "#]]);
}

#[test]
fn wheels_of_one_name_with_different_digests_are_found_by_their_lock() {
    let world = World::new();
    let (old, digest) = module("a", "1");
    let rebuilt = Wheel::module("a", "1").file("more.py", "");
    let mut layout = Layout::of(&world, &[rebuilt]);
    layout.tag("v2", &[old]);
    write_script(&world, "['oci:layout']");
    world.write(
        "pylock.toml",
        format!(
            "lock-version = '1.0'\ncreated-by = 'test'\n[[packages]]\nname = 'a'\nversion = '1'\n\
             wheels = [{{ name = 'a-1-py3-none-any.whl', url = 'https://h/a-1-py3-none-any.whl', hashes = {{ sha256 = '{digest}' }} }}]\n"
        ),
    );
    let launch = world.vpython([
        "-vpython-spec",
        "pylock.toml",
        "-c",
        "import a; print(a.VERSION)",
    ]);
    launch
        .env("VPYTHON_WHEELS", "oci:layout")
        .run()
        .prints("1\n");
}

#[test]
fn tools_name_the_layout() {
    let world = World::new();
    let (wheel, digest) = module("a", "1");
    Layout::of(&world, &[wheel]);
    write_script(&world, "['oci:layout:v1']");
    let explained = world.vpython(["-vpython-tool", "explain", "tool.py"]).run();
    let lines = explained.stdout.lines();
    let shown: Vec<&str> = lines
        .filter(|line| line.contains("a-1-py3") || line.contains("oci:"))
        .collect();
    expect![[r#"
        wheels        in oci:[WORLD]/work/layout:v1
                        a 1  for line 2  065bdd17f0ab2638  a-1-py3-none-any.whl"#]]
    .assert_eq(&shown.join("\n"));
    world
        .vpython(["-vpython-tool", "verify", "tool.py"])
        .run()
        .expect(
            0,
            expect![[r#"
            requirement  required  here ([VERSION])
            a            line 2    1

            ok here; the spec names no other platforms
        "#]],
            "",
        );
    // A lock names the wheel by its digest only: paths of blobs mean nothing to other tools.
    world.vpython(["-vpython-tool", "lock", "tool.py"]).run();
    let lock = std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    assert!(!lock.contains("path") && lock.contains(&digest), "{lock}");
    world.vpython(["tool.py"]).run().prints("1\n");
    // A locked digest that the layout does not have.
    let other = "0".repeat(64);
    std::fs::write(
        world.path("pylock.tool.toml"),
        lock.replace(&digest, &other),
    )
    .unwrap();
    let outcome = world.vpython(["tool.py"]).run();
    outcome
        .replacing(&digest, "[DIGEST]")
        .replacing(&other, "[OTHER]")
        .refuses(125, expect![[r#"
            vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.tool.toml`
              caused by: `oci:[WORLD]/work/layout:v1/a-1-py3-none-any.whl` has the sha256 `[DIGEST]`, but `[OTHER]` is locked (`[WORLD]/work/pylock.tool.toml`, line 15)
              hint: replace it with the locked wheel (`vpython -vpython-tool fetch tool.py`); to lock the present wheel instead, `vpython -vpython-tool lock tool.py`
        "#]]);
}

#[test]
fn a_warm_launch_opens_nothing_of_a_layout_and_notices_its_changes() {
    let world = World::new();
    let (wheel, _) = module("a", "1");
    let mut layout = Layout::of(&world, std::slice::from_ref(&wheel));
    write_script(&world, "['oci:layout']");
    world.vpython(["tool.py"]).run().prints("1\n");
    if has_strace() {
        std::thread::sleep(Duration::from_millis(3_100));
        world.vpython(["tool.py"]).run().prints("1\n");
        let log = world.outside("calls");
        let words = [
            "strace",
            "-f",
            "-o",
            log.to_str().unwrap(),
            crate::support::VPYTHON,
            "tool.py",
        ];
        world.program("/usr/bin/env", words).run().prints("1\n");
        let calls = std::fs::read_to_string(log).unwrap();
        let own = calls.split("execve(").nth(1).unwrap();
        let touched: Vec<&str> = own
            .lines()
            .filter(|call| call.contains("/layout"))
            .collect();
        // The list of manifests, and the wheel.
        assert_eq!(touched.len(), 2, "{touched:#?}");
        assert!(
            touched
                .iter()
                .all(|call| call.contains(" statx(") && !call.contains("open")),
            "{touched:#?}"
        );
    }
    layout.tag("v2", &[module("a", "2").0]);
    world.vpython(["tool.py"]).run().prints("2\n");
    // A chosen blob that is replaced.
    std::fs::write(layout.path_of(&module("a", "2").0), "").unwrap();
    let outcome = world.vpython(["tool.py"]).run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
}
