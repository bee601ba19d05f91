//! The interpreter itself as the compiler: a process that reads sources and writes byte code to a
//! pipe.
//!
//! One process compiles a part of a wheel that does not depend on who compiles what else, so that
//! its byte code does not either: what `marshal` writes depends on what the process has compiled
//! before. A source that two processes die of, or take too long for, is left out, and another
//! process goes on behind it. What has nothing to do with a source leaves none out: a process that
//! somebody has killed, and a source that cannot be read, are errors; and where a process dies that
//! the next one does not die of, that one's work counts.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::fs;
use crate::report::Failure;

const PROGRAM: &str = include_str!("compile.py");
const GREETING: &str = "byte code of ";
/// How long a source may take, in milliseconds. The largest in use take a few seconds.
const PATIENCE: u16 = 60_000;
/// What stands in the place of a length where the source cannot be read.
const UNREADABLE: u32 = u32::MAX;
/// How many times a process may die without a source that it dies of again.
const TRIES: usize = 10;
/// The signals by which somebody ends a process that has done nothing wrong: a user, a supervisor,
/// the kernel that has no memory left.
const FROM_OUTSIDE: [i32; 8] = [
    libc::SIGKILL,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGXCPU,
];

/// Whoever can compile.
pub(super) struct Compiler {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// The variables that it is given.
    pub environment: Vec<(OsString, OsString)>,
}

/// The interpreter does not do what it should.
#[derive(Debug)]
pub(super) struct NoCompiler;

impl std::error::Error for NoCompiler {}

impl fmt::Display for NoCompiler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the interpreter does not compile")
    }
}

/// The byte code of a source.
pub(super) struct Compiled<'a> {
    /// The name of the source.
    pub name: &'a str,
    /// Which it is of those that the process compiles.
    index: usize,
    /// `sys.implementation.cache_tag`.
    pub tag: &'a str,
    /// The content of a `.pyc` file.
    pub code: &'a [u8],
}

impl Compiler {
    /// Compiles the sources of these names in a directory, and shows the byte code of each to
    /// `keep`, in order; what cannot be compiled is passed over.
    ///
    /// # Errors
    /// Those of `keep`; [`NoCompiler`]; a source cannot be read, or a process was killed.
    pub fn compile(
        &self,
        directory: &Path,
        names: &[&str],
        mut keep: impl FnMut(&Compiled) -> Result<()>,
    ) -> Result<()> {
        let mut rest = names;
        while !rest.is_empty() {
            let done = self.compile_up_to_a_deadly_one(directory, rest, &mut keep)?;
            if let Some(name) = rest.get(done) {
                tracing::debug!(name, "the interpreter does not survive it");
            }
            rest = rest.get(done + 1..).unwrap_or_default();
        }
        Ok(())
    }

    /// Compiles sources by one process. Where it dies, another one does the same from the
    /// beginning, so that what it makes does not tell that there were two. Gives how many were done
    /// before one that two processes die of.
    fn compile_up_to_a_deadly_one(
        &self,
        directory: &Path,
        names: &[&str],
        keep: &mut impl FnMut(&Compiled) -> Result<()>,
    ) -> Result<usize> {
        let mut kept = 0;
        let mut died_at = None;
        for _ in 0..TRIES {
            let done = self.run(directory, names, &mut |compiled: &Compiled| {
                if compiled.index < kept {
                    Ok(())
                } else {
                    keep(compiled)
                }
            })?;
            kept = kept.max(done);
            if done == names.len() || died_at == Some(done) {
                return Ok(done);
            }
            died_at = Some(done);
        }
        bail!(
            "the interpreter dies of another source each time, as `{}`",
            names.get(kept).unwrap_or(&"")
        )
    }

    /// Runs one process. Gives how many sources it was done with before it ended.
    fn run(
        &self,
        directory: &Path,
        names: &[&str],
        keep: &mut impl FnMut(&Compiled) -> Result<()>,
    ) -> Result<usize> {
        let mut process = Running(self.start(directory, names)?);
        let output = process.0.stdout.take().ok_or(NoCompiler)?;
        let mut answer = BufReader::new(Patient(output));
        let Ok(tag) = greeting(&mut answer) else {
            process.refuse_killed(names.first().unwrap_or(&""))?;
            return Err(NoCompiler.into());
        };
        let mut code = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match read_code(&mut answer, &mut code) {
                Ok(Answer::Code) if code.is_empty() => {}
                Ok(Answer::Code) => keep(&Compiled {
                    name,
                    index,
                    tag: &tag,
                    code: &code,
                })?,
                Ok(Answer::Unreadable(why)) => {
                    let failure =
                        Failure::new(format!("cannot read `{}`", directory.join(name).display()))
                            .because(why);
                    return Err(failure.hint("`-vpython-tool check --all --repair` mends what is damaged in the store").into());
                }
                Err(error) => {
                    if error.kind() != ErrorKind::TimedOut {
                        process.refuse_killed(name)?;
                    }
                    return Ok(index);
                }
            }
        }
        Ok(names.len())
    }

    fn start(&self, directory: &Path, names: &[&str]) -> Result<Child> {
        let mut command = Command::new(&self.interpreter);
        // The names are no input of its: to write to a process that has ended would end this one.
        command
            .args(["-S", "-s", "-B", "-X", "utf8", "-c", PROGRAM])
            .arg(directory)
            .args(names);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/");
        command.env_clear();
        let is_pythons = |name: &OsString| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"PYTHON") || name.starts_with(b"__PYVENV")
        };
        command.envs(
            self.environment
                .iter()
                .filter(|(name, _)| !is_pythons(name))
                .cloned(),
        );
        // The order of a set of constants depends on it.
        command.env("PYTHONHASHSEED", "0");
        command.spawn().map_err(|error| {
            let error = anyhow::Error::from(error);
            if fs::is_io_failure(&error) {
                error.context("cannot run the interpreter")
            } else {
                NoCompiler.into()
            }
        })
    }
}

/// The signal by which somebody has ended a process that has done nothing wrong.
pub(super) fn killed_from_outside(status: ExitStatus) -> Option<i32> {
    status
        .signal()
        .filter(|signal| FROM_OUTSIDE.contains(signal))
}

/// A process that does not outlive this.
struct Running(Child);

impl Running {
    /// Refuses to go on where the process, which has closed its output, was killed from outside.
    fn refuse_killed(&mut self, name: &str) -> Result<()> {
        match self.end().and_then(killed_from_outside) {
            Some(signal) => {
                bail!("the interpreter was killed by signal {signal} while it compiled `{name}`")
            }
            None => Ok(()),
        }
    }

    /// How the process ended; none where it goes on without its output.
    fn end(&mut self) -> Option<ExitStatus> {
        for _ in 0..500 {
            if let Some(status) = self.0.try_wait().ok()? {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pipe that is not waited for longer than [`PATIENCE`].
struct Patient(ChildStdout);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut pipe = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        if poll(&mut pipe, PollTimeout::from(PATIENCE))? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        self.0.read(buffer)
    }
}

/// Reads the first line. Gives the cache tag.
fn greeting(answer: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    answer.take(100).read_until(b'\n', &mut line)?;
    let tag = std::str::from_utf8(&line)?
        .strip_prefix(GREETING)
        .and_then(|rest| rest.strip_suffix('\n'));
    match tag.filter(|tag| {
        !tag.is_empty()
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    }) {
        Some(tag) => Ok(tag.to_owned()),
        None => bail!("it answers something else"),
    }
}

/// What a process says of a source.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Its byte code, which is empty where it cannot be compiled.
    Code,
    /// Why it cannot be read.
    Unreadable(String),
}

fn read_code(answer: &mut impl BufRead, code: &mut Vec<u8>) -> std::io::Result<Answer> {
    let mut length = [0; 4];
    answer.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    code.clear();
    if length == UNREADABLE {
        answer.take(1000).read_until(b'\n', code)?;
        return Ok(Answer::Unreadable(
            String::from_utf8_lossy(code.trim_ascii()).into_owned(),
        ));
    }
    answer.take(length.into()).read_to_end(code)?;
    if code.len() == length as usize {
        Ok(Answer::Code)
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_greeting_is_none() {
        let rows = [
            (&b"byte code of cpython-311\n\x01"[..], Some("cpython-311")),
            (b"byte code of \n", None),
            (b"byte code of ../x\n", None),
            (b"byte code of cpython-311", None),
            (b"<-S>\n", None),
            (b"", None),
        ];
        for (mut text, tag) in rows {
            assert_eq!(greeting(&mut text).ok().as_deref(), tag);
        }
    }

    /// The names of what a shell script as the interpreter compiles of these.
    fn compiled(script: &str, names: &[&str]) -> Result<Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let interpreter = directory.path().join("python3");
        // Written by another process: one that a test beside this one starts would have it open for
        // writing, so that it could not be run.
        let write = "printf '%s' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(write)
            .arg(&interpreter)
            .arg(format!("#!/bin/sh\n{script}"));
        assert!(shell.status().unwrap().success());
        let compiler = Compiler {
            interpreter,
            environment: vec![("PYTHONHASHSEED".into(), "1".into())],
        };
        let mut found = Vec::new();
        compiler.compile(directory.path(), names, |compiled| {
            assert_eq!((compiled.tag, compiled.code), ("x-1", &b"ab"[..]));
            found.push(compiled.name.to_owned());
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn what_two_processes_die_of_is_left_out() {
        let one = r"printf 'byte code of x-1\n\002\000\000\000ab'";
        assert_eq!(compiled(one, &["a", "b", "c", "d"]).unwrap(), ["a", "c"]);
        let none = r"printf 'byte code of x-1\n\000\000\000\000\002\000\000\000a'";
        assert_eq!(compiled(none, &["a", "b"]).unwrap(), [""; 0]);
        let crash = format!("{one}; kill -SEGV $$");
        assert_eq!(compiled(&crash, &["a", "b"]).unwrap(), ["a"]);
        let seeded = format!("[ \"$PYTHONHASHSEED\" = 0 ] && {one}");
        assert_eq!(compiled(&seeded, &["a"]).unwrap(), ["a"]);
    }

    #[test]
    fn where_the_next_process_does_not_die_nothing_is_left_out() {
        let two = r"printf 'byte code of x-1\n\002\000\000\000ab'; [ -e $0.once ] || { : > $0.once; exit 1; }; \
                    printf '\002\000\000\000ab'";
        assert_eq!(
            compiled(two, &["a", "b"]).unwrap(),
            ["a", "b"],
            "and each is shown once"
        );
        let never_the_same = r"printf x >> $0.count; n=$(wc -c < $0.count); printf 'byte code of x-1\n'; \
                               while [ $n -gt 0 ]; do printf '\002\000\000\000ab'; n=$((n-1)); done";
        let names = ["a"; 20];
        let error = compiled(never_the_same, &names).unwrap_err().to_string();
        assert_eq!(
            error,
            "the interpreter dies of another source each time, as `a`"
        );
    }

    #[test]
    fn a_process_that_is_killed_and_a_source_that_cannot_be_read_are_errors() {
        let killed = r"printf 'byte code of x-1\n\002\000\000\000ab'; kill -9 $$";
        let error = compiled(killed, &["a", "b"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the interpreter was killed by signal 9 while it compiled `b`"
        );
        let error = compiled("kill -9 $$", &["a"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the interpreter was killed by signal 9 while it compiled `a`"
        );
        let unreadable = r"printf 'byte code of x-1\n\377\377\377\377[Errno 5] x\n'";
        let error = crate::report::one_line(&compiled(unreadable, &["a"]).unwrap_err());
        assert!(
            error.starts_with("cannot read `/") && error.ends_with("/a`: [Errno 5] x"),
            "{error}"
        );
    }

    #[test]
    fn who_does_not_answer_is_no_compiler() {
        for script in ["exit 0", "echo '<-S>'", "kill -SEGV $$"] {
            assert!(
                compiled(script, &["a"]).unwrap_err().is::<NoCompiler>(),
                "{script}"
            );
        }
    }

    #[test]
    fn byte_code_is_whole_or_none() {
        let mut code = Vec::new();
        assert!(read_code(&mut &b"\x02\0\0\0ab"[..], &mut code).is_ok());
        assert_eq!(code, b"ab");
        for text in [&b"\x02\0\0\0a"[..], b"\x02\0", b""] {
            assert!(read_code(&mut { text }, &mut code).is_err());
        }
    }
}
