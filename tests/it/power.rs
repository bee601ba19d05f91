//! Power cuts, on a separate file system: ext4 in a file, shut down by the ioctl that drops
//! everything that is not yet on the disk.
//!
//! `VPYTHON_POWER_CUTS=20 cargo test power` makes more cuts than the few of a normal test run.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::Duration;

use crate::support::{MOUNTS, Wheel, World};

/// `FS_IOC_SHUTDOWN`, from `linux/fs.h`; `XFS_IOC_GOINGDOWN` is the same.
mod ioctl {
    nix::ioctl_read!(shutdown, b'X', 125, u32);
}

/// Writes the journal first, and loses the rest.
const WITH_JOURNAL: u32 = 1;
/// Loses everything.
const AT_ONCE: u32 = 2;
/// The output of `check` for an environment that exists and has no truncated file.
const WHOLE: &str = "1 environment and 1 unpacked wheel: all files are intact\n";

/// An ext4 in a file, mounted until it is dropped.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    /// Returns `None`, and says so, if such a file system cannot be created.
    fn new(world: &World) -> Option<Self> {
        let disk = Self {
            image: world.outside("image"),
            mount: world.outside("disk"),
        };
        std::fs::create_dir(&disk.mount).unwrap();
        std::fs::File::create(&disk.image)
            .unwrap()
            .set_len(64 << 20)
            .unwrap();
        let is_made = run(
            "mkfs.ext4",
            &["-q".as_ref(), "-F".as_ref(), disk.image.as_path()],
        ) && disk.try_mount();
        if !is_made {
            not_tested!("an ext4 of its own cannot be mounted");
        }
        is_made.then_some(disk)
    }

    fn try_mount(&self) -> bool {
        run(
            "mount",
            &[
                "-o".as_ref(),
                "loop".as_ref(),
                self.image.as_path(),
                self.mount.as_path(),
            ],
        )
    }

    /// Cuts the power, and boots again.
    #[allow(unsafe_code, reason = "an ioctl is called by its number")]
    fn cut(&self, how: u32) {
        let directory = std::fs::File::open(&self.mount).unwrap();
        let mut how = how;
        unsafe { ioctl::shutdown(directory.as_raw_fd(), &raw mut how) }.unwrap();
        drop(directory);
        let is_unmounted = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            run("umount", &[self.mount.as_path()])
        });
        assert!(is_unmounted, "nothing uses the file system any more");
        assert!(self.try_mount(), "the file system can be mounted again");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l".as_ref(), self.mount.as_path()]);
    }
}

fn run(program: &str, words: &[&Path]) -> bool {
    let mut command = Command::new(program);
    command
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn after_a_power_cut_what_is_published_is_complete_and_a_launch_works() {
    let _mounts = MOUNTS.write().unwrap_or_else(PoisonError::into_inner);
    let world = World::new();
    let Some(disk) = Disk::new(&world) else {
        return;
    };
    let mut wheel = Wheel::module("big", "1");
    for number in 0..200 {
        wheel = wheel.file(
            &format!("big_data/{number}.py"),
            format!("NUMBER = {number}\n").repeat(200),
        );
    }
    world.wheel(&wheel);
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['big']\n# ///\nimport big_data, big\nprint(big.VERSION)\n",
    );
    let root = |number: usize| disk.mount.join(format!("root{number}"));
    let cuts: usize = std::env::var("VPYTHON_POWER_CUTS").map_or(6, |cuts| cuts.parse().unwrap());
    for number in 0..cuts {
        let vpython = |words: &[&str]| {
            world
                .vpython(words)
                .env("VPYTHON_VIRTUALENV_ROOT", root(number))
        };
        let how = if number % 2 == 0 {
            AT_ONCE
        } else {
            WITH_JOURNAL
        };
        let is_within_build = number % 3 == 2;
        if is_within_build {
            let mut build = vpython(&["-vpython-tool", "install", "tool.py"])
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .spawn();
            std::thread::sleep(Duration::from_millis(20 + 13 * number as u64));
            disk.cut(how);
            let _ = build.wait();
        } else {
            vpython(&["tool.py"]).run().prints("1\n");
            // The kernel writes dirty pages after some seconds.
            std::thread::sleep(Duration::from_secs(if cuts > 6 {
                [0, 1, 7, 20, 45][number % 5]
            } else {
                0
            }));
            disk.cut(how);
        }
        let found = vpython(&["-vpython-tool", "check", "--all"]).run();
        assert!(
            found.code == Some(0) && (is_within_build || found.stdout == WHOLE),
            "cut {number}: {found}"
        );
        let next = vpython(&["tool.py"]).run();
        assert_eq!(
            (next.code, &*next.stdout),
            (Some(0), "1\n"),
            "cut {number}: {next}"
        );
        let whole = vpython(&["-vpython-tool", "check", "--all"]).run();
        assert_eq!(
            whole.stdout, "1 environment and 1 unpacked wheel: all files are intact\n",
            "cut {number}: {whole}"
        );
    }
}
