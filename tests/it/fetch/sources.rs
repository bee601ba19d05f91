//! `fetch --build` of projects that the spec takes from one index, or from no index: pip cannot follow
//! that.

use expect_test::expect;

use super::{came, launch, module, world};
use crate::support::{Outcome, World};

/// Fetches with pip, for a spec with these tables of uv.
fn fetch(world: &World, tables: &str, words: &[&str]) -> Outcome {
    world.write(
        "vpython.toml",
        format!("dependencies = ['a', 'b']\n{tables}"),
    );
    let outcome = launch(world, &["-vpython-tool", "fetch", "--build"]).arguments(words);
    // No index is reached by these names.
    outcome.without("PIP_NO_INDEX").run()
}

const PIN: &str = "\
[tool.uv.sources]
a = { index = 'own' }
[[tool.uv.index]]
name = 'own'
url = 'http://127.0.0.1:1/own'
";

#[test]
fn a_project_that_comes_from_one_index_is_not_left_to_pip() {
    let Some(world) = world(&[module("a", "1"), module("b", "1")]) else {
        return;
    };
    // pip would search PyPI too.
    fetch(&world, PIN, &[]).refuses(125, expect![[r#"
        vpython: error: `fetch --build` cannot take a project from one index: pip searches all of them
          caused by: the spec takes `a` from the index `own` (`[WORLD]/work/vpython.toml`, line 3)
          hint: fetch without `--build`: `vpython -vpython-tool fetch`, or name one index for all projects after `--`: `--index-url URL`
    "#]]);
    let explicit = format!("{PIN}explicit = true\n");
    fetch(&world, &explicit, &["--upgrade"]).refuses(125, expect![[r#"
        vpython: error: `fetch --build` cannot take a project from one index: pip searches all of them
          caused by: the spec takes `a` from the index `own` (`[WORLD]/work/vpython.toml`, line 3)
          hint: fetch without `--build`: `vpython -vpython-tool fetch`, or name one index for all projects after `--`: `--index-url URL`
    "#]]);
    let unknown = PIN.replace("'own' }", "'other' }");
    fetch(&world, &unknown, &[]).refuses(125, expect![[r#"
        vpython: error: unknown package index
          caused by: `[WORLD]/work/vpython.toml`, line 3: `a` comes from the index `other`, which nothing names
          hint: name it in a table `[[tool.uv.index]]`
    "#]]);
    assert!(!world.path("wheels").exists());
    // The caller's option decides for all projects, and so does an index that is the only one.
    let outcome = fetch(&world, PIN, &["--", "--no-index"]);
    let both = ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"];
    assert_eq!(came(&world, "wheels", &outcome), both);
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    let only = format!("{PIN}default = true\n");
    let outcome = fetch(&world, &only, &["--", "--retries", "0"]);
    assert_eq!(came(&world, "wheels", &outcome), both);
}

#[test]
fn a_project_that_comes_from_no_index_is_not_left_to_pip() {
    let Some(world) = world(&[module("a", "2"), module("b", "1")]) else {
        return;
    };
    let git =
        "[tool.uv]\nno-index = true\n[tool.uv.sources]\na = { git = 'https://example.org/a' }\n";
    let outcome = fetch(&world, git, &[]);
    let own = outcome.stderr.lines();
    let own: Vec<&str> = own.filter(|line| line.starts_with("vpython")).collect();
    expect![[r#"
        vpython: cannot take `a` from a package index: `[WORLD]/work/vpython.toml`, line 5: `tool.uv.sources.a`: vpython takes projects from wheel directories and package indexes only
        vpython: fetching into `[WORLD]/work/wheels`: b (here ([VERSION]))
        vpython: error: pip cannot fetch all of the missing wheels"#]].assert_eq(&own.join("\n"));
    let present = |world: &World| std::fs::read_dir(world.path("wheels")).unwrap().count();
    assert_eq!((outcome.code, present(&world)), (Some(1), 1), "{outcome}");
    // Nor is it upgraded.
    world.wheel(&module("a", "1"));
    let outcome = fetch(&world, git, &["--upgrade"]);
    assert_eq!((outcome.code, present(&world)), (Some(0), 2), "{outcome}");
    let outcome = fetch(&world, git, &["--upgrade", "a"]);
    outcome.refuses(125, expect![[r#"
        vpython: error: cannot take `a` from a package index
          caused by: `[WORLD]/work/vpython.toml`, line 5: `tool.uv.sources.a`: vpython takes projects from wheel directories and package indexes only
          hint: put its wheel into a wheel directory
    "#]]);
}
