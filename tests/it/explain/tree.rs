//! The dependency graph, as a tree, as edges and for Graphviz.

use expect_test::expect;
use serde_json::json;

use super::{as_json, explain};
use crate::support::{Wheel, World};

/// A world whose spec requires `a` and `c`; `a`, `b` and `d` form a cycle, and two projects require
/// `c`.
fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1").requires("b>=1").requires("c"));
    world.wheel(&Wheel::module("b", "2").requires("d"));
    world.wheel(&Wheel::module("c", "3"));
    world.wheel(&Wheel::module("d", "4.post1").requires("a"));
    world.write("vpython.toml", "dependencies = ['c', 'a']\n");
    world
}

#[test]
fn a_tree_begins_with_what_the_spec_asks_for() {
    let world = world();
    let tree = expect![[r#"
        a 1
        ├── b 2
        │   └── d 4.post1
        │       └── a 1 (*)
        └── c 3
        c 3 (*)

        (*) shown above
    "#]];
    explain(&world, &["--tree", "-c", ""]).run().prints(&tree);
    // A warm launch gives the same result.
    world.install(["-c", ""]);
    explain(&world, &["--tree", "-c", ""]).run().prints(&tree);
}

#[test]
fn a_graph_is_what_graphviz_reads() {
    let graph = expect![[r#"
        digraph vpython {
          node [shape=box]
          "a" [label="a 1", style=bold]
          "b" [label="b 2"]
          "c" [label="c 3", style=bold]
          "d" [label="d 4.post1"]
          "a" -> "b"
          "a" -> "c"
          "b" -> "d"
          "d" -> "a"
        }
    "#]];
    let world = world();
    explain(&world, &["--dot", "-c", ""]).run().prints(&graph);
    explain(&world, &["--tree", "--dot", "-c", ""])
        .run()
        .prints(&graph);
}

#[test]
fn the_edges_are_in_the_json() {
    let edge = |(from, to): (Option<&str>, &str)| json!({"from": from, "to": to});
    let edges = [
        (None, "a"),
        (None, "c"),
        (Some("a"), "b"),
        (Some("a"), "c"),
        (Some("b"), "d"),
        (Some("d"), "a"),
    ]
    .map(edge);
    let world = world();
    for words in [&["-c", ""][..], &["--tree", "-c", ""], &["--dot", "-c", ""]] {
        assert_eq!(as_json(&world, words)["edges"], json!(edges));
    }
}

#[test]
fn without_wheels_the_tree_is_empty() {
    let world = World::new();
    explain(&world, &["--tree", "-c", ""])
        .run()
        .prints(expect![[r#"
            no wheels
        "#]]);
    explain(&world, &["--dot", "-c", ""])
        .run()
        .prints(expect![[r#"
            digraph vpython {
              node [shape=box]
            }
        "#]]);
    world.write("vpython.toml", "dependencies = 1\n");
    for form in ["--tree", "--dot"] {
        let outcome = explain(&world, &[form, "-c", ""]).run();
        outcome.refuses(125, expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/vpython.toml`
              caused by: `[WORLD]/work/vpython.toml`, line 1, column 16: `dependencies` must be an array of strings, not an integer
        "#]]);
    }
}
