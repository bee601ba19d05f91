//! `-vpython-tool upgrade` as users of LUCI call it: without local wheels, with LUCI's flags, and
//! with the seeds, which no spec lists.

use std::path::Path;

use expect_test::expect;

use crate::support::{Fake, Launch, Wheel, World};

const SPEC: &str = "wheel: < name: \"which-py3\" version: \"version:1\" >\n";

fn native(seeds: &[&str]) -> String {
    let line = |seed: &&str| format!("    \"{seed}\",\n");
    let lines: String = seeds.iter().map(line).collect();
    let (comment, key) = if seeds.is_empty() {
        ("", "")
    } else {
        ("    # Seeded by LUCI's virtualenv.\n", "seed = true\n")
    };
    format!(
        "dependencies = [\n    \"which==1\",\n{comment}{lines}]\n\n[tool.vpython]\nno-deps = true\n{key}"
    )
}

/// A world with an interpreter that brings pip and setuptools.
fn world() -> (World, Fake) {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.7");
    for name in ["pip", "setuptools"] {
        Wheel::module(name, "1").write_to(&fake.bundle());
    }
    (world, fake)
}

fn run<'a>((world, fake): &'a (World, Fake), words: &[&str]) -> Launch<'a> {
    world.vpython(words).env("VPYTHON_INTERPRETER", &fake.path)
}

fn upgrade<'a>(world: &'a (World, Fake), words: &[&str]) -> Launch<'a> {
    run(world, &["-vpython-tool", "upgrade"]).arguments(words)
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_seeds_become_dependencies_and_the_plan_stays() {
    let world = world();
    world.0.wheel(&Wheel::module("which", "1"));
    world.0.write(".vpython3", SPEC);
    let install = || run(&world, &["-vpython-tool", "install"]).run().raw_stdout;
    let before = install();
    upgrade(&world, &[]).run().prints(expect![[r#"
        .vpython3: written to vpython.toml
    "#]]);
    assert_eq!(
        read(world.0.path("vpython.toml")),
        native(&["pip", "setuptools<82"])
    );
    assert_eq!(install(), before);
    // In a later directory of wheels both forms find the same.
    world.0.wheel(&Wheel::module("setuptools", "70"));
    world.0.wheel(&Wheel::module("setuptools", "82"));
    let after = install();
    world.0.write("again.vpython3", SPEC);
    let luci = run(
        &world,
        &[
            "-vpython-spec",
            "again.vpython3",
            "-vpython-tool",
            "install",
        ],
    )
    .run()
    .raw_stdout;
    assert!(after != before && after == luci);
}

#[test]
fn without_its_wheels_a_spec_is_upgraded_with_a_warning() {
    let world = world();
    world.0.write(".vpython3", SPEC);
    let said = expect![[r#"
        vpython: .vpython3: the plans of both forms were not compared, because wheels are missing
    "#]];
    upgrade(&world, &["--check"]).run().expect(
        1,
        expect![[r#"
            .vpython3: would be written to vpython.toml
        "#]],
        &said,
    );
    upgrade(&world, &[]).run().expect(
        0,
        expect![[r#"
            .vpython3: written to vpython.toml
        "#]],
        &said,
    );
    assert_eq!(
        read(world.0.path("vpython.toml")),
        native(&["pip", "setuptools<82"])
    );
}

#[test]
fn without_its_interpreter_a_spec_is_upgraded_too() {
    let world = world();
    let spec = format!("python_version: \"3.8\"\n{SPEC}");
    world.0.write(".vpython3", &spec);
    let said = expect![[r#"
        vpython: .vpython3: the plans of both forms were not compared, because no interpreter satisfies it
    "#]];
    upgrade(&world, &["-vpython-keep-legacy"]).run().expect(
        0,
        expect![[r#"
            .vpython3: written to vpython.toml, and kept
        "#]],
        &said,
    );
    let expected = format!(
        "requires-python = \"==3.8.*\"\n{}",
        native(&["pip", "setuptools<82"])
    );
    assert_eq!(read(world.0.path("vpython.toml")), expected);
    std::fs::remove_file(world.0.path("vpython.toml")).unwrap();
    world
        .0
        .write(".vpython3", format!("# vpython: no-seed\n{spec}"));
    upgrade(&world, &[]).run().expect(
        0,
        expect![[r#"
            .vpython3: written to vpython.toml
        "#]],
        &said,
    );
    assert!(read(world.0.path("vpython.toml")).ends_with("no-deps = true\nseed = false\n"));
}

#[test]
fn flags_of_luci_are_accepted_where_luci_accepts_them() {
    let world = world();
    world.0.wheel(&Wheel::module("which", "1"));
    let rows: [(&[&str], bool); 5] = [
        (
            &[
                "-vpython-keep-legacy",
                "-vpython-tool",
                "upgrade",
                "-legacy",
                "d",
            ],
            true,
        ),
        (
            &[
                "--vpython-keep-legacy=true",
                "-vpython-tool=upgrade",
                "d",
                "--legacy",
            ],
            true,
        ),
        (
            &[
                "-vpython-tool",
                "upgrade",
                "-legacy",
                "-all",
                "-vpython-keep-legacy",
                "d",
            ],
            true,
        ),
        (
            &[
                "-vpython-keep-legacy=false",
                "-vpython-tool",
                "upgrade",
                "d",
            ],
            false,
        ),
        (&["-vpython-tool", "upgrade", "d/.vpython3"], false),
    ];
    for (words, is_kept) in rows {
        world.0.write("d/.vpython3", SPEC);
        let outcome = run(&world, words)
            .env("VPYTHON_WHEELS", world.0.path("wheels"))
            .run();
        let said = if words.contains(&"-all") {
            "vpython: no native spec here has a lock file\n"
        } else {
            ""
        };
        let stdout = if is_kept {
            expect![[r#"
                d/.vpython3: written to d/vpython.toml, and kept
            "#]]
        } else {
            expect![[r#"
                d/.vpython3: written to d/vpython.toml
            "#]]
        };
        outcome.expect(0, stdout, said);
        assert_eq!(world.0.path("d/.vpython3").exists(), is_kept, "{words:?}");
        std::fs::remove_file(world.0.path("d/vpython.toml")).unwrap();
    }
    // It changes no launch, as with LUCI.
    let launch = run(
        &world,
        &["-vpython-keep-legacy", "-vpython-spec=/dev/null", "-c", "1"],
    )
    .run();
    assert!(
        launch.code == Some(0) && launch.stdout.contains("<-c>\n<1>\n"),
        "{launch}"
    );
    let unknown = run(&world, &["-vpython-keep-legacies", "-c", "1"]).run();
    unknown.refuses(
        125,
        expect![[r#"
            vpython: error: unknown flag `-vpython-keep-legacies`
              hint: did you mean `-vpython-keep-legacy`?
        "#]],
    );
}

#[test]
fn all_writes_existing_locks_again_and_converts_nothing() {
    let world = world();
    world.0.wheel(&Wheel::module("which", "1"));
    let legacy = world.0.write("legacy/.vpython3", SPEC);
    world
        .0
        .write("without/vpython.toml", "dependencies = ['which']\n");
    world
        .0
        .write("locked/vpython.toml", "dependencies = ['which']\n");
    world.0.write(
        "tool.py",
        "# /// script\n# dependencies = ['which']\n# ///\n",
    );
    world.0.write(
        "broken.py",
        "# /// script\n# dependencies = [which]\n# ///\n",
    );
    let run = |words: &[&str]| {
        run(&world, words)
            .env("VPYTHON_WHEELS", world.0.path("wheels"))
            .run()
    };
    // Without a lock there is nothing to do.
    run(&["-vpython-tool", "upgrade", "-all", "legacy", "without"]).expect(
        0,
        "",
        expect![[r#"
            vpython: no native spec here has a lock file
        "#]],
    );
    // Locks that are up to date.
    for spec in ["locked/vpython.toml", "tool.py"] {
        assert_eq!(run(&["-vpython-tool", "lock", spec]).code, Some(0));
    }
    run(&["-vpython-tool", "upgrade", "-all", "."]).expect(
        0,
        expect![[r#"
            locked/pylock.vpython.toml is up to date
            pylock.tool.toml is up to date
        "#]],
        "",
    );
    // A lock whose spec has changed; the LUCI spec stays.
    world
        .0
        .write("tool.py", "# /// script\n# dependencies = []\n# ///\n");
    let before = read(world.0.path("pylock.tool.toml"));
    let change = "locked/pylock.vpython.toml is up to date\npylock.tool.toml: would change\n";
    let checked = run(&["-vpython-tool", "upgrade", "-all", "--check"]);
    assert!(
        checked.code == Some(1) && checked.stdout.starts_with(change),
        "{checked}"
    );
    assert_eq!(read(world.0.path("pylock.tool.toml")), before);
    let changed = run(&["-vpython-tool", "upgrade", "-all"]);
    assert!(
        changed.code == Some(0) && changed.stdout.contains("pylock.tool.toml: written\n"),
        "{changed}"
    );
    assert_ne!(read(world.0.path("pylock.tool.toml")), before);
    assert_eq!(read(legacy), SPEC);
    assert!(!world.0.path("without/pylock.vpython.toml").exists());
}
