//! The ancestors of the root: a user who can write to one of them can replace the store.
//!
//! Each directory is opened relative to its parent and inspected through its descriptor, and links
//! are followed one by one, so that nothing can be exchanged between check and use. This takes
//! several system calls for each directory; so it is done only before something is built, and a
//! warm launch relies on the check of a cold one.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use crate::fs;
use crate::report::Failure;

/// The maximum number of links on the way, as in the kernel.
const LINKS: usize = 40;
/// The bits that let the group and everybody write, and the sticky bit, with which users can only
/// rename their own files in such a directory.
const GROUP_WRITES: u32 = 0o020;
const ALL_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// The owner of files in a user namespace whose real owner is not mapped: the default of
/// `/proc/sys/kernel/overflowuid`.
const UNKNOWN: u32 = 65534;

/// Checks each directory from `/` to `root`, and `root` itself.
///
/// # Errors
/// A directory belongs neither to `user` nor to the superuser, another user can write to it, or it
/// is not a directory.
pub(super) fn check(root: &Path, user: u32) -> Result<()> {
    check_above(root, root, user)
}

/// Checks each directory from `/` to `directory`, and that no other user can write to `directory`,
/// with or without a sticky bit. `what` is the headline of an error. Returns the metadata of
/// `directory`.
///
/// # Errors
/// As those of [`check`].
pub fn check_closed(directory: &Path, what: &str, user: u32) -> Result<FileStat> {
    let walk = PathWalk::along(directory, what, user)?;
    let stat = walk.look()?;
    if stat.st_mode & (GROUP_WRITES | ALL_WRITE) != 0 {
        return Err(walk.refuse(&writable(&stat)).into());
    }
    Ok(stat)
}

/// Checks each directory from `/` to `above`, which exists, for a `root` that is to be created
/// below it.
///
/// # Errors
/// As those of [`check`].
pub(super) fn check_above(above: &Path, root: &Path, user: u32) -> Result<()> {
    let what = format!("cannot use `{}` as the store", root.display());
    PathWalk::along(above, &what, user).map(drop)
}

/// A walk along a path: the current directory, and the names that remain.
struct PathWalk<'a> {
    directory: OwnedFd,
    path: PathBuf,
    rest: VecDeque<OsString>,
    links: usize,
    user: u32,
    /// The headline of an error.
    what: &'a str,
}

impl<'a> PathWalk<'a> {
    /// Walks from `/` to the end of `path`, and checks each directory.
    fn along(path: &Path, what: &'a str, user: u32) -> Result<Self> {
        let mut walk = Self {
            directory: top()?,
            path: PathBuf::from("/"),
            rest: steps(path).collect(),
            links: 0,
            user,
            what,
        };
        walk.check_directory(&walk.look()?)?;
        while let Some(name) = walk.rest.pop_front() {
            walk.step(&name)?;
        }
        Ok(walk)
    }

    /// Inspects the current directory.
    fn look(&self) -> Result<FileStat> {
        fstat(&self.directory)
            .map_err(system)
            .with_context(|| format!("cannot inspect `{}`", self.path.display()))
    }

    /// Refuses the path because of the current directory.
    fn refuse(&self, why: &str) -> Failure {
        Failure::new(self.what).because(format!("`{}` {why}", self.path.display()))
    }

    fn step(&mut self, name: &OsStr) -> Result<()> {
        let path = if name == ".." {
            self.path.parent().unwrap_or(Path::new("/")).to_owned()
        } else {
            self.path.join(name)
        };
        // Open the entry itself, and look at what was opened: the name may lead elsewhere a moment
        // later.
        let look = || {
            let next = openat(
                &self.directory,
                name,
                OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?;
            let stat = fstat(&next)?;
            Ok::<_, Errno>((next, stat))
        };
        let (next, stat) = look()
            .map_err(system)
            .with_context(|| format!("cannot inspect `{}`", path.display()))?;
        if SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFLNK {
            return self.follow(&next, &stat, &path);
        }
        (self.directory, self.path) = (next, path);
        self.check_directory(&stat)
    }

    /// Follows a link.
    fn follow(&mut self, link: &OwnedFd, stat: &FileStat, path: &Path) -> Result<()> {
        // Another user could change the link at any time.
        self.check_owner(stat, path)?;
        self.links += 1;
        let target = if self.links > LINKS {
            Err(Errno::ELOOP)
        } else {
            readlinkat(link, "")
        };
        let target = PathBuf::from(
            target
                .map_err(system)
                .with_context(|| format!("cannot follow `{}`", path.display()))?,
        );
        if target.is_absolute() {
            (self.directory, self.path) = (top()?, PathBuf::from("/"));
        }
        // The rest of the path follows the target of the link.
        steps(&target)
            .rev()
            .for_each(|name| self.rest.push_front(name));
        Ok(())
    }

    fn check_directory(&self, stat: &FileStat) -> Result<()> {
        if SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFDIR {
            return Err(self.refuse("is not a directory").into());
        }
        self.check_owner(stat, &self.path)?;
        // A group with the number of the user, as for user private groups, or of the superuser,
        // does not count as others.
        let has_others = ![0, self.user].contains(&stat.st_gid);
        let is_open =
            stat.st_mode & ALL_WRITE != 0 || stat.st_mode & GROUP_WRITES != 0 && has_others;
        if is_open && stat.st_mode & STICKY == 0 {
            let hint = format!(
                "run `chmod go-w '{}'`, or name another directory with `-vpython-root`",
                self.path.display()
            );
            return Err(self.refuse(&writable(stat)).hint(hint).into());
        }
        Ok(())
    }

    fn check_owner(&self, stat: &FileStat, path: &Path) -> Result<()> {
        let owner = stat.st_uid;
        if [0, self.user].contains(&owner) || owner == UNKNOWN && is_in_user_namespace() {
            return Ok(());
        }
        let why = format!(
            "`{}` belongs to user {owner}, but vpython runs as user {}",
            path.display(),
            self.user
        );
        let hint = if self.user == 0 {
            "run `sudo -H`, so that `HOME` is the superuser's, or name another directory with `-vpython-root`"
        } else {
            "name another directory with `-vpython-root`"
        };
        Err(Failure::new(self.what).because(why).hint(hint).into())
    }
}

/// Describes a directory that other users can write to.
fn writable(stat: &FileStat) -> String {
    let mode = stat.st_mode & 0o7777;
    format!("is writable by other users (mode {mode:04o})")
}

fn top() -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open("/", flags, Mode::empty())
        .map_err(system)
        .context("cannot inspect `/`")
}

/// Converts an errno into an error with the usual text.
fn system(errno: Errno) -> std::io::Error {
    errno.into()
}

/// Returns the components of a path that change the directory.
fn steps(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::from_bytes(b"..").to_owned()),
        _ => None,
    })
}

/// Returns whether some users of the machine are not mapped here, as in an unprivileged container,
/// where the superuser's directories have an unknown owner.
fn is_in_user_namespace() -> bool {
    let map = fs::read(Path::new("/proc/self/uid_map")).unwrap_or_default();
    String::from_utf8_lossy(&map)
        .split_whitespace()
        .ne(["0", "0", "4294967295"])
}
