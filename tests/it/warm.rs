//! The system calls of a warm launch: it starts no process, and makes few calls.

use std::path::Path;
use std::time::Duration;

use crate::support::{Launch, Wheel, World, has_strace};

/// The upper bound for the calls of a warm launch before it becomes python.
const CALLS: usize = 47;
/// The number of calls of a program that does nothing.
const FEWEST: usize = 10;

/// A world with 150 wheels, one of which a script requires.
fn world() -> World {
    let world = World::new();
    for number in 0..149 {
        world.wheel(&Wheel::module(&format!("other{number}"), "1"));
    }
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world
}

/// Waits until no directory has changed for a while: a launch checks each name of a directory that
/// has just changed, and the time of a change cannot be set back.
pub fn settle() {
    std::thread::sleep(Duration::from_millis(3_100));
}

/// The calls of a warm launch between its own start and that of python.
pub fn calls<'w>(world: &'w World, launch: impl Fn(&Path, &[&str]) -> Launch<'w>) -> Vec<String> {
    let vpython = Path::new(env!("CARGO_BIN_EXE_vpython"));
    launch(vpython, &[])
        .without("VPYTHON_CONF")
        .run()
        .prints("1\n");
    let log = world.outside("calls");
    let traced = [
        "strace",
        "-f",
        "-o",
        log.to_str().unwrap(),
        vpython.to_str().unwrap(),
    ];
    launch(Path::new("/usr/bin/env"), &traced)
        .without("VPYTHON_CONF")
        .run()
        .prints("1\n");
    let log = std::fs::read_to_string(log).unwrap();
    // Only a debug build checks whether a descriptor is open before it closes it. Each line is `PID
    // call(...`; only the first process counts, up to where it becomes python.
    let calls = log
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    let calls: Vec<String> = calls
        .map(|(_, call)| call.trim_start().to_owned())
        .collect();
    let executions: Vec<usize> = (0..calls.len())
        .filter(|index| calls[*index].starts_with("execve("))
        .collect();
    assert_eq!(
        executions.len(),
        2,
        "one of vpython and one of python: {calls:#?}"
    );
    let own = &calls[executions[0] + 1..executions[1]];
    own.iter()
        .filter(|call| !call.contains("F_GETFD"))
        .cloned()
        .collect()
}

/// Fails if there are more calls than this, or one that starts a process.
#[track_caller]
fn assert_few(calls: &[String]) {
    let starts = |call: &String| {
        ["clone", "fork", "vfork"]
            .iter()
            .any(|name| call.starts_with(name))
    };
    assert!(!calls.iter().any(starts), "{calls:#?}");
    // Without a settings file, there is one attempt to open each candidate.
    let settings = calls.iter().filter(|call| call.contains("vpython.conf\""));
    assert_eq!(settings.count(), 2, "{calls:#?}");
    assert!(
        (FEWEST..=CALLS).contains(&calls.len()),
        "{} calls: {calls:#?}",
        calls.len()
    );
}

#[test]
fn a_warm_launch_starts_no_process_and_makes_few_calls() {
    if !has_strace() {
        return;
    }
    let script = world();
    // A spec for the whole directory, and a script below it.
    let whole = world();
    whole.write("vpython.toml", "dependencies = ['a']\n");
    whole.write("below/plain.py", "import a\nprint(a.VERSION)\n");
    settle();
    for (world, program) in [(&script, "tool.py"), (&whole, "below/plain.py")] {
        assert_few(&calls(world, |launcher, words| {
            world.program(launcher, words).arguments([program])
        }));
    }
}

#[test]
fn a_warm_launch_makes_few_calls_where_pyenv_chooses() {
    if !has_strace() {
        return;
    }
    let world = world();
    world.pyenv(&[world.python]);
    let shims = world.outside("pyenv/shims");
    std::fs::create_dir(&shims).unwrap();
    let shim = world.write_with_mode(
        "shim",
        "#!/usr/bin/env bash\nexec \"pyenv\" exec \"$0\" \"$@\"\n",
        0o755,
    );
    std::fs::rename(shim, shims.join("python3")).unwrap();
    std::fs::write(
        world.outside("pyenv/version"),
        format!("{}\n", world.python.version),
    )
    .unwrap();
    let tools = world.outside("tools");
    std::fs::create_dir(&tools).unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", tools.display(), shims.display());
    settle();
    let launch = |program: &Path, words: &[&str]| {
        let launch = world.program(program, words).arguments(["tool.py"]);
        launch
            .env("PATH", &path)
            .env("PYENV_ROOT", world.outside("pyenv"))
    };
    assert_few(&calls(&world, launch));
}
