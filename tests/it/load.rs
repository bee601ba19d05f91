//! Many concurrent launches: what is missing is built once, a failing build fails once, and no
//! launch waits for a process that has died.

use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Fault, Outcome, Wheel, World};

const BUILDS: &str = "building an environment with";

/// Starts vpython with these arguments behind a barrier: each process waits for a line, so that all
/// begin when all exist.
fn start_at_barrier(world: &World, words: &[&str]) -> Child {
    let line = "read line; exec \"$0\" -vpython-log-level debug \"$@\" </dev/null";
    let launch = world
        .program("/bin/sh", ["-c", line, env!("CARGO_BIN_EXE_vpython")])
        .arguments(words);
    launch.stdin(Stdio::piped()).spawn()
}

/// Releases the barrier, and returns the outcome of each process.
fn open_barrier(world: &World, mut children: Vec<Child>) -> Vec<Outcome> {
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    // Each process writes little, so no pipe fills before it is read.
    let ended = children
        .into_iter()
        .map(|child| child.wait_with_output().unwrap());
    ended
        .map(|output| Outcome::new(world, "one of many", &output))
        .collect()
}

/// The resources that processes use at one time: KiB of private memory, and open files.
#[derive(Debug, Clone, Copy, Default)]
struct Resources {
    memory: u64,
    files: usize,
}

/// The highest total use of the processes while `work` runs.
fn peak_during<T>(processes: &[u32], work: impl FnOnce() -> T) -> (T, Resources) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = Resources::default();
            while !done.load(Ordering::Relaxed) {
                let now: Vec<Resources> = processes
                    .iter()
                    .map(|process| resources_of(*process))
                    .collect();
                peak.memory = peak.memory.max(now.iter().map(|taken| taken.memory).sum());
                peak.files = peak.files.max(now.iter().map(|taken| taken.files).sum());
                std::thread::sleep(Duration::from_millis(100));
            }
            peak
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, watcher.join().unwrap())
    })
}

/// The resources of a process, or nothing if it has ended.
fn resources_of(process: u32) -> Resources {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let memory = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap_or_default();
    Resources {
        memory: memory
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or_default(),
        files: std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count),
    }
}

fn times(outcomes: &[Outcome], text: &str) -> usize {
    outcomes
        .iter()
        .map(|outcome| outcome.stderr.matches(text).count())
        .sum()
}

/// `VPYTHON_LOAD=1000 cargo test load` starts as many launches as a busy machine may; the default
/// is a tenth of that.
#[test]
fn many_launches_of_specs_that_share_wheels_build_each_once() {
    let launches: usize =
        std::env::var("VPYTHON_LOAD").map_or(100, |number| number.parse().unwrap());
    let specs = launches / 20;
    let world = World::new();
    for name in ["shared", "common"] {
        world.wheel(&Wheel::module(name, "1").file(&format!("{name}_data.bin"), vec![7; 200_000]));
    }
    for number in 0..specs {
        let own = format!("own{number}");
        world.wheel(&Wheel::module(&own, "1"));
        let text = format!(
            "# /// script\n# dependencies = ['shared', 'common', '{own}']\n# ///\nimport shared, common, {own}\nprint({number})\n"
        );
        world.write(&format!("tool{number}.py"), text);
    }
    let children: Vec<Child> = (0..launches)
        .map(|number| start_at_barrier(&world, &[&format!("tool{}.py", number % specs)]))
        .collect();
    let processes: Vec<u32> = children.iter().map(Child::id).collect();
    let begin = Instant::now();
    let (outcomes, peak) = peak_during(&processes, || open_barrier(&world, children));
    let (seconds, mebibytes) = (begin.elapsed().as_secs_f64(), peak.memory / 1024);
    eprintln!(
        "{launches} launches over {specs} specs took {seconds:.1} s, {mebibytes} MiB, {} open files at most",
        peak.files
    );
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = format!("{}\n", number % specs);
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(0), &*expected),
            "{outcome}"
        );
    }
    assert_eq!(
        times(&outcomes, BUILDS),
        specs,
        "each environment is built once"
    );
    assert_eq!(
        times(&outcomes, "unpacking the wheel"),
        specs + 2,
        "each wheel is unpacked once"
    );
    assert_eq!(world.environments().len(), specs);
    let staged = std::fs::read_dir(world.store("tmp")).unwrap().count();
    assert_eq!(staged, 0, "the builds leave nothing");
}

#[test]
fn a_failed_build_is_not_repeated_by_the_processes_that_waited_for_it() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1").fault(Fault::NoRecord));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\n",
    );
    let first = world.vpython(["tool.py"]).run();
    assert_eq!(first.code, Some(125), "{first}");
    // The lock is held until all processes have reported that they wait for it.
    let lock = only_lock(&world, |name| {
        !name.contains('-') && name != "building.lock"
    });
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    let mut children: Vec<Child> = (0..8)
        .map(|_| {
            world
                .vpython(["-vpython-log-level", "debug", "tool.py"])
                .spawn()
        })
        .collect();
    let mut said: Vec<(BufReader<_>, String)> = children.iter_mut().map(wait_for_notice).collect();
    drop(lock);
    let mut builds = 0;
    for (mut child, (stderr, text)) in children.into_iter().zip(&mut said) {
        stderr
            .lines()
            .for_each(|line| *text += &(line.unwrap() + "\n"));
        assert_eq!(child.wait().unwrap().code(), Some(125), "{text}");
        builds += text.matches(BUILDS).count();
        let error = text[text.find("vpython: error").unwrap()..].to_owned();
        assert_eq!(world.redact(&error), first.stderr, "all print the same");
    }
    assert_eq!(builds, 1);
    let late = world
        .vpython(["-vpython-log-level", "debug", "tool.py"])
        .run();
    assert!(
        late.code == Some(125) && late.stderr.contains(BUILDS),
        "a later launch tries again: {late}"
    );
}

/// The only lock whose file name has the expected form.
fn only_lock(world: &World, is_it: impl Fn(&str) -> bool) -> std::fs::File {
    let names = std::fs::read_dir(world.store("locks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.filter(|name| is_it(name)).collect::<Vec<_>>();
    assert_eq!(name.len(), 1, "{name:?}");
    std::fs::File::options()
        .read(true)
        .write(true)
        .open(world.store(&format!("locks/{}", name[0])))
        .unwrap()
}

/// Waits until a launch has reported that it waits for another; returns its standard error and the
/// text that it has written.
fn wait_for_notice(child: &mut Child) -> (BufReader<std::process::ChildStderr>, String) {
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("vpython: waiting for ") {
        assert!(
            lines.read_line(&mut text).unwrap() > 0,
            "it ended instead: {text}"
        );
    }
    (lines, text)
}

/// A world in which every build blocks on the lock of a wheel, until the returned file is dropped.
fn hanging_world() -> (World, std::fs::File) {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    std::fs::remove_dir_all(world.install(["tool.py"])).unwrap();
    std::fs::remove_dir_all(world.store("wheels")).unwrap();
    let lock = only_lock(&world, |name| name.starts_with("wheel-"));
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    (world, lock)
}

#[test]
fn a_waiting_launch_continues_within_a_second_of_the_builders_death() {
    let (world, wheel_lock) = hanging_world();
    let mut builder = world.vpython(["tool.py"]).spawn();
    let (_stderr, _) = wait_for_notice(&mut builder);
    let mut waiter = world.vpython(["tool.py"]).spawn();
    let (_stderr, said) = wait_for_notice(&mut waiter);
    assert_eq!(
        said,
        format!(
            "vpython: waiting for process {}, which is building this environment\n",
            builder.id()
        )
    );
    builder.kill().unwrap();
    builder.wait().unwrap();
    let begin = Instant::now();
    let mut lock = only_lock(&world, |name| {
        !name.contains('-') && name != "building.lock"
    });
    let mut holder = String::new();
    while holder != waiter.id().to_string() {
        assert!(
            begin.elapsed() < Duration::from_secs(1),
            "`{holder}` holds the lock"
        );
        holder.clear();
        lock.rewind().unwrap();
        lock.read_to_string(&mut holder).unwrap();
    }
    drop(wheel_lock);
    assert_eq!(waiter.wait_with_output().unwrap().stdout, b"1\n");
}

/// Whether this process ignores SIGINT, as a shell's background job does. Its children inherit that.
fn ignores_interrupts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    mask.unwrap() & (1 << (Signal::SIGINT as u32 - 1)) != 0
}

#[test]
fn builder_and_waiting_launches_end_at_the_first_interrupt() {
    if ignores_interrupts() {
        not_tested!("the tests were started with SIGINT ignored, and so are the launches");
        return;
    }
    let (world, _wheel_lock) = hanging_world();
    let mut children = [
        world.vpython(["tool.py"]).spawn(),
        world.vpython(["tool.py"]).spawn(),
    ];
    // One launch waits for the wheel, the other for the first launch.
    let _said = children.each_mut().map(wait_for_notice);
    for child in &mut children {
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGINT as i32));
    }
}
