//! Specs in scripts and in the text of commands: blocks of PEP 723.

use expect_test::expect;

use super::{PROGRAM, script, spec, world};
use crate::support::World;

#[test]
fn a_block_in_the_text_of_a_command_is_used() {
    let world = world();
    world.write("vpython.toml", spec(&world, 1));
    world
        .vpython(["-c", &script(&world, 3)])
        .run()
        .prints("3\n");
    world
        .vpython([format!("-c{}", script(&world, 2))])
        .run()
        .prints("2\n");
}

#[test]
fn line_ends_and_byte_order_marks_make_no_difference() {
    let world = world();
    let text = script(&world, 3);
    world.write("crlf.py", text.replace('\n', "\r\n"));
    world.write("mark.py", format!("\u{feff}{text}"));
    let block = text.split_once(PROGRAM).unwrap().0;
    world.write(
        "last.py",
        format!("exec({PROGRAM:?})\n{}", block.trim_end()),
    );
    for name in ["crlf.py", "mark.py", "last.py"] {
        world.vpython([name]).run().prints("3\n");
    }
}

#[test]
fn a_block_may_be_anywhere_in_a_script_of_any_size() {
    let world = world();
    let block = script(&world, 3).replace(PROGRAM, "");
    for lines in [150, 163, 164, 10_000] {
        let filler = format!("# {}\n", "x".repeat(97)).repeat(lines);
        world.write("long.py", format!("{filler}\n{block}\n{filler}{PROGRAM}"));
        world.vpython(["long.py"]).run().prints("3\n");
    }
}

#[test]
fn two_blocks_are_an_error() {
    let world = world();
    let block = "# /// script\n# dependencies = []\n# ///\n";
    world.write("two.py", format!("{block}\n{block}"));
    world.vpython(["two.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: more than one `script` block in `[WORLD]/work/two.py`
              caused by: one begins on line 1, another on line 5
              hint: merge them; a script may contain only one block of each type (PEP 723)
        "#]],
    );
}

#[test]
fn blocks_of_other_types_are_ignored() {
    let world = world();
    let other = "# /// other\n# dependencies = ['which==1']\n# ///\n\n";
    world.write("tool.py", format!("{other}{}", script(&world, 3)));
    world.vpython(["tool.py"]).run().prints("3\n");
}

#[test]
fn what_merely_looks_like_a_block_is_warned_of_on_every_launch() {
    let world = World::new();
    world.write(
        "near.py",
        "#/// script\n# dependencies = ['which']\n# ///\nprint('ran')\n",
    );
    world.write(
        "open.py",
        "# /// script\n# dependencies = ['which']\n\nprint('ran')\n",
    );
    for _ in 0..2 {
        world.vpython(["near.py"]).run().expect(
            0,
            "ran\n",
            expect![[r#"
                vpython: warning: `[WORLD]/work/near.py`, line 1 is not a `script` block: the line must be exactly `# /// script`
            "#]],
        );
        world.vpython(["open.py"]).run().expect(
            0,
            "ran\n",
            expect![[r#"
                vpython: warning: `[WORLD]/work/open.py`, line 1 is not a `script` block: no `# ///` line closes it, or a line in between does not begin with `# `
            "#]],
        );
    }
}

#[test]
fn locations_in_a_block_are_those_of_the_script() {
    let world = World::new();
    world.write("tool.py", "#!/usr/bin/env vpython\n# /// script\n# dependencies = 'x'\n# requires-python = 'new'\n# ///\n");
    world.vpython(["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/tool.py`
              caused by: `[WORLD]/work/tool.py`, line 3, column 18: `dependencies` must be an array of strings, not a string
              caused by: `[WORLD]/work/tool.py`, line 4, column 21: `new` is not a valid version range: Failed to parse version: Unexpected end of version specifier, expected operator
        "#]],
    );
}
