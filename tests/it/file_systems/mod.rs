//! A store on file systems that differ from those of disks: overlayfs, as in a container whose
//! image contains the store; tmpfs; full and read-only file systems, and those mounted `noexec`;
//! and machines without `/proc` and `/dev/shm`.
//!
//! Each test mounts its file systems in its own mount namespace, which only the superuser can
//! create.

// Registers and system call numbers are those of one architecture.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kills;
mod lower_layer;

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use expect_test::expect;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::support::{MOUNTS, Outcome, Wheel, World};

/// Runs a test in its own mount namespace, or says that none can be created.
pub fn in_own_namespace(test: impl FnOnce(&World) + Send + 'static) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let _mounts = MOUNTS.read().unwrap_or_else(PoisonError::into_inner);
    // The namespace belongs to the thread, so other tests do not see the mounts.
    let test = move || {
        let private = || {
            unshare(CloneFlags::CLONE_NEWNS)?;
            mount(
                None::<&str>,
                "/",
                None::<&str>,
                MsFlags::MS_REC | MsFlags::MS_PRIVATE,
                None::<&str>,
            )
        };
        if private().is_err() {
            not_tested!("a mount namespace needs the superuser");
            return;
        }
        test(&world());
    };
    let ended = std::thread::Builder::new()
        .name(name)
        .spawn(test)
        .unwrap()
        .join();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Runs a program, and returns whether it succeeds.
pub fn succeeds(words: &[&OsStr]) -> bool {
    let output = Command::new("/usr/bin/env").args(words).output().unwrap();
    output.status.success()
}

/// Mounts something at a path in the world. Returns whether that works, and says so if not.
pub fn mounts(world: &World, words: &[&OsStr], at: &str) -> bool {
    let at = world.outside(at);
    let words = [&["mount".as_ref()], words, &[at.as_os_str()]].concat();
    let is_mounted = succeeds(&words);
    if !is_mounted {
        not_tested!("{words:?} fails");
    }
    is_mounted
}

/// Unmounts what is mounted at a path in the world.
pub fn unmount(world: &World, at: &str) {
    assert!(succeeds(&[
        "umount".as_ref(),
        world.outside(at).as_os_str()
    ]));
}

/// A mount that ends when this is dropped.
struct Mount(PathBuf);

impl Mount {
    /// Mounts a file system of this kind. Returns `None`, and says so, if the machine does not
    /// support it.
    fn new(kind: &str, at: &Path, flags: MsFlags, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        match mount(Some(kind), at, Some(kind), flags, Some(options)) {
            Ok(()) => Some(Self(at.to_path_buf())),
            Err(error) => {
                not_tested!("{kind} cannot be mounted: {error}");
                None
            }
        }
    }

    /// A tmpfs as the root of the store.
    fn tmpfs(world: &World, flags: MsFlags, options: &str) -> Option<Self> {
        Self::new(
            "tmpfs",
            &world.outside("root"),
            flags,
            &format!("mode=0700{options}"),
        )
    }

    /// Makes the mount read-only.
    fn make_read_only(&self) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, &self.0, None::<&str>, flags, None::<&str>).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

/// A directory of the world as in a container: its previous content is in a lower layer of
/// overlayfs and can be restored.
struct Layers {
    // Unmounted in this order.
    merged: Option<Mount>,
    _disk: Mount,
    at: PathBuf,
    disk: PathBuf,
}

impl Layers {
    /// Returns `None`, and says so, without overlayfs.
    fn over(world: &World, name: &str) -> Option<Self> {
        let (at, disk) = (
            world.outside(name),
            world.outside(&format!("{name}-layers")),
        );
        let mount = Mount::new("tmpfs", &disk, MsFlags::empty(), "mode=0700")?;
        copy(&at, &disk.join("lower"));
        let mut layers = Self {
            merged: None,
            _disk: mount,
            at,
            disk,
        };
        layers.reset().then_some(layers)
    }

    /// Restores the content of the lower layer.
    fn reset(&mut self) -> bool {
        self.merged = None;
        for name in ["upper", "scratch"] {
            let _ = std::fs::remove_dir_all(self.disk.join(name));
            std::fs::create_dir(self.disk.join(name)).unwrap();
        }
        let [lower, upper, scratch] =
            ["lower", "upper", "scratch"].map(|name| self.disk.join(name));
        std::fs::set_permissions(&upper, lower.metadata().unwrap().permissions()).unwrap();
        let (lower, upper, scratch) = (lower.display(), upper.display(), scratch.display());
        let options =
            format!("lowerdir={lower},upperdir={upper},workdir={scratch},redirect_dir=off");
        self.merged = Mount::new("overlay", &self.at, MsFlags::empty(), &options);
        self.merged.is_some()
    }
}

/// A world with two wheels, and scripts that need one or both.
fn world() -> World {
    let world = World::new();
    world.wheel(
        &Wheel::module("a", "1")
            .file("a/data.bin", vec![7; 300_000])
            .entry_point("run-a", "a:main"),
    );
    world.wheel(&Wheel::module("b", "2").file("b/c/d.py", ""));
    world.write("tool.py", "# /// script\n# dependencies = ['a', 'b']\n# ///\nimport a, b\nprint(a.VERSION, b.VERSION)\n");
    world.write(
        "other.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world
}

fn site_packages(world: &World) -> String {
    format!("lib/python3.{}/site-packages", world.python.minor)
}

fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

fn tool(world: &World, words: &[&str]) -> Outcome {
    let outcome = world.vpython(["-vpython-tool"]).arguments(words).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
}

const SOUND: &str = "2 environments and 2 unpacked wheels: all files are intact\n";
const READ_ONLY: &str = "  caused by: Read-only file system (os error 30)\n  \
                         hint: name a writable store with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`\n";

/// Runs every operation on a store and on its exports, and leaves nothing in it.
fn all_works(world: &World) {
    world.vpython(["tool.py"]).run().prints("1 2\n");
    world.vpython(["tool.py"]).run().prints("1 2\n");
    world.install(["other.py"]);
    assert_eq!(tool(world, &["check", "--all"]).stdout, SOUND);
    repair_works(world);
    for (script, directory) in [("tool.py", "exported"), ("other.py", "exported")] {
        tool(world, &["export", directory, script]);
        environment_works(world, directory, script);
        tool(world, &["pack", "--output", "env.tar", script]);
        tool(world, &["unpack", "env.tar", "unpacked"]);
        environment_works(world, "unpacked", script);
    }
    tool(world, &["lock", "tool.py"]);
    prune_works(world);
}

/// Checks that damaged files are removed and built again without a message.
fn repair_works(world: &World) {
    for environment in world.environments() {
        std::fs::remove_file(environment.join("bin/activate")).unwrap();
    }
    let repaired = tool(world, &["check", "--all", "--repair"]).stdout;
    assert_eq!(
        repaired
            .matches("removed; vpython rebuilds it when it is needed\n")
            .count(),
        2,
        "{repaired}"
    );
    world.vpython(["tool.py"]).run().prints("1 2\n");
    world.vpython(["other.py"]).run().prints("1\n");
    assert_eq!(tool(world, &["check", "--all"]).stdout, SOUND);
}

fn prune_works(world: &World) {
    tool(world, &["prune", "--all"]);
    assert_eq!(world.leftovers(), Vec::<PathBuf>::new());
}

/// Checks that the environment in a directory runs its script, and that no old files are left.
fn environment_works(world: &World, directory: &str, script: &str) {
    let python = world.path(directory).join("bin/python3");
    let expected = if script == "tool.py" { "1 2\n" } else { "1\n" };
    world.program(python, ["-I", script]).run().prints(expected);
    let site = world.path(directory).join(site_packages(world));
    assert_eq!(site.join("b").exists(), script == "tool.py");
    let staged = std::fs::read_dir(world.path("")).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .contains(".vpython-")
    });
    assert_eq!(staged.count(), 0);
}

#[test]
fn a_store_on_tmpfs_without_exec_without_proc_and_without_shared_memory_works() {
    in_own_namespace(|world| {
        let Some(_root) = Mount::tmpfs(world, MsFlags::MS_NOEXEC, "") else {
            return;
        };
        // An empty directory hides the one of the system, unless the world is in there.
        let hidden = ["/proc", "/dev/shm"].map(Path::new);
        let hidden = hidden
            .iter()
            .filter(|path| !world.outside("").starts_with(path));
        let _hidden: Vec<_> = hidden
            .map(|path| Mount::new("tmpfs", path, MsFlags::MS_RDONLY, ""))
            .collect();
        all_works(world);
    });
}

#[test]
fn on_a_noexec_file_system_binary_wheels_cause_a_warning() {
    in_own_namespace(|world| {
        let Some(_root) = Mount::tmpfs(world, MsFlags::MS_NOEXEC, "") else {
            return;
        };
        world.wheel(&Wheel::module("c", "3").tag("py3-none-linux_x86_64"));
        world.write(
            "native.py",
            "# /// script\n# dependencies = ['c', 'a']\n# ///\nimport c\nprint(c.VERSION)\n",
        );
        world.vpython(["native.py"]).run().expect(0, "3\n", expect![[r#"
            vpython: warning: `[WORLD]/root` is on a file system that is mounted `noexec`: python cannot load shared libraries from there, and `c` may have some; `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT` names another store
        "#]]);
        world.vpython(["native.py"]).run().prints("3\n");
    });
}

#[test]
fn a_read_only_store_is_used_and_not_changed() {
    in_own_namespace(|world| {
        let Some(root) = Mount::tmpfs(world, MsFlags::empty(), "") else {
            return;
        };
        let environment = world.install(["tool.py"]);
        let manifest = environment.join("vpython.json");
        let old = SystemTime::now() - Duration::from_hours(2);
        std::fs::File::open(&manifest)
            .unwrap()
            .set_modified(old)
            .unwrap();
        let before = manifest.metadata().unwrap().mtime();
        root.make_read_only();
        world.vpython(["tool.py"]).run().prints("1 2\n");
        assert_eq!(manifest.metadata().unwrap().mtime(), before);
        let sound = "1 environment and 2 unpacked wheels: all files are intact\n";
        assert_eq!(tool(world, &["check", "--all"]).stdout, sound);
        assert_eq!(world.install(["tool.py"]), environment);
        let cannot = "vpython: error: cannot open `[WORLD]/root/v1/locks/";
        for words in [
            &["other.py"][..],
            &["-vpython-tool", "export", "exported", "other.py"],
        ] {
            let outcome = world.vpython(words).run();
            assert_eq!(
                (outcome.code, &*outcome.stdout),
                (Some(125), ""),
                "{outcome}"
            );
            assert!(
                outcome.stderr.starts_with(cannot) && outcome.stderr.ends_with(READ_ONLY),
                "{outcome}"
            );
        }
    });
}

#[test]
fn where_no_store_can_be_made_the_error_names_what_to_try() {
    in_own_namespace(|world| {
        let disk = world.outside("disk");
        let Some(_disk) = Mount::new("tmpfs", &disk, MsFlags::MS_RDONLY, "mode=0700") else {
            return;
        };
        world
            .vpython(["tool.py"])
            .env("VPYTHON_VIRTUALENV_ROOT", disk.join("root"))
            .run()
            .expect(
                125,
                "",
                expect![[r#"
                    vpython: error: cannot create the store `[WORLD]/disk/root`
                      caused by: cannot create directory `[WORLD]/disk/root`
                      caused by: Read-only file system (os error 30)
                      hint: name a writable store with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
                "#]],
            );
    });
}

#[test]
fn a_full_store_of_five_mebibytes_is_an_error_with_a_hint() {
    in_own_namespace(|world| {
        let Some(_root) = Mount::tmpfs(world, MsFlags::empty(), ",size=5m") else {
            return;
        };
        world.wheel(
            &Wheel::module("large", "1")
                .file("large/data.bin", vec![7; 6 << 20])
                .compressed(),
        );
        world.write(
            "large.py",
            "# /// script\n# dependencies = ['large']\n# ///\nimport large\n",
        );
        let outcome = world.vpython(["large.py"]).run();
        let hint = "  caused by: No space left on device (os error 28)\n  hint: `vpython -vpython-tool prune --all` frees space in the store; \
                    `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT` names another store\n";
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(125), ""),
            "{outcome}"
        );
        assert!(
            outcome.stderr.starts_with("vpython: error: cannot ") && outcome.stderr.ends_with(hint),
            "{outcome}"
        );
        assert_eq!(world.leftovers(), Vec::<PathBuf>::new());
        all_works(world);
    });
}
