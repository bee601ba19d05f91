//! `fetch --upgrade`: newer wheels, next to the old ones.

use expect_test::expect;

use super::{NOTHING, came, fetch, launch, module, world};

const ASKS_PIP: &str = "vpython: fetching newer versions into `[WORLD]/work/wheels`\n";

#[test]
fn an_upgrade_fetches_newer_wheels_and_leaves_the_old_ones() {
    let index = [
        module("a", "1").requires("b"),
        module("a", "2").requires("b<3"),
        module("b", "1"),
        module("b", "2"),
    ];
    let Some(world) = world(
        &[
            &index[..],
            &[module("b", "3"), module("c", "1"), module("c", "2")],
        ]
        .concat(),
    ) else {
        return;
    };
    for wheel in [&index[0], &index[2], &module("c", "1")] {
        world.wheel(wheel);
    }
    world.write("vpython.toml", "dependencies = ['a', 'c<2']\n");
    fetch(&world, &[]).expect(0, "", NOTHING);
    let outcome = fetch(&world, &["--upgrade", "b"]);
    assert_eq!(came(&world, "wheels", &outcome), ["b-3-py3-none-any.whl"]);
    assert!(outcome.stderr.starts_with(ASKS_PIP), "{outcome}");
    let outcome = fetch(&world, &["--upgrade"]);
    assert_eq!(
        came(&world, "wheels", &outcome),
        ["a-2-py3-none-any.whl", "b-2-py3-none-any.whl"]
    );
    assert!(world.path("wheels/a-1-py3-none-any.whl").exists());
    launch(
        &world,
        &[
            "-c",
            "import a, b, c; print(a.VERSION, b.VERSION, c.VERSION)",
        ],
    )
    .run()
    .prints("2 2 1\n");
    let outcome = fetch(&world, &["--upgrade=a,c"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), ""), "{outcome}");
    let end =
        "\nvpython: nothing to upgrade: the newest versions that the spec permits are present\n";
    assert!(outcome.stderr.ends_with(end), "{outcome}");
    fetch(&world, &["--upgrade", "d"]).refuses(
        125,
        expect![[r#"
            vpython: error: cannot upgrade `d`: neither the spec nor any wheel requires it
              hint: words after `--upgrade` are project names; write a script as `./d`
        "#]],
    );
}

#[test]
fn an_upgrade_follows_the_spec_and_leaves_its_lock() {
    let Some(world) = world(&[module("a", "1"), module("a", "2")]) else {
        return;
    };
    world.wheel(&module("a", "1"));
    world.write(
        "vpython.toml",
        "dependencies = ['a']\n[tool.vpython]\nplatforms = ['win_amd64']\n",
    );
    assert_eq!(
        launch(&world, &["-vpython-tool", "lock"]).run().code,
        Some(0)
    );
    let outcome = fetch(&world, &["--upgrade"]);
    assert_eq!(came(&world, "wheels", &outcome), ["a-2-py3-none-any.whl"]);
    let end = "\nvpython: `[WORLD]/work/pylock.vpython.toml` is unchanged; `vpython -vpython-tool lock --upgrade` updates it\n";
    assert!(outcome.stderr.ends_with(end), "{outcome}");
    launch(&world, &["-c", "import a; print(a.VERSION)"])
        .run()
        .prints("1\n");
    world.write("x.vpython3", "# vpython: no-seed\nwheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n");
    let outcome = launch(
        &world,
        &[
            "-vpython-spec=x.vpython3",
            "-vpython-tool",
            "fetch",
            "--build",
            "--upgrade",
        ],
    )
    .run();
    outcome.expect(
        0,
        "",
        expect![[r#"
            vpython: nothing to upgrade: the spec pins every version
        "#]],
    );
}
