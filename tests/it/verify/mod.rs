//! `-vpython-tool verify` checks whether the wheels of a spec exist, for this platform and others.
//!
//! The interpreter is a fake CPython 3.11 on x86-64 Linux with glibc 2.36, so that the tables are
//! the same on every machine.

mod conflicts;
mod listed;

use expect_test::expect;
use sha2::{Digest, Sha256};

use crate::support::{Fake, Fault, Launch, Outcome, Wheel, World};

/// A world with a fake interpreter.
struct Case {
    world: World,
    fake: Fake,
}

impl Case {
    /// A world with a `vpython.toml` of this text, and these wheels next to it.
    fn new(spec: &str, wheels: &[Wheel]) -> Self {
        Self::with_spec("vpython.toml", spec, wheels)
    }

    fn with_spec(name: &str, spec: &str, wheels: &[Wheel]) -> Self {
        let world = World::new();
        world.write(name, spec);
        std::fs::create_dir_all(world.path("wheels")).unwrap();
        for wheel in wheels {
            world.wheel(wheel);
        }
        let fake = Fake::new(&world, "3.11.42");
        Self { world, fake }
    }

    fn launch(&self, words: &[&str]) -> Launch<'_> {
        self.world
            .vpython(words)
            .env("VPYTHON_INTERPRETER", &self.fake.path)
    }

    fn verify(&self) -> Outcome {
        self.launch(&["-vpython-tool", "verify"]).run()
    }
}

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

#[test]
fn a_wheel_for_everything_everywhere_is_ok() {
    let spec = "dependencies = [\n  'a>=1',\n  'b; sys_platform == \"win32\"',\n]\n[tool.vpython]\n\
                platforms = ['manylinux_2_17_x86_64', 'macosx_11_0_arm64', 'win_amd64']\n";
    let wheels = [
        module("a", "1.5").requires("c"),
        module("b", "2"),
        module("c", "3").tag("cp311-cp311-linux_x86_64"),
        module("c", "3.1").tag("cp311-cp311-macosx_10_9_universal2"),
        module("c", "3.2").tag("cp39-abi3-win_amd64").requires("d"),
        module("d", "4"),
    ];
    let case = Case::new(spec, &wheels);
    case.verify().prints(
        expect![[r#"
            requirement  required  here (3.11.42)  manylinux_2_17_x86_64  macosx_11_0_arm64  win_amd64
            a>=1         line 2    1.5             1.5                    1.5                1.5
            b            line 3    -               -                      -                  2
              c          by a      3               3                      3.1                3.2
              d          by c      -               -                      -                  4

            ok here and on 3 platforms
        "#]],
    );
    assert_eq!(
        case.world.leftovers(),
        [] as [std::path::PathBuf; 0],
        "nothing is built"
    );
    assert_eq!(case.fake.probe_count(), 1);
}

#[test]
fn a_missing_wheel_is_shown_with_the_reason_against_each_file() {
    let spec = "dependencies = ['a', 'b']\n[tool.vpython]\nplatforms = ['win_amd64', 'manylinux2014_x86_64']\n";
    let wheels = [
        module("a", "1").requires("c>=2"),
        module("b", "1").tag("cp311-cp311-manylinux_2_17_x86_64"),
        module("c", "1"),
        module("c", "2").tag("cp311-cp311-manylinux_2_28_x86_64"),
    ];
    let outcome = Case::new(spec, &wheels).verify();
    outcome.expect(1, expect![[r#"
        requirement  required  here (3.11.42)  win_amd64  manylinux2014_x86_64
        a            line 1    1               1          1
        b            line 1    1               missing    1
          c          by a      2               missing    missing
    "#]], expect![[r#"
        vpython: error: the spec cannot be satisfied for CPython 3.11.42 on win_amd64
          caused by: no wheel in `[WORLD]/work/wheels` fits the requirements on 2 projects
          caused by: `b` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `b`: `b-1-cp311-cp311-manylinux_2_17_x86_64.whl` is for manylinux_2_17_x86_64; the interpreter is CPython 3.11.42 on win_amd64
          caused by: `c>=2` is required by `a` 1, `a-1-py3-none-any.whl`
          caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `c`: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`
          caused by: `c`: `c-2-cp311-cp311-manylinux_2_28_x86_64.whl` is for manylinux_2_28_x86_64; the interpreter is CPython 3.11.42 on win_amd64
          hint: fetch what is missing: `vpython -vpython-tool fetch`
        vpython: error: the spec cannot be satisfied for CPython 3.11.42 on manylinux2014_x86_64
          caused by: no wheel in `[WORLD]/work/wheels` fits `c>=2` (required by `a` 1, `a-1-py3-none-any.whl`)
          caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`
          caused by: `c-2-cp311-cp311-manylinux_2_28_x86_64.whl` is for manylinux_2_28_x86_64; the interpreter is CPython 3.11.42 on manylinux2014_x86_64
          hint: fetch one: `vpython -vpython-tool fetch`
    "#]]);
}

#[test]
fn a_wheel_with_another_digest_than_the_pinned_one_is_shown() {
    let wheels = [module("a", "1"), module("b", "1")];
    let digest = |wheel: &Wheel| hex::encode(Sha256::digest(wheel.bytes()));
    let wrong = "0".repeat(64);
    let spec = format!(
        "a==1 --hash=sha256:{}\nb==1 --hash=sha256:{wrong}\n",
        digest(&wheels[0])
    );
    let case = Case::with_spec("requirements.txt", &spec, &wheels);
    let outcome = case
        .launch(&[
            "-vpython-spec",
            "requirements.txt",
            "-vpython-tool",
            "verify",
        ])
        .run();
    outcome
        .replacing(&digest(&wheels[1]), "[FOUND]")
        .replacing(&wrong, "[PINNED]")
        .expect(1, expect![[r#"
            requirement  required  here (3.11.42)
            a==1         line 1    1
            b==1         line 2    wrong hash
        "#]], expect![[r#"
            vpython: error: the spec cannot be satisfied for CPython 3.11.42 on linux x86_64
              caused by: no wheel in `[WORLD]/work/wheels` fits `b==1` (required in `[WORLD]/work/requirements.txt`, line 2)
              caused by: `b-1-py3-none-any.whl` has the sha256 `[FOUND]`, but `[PINNED]` is pinned (required in `[WORLD]/work/requirements.txt`, line 2)
              hint: fetch one: `vpython -vpython-spec=requirements.txt -vpython-tool fetch`
        "#]]);
}

#[test]
fn nothing_to_check_is_not_ok() {
    let nothing = expect![[r#"
        nothing to check: `[WORLD]/work/vpython.toml` requires no wheels
    "#]];
    Case::new("", &[]).verify().prints(&nothing);
    Case::new("[tool.vpython]\nplatforms = ['win32']\n", &[])
        .verify()
        .prints(&nothing);
    let case = Case::new("", &[]);
    std::fs::remove_file(case.world.path("vpython.toml")).unwrap();
    case.verify().prints(expect![[r#"
        nothing to check: there is no spec
    "#]]);
    let case = Case::new("dependencies = ['a; sys_platform == \"plan9\"']\n", &[]);
    case.verify().prints(
        expect![[r#"
            requirement  required  here (3.11.42)
            a            line 1    -

            nothing to check: `[WORLD]/work/vpython.toml` requires no wheels on any of these platforms
        "#]],
    );
}

#[test]
fn without_platforms_only_this_machine_is_ok() {
    let case = Case::new("dependencies = ['a']\n", &[module("a", "1")]);
    case.verify().prints(expect![[r#"
        requirement  required  here (3.11.42)
        a            line 1    1

        ok here; the spec names no other platforms
    "#]]);
}

#[test]
fn broken_and_foreign_files_are_skipped_with_one_warning_each() {
    let case = Case::new(
        "dependencies = ['a']\n",
        &[module("a", "1"), module("b", "1").fault(Fault::NoMetadata)],
    );
    case.world
        .write("wheels/a-2-py3-none-any.whl", "no zip archive");
    case.world
        .write("wheels/c-1.tar.gz", "a source distribution");
    case.world.write("wheels/d.whl", "");
    case.world.write("wheels/.gitignore", "");
    case.world.write("wheels/directory/file", "");
    let table = expect![[r#"
        requirement  required  here (3.11.42)
        a            line 1    1

        ok here; the spec names no other platforms
    "#]];
    case.verify().expect(0, &table, expect![[r#"
        vpython: warning: `[WORLD]/work/wheels/c-1.tar.gz` is skipped: its name does not end in `.whl`
        vpython: warning: `[WORLD]/work/wheels/d.whl` is skipped: its name does not have five or six parts
        vpython: warning: `[WORLD]/work/wheels/a-2-py3-none-any.whl` is skipped: it is not a zip archive: it is too short
        vpython: warning: `[WORLD]/work/wheels/b-1-py3-none-any.whl` is skipped: it has no `METADATA` for `b` 1
    "#]]);
    case.launch(&["-vpython-log-level", "error", "-vpython-tool", "verify"])
        .run()
        .prints(&table);
}

#[test]
fn an_unknown_platform_is_an_error_with_its_line() {
    let message = expect![[r#"
        vpython: error: bad spec in `[WORLD]/work/vpython.toml`
          caused by: `[WORLD]/work/vpython.toml`, line 3, column 3: `manylinux_2_17_amd64` is not a platform; did you mean `manylinux_2_17_x86_64`?
          caused by: `[WORLD]/work/vpython.toml`, line 4, column 3: `any` is not a platform; use a platform tag of wheels, such as `manylinux_2_17_x86_64`, `musllinux_1_2_x86_64`, `macosx_11_0_arm64`, `win_amd64`
    "#]];
    Case::new(
        "[tool.vpython]\nplatforms = [\n  'manylinux_2_17_amd64',\n  'any',\n]\n",
        &[],
    )
    .verify()
    .refuses(125, &message);
    let spec = "verify_pep425_tag: <python: 'cp26' abi: 'cp26mu' platform: 'win32'>\n";
    let case = Case::with_spec(".vpython3", spec, &[]);
    case.verify().refuses(125, expect![[r#"
        vpython: error: cannot determine the target platforms
          caused by: `[WORLD]/work/.vpython3`, line 1, column 20: `cp26` is not a Python that vpython supports; use CPython 2.7, or 3.6 or later, as in `cp311`
    "#]]);
    let run = case.launch(&["-c", ""]).run();
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(0), ""),
        "the same spec runs: {run}"
    );
}

#[test]
fn a_spec_that_cannot_be_checked_is_refused() {
    let case = Case::new(
        "dependencies = ['a']\n[tool.vpython]\nwheels = ['gone']\n",
        &[],
    );
    let message = expect![[r#"
        vpython: error: the directory `[WORLD]/work/gone` does not exist
          caused by: it comes from `[WORLD]/work/vpython.toml`, line 3
          hint: paths in a spec are relative to the spec's own directory; `vpython -vpython-tool fetch` creates and fills it
    "#]];
    case.verify().refuses(125, &message);
    let case = Case::new("requires-python = '>=3.12'\ndependencies = ['a']\n", &[]);
    case.verify().refuses(125, expect![[r#"
        vpython: error: cannot use `[WORLD]/fakes/3.11.42/python3` as the interpreter
          caused by: it is CPython 3.11.42, but `requires-python` is `>=3.12` (`[WORLD]/work/vpython.toml`, line 1)
    "#]]);
    let missing = Case::new("", &[])
        .launch(&["-vpython-tool", "verify", "gone.py"])
        .run();
    missing.refuses(
        125,
        expect![[r#"
            vpython: error: there is no script `gone.py`
        "#]],
    );
}

#[test]
fn no_store_is_needed() {
    let case = Case::new("dependencies = ['a']\n", &[module("a", "1")]);
    let outcome = case
        .launch(&["-vpython-root", "/proc/none", "-vpython-tool", "verify"])
        .run();
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (Some(0), ""),
        "{outcome}"
    );
}

#[test]
fn the_spec_is_that_of_the_target() {
    let case = Case::new("dependencies = ['a']\n", &[module("b", "1")]);
    case.world.write(
        "tool.py",
        "# /// script\n# dependencies = ['b']\n# [tool.vpython]\n# platforms = ['win32']\n# ///\n",
    );
    case.launch(&["-vpython-tool", "verify", "tool.py", "--", "--help"])
        .run()
        .prints(expect![[r#"
            requirement  required  here (3.11.42)  win32
            b            line 2    1               1

            ok here and on 1 platform
        "#]]);
}

#[test]
fn an_extra_that_is_not_there_is_a_warning() {
    let spec = "dependencies = ['a[x]']\n[tool.vpython]\nplatforms = ['win32']\n";
    let outcome = Case::new(spec, &[module("a", "1")]).verify();
    outcome.succeeds_with(expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` has no extra `x` (required in `[WORLD]/work/vpython.toml`, line 1)
    "#]]);
}

/// The text of a block of the page about platforms.
fn example(kind: &str) -> &'static str {
    let page = include_str!("../../../docs/platforms.md");
    let (_, rest) = page
        .split_once(&format!("<!-- verified -->\n```{kind}\n"))
        .unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_documented_example_is_what_is_printed() {
    let wheels = [
        module("requests", "2.32.3")
            .requires("charset-normalizer")
            .requires("idna"),
        module("charset_normalizer", "3.4.1").tag("cp311-cp311-manylinux_2_17_x86_64"),
        module("charset_normalizer", "3.4.1").tag("cp311-cp311-macosx_10_9_universal2"),
        module("idna", "3.10"),
        module("pywin32", "306").tag("cp311-cp311-win_amd64"),
    ];
    let case = Case::new(example("toml"), &wheels);
    let expected: String = example("console").split_inclusive('\n').skip(1).collect();
    let outcome = case.verify();
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(1), expected.as_str()),
        "{outcome}"
    );
}
