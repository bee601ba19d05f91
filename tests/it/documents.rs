//! Completions that work in a shell, and manual pages.

use expect_test::expect;

use crate::support::World;

#[test]
fn bash_completes_flags_tools_and_options() {
    let world = World::new();
    let completions = world
        .vpython(["-vpython-tool", "completions", "bash"])
        .run();
    assert_eq!(
        (completions.code, &*completions.stderr),
        (Some(0), ""),
        "{completions}"
    );
    world.write("vpython.bash", &completions.stdout);
    let asks = "source ./vpython.bash; compopt() { :; }; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                _vpython vpython \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    #[rustfmt::skip]
    let rows: &[(&[&str], &str)] = &[
        (&["-vpython-ro"], "-vpython-root\n"),
        (&["--vpython-ro"], "--vpython-root\n"),
        (&["-vpython-tool", "l"], "list\nlock\n"),
        (&["--vpython-tool", "comp"], "completions\n"),
        (&["-vpython-log-level", ""], "error\nwarning\ninfo\ndebug\n"),
        (&["-vpython-tool", "export", "e", "--with"], "--with-pip\n--with-python\n"),
        (&["-vpython-spec", "vpy"], "vpython.bash\n"),
        (&["vpy"], "\n"),
    ];
    for (words, expected) in rows {
        let bash = world
            .program("bash", ["-c", asks, "bash", "vpython"])
            .arguments(*words)
            .run();
        assert_eq!((&*bash.stdout, &*bash.stderr), (*expected, ""), "{bash}");
    }
}

#[test]
fn manual_pages_are_printed_or_written() {
    let world = World::new();
    let printed = world.vpython(["-vpython-tool", "man"]).run();
    assert!(printed.stdout.contains(".TH vpython 1"), "{printed}");
    world
        .vpython(["-vpython-tool", "man", "share/man1"])
        .run()
        .prints("");
    assert_eq!(
        std::fs::read_to_string(world.path("share/man1/vpython.1")).unwrap(),
        printed.stdout
    );
    let lock = std::fs::read_to_string(world.path("share/man1/vpython-lock.1")).unwrap();
    assert!(
        lock.contains("vpython [vpython flags] \\-vpython\\-tool lock"),
        "{lock}"
    );
    world
        .vpython(["-vpython-tool", "completions"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: `-vpython-tool completions` needs the name of one shell
                  hint: name it, as in `vpython -vpython-tool completions bash`
            "#]],
        );
    world
        .vpython(["-vpython-tool", "man", "a", "b"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: `-vpython-tool man` takes one directory
            "#]],
        );
}
