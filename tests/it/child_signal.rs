//! Callers that ignore SIGCHLD, as some supervisors leave it: nothing can wait for children then.

use crate::support::{Wheel, World};

/// Runs vpython with the signal ignored.
const IGNORING: &str = "import os, signal, sys\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
                        os.execv(sys.argv[1], sys.argv[1:])\n";

#[test]
fn launches_and_tools_work_and_the_program_gets_the_setting_of_its_caller() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write("vpython.toml", "dependencies = ['a']\n");
    let vpython = env!("CARGO_BIN_EXE_vpython");
    let run = |words: &[&str]| {
        let launcher = ["-c", IGNORING, vpython];
        world
            .program(&world.python.path, launcher.iter().chain(words))
            .run()
    };
    let program = "import a, signal; print(signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN)";
    // Cold, then warm.
    for _ in 0..2 {
        run(&["-c", program]).prints("True\n");
    }
    for words in [&["--version"][..], &["-vpython-tool", "install", "-c", ""]] {
        std::fs::remove_dir_all(world.outside("root")).unwrap();
        let outcome = run(words);
        assert_eq!(outcome.code, Some(0), "{outcome}");
    }
}
