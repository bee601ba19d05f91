//! The system calls that receive faults: what each does, and which errors it may return.

use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace;
use nix::unistd::Pid;

/// The calls that a system may refuse for these reasons, and their effects.
const REFUSABLE: [(libc::c_long, &str, Does); 39] = [
    (libc::SYS_open, "open", Does::Open),
    (libc::SYS_openat, "openat", Does::Open),
    (libc::SYS_read, "read", Does::Read),
    (libc::SYS_pread64, "pread64", Does::Read),
    (libc::SYS_readv, "readv", Does::Read),
    (libc::SYS_write, "write", Does::Write),
    (libc::SYS_writev, "writev", Does::Write),
    (libc::SYS_pwrite64, "pwrite64", Does::Write),
    (libc::SYS_stat, "stat", Does::Read),
    (libc::SYS_lstat, "lstat", Does::Read),
    (libc::SYS_newfstatat, "newfstatat", Does::Read),
    (libc::SYS_statx, "statx", Does::Read),
    (libc::SYS_access, "access", Does::Read),
    (libc::SYS_faccessat, "faccessat", Does::Read),
    (libc::SYS_readlink, "readlink", Does::Read),
    (libc::SYS_readlinkat, "readlinkat", Does::Read),
    (libc::SYS_getdents64, "getdents64", Does::Read),
    (libc::SYS_mkdir, "mkdir", Does::Change),
    (libc::SYS_mkdirat, "mkdirat", Does::Change),
    (libc::SYS_rename, "rename", Does::Change),
    (libc::SYS_renameat, "renameat", Does::Change),
    (libc::SYS_renameat2, "renameat2", Does::Change),
    (libc::SYS_link, "link", Does::Change),
    (libc::SYS_linkat, "linkat", Does::Change),
    (libc::SYS_symlink, "symlink", Does::Change),
    (libc::SYS_symlinkat, "symlinkat", Does::Change),
    (libc::SYS_unlink, "unlink", Does::Change),
    (libc::SYS_unlinkat, "unlinkat", Does::Change),
    (libc::SYS_rmdir, "rmdir", Does::Change),
    (libc::SYS_chmod, "chmod", Does::Change),
    (libc::SYS_fchmod, "fchmod", Does::Change),
    (libc::SYS_fchmodat, "fchmodat", Does::Change),
    (libc::SYS_utimensat, "utimensat", Does::Change),
    (libc::SYS_ftruncate, "ftruncate", Does::Write),
    (libc::SYS_copy_file_range, "copy_file_range", Does::Write),
    (libc::SYS_sendfile, "sendfile", Does::Write),
    (libc::SYS_flock, "flock", Does::Read),
    (libc::SYS_fsync, "fsync", Does::Write),
    (libc::SYS_syncfs, "syncfs", Does::Write),
];

/// The effect of a call, as far as it determines how the call can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Creates a descriptor, and possibly a file.
    Open,
    /// Inspects a file.
    Read,
    /// Writes to an open file.
    Write,
    /// Changes directory entries or permissions.
    Change,
}

impl Does {
    /// Checks whether a system may answer such a call with this error. `creates` is true for an
    /// `open` that may create a file.
    pub(super) fn may_meet(self, errno: Errno, creates: bool) -> bool {
        match errno {
            Errno::EMFILE => self == Self::Open,
            Errno::ENOSPC => matches!(self, Self::Write | Self::Change) || creates,
            Errno::EACCES => self == Self::Change || creates,
            _ => true,
        }
    }
}

/// All system calls of a kind, as a container may refuse them.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The name of the kind in the tests.
    pub name: &'static str,
    /// The system call numbers.
    pub numbers: &'static [libc::c_long],
    /// Which of these calls.
    pub only: Only,
}

/// A selection of the calls with some numbers.
#[derive(Debug, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    All,
    /// Those with this request, of calls that take one, such as `ioctl`.
    Request(u64),
    /// Those of `clone` and `clone3` that start a thread.
    Threads,
}

impl Kind {
    /// Checks whether a call is one of them.
    pub(super) fn includes(&self, task: Pid, registers: user_regs_struct) -> bool {
        self.numbers.contains(&registers.orig_rax.cast_signed())
            && match self.only {
                Only::All => true,
                Only::Request(request) => registers.rsi == request,
                Only::Threads => starts_thread(task, registers),
            }
    }
}

/// Checks whether a call of `clone` or `clone3` starts a thread. The latter has its flags in memory.
fn starts_thread(task: Pid, registers: user_regs_struct) -> bool {
    let first = registers.rdi;
    let flags = if registers.orig_rax.cast_signed() == libc::SYS_clone3 {
        let flags = ptrace::read(task, first as ptrace::AddressType);
        flags.map_or(0, libc::c_long::cast_unsigned)
    } else {
        first
    };
    flags & u64::from(libc::CLONE_THREAD.cast_unsigned()) != 0
}

/// Checks whether a task is about to wait for another thread, or to wake one.
pub(super) fn waits(task: Pid) -> bool {
    const WAITS: [libc::c_long; 4] = [
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
    ];
    ptrace::getregs(task).is_ok_and(|registers| WAITS.contains(&registers.orig_rax.cast_signed()))
}

/// The known properties of a call that may be refused.
pub(super) fn refusable(
    registers: user_regs_struct,
) -> Option<&'static (libc::c_long, &'static str, Does)> {
    REFUSABLE
        .iter()
        .find(|(number, ..)| *number == registers.orig_rax.cast_signed())
}

/// The call that a task is about to make, if the table lists it.
pub(super) fn name_of_call(task: Pid) -> &'static str {
    ptrace::getregs(task)
        .ok()
        .and_then(refusable)
        .map_or("another call", |(_, name, _)| name)
}
