//! Compiling with the interpreter itself: a process reads sources and writes byte code to a pipe.
//!
//! A source that crashes two processes, or takes too long in two, is skipped, and another process
//! continues after it. Causes unrelated to a source skip none: a process killed from outside and an
//! unreadable source are errors, and if only the first of two processes crashes, the result of the
//! second counts. A process that has compiled other parts before may end because of these, or of a limit
//! on its processor time, so a new one continues.

use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Result, bail};
use nix::libc;

use super::answer::{Answer, greeting, read_code};
use super::marshal::canonical;
use super::pool::Pool;
use super::server::{Form, Server};
use crate::report::Failure;

/// The number of crashes, each on another source, that are an error.
const TRIES: usize = 10;
/// The signals that end a process through no fault of its own: from a user, a supervisor, or the
/// kernel's out-of-memory killer.
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

/// A compiler, shared by threads.
pub(super) struct Compiler {
    pool: Pool,
    form: Form,
}

/// The error that the interpreter does not work as a compiler.
#[derive(Debug)]
pub(super) struct NoCompiler;

impl std::error::Error for NoCompiler {}

impl fmt::Display for NoCompiler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the interpreter cannot compile")
    }
}

/// How compiling with one process ends.
pub(super) enum End {
    /// All sources were compiled, except those that cannot be.
    All,
    /// The source with this index crashes the process, or takes too long.
    Crash(usize),
    /// The process ended at the source with this index, perhaps because of what it compiled before.
    OfUsedProcess(usize),
}

/// The byte code of a source.
pub(super) struct Compiled<'a> {
    /// The name of the source.
    pub name: &'a str,
    /// `sys.implementation.cache_tag`.
    pub tag: &'a str,
    /// The content of a `.pyc` file.
    pub code: &'a [u8],
}

impl Compiler {
    /// Prepares to compile with an interpreter and its environment variables. Starts nothing.
    pub fn new(interpreter: PathBuf, environment: Vec<(OsString, OsString)>, form: Form) -> Self {
        Self {
            pool: Pool::new(interpreter, environment, form),
            form,
        }
    }

    /// Compiles these sources in a directory, and passes the byte code of each to `keep`, in order.
    /// It skips sources that cannot be compiled.
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
        let mut crashes = 0;
        while !rest.is_empty() {
            match self.run(directory, rest, &mut keep)? {
                End::All => break,
                End::OfUsedProcess(done) => rest = &rest[done..],
                End::Crash(0) if crashes > 0 => {
                    tracing::debug!(name = rest[0], "the interpreter crashes or hangs on it");
                    rest = &rest[1..];
                    crashes = 0;
                }
                End::Crash(done) => {
                    rest = &rest[done..];
                    crashes += 1;
                    if crashes == TRIES {
                        bail!(
                            "the interpreter crashes on a different source each time, such as `{}`",
                            rest[0]
                        );
                    }
                }
            }
        }
        Ok(())
    }

    /// Has one process compile, as [`Self::compile`] does, up to the first source that crashes it or
    /// takes too long.
    ///
    /// # Errors
    /// Those of [`Self::compile`].
    pub fn run(
        &self,
        directory: &Path,
        names: &[&str],
        keep: &mut impl FnMut(&Compiled) -> Result<()>,
    ) -> Result<End> {
        let mut slot = self.pool.slot()?;
        let mut server = slot.server()?;
        server.request(directory, names);
        let Ok(tag) = greeting(server.answer()) else {
            if server.is_used {
                return Ok(End::OfUsedProcess(0));
            }
            // A new process that does not greet is not a compiler, unless it was killed.
            refuse_killed(&mut server, names.first().unwrap_or(&""))?;
            return Err(NoCompiler.into());
        };
        let mut code = Vec::new();
        let mut is_canonical = true;
        // One answer for each source, in order.
        for (index, name) in names.iter().enumerate() {
            match read_code(server.answer(), &mut code) {
                Ok(Answer::Code) if code.is_empty() => {}
                Ok(Answer::Code) => {
                    if self.form == Form::Unchecked {
                        match canonical(&code) {
                            Some(canonical) => code = canonical,
                            None => is_canonical = false,
                        }
                    }
                    keep(&Compiled {
                        name,
                        tag: &tag,
                        code: &code,
                    })?;
                }
                Ok(Answer::Unreadable(why)) => {
                    let failure =
                        Failure::new(format!("cannot read `{}`", directory.join(name).display()))
                            .because(why);
                    return Err(failure
                        .hint("`-vpython-tool check --all --repair` repairs damage in the store")
                        .into());
                }
                Err(error) => {
                    if error.kind() != ErrorKind::TimedOut {
                        if server.is_used {
                            return Ok(End::OfUsedProcess(index));
                        }
                        refuse_killed(&mut server, name)?;
                    }
                    return Ok(End::Crash(index));
                }
            }
        }
        // A process whose byte code may depend on what it has compiled compiles no more.
        if is_canonical {
            slot.keep(server);
        }
        Ok(End::All)
    }

    /// Compiles no more: what is compiled after this call, and after the sources that a process is
    /// compiling now, is an error.
    pub fn stop(&self) {
        self.pool.stop();
    }
}

/// Returns an error if a process, which has not answered to the end, was killed from outside while it
/// compiled a source.
fn refuse_killed(server: &mut Server, name: &str) -> Result<()> {
    match server.end().and_then(killed_from_outside) {
        Some(signal) => {
            bail!("the interpreter was killed by signal {signal} while it compiled `{name}`")
        }
        None => Ok(()),
    }
}

/// Returns the signal that ended a process through no fault of its own, if so.
pub(super) fn killed_from_outside(status: ExitStatus) -> Option<i32> {
    status
        .signal()
        .filter(|signal| FROM_OUTSIDE.contains(signal))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_invalid_greeting_is_rejected() {
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

    /// Has a shell script in place of the interpreter compile each of these lists of sources.
    /// Returns the names of those that it compiles into the expected byte code, and how often it was
    /// started.
    fn requested(
        script: &str,
        requests: &[&[&str]],
        expected: &[u8],
    ) -> Result<(Vec<String>, usize)> {
        let directory = tempfile::tempdir().unwrap();
        let interpreter = directory.path().join("python3");
        // Another process writes the script: processes that concurrent tests start could inherit a
        // descriptor that is open for writing, and the script could not be executed.
        let write = "printf '%s' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(write)
            .arg(&interpreter)
            .arg(format!("#!/bin/sh\nprintf s >> $0.starts\n{script}"));
        assert!(shell.status().unwrap().success());
        let compiler = Compiler::new(
            interpreter.clone(),
            vec![("PYTHONHASHSEED".into(), "1".into())],
            Form::Unchecked,
        );
        let mut found = Vec::new();
        for names in requests {
            compiler.compile(directory.path(), names, |compiled| {
                assert_eq!((compiled.tag, compiled.code), ("x-1", expected));
                found.push(compiled.name.to_owned());
                Ok(())
            })?;
        }
        let starts = crate::fs::read(&interpreter.with_extension("starts"))?;
        Ok((found, starts.len()))
    }

    fn compiled(script: &str, names: &[&str]) -> Result<Vec<String>> {
        requested(script, &[names], b"ab").map(|(found, _)| found)
    }

    /// A script that answers a request, with `ab` for each source but those of `cases`.
    fn one_request(cases: &str) -> String {
        format!(
            r"names=$(dd bs=65536 count=1 2>/dev/null | tail -c +5 | tr '\0' '\n' | tail -n +2)
            code() {{ printf '\002\000\000\000ab'; }}
            printf 'byte code of x-1\n'
            for name in $names; do case $name in {cases} *) code;; esac; done"
        )
    }

    /// `None`, as byte code of 3.11, and what prints it as the answer to a request for one source.
    const NONE: &[u8] = b"\xa7\r\r\n\0\0\0\0\0\0\0\0\0\0\0\0N";
    const ANSWER: &str =
        r"printf 'byte code of x-1\n\021\000\000\000\247\015\015\012\0\0\0\0\0\0\0\0\0\0\0\0N'";

    #[test]
    fn a_process_answers_all_requests_if_its_byte_code_does_not_depend_on_them() {
        let requests: [&[&str]; 3] = [&["a"], &["b"], &["c"]];
        let unknown = r"printf 'byte code of x-1\n\002\000\000\000ab'";
        for (answer, code, starts) in [(ANSWER, NONE, 1), (unknown, b"ab", 3)] {
            let script =
                format!("while dd bs=65536 count=1 2>/dev/null | grep -q .; do {answer}; done");
            let found = requested(&script, &requests, code).unwrap();
            assert_eq!(found, (["a", "b", "c"].map(str::to_owned).to_vec(), starts));
        }
    }

    #[test]
    fn a_new_process_continues_after_one_that_ends_later() {
        let requests: [&[&str]; 3] = [&["a"], &["b"], &["c"]];
        let read = "dd bs=65536 count=1 >/dev/null 2>&1";
        for end in ["exit 0", "kill -XCPU $$", "kill -KILL $$"] {
            // It ends when it is idle, or while it answers.
            let idle = format!("{read}; {ANSWER}; {end}");
            let busy = format!(r"{read}; {ANSWER}; {read}; printf 'byte code of x-1\n'; {end}");
            for script in [idle, busy] {
                let (found, starts) = requested(&script, &requests, NONE).unwrap();
                assert_eq!(
                    (found.join(" "), starts),
                    ("a b c".to_owned(), 3),
                    "{script}"
                );
            }
        }
    }

    #[test]
    fn a_source_that_crashes_two_processes_is_skipped() {
        let names = ["a", "b", "c", "d", "b"];
        for crash in [
            "exit 1",
            "kill -SEGV $$",
            r"printf '\002\000\000\000a'; exit 0",
        ] {
            let script = one_request(&format!("b) {crash};;"));
            let (found, starts) = requested(&script, &[&names], b"ab").unwrap();
            assert_eq!(
                (found.join(" "), starts),
                ("a c d".to_owned(), 4),
                "{crash}"
            );
        }
        let uncompilable = one_request(r"b) printf '\000\000\000\000';;");
        assert_eq!(compiled(&uncompilable, &names).unwrap(), ["a", "c", "d"]);
        let seeded = one_request("*) [ \"$PYTHONHASHSEED\" = 0 ] && code;;");
        assert_eq!(compiled(&seeded, &["a"]).unwrap(), ["a"]);
    }

    #[test]
    fn a_source_that_crashes_one_process_is_not_skipped() {
        let once = one_request("*) [ -e $0.$name ] || { : > $0.$name; exit 1; }; code;;");
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        assert_eq!(compiled(&once, &names[..9]).unwrap(), names[..9]);
        let error = compiled(&once, &names).unwrap_err().to_string();
        assert_eq!(
            error,
            "the interpreter crashes on a different source each time, such as `j`"
        );
    }

    #[test]
    fn a_killed_process_and_an_unreadable_source_are_errors() {
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
    fn a_program_without_an_answer_is_not_a_compiler() {
        for script in ["exit 0", "echo '<-S>'", "kill -SEGV $$"] {
            assert!(
                compiled(script, &["a"]).unwrap_err().is::<NoCompiler>(),
                "{script}"
            );
        }
    }

    #[test]
    fn truncated_byte_code_is_rejected() {
        let mut code = Vec::new();
        assert!(read_code(&mut &b"\x02\0\0\0ab"[..], &mut code).is_ok());
        assert_eq!(code, b"ab");
        for text in [&b"\x02\0\0\0a"[..], b"\x02\0", b""] {
            assert!(read_code(&mut { text }, &mut code).is_err());
        }
    }
}
