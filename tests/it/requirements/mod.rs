//! `requirements.txt` files as specs: pip's syntax, and its unsupported parts.

mod digests;

use expect_test::expect;

use crate::support::{Launch, Wheel, World};

/// A program that prints the versions of the modules that it finds.
const PROGRAM: &str = "\
import importlib
for name in ['one', 'two', 'three']:
    try:
        print(name, importlib.import_module(name).VERSION)
    except ImportError:
        pass
";

/// A world with wheels of three projects; `two` requires `three`.
fn world() -> World {
    let world = World::new();
    for version in ["1.0", "1.5", "2.0", "3.0rc1"] {
        world.wheel(&Wheel::module("one", version));
    }
    for version in ["1.0", "2.0"] {
        world.wheel(
            &Wheel::module("two", version)
                .requires("three")
                .extra("more")
                .requires("one; extra == 'more'"),
        );
        world.wheel(&Wheel::module("three", version));
    }
    world.write("tool.py", PROGRAM);
    world
}

fn launch<'a>(world: &'a World, spec: &str) -> Launch<'a> {
    world.vpython(["-vpython-spec", spec, "tool.py"])
}

fn sha256(wheel: &Wheel) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(wheel.bytes()))
}

#[test]
fn every_part_of_the_syntax_is_supported() {
    let world = world();
    world.write("more/nested.txt", "-c ../limits.txt\none\n");
    world.write("limits.txt", "one<2\nthree==1.0\nabsent==7\n");
    Wheel::module("one", "9").write_to(&world.path("more/house"));
    let one = sha256(&Wheel::module("one", "1.5"));
    let other = sha256(&Wheel::module("one", "2.0"));
    let lock =
        format!("--require-hashes\none>=1 \\\n    --hash=sha256:{one} \\\n    # via nobody\n");
    let either = format!("one --hash sha256:{one} --hash=sha512:00 --hash=sha256:{other}");
    #[rustfmt::skip]
    let rows: &[(&str, &str, &str)] = &[
        ("", "", "an empty file"),
        ("# nothing\n\n", "", "comments"),
        ("one\n", "one 2.0\n", "a name"),
        ("one == 1.0", "one 1.0\n", "no last newline"),
        ("\u{feff}one<2\r\ntwo==1.0\r\n", "one 1.5\ntwo 1.0\nthree 2.0\n", "a byte order mark and CR LF"),
        ("one<2 # not two\n", "one 1.5\n", "a comment at the end"),
        ("one \\\n<2", "one 1.5\n", "a line that goes on"),
        ("one; python_version < '3'\nthree ; python_version >= '3'", "three 2.0\n", "markers"),
        ("one<2, ;", "one 1.5\n", "a comma and a semicolon at the end"),
        ("# why\rone<2\r", "one 1.5\n", "with CR"),
        ("two[more]==1.0", "one 2.0\ntwo 1.0\nthree 2.0\n", "extras"),
        ("-r more/nested.txt\ntwo", "one 1.5\ntwo 2.0\nthree 1.0\n", "files that name others, relative to themselves"),
        ("--requirement=more/nested.txt", "one 1.5\n", "by the long name"),
        ("-c limits.txt\ntwo", "two 2.0\nthree 1.0\n", "constraints bring nothing"),
        ("-f more/house\none", "one 9\n", "a directory of wheels"),
        ("--find-links=./more/house\none<3", "one 2.0\n", "next to others"),
        ("--pre\none", "one 3.0rc1\n", "pre-releases"),
        ("one>=3.0rc1", "one 3.0rc1\n", "a pre-release by name"),
        (&lock, "one 1.5\n", "digests"),
        (&either, "one 2.0\n", "several digests"),
        ("--no-index --prefer-binary\n--only-binary :all:\n--trusted-host x\n--use-feature fast-deps\none", "one 2.0\n", "what changes nothing"),
    ];
    for (text, expected, why) in rows {
        world.write("requirements.txt", text);
        let outcome = launch(&world, "requirements.txt").run();
        assert_eq!(
            (outcome.code, &*outcome.stdout, &*outcome.stderr),
            (Some(0), *expected, ""),
            "{why}: {outcome}"
        );
    }
}

#[test]
fn a_file_in_utf_16_is_read() {
    let world = world();
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let text: Vec<u8> = "\u{feff}one<2\r\n# é\r\n"
            .encode_utf16()
            .flat_map(unit)
            .collect();
        std::fs::write(world.path("requirements.txt"), &text).unwrap();
        launch(&world, "requirements.txt").run().prints("one 1.5\n");
        std::fs::write(world.path("requirements.txt"), &text[..text.len() - 1]).unwrap();
        launch(&world, "requirements.txt").run().refuses(
            125,
            expect![[r#"
                vpython: error: bad spec in `[WORLD]/work/requirements.txt`
                  caused by: line 1 is not UTF-8
            "#]],
        );
    }
}

#[test]
fn files_that_include_each_other_by_different_paths_are_reported() {
    let world = world();
    std::fs::create_dir(world.path("directory")).unwrap();
    world.write(
        "requirements.txt",
        "one\n-r directory/../requirements.txt\n",
    );
    launch(&world, "requirements.txt").run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/requirements.txt`
              caused by: `[WORLD]/work/requirements.txt`, line 2: `[WORLD]/work/directory/../requirements.txt` includes itself, directly or through other files
        "#]],
    );
}

#[test]
fn a_nested_file_may_be_a_url_of_this_machine() {
    let world = world();
    let nested = world.write("a nested.txt", "one<2\n");
    let url = format!("file://{}", nested.display()).replace(' ', "%20");
    world.write("requirements.txt", format!("-r {url}\n"));
    launch(&world, "requirements.txt").run().prints("one 1.5\n");
    world.write("requirements.txt", "-r file://elsewhere/x.txt\n");
    launch(&world, "requirements.txt").run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/requirements.txt`
              caused by: `[WORLD]/work/requirements.txt`, line 1: `file://elsewhere/x.txt` is not a local file; download it, and name the copy
        "#]],
    );
}

#[test]
fn markers_with_lists_of_versions_are_evaluated_as_by_pip() {
    let world = world();
    world.write(
        "requirements.txt",
        "one; python_version in '2.6, 2.7'\ntwo==1.0; python_version not in '2.6, 2.7'\n",
    );
    launch(&world, "requirements.txt")
        .run()
        .prints("two 1.0\nthree 2.0\n");
}

#[test]
fn a_directory_of_wheels_may_be_a_url() {
    let world = world();
    let house = world.outside("a house");
    Wheel::module("one", "9").write_to(&house);
    let url = format!("file://{}", house.display()).replace(' ', "%20");
    world.write("requirements.txt", format!("--find-links {url}\none\n"));
    launch(&world, "requirements.txt").run().prints("one 9\n");
}

#[test]
fn a_requirements_file_is_recognized_by_its_content() {
    let world = world();
    for name in ["requirements.txt", "constraints.in", "wanted"] {
        world.write(name, "one<2\n");
        launch(&world, name).run().prints("one 1.5\n");
    }
    world.write("luci.txt", "# nothing\r=one\r");
    launch(&world, "luci.txt").run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/luci.txt`
              caused by: `[WORLD]/work/luci.txt`, line 2: `=one` is not a valid requirement: Expected package name starting with an alphanumeric character, found `=`
        "#]],
    );
    world.write("luci.txt", "wheel: < name: 'one' version: 'version:1.0' >");
    launch(&world, "luci.txt").run().prints("one 1.0\n");
}

#[test]
fn the_default_spec_may_be_one() {
    let world = world();
    let path = world.write("etc/requirements.txt", "one<2\n-f ../wheels\n");
    world
        .vpython(["tool.py"])
        .env("VPYTHON_DEFAULT_SPEC", path)
        .run()
        .prints("one 1.5\n");
}

#[test]
fn variables_are_expanded_and_a_change_is_noticed() {
    let world = world();
    world.write(
        "requirements.txt",
        "-f ${HOUSE}\none${RANGE}\nthree; sys_platform != '${no_name}'\n",
    );
    Wheel::module("one", "9").write_to(&world.path("house"));
    let run = |range: &str| {
        launch(&world, "requirements.txt")
            .env("HOUSE", "house")
            .env("RANGE", range)
            .run()
    };
    run("").refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/requirements.txt`
              caused by: `[WORLD]/work/requirements.txt`, line 2: `one${RANGE}` is not a valid requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `$`
        "#]],
    );
    run("<2").prints("one 1.5\nthree 2.0\n");
    run("").refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/requirements.txt`
              caused by: `[WORLD]/work/requirements.txt`, line 2: `one${RANGE}` is not a valid requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `$`
        "#]],
    );
    run("==9").prints("one 9\nthree 2.0\n");
    run("<2").prints("one 1.5\nthree 2.0\n");
}

#[test]
fn a_change_of_a_nested_file_is_noticed() {
    let world = world();
    world.write("requirements.txt", "-r nested.txt\n");
    world.write("nested.txt", "-c limits.txt\none\n");
    world.write("limits.txt", "one<2\n");
    launch(&world, "requirements.txt").run().prints("one 1.5\n");
    world.write("limits.txt", "one==1.0\n");
    launch(&world, "requirements.txt").run().prints("one 1.0\n");
    world.write("nested.txt", "three==1.0\n");
    launch(&world, "requirements.txt")
        .run()
        .prints("three 1.0\n");
}

#[test]
fn unsupported_lines_are_all_reported_at_once() {
    let world = world();
    world.write("nested.txt", "-r requirements.txt\nx y\n");
    let digest = "0".repeat(63);
    let text = format!(
        "-e .\n-r nested.txt\n-c absent.txt\n-r https://example.org/r.txt\ngit+https://example.org/x\n\
         x @ https://example.org/x.whl\n./x-1-py3-none-any.whl\n../x\n--hahs=x\none --hash=sha256:{digest}\n\
         one --hash=md5:00\none --hash=sha512:00\n--hash=sha256:00\none --pre extra\n-f file://elsewhere/x\n"
    );
    world.write("requirements.txt", text);
    launch(&world, "requirements.txt")
        .run()
        .replacing(&digest, "[DIGEST]")
        .refuses(125, expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/requirements.txt`
              caused by: `[WORLD]/work/requirements.txt`, line 1: `-e .` is not supported: vpython installs wheels, not source trees; build a wheel of it, or add its directory to `PYTHONPATH`
              caused by: `[WORLD]/work/nested.txt`, line 1: `[WORLD]/work/requirements.txt` includes itself, directly or through other files
              caused by: `[WORLD]/work/nested.txt`, line 2: `x y` is not a valid requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `y`
              caused by: `[WORLD]/work/requirements.txt`, line 3: cannot open `[WORLD]/work/absent.txt`: No such file or directory (os error 2)
              caused by: `[WORLD]/work/requirements.txt`, line 4: `https://example.org/r.txt` is not a local file; download it, and name the copy
              caused by: `[WORLD]/work/requirements.txt`, line 5: `git+https://example.org/x` names no wheel, and vpython builds nothing from source; build one with `-vpython-tool fetch --build … -- git+https://example.org/x`, and require its project by name
              caused by: `[WORLD]/work/requirements.txt`, line 6: `x @ https://example.org/x.whl` does not end in the name of a wheel
              caused by: `[WORLD]/work/requirements.txt`, line 7: `./x-1-py3-none-any.whl` names a file; put the wheel into a directory that `--find-links` names, and require it by name
              caused by: `[WORLD]/work/requirements.txt`, line 8: `../x` names a path; put the wheel into a directory that `--find-links` names, and require it by name
              caused by: `[WORLD]/work/requirements.txt`, line 9: unknown option `--hahs`; did you mean `--hash`?
              caused by: `[WORLD]/work/requirements.txt`, line 10: `[DIGEST]` is not a valid sha256: it must have 64 digits of 0-9 and a-f
              caused by: `[WORLD]/work/requirements.txt`, line 11: `--hash=md5:00` is not a valid digest; write `--hash=sha256:` followed by 64 digits
              caused by: `[WORLD]/work/requirements.txt`, line 12: vpython checks only `sha256` digests, and there is none
              caused by: `[WORLD]/work/requirements.txt`, line 13: `--hash` does not follow a requirement
              caused by: `[WORLD]/work/requirements.txt`, line 14: `extra` must precede the options
              caused by: `[WORLD]/work/requirements.txt`, line 15: `file://elsewhere/x` is not a local directory
        "#]]);
}

#[test]
fn options_that_only_pip_honours_cause_a_warning_on_every_launch() {
    let world = world();
    let text = "-i file:///simple\n--extra-index-url=https://example.org/x\n--no-binary :all:\n\
                -f https://example.org/links\none<2 --config-settings=a=b\n";
    world.write("requirements.txt", text);
    let warnings = expect![[r#"
        vpython: warning: `[WORLD]/work/requirements.txt`, line 3: `--no-binary` is ignored: vpython builds nothing from source
        vpython: warning: `[WORLD]/work/requirements.txt`, line 5: `--config-settings` is ignored: vpython builds nothing from source
    "#]];
    for _ in 0..2 {
        launch(&world, "requirements.txt")
            .run()
            .expect(0, "one 1.5\n", &warnings);
    }
}

#[test]
fn the_documented_example_runs() {
    let page = include_str!("../../../docs/specs.md");
    let (_, behind) = page.split_once("```requirements\n").unwrap();
    let (example, _) = behind.split_once("```").unwrap();
    let world = World::new();
    world.write("requirements.txt", example);
    world.write("constraints.txt", "idna<4\n");
    let house = world.path("third_party/wheels");
    Wheel::module("requests", "2.32.0")
        .requires("idna")
        .extra("socks")
        .write_to(&house);
    Wheel::module("idna", "3.7").write_to(&house);
    Wheel::module("idna", "4.0").write_to(&house);
    let program = "import requests, idna; print(requests.VERSION, idna.VERSION)";
    world
        .vpython(["-vpython-spec=requirements.txt", "-c", program])
        .run()
        .prints("2.32.0 3.7\n");
}
