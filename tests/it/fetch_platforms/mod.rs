//! `-vpython-tool fetch` for specs that list wheels for several platforms, with an old pip, and
//! with a network that fails.

mod network;
mod old_pip;

use expect_test::expect;

use crate::support::{Launch, Outcome, Python, Wheel, World};

/// A world whose python has pip, of this minor version if given. Returns `None`, and says so, if no
/// python has pip.
fn world(minor: Option<u32>) -> Option<World> {
    let has_pip = |python: &&Python| {
        let mut command = std::process::Command::new(&python.path);
        command
            .args(["-m", "pip", "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let fits = |python: &&Python| minor.map_or(python.minor >= 8, |minor| python.minor == minor);
    let Some(python) = Python::all().iter().rev().filter(fits).find(has_pip) else {
        not_tested!("no suitable python has pip");
        return None;
    };
    let world = World::with_python(python);
    std::fs::create_dir_all(world.outside("index")).unwrap();
    Some(world)
}

fn put(world: &World, wheels: &[Wheel]) {
    for wheel in wheels {
        wheel.write_to(&world.outside("index"));
    }
}

/// vpython, with a directory as pip's only source.
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

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

/// The files that were fetched, sorted.
fn came(outcome: &Outcome) -> Vec<&str> {
    let mut names: Vec<&str> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.rsplit('/').next())
        .collect();
    names.sort_unstable();
    names
}

/// The lines with this prefix, without the name of vpython.
fn lines<'a>(outcome: &'a Outcome, begin: &str) -> Vec<&'a str> {
    let lines = outcome
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("vpython: "));
    lines.filter(|line| line.starts_with(begin)).collect()
}

/// Keeps `fetch` from fetching the seeds, which `seeds.rs` tests.
const NO_SEED: &str = "# vpython: no-seed\n";

fn listed(name: &str, version: &str) -> String {
    format!("wheel: < name: 'infra/python/wheels/{name}' version: 'version:{version}' >\n")
}

#[test]
fn each_platform_is_announced_and_gets_the_wheels_that_exist() {
    let Some(world) = world(None) else { return };
    put(
        &world,
        &[
            module("a", "1"),
            module("b", "1").tag("py3-none-win_amd64"),
            module("b", "1").tag("py3-none-manylinux1_x86_64"),
        ],
    );
    let tags = ["win_amd64", "manylinux1_x86_64", "macosx_11_0_arm64"];
    let tags = tags
        .map(|tag| format!("verify_pep425_tag: < platform: '{tag}' >\n"))
        .concat();
    world.write(
        ".vpython3",
        listed("a-py3", "1") + &listed("b/${vpython_platform}", "1") + &tags + NO_SEED,
    );
    let outcome = fetch(&world, &[]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(
        came(&outcome),
        [
            "a-1-py3-none-any.whl",
            "b-1-py3-none-manylinux1_x86_64.whl",
            "b-1-py3-none-win_amd64.whl"
        ]
    );
    let announced = [
        "fetching into `[WORLD]/work/wheels`: a==1, b==1 (here ([VERSION]))",
        "fetching into `[WORLD]/work/wheels`: b==1 (win_amd64)",
        "fetching into `[WORLD]/work/wheels`: b==1 (macosx_11_0_arm64)",
    ];
    assert_eq!(
        lines(&outcome, "fetching into"),
        announced,
        "the wheel for this machine also serves the platform `manylinux1`: {outcome}"
    );
    let end = "vpython: error: pip cannot fetch all of the missing wheels\n  caused by: b==1 (macosx_11_0_arm64)\n  hint: pip's own output \
               is above; words after `--` are passed to pip\n";
    assert!(outcome.stderr.ends_with(end), "{outcome}");
}

#[test]
fn a_wheel_built_on_this_machine_serves_any_linux() {
    let Some(world) = world(None) else { return };
    put(
        &world,
        &[
            module("a", "1").tag("py3-none-linux_x86_64"),
            module("b", "1").tag("py3-none-manylinux_2_28_x86_64"),
        ],
    );
    world.write(
        ".vpython3",
        listed("a-py3", "1")
            + &listed("b-py3", "1")
            + "verify_pep425_tag: < platform: 'manylinux1_x86_64' >\n"
            + NO_SEED,
    );
    let outcome = fetch(&world, &[]);
    assert_eq!(
        (outcome.code, lines(&outcome, "fetching into").len()),
        (Some(0), 1),
        "{outcome}"
    );
    assert_eq!(
        launch(&world, &["-vpython-tool", "verify"]).run().code,
        Some(0)
    );
}

#[test]
fn here_leaves_other_platforms_alone() {
    let Some(world) = world(None) else { return };
    put(
        &world,
        &[module("a", "1"), module("b", "1").tag("py3-none-win_amd64")],
    );
    world.write(
        "vpython.toml",
        "dependencies = ['a', 'b; sys_platform == \"win32\"']\n[tool.vpython]\nplatforms = ['win_amd64']\n",
    );
    let outcome = fetch(&world, &["--here"]);
    assert_eq!(
        (outcome.code, came(&outcome)),
        (Some(0), vec!["a-1-py3-none-any.whl"]),
        "{outcome}"
    );
    fetch(&world, &["--here"]).expect(
        0,
        "",
        expect![[r#"
            vpython: nothing to fetch: all wheels that the spec requires are present
        "#]],
    );
    assert_eq!(came(&fetch(&world, &[])), ["b-1-py3-none-win_amd64.whl"]);
    fetch(&world, &["--here", "--prune"]).refuses(
        125,
        expect![[r#"
            vpython: error: `--prune` and `--here` of `-vpython-tool fetch` cannot be used together
              caused by: what other platforms need would be removed
        "#]],
    );
}

#[test]
fn a_spec_that_fails_for_one_platform_is_fetched_for_the_others() {
    let Some(world) = world(None) else { return };
    put(&world, &[module("a", "1"), module("b", "1")]);
    let on_windows = "match_tag: < platform: 'win_amd64' >";
    let spec = listed("b-py3", "1")
        + &format!(
            "wheel: < name: 'infra/python/wheels/a-py3' version: 'version:2' {on_windows} >\n"
        )
        + &format!(
            "wheel: < name: 'infra/python/wheels/a-py3' version: 'version:3' {on_windows} >\n"
        )
        + "verify_pep425_tag: < platform: 'win_amd64' >\nverify_pep425_tag: < platform: 'macosx_11_0_arm64' >\n";
    world.write(".vpython3", spec);
    let outcome = fetch(&world, &[]);
    assert_eq!(
        (outcome.code, came(&outcome)),
        (Some(1), vec!["b-1-py3-none-any.whl"]),
        "{outcome}"
    );
    let end = "vpython: error: pip cannot fetch all of the missing wheels\n  caused by: `a` is listed in different versions, and all of them apply \
               here: `infra/python/wheels/a-py3` is `version:2` in `[WORLD]/work/.vpython3`, line 2: `infra/python/wheels/a-py3` is \
               `version:3` in `[WORLD]/work/.vpython3`, line 3 (win_amd64)\n";
    assert!(outcome.stderr.ends_with(end), "{outcome}");
}

#[test]
fn the_listed_build_comes_before_the_public_version_and_no_other_build_does() {
    let rows: [(&[&str], &[&str], usize); 4] = [
        (
            &["1", "1+chromium.7"],
            &["a-1+chromium.7-py3-none-any.whl"],
            0,
        ),
        (
            &["1", "1+chromium.7", "1+chromium.8"],
            &["a-1+chromium.7-py3-none-any.whl"],
            0,
        ),
        (&["1"], &["a-1-py3-none-any.whl"], 1),
        (&["1", "1+chromium.8"], &["a-1-py3-none-any.whl"], 1),
    ];
    for (index, expected, notices) in rows {
        let Some(world) = world(None) else { return };
        put(
            &world,
            &index
                .iter()
                .map(|version| module("a", version))
                .collect::<Vec<_>>(),
        );
        world.write(".vpython3", listed("a-py3", "1.chromium.7") + NO_SEED);
        let outcome = fetch(&world, &[]);
        assert_eq!(
            (outcome.code, &came(&outcome)[..]),
            (Some(0), expected),
            "{index:?}: {outcome}"
        );
        assert_eq!(
            lines(&outcome, "the index lacks some of these local versions").len(),
            notices,
            "{index:?}: {outcome}"
        );
    }
    // If one of several builds is missing, the others are still the listed ones.
    let Some(world) = world(None) else { return };
    put(
        &world,
        &[
            module("a", "1"),
            module("a", "1+chromium.7"),
            module("a", "1+chromium.8"),
            module("b", "1"),
        ],
    );
    world.write(
        ".vpython3",
        listed("a-py3", "1.chromium.7")
            + &listed("b-py3", "1.chromium.7")
            + &listed("c-py3", "1")
            + NO_SEED,
    );
    let outcome = fetch(&world, &[]);
    assert_eq!(
        came(&outcome),
        ["a-1+chromium.7-py3-none-any.whl", "b-1-py3-none-any.whl"],
        "{outcome}"
    );
    assert_eq!(outcome.code, Some(1), "{outcome}");
}

#[test]
fn a_directory_named_pip_does_no_harm() {
    for minor in [8, 11] {
        let Some(world) = world(Some(minor)) else {
            continue;
        };
        put(&world, &[module("a", "1")]);
        world.write("vpython.toml", "dependencies = ['a']\n");
        world.write("pip/__init__.py", "raise SystemExit('not this one')\n");
        world.write("runpy.py", "raise SystemExit('nor this one')\n");
        let outcome = fetch(&world, &[]);
        assert_eq!(
            (outcome.code, came(&outcome)),
            (Some(0), vec!["a-1-py3-none-any.whl"]),
            "3.{minor}: {outcome}"
        );
    }
}

#[test]
fn digests_of_another_index_are_an_error_with_hints() {
    let Some(world) = world(None) else { return };
    put(&world, &[module("a", "1"), module("b", "1")]);
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(
        module("b", "1").bytes(),
    ));
    let lock = format!(
        "a==1 --hash=sha256:{}\nb==1 --hash=sha256:{digest}\n",
        "0".repeat(64)
    );
    world.write("vpython.toml.uv.lock", lock);
    let outcome = fetch(&world, &[]);
    assert_eq!(
        (outcome.code, came(&outcome)),
        (Some(1), vec!["b-1-py3-none-any.whl"]),
        "{outcome}"
    );
    let ways = "  hint: fetch from the index whose wheels are pinned (`vpython -vpython-tool fetch -- --index-url https://…`), or ignore \
                the digests with `-vpython-unlocked` or with `unlocked = true` in `[tool.vpython]`\n";
    let end = format!(
        "vpython: error: pip cannot fetch all of the missing wheels\n  caused by: a==1 (here ([VERSION]))\n{ways}"
    );
    assert!(outcome.stderr.ends_with(&end), "{outcome}");
    let outcome = fetch(&world, &[]);
    let cause = "vpython: error: pip cannot fetch a==1\n";
    assert!(
        outcome.code == Some(125) && outcome.stderr.contains(cause),
        "{outcome}"
    );
    let cause = "  caused by: the files on the index do not have the pinned digests\n";
    assert!(
        outcome.stderr.ends_with(&format!("{cause}{ways}")),
        "{outcome}"
    );
    let outcome = launch(
        &world,
        &["-vpython-unlocked", "-vpython-tool", "fetch", "--build"],
    )
    .run();
    assert_eq!(
        (outcome.code, came(&outcome)),
        (Some(0), vec!["a-1-py3-none-any.whl"]),
        "{outcome}"
    );
}
