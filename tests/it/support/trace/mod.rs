//! A run with a fault at any one of its system calls: the process is killed there, with all its
//! children, or the call fails.
//!
//! The calls are counted over the whole tree of processes and threads, so that each moment of a run
//! has a number. `strace` counts them by name and thread. Calls by which threads wait for each
//! other are not counted: they change nothing that outlives the threads, and their number depends
//! on how busy the machine is. A run is traced from the start of vpython to the start of python.

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
use calls::{Does, name_of_call, refusable, waits};
pub use calls::{Kind, Only};

/// The errors that a system may return at any time: no space, a broken disk, no descriptors, no
/// permission.
pub const ERRORS: [Errno; 4] = [Errno::ENOSPC, Errno::EIO, Errno::EMFILE, Errno::EACCES];

/// A fault at one of the calls of a run, which are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Kills all processes of the run before this call.
    Kill(usize),
    /// Fails this call, of vpython's own calls that may fail in this way.
    Refuse(usize, Errno),
    /// Executes this call, of vpython's own calls that change directory entries, and reports it as
    /// failed: the same as a server whose answer was lost.
    Misreport(usize, Report),
    /// Refuses all calls of a kind, to vpython and to all its children.
    RefuseAll(&'static Kind, Errno),
}

/// The error that an executed call reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// An error that says nothing about the cause.
    Broken,
    /// The error of a repeated call: what it creates exists already, what it removes is missing.
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

/// The calls that change directory entries, by the prefixes of their names.
const LISTING: [&str; 6] = ["rename", "link", "symlink", "mkdir", "unlink", "rmdir"];

/// The result of a traced run.
#[derive(Debug)]
pub struct Traced {
    /// The number of its calls.
    pub calls: usize,
    /// For each of [`ERRORS`], the number of vpython's own calls that may return it.
    pub refusable: [usize; ERRORS.len()],
    /// The number of vpython's own calls that change directory entries.
    pub listings: usize,
    /// The call that received the fault; `None` if the run ended before.
    pub hit: Option<&'static str>,
    /// The outcome of the run.
    pub outcome: Outcome,
}

/// Checks whether runs can be traced here, and says so if not.
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

/// Runs vpython with these arguments to its end, with these bytes through a pipe as standard input
/// and with `fault`.
pub fn traced_with_input(world: &World, words: &[&str], input: &[u8], fault: Fault) -> Traced {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(input).unwrap();
    drop(writer);
    let words = [VPYTHON].iter().chain(words).map(ToString::to_string);
    let launch = world.program("/bin/sh", waiting(words)).stdin(reader);
    run(world, launch, Some(fault)).expect("tracing works, since it was checked before")
}

/// Runs a program with these variables, and all its children, to their end, with `fault`.
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
    run(world, launch, fault).expect("tracing works, since it was checked before")
}

/// The command line of a shell that waits for the tracer, and then becomes the program.
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

/// The output of a child that has ended.
fn output(child: &mut Child, status: WaitStatus) -> Output {
    let raw = match status {
        WaitStatus::Exited(_, code) => code << 8,
        WaitStatus::Signaled(_, signal, _) => signal as i32,
        status => panic!("{status:?} is not the end of a process"),
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

/// One traced run.
struct Tracer {
    root: Pid,
    fault: Option<Fault>,
    /// The known processes and threads; true for those of vpython itself.
    tasks: HashMap<Pid, bool>,
    /// Those that are inside a call.
    inside: HashSet<Pid>,
    /// Those whose call gets another result.
    refused: HashSet<Pid>,
    /// The number of `execve` calls of the first process.
    programs: usize,
    /// Whether vpython has passed its start, which the dynamic linker controls.
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

    /// Waits until no process is left; returns how the first process ended.
    fn follow(&mut self) -> WaitStatus {
        let mut end = None;
        loop {
            // Children of other test threads are not part of this run.
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
        // A process that was killed in the meantime cannot be continued.
        let _ = ptrace::syscall(task, signal);
    }

    fn event(&mut self, task: Pid, event: i32) {
        match event {
            libc::PTRACE_EVENT_CLONE => self.add(task, true),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => self.add(task, false),
            libc::PTRACE_EVENT_EXEC if task == self.root => {
                self.programs += 1;
                if self.programs == 2 {
                    // Calls of python do not count.
                    let _ = ptrace::detach(task, None);
                    return;
                }
            }
            _ => {}
        }
        self.resume(task, None);
    }

    /// Records a new child of a task.
    fn add(&mut self, parent: Pid, is_thread: bool) {
        let Ok(number) = ptrace::getevent(parent) else {
            return;
        };
        let is_ours = is_thread && self.tasks.get(&parent).copied().unwrap_or_default();
        let number = i32::try_from(number).unwrap();
        self.tasks.insert(Pid::from_raw(number), is_ours);
    }

    /// Handles the entry to a call, or the exit from one.
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

    /// Counts a call of vpython itself, and changes its result if it is the selected one.
    fn refuse(&mut self, task: Pid) {
        let Ok(registers) = ptrace::getregs(task) else {
            return;
        };
        // The first call of vpython checks whether the standard streams are open.
        self.is_started |= registers.orig_rax.cast_signed() == libc::SYS_poll;
        if let Some(Fault::RefuseAll(kind, _)) = self.fault {
            if self.is_started && kind.includes(task, registers) {
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
        // Data from a pipe does not come from a disk.
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

    /// Sets the result of a refused call.
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
