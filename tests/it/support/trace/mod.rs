//! A run that something happens to at one of its system calls, whichever: it is killed there, with
//! all its children, or the system refuses the call.
//!
//! The calls are counted over the whole tree of processes and threads, so that each moment of a run
//! has a number. `strace` counts them for each name and thread. Those by which threads wait for
//! each other change nothing that outlives them, and how many there are depends on how busy the
//! machine is: they have no number. A run is followed from where vpython starts to where it becomes
//! python.

mod calls;

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Output};

use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Launch, Outcome, VPYTHON, World};
pub use calls::Kind;
use calls::{Does, name_of_call, refusable, waits};

/// The errors that a system may answer with at any time: no space, a broken disk, no descriptors,
/// no permission.
pub const ERRORS: [Errno; 4] = [Errno::ENOSPC, Errno::EIO, Errno::EMFILE, Errno::EACCES];

/// What happens to a run at one of its calls, which count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Before this call all processes of the run are killed.
    Kill(usize),
    /// Of the calls of vpython itself that may fail in this way, this one does.
    Refuse(usize, Errno),
    /// This one of the calls of vpython itself that change what directories list is done, and
    /// reported as failed: so a server is heard whose answer was lost.
    Misreport(usize, Report),
    /// All calls of a kind are refused, to vpython and to all that it starts.
    RefuseAll(&'static Kind, Errno),
}

/// How a call is reported as failed that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// By an error that tells nothing.
    Broken,
    /// By that which the call meets when it is made again: what it makes is there already, what it
    /// takes away is not.
    Repeated,
}

impl Report {
    fn of(self, call: &str) -> Errno {
        match self {
            Self::Broken => Errno::EIO,
            Self::Repeated
                if ["rename", "unlink", "rmdir"]
                    .iter()
                    .any(|name| call.starts_with(name)) =>
            {
                Errno::ENOENT
            }
            Self::Repeated => Errno::EEXIST,
        }
    }
}

/// The calls that change what directories list, by the beginnings of their names.
const LISTING: [&str; 6] = ["rename", "link", "symlink", "mkdir", "unlink", "rmdir"];

/// What came of a run.
#[derive(Debug)]
pub struct Traced {
    /// How many calls it made.
    pub calls: usize,
    /// How many of them vpython itself made, and may meet each of [`ERRORS`].
    pub refusable: [usize; ERRORS.len()],
    /// How many of them vpython itself made to change what directories list.
    pub listings: usize,
    /// The call that the fault hit; none where the run was over before.
    pub hit: Option<&'static str>,
    /// What came of it all.
    pub outcome: Outcome,
}

/// Whether runs can be followed here. Where they cannot, that is said aloud.
pub fn can_trace(world: &World) -> bool {
    let works = run(
        world,
        world.program("/bin/sh", waiting(["true".into()])),
        None,
    )
    .is_some();
    if !works {
        not_tested!("programs cannot be followed with ptrace");
    }
    works
}

/// Runs vpython with these words, to its end, with a pipe as standard input that these bytes come
/// through; `fault` happens to it.
pub fn traced_with_input(world: &World, words: &[&str], input: &[u8], fault: Fault) -> Traced {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(input).unwrap();
    drop(writer);
    let words = [VPYTHON].iter().chain(words).map(ToString::to_string);
    let launch = world.program("/bin/sh", waiting(words)).stdin(reader);
    run(world, launch, Some(fault)).expect("it can be followed, or nobody would have come here")
}

/// Runs a program with these variables, with all that it starts, to its end; `fault` happens to it.
pub fn traced(
    world: &World,
    words: impl IntoIterator<Item = String>,
    variables: &[(&str, String)],
    fault: Option<Fault>,
) -> Traced {
    let launch = world.program("/bin/sh", waiting(words));
    let launch = variables
        .iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value));
    run(world, launch, fault).expect("it can be followed, or nobody would have come here")
}

/// The words of a shell that waits to be followed, and then becomes the program.
fn waiting(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let shell = [
        "-c".to_owned(),
        "kill -STOP $$; exec \"$0\" \"$@\"".to_owned(),
    ];
    shell.into_iter().chain(words).collect()
}

fn run(world: &World, launch: Launch<'_>, fault: Option<Fault>) -> Option<Traced> {
    let mut child = launch.spawn();
    let root = Pid::from_raw(child.id().cast_signed());
    waitpid(root, Some(WaitPidFlag::WUNTRACED)).unwrap();
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_EXITKILL;
    if ptrace::seize(root, options).is_err() {
        let _ = (kill(root, Signal::SIGKILL), child.wait());
        return None;
    }
    kill(root, Signal::SIGCONT).unwrap();
    let mut tracer = Tracer::new(root, fault);
    let status = tracer.follow();
    let outcome = Outcome::new(world, &format!("{fault:?}"), &output(&mut child, status));
    Some(Traced {
        calls: tracer.calls,
        refusable: tracer.refusable,
        listings: tracer.listings,
        hit: tracer.hit,
        outcome,
    })
}

/// What a child that has ended has written.
fn output(child: &mut Child, status: WaitStatus) -> Output {
    let raw = match status {
        WaitStatus::Exited(_, code) => code << 8,
        WaitStatus::Signaled(_, signal, _) => signal as i32,
        status => panic!("{status:?} is no end"),
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut stdout)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_end(&mut stderr)
        .unwrap();
    Output {
        status: ExitStatus::from_raw(raw),
        stdout,
        stderr,
    }
}

/// One run that is followed.
struct Tracer {
    root: Pid,
    fault: Option<Fault>,
    /// The processes and threads that are known; true for those of vpython itself.
    tasks: HashMap<Pid, bool>,
    /// Those that are in a call.
    inside: HashSet<Pid>,
    /// Those whose call gets another answer.
    refused: HashSet<Pid>,
    /// How many programs the first process has become.
    programs: usize,
    /// Whether vpython is past its start, where the dynamic linker has the say.
    is_started: bool,
    is_killed: bool,
    calls: usize,
    refusable: [usize; ERRORS.len()],
    listings: usize,
    hit: Option<&'static str>,
}

impl Tracer {
    fn new(root: Pid, fault: Option<Fault>) -> Self {
        Self {
            root,
            fault,
            tasks: HashMap::from([(root, true)]),
            inside: HashSet::new(),
            refused: HashSet::new(),
            programs: 0,
            is_started: false,
            is_killed: false,
            calls: 0,
            refusable: [0; ERRORS.len()],
            listings: 0,
            hit: None,
        }
    }

    /// Until nobody is left; gives how the first process ended.
    fn follow(&mut self) -> WaitStatus {
        let mut end = None;
        loop {
            // What other threads of the tests have started is not ours to wait for.
            let status = match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(_) => return end.expect("the first process was followed to its end"),
            };
            match status {
                WaitStatus::Exited(task, _) | WaitStatus::Signaled(task, _, _) => {
                    self.tasks.remove(&task);
                    self.inside.remove(&task);
                    if task == self.root {
                        end = Some(status);
                    }
                }
                WaitStatus::PtraceSyscall(task) => {
                    self.tasks.entry(task).or_default();
                    self.call(task);
                    self.resume(task, None);
                }
                WaitStatus::PtraceEvent(task, _, event) => self.event(task, event),
                WaitStatus::Stopped(task, signal) => self.resume(task, Some(signal)),
                _ => {}
            }
        }
    }

    fn resume(&self, task: Pid, signal: Option<Signal>) {
        if self.is_killed {
            let _ = kill(task, Signal::SIGKILL);
        }
        // Whoever was killed meanwhile is no longer there to be told.
        let _ = ptrace::syscall(task, signal);
    }

    fn event(&mut self, task: Pid, event: i32) {
        match event {
            libc::PTRACE_EVENT_CLONE => self.add(task, true),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => self.add(task, false),
            libc::PTRACE_EVENT_EXEC if task == self.root => {
                self.programs += 1;
                if self.programs == 2 {
                    // What python does is not ours.
                    let _ = ptrace::detach(task, None);
                    return;
                }
            }
            _ => {}
        }
        self.resume(task, None);
    }

    /// Notes what a task has started.
    fn add(&mut self, parent: Pid, is_thread: bool) {
        let Ok(number) = ptrace::getevent(parent) else {
            return;
        };
        let is_ours = is_thread && self.tasks.get(&parent).copied().unwrap_or_default();
        let number = i32::try_from(number).unwrap();
        self.tasks.insert(Pid::from_raw(number), is_ours);
    }

    /// A task stands before a call, or behind it.
    fn call(&mut self, task: Pid) {
        if !self.inside.insert(task) {
            self.inside.remove(&task);
            if self.refused.remove(&task) {
                self.answer(task);
            }
            return;
        }
        if self.programs != 1 || self.is_killed || waits(task) {
            return;
        }
        self.calls += 1;
        match self.fault {
            Some(Fault::Kill(number)) if number == self.calls => {
                self.hit = Some(name_of_call(task));
                self.is_killed = true;
                for task in self.tasks.keys() {
                    let _ = kill(*task, Signal::SIGKILL);
                }
            }
            Some(Fault::Kill(_)) => {}
            _ => self.refuse(task),
        }
    }

    /// Counts a call of vpython itself, and sees to its answer if it is the one.
    fn refuse(&mut self, task: Pid) {
        let Ok(registers) = ptrace::getregs(task) else {
            return;
        };
        // Our first call looks whether the standard streams are open.
        self.is_started |= registers.orig_rax.cast_signed() == libc::SYS_poll;
        if let Some(Fault::RefuseAll(kind, _)) = self.fault {
            if self.is_started && kind.includes(registers) {
                self.hit = Some(kind.name);
                self.refused.insert(task);
                ptrace::setregs(
                    task,
                    user_regs_struct {
                        orig_rax: u64::MAX,
                        ..registers
                    },
                )
                .unwrap();
            }
            return;
        }
        // What comes through a pipe does not come from a disk.
        let is_ours =
            self.is_started && self.tasks.get(&task) == Some(&true) && !reads_pipe(task, registers);
        let Some((_, name, does)) = refusable(registers).filter(|_| is_ours && self.hit.is_none())
        else {
            return;
        };
        if LISTING.iter().any(|listing| name.starts_with(listing)) {
            self.listings += 1;
            if matches!(self.fault, Some(Fault::Misreport(number, _)) if number == self.listings) {
                self.hit = Some(name);
                self.refused.insert(task);
                return;
            }
        }
        let flags = if *name == "openat" {
            registers.rdx
        } else {
            registers.rsi
        };
        let creates = *does == Does::Open && flags & u64::from(libc::O_CREAT.cast_unsigned()) != 0;
        for (index, errno) in ERRORS
            .into_iter()
            .enumerate()
            .filter(|(_, errno)| does.may_meet(*errno, creates))
        {
            self.refusable[index] += 1;
            if self.fault == Some(Fault::Refuse(self.refusable[index], errno)) {
                self.hit = Some(name);
                self.refused.insert(task);
                ptrace::setregs(
                    task,
                    user_regs_struct {
                        orig_rax: u64::MAX,
                        ..registers
                    },
                )
                .unwrap();
            }
        }
    }

    /// Gives a call that was refused its answer.
    fn answer(&self, task: Pid) {
        let errno = match self.fault {
            Some(Fault::Refuse(_, errno) | Fault::RefuseAll(_, errno)) => errno,
            Some(Fault::Misreport(_, report)) => report.of(self.hit.unwrap_or_default()),
            _ => return,
        };
        let mut registers = ptrace::getregs(task).unwrap();
        registers.rax = i64::from(-(errno as i32)).cast_unsigned();
        ptrace::setregs(task, registers).unwrap();
    }
}

fn reads_pipe(task: Pid, registers: user_regs_struct) -> bool {
    let file = std::fs::read_link(format!("/proc/{task}/fd/{}", registers.rdi));
    registers.orig_rax.cast_signed() == libc::SYS_read && file.is_ok_and(|file| !file.is_absolute())
}
