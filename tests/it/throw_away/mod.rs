//! `-vpython-root ""`: a store that exists for one run, and a parent process that removes it.

mod signals;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Launch, Wheel, World};

/// vpython with a throw-away store.
fn vpython<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world.vpython(words).env("VPYTHON_VIRTUALENV_ROOT", "")
}

/// The existing throw-away stores.
fn stores(world: &World) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(world.outside("tmp"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_store = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("vpython-throwaway.")
    };
    entries.filter(is_store).collect()
}

/// A program that was started, and its first line.
fn started(launch: Launch) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = launch.stdin(Stdio::piped()).spawn();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    (child, output, line.trim_end().to_owned())
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// The program that the parent of a throw-away store waits for.
fn program_of(child: &Child) -> Pid {
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    Pid::from_raw(children.trim().parse().unwrap())
}

#[test]
fn the_store_is_removed_when_the_program_ends() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a, sys\nprint(a.VERSION, sys.argv[1:], sys.stdin.read(), sys.prefix)\nsys.exit(7)\n",
    );
    let by_variable = vpython(&world, &["tool.py", "x y", ""])
        .input("given")
        .run();
    let by_flag = world
        .vpython(["-vpython-root", "", "tool.py", "x y", ""])
        .input("given")
        .run();
    for outcome in [by_variable, by_flag] {
        let start = "1 ['x y', ''] given [WORLD]/tmp/vpython-throwaway.";
        assert!(
            outcome.code == Some(7)
                && outcome.stderr.is_empty()
                && outcome.stdout.starts_with(start),
            "{outcome}"
        );
    }
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
    assert!(
        !world.outside("root").exists() && !world.outside("home/.cache").exists(),
        "no other store was made"
    );
    vpython(&world, &["-c", "import a"]).run();
    world
        .vpython(["-vpython-root", "", "-vpython-version"])
        .run();
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn read_only_files_of_the_program_are_removed_too() {
    let world = World::new();
    let text = "import os, sys\ndirectory = os.path.join(sys.prefix, 'a', 'b')\nos.makedirs(directory)\n\
                open(os.path.join(directory, 'file'), 'w').close()\n\
                for name in [directory, os.path.dirname(directory), sys.prefix]:\n    os.chmod(name, 0o555)\n";
    std::fs::set_permissions(
        world.outside("tmp"),
        std::fs::Permissions::from_mode(0o1777),
    )
    .unwrap();
    let mut launches = vec![vpython(&world, &["-c", text])];
    if nix::unistd::geteuid().is_root() {
        std::fs::set_permissions(world.outside(""), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        launches.push(vpython(&world, &["-c", text]).user(4321));
    }
    for launch in launches {
        let outcome = launch.run();
        // The interpreter may be in a directory that another user cannot enter.
        if outcome.code == Some(127) {
            not_tested!("the interpreter is not for other users");
        } else {
            outcome.prints("");
        }
    }
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn a_stream_that_the_program_closes_is_closed() {
    let world = World::new();
    let text = "import os, sys\nos.write(1, b'all\\n')\nos.close(1)\nsys.stdin.read()\n";
    let (mut child, mut output, line) = started(vpython(&world, &["-c", text]));
    assert_eq!(
        (line.as_str(), output.read_to_end(&mut Vec::new()).unwrap()),
        ("all", 0)
    );
    assert_eq!(child.try_wait().unwrap(), None, "it still runs");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_program_inherits_no_open_file_but_the_lock_of_its_environment() {
    let world = World::new();
    let text = "import os\nfor fd in os.listdir('/proc/self/fd'):\n    link = '/proc/self/fd/' + fd\n    \
                if int(fd) > 2 and os.path.exists(link) and '/vpython-throwaway.' in os.readlink(link):\n        \
                print(os.path.basename(os.readlink(link)))\n";
    vpython(&world, &["-c", text])
        .run()
        .prints("vpython.json\n");
    let text = "import signal\nprint(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))), \
                signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)\n";
    vpython(&world, &["-c", text]).run().prints("[] True\n");
}

#[test]
fn a_killed_parent_takes_the_program_along_and_the_next_run_removes_the_store() {
    let world = World::new();
    let wait = "import sys\nprint(sys.prefix, flush=True)\nsys.stdin.read()\n";
    let (mut other, ..) = started(vpython(&world, &["-c", wait]));
    let [kept] = &stores(&world)[..] else {
        panic!("{:?}", stores(&world))
    };
    let (mut killed, mut output, _) = started(vpython(&world, &["-c", wait]));
    kill(pid(&killed), Signal::SIGKILL).unwrap();
    assert_eq!(
        killed.wait().unwrap().signal(),
        Some(Signal::SIGKILL as i32)
    );
    // The last process that could write has ended.
    assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert_eq!(stores(&world).len(), 2);
    // Neither is a store that is being made, nor a file of that name.
    let user = nix::unistd::geteuid();
    let made = world.outside(&format!("tmp/vpython-throwaway.{user}.making"));
    std::fs::create_dir(&made).unwrap();
    let file = world.outside(&format!("tmp/vpython-throwaway.{user}.file"));
    std::fs::write(&file, "").unwrap();
    vpython(&world, &["-c", ""]).run().prints("");
    let mut left = stores(&world);
    left.sort();
    let mut expected = vec![kept.clone(), made.clone(), file];
    expected.sort();
    assert_eq!(left, expected);
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(2);
    File::open(&made).unwrap().set_modified(old).unwrap();
    vpython(&world, &["-c", ""]).run().prints("");
    assert!(!made.exists(), "the process that used it has ended");
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
}

#[test]
fn a_store_that_a_process_still_uses_is_not_abandoned() {
    let world = World::new();
    let text = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], \
                stdin=subprocess.PIPE)\nprint(sys.prefix, flush=True)\nsys.stdin.read()\nchild.stdin.close()\nchild.wait()\n";
    let (mut child, ..) = started(vpython(&world, &["-c", text]));
    let program = program_of(&child);
    let [store] = &stores(&world)[..] else {
        panic!("{:?}", stores(&world))
    };
    // The same as when the kernel does not end the program with its parent, because it has changed
    // its user.
    let lock = store.join("lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::write(&lock, "").unwrap();
    vpython(&world, &["-c", ""]).run().prints("");
    assert!(store.exists());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(kill(program, None).is_err());
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn tools_work_in_a_throw_away_store_or_say_why_not() {
    let world = World::new();
    world.wheel(
        &Wheel::module("a", "1")
            .entry_point("say", "a:main")
            .file("more.py", ""),
    );
    world.write("vpython.toml", "dependencies = ['a']\n");
    let tool = |words: &[&str]| vpython(&world, &[&["-vpython-tool"], words].concat()).run();
    // The name of the store is random.
    let redacted = |text: &str| {
        let parts = text.split("vpython-throwaway.").enumerate();
        let part = |(index, part): (usize, &str)| match part.split_once('/') {
            Some((_, rest)) if index > 0 => format!("[STORE]/{rest}"),
            _ => part.to_owned(),
        };
        parts.map(part).collect::<String>()
    };
    // Tools whose result is outside the store work.
    let installed = tool(&["install"]);
    assert_eq!(
        (installed.code, redacted(&installed.stdout)),
        (Some(0), "[WORLD]/tmp/[STORE]/v1/envs/[KEY]\n".into())
    );
    let warning = "vpython: warning: the store is a throw-away store: `[WORLD]/tmp/[STORE]/v1/envs/[KEY]` is removed now\nvpython: 1 wheel, ";
    assert!(
        redacted(&installed.stderr).starts_with(warning),
        "{installed}"
    );
    tool(&["verify"]).prints(expect![[r#"
        requirement  required  here ([VERSION])
        a            line 1    1

        ok here; the spec names no other platforms
    "#]]);
    tool(&["export", "env"]).prints("[WORLD]/work/env\n");
    world
        .program(
            world.path("env/bin/python"),
            ["-c", "import a; print(a.VERSION)"],
        )
        .run()
        .prints("1\n");
    assert_eq!(tool(&["pack", "--output", "env.tar"]).code, Some(0));
    tool(&["lock"]).prints(expect![[r#"
        pylock.vpython.toml: written
          + a 1
    "#]]);
    tool(&["fetch"]).succeeds_with(expect![[r#"
        vpython: nothing to fetch: all wheels that the spec requires are present
    "#]]);
    tool(&["exec", "python", "-c", "import sys; sys.exit(5)"]).expect(5, "", "");
    // `explain` says that the store starts empty.
    let explained = redacted(&tool(&["explain"]).stdout);
    let end = "launch        cold: the store is a throw-away store, which starts empty in each run\n                    its environment is not built\n";
    assert!(
        explained.contains("\nentry         [WORLD]/tmp/[STORE]/v1/envs/[KEY]\n")
            && explained.ends_with(end),
        "{explained}"
    );
    // Tools for the content of the store are refused.
    for name in ["check", "list", "prune"] {
        let outcome = tool(&[name]).replacing(&format!("-tool {name}`"), "-tool [NAME]`");
        outcome.refuses(
            125,
            expect![[r#"
                vpython: error: `-vpython-tool [NAME]` has nothing to work on
                  caused by: the store is a throw-away store, which starts empty in each run
                  hint: name a store with `-vpython-root`
            "#]],
        );
    }
    // A link would dangle after the run.
    vpython(&world, &["-vpython-local-venv", "-c", ""])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot keep a link for `-vpython-local-venv`
                  caused by: the store is a throw-away store, so the link would dangle when the run ends
                  hint: name a store with `-vpython-root`, or leave the flag out
            "#]],
        );
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
    assert!(!world.outside("root").exists());
}

#[test]
fn an_error_is_reported_once_and_the_store_is_removed() {
    let world = World::new();
    world.write("vpython.toml", "dependencies = ['none']\n");
    let outcome = vpython(&world, &["-c", ""]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: no wheel fits `none` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: no wheel directory is configured, and there is no `wheels` next to the spec
          hint: create and fill one: `vpython -vpython-tool fetch -c ''`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
    let nowhere = world.outside("tmp/none");
    vpython(&world, &["-c", ""]).env("TMPDIR", &nowhere).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot create a throw-away store
              caused by: cannot inspect `[WORLD]/tmp/none`
              caused by: No such file or directory (os error 2)
              hint: set `TMPDIR` to a directory that you can write to, or name a store with `-vpython-root`
        "#]],
    );
}

#[test]
fn a_named_store_has_no_parent_process() {
    let world = World::new();
    let (mut child, _, line) = started(world.vpython([
        "-c",
        "import os, sys\nprint(os.getpid(), flush=True)\nsys.stdin.read()\n",
    ]));
    assert_eq!(line, child.id().to_string());
    child.stdin.take().unwrap().write_all(b"").unwrap();
    assert!(child.wait().unwrap().success());
}
