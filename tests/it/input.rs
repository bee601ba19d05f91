//! A program on standard input: vpython reads its block, and python gets each byte.

use std::fs::File;
use std::process::Stdio;

use expect_test::expect;
use sha2::{Digest as _, Sha256};

use crate::support::{Wheel, World};

const BLOCK: &str = "# /// script\n# dependencies = ['a']\n# ///\n";
const PRINT: &str =
    "try:\n    import a\n    print(a.VERSION)\nexcept ImportError:\n    print('none')\n";
/// Prints whether standard input is a pipe.
const IS_PIPE: &str = "import os, stat\nprint(stat.S_ISFIFO(os.fstat(0).st_mode))\n";

fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world
}

#[test]
fn a_block_is_read_from_any_kind_of_standard_input() {
    let world = world();
    let program = format!("{BLOCK}{PRINT}");
    world.write("x.py", &program);
    world.write(
        "behind.py",
        format!("a line that is read before\n{program}"),
    );
    let vpython = env!("CARGO_BIN_EXE_vpython");
    let lines = [
        format!("exec {vpython} - <<'EOF'\n{program}EOF\n"),
        format!("exec {vpython} - a b < x.py"),
        format!("exec {vpython} < x.py"),
        format!("cat x.py | {vpython} -u"),
        format!("{{ read -r line; exec {vpython} -; }} < behind.py"),
    ];
    for line in lines {
        // The first launch is cold, the second is warm.
        for _ in 0..2 {
            let outcome = world.program("/bin/sh", ["-c", &line]).run();
            assert_eq!(
                (outcome.code, &*outcome.stdout, &*outcome.stderr),
                (Some(0), "1\n", ""),
                "{line}"
            );
        }
    }
    world.vpython(["-"]).input(PRINT).run().prints("none\n");
    world.vpython(["-"]).input("").run().prints("");
    world
        .vpython(["-vpython-spec", "x.py", "-"])
        .input(PRINT)
        .run()
        .prints("1\n");
}

#[test]
fn python_receives_each_byte_of_standard_input() {
    let world = world();
    let code = "import hashlib, os\nos.lseek(0, 0, 0)\nh = hashlib.sha256()\n\
                for part in iter(lambda: os.read(0, 4096), b''):\n    h.update(part)\nprint(h.hexdigest())\n";
    for block in ["", BLOCK] {
        let mut program = format!("# -*- coding: latin-1 -*-\n{block}{code}# ").into_bytes();
        let odd: Vec<u8> = (1..=255).filter(|byte| !b"\n\r".contains(byte)).collect();
        program.extend(odd.iter().cycle().take(300_000));
        let path = world.write("odd.py", &program);
        let expected = format!("{}\n", hex::encode(Sha256::digest(&program)));
        world.vpython(["-"]).input(&program).run().prints(&expected);
        world
            .vpython(["-"])
            .stdin(File::open(path).unwrap())
            .run()
            .prints(&expected);
    }
}

#[test]
fn the_program_can_read_the_rest_of_its_own_standard_input() {
    let world = world();
    let program = format!("{BLOCK}import sys\nprint(repr(sys.stdin.read()))\n");
    world.vpython(["-"]).input(&program).run().prints("''\n");
}

#[test]
fn a_pipe_that_is_not_the_program_is_not_read() {
    let world = world();
    world.write("x.py", IS_PIPE);
    let program = format!("{BLOCK}{PRINT}{IS_PIPE}");
    world
        .vpython(["x.py"])
        .input(&program)
        .run()
        .prints("True\n");
    world
        .vpython(["-c", IS_PIPE])
        .input(&program)
        .run()
        .prints("True\n");
    let interactive = world
        .vpython(["-i", "-"])
        .input("import os, stat\nprint(stat.S_ISFIFO(os.fstat(0).st_mode))\n")
        .run();
    assert_eq!(
        (interactive.code, &*interactive.stdout),
        (Some(0), "True\n"),
        "{interactive}"
    );
}

#[test]
fn a_tool_does_not_wait_for_a_program_that_is_not_named() {
    let world = world();
    let mut child = world
        .vpython(["-vpython-tool", "install"])
        .stdin(Stdio::piped())
        .spawn();
    let held = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(held);
    let named = world
        .vpython(["-vpython-tool", "explain", "-"])
        .input(BLOCK)
        .run();
    assert!(
        named.stdout.contains("/dev/stdin, line 1 (pep723)"),
        "{named}"
    );
}

#[test]
fn an_error_in_a_program_on_standard_input_is_reported() {
    let world = world();
    let message = expect![[r#"
        vpython: error: bad spec in `/dev/stdin`
          caused by: `/dev/stdin`, line 2, column 19: an item of dependencies must be a string, not an integer
    "#]];
    world
        .vpython(["-"])
        .input("# /// script\n# dependencies = [7]\n# ///\n")
        .run()
        .refuses(125, &message);
    let message = expect![[r#"
        vpython: error: cannot read the program on standard input
          caused by: it is larger than 64 MiB
          hint: write the program to a file, and run that
    "#]];
    world
        .vpython(["-"])
        .input(vec![b'#'; (64 << 20) + 1])
        .run()
        .refuses(125, &message);
    // vpython reads no more of an endless file than of a pipe.
    let large = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(world.path("large.py"))
        .unwrap();
    large.set_len(1 << 35).unwrap();
    world
        .vpython(["-"])
        .stdin(large)
        .run()
        .refuses(125, &message);
}
