//! Launches that fetch missing wheels, and those that must not.

use expect_test::expect;

use super::{launch, nothing_is_half_written, wheels, world};
use crate::support::{Launch, Listed, PackageIndex, Wheel, World, has_strace};

/// The wheel `a` 1, which requires nothing.
fn one_wheel() -> Vec<Listed> {
    vec![Listed::wheel(&Wheel::module("a", "1"))]
}

#[test]
fn a_launch_fetches_what_is_missing_and_the_next_one_needs_no_index() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let first = launch(&world, &index, &["tool.py"]).env("VPYTHON_FETCH", "1");
    first.run().prints("2 1\n");
    assert_eq!(
        index.downloads(),
        ["a-2-py3-none-any.whl", "b-1-py3-none-any.whl"]
    );
    // No copy of a wheel remains, and nothing half-written.
    assert!(!world.path("wheels").exists());
    nothing_is_half_written(&world);
    // The next launch asks nothing, and needs no setting.
    let requests = index.server.paths().len();
    launch(&world, &index, &["tool.py"]).run().prints("2 1\n");
    assert_eq!(index.server.paths().len(), requests);
    drop(index);
    world.vpython(["tool.py"]).run().prints("2 1\n");
}

#[test]
fn a_launch_keeps_its_connection_from_the_list_to_the_wheel() {
    let (world, index) = (World::new(), PackageIndex::start(one_wheel()));
    world.write("vpython.toml", "dependencies = ['a']\n");
    let words = ["-vpython-fetch", "-c", "import a; print(a.VERSION)"];
    launch(&world, &index, &words).run().prints("1\n");
    let requested = ["/simple/a/", "/files/a-1-py3-none-any.whl"];
    let paths = index.server.paths();
    let is_there = |path: &&str| paths.iter().any(|known| known == path);
    assert!(requested.iter().all(is_there), "{paths:?}");
    assert_eq!(index.server.connections(), 1, "{paths:?}");
}

#[test]
fn fetched_wheels_are_logged_as_unpacked_now() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let words = ["-vpython-fetch", "-vpython-log-level=info", "tool.py"];
    let outcome = launch(&world, &index, &words).run();
    let mut lines = outcome.stderr.lines();
    let line = lines.find(|line| line.contains("unpacked"));
    let expected = "vpython: info: wheels unpacked now: 2, unpacked before: 0";
    assert_eq!(line, Some(expected), "{outcome}");
}

#[test]
fn a_project_that_this_interpreter_does_not_need_is_not_requested() {
    let files = ["a", "b"].map(|name| Listed::wheel(&Wheel::module(name, "1")));
    let (world, index) = (World::new(), PackageIndex::start(files.into()));
    let spec = "dependencies = ['a', \"b; python_version < '3'\"]\n";
    world.write("vpython.toml", spec);
    let words = ["-vpython-fetch", "-c", "import a; print(a.VERSION)"];
    launch(&world, &index, &words).run().prints("1\n");
    let paths = index.server.paths();
    let lists: Vec<_> = paths
        .iter()
        .filter(|path| path.contains("simple"))
        .collect();
    assert_eq!(lists, ["/simple/a/"]);
}

#[test]
fn a_spec_can_ask_for_fetching_and_name_its_index() {
    let (world, index) = (World::new(), PackageIndex::start(wheels()));
    let spec = format!(
        "dependencies = ['a<2']\n[tool.vpython]\nfetch = true\nindex = '{}'\n",
        index.url()
    );
    world.write("vpython.toml", spec);
    let program = ["-c", "import a, b; print(a.VERSION, b.VERSION)"];
    let offline = world.vpython(program).env("VPYTHON_OFFLINE", "1").run();
    assert_eq!(offline.code, Some(125), "{offline}");
    assert!(index.server.paths().is_empty(), "offline forbids it");
    world.vpython(program).run().prints("1 1\n");
}

#[test]
fn wheels_in_directories_are_used_without_asking() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    world.wheel(&Wheel::module("a", "1").requires("b"));
    world.wheel(&Wheel::module("b", "0"));
    let words = ["-vpython-fetch", "tool.py"];
    launch(&world, &index, &words).run().prints("1 0\n");
    assert!(index.server.paths().is_empty());
}

#[test]
fn without_the_setting_nothing_is_asked_and_the_hint_names_it() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    for flags in ["", "-vpython-fetch=false "] {
        let words: Vec<&str> = flags.split_whitespace().chain(["tool.py"]).collect();
        let outcome = launch(&world, &index, &words).run();
        let command = format!("vpython {flags}-vpython-tool");
        let outcome = outcome.replacing(&command, "vpython [FLAGS] -vpython-tool");
        outcome.refuses(125, expect![[r#"
            vpython: error: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2)
              caused by: no wheel directory is configured, and there is no `wheels` next to the spec
              hint: create and fill one: `vpython [FLAGS] -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
        "#]]);
    }
    let offline = ["-vpython-fetch", "-vpython-offline", "tool.py"];
    launch(&world, &index, &offline).run().refuses(125, expect![[r#"
        vpython: error: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          caused by: no wheel directory is configured, and there is no `wheels` next to the spec
          hint: name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`; nothing can be fetched: `-vpython-offline` or `VPYTHON_OFFLINE` is set
    "#]]);
    assert!(index.server.paths().is_empty());
}

#[test]
fn a_launch_without_the_setting_opens_no_socket() {
    if !has_strace() {
        return not_tested!("strace is not installed");
    }
    let world = world();
    world.wheel(&Wheel::module("a", "1").requires("b"));
    world.wheel(&Wheel::module("b", "1"));
    for temperature in ["cold", "warm"] {
        let log = world.outside(temperature);
        let traced: Launch<'_> = world.program(
            std::path::Path::new("/usr/bin/env"),
            [
                "strace",
                "-f",
                "-e",
                "trace=%network",
                "-o",
                log.to_str().unwrap(),
                env!("CARGO_BIN_EXE_vpython"),
                "tool.py",
            ],
        );
        traced.run().prints("1 1\n");
        let calls = std::fs::read_to_string(log).unwrap();
        let of_network = calls.lines().filter(|line| line.contains("socket("));
        // A pair of sockets inside one process is not the network.
        let of_network: Vec<&str> = of_network.filter(|line| line.contains("AF_INET")).collect();
        assert!(of_network.is_empty(), "{temperature}: {of_network:?}");
    }
}

#[test]
fn a_lock_made_from_an_index_is_enough_elsewhere() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let words = ["-vpython-fetch", "-vpython-tool", "lock", "tool.py"];
    let locked = launch(&world, &index, &words).run();
    assert_eq!(locked.code, Some(0), "{locked}");
    let lock = std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    let url = index.server.url("/files/a-2-py3-none-any.whl");
    assert!(lock.contains(&format!("url = \"{url}\"")), "{lock}");
    // Its digests and its URLs are enough: no page of the index is requested.
    let pages = |index: &PackageIndex| {
        let paths = index.server.paths();
        paths
            .iter()
            .filter(|path| path.starts_with("/simple"))
            .count()
    };
    let before = pages(&index);
    let words = ["-vpython-fetch", "tool.py"];
    world
        .vpython(words)
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .run()
        .prints("2 1\n");
    assert_eq!(pages(&index), before);
}

#[test]
fn what_is_not_for_this_python_is_not_chosen() {
    let world = world();
    let files = vec![
        Listed::wheel(&Wheel::module("a", "1").requires("b")),
        Listed::wheel(&Wheel::module("a", "2").requires("b")).requires_python("<3"),
        Listed::wheel(
            &Wheel::module("a", "3")
                .requires("b")
                .tag("cp27-cp27m-win32"),
        ),
        Listed::wheel(&Wheel::module("a", "4").requires("b")).yanked("broken"),
        Listed::wheel(&Wheel::module("b", "1")),
    ];
    let index = PackageIndex::start(files);
    let words = ["-vpython-fetch", "tool.py"];
    launch(&world, &index, &words).run().prints("1 1\n");
    // A version that is pinned is used although it was yanked.
    world.write("requirements.txt", "a==4\n");
    let words = [
        "-vpython-fetch",
        "-vpython-spec=requirements.txt",
        "-c",
        "import a; print(a.VERSION)",
    ];
    launch(&world, &index, &words).run().prints("4\n");
}
