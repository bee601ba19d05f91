//! The interpreter itself as the compiler: a process that reads sources and writes byte code to a pipe.
//!
//! One process compiles a part of a wheel that does not depend on who compiles what else, so that its byte code does not either: what
//! `marshal` writes depends on what the process has compiled before. A source that the process dies of, or takes too long for, is left
//! out, and another process goes on behind it.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::fs;

const PROGRAM: &str = include_str!("compile.py");
const GREETING: &str = "byte code of ";
/// How long a source may take, in milliseconds. The largest in use take a few seconds.
const PATIENCE: u16 = 60_000;

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
    /// `sys.implementation.cache_tag`.
    pub tag: &'a str,
    /// The content of a `.pyc` file.
    pub code: &'a [u8],
}

impl Compiler {
    /// Compiles the sources of these names in a folder, and shows the byte code of each to `keep`, in order; what cannot be compiled is
    /// passed over.
    ///
    /// # Errors
    /// Those of `keep`; [`NoCompiler`].
    pub fn compile(&self, folder: &Path, names: &[&str], mut keep: impl FnMut(&Compiled) -> Result<()>) -> Result<()> {
        let mut rest = names;
        while !rest.is_empty() {
            let done = self.run(folder, rest, &mut keep)?;
            if let Some(name) = rest.get(done) {
                tracing::debug!(name, "the interpreter does not survive it");
            }
            rest = rest.get(done + 1..).unwrap_or_default();
        }
        Ok(())
    }

    /// Runs one process. Gives how many sources it was done with before it ended.
    fn run(&self, folder: &Path, names: &[&str], keep: &mut impl FnMut(&Compiled) -> Result<()>) -> Result<usize> {
        let mut process = Running(self.start(folder, names)?);
        let output = process.0.stdout.take().ok_or(NoCompiler)?;
        let mut answer = BufReader::new(Patient(output));
        let tag = greeting(&mut answer).map_err(|_| NoCompiler)?;
        let mut code = Vec::new();
        for (done, name) in names.iter().enumerate() {
            if read_code(&mut answer, &mut code).is_err() {
                return Ok(done);
            }
            if !code.is_empty() {
                keep(&Compiled { name, tag: &tag, code: &code })?;
            }
        }
        Ok(names.len())
    }

    fn start(&self, folder: &Path, names: &[&str]) -> Result<Child> {
        let mut command = Command::new(&self.interpreter);
        // The names are no input of its: to write to a process that has ended would end this one.
        command.args(["-S", "-s", "-B", "-X", "utf8", "-c", PROGRAM]).arg(folder).args(names);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
        command.env_clear();
        let is_pythons = |name: &OsString| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"PYTHON") || name.starts_with(b"__PYVENV")
        };
        command.envs(self.environment.iter().filter(|(name, _)| !is_pythons(name)).cloned());
        // The order of a set of constants depends on it.
        command.env("PYTHONHASHSEED", "0");
        command.spawn().map_err(|error| {
            let error = anyhow::Error::from(error);
            if fs::is_systems_fault(&error) { error.context("cannot run the interpreter") } else { NoCompiler.into() }
        })
    }
}

/// A process that does not outlive this.
struct Running(Child);

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
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        self.0.read(buffer)
    }
}

/// Reads the first line. Gives the cache tag.
fn greeting(answer: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    answer.take(100).read_until(b'\n', &mut line)?;
    let tag = std::str::from_utf8(&line)?.strip_prefix(GREETING).and_then(|rest| rest.strip_suffix('\n'));
    match tag.filter(|tag| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))) {
        Some(tag) => Ok(tag.to_owned()),
        None => bail!("it answers something else"),
    }
}

fn read_code(answer: &mut impl Read, code: &mut Vec<u8>) -> std::io::Result<()> {
    let mut length = [0; 4];
    answer.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    code.clear();
    answer.take(length.into()).read_to_end(code)?;
    if code.len() == length as usize { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
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
        let folder = tempfile::tempdir().unwrap();
        let interpreter = folder.path().join("python3");
        fs::write_new(&interpreter, format!("#!/bin/sh\n{script}").as_bytes(), 0o755).unwrap();
        let compiler = Compiler { interpreter, environment: vec![("PYTHONHASHSEED".into(), "1".into())] };
        let mut found = Vec::new();
        compiler.compile(folder.path(), names, |compiled| {
            assert_eq!((compiled.tag, compiled.code), ("x-1", &b"ab"[..]));
            found.push(compiled.name.to_owned());
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn what_a_process_dies_of_is_left_out() {
        let one = r"printf 'byte code of x-1\n\002\000\000\000ab'";
        assert_eq!(compiled(one, &["a", "b", "c", "d"]).unwrap(), ["a", "c"]);
        let none = r"printf 'byte code of x-1\n\000\000\000\000\002\000\000\000a'";
        assert_eq!(compiled(none, &["a", "b"]).unwrap(), [""; 0]);
        let seeded = format!("[ \"$PYTHONHASHSEED\" = 0 ] && {one}");
        assert_eq!(compiled(&seeded, &["a"]).unwrap(), ["a"]);
    }

    #[test]
    fn who_does_not_answer_is_no_compiler() {
        for script in ["exit 0", "echo '<-S>'", "kill -9 $$"] {
            assert!(compiled(script, &["a"]).unwrap_err().is::<NoCompiler>(), "{script}");
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
