//! `-vpython-tool upgrade` as LUCI's users call it: without the wheels at hand, with LUCI's flags, and with what no spec lists.

use std::path::Path;

use crate::support::{Fake, Launch, Wheel, World};

const SPEC: &str = "wheel: < name: \"which-py3\" version: \"version:1\" >\n";

fn native(seeds: &[&str]) -> String {
    let line = |seed: &&str| format!("    \"{seed}\",\n");
    let lines: String = seeds.iter().map(line).collect();
    let (comment, key) = if seeds.is_empty() { ("", "") } else { ("    # Seeded by LUCI's virtualenv.\n", "seed = true\n") };
    format!("dependencies = [\n    \"which==1\",\n{comment}{lines}]\n\n[tool.vpython]\nno-deps = true\n{key}")
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
    upgrade(&world, &[]).run().prints(".vpython3: written to vpython.toml\n");
    assert_eq!(read(world.0.path("vpython.toml")), native(&["pip", "setuptools<82"]));
    assert_eq!(install(), before);
    // In a later directory of wheels both forms find the same.
    world.0.wheel(&Wheel::module("setuptools", "70"));
    world.0.wheel(&Wheel::module("setuptools", "82"));
    let after = install();
    world.0.write("again.vpython3", SPEC);
    let luci = run(&world, &["-vpython-spec", "again.vpython3", "-vpython-tool", "install"]).run().raw_stdout;
    assert!(after != before && after == luci);
}

#[test]
fn without_its_wheels_a_spec_is_upgraded_and_that_is_said() {
    let world = world();
    world.0.write(".vpython3", SPEC);
    let said = "vpython: .vpython3: the plans of both forms were not compared, since wheels are missing\n";
    upgrade(&world, &["--check"]).run().expect(1, ".vpython3: would be written to vpython.toml\n", said);
    upgrade(&world, &[]).run().expect(0, ".vpython3: written to vpython.toml\n", said);
    assert_eq!(read(world.0.path("vpython.toml")), native(&["pip", "setuptools<82"]));
}

#[test]
fn without_its_interpreter_a_spec_is_upgraded_too() {
    let world = world();
    let spec = format!("python_version: \"3.8\"\n{SPEC}");
    world.0.write(".vpython3", &spec);
    let said = "vpython: .vpython3: the plans of both forms were not compared, since there is no interpreter for it\n";
    upgrade(&world, &["-vpython-keep-legacy"]).run().expect(0, ".vpython3: written to vpython.toml, and kept\n", said);
    let expected = format!("requires-python = \"==3.8.*\"\n{}", native(&["pip", "setuptools<82"]));
    assert_eq!(read(world.0.path("vpython.toml")), expected);
    std::fs::remove_file(world.0.path("vpython.toml")).unwrap();
    world.0.write(".vpython3", format!("# vpython: no-seed\n{spec}"));
    upgrade(&world, &[]).run().expect(0, ".vpython3: written to vpython.toml\n", said);
    assert!(read(world.0.path("vpython.toml")).ends_with("no-deps = true\nseed = false\n"));
}
