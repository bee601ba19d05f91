//! `-vpython-tool fetch` fills a directory of wheels with a real pip, from a directory that
//! represents the index.

use crate::support::{Fake, Launch, Outcome, Python, Wheel, World};

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
    launch(world, &["-vpython-tool", "fetch"])
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
    let refusal =
        "vpython: error: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2)\n";
    let outcome = launch(&world, &["tool.py"]).run();
    assert!(outcome.stderr.starts_with(refusal), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("  hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or "),
        "{outcome}"
    );
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
    let hint = "hint: paths in a spec are relative to the spec's own directory; `vpython -vpython-tool fetch -c ''` creates and fills it\n";
    assert!(outcome.stderr.ends_with(hint), "{outcome}");
    assert_eq!(
        came(&world, "third_party/wheels", &fetch(&world, &["-c", ""])),
        ["a-1-py3-none-any.whl"]
    );
    let named = launch(
        &world,
        &["-vpython-wheels", "other", "-vpython-tool", "fetch"],
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
fn a_lock_gets_exactly_its_files_and_a_stale_one_is_written_again() {
    let Some(world) = world(&[module("a", "1"), module("a", "2"), module("b", "1")]) else {
        return;
    };
    world.wheel(&module("a", "1"));
    world.write("vpython.toml", "dependencies = ['a']\n");
    assert_eq!(
        launch(&world, &["-vpython-tool", "lock"]).run().code,
        Some(0)
    );
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    assert_eq!(
        came(&world, "wheels", &fetch(&world, &[])),
        ["a-1-py3-none-any.whl"]
    );
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    let outcome = fetch(&world, &[]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stdout.starts_with(
            "[WORLD]/work/wheels/b-1-py3-none-any.whl\npylock.vpython.toml: written\n"
        ),
        "{outcome}"
    );
    launch(&world, &["-c", "import a, b; print(a.VERSION, b.VERSION)"])
        .run()
        .prints("1 1\n");
}

#[test]
fn pinned_digests_are_checked_before_a_file_gets_its_name() {
    use sha2::Digest;
    let Some(world) = world(&[module("a", "1").requires("b"), module("b", "1")]) else {
        return;
    };
    let [a, b] = [module("a", "1").requires("b"), module("b", "1")]
        .map(|wheel| hex::encode(sha2::Sha256::digest(wheel.bytes())));
    let words = ["-vpython-spec=requirements.txt", "-vpython-tool", "fetch"];
    world.write(
        "requirements.txt",
        format!("a==1 --hash=sha256:{a}\nb==1 --hash=sha256:{a}\n"),
    );
    let outcome = launch(&world, &words).run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(1), "[WORLD]/work/wheels/a-1-py3-none-any.whl\n"),
        "{outcome}"
    );
    assert_eq!(
        std::fs::read_dir(world.path("wheels")).unwrap().count(),
        1,
        "{outcome}"
    );
    world.write(
        "requirements.txt",
        format!("a==1 --hash=sha256:{a}\nb==1 --hash=sha256:{b}\n"),
    );
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    let outcome = launch(&world, &words).run();
    assert_eq!(
        came(&world, "wheels", &outcome),
        ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]
    );
}

#[test]
fn a_file_with_other_bytes_than_are_pinned_is_replaced() {
    let Some(world) = world(&[module("a", "1"), module("b", "1")]) else {
        return;
    };
    let other = module("a", "1").file("other.py", "");
    let run = || {
        launch(
            &world,
            &[
                "-vpython-spec=requirements.txt",
                "-c",
                "import a; print(a.VERSION)",
            ],
        )
        .run()
    };
    let words = [
        "-vpython-spec=requirements.txt",
        "-vpython-tool",
        "fetch",
        "-c",
        "",
    ];
    let digest = |wheel: &Wheel| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(wheel.bytes()));
    world.write(
        "requirements.txt",
        format!("a==1 --hash=sha256:{}\n", digest(&module("a", "1"))),
    );
    world.wheel(&other);
    assert_eq!(run().code, Some(125));
    let outcome = launch(&world, &words).run();
    assert_eq!(came(&world, "wheels", &outcome), ["a-1-py3-none-any.whl"]);
    assert!(
        outcome
            .stderr
            .starts_with("vpython: fetching into `[WORLD]/work/wheels`: a==1 (here ([VERSION]))\n"),
        "{outcome}"
    );
    run().prints("1\n");
    // The same for a lock; if a wheel is not available, the file stays as it is.
    assert_eq!(
        launch(
            &world,
            &["-vpython-spec=requirements.txt", "-vpython-tool", "lock"]
        )
        .run()
        .code,
        Some(0)
    );
    world.wheel(&other);
    assert_eq!(
        came(&world, "wheels", &launch(&world, &words).run()),
        ["a-1-py3-none-any.whl"]
    );
    run().prints("1\n");
    world.wheel(&other);
    std::fs::remove_file(world.outside("index/a-1-py3-none-any.whl")).unwrap();
    let outcome = launch(&world, &words).run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
    assert_eq!(
        std::fs::read(world.path("wheels/a-1-py3-none-any.whl")).unwrap(),
        other.bytes()
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
        "tool.py",
        "--",
        "--find-links",
        elsewhere.to_str().unwrap(),
    ];
    let outcome = world.vpython(words).env("PIP_NO_INDEX", "1").run();
    assert_eq!(came(&world, "wheels", &outcome), ["a-1-py3-none-any.whl"]);
}

#[test]
fn a_failed_fetch_is_an_error_and_leaves_nothing() {
    let Some(world) = world(&[]) else { return };
    world.write("vpython.toml", "dependencies = ['a>1']\n");
    let outcome = fetch(&world, &[]);
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
    assert!(
        outcome
            .stderr
            .contains("\nvpython: error: pip cannot fetch a>1\n  caused by: `[PYTHON] "),
        "{outcome}"
    );
    assert!(
        outcome
            .stderr
            .ends_with("\n  hint: pip's own output is above; words after `--` are passed to pip\n"),
        "{outcome}"
    );
    assert!(
        std::fs::read_dir(world.path("wheels"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn available_wheels_are_fetched_and_the_others_are_listed() {
    let Some(world) = world(&[
        module("a", "1"),
        module("b", "1").tag("py3-none-win_amd64"),
        module("d", "1"),
    ]) else {
        return;
    };
    world.write(
        "vpython.toml",
        "dependencies = ['a', 'b; sys_platform == \"win32\"', 'c>1', 'd']\n[tool.vpython]\nplatforms = ['win_amd64']\n",
    );
    let outcome = fetch(&world, &[]);
    let came = "[WORLD]/work/wheels/a-1-py3-none-any.whl\n[WORLD]/work/wheels/d-1-py3-none-any.whl\n\
                [WORLD]/work/wheels/b-1-py3-none-win_amd64.whl\n";
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(1), came),
        "{outcome}"
    );
    let end = "\nvpython: error: pip cannot fetch all of the missing wheels\n  caused by: c>1 (here ([VERSION]))\n  caused by: c>1 \
               (win_amd64)\n  hint: pip's own output is above; words after `--` are passed to pip\n";
    assert!(outcome.stderr.ends_with(end), "{outcome}");
    let outcome = fetch(&world, &[]);
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
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
fn an_interpreter_without_pip_is_reported() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.42");
    let answer = fake.path.with_file_name("answer.json");
    fake.rewrite(format!("#!/bin/sh\n[ \"$1\" = -I ] && cat {}\n", answer.display()).as_bytes());
    world.write("vpython.toml", "dependencies = ['a']\n");
    let message = "\
vpython: fetching into `[WORLD]/work/wheels`: a (here (3.11.42))
vpython: error: the interpreter `[WORLD]/fakes/3.11.42/python3` has no pip to fetch wheels with
  hint: install it (`[WORLD]/fakes/3.11.42/python3 -m ensurepip`, or the system's package `python3-pip`), or name another interpreter with `-vpython-interpreter`
";
    world
        .vpython(["-vpython-tool", "fetch"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .run()
        .refuses(125, message);
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
    let outcome = launch(&world, &["-vpython-tool", "fetch"])
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

#[test]
fn a_file_that_is_not_a_wheel_is_reported_and_replaced() {
    let Some(world) = world(&[module("a", "1")]) else {
        return;
    };
    let whole = module("a", "1").bytes();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let rows: [(&[u8], &str, &str); 4] = [
        (
            pointer,
            "is a Git LFS pointer, not a wheel",
            "`git lfs pull` fetches the file",
        ),
        (
            b"<!DOCTYPE html>\n",
            "is an HTML page, not a wheel",
            "fetch one: `vpython -vpython-tool fetch`",
        ),
        (
            b"",
            "is an empty file, not a wheel",
            "fetch one: `vpython -vpython-tool fetch`",
        ),
        (
            &whole[..whole.len() - 30],
            "is a truncated zip archive, perhaps from an interrupted download",
            "fetch one: `vpython -vpython-tool fetch`",
        ),
    ];
    world.write("vpython.toml", "dependencies = ['a']\n");
    for (content, why, hint) in rows {
        let file = world.write("wheels/a-1-py3-none-any.whl", content);
        launch(&world, &["-vpython-tool", "install"]).run().refuses(
            125,
            &format!(
                "vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)\n  \
                 caused by: `a-1-py3-none-any.whl` {why}\n  \
                 hint: {hint}\n"
            ),
        );
        assert_eq!(
            came(&world, "wheels", &fetch(&world, &[])),
            ["a-1-py3-none-any.whl"],
            "{why}"
        );
        assert_eq!(std::fs::read(file).unwrap(), whole, "{why}");
    }
    // The same for a list of wheels.
    let file = world.write("wheels/a-1-py3-none-any.whl", pointer);
    world.write("x.vpython3", "# vpython: no-seed\nwheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n");
    launch(&world, &["-vpython-spec=x.vpython3", "-vpython-tool", "install"]).run().refuses(
        125,
        "vpython: error: no wheel in `[WORLD]/work/wheels` fits `a==1` (listed in `[WORLD]/work/x.vpython3`, line 2 as \
         `infra/python/wheels/a-py3` `version:1`)\n  caused by: `a-1-py3-none-any.whl` is a Git LFS pointer, not a wheel\n  \
         hint: `git lfs pull` fetches the file\n",
    );
    let outcome = launch(
        &world,
        &["-vpython-spec=x.vpython3", "-vpython-tool", "fetch"],
    )
    .run();
    assert_eq!(came(&world, "wheels", &outcome), ["a-1-py3-none-any.whl"]);
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    // The same for a lock.
    launch(&world, &["-vpython-tool", "lock"]).run();
    std::fs::write(&file, pointer).unwrap();
    let outcome = launch(&world, &["-vpython-tool", "install"]).run();
    let message = "vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`\n  caused by: \
                   `[WORLD]/work/wheels/a-1-py3-none-any.whl` is a Git LFS pointer, not a wheel \
                   (`[WORLD]/work/pylock.vpython.toml`, line 15)\n  hint: `git lfs pull` fetches the file\n";
    outcome.refuses(125, message);
}

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
    let refusal = "vpython: error: cannot upgrade `d`: neither the spec nor any wheel requires it\n  hint: words after \
                   `--upgrade` are project names; write a script as `./d`\n";
    fetch(&world, &["--upgrade", "d"]).refuses(125, refusal);
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
    let end = "\nvpython: `[WORLD]/work/pylock.vpython.toml` is unchanged; `-vpython-tool lock --upgrade` updates it\n";
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
            "--upgrade",
        ],
    )
    .run();
    outcome.expect(
        0,
        "",
        "vpython: nothing to upgrade: the spec pins every version\n",
    );
}
