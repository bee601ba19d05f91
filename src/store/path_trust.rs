//! The directories on the way to the root: whoever can write to one of them can put another store
//! in the place of ours.
//!
//! Each is opened from the one before it and looked at where it is open, links one by one, so that
//! nothing can be exchanged between the look and the step. That takes some system calls for each
//! directory; so it is done before something is built, and a warm launch goes where a cold one has
//! been.

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

/// How many links may lie on the way, as for the kernel.
const LINKS: usize = 40;
/// Bits that let the group, and that let everybody write; and the one by which in such a directory
/// each can only rename what is theirs.
const GROUP_WRITES: u32 = 0o020;
const ALL_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// Who owns what belongs to nobody known in a user namespace: `/proc/sys/kernel/overflowuid`, where
/// nobody has changed it.
const UNKNOWN: u32 = 65534;

/// Looks at each directory on the way from `/` to `root`, and at `root`.
///
/// # Errors
/// One of them belongs neither to `user` nor to the superuser, or somebody else can write to it; or
/// something else is there.
pub(super) fn check(root: &Path, user: u32) -> Result<()> {
    check_above(root, root, user)
}

/// Looks at each directory on the way from `/` to `above`, which is there, for a `root` that is yet
/// to be made below it.
///
/// # Errors
/// As those of [`check`].
pub(super) fn check_above(above: &Path, root: &Path, user: u32) -> Result<()> {
    let mut way = PathWalk {
        directory: top()?,
        path: PathBuf::from("/"),
        rest: words(above).collect(),
        links: 0,
        user,
    };
    way.check_directory(
        &fstat(&way.directory)
            .map_err(system)
            .context("cannot look at `/`")?,
        root,
    )?;
    while let Some(name) = way.rest.pop_front() {
        way.step(&name, root)?;
    }
    Ok(())
}

/// A walk: where it is, and what is before it.
struct PathWalk {
    directory: OwnedFd,
    path: PathBuf,
    rest: VecDeque<OsString>,
    links: usize,
    user: u32,
}

impl PathWalk {
    fn step(&mut self, name: &OsStr, root: &Path) -> Result<()> {
        let path = if name == ".." {
            self.path.parent().unwrap_or(Path::new("/")).to_owned()
        } else {
            self.path.join(name)
        };
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
            .with_context(|| format!("cannot look at `{}`", path.display()))?;
        if SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFLNK {
            return self.follow(&next, &stat, &path, root);
        }
        (self.directory, self.path) = (next, path);
        self.check_directory(&stat, root)
    }

    /// Goes where a link says.
    fn follow(&mut self, link: &OwnedFd, stat: &FileStat, path: &Path, root: &Path) -> Result<()> {
        self.check_owner(stat, path, root)?;
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
        words(&target)
            .rev()
            .for_each(|name| self.rest.push_front(name));
        Ok(())
    }

    fn check_directory(&self, stat: &FileStat, root: &Path) -> Result<()> {
        let refuse = |why: &str| refusal(root).because(format!("`{}` {why}", self.path.display()));
        if SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFDIR {
            return Err(refuse("is not a directory").into());
        }
        self.check_owner(stat, &self.path, root)?;
        // A group that has the number of the user, as user-private groups do, or of the superuser,
        // is nobody else.
        let has_others = ![0, self.user].contains(&stat.st_gid);
        let is_open =
            stat.st_mode & ALL_WRITE != 0 || stat.st_mode & GROUP_WRITES != 0 && has_others;
        if is_open && stat.st_mode & STICKY == 0 {
            let who = format!(
                "can be written to by others (mode {:04o})",
                stat.st_mode & 0o7777
            );
            let hint = format!(
                "`chmod go-w '{}'`, or name another directory with `-vpython-root`",
                self.path.display()
            );
            return Err(refuse(&who).hint(hint).into());
        }
        Ok(())
    }

    fn check_owner(&self, stat: &FileStat, path: &Path, root: &Path) -> Result<()> {
        let owner = stat.st_uid;
        if [0, self.user].contains(&owner) || owner == UNKNOWN && is_in_user_namespace() {
            return Ok(());
        }
        let why = format!(
            "`{}` belongs to user {owner}, and this is user {}",
            path.display(),
            self.user
        );
        let hint = if self.user == 0 {
            "call `sudo -H`, so that `HOME` is the superuser's, or name another directory with `-vpython-root`"
        } else {
            "name another directory with `-vpython-root`"
        };
        Err(refusal(root).because(why).hint(hint).into())
    }
}

fn refusal(root: &Path) -> Failure {
    Failure::new(format!("cannot use `{}` as the store", root.display()))
}

fn top() -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open("/", flags, Mode::empty())
        .map_err(system)
        .context("cannot look at `/`")
}

/// An error in the words that all of vpython's have.
fn system(errno: Errno) -> std::io::Error {
    errno.into()
}

/// The names in a path that lead somewhere.
fn words(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::from_bytes(b"..").to_owned()),
        _ => None,
    })
}

/// Whether some users of the machine have no number here, as in a container without privileges: the
/// superuser's directories are then those of nobody.
fn is_in_user_namespace() -> bool {
    let map = fs::read(Path::new("/proc/self/uid_map")).unwrap_or_default();
    String::from_utf8_lossy(&map)
        .split_whitespace()
        .ne(["0", "0", "4294967295"])
}
