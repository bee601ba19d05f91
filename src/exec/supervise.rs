//! A parent process that supervises a program, so that vpython can clean up after the program ends.
//!
//! The process forks before it does anything else. The child continues like any launch and becomes
//! the program; the parent waits. From outside, both look like one process: the parent forwards
//! signals to the program, stops when the program stops, and ends with the same status. The kernel
//! sends terminal signals to the whole foreground process group, so the parent does not forward
//! those. If the parent is killed and cannot clean up, the kernel kills the program too
//! (`PR_SET_PDEATHSIG`), as the signal would have done without a parent.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{self, ForkResult, Pid};

use crate::fs;

/// Signals that a process raises itself or that a fault in it causes.
const FAULTS: [Signal; 7] = [
    Signal::SIGABRT,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSEGV,
    Signal::SIGSYS,
    Signal::SIGTRAP,
];
/// Signals that the kernel sends to each process of the terminal's foreground process group.
const FROM_TERMINAL: [Signal; 8] = [
    Signal::SIGCONT,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGWINCH,
];
/// The offset that is added to a signal's number to form the exit code if the signal cannot end
/// this process, as in a shell.
const SIGNALLED: i32 = 128;

/// The two processes after the fork.
#[derive(Debug)]
pub enum Side {
    /// The child, which becomes the program.
    Program,
    /// The parent, which waits for the child.
    Supervisor(Supervisor),
}

/// The parent of a program.
#[derive(Debug)]
pub struct Supervisor {
    child: Pid,
    signals: SignalFd,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The program exited with this code.
    Code(i32),
    /// This signal ended the program.
    Signal(Signal),
}

/// Forks this process, which must have a single thread.
///
/// # Errors
/// The system cannot create another process.
pub fn fork() -> Result<Side> {
    let cannot = "cannot start a process for the program";
    let (mask, parent) = (SigSet::thread_get_mask().context(cannot)?, Pid::this());
    let watched = watched();
    // Block the signals now, so that those that arrive before the parent waits stay pending.
    watched.thread_block().context(cannot)?;
    let signals = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC).context(cannot)?;
    // If the caller ignores SIGCHLD, the kernel would discard the program's exit status.
    let of_children = set_action(Signal::SIGCHLD, &default_action()).context(cannot)?;
    let forked = fork_process();
    // Restore the caller's signal state in the child, or after a failed fork.
    if !matches!(forked, Ok(ForkResult::Parent { .. })) {
        set_action(Signal::SIGCHLD, &of_children).context(cannot)?;
        mask.thread_set_mask().context(cannot)?;
    }
    match forked.map_err(std::io::Error::from).context(cannot)? {
        ForkResult::Parent { child } => Ok(Side::Supervisor(Supervisor { child, signals })),
        ForkResult::Child => {
            prctl::set_pdeathsig(Signal::SIGKILL).context(cannot)?;
            if Pid::parent() != parent {
                // The parent died before the call, so the kernel sends no signal.
                let _ = kill(Pid::this(), Signal::SIGKILL);
            }
            Ok(Side::Program)
        }
    }
}

impl Supervisor {
    /// Waits for the program to end, and forwards signals to it until then. Closes the caller's
    /// files except standard error and `kept`, so that a reader of the program's output sees when
    /// the program closes it.
    pub fn wait(&self, kept: impl AsFd) -> End {
        self.close_files(kept.as_fd().as_raw_fd());
        loop {
            match self.signals.read_signal() {
                Ok(Some(info))
                    if Signal::try_from(number(info.ssi_signo)) != Ok(Signal::SIGCHLD) =>
                {
                    self.forward(&info);
                }
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                // Without the signals, only wait for the program to end.
                Err(_) => {
                    return self
                        .reap(WaitPidFlag::empty())
                        .unwrap_or(End::Code(SIGNALLED));
                }
            }
            if let Some(end) = self.reap(WaitPidFlag::WNOHANG) {
                return end;
            }
        }
    }

    /// Returns how the program ended, or `None` while it runs. If the program stops, this function
    /// stops the parent too, so that the shell notices.
    fn reap(&self, flags: WaitPidFlag) -> Option<End> {
        loop {
            match waitpid(self.child, Some(flags | WaitPidFlag::WUNTRACED)) {
                Ok(WaitStatus::Exited(_, code)) => return Some(End::Code(code)),
                Ok(WaitStatus::Signaled(_, signal, _)) => return Some(End::Signal(signal)),
                Ok(WaitStatus::Stopped(..)) => drop(kill(Pid::this(), Signal::SIGSTOP)),
                Ok(WaitStatus::StillAlive) => return None,
                Ok(_) | Err(Errno::EINTR) => {}
                // A real-time signal ended the program; the library has no name for it.
                Err(_) => return Some(End::Code(SIGNALLED)),
            }
        }
    }

    fn forward(&self, info: &siginfo) {
        if let Ok(signal) = Signal::try_from(number(info.ssi_signo))
            && is_to_forward(signal, Sender::of(info, self.child), is_session_leader())
        {
            let _ = kill(self.child, signal);
        }
    }

    /// Closes all open files except standard error, which warnings need, and the files that this
    /// process uses itself.
    fn close_files(&self, kept: RawFd) {
        if let Ok(null) = fs::open_device_null() {
            let _ = unistd::dup2_stdin(&null);
            let _ = unistd::dup2_stdout(&null);
        }
        let in_use = [0, 1, 2, kept, self.signals.as_raw_fd()];
        let names = fs::list(Path::new("/proc/self/fd"))
            .ok()
            .flatten()
            .unwrap_or_default();
        let open = names
            .iter()
            .filter_map(|name| name.to_str()?.parse::<RawFd>().ok());
        for file in open.filter(|file| !in_use.contains(file)) {
            let _ = unistd::close(file);
        }
    }
}

impl End {
    /// Ends this process with the signal that ended the program. Returns the exit code if the
    /// program exited, or if the signal cannot end this process.
    #[must_use]
    pub fn propagate(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => {
                // The program has already dumped core; this process must not overwrite that dump.
                let _ = prctl::set_dumpable(false);
                let _ = set_action(signal, &default_action());
                let _ = kill(Pid::this(), signal);
                let _ = SigSet::from(signal).thread_unblock();
                // The first process of a container survives a signal's default action.
                SIGNALLED + signal as i32
            }
        }
    }
}

/// The sender of a signal to the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// The kernel: for the terminal, or for a timer that was set before this program started.
    Kernel,
    /// The supervised program.
    Program,
    /// Another process.
    Other,
}

impl Sender {
    /// Classifies the sender: `si_code` is positive if no process sent the signal (`sigaction(2)`).
    fn of(info: &siginfo, child: Pid) -> Self {
        match info.ssi_code {
            1.. => Self::Kernel,
            _ if number(info.ssi_pid) == child.as_raw() => Self::Program,
            _ => Self::Other,
        }
    }
}

/// Checks whether the parent must forward a signal to the program.
fn is_to_forward(signal: Signal, sender: Sender, is_session_leader: bool) -> bool {
    match sender {
        // When a terminal hangs up, the kernel sends SIGHUP only to the session leader.
        Sender::Kernel => {
            !FROM_TERMINAL.contains(&signal) || signal == Signal::SIGHUP && is_session_leader
        }
        // A signal that the program sends to its own process group has already reached it.
        Sender::Program => false,
        Sender::Other => true,
    }
}

fn is_session_leader() -> bool {
    unistd::getsid(None) == Ok(Pid::this())
}

/// Returns the signals that the parent reads from its signal descriptor: all except its own faults
/// and those that cannot be caught.
fn watched() -> SigSet {
    let is_watched = |signal: &Signal| {
        !FAULTS.contains(signal) && ![Signal::SIGKILL, Signal::SIGSTOP].contains(signal)
    };
    Signal::iterator().filter(is_watched).collect()
}

/// Converts a number from the kernel's type to the C library's.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or_default()
}

fn default_action() -> SigAction {
    SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty())
}

#[allow(
    unsafe_code,
    reason = "a handler could run any code; this one is the default, or was set before this program started"
)]
fn set_action(signal: Signal, action: &SigAction) -> nix::Result<SigAction> {
    // SAFETY: the action is the default one or one that an earlier call of this function returned,
    // and this program installs no handlers.
    unsafe { sigaction(signal, action) }
}

#[allow(
    unsafe_code,
    reason = "the child of a multi-threaded process could deadlock on a lock that another thread held"
)]
fn fork_process() -> nix::Result<ForkResult> {
    // SAFETY: the caller of `fork` guarantees that this process has a single thread.
    unsafe { unistd::fork() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_gets_each_signal_once() {
        let rows = [
            (Signal::SIGTERM, Sender::Other, false, true, "`kill PID`"),
            (
                Signal::SIGINT,
                Sender::Other,
                false,
                true,
                "`kill -INT PID`",
            ),
            (
                Signal::SIGINT,
                Sender::Kernel,
                false,
                false,
                "Ctrl-C reaches both",
            ),
            (
                Signal::SIGTSTP,
                Sender::Kernel,
                true,
                false,
                "Ctrl-Z reaches both",
            ),
            (
                Signal::SIGHUP,
                Sender::Kernel,
                false,
                false,
                "the kernel sends SIGHUP at the end of a session to both",
            ),
            (
                Signal::SIGHUP,
                Sender::Kernel,
                true,
                true,
                "the kernel sends SIGHUP for a terminal hangup only to the session leader",
            ),
            (
                Signal::SIGALRM,
                Sender::Kernel,
                false,
                true,
                "a timer that the caller set belongs only to this process",
            ),
            (
                Signal::SIGTERM,
                Sender::Program,
                false,
                false,
                "`kill 0` in the program reaches both",
            ),
        ];
        for (signal, sender, is_session_leader, expected, why) in rows {
            assert_eq!(
                is_to_forward(signal, sender, is_session_leader),
                expected,
                "{why}"
            );
        }
    }
}
