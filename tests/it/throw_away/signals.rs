//! Signals and the terminal: they reach the program as if it had no parent process.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::{pid, started, stores, vpython};
use crate::support::{VPYTHON, World};

#[test]
fn a_signal_that_ends_the_program_ends_its_parent() {
    let world = World::new();
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSEGV] {
        let text = format!("import os; os.kill(os.getpid(), {})", signal as i32);
        let outcome = vpython(&world, &["-c", &text]).run();
        assert_eq!(
            (outcome.code, outcome.signal),
            (None, Some(signal as i32)),
            "{outcome}"
        );
    }
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn signals_reach_the_program() {
    let world = World::new();
    let text = "import os, signal, sys\n\
                def stop(number, _):\n    os.write(1, b'%d\\n' % number)\n    os._exit(9)\n\
                for number in [1, 2, 3, 10, 12, 14, 15]:\n    signal.signal(number, stop)\nprint('ready', flush=True)\nsys.stdin.read()\n";
    for signal in ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM"] {
        let signal: Signal = format!("SIG{signal}").parse().unwrap();
        let (mut child, mut output, line) = started(vpython(&world, &["-c", text]));
        assert_eq!(line, "ready");
        kill(pid(&child), signal).unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(
            (rest, child.wait().unwrap().code()),
            (format!("{}\n", signal as i32), Some(9))
        );
    }
    let (mut child, ..) = started(vpython(
        &world,
        &[
            "-c",
            "import time\nprint('ready', flush=True)\ntime.sleep(60)",
        ],
    ));
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn a_signal_to_a_build_ends_it_and_the_store_is_removed() {
    let world = World::new();
    world.write_with_mode(
        "bin/python3",
        "#!/bin/sh\necho asked >>\"$TMPDIR/asked\"\nexec sleep 60\n",
        0o755,
    );
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = vpython(&world, &["-vpython-interpreter", "bin/python3", "-c", ""])
        .stderr(writer)
        .spawn();
    while !world.outside("tmp/asked").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(stores(&world).len(), 1);
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
    drop(reader);
}

#[test]
fn a_terminal_controls_the_program_as_usual() {
    let world = World::new();
    let program = "import os, signal, sys\n\
                   seen = []\n\
                   def see(number, _):\n    seen.append(number)\n    os.write(1, b'seen %d\\n' % number)\n\
                   def tell(*_):\n    os.write(1, ('all %s\\n' % seen).encode())\n\
                   def hang_up(*_):\n    open('hung-up', 'w').close()\n    os._exit(3)\n\
                   signal.signal(signal.SIGINT, see)\nsignal.signal(signal.SIGUSR1, tell)\nsignal.signal(signal.SIGHUP, hang_up)\n\
                   os.write(1, ('ready %s\\n' % os.isatty(0)).encode())\nwhile True: signal.pause()\n";
    world.write("program.py", program);
    let driver = "import os, pty, signal, sys\n\
                  child, side = pty.fork()\n\
                  if child == 0:\n    os.execv(sys.argv[1], sys.argv[1:])\n\
                  text = b''\n\
                  def until(end):\n    \
                      global text\n    \
                      while end not in text:\n        text += os.read(side, 1024)\n\
                  until(b'ready True')\n\
                  os.write(side, b'\\x03')\nuntil(b'seen 2')\n\
                  os.kill(child, signal.SIGUSR1)\nuntil(b'all [2]\\r\\n')\n\
                  os.close(side)\n\
                  print(os.WEXITSTATUS(os.waitpid(child, 0)[1]), os.path.exists('hung-up'))\n";
    let words = ["-c", driver, VPYTHON, "-vpython-root", "", "program.py"];
    world
        .program(&world.python.path, words)
        .run()
        .prints("3 True\n");
    assert_eq!(stores(&world), [""; 0].map(PathBuf::from));
}

#[test]
fn a_program_that_stops_stops_its_parent() {
    let world = World::new();
    let text = "import os, signal\nprint('ready', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)\nprint('on', flush=True)\n";
    let (child, mut output, line) = started(vpython(&world, &["-c", text]));
    assert_eq!(line, "ready");
    let stopped = waitpid(pid(&child), Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(pid(&child), Signal::SIGSTOP));
    kill(pid(&child), Signal::SIGCONT).unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "on\n");
    assert_eq!(
        waitpid(pid(&child), None).unwrap(),
        WaitStatus::Exited(pid(&child), 0)
    );
}
