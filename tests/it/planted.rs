//! Files that another user has planted where vpython writes, or where it searches for what it runs:
//! the caller loses nothing, and vpython runs nothing of the other user. `trust.rs` tests whose
//! files vpython reads, and `neighbours.rs` tests the protection of the store.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Fake, Python, Wheel, World};

/// Another user.
const OTHER_USER: u32 = 54_321;
/// A private file of the caller.
const PRECIOUS: &str = "a private file\n";

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mkfifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
}

/// A world with a directory `open` that every user can write to, which contains the caller's
/// program, and with a private file of the caller. Returns `None` if the test cannot give files to
/// another user.
fn world(mode: u32) -> Option<World> {
    let world = World::new();
    std::fs::create_dir_all(world.path("open/wheels")).unwrap();
    Wheel::module("a", "1").write_to(&world.path("open/wheels"));
    world.write(
        "open/tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world.write(
        "open/old.vpython3",
        "wheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n",
    );
    world.write_with_mode("precious", PRECIOUS, 0o600);
    set_mode(&world.path("open"), mode);
    if chown(world.path("precious"), Some(OTHER_USER), None).is_err() {
        not_tested!("only the superuser can give a file to another user");
        return None;
    }
    chown(world.path("precious"), Some(0), None).unwrap();
    Some(world)
}

/// The commands that write a file in `open`, with that file.
const WRITERS: [(&[&str], &str); 5] = [
    (
        &["-vpython-tool", "lock", "open/tool.py"],
        "pylock.tool.toml",
    ),
    (
        &[
            "-vpython-tool",
            "pack",
            "--output",
            "open/app.tar",
            "open/tool.py",
        ],
        "app.tar",
    ),
    (&["-vpython-tool", "man", "open"], "vpython.1"),
    (
        &["-vpython-tool", "upgrade", "open/old.vpython3"],
        "old.toml",
    ),
    (
        &["-vpython-trace", "open/trace.json", "open/tool.py"],
        "trace.json",
    ),
];

/// What another user can plant under a name.
#[derive(Debug, Clone, Copy)]
enum Plant {
    /// A link to the private file.
    Link,
    /// A hard link to the private file, where the system permits it.
    HardLink,
    /// A file of the other user, which stays writable to them.
    File,
    Pipe,
}

impl Plant {
    const ALL: [Self; 4] = [Self::Link, Self::HardLink, Self::File, Self::Pipe];

    fn put(self, world: &World, path: &Path) {
        match self {
            Self::Link => symlink(world.path("precious"), path).unwrap(),
            Self::HardLink => return std::fs::hard_link(world.path("precious"), path).unwrap(),
            Self::File => crate::support::write_with_mode(path, b"theirs", 0o666),
            Self::Pipe => mkfifo(path),
        }
        lchown(path, Some(OTHER_USER), None).unwrap();
    }
}

/// Checks that nothing of the caller has changed.
#[track_caller]
fn is_unchanged(world: &World, what: &str) {
    let precious = world.path("precious");
    assert_eq!(
        std::fs::read_to_string(&precious).unwrap(),
        PRECIOUS,
        "{what}"
    );
    let metadata = precious.metadata().unwrap();
    assert_eq!(
        (metadata.mode() & 0o7777, metadata.uid()),
        (0o600, 0),
        "{what}"
    );
}

/// Checks that only the caller owns and can write to the file.
#[track_caller]
fn is_ours(path: &Path, what: &str) {
    let metadata = path.symlink_metadata().unwrap();
    assert!(
        metadata.is_file()
            && metadata.uid() == 0
            && metadata.nlink() == 1
            && metadata.mode() & 0o022 == 0,
        "{what}: {metadata:?}"
    );
}

#[test]
fn what_is_planted_as_an_unfinished_file_is_not_written_to_or_published() {
    for mode in [0o1777, 0o777] {
        for (words, name) in WRITERS {
            for plant in Plant::ALL {
                let Some(world) = world(mode) else { return };
                let what = format!("{plant:?} for {name} in {mode:o}");
                plant.put(&world, &world.path(&format!("open/.{name}.new")));
                let outcome = world.vpython(words).run();
                assert_eq!(outcome.code, Some(0), "{what}: {outcome}");
                is_unchanged(&world, &what);
                is_ours(&world.path("open").join(name), &what);
            }
        }
    }
}

#[test]
fn what_is_planted_under_the_name_of_an_output_file_is_not_written_to() {
    for (words, name) in WRITERS {
        for plant in Plant::ALL {
            let Some(world) = world(0o1777) else { return };
            let what = format!("{plant:?} for {name}");
            let path = world.path("open").join(name);
            plant.put(&world, &path);
            let outcome = world.vpython(words).run();
            is_unchanged(&world, &what);
            if outcome.code == Some(0) {
                is_ours(&path, &what);
            } else {
                let refuses =
                    outcome.code == Some(125) && outcome.stderr.starts_with("vpython: error: ");
                assert!(refuses, "{what}: {outcome}");
            }
        }
    }
}

/// Plants a modified copy of the requested environment, made by another user.
fn plant_environment(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(copied.success());
    let site = std::fs::read_dir(to.join("lib"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("site-packages");
    let module = site.join("a.py");
    let times = site.metadata().unwrap().modified().unwrap();
    std::fs::remove_file(&module).unwrap();
    std::fs::write(&module, "VERSION = 'theirs'\n").unwrap();
    std::fs::File::open(&site)
        .unwrap()
        .set_modified(times)
        .unwrap();
    let given = std::process::Command::new("chown")
        .args(["-hR", &OTHER_USER.to_string()])
        .arg(to)
        .status()
        .unwrap();
    assert!(given.success());
}

#[test]
fn an_environment_of_another_user_is_not_taken_for_the_requested_one() {
    let Some(world) = world(0o1777) else { return };
    let archive = world.path("app.tar");
    let outcome = world
        .vpython([
            "-vpython-tool",
            "pack",
            "--output",
            "app.tar",
            "open/tool.py",
        ])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let rows: [&[&str]; 2] = [
        &["-vpython-tool", "export", "PLACE", "open/tool.py"],
        &["-vpython-tool", "unpack", "app.tar", "PLACE"],
    ];
    assert!(archive.exists());
    for words in rows {
        let to = |place: &str| -> Vec<String> {
            words
                .iter()
                .map(|word| word.replace("PLACE", place))
                .collect()
        };
        let outcome = world.vpython(to("made")).run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        plant_environment(&world.path("made"), &world.path("open/env"));
        let outcome = world.vpython(to("open/env")).run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let run = world
            .program(
                world.path("open/env/bin/python3"),
                ["-c", "import a; print(a.VERSION)"],
            )
            .run();
        assert_eq!(run.stdout, "1\n", "{words:?}: {run}");
        assert_eq!(
            world.path("open/env").metadata().unwrap().uid(),
            0,
            "{words:?}"
        );
        std::fs::remove_dir_all(world.path("open/env")).unwrap();
        std::fs::remove_dir_all(world.path("made")).unwrap();
    }
}

#[test]
fn a_directory_of_another_user_under_the_name_of_an_unfinished_one_is_refused() {
    for is_link in [false, true] {
        let Some(world) = world(0o1777) else { return };
        let staged = world.path("open/.env.vpython-new");
        std::fs::create_dir(world.path("mine")).unwrap();
        world.write("mine/precious", PRECIOUS);
        if is_link {
            symlink(world.path("mine"), &staged).unwrap();
        } else {
            std::fs::create_dir(&staged).unwrap();
        }
        lchown(&staged, Some(OTHER_USER), None).unwrap();
        let outcome = world
            .vpython(["-vpython-tool", "export", "open/env", "open/tool.py"])
            .run();
        let why = "`[WORLD]/work/open/.env.vpython-new` is in the way: it is not a directory that you own\n";
        assert!(
            outcome.code == Some(125) && outcome.stderr.ends_with(why),
            "{outcome}"
        );
        assert!(world.path("mine/precious").exists() && !world.path("open/env").exists());
    }
}

#[test]
fn a_lock_of_another_user_does_not_affect_the_new_one() {
    let Some(world) = world(0o1777) else { return };
    Wheel::module("a", "2").write_to(&world.path("open/wheels"));
    let lock = world.path("open/pylock.tool.toml");
    world
        .vpython(["-vpython-tool", "lock", "open/tool.py"])
        .run();
    let text = std::fs::read_to_string(&lock).unwrap();
    let older = Wheel::module("a", "1");
    let digest = |wheel: &Wheel| vpython::testing::fs::Digest::of(&wheel.bytes()).to_string();
    let planted = text
        .replace("version = \"2\"", "version = \"1\"")
        .replace("a-2-py3", "a-1-py3")
        .replace(&digest(&Wheel::module("a", "2")), &digest(&older));
    assert_ne!(planted, text);
    std::fs::write(&lock, planted).unwrap();
    lchown(&lock, Some(OTHER_USER), None).unwrap();
    let outcome = world
        .vpython(["-vpython-tool", "lock", "open/tool.py"])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), text, "{outcome}");
    is_ours(&lock, "the lock");
}

#[test]
fn a_file_of_another_user_is_not_the_interpreter_that_a_version_names() {
    let Some(world) = world(0o1777) else { return };
    let python = Python::any();
    let version = format!("3.{}", python.minor);
    let fake = Fake::new(&world, "3.11.42");
    for name in [version.clone(), format!("python{version}")] {
        let planted = world.path("open").join(&name);
        std::fs::copy(&fake.path, &planted).unwrap();
        lchown(&planted, Some(OTHER_USER), None).unwrap();
        let launch = |program: &str| {
            let words = ["-vpython-interpreter", &name, "-c", program];
            world.vpython(words).within(world.path("open")).run()
        };
        launch("print(1)").prints("1\n");
        launch("print(1)").prints("1\n");
        assert_eq!(fake.probe_count(), 0, "{name}");
    }
}

#[test]
fn an_interpreter_is_not_found_by_a_relative_name_on_path() {
    let Some(world) = world(0o1777) else { return };
    let fake = Fake::new(&world, "3.11.42");
    for name in ["python3", "sub", "sub/python3"] {
        let planted = world.path("open").join(name);
        if name == "sub" {
            std::fs::create_dir(&planted).unwrap();
        } else {
            std::fs::copy(&fake.path, &planted).map(drop).unwrap();
        }
        lchown(&planted, Some(OTHER_USER), None).unwrap();
    }
    let asked = fake.probe_count();
    for first in [
        "",
        ".",
        "sub",
        &world.path("open/sub").display().to_string(),
    ] {
        let path = format!("{first}:{}", world.search_path());
        let launch = world.vpython(["-c", "print(1)"]).within(world.path("open"));
        launch.env("PATH", path).run().prints("1\n");
    }
    assert_eq!(fake.probe_count(), asked);
}

#[test]
fn what_is_planted_next_to_the_program_is_skipped() {
    let Some(world) = world(0o1777) else { return };
    std::fs::remove_dir_all(world.path("open/wheels")).unwrap();
    let program = world.copy_vpython("work/open/launcher");
    std::fs::create_dir(world.path("open/wheels")).unwrap();
    Wheel::module("a", "99").write_to(&world.path("open/wheels"));
    world.write("open/vpython.conf", "root = '/nowhere'\n");
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    for name in ["wheels", "vpython.conf"] {
        lchown(world.path("open").join(name), Some(OTHER_USER), None).unwrap();
    }
    let outcome = world
        .program(&program, ["tool.py"])
        .without("VPYTHON_CONF")
        .run();
    assert!(
        outcome.code == Some(125) && outcome.stderr.contains("fits `a`"),
        "{outcome}"
    );
    for skipped in [
        "the wheel directory `[WORLD]/work/open/wheels`",
        "`[WORLD]/work/open/vpython.conf` is ignored",
    ] {
        assert!(
            outcome.stderr.contains(skipped) || skipped.contains("wheel directory"),
            "{outcome}"
        );
    }
}

#[test]
fn no_throw_away_store_is_made_where_another_user_can_replace_it() {
    let Some(world) = world(0o755) else { return };
    let temporary = world.outside("tmp");
    let launch = || world.vpython(["-vpython-root", "", "-c", "print(1)"]).run();
    set_mode(&temporary, 0o1777);
    launch().prints("1\n");
    set_mode(&temporary, 0o777);
    let outcome = launch();
    assert!(
        outcome.code == Some(125)
            && outcome
                .stderr
                .contains("is writable by other users (mode 0777)"),
        "{outcome}"
    );
    set_mode(&temporary, 0o1777);
    chown(&temporary, Some(OTHER_USER), None).unwrap();
    let outcome = launch();
    assert!(
        outcome.code == Some(125) && outcome.stderr.contains("belongs to user 54321"),
        "{outcome}"
    );
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn what_another_user_calls_an_abandoned_store_is_left_alone() {
    let Some(world) = world(0o755) else { return };
    set_mode(&world.outside("tmp"), 0o1777);
    std::fs::create_dir(world.path("mine")).unwrap();
    world.write("mine/precious", PRECIOUS);
    world.write("mine/lock", "");
    let link = world.outside("tmp/vpython-throwaway.0.abcdef");
    symlink(world.path("mine"), &link).unwrap();
    lchown(&link, Some(OTHER_USER), None).unwrap();
    let theirs = world.outside("tmp/vpython-throwaway.0.ghijkl");
    std::fs::create_dir(&theirs).unwrap();
    mkfifo(&theirs.join("lock"));
    lchown(&theirs, Some(OTHER_USER), None).unwrap();
    world
        .vpython(["-vpython-root", "", "-c", "print(1)"])
        .run()
        .prints("1\n");
    assert!(world.path("mine/precious").exists() && theirs.exists());
}

#[test]
fn a_store_that_another_user_made_in_the_temporary_directory_is_refused() {
    for planted in ["directory", "link"] {
        let Some(world) = world(0o755) else { return };
        set_mode(&world.outside("tmp"), 0o1777);
        let store = world.outside("tmp/vpython-root.0");
        std::fs::create_dir_all(world.path("mine")).unwrap();
        if planted == "link" {
            symlink(world.path("mine"), &store).unwrap();
        } else {
            std::fs::create_dir(&store).unwrap();
        }
        lchown(&store, Some(OTHER_USER), None).unwrap();
        let launch = world
            .vpython(["-c", "print(1)"])
            .without("VPYTHON_VIRTUALENV_ROOT")
            .without("HOME")
            .run();
        let why = "vpython: error: cannot use `[WORLD]/tmp/vpython-root.0` as the store\n  caused by: it belongs to user 54321, but vpython \
                   runs as user 0\n";
        assert!(
            launch.code == Some(125) && launch.stderr.starts_with(why),
            "{planted}: {launch}"
        );
        assert_eq!(std::fs::read_dir(world.path("mine")).unwrap().count(), 0);
    }
}

/// An environment of another tool that belongs to another user, with a link to a directory of the
/// caller.
fn relocated(part: &str) -> Option<(World, PathBuf)> {
    let world = world(0o755)?;
    let environment = world.path("env");
    std::fs::create_dir_all(environment.join("lib/python3.11/site-packages")).unwrap();
    std::fs::create_dir_all(environment.join("bin")).unwrap();
    std::fs::write(environment.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    std::fs::write(environment.join("bin/activate"), "VIRTUAL_ENV='/old/env'\n").unwrap();
    // The directory of the caller has files that a relocation would rewrite.
    let mine = world.path("mine");
    std::fs::create_dir_all(mine.join("site-packages")).unwrap();
    std::fs::create_dir_all(mine.join("python3.11/site-packages")).unwrap();
    let script = "#!/old/env/bin/python\n";
    let files = [
        "tool",
        "x.pth",
        "site-packages/x.pth",
        "python3.11/site-packages/x.pth",
    ];
    for file in files {
        std::fs::write(
            mine.join(file),
            if file == "tool" {
                script
            } else {
                "/old/env/src\n"
            },
        )
        .unwrap();
    }
    std::fs::write(mine.join("activate"), "VIRTUAL_ENV='/old/env'\n").unwrap();
    // A part of the environment becomes a link to them.
    let replaced = environment.join(part);
    if replaced.is_dir() {
        std::fs::remove_dir_all(&replaced).unwrap();
    } else {
        std::fs::remove_file(&replaced).unwrap();
    }
    let target = if replaced.extension().is_some() {
        mine.join("x.pth")
    } else {
        mine.clone()
    };
    symlink(target, &replaced).unwrap();
    let given = std::process::Command::new("chown")
        .args(["-hR", &OTHER_USER.to_string()])
        .arg(&environment)
        .status()
        .unwrap();
    assert!(given.success());
    Some((world, mine))
}

#[test]
fn relocate_changes_nothing_outside_the_environment() {
    for part in [
        "bin",
        "lib",
        "lib/python3.11",
        "lib/python3.11/site-packages",
        "pyvenv.cfg",
    ] {
        let Some((world, mine)) = relocated(part) else {
            return;
        };
        let before = contents(&mine);
        let outcome = world.vpython(["-vpython-tool", "relocate", "env"]).run();
        assert!(outcome.code.is_some(), "{part}: {outcome}");
        assert_eq!(contents(&mine), before, "{part}: {outcome}");
    }
}

/// The files in a directory, with their contents.
fn contents(directory: &Path) -> Vec<(PathBuf, String)> {
    let entries = walkdir::WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            (
                entry.path().to_path_buf(),
                std::fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn what_is_planted_where_pip_writes_is_not_waited_for() {
    let Some(world) = world(0o755) else { return };
    set_mode(&world.path("open/wheels"), 0o1777);
    mkfifo(&world.path("open/wheels/.fetch-pipe"));
    std::fs::create_dir(world.path("mine")).unwrap();
    world.write("mine/precious", PRECIOUS);
    symlink(world.path("mine"), world.path("open/wheels/.fetch-link")).unwrap();
    for name in [".fetch-pipe", ".fetch-link"] {
        lchown(world.path("open/wheels").join(name), Some(OTHER_USER), None).unwrap();
    }
    let outcome = world
        .vpython(["-vpython-tool", "fetch", "open/tool.py"])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(world.path("mine/precious").exists());
}
