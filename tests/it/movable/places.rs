//! The paths to which the tests move an environment, and the ways to move it there.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::{Launch, World, start};

/// The destination of an environment. Its sources and its previous path no longer exist by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The path where it was made.
    Made,
    /// Another path, by `mv`; an environment that is moved from there has moved twice.
    Moved,
    /// Another path, by `cp -r`.
    Copied,
    /// A path with characters that are special to shells, and of other alphabets.
    Odd,
    /// A path of more than 300 bytes.
    Long,
    /// A path with a symbolic link in it.
    Linked,
    /// A read-only file system.
    ReadOnly,
}

impl Place {
    pub(super) const ALL: [Self; 7] = [
        Self::Made,
        Self::Moved,
        Self::Odd,
        Self::Copied,
        Self::Long,
        Self::Linked,
        Self::ReadOnly,
    ];

    /// Moves the environment there, and returns its path.
    pub(super) fn take(self, world: &World, environment: &Path) -> PathBuf {
        let long = "long".repeat(40);
        let to = match self {
            Self::Made => return environment.to_path_buf(),
            Self::Moved => world.outside("moved/env"),
            Self::Copied => world.outside("copied/env"),
            Self::Odd => world.outside("odd/it's \"$HOME\" `x` & é 中 %n !1 \\t *;#~/e  nv"),
            Self::Long => world.outside(&format!("{long}/{long}")),
            Self::Linked => world.outside("real/env"),
            Self::ReadOnly => world.outside("read only/env"),
        };
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        if self == Self::Copied {
            world
                .program(
                    "/bin/cp",
                    [OsStr::new("-r"), environment.as_ref(), to.as_ref()],
                )
                .run()
                .prints("");
            std::fs::remove_dir_all(environment).unwrap();
        } else {
            std::fs::rename(environment, &to).unwrap();
        }
        for directory in [world.outside("root"), world.path("wheels")] {
            std::fs::remove_dir_all(directory).ok();
        }
        if self != Self::Linked {
            return to;
        }
        symlink("real", world.outside("link")).unwrap();
        world.outside("link/env")
    }
}

/// An environment at a path.
pub(super) struct Relocated<'a> {
    pub(super) world: &'a World,
    pub(super) environment: PathBuf,
    pub(super) place: Place,
}

impl Relocated<'_> {
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.environment.join(relative)
    }

    /// The module of the wheel.
    pub(super) fn module(&self) -> String {
        let is_two = self.path("bin/python2.7").exists();
        let version = if is_two {
            "python2.7".to_owned()
        } else {
            self.world.python.name()
        };
        format!("lib/{version}/site-packages/movable/__init__.py")
    }

    /// A program, to be run in the namespace of the place.
    pub(super) fn program(&self, program: impl AsRef<OsStr>) -> Launch<'_> {
        if self.place != Place::ReadOnly {
            return self.world.program(program.as_ref(), [""; 0]);
        }
        let freeze =
            "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
        let launch = self
            .world
            .program("/usr/bin/unshare", ["-rm", "sh", "-c", freeze, "sh"]);
        launch.arguments([self.environment.as_os_str(), program.as_ref()])
    }
}

/// Moves an environment from place to place.
pub(super) fn tour(world: &World, made: &Path, places: &[Place], visit: impl Fn(&Relocated)) {
    let mut environment = made.to_path_buf();
    for place in places {
        environment = place.take(world, &environment);
        if *place == Place::ReadOnly && !can_mount() {
            continue;
        }
        eprintln!("at {place:?}");
        visit(&Relocated {
            world,
            environment: environment.clone(),
            place: *place,
        });
    }
}

/// Checks whether a directory can be made read-only for this process alone, even for the superuser.
pub(super) fn can_mount() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let mut command = Command::new("/usr/bin/env");
        command
            .args(["unshare", "-rm", "mount", "--bind", "/tmp", "/tmp"])
            .stderr(Stdio::null());
        let can = start(&mut command).wait().unwrap().success();
        if !can {
            not_tested!("nothing can be mounted");
        }
        can
    })
}
