//! The seeds: pip, setuptools and wheel in the environments of LUCI specs, which do not list them.

use expect_test::expect;

use crate::support::{Case, Fake, Outcome, Python, Wheel, World};

const SPEC: &str = "wheel: < name: \"infra/python/wheels/which-py3\" version: \"version:1\" >\n";
const PIP: &str = "pip-23-py3-none-any.whl";
const SETUPTOOLS: &str = "setuptools-65-py3-none-any.whl";
const WHICH: &str = "which-1-py3-none-any.whl";

/// A LUCI spec, these wheels and one of `which`, and an interpreter that brings pip and setuptools.
fn case(spec: &str, wheels: &[Wheel]) -> Case {
    let case = Case::with_spec(
        ".vpython3",
        spec,
        &[wheels, &[Wheel::module("which", "1")]].concat(),
    );
    for wheel in [
        Wheel::module("pip", "9"),
        Wheel::module("pip", "23"),
        Wheel::module("setuptools", "65"),
        Wheel::module("six", "1"),
    ] {
        wheel.write_to(&case.fake.bundle());
    }
    case
}

fn run(case: &Case, words: &[&str]) -> Outcome {
    case.world
        .vpython(words)
        .env("VPYTHON_INTERPRETER", &case.fake.path)
        .run()
}

#[test]
fn a_luci_spec_has_what_the_interpreter_brings() {
    case(SPEC, &[]).takes(&[PIP, SETUPTOOLS, WHICH]);
    case("", &[]).takes(&[PIP, SETUPTOOLS]);
}

#[test]
fn an_inline_block_and_a_partner_file_are_seeded_too() {
    let case = case(SPEC, &[]);
    std::fs::remove_file(case.world.path(".vpython3")).unwrap();
    let installed = |script: &str| {
        let outcome = run(&case, &["-vpython-tool", "install", script]);
        outcome.installs("");
        let manifest =
            std::fs::read_to_string(format!("{}/vpython.json", outcome.raw_stdout.trim_end()))
                .unwrap();
        (manifest.contains(SETUPTOOLS), manifest.contains(WHICH))
    };
    case.world.write(
        "block.py",
        format!("# [VPYTHON:BEGIN]\n# {SPEC}# [VPYTHON:END]\n"),
    );
    assert_eq!(installed("block.py"), (true, true));
    case.world.write("partner.py", "");
    case.world.write("partner.py.vpython3", SPEC);
    assert_eq!(installed("partner.py"), (true, true));
    case.world.write("none.py", "");
    assert_eq!(installed("none.py"), (false, false));
}

#[test]
fn a_comment_leaves_the_seeds_out() {
    case(&format!("# vpython: no-seed\n{SPEC}"), &[]).takes(&[WHICH]);
    case("# vpython: no-seed\n", &[]).takes(&[]);
}

#[test]
fn the_directories_of_wheels_come_first() {
    let wheels = [
        Wheel::module("setuptools", "40"),
        Wheel::module("setuptools", "41"),
        Wheel::module("wheel", "0.45"),
    ];
    case(SPEC, &wheels).takes(&[
        PIP,
        "setuptools-41-py3-none-any.whl",
        "wheel-0.45-py3-none-any.whl",
        WHICH,
    ]);
}

#[test]
fn a_seed_fits_the_interpreter_and_has_what_luci_had() {
    let too_new = [
        Wheel::module("setuptools", "82"),
        Wheel::module("setuptools", "81").requires_python(">=3.12"),
        Wheel::module("setuptools", "80").tag("cp38-none-any"),
        Wheel::module("wheel", "0.46"),
        Wheel::module("pip", "24").requires_python(">=3.12"),
    ];
    case(SPEC, &too_new).takes(&[PIP, SETUPTOOLS, WHICH]);
    let release_candidate = [
        Wheel::module("setuptools", "81rc1"),
        Wheel::module("setuptools", "80"),
    ];
    case(SPEC, &release_candidate).takes(&[PIP, "setuptools-80-py3-none-any.whl", WHICH]);
}

#[test]
fn a_listed_one_binds() {
    let listed = format!("{SPEC}wheel: < name: \"setuptools-py3\" version: \"version:40\" >\n");
    let wheels = [
        Wheel::module("setuptools", "40"),
        Wheel::module("setuptools", "70"),
    ];
    case(&listed, &wheels).takes(&[PIP, "setuptools-40-py3-none-any.whl", WHICH]);
    // The listed version applies only on its platforms.
    let elsewhere = listed.replace(":40\"", ":40\" match_tag: < platform: \"win32\" >");
    case(&elsewhere, &wheels).takes(&[PIP, "setuptools-70-py3-none-any.whl", WHICH]);
}

#[test]
fn a_spec_without_seeds_keeps_its_key() {
    let case = case(&format!("# vpython: no-seed\n{SPEC}"), &[]);
    let key =
        |spec: &str| run(&case, &["-vpython-spec", spec, "-vpython-tool", "install"]).raw_stdout;
    case.world
        .write("native.toml", "dependencies = ['which==1']\n");
    assert_eq!(key(".vpython3"), key("native.toml"));
    case.world.write("seeded.vpython3", SPEC);
    case.world.write(
        "named.toml",
        "dependencies = ['which==1', 'pip', 'setuptools<82']\n[tool.vpython]\nseed = true\n",
    );
    assert_eq!(key("seeded.vpython3"), key("named.toml"));
    assert_ne!(key("seeded.vpython3"), key("native.toml"));
}

#[test]
fn other_wheels_of_the_interpreter_are_noticed() {
    let case = case(SPEC, &[]);
    let is_warm = || {
        run(&case, &["-vpython-tool", "explain", "--json"])
            .stdout
            .contains("\"hit\": true")
    };
    case.takes(&[PIP, SETUPTOOLS, WHICH]);
    run(&case, &[]);
    assert!(is_warm());
    Wheel::module("setuptools", "66").write_to(&case.fake.bundle());
    assert!(!is_warm());
    case.takes(&[PIP, "setuptools-66-py3-none-any.whl", WHICH]);
    // Also one that is overwritten in place.
    run(&case, &[]);
    assert!(is_warm());
    let other = Wheel::module("setuptools", "66").file("other.py", "");
    other.write_to(&case.fake.bundle());
    assert!(!is_warm());
    std::fs::remove_dir_all(case.fake.bundle()).unwrap();
    assert!(!is_warm());
}

#[test]
fn a_directory_that_is_not_there_yet_is_noticed_when_it_is() {
    let case = Case::with_spec(".vpython3", SPEC, &[Wheel::module("which", "1")]);
    let is_warm = || {
        run(&case, &["-vpython-tool", "explain", "--json"])
            .stdout
            .contains("\"hit\": true")
    };
    assert_eq!(run(&case, &[]).code, Some(0));
    assert!(is_warm());
    Wheel::module("setuptools", "66").write_to(&case.fake.bundle());
    assert!(!is_warm());
}

#[test]
fn missing_seeds_are_reported_by_tools_and_not_by_launches() {
    let case = Case::with_spec(".vpython3", SPEC, &[Wheel::module("which", "1")]);
    let launch = run(&case, &[]);
    assert_eq!(
        (launch.code, launch.stderr.as_str()),
        (Some(0), ""),
        "{launch}"
    );
    // The environment exists already, and missing seeds are reported all the same.
    run(&case, &["-vpython-tool", "install"]).installs(expect![[r#"
        vpython: warning: there are no wheels for the seed packages `pip`, `setuptools<82`, `wheel<0.46`; `vpython -vpython-tool fetch` downloads them
    "#]]);
    run(&case, &["-vpython-tool", "verify"]).prints(expect![[r#"
        requirement  required  here (3.11.99)
        which==1     line 1    1

        ok here; the spec names no other platforms
        not seeded: pip, setuptools, wheel (`-vpython-tool fetch` downloads the missing wheels)
    "#]]);
    let explained = run(&case, &["-vpython-tool", "explain"]);
    assert!(
        explained
            .stdout
            .contains("not seeded    pip, setuptools, wheel\n"),
        "{explained}"
    );
    // Few programs need it, so its absence is reported only on request.
    Wheel::module("setuptools", "65").write_to(&case.fake.bundle());
    run(&case, &["-vpython-tool", "install"]).installs("");
    let explained = run(&case, &["-vpython-tool", "explain"]);
    assert!(
        explained.stdout.contains("not seeded    pip, wheel\n"),
        "{explained}"
    );
}

#[test]
fn where_nothing_can_be_fetched_no_tool_suggests_it_for_seeds() {
    let case = Case::with_spec(".vpython3", SPEC, &[Wheel::module("which", "1")]);
    let offline = |tool: &str| run(&case, &["-vpython-offline", "-vpython-tool", tool]);
    offline("install").installs(expect![[r#"
        vpython: warning: there are no wheels for the seed packages `pip`, `setuptools<82`, `wheel<0.46`; nothing can be fetched: `-vpython-offline` or `VPYTHON_OFFLINE` is set
    "#]]);
    offline("verify").prints(expect![[r#"
        requirement  required  here (3.11.99)
        which==1     line 1    1

        ok here; the spec names no other platforms
        not seeded: pip, setuptools, wheel (nothing can be fetched: `-vpython-offline` or `VPYTHON_OFFLINE` is set)
    "#]]);
}

#[test]
fn tools_say_why_a_seed_is_there() {
    let case = case(SPEC, &[]);
    run(&case, &["-vpython-tool", "verify"]).prints(expect![[r#"
        requirement   required  here (3.11.99)
        which==1      line 1    1
          pip         for LUCI  23
          setuptools  for LUCI  65

        ok here; the spec names no other platforms
        not seeded: wheel (`-vpython-tool fetch` downloads the missing wheels)
    "#]]);
    run(&case, &["-vpython-tool", "explain", "--tree"]).prints("pip 23\nsetuptools 65\nwhich 1\n");
    let explained = run(&case, &["-vpython-tool", "explain"]);
    let row = "  setuptools 65  seeded for LUCI specs  ";
    assert!(explained.stdout.contains(row), "{explained}");
    let explained = run(&case, &["-vpython-tool", "explain", "--json"]);
    assert!(
        explained
            .stdout
            .contains("\"required_by\": [\n        \"seeded for LUCI specs\"\n      ]"),
        "{explained}"
    );
    run(&case, &["-vpython-tool", "install"]).installs("");
    // The least significant parts of an environment come last in its title.
    let pruned = run(&case, &["-vpython-tool", "prune", "--all", "--dry-run"]);
    assert!(
        pruned
            .stdout
            .contains("  python 3.11.99 with which 1, pip 23 and 1 more, "),
        "{pruned}"
    );
}

#[test]
fn a_native_spec_may_take_them_from_the_interpreter() {
    let native = |seed: &str| {
        let text = format!("dependencies = ['setuptools']\n[tool.vpython]\n{seed}");
        let case = Case::with_spec("vpython.toml", &text, &[Wheel::module("which", "1")]);
        Wheel::module("setuptools", "65").write_to(&case.fake.bundle());
        Wheel::module("pip", "23").write_to(&case.fake.bundle());
        case
    };
    native("seed = true\n").takes(&[SETUPTOOLS]);
    for seed in ["seed = false\n", ""] {
        let refused = native(seed).run();
        refused.refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `setuptools` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: there is no wheel of `setuptools`
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]]);
    }
}

#[test]
fn a_lock_has_them_too() {
    let text = "dependencies = ['setuptools']\n[tool.vpython]\nseed = true\n";
    let case = Case::with_spec("vpython.toml", text, &[]);
    Wheel::module("setuptools", "65").write_to(&case.fake.bundle());
    run(&case, &["-vpython-tool", "lock"]).prints(expect![[r#"
        pylock.vpython.toml: written
          + setuptools 65
    "#]]);
    let lock = std::fs::read_to_string(case.world.path("pylock.vpython.toml")).unwrap();
    assert!(
        lock.contains(SETUPTOOLS) && !lock.contains("bundled"),
        "{lock}"
    );
    Wheel::module("setuptools", "66").write_to(&case.fake.bundle());
    case.takes(&[SETUPTOOLS]);
}

#[test]
fn another_platform_is_assumed_to_have_the_same_seeds() {
    let case = case(
        &format!(
            "{SPEC}verify_pep425_tag: < python: \"cp38\" abi: \"cp38\" platform: \"win_amd64\" >\n"
        ),
        &[],
    );
    run(&case, &["-vpython-tool", "verify"]).prints(expect![[r#"
        requirement   required  here (3.11.99)  win_amd64 (3.8)
        which==1      line 1    1               1
          pip         for LUCI  23              23
          setuptools  for LUCI  65              65

        ok here and on 1 platform
        not seeded: wheel (`-vpython-tool fetch` downloads the missing wheels)
    "#]]);
}

#[test]
fn seeds_of_real_interpreters_can_be_imported() {
    let all = Python::each_minor();
    let pythons = all.iter().filter(|python| {
        [all[0].minor, Python::any().minor, all[all.len() - 1].minor].contains(&python.minor)
    });
    for python in pythons {
        let world = World::with_python(python);
        world.write(".vpython3", "");
        let text = "import pip\ntry:\n    import pkg_resources\n    print('both')\nexcept ImportError:\n    print('pip')\n";
        let bundle = python
            .path
            .parent()
            .unwrap()
            .with_file_name(format!("lib/python3.{}/ensurepip/_bundled", python.minor));
        if !bundle.is_dir() {
            not_tested!("`{}` brings no wheels", python.path.display());
            continue;
        }
        let outcome = world.vpython(["-c", text]).run();
        let expected = if python.minor < 12 { "both\n" } else { "pip\n" };
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(0), expected),
            "{outcome}"
        );
    }
}

#[test]
fn python_2_is_seeded_too() {
    let Some(two) = Python::two() else { return };
    let world = World::new();
    std::os::unix::fs::symlink(&two, world.outside("bin/python2.7")).unwrap();
    world.write(".vpython", "python_version: '2.7'\n");
    world
        .vpython([
            "-c",
            "import pkg_resources, setuptools; print setuptools.__version__.split('.')[0]",
        ])
        .run()
        .prints("41\n");
}

#[test]
fn an_interpreter_that_an_older_vpython_recorded_is_probed_again() {
    // The lock does not record the path of the interpreter's wheels.
    let world = World::new();
    let fake = Fake::new(&world, "3.11.1");
    world.write(".vpython3", "");
    let launch = || {
        world
            .vpython(["-c", ""])
            .env("VPYTHON_INTERPRETER", &fake.path)
            .run()
    };
    launch();
    assert_eq!(fake.probe_count(), 1);
    let memo = std::fs::read_dir(world.store("memo"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let of_interpreter = |path: &std::path::PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("interpreter-")
    };
    for path in memo.filter(of_interpreter) {
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept.contains("\"format\":4"), "{kept}");
        std::fs::write(&path, kept.replace("\"format\":4", "\"format\":3")).unwrap();
    }
    world.write(".vpython3", "# another\n");
    launch();
    assert_eq!(fake.probe_count(), 2);
}
