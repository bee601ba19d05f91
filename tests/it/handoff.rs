//! The state that python inherits: exit code, signals, streams, directory and environment are its
//! own.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Wheel, World, write_with_mode};

#[test]
fn the_exit_code_is_pythons() {
    let world = World::new();
    for code in [0, 1, 2, 125, 126, 127, 255] {
        world
            .vpython(["-c", &format!("import sys; sys.exit({code})")])
            .run()
            .expect(code, "", "");
    }
}

#[test]
fn a_signal_that_ends_python_ends_vpython() {
    let world = World::new();
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSEGV] {
        let text = format!("import os; os.kill(os.getpid(), {})", signal as i32);
        let outcome = world.vpython(["-c", &text]).run();
        assert_eq!(
            (outcome.code, outcome.signal),
            (None, Some(signal as i32)),
            "{outcome}"
        );
    }
}

#[test]
fn python_keeps_the_process_id_and_gets_its_signals() {
    let world = World::new();
    let text = "import os, signal, sys\n\
                def stop(*_):\n    os.write(1, b'stopped\\n')\n    os._exit(9)\n\
                signal.signal(signal.SIGUSR1, stop)\nprint(os.getpid(), os.getppid(), flush=True)\nsys.stdin.read()\n";
    let mut child = world.vpython(["-c", text]).stdin(Stdio::piped()).spawn();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, format!("{} {}\n", child.id(), std::process::id()));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGUSR1).unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(
        (&*rest, child.wait().unwrap().code()),
        ("stopped\n", Some(9))
    );
}

#[test]
fn signals_are_handled_as_they_were_given() {
    let world = World::new();
    let text = "import signal\nprint(*[signal.getsignal(s) for s in (signal.SIGPIPE, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD)])\n\
                print(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n";
    world.write("signals.py", text);
    for prepare in ["", "trap '' HUP; ", "trap '' PIPE; ", "trap '' TERM; "] {
        let line = |program: &str| format!("{prepare}exec {program} signals.py");
        let ours = world
            .program("/bin/sh", ["-c", &line(env!("CARGO_BIN_EXE_vpython"))])
            .run();
        let theirs = world.program("/bin/sh", ["-c", &line("python3")]).run();
        ours.expect(0, &theirs.stdout, "");
    }
}

#[test]
fn a_closed_pipe_ends_python_as_it_does_without_vpython() {
    let world = World::new();
    let text = "import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)\nwhile True: print('y' * 8192)\n";
    let mut child = world.vpython(["-c", text]).spawn();
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0; 16]).unwrap();
    drop(output);
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGPIPE as i32));
}

#[test]
fn closed_streams_stay_closed_and_empty_ones_empty() {
    let world = World::new();
    let text = "import os, sys\nout = os.open('out', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)\n\
                os.write(out, repr([s is None for s in (sys.stdin, sys.stdout, sys.stderr)]).encode())\n";
    world.write("streams.py", text);
    let show = |program: &str, redirections: &str| {
        let outcome = world
            .program(
                "/bin/sh",
                ["-c", &format!("exec {program} streams.py {redirections}")],
            )
            .run();
        assert_eq!(
            (outcome.code, &*outcome.stdout, &*outcome.stderr),
            (Some(0), "", ""),
            "{redirections}: {outcome}"
        );
        std::fs::read_to_string(world.path("out")).unwrap()
    };
    // The first launch is cold, the second is warm.
    for redirections in [
        "<&-",
        "<&-",
        ">&-",
        "2>&-",
        "<&- >&-",
        "<&- >&- 2>&-",
        "</dev/null",
        ">/dev/null 2>&1",
    ] {
        assert_eq!(
            show(env!("CARGO_BIN_EXE_vpython"), redirections),
            show("python3", redirections),
            "{redirections}"
        );
    }
}

#[test]
fn a_cold_launch_with_closed_streams_builds() {
    for redirections in ["<&-", "<&- >&- 2>&-"] {
        let world = World::new();
        world.wheel(&Wheel::module("a", "1"));
        world.write("tool.py", "# /// script\n# dependencies = ['a']\n# ///\nimport a\nopen('out', 'w').write(a.VERSION)\n");
        let line = format!(
            "exec {} tool.py {redirections}",
            env!("CARGO_BIN_EXE_vpython")
        );
        world.program("/bin/sh", ["-c", &line]).run().prints("");
        assert_eq!(std::fs::read_to_string(world.path("out")).unwrap(), "1");
    }
}

#[test]
fn python_inherits_no_open_file_but_the_lock() {
    let world = World::new();
    // Another test may have just opened a terminal that does not yet have the close-on-exec flag.
    let text = "import os\nfor fd in os.listdir('/proc/self/fd'):\n    link = '/proc/self/fd/' + fd\n    \
                if int(fd) > 2 and os.path.exists(link) and '/dev/pt' not in os.readlink(link):\n        print(os.readlink(link))\n";
    let lines = |text: &str| {
        text.lines()
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let mut expected = lines(
        &world
            .program("/usr/bin/env", ["python3", "-c", text])
            .run()
            .stdout,
    );
    expected.insert("[WORLD]/root/v1/envs/[KEY]/vpython.json".into());
    for _ in 0..2 {
        let outcome = world.vpython(["-c", text]).run();
        assert_eq!(lines(&outcome.stdout), expected, "{outcome}");
    }
}

#[test]
fn vpython_does_not_read_standard_input() {
    let world = World::new();
    let words = ["-c", "import sys; print(repr(sys.stdin.buffer.read()))"];
    for _ in 0..2 {
        world
            .vpython(words)
            .input(b"all\0of it\n")
            .run()
            .prints("b'all\\x00of it\\n'\n");
    }
}

#[test]
fn a_terminal_stays_a_terminal() {
    let world = World::new();
    let text = "import os, sys\nprint([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)], os.ttyname(0) == os.ttyname(1))\n";
    world.write("terminal.py", text);
    for _ in 0..2 {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let side = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut child = world
            .vpython(["terminal.py"])
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn();
        let code = child.wait().unwrap().code();
        drop(terminal.slave);
        let mut shown = [0; 1024];
        let length = nix::unistd::read(&terminal.master, &mut shown).unwrap();
        let shown = String::from_utf8_lossy(&shown[..length]);
        assert_eq!((code, &*shown), (Some(0), "[True, True, True] True\r\n"));
    }
}

#[test]
fn a_deleted_current_directory_does_not_prevent_a_launch() {
    let world = World::new();
    let tool = world.write("tool.py", "print('ran')\n");
    std::fs::create_dir(world.path("gone")).unwrap();
    let vpython = env!("CARGO_BIN_EXE_vpython");
    for command in [
        format!("{vpython} {}", tool.display()),
        format!("{vpython} -S -c 'print(\"ran\")'"),
        format!("{vpython} -m this"),
    ] {
        let theirs = command.replace(vpython, "python3");
        let run = |command: &str| {
            std::fs::create_dir_all(world.path("gone")).unwrap();
            world
                .program(
                    "/bin/sh",
                    ["-c", &format!("cd gone && rmdir ../gone && exec {command}")],
                )
                .run()
        };
        for _ in 0..2 {
            let (ours, theirs) = (run(&command), run(&theirs));
            ours.expect(theirs.code.unwrap(), &theirs.stdout, &theirs.stderr);
        }
    }
}

#[test]
fn variables_are_those_of_the_caller_except_those_that_change_the_environment() {
    let world = World::new();
    let text = "import os\nprint(*sorted('%s=%s' % item for item in os.environ.items() if item[0] != 'LC_CTYPE'), sep='\\n')\n";
    let outcome = world
        .vpython(["-c", text])
        .env("PYTHONHOME", "/x")
        .env("PYTHONUSERBASE", "/x")
        .env("PYTHONPLATLIBDIR", "lib9")
        .env("PYTHONEXECUTABLE", "/x")
        .env("__PYVENV_LAUNCHER__", "/x")
        .env("VIRTUAL_ENV", "/x")
        .env("PYTHONNOUSERSITE", "")
        .env("PYTHONPATH", "/first-party")
        .env("PYTHONHASHSEED", "1")
        .env("EMPTY", "")
        .run();
    outcome.prints(
        "EMPTY=\nHOME=[WORLD]/home\nLC_ALL=C.UTF-8\nPATH=[WORLD]/root/v1/envs/[KEY]/bin:[WORLD]/bin:/usr/bin:/bin\n\
         PYTHONHASHSEED=1\nPYTHONNOUSERSITE=1\nPYTHONPATH=/first-party\nTMPDIR=[WORLD]/tmp\n\
         VIRTUAL_ENV=[WORLD]/root/v1/envs/[KEY]\nVPYTHON_CONF=/dev/null\nVPYTHON_VIRTUALENV_ROOT=[WORLD]/root\n",
    );
}

#[test]
fn python_without_a_search_path_finds_its_own_programs() {
    let world = World::new();
    let text = "import os; print(os.environ['PATH'])";
    let interpreter = format!("-vpython-interpreter={}", world.python.path.display());
    for launch in [
        world.vpython([&*interpreter, "-c", text]).without("PATH"),
        world.vpython([&*interpreter, "-c", text]).env("PATH", ""),
    ] {
        launch
            .run()
            .prints("[WORLD]/root/v1/envs/[KEY]/bin:/bin:/usr/bin\n");
    }
}

#[test]
fn a_program_that_runs_vpython_gets_what_its_user_would_get() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    let inner = "import os, sys\nprint(os.environ['PATH'])\ntry:\n    import a\nexcept ImportError:\n    print('no a')\n";
    world.write("inner/inner.py", inner);
    world.write("inner/.gclient", "");
    let text = "# /// script\n# dependencies = ['a']\n# ///\nimport a, os, subprocess, sys\n\
                sys.exit(subprocess.call([sys.argv[1], 'inner/inner.py']))\n";
    world.write("outer.py", text);
    for _ in 0..2 {
        let outcome = world
            .vpython(["outer.py", env!("CARGO_BIN_EXE_vpython")])
            .run();
        outcome.prints("[WORLD]/root/v1/envs/[KEY]/bin:[WORLD]/bin:/usr/bin:/bin\nno a\n");
    }
    assert_eq!(world.environments().len(), 2);
}

#[test]
fn a_script_may_name_vpython_in_its_first_line() {
    let world = World::new();
    symlink(env!("CARGO_BIN_EXE_vpython"), world.outside("bin/vpython")).unwrap();
    world.wheel(&Wheel::module("a", "1"));
    let text = "#!/usr/bin/env vpython\n# /// script\n# dependencies = ['a']\n# ///\nimport a, sys\nprint(sys.argv, a.VERSION)\n";
    let script = world.write_with_mode("tool", text, 0o755);
    world
        .program(&script, ["x y", ""])
        .run()
        .prints("['[WORLD]/work/tool', 'x y', ''] 1\n");
    symlink(&script, world.outside("bin/linked")).unwrap();
    world
        .program("/usr/bin/env", ["linked", "-h"])
        .run()
        .prints("['[WORLD]/bin/linked', '-h'] 1\n");
}

#[test]
fn install_prints_the_path_alone() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nraise SystemExit('not to be run')\n",
    );
    let install = |level: &str| {
        world
            .vpython([
                "-vpython-log-level",
                level,
                "-vpython-tool",
                "install",
                "tool.py",
                "--",
                "x",
            ])
            .run()
    };
    let built = install("warning");
    built.installs("");
    assert!(
        built.stderr.starts_with("vpython: 1 wheel, ")
            && built.stderr.ends_with(" files, [TIME]\n"),
        "{built}"
    );
    let again = install("warning");
    again.installs("");
    assert!(again.stderr.ends_with(" files, already built\n"), "{again}");
    install("error").prints("[WORLD]/root/v1/envs/[KEY]\n");
    let environment = world.install(["tool.py"]);
    world
        .program(
            environment.join("bin/python"),
            ["-c", "import a; print(a.VERSION)"],
        )
        .run()
        .prints("1\n");
}

#[test]
fn an_interpreter_that_cannot_be_executed_has_its_own_exit_code() {
    let world = World::new();
    let environment = world.install([""; 0]);
    let python = environment.join("bin/python3");
    let replace = |content: &str, mode: u32| {
        std::fs::remove_file(&python).unwrap();
        write_with_mode(&python, content.as_bytes(), mode);
    };
    replace("no program", 0o644);
    let message = expect![[r#"
        vpython: error: cannot run `[WORLD]/root/v1/envs/[KEY]/bin/python3`
          caused by: Permission denied (os error 13)
    "#]];
    world.vpython(["-c", ""]).run().refuses(126, message);
    replace("#!/nowhere/python\n", 0o755);
    let message = expect![[r#"
        vpython: error: cannot run `[WORLD]/root/v1/envs/[KEY]/bin/python3`
          caused by: No such file or directory (os error 2)
    "#]];
    world.vpython(["-c", ""]).run().refuses(127, message);
}

#[test]
fn a_warning_to_a_closed_pipe_does_not_end_the_launch() {
    let world = World::new();
    world.write("vpython.toml", "dependancies = []\n");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let outcome = world.vpython(["-c", "print('ran')"]).stderr(writer).run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(0), "ran\n"),
        "{outcome}"
    );
}

#[test]
fn a_store_that_no_path_list_can_hold_is_refused() {
    let world = World::new();
    world
        .vpython(["-vpython-root", "co:lon", "-c", ""])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot use `[WORLD]/work/co:lon` as the store
                  caused by: `PATH` cannot hold a directory with a colon in its name
                  hint: name another directory with `-vpython-root`
            "#]],
        );
}
