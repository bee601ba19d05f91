//! `-vpython-tool fetch` fills a directory of wheels with a real pip, from a directory that
//! represents the index.

mod digests;
mod failures;
mod sources;
mod upgrade;

use expect_test::expect;

use crate::support::{Launch, Outcome, Python, Wheel, World};

/// A world with an index whose python has pip. Returns `None`, and says so, if no python has pip.
fn world(index: &[Wheel]) -> Option<World> {
    let has_pip = |python: &&Python| {
        let mut command = std::process::Command::new(&python.path);
        command
            .args(["-m", "pip", "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let Some(python) = Python::all()
        .iter()
        .rev()
        .filter(|python| python.minor >= 8)
        .find(has_pip)
    else {
        not_tested!("no python has pip");
        return None;
    };
    let world = World::with_python(python);
    for wheel in index {
        wheel.write_to(&world.outside("index"));
    }
    Some(world)
}

/// vpython, with the index as pip's only source.
fn launch<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world
        .vpython(words)
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", world.outside("index"))
        .env("PIP_NO_CACHE_DIR", "1")
}

fn fetch(world: &World, words: &[&str]) -> Outcome {
    launch(world, &["-vpython-tool", "fetch", "--build"])
        .arguments(words)
        .run()
}

/// The names of the files that were fetched. The directory must contain only wheels.
#[track_caller]
fn came(world: &World, directory: &str, outcome: &Outcome) -> Vec<String> {
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let prefix = format!("[WORLD]/work/{directory}/");
    let came = outcome
        .stdout
        .lines()
        .map(|line| line.strip_prefix(&prefix).unwrap_or(line).to_owned())
        .collect();
    let mut found = std::fs::read_dir(world.path(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    assert!(
        found.all(|path| path.extension().is_some_and(|extension| extension == "whl")),
        "{outcome}"
    );
    came
}

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

const NOTHING: &str = "vpython: nothing to fetch: all wheels that the spec requires are present\n";

#[test]
fn a_missing_wheel_is_fetched_with_its_requirements() {
    let Some(world) = world(&[
        module("a", "1").requires("b>1"),
        module("b", "1"),
        module("b", "2"),
        module("c", "1"),
    ]) else {
        return;
    };
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a, b; print(a.VERSION, b.VERSION)\n",
    );
    let outcome = launch(&world, &["tool.py"]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          caused by: no wheel directory is configured, and there is no `wheels` next to the spec
          hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
    let outcome = fetch(&world, &["tool.py"]);
    assert_eq!(
        came(&world, "wheels", &outcome),
        ["a-1-py3-none-any.whl", "b-2-py3-none-any.whl"]
    );
    let announced = "vpython: fetching into `[WORLD]/work/wheels`: a (here ([VERSION]))\n";
    assert!(outcome.stderr.starts_with(announced), "{outcome}");
    launch(&world, &["tool.py"]).run().prints("1 2\n");
    fetch(&world, &["tool.py"]).expect(0, "", NOTHING);
}

#[test]
fn wheels_in_the_directory_are_kept_if_possible() {
    let index = [
        module("a", "1").requires("b"),
        module("b", "1"),
        module("b", "2"),
        module("d", "1").requires("b>1"),
    ];
    let Some(world) = world(&index) else { return };
    world.wheel(&module("b", "1"));
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    assert_eq!(
        came(&world, "wheels", &fetch(&world, &[])),
        ["a-1-py3-none-any.whl"]
    );
    world.write("vpython.toml", "dependencies = ['b', 'd']\n");
    assert_eq!(
        came(&world, "wheels", &fetch(&world, &[])),
        ["b-2-py3-none-any.whl", "d-1-py3-none-any.whl"]
    );
}

#[test]
fn the_first_directory_of_the_spec_is_made_and_filled() {
    let Some(world) = world(&[module("a", "1")]) else {
        return;
    };
    world.write(
        "vpython.toml",
        "dependencies = ['a']\n[tool.vpython]\nwheels = ['third_party/wheels']\n",
    );
    let outcome = launch(&world, &["-c", ""]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: the directory `[WORLD]/work/third_party/wheels` does not exist
          caused by: it comes from `[WORLD]/work/vpython.toml`, line 3
          hint: paths in a spec are relative to the spec's own directory; `vpython -vpython-tool fetch -c ''` creates and fills it
    "#]]);
    assert_eq!(
        came(&world, "third_party/wheels", &fetch(&world, &["-c", ""])),
        ["a-1-py3-none-any.whl"]
    );
    let named = launch(
        &world,
        &[
            "-vpython-wheels",
            "other",
            "-vpython-tool",
            "fetch",
            "--build",
        ],
    )
    .run();
    named.expect(0, "", NOTHING);
}

#[test]
fn listed_wheels_are_fetched_in_public_versions_without_dependencies() {
    let Some(world) = world(&[module("a", "1").requires("b"), module("b", "1")]) else {
        return;
    };
    world.write(
        ".vpython3",
        "# vpython: no-seed\nwheel: <\n  name: 'infra/python/wheels/a-py3'\n  version: 'version:1.chromium.7'\n>\n",
    );
    assert_eq!(
        came(&world, "wheels", &fetch(&world, &[])),
        ["a-1-py3-none-any.whl"]
    );
    launch(&world, &["-c", "import a; print(a.VERSION)"])
        .run()
        .prints("1\n");
}

#[test]
fn seeds_are_fetched_if_the_interpreter_lacks_them_and_are_optional() {
    let index = [
        module("a", "1"),
        module("setuptools", "81"),
        module("setuptools", "82"),
        module("pip", "98"),
        module("wheel", "0.45"),
    ];
    let Some(world) = world(&index) else { return };
    world.write(
        ".vpython3",
        "wheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n",
    );
    let seeds = || {
        launch(&world, &["-vpython-tool", "explain"])
            .run()
            .stdout
            .matches("  seeded for LUCI specs")
            .count()
    };
    let before = {
        world.wheel(&module("a", "1"));
        seeds()
    };
    assert_eq!(
        came(&world, "wheels", &fetch(&world, &[])).len(),
        3 - before
    );
    assert_eq!(seeds(), 3);
    assert!(!world.path("wheels/setuptools-82-py3-none-any.whl").exists());
    fetch(&world, &[]).expect(0, "", NOTHING);
    // A seed that is missing in the index is reported, and is not an error.
    for seed in ["wheel-0.45", "setuptools-81", "pip-98"] {
        for directory in [world.path("wheels"), world.outside("index")] {
            let _ = std::fs::remove_file(directory.join(format!("{seed}-py3-none-any.whl")));
        }
    }
    let outcome = fetch(&world, &[]);
    let said = "vpython: pip cannot fetch `wheel<0.46` (here ([VERSION])); environments are built without this seed\n";
    assert!(
        outcome.code == Some(0) && outcome.stderr.contains(said),
        "{outcome}"
    );
}

#[test]
fn other_platforms_get_what_their_markers_and_tags_require() {
    let index = [
        module("a", "1").requires("b; sys_platform == 'win32'"),
        module("b", "1").requires("c"),
        module("c", "1").tag("py3-none-win_amd64"),
        module("c", "2").tag("py3-none-macosx_11_0_arm64"),
    ];
    let Some(world) = world(&index) else { return };
    world.write("vpython.toml", "dependencies = ['a']\n[tool.vpython]\nplatforms = ['win_amd64', 'manylinux_2_17_x86_64']\n");
    let mut files = came(&world, "wheels", &fetch(&world, &[]));
    files.sort();
    assert_eq!(
        files,
        [
            "a-1-py3-none-any.whl",
            "b-1-py3-none-any.whl",
            "c-1-py3-none-win_amd64.whl"
        ]
    );
    assert_eq!(
        launch(&world, &["-vpython-tool", "verify"]).run().code,
        Some(0)
    );
}

#[test]
fn arguments_after_two_dashes_are_passed_to_pip() {
    let Some(world) = world(&[]) else { return };
    module("a", "1").write_to(&world.outside("elsewhere"));
    world.write("tool.py", "# /// script\n# dependencies = ['a']\n# ///\n");
    let elsewhere = world.outside("elsewhere");
    let words = [
        "-vpython-tool",
        "fetch",
        "--build",
        "tool.py",
        "--",
        "--find-links",
        elsewhere.to_str().unwrap(),
    ];
    let outcome = world.vpython(words).env("PIP_NO_INDEX", "1").run();
    assert_eq!(came(&world, "wheels", &outcome), ["a-1-py3-none-any.whl"]);
}

#[test]
fn an_existing_directory_with_a_default_name_is_filled() {
    let Some(world) = world(&[module("a", "1"), module("b", "1")]) else {
        return;
    };
    world.write("vpython.toml", "dependencies = ['a']\n");
    std::fs::create_dir(world.path("pip_packages")).unwrap();
    assert_eq!(
        came(&world, "pip_packages", &fetch(&world, &[])),
        ["a-1-py3-none-any.whl"]
    );
    assert!(!world.path("wheels").exists());
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    std::fs::create_dir(world.path("wheels")).unwrap();
    assert_eq!(
        came(&world, "wheels", &fetch(&world, &[])),
        ["b-1-py3-none-any.whl"]
    );
}

#[test]
fn wheels_that_a_concurrent_fetch_has_brought_are_used() {
    let Some(world) = world(&[module("a", "1")]) else {
        return;
    };
    world.write("vpython.toml", "dependencies = ['a']\n");
    let [from, to] =
        [world.outside("index"), world.path("wheels")].map(|path| path.display().to_string());
    // Each pip process writes this first.
    let other = format!("import shutil; shutil.copy('{from}/a-1-py3-none-any.whl', '{to}')\n");
    std::fs::create_dir(world.outside("other")).unwrap();
    std::fs::write(world.outside("other/sitecustomize.py"), other).unwrap();
    let outcome = launch(&world, &["-vpython-tool", "fetch", "--build"])
        .env("PYTHONPATH", world.outside("other"))
        .run();
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), ""), "{outcome}");
    assert!(outcome.stderr.ends_with(NOTHING), "{outcome}");
    launch(&world, &["-c", "import a; print(a.VERSION)"])
        .run()
        .prints("1\n");
}

#[test]
fn a_program_that_asks_for_nothing_needs_no_directory() {
    let Some(world) = world(&[]) else { return };
    fetch(&world, &["-c", ""]).expect(0, "", NOTHING);
}
