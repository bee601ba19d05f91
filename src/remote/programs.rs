//! Programs that answer one question: `getent`, `keyring`, and the credential helpers of docker.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::process::Process;

/// The maximum length of an answer in bytes.
const LONGEST: u64 = 64 * 1024;
/// The number of bytes for which every pipe has room.
const PIPE: usize = 4096;

/// Runs a program with nothing on its input, and returns its output. Returns none if it cannot be
/// started, fails, or does not end its output within `timeout`.
pub(super) fn ask(
    process: &Process,
    program: &OsStr,
    arguments: &[&str],
    timeout: Duration,
) -> Option<Vec<u8>> {
    run(process, program, arguments, Stdio::null(), timeout)
}

/// Like [`ask`], with a short text on the input of the program.
pub(super) fn ask_with_input(
    process: &Process,
    program: &OsStr,
    arguments: &[&str],
    input: &str,
    timeout: Duration,
) -> Option<Vec<u8>> {
    // The pipe has room for the text, and has a reader until the program has started: a program
    // that does not read its input cannot end this process by a signal.
    let (reader, mut writer) = std::io::pipe().ok()?;
    let input = input.as_bytes();
    if input.len() > PIPE {
        return None;
    }
    writer.write_all(input).ok()?;
    drop(writer);
    run(process, program, arguments, reader.into(), timeout)
}

fn run(
    process: &Process,
    program: &OsStr,
    arguments: &[&str],
    input: Stdio,
    timeout: Duration,
) -> Option<Vec<u8>> {
    let environment = process.environment.iter();
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.map(|(name, value)| (name, value)))
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = read_output(&mut child, timeout);
    if output.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    output.filter(|_| status.success())
}

/// Reads the output of a program to its end. Returns none after `timeout`.
fn read_output(child: &mut Child, timeout: Duration) -> Option<Vec<u8>> {
    let deadline = Instant::now() + timeout;
    let mut stdout = child.stdout.take()?;
    let mut output = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        // Waiting for more output must not exceed the deadline, and a signal must not end the wait.
        let left = deadline.checked_duration_since(Instant::now())?;
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return None,
        }
        match stdout.read(&mut chunk) {
            Ok(0) => return Some(output),
            Ok(length) => output.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
        // No password is that long.
        if output.len() as u64 > LONGEST {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_output_of_a_program_that_succeeds_in_time() {
        let ask = |script: &str, milliseconds| {
            let timeout = Duration::from_millis(milliseconds);
            ask(
                &Process::default(),
                OsStr::new("/bin/sh"),
                &["-c", script],
                timeout,
            )
        };
        assert_eq!(ask("echo a; echo b", 10_000), Some(b"a\nb\n".to_vec()));
        assert_eq!(ask("echo a; exit 2", 10_000), None);
        assert_eq!(ask("echo a; exec /bin/sleep 60", 50), None);
        assert_eq!(
            ask("while echo aaaaaaaaaaaaaaaaaaaaa; do :; done", 10_000),
            None
        );
    }

    #[test]
    fn a_program_may_read_its_input_or_not() {
        let ask = |script, input: &str| {
            ask_with_input(
                &Process::default(),
                OsStr::new("/bin/sh"),
                &["-c", script],
                input,
                Duration::from_secs(10),
            )
        };
        assert_eq!(ask("cat", "a\nb"), Some(b"a\nb".to_vec()));
        assert_eq!(ask("echo c", "a"), Some(b"c\n".to_vec()));
        assert_eq!(ask("cat", &"x".repeat(PIPE + 1)), None);
    }

    #[test]
    fn a_program_that_does_not_exist_gives_no_answer() {
        let process = Process::default();
        assert_eq!(process.find_program("no-such-program"), None);
        assert!(process.find_program("sh").is_some());
        let missing = OsStr::new("/no-such-program");
        assert_eq!(ask(&process, missing, &[], Duration::from_secs(1)), None);
    }
}
