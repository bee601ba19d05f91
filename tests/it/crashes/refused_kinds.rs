//! Calls that a container refuses entirely: a seccomp filter answers ENOSYS, or EPERM in old
//! container runtimes, to calls that its authors did not know. All calls of a kind fail during the
//! whole run, in vpython and its children; the run must still succeed.

use std::io;

use expect_test::expect;
use nix::errno::Errno;
use nix::libc;

use super::{Scene, world};
use crate::support::trace::{Fault, Kind, Only, can_trace, traced, traced_with_input};
use crate::support::{Outcome, VPYTHON, Wheel, is_sweep};

const fn kind(name: &'static str, numbers: &'static [libc::c_long]) -> Kind {
    Kind {
        name,
        numbers,
        only: Only::All,
    }
}

/// `FICLONE`, from `linux/fs.h`: a copy that shares its blocks.
const FICLONE: u64 = 0x4004_9409;

static FLOCK: Kind = kind("flock", &[libc::SYS_flock]);

/// The start of a thread, which a limit on the number of processes refuses too.
static THREADS: Kind = Kind {
    name: "threads",
    numbers: &[libc::SYS_clone, libc::SYS_clone3],
    only: Only::Threads,
};
/// The start of a thread or process.
static CLONES: Kind = kind(
    "clone",
    &[
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_fork,
        libc::SYS_vfork,
    ],
);

static KINDS: [Kind; 15] = [
    kind("renameat2", &[libc::SYS_renameat2]),
    kind("copy_file_range", &[libc::SYS_copy_file_range]),
    kind("sendfile", &[libc::SYS_sendfile]),
    kind("statx", &[libc::SYS_statx]),
    kind("link", &[libc::SYS_link, libc::SYS_linkat]),
    Kind {
        name: "ioctl(FICLONE)",
        numbers: &[libc::SYS_ioctl],
        only: Only::Request(FICLONE),
    },
    kind("fsync", &[libc::SYS_fsync, libc::SYS_fdatasync]),
    kind("syncfs", &[libc::SYS_syncfs]),
    kind(
        "all that syncs",
        &[
            libc::SYS_fsync,
            libc::SYS_fdatasync,
            libc::SYS_syncfs,
            libc::SYS_sync,
            libc::SYS_sync_file_range,
        ],
    ),
    kind("memfd_create", &[libc::SYS_memfd_create]),
    kind(
        "pidfd_open",
        &[libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal],
    ),
    kind("close_range", &[libc::SYS_close_range]),
    kind("faccessat2", &[libc::SYS_faccessat2]),
    kind("openat2", &[libc::SYS_openat2]),
    kind("getrandom", &[libc::SYS_getrandom]),
];

const ANSWERS: [Errno; 2] = [Errno::ENOSYS, Errno::EPERM];

/// The answers to try for a kind, by its number: both in a sweep, and otherwise one, by turns.
fn answers(number: usize) -> &'static [Errno] {
    if is_sweep() {
        &ANSWERS
    } else {
        &ANSWERS[number % 2..][..1]
    }
}

/// Refuses each kind of call during the run of a scene, and checks that the result is the same as
/// without. The run must make calls of the kinds in `needs`.
fn sweep(scene: &Scene, needs: &[&str]) {
    if !can_trace(&scene.world) {
        return;
    }
    let clean = scene.clean_run();
    let mut met = Vec::new();
    let mut broken = Vec::new();
    for (number, kind) in KINDS.iter().enumerate() {
        for errno in answers(number) {
            let traced = scene.run(Some(Fault::RefuseAll(kind, *errno)));
            // Nor would the run meet the other answer.
            let Some(name) = traced.hit else { break };
            met.push(name);
            let same =
                |outcome: &Outcome| (outcome.code, outcome.stdout.clone(), outcome.stderr.clone());
            let is_same = same(&traced.outcome) == same(&clean.outcome);
            let came = match is_same {
                false => Err(traced.outcome.to_string()),
                // vpython uses the same fallback for either error.
                true if *errno == answers(number)[0] => scene.next_launch_works(),
                true => Ok(()),
            };
            if let Err(why) = came {
                broken.push(format!("{name} refused with {errno}: {why}"));
            }
        }
    }
    met.dedup();
    eprintln!(
        "{}: refused were {met:?}, {} broken",
        scene.name,
        broken.len()
    );
    assert!(
        broken.is_empty(),
        "{}: {} broken\n{}",
        scene.name,
        broken.len(),
        broken.join("\n\n")
    );
    assert!(
        needs.iter().all(|name| met.contains(name)),
        "{}: {met:?}",
        scene.name
    );
}

const MAKES: [&str; 5] = [
    "link",
    "ioctl(FICLONE)",
    "fsync",
    "syncfs",
    "all that syncs",
];

#[test]
fn a_first_launch_needs_none_of_the_calls_that_containers_refuse() {
    sweep(&Scene::cold("a first launch", &["tool.py"]), &MAKES);
}

#[test]
fn an_install_needs_none_of_the_calls_that_containers_refuse() {
    sweep(
        &Scene::cold("install", &["-vpython-tool", "install", "tool.py"]),
        &MAKES,
    );
}

#[test]
fn a_prune_needs_none_of_the_calls_that_containers_refuse() {
    sweep(
        &Scene::built("prune", &["-vpython-tool", "prune", "--all"], drop),
        &[],
    );
}

#[test]
fn a_repair_needs_none_of_the_calls_that_containers_refuse() {
    let scene = Scene::built(
        "check --repair",
        &["-vpython-tool", "check", "--repair", "tool.py"],
        |environment| {
            std::fs::remove_file(environment.join("bin/run-a")).unwrap();
        },
    );
    sweep(&scene, &["fsync", "syncfs"]);
}

#[test]
fn a_lock_needs_none_of_the_calls_that_containers_refuse() {
    sweep(&Scene::lock(), &["fsync"]);
}

#[test]
fn an_export_needs_none_of_the_calls_that_containers_refuse() {
    sweep(&Scene::export(), &["renameat2", "fsync", "syncfs"]);
}

#[test]
fn an_unpack_needs_none_of_the_calls_that_containers_refuse() {
    sweep(&Scene::unpack(), &["renameat2", "fsync", "syncfs"]);
}

#[test]
fn a_pack_needs_none_of_the_calls_that_containers_refuse() {
    sweep(&Scene::pack(), &["fsync"]);
}

#[test]
fn a_program_through_a_pipe_needs_no_file_in_memory() {
    let world = world();
    if !can_trace(&world) {
        return;
    }
    world.vpython(["tool.py"]).run().prints("1 2 3\n");
    let kind = KINDS
        .iter()
        .find(|kind| kind.name == "memfd_create")
        .unwrap();
    let program = std::fs::read(world.path("tool.py")).unwrap();
    for errno in ANSWERS {
        let traced = traced_with_input(&world, &["-"], &program, Fault::RefuseAll(kind, errno));
        assert_eq!(traced.hit, Some("memfd_create"));
        traced.outcome.prints("1 2 3\n");
        assert!(
            std::fs::read_dir(world.outside("tmp"))
                .unwrap()
                .next()
                .is_none(),
            "it has no name"
        );
    }
}

#[test]
fn where_locks_are_refused_a_warning_is_printed_and_nothing_is_pruned() {
    let scene = Scene::cold("a first launch", &["tool.py"]);
    if !can_trace(&scene.world) {
        return;
    }
    for errno in ANSWERS {
        let traced = scene.run(Some(Fault::RefuseAll(&FLOCK, errno)));
        traced.outcome.expect(0, "1 2 3\n", expect![[r#"
            vpython: the file system of `[WORLD]/root` has no locks: concurrent launches may each build, and nothing is pruned
        "#]]);
        scene.next_launch_works().unwrap();
    }
}

/// The errors of a filter of system calls, of a limit on the number of processes, and of a kernel
/// without memory.
const NO_THREAD: [Errno; 3] = [Errno::EPERM, Errno::EAGAIN, Errno::ENOMEM];

#[test]
fn where_no_thread_can_be_started_everything_runs_on_one() {
    let scenes = [
        Scene::cold("a first launch", &["tool.py"]),
        Scene::compiling(),
        Scene::cold("install", &["-vpython-tool", "install", "tool.py"]),
        Scene::built("check", &["-vpython-tool", "check", "--all"], drop),
        Scene::built("prune", &["-vpython-tool", "prune", "--all"], drop),
        Scene::lock(),
        Scene::export(),
        Scene::pack(),
        Scene::unpack(),
    ];
    for scene in &scenes {
        if !can_trace(&scene.world) {
            return;
        }
        let clean = scene.clean_run();
        for errno in NO_THREAD {
            let traced = scene.run(Some(Fault::RefuseAll(&THREADS, errno)));
            assert_eq!(traced.hit, Some("threads"), "{}", scene.name);
            let told = |outcome: &Outcome| {
                let Outcome {
                    code,
                    stdout,
                    stderr,
                    ..
                } = outcome;
                (*code, stdout.clone(), stderr.clone())
            };
            let name = scene.name;
            assert_eq!(
                told(&traced.outcome),
                told(&clean.outcome),
                "{name}: {errno}"
            );
        }
        scene.next_launch_works().unwrap();
    }
}

#[test]
fn where_neither_thread_nor_process_can_be_started_known_interpreters_are_used() {
    let world = world();
    if !can_trace(&world) {
        return;
    }
    // A member of this size is unpacked by one thread and hashed by another.
    let large = Wheel::module("large", "1").file("large/data.bin", vec![7; 5 << 20]);
    world.wheel(&large);
    let script =
        "# /// script\n# dependencies = ['large']\n# ///\nimport large\nprint(large.VERSION)\n";
    world.write("tool-of-large.py", script);
    let launch = |errno| {
        let words = [VPYTHON, "tool-of-large.py"].map(str::to_owned);
        let traced = traced(&world, words, &[], Some(Fault::RefuseAll(&CLONES, errno)));
        assert_eq!(traced.hit, Some("clone"));
        traced.outcome
    };
    for errno in NO_THREAD {
        let outcome = launch(errno);
        let cannot = "cannot run the interpreter `[WORLD]/bin/python3`";
        let why = io::Error::from(errno).to_string();
        assert!(
            outcome.stderr.contains(cannot) && outcome.stderr.contains(&why),
            "{outcome}"
        );
        // Without memory, no other interpreter is tried.
        let code = if errno == Errno::ENOMEM { 125 } else { 127 };
        assert_eq!(outcome.code, Some(code), "{outcome}");
    }
    for errno in NO_THREAD {
        // A launch without wheels makes the interpreter known.
        world.vpython(["-c", "print(1)"]).run().prints("1\n");
        launch(errno).prints("1\n");
        std::fs::remove_dir_all(world.outside("root")).unwrap();
    }
}
