//! A failure that a process shares with the processes that waited for its work, so that they do not
//! repeat it.
//!
//! Only failures that the others would meet too are shared. A limit of the failed process, such as
//! that of its open files, is not shared; nor is a failure for other inputs: the same wheel may be
//! in two places, one of which cannot be read.

use std::io;

use anyhow::Error;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::fs::Digest;
use crate::report::Failure;

/// Errors that one process may meet and another may not.
const OF_ONE_PROCESS: [Errno; 8] = [
    Errno::EACCES,
    Errno::EAGAIN,
    Errno::EFBIG,
    Errno::EINTR,
    Errno::EMFILE,
    Errno::ENOENT,
    Errno::ENOMEM,
    Errno::EPERM,
];

/// A failure, and a digest of the inputs of the work. The process ID makes the same failure of two
/// processes different texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SharedFailure {
    process: u32,
    failure: Failure,
    inputs: Digest,
}

impl SharedFailure {
    /// Returns none if the work may succeed in another process.
    pub fn new(error: &Error, inputs: &Digest) -> Option<Self> {
        let codes = error
            .chain()
            .filter_map(|link| link.downcast_ref::<io::Error>()?.raw_os_error());
        let is_of_one = codes
            .map(Errno::from_raw)
            .any(|code| OF_ONE_PROCESS.contains(&code));
        (!is_of_one).then(|| Self {
            process: std::process::id(),
            failure: Failure::of(error),
            inputs: *inputs,
        })
    }

    /// Parses the output of [`SharedFailure::render`]; none for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the content of the lock file.
    pub fn render(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Returns the failure if it is for these inputs.
    pub fn of(self, inputs: &Digest) -> Option<Failure> {
        (self.inputs == *inputs).then_some(self.failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    #[test]
    fn a_failure_survives_the_file() {
        let failure = Failure::new("cannot do it")
            .because("of \u{1b}this")
            .because("and that")
            .hint("try again");
        let error = Error::from(failure).context("cannot go on");
        let inputs = Digest::of(b"inputs");
        let text =
            String::from_utf8(SharedFailure::new(&error, &inputs).unwrap().render()).unwrap();
        let read = SharedFailure::parse(&text).unwrap();
        assert_eq!(
            report::render(&read.clone().of(&inputs).unwrap().into()),
            report::render(&error)
        );
        assert_eq!(read.of(&Digest::of(b"others")), None);
        assert_eq!(
            (SharedFailure::parse("4242"), SharedFailure::parse("")),
            (None, None)
        );
    }

    #[test]
    fn a_failure_of_one_process_alone_is_not_shared() {
        let is_shared = |code: Errno| {
            let error =
                Error::from(io::Error::from_raw_os_error(code as i32)).context("cannot write");
            SharedFailure::new(&error, &Digest::of(b"")).is_some()
        };
        assert!(is_shared(Errno::ENOSPC) && is_shared(Errno::EIO));
        assert!(!is_shared(Errno::EMFILE) && !is_shared(Errno::EACCES));
    }
}
