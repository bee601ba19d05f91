//! `-vpython-tool upgrade`: LUCI specs become native ones that resolve to the same plan.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use expect_test::expect;

use crate::support::{Launch, Python, Wheel, World};

const SPEC: &str = "\
# Shared by all tools.

# vpython: no-seed
wheel: <
  name: \"infra/python/wheels/which-py3\"  # Asks.
  version: \"version:1\"
>
wheel: <
  name: \"infra/python/wheels/build-py3\"
  version: \"version:2.chromium.7\"
  not_match_tag: < platform: \"win_amd64\" >
>
";

const NATIVE: &str = "\
# Shared by all tools.

dependencies = [
    # Asks.
    \"which==1\",
    \"build==2; platform_machine != 'AMD64' or sys_platform != 'win32'\",
]

[tool.vpython]
no-deps = true
seed = false
";

fn world() -> World {
    let world = World::new();
    for wheel in [
        Wheel::module("which", "1").requires("absent"),
        Wheel::module("which", "2"),
        Wheel::module("build", "2"),
    ] {
        wheel.write_to(&world.outside("house"));
    }
    world
}

/// The lines as a block of comments between two lines.
fn commented(first: &str, content: &str, last: &str) -> String {
    let lines = content.lines().map(|line| {
        if line.is_empty() {
            "#\n".to_owned()
        } else {
            format!("# {line}\n")
        }
    });
    format!("# {first}\n{}# {last}\n", lines.collect::<String>())
}

fn script_with_guards(rest: &str) -> String {
    format!(
        "#!/usr/bin/env vpython3\n{}{rest}",
        commented("[VPYTHON:BEGIN]", SPEC, "[VPYTHON:END]")
    )
}

fn upgrade<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world
        .vpython(["-vpython-tool", "upgrade"])
        .arguments(words)
        .env("VPYTHON_WHEELS", world.outside("house"))
}

fn environment(world: &World, script: &str) -> String {
    let install = world
        .vpython(["-vpython-tool", "install", script])
        .env("VPYTHON_WHEELS", world.outside("house"))
        .run();
    assert_eq!(install.code, Some(0), "{install}");
    install.raw_stdout
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_becomes_vpython_toml() {
    let world = world();
    world.write(".vpython3", SPEC);
    world.write("tool.py", "");
    let before = environment(&world, "tool.py");
    upgrade(&world, &[]).run().prints(expect![[r#"
        .vpython3: written to vpython.toml
    "#]]);
    assert_eq!(read(world.path("vpython.toml")), NATIVE);
    assert!(!world.path(".vpython3").exists());
    assert_eq!(environment(&world, "tool.py"), before);
    upgrade(&world, &[]).run().expect(
        0,
        "",
        expect![[r#"
            vpython: there is no LUCI spec to upgrade here
        "#]],
    );
}

#[test]
fn the_documented_example_becomes_what_the_page_says() {
    let page = include_str!("../../docs/specs.md");
    let block = |opener: &str| {
        let (_, rest) = page.split_once(opener).unwrap();
        rest.split_once("```").unwrap().0
    };
    let Some(python) = Python::all().iter().find(|python| python.minor == 11) else {
        not_tested!("there is no CPython 3.11");
        return;
    };
    let world = World::with_python(python);
    world.wheel(&Wheel::module("six", "1.15.0"));
    world.wheel(&Wheel::module("cffi", "1.14.5").tag("cp311-cp311-linux_x86_64"));
    world.write(".vpython3", block("```textproto\n"));
    world
        .vpython(["-vpython-tool", "upgrade"])
        .run()
        .prints(expect![[r#"
            .vpython3: written to vpython.toml
        "#]]);
    assert_eq!(
        read(world.path("vpython.toml")),
        block("<!-- upgraded -->\n```toml\n")
    );
}

#[test]
fn a_partner_file_becomes_a_block_in_its_script() {
    let world = world();
    let rest = b"import which\nprint('\xe9')\n";
    world.write("bin/tool.vpython3", SPEC);
    let head = b"#!/usr/bin/env vpython3\n# -*- coding: latin-1 -*-\n";
    let script = world.write_with_mode("bin/tool", [&head[..], rest].concat(), 0o755);
    let before = environment(&world, "bin/tool");
    upgrade(&world, &["bin/tool.vpython3"])
        .run()
        .prints(expect![[r#"
            bin/tool.vpython3: written to bin/tool
        "#]]);
    let block = commented("/// script", NATIVE, "///");
    assert_eq!(
        std::fs::read(&script).unwrap(),
        [&head[..], block.as_bytes(), b"\n", rest].concat()
    );
    assert_eq!(
        script.metadata().unwrap().permissions().mode() & 0o777,
        0o755
    );
    assert!(!world.path("bin/tool.vpython3").exists());
    assert_eq!(environment(&world, "bin/tool"), before);
}

#[test]
fn a_block_between_guards_is_replaced_in_place() {
    let world = world();
    let script = world.write("tool.py", script_with_guards("import which\n"));
    let before = environment(&world, "tool.py");
    upgrade(&world, &["tool.py"]).run().prints(expect![[r#"
        tool.py: written to a `# /// script` block in its place
    "#]]);
    let block = commented("/// script", NATIVE, "///");
    assert_eq!(
        read(script),
        format!("#!/usr/bin/env vpython3\n{block}import which\n")
    );
    assert_eq!(environment(&world, "tool.py"), before);
}

#[test]
fn a_check_writes_nothing() {
    let world = world();
    let spec = world.write("a/.vpython3", SPEC);
    let script = world.write("b/tool.py", script_with_guards(""));
    upgrade(&world, &["--check", "."]).run().expect(
        1,
        expect![[r#"
            a/.vpython3: would be written to a/vpython.toml
            b/tool.py: would be written to a `# /// script` block in its place
        "#]],
        "",
    );
    assert_eq!(
        (read(spec), read(script)),
        (SPEC.to_owned(), script_with_guards(""))
    );
    assert!(!world.path("a/vpython.toml").exists());
}

#[test]
fn the_old_file_is_kept_on_request() {
    let world = world();
    let spec = world.write(".vpython3", SPEC);
    for option in ["-vpython-keep-legacy", "--keep-legacy"] {
        upgrade(&world, &[option, ".vpython3"])
            .run()
            .prints(expect![[r#"
                .vpython3: written to vpython.toml, and kept
            "#]]);
        assert_eq!(read(&spec), SPEC);
        std::fs::remove_file(world.path("vpython.toml")).unwrap();
    }
}

#[test]
fn builds_are_named_where_the_public_version_would_be_another() {
    let world = world();
    for version in ["2+chromium.7", "2+chromium.9"] {
        Wheel::module("build", version).write_to(&world.outside("house"));
    }
    world.write(".vpython3", SPEC);
    world.write("tool.py", "");
    let before = environment(&world, "tool.py");
    upgrade(&world, &[]).run().prints(expect![[r#"
        .vpython3: written to vpython.toml
    "#]]);
    assert!(read(world.path("vpython.toml")).contains("\"build==2+chromium.7; "));
    assert_eq!(environment(&world, "tool.py"), before);
}

#[test]
fn a_spec_that_is_named_on_the_command_line_stays_one() {
    let world = world();
    world.write("shared.vpython3", SPEC);
    upgrade(&world, &["shared.vpython3"])
        .run()
        .prints(expect![[r#"
            shared.vpython3: written to shared.toml
        "#]]);
    assert_eq!(read(world.path("shared.toml")), NATIVE);
}

#[test]
fn a_spec_that_cannot_be_upgraded_is_reported_and_the_others_are_upgraded() {
    let world = world();
    let broken = SPEC.replace("wheel:", "wheels:");
    // Each directory has one reason against an upgrade; `b/.vpython3` has none.
    let there = world.write("a/.vpython3", SPEC);
    world.write("a/vpython.toml", "");
    let unused = world.write("b/.vpython", SPEC);
    world.write("b/.vpython3", SPEC);
    let broken = world.write("c/.vpython3", broken);
    let clash = format!("{SPEC}wheel: < name: \"which-py3\" version: \"version:2\" >\n");
    let clash = world.write("d/.vpython3", clash);
    let foreign = world.write("e/.vpython3", SPEC.replace("win_amd64", "plan9"));
    world.write("f/package/__init__.py", "");
    let of_package = world.write("f/package.vpython3", SPEC);
    let quoted = world.write(
        "g/quoted.py",
        format!("'''[VPYTHON:BEGIN]\n{SPEC}'''[VPYTHON:END]\n"),
    );
    let both = world.write(
        "h/both.py",
        format!(
            "# /// script\n# dependencies = []\n# ///\n{}",
            script_with_guards("")
        ),
    );
    let kept = [
        &there,
        &unused,
        &broken,
        &clash,
        &foreign,
        &of_package,
        &quoted,
        &both,
    ];
    // All errors are reported, and no refused spec changes.
    let before = kept.map(read);
    upgrade(&world, &["."])
        .run()
        .expect(125, expect![[r#"
            b/.vpython3: written to b/vpython.toml
        "#]], expect![[r#"
            vpython: error: cannot upgrade `[WORLD]/work/a/.vpython3`
              caused by: `[WORLD]/work/a/vpython.toml` already exists
              hint: remove one of the two
            vpython: error: cannot upgrade `[WORLD]/work/b/.vpython`
              caused by: `.vpython3` in the same directory becomes `vpython.toml`, which takes precedence
              hint: remove it
            vpython: error: cannot upgrade `[WORLD]/work/c/.vpython3`
              caused by: bad spec in `[WORLD]/work/c/.vpython3`
              caused by: `[WORLD]/work/c/.vpython3`, line 4, column 1: a spec has no field `wheels`; did you mean `wheel`?
              caused by: `[WORLD]/work/c/.vpython3`, line 8, column 1: a spec has no field `wheels`; did you mean `wheel`?
            vpython: error: cannot upgrade `[WORLD]/work/d/.vpython3`
              caused by: `which` is listed in different versions, and all of them apply here
              caused by: `infra/python/wheels/which-py3` is `version:1` in `[WORLD]/work/d/.vpython3`, line 5
              caused by: `which-py3` is `version:2` in `[WORLD]/work/d/.vpython3`, line 13
              hint: keep one version, or give each a `match_tag` or `not_match_tag` so that one is left
            vpython: error: the spec in `[WORLD]/work/e/.vpython3` has no equivalent in the native form
              caused by: `[WORLD]/work/e/.vpython3`, line 9: the platform `plan9` has no equivalent marker
              hint: change the parts named above, or keep the spec as it is
            vpython: error: cannot upgrade `[WORLD]/work/f/package.vpython3`
              caused by: `[WORLD]/work/f/package` is a directory, and only a regular file can contain a `# /// script` block
            vpython: error: cannot upgrade `[WORLD]/work/g/quoted.py`
              caused by: `'''` precedes `[VPYTHON:BEGIN]` on line 1
              hint: put the guard on a line of its own
            vpython: error: cannot upgrade `[WORLD]/work/h/both.py`
              caused by: its `[VPYTHON:BEGIN]` block is unused: the script also has a `# /// script` block
              hint: remove one of the two
        "#]]);
    assert_eq!(kept.map(read), before);
}

#[test]
fn a_file_that_is_named_must_have_something_to_upgrade() {
    let world = world();
    world.write("tool.py", "print()\n");
    upgrade(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: `tool.py` has no LUCI spec
              caused by: it is not a `.vpython3` or `.vpython` file and has no `[VPYTHON:BEGIN]` block
        "#]],
    );
    upgrade(&world, &["."]).run().expect(
        0,
        "",
        expect![[r#"
            vpython: there is no LUCI spec to upgrade here
        "#]],
    );
    upgrade(&world, &["nowhere"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: there is no file `nowhere`
        "#]],
    );
}

#[test]
fn a_directory_is_searched_except_for_links_and_hidden_directories() {
    let world = world();
    world.write(".git/x/.vpython3", SPEC);
    world.write("notes.txt", script_with_guards(""));
    world.write("real/.vpython3", SPEC);
    symlink(world.path("real"), world.path("link")).unwrap();
    upgrade(&world, &["--check"]).run().expect(
        1,
        expect![[r#"
            real/.vpython3: would be written to real/vpython.toml
        "#]],
        "",
    );
}

#[test]
fn a_link_to_a_spec_is_upgraded_before_its_file_goes() {
    let world = world();
    world.write("common.vpython3", SPEC);
    for link in [".vpython3", "tool.py.vpython3"] {
        symlink("common.vpython3", world.path(link)).unwrap();
    }
    symlink("nowhere", world.path("gone.vpython3")).unwrap();
    world.write("tool.py", "");
    world.write("other.py", "");
    let before = ["tool.py", "other.py"].map(|script| environment(&world, script));
    upgrade(&world, &[]).run().prints(expect![[r#"
        .vpython3: written to vpython.toml
        tool.py.vpython3: written to tool.py
        common.vpython3: written to common.toml
    "#]]);
    assert_eq!(
        ["tool.py", "other.py"].map(|script| environment(&world, script)),
        before
    );
}

#[test]
fn a_spec_that_would_differ_on_another_platform_is_not_changed() {
    let world = world();
    let tag = "# vpython: no-seed\nverify_pep425_tag: {python: \"cp311\", abi: \"cp311\", platform: \"macosx_11_0_arm64\"}\n";
    let newer = "wheel: < name: \"apple-py3\" version: \"version:1\" match_tag: < platform: \"macosx_13_0_arm64\" > >\n";
    let spec = world.write(".vpython3", format!("{tag}{newer}"));
    upgrade(&world, &[]).run().refuses(125, expect![[r#"
        vpython: error: cannot upgrade `[WORLD]/work/.vpython3`: `vpython.toml` would give a different environment on another platform
          caused by: only one of the two forms requires `apple` on CPython 3.11 on macosx_11_0_arm64 (`[WORLD]/work/.vpython3`, line 2)
    "#]]);
    assert_eq!(read(spec), format!("{tag}{newer}"));
    world.write(
        ".vpython3",
        format!("{tag}{}", newer.replace("macosx_13", "macosx_11")),
    );
    upgrade(&world, &[]).run().prints(expect![[r#"
        .vpython3: written to vpython.toml
    "#]]);
}
