//! `-vpython-trace` and `VPYTHON_TRACE`: the steps of a run and their durations.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::Value;

use crate::support::{Wheel, World};

fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write("tool.py", "# /// script\n# dependencies = ['a']\n# ///\nimport os; print('VPYTHON_TRACE' in os.environ)\n");
    world
}

/// The spans of a trace; each span that began has ended.
fn spans(world: &World, file: &str) -> BTreeSet<String> {
    let events: Vec<Value> =
        serde_json::from_slice(&std::fs::read(world.path(file)).unwrap()).unwrap();
    let of = |phase: &str| {
        let events = events.iter().filter(|event| event["ph"] == phase);
        events
            .map(|event| event["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (mut begun, mut ended) = (of("B"), of("E"));
    begun.sort();
    ended.sort();
    assert_eq!(begun, ended);
    begun.into_iter().collect()
}

#[test]
fn a_trace_has_the_parts_of_a_run() {
    let world = world();
    let cold = [
        "build the environment",
        "choose the wheels",
        "find the interpreter",
        "find the spec",
        "install",
        "list the wheels",
        "parse the spec",
        "probe the interpreter",
        "prune opportunistically",
        "recall the last launch",
        "unpack",
        "write to the disk",
    ];
    world
        .vpython(["-vpython-trace", "cold.json", "tool.py"])
        .run()
        .prints("False\n");
    assert_eq!(spans(&world, "cold.json"), cold.map(str::to_owned).into());
    world
        .vpython(["tool.py"])
        .env("VPYTHON_TRACE", world.path("warm.json"))
        .run()
        .prints("False\n");
    assert_eq!(
        spans(&world, "warm.json"),
        ["find the spec", "recall the last launch"]
            .map(str::to_owned)
            .into()
    );
}

#[test]
fn a_run_that_fails_has_a_trace_too() {
    let world = world();
    world.write("tool.py", "# /// script\n# dependencies = ['b']\n# ///\n");
    let outcome = world
        .vpython(["-vpython-trace", "trace.json", "tool.py"])
        .run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(spans(&world, "trace.json").contains("choose the wheels"));
}

#[test]
fn a_trace_that_cannot_be_written_is_an_error() {
    world()
        .vpython(["-vpython-trace", "no/trace.json", "tool.py"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot create `[WORLD]/work/no/trace.json`
                  caused by: No such file or directory (os error 2)
            "#]],
        );
}
