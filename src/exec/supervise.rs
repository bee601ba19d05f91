//! A parent for a program, for what is to be done when the program has ended.
//!
//! The process forks before it does anything else. The child goes on as any launch does, and
//! becomes the program; the parent waits. From outside both look like one process: signals that are
//! sent to the parent reach the program, a program that stops stops the parent, and the parent ends
//! as the program did. Signals of the terminal go to the whole foreground process group, and are
//! not sent twice. If the parent is killed so that it cannot clean up, the kernel kills the program
//! too (`PR_SET_PDEATHSIG`), as it would have been without a parent.

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

/// What the program itself, or a fault in it, brings about.
const FAULTS: [Signal; 7] = [
    Signal::SIGABRT,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSEGV,
    Signal::SIGSYS,
    Signal::SIGTRAP,
];
/// What the kernel sends to each process of the terminal's foreground group.
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
/// Added to a signal's number in the exit code where the signal cannot end this process, as in a
/// shell.
const SIGNALLED: i32 = 128;

/// The two processes after the fork.
#[derive(Debug)]
pub enum Side {
    /// The one that is to become the program.
    Program,
    /// The one that waits for it.
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
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

/// Makes two processes of this one, which must have a single thread.
///
/// # Errors
/// The system has no room for another process.
pub fn fork() -> Result<Side> {
    let cannot = "cannot start a process for the program";
    let (mask, parent) = (SigSet::thread_get_mask().context(cannot)?, Pid::this());
    let watched = watched();
    // From here on nothing is lost that comes before the parent waits.
    watched.thread_block().context(cannot)?;
    let signals = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC).context(cannot)?;
    // Where the caller ignores the end of children, the kernel would not keep the program's exit
    // code.
    let of_children = set_action(Signal::SIGCHLD, &default_action()).context(cannot)?;
    let forked = split();
    if !matches!(forked, Ok(ForkResult::Parent { .. })) {
        set_action(Signal::SIGCHLD, &of_children).context(cannot)?;
        mask.thread_set_mask().context(cannot)?;
    }
    match forked.map_err(std::io::Error::from).context(cannot)? {
        ForkResult::Parent { child } => Ok(Side::Supervisor(Supervisor { child, signals })),
        ForkResult::Child => {
            prctl::set_pdeathsig(Signal::SIGKILL).context(cannot)?;
            if Pid::parent() != parent {
                // It was killed before the call.
                let _ = kill(Pid::this(), Signal::SIGKILL);
            }
            Ok(Side::Program)
        }
    }
}

impl Supervisor {
    /// Waits for the program's end, and does meanwhile with signals what they would have done to
    /// the program. Files of the caller's are closed but standard error and `kept`, so that a
    /// reader of the program's output sees when the program closes it.
    pub fn wait(&self, kept: impl AsFd) -> End {
        self.let_go(kept.as_fd().as_raw_fd());
        loop {
            match self.signals.read_signal() {
                Ok(Some(info))
                    if Signal::try_from(number(info.ssi_signo)) != Ok(Signal::SIGCHLD) =>
                {
                    self.forward(&info)
                }
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                // Without signals there is still an end to wait for.
                Err(_) => {
                    return self
                        .ended(WaitPidFlag::empty())
                        .unwrap_or(End::Code(SIGNALLED));
                }
            }
            if let Some(end) = self.ended(WaitPidFlag::WNOHANG) {
                return end;
            }
        }
    }

    /// How the program ended; none while it runs. One that was stopped has its parent stopped too,
    /// for the shell to see.
    fn ended(&self, flags: WaitPidFlag) -> Option<End> {
        loop {
            match waitpid(self.child, Some(flags | WaitPidFlag::WUNTRACED)) {
                Ok(WaitStatus::Exited(_, code)) => return Some(End::Code(code)),
                Ok(WaitStatus::Signaled(_, signal, _)) => return Some(End::Signal(signal)),
                Ok(WaitStatus::Stopped(..)) => drop(kill(Pid::this(), Signal::SIGSTOP)),
                Ok(WaitStatus::StillAlive) => return None,
                Ok(_) | Err(Errno::EINTR) => {}
                // A real-time signal, for which the library has no name.
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

    /// Lets go of all open files but standard error, which has room for a warning, and of those
    /// that are in use here.
    fn let_go(&self, kept: RawFd) {
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
    /// Ends this process by the signal that ended the program; else gives the exit code.
    #[must_use]
    pub fn pass_on(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => {
                // The program has left what there is to be seen of its memory.
                let _ = prctl::set_dumpable(false);
                let _ = set_action(signal, &default_action());
                let _ = kill(Pid::this(), signal);
                let _ = SigSet::from(signal).thread_unblock();
                // The first process of a container is not ended by a signal.
                SIGNALLED + signal as i32
            }
        }
    }
}

/// Who has sent a signal to the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// The kernel: for the terminal, or a timer that ran before this program began.
    Kernel,
    /// The program that is waited for.
    Program,
    /// Another process.
    Other,
}

impl Sender {
    /// `si_code` is positive where no process has sent the signal: `sigaction(2)`.
    fn of(info: &siginfo, child: Pid) -> Self {
        match info.ssi_code {
            1.. => Self::Kernel,
            _ if number(info.ssi_pid) == child.as_raw() => Self::Program,
            _ => Self::Other,
        }
    }
}

/// Whether the program is to get a signal that has reached its parent.
fn is_to_forward(signal: Signal, sender: Sender, is_session_leader: bool) -> bool {
    match sender {
        // The end of a terminal is sent to the session leader alone.
        Sender::Kernel => {
            !FROM_TERMINAL.contains(&signal) || signal == Signal::SIGHUP && is_session_leader
        }
        // What the program sends to its own process group has reached it.
        Sender::Program => false,
        Sender::Other => true,
    }
}

fn is_session_leader() -> bool {
    unistd::getsid(None) == Ok(Pid::this())
}

/// The signals that reach the parent by a file that it reads: all but faults of its own, and those
/// that cannot be caught.
fn watched() -> SigSet {
    let is_watched = |signal: &Signal| {
        !FAULTS.contains(signal) && ![Signal::SIGKILL, Signal::SIGSTOP].contains(signal)
    };
    Signal::iterator().filter(is_watched).collect()
}

/// A number of the kernel's, as the C library has it.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or_default()
}

fn default_action() -> SigAction {
    SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty())
}

#[allow(
    unsafe_code,
    reason = "a handler could be any code; this one is none, or was set before this program began"
)]
fn set_action(signal: Signal, action: &SigAction) -> nix::Result<SigAction> {
    // SAFETY: the action is the default one or one that a call of this gave, and this program sets
    // no handlers.
    unsafe { sigaction(signal, action) }
}

#[allow(
    unsafe_code,
    reason = "the child of a process with threads could wait for a lock that no thread is left to release"
)]
fn split() -> nix::Result<ForkResult> {
    // SAFETY: this process has a single thread, as the caller of `fork` promises.
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
                "the end of a session reaches both",
            ),
            (
                Signal::SIGHUP,
                Sender::Kernel,
                true,
                true,
                "the end of a terminal reaches the session leader alone",
            ),
            (
                Signal::SIGALRM,
                Sender::Kernel,
                false,
                true,
                "a timer that the caller has set belongs to this process alone",
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
