//! A failure that those share who waited for the work: it is not done again by each of them.
//!
//! Only what would fail for the others too is shared. A limit of the process that failed, such as
//! that of its open files, is not; nor is what was made of other inputs: the same wheel may lie in
//! two places, of which one cannot be read.

use std::io;

use anyhow::Error;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::fs::Digest;
use crate::report::Failure;

/// What a process may meet and its neighbour not.
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

/// A failure, and a digest of what the work was to be made of. The same failure of two processes is
/// not the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SharedFailure {
    process: u32,
    failure: Failure,
    inputs: Digest,
}

impl SharedFailure {
    /// None where the others may have better luck.
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

    /// Reads what [`SharedFailure::render`] has written; none where it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it stands in a file.
    pub fn render(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The failure, if it is one of work on these inputs.
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
    fn what_another_process_may_not_meet_is_not_shared() {
        let is_shared = |code: Errno| {
            let error =
                Error::from(io::Error::from_raw_os_error(code as i32)).context("cannot write");
            SharedFailure::new(&error, &Digest::of(b"")).is_some()
        };
        assert!(is_shared(Errno::ENOSPC) && is_shared(Errno::EIO));
        assert!(!is_shared(Errno::EMFILE) && !is_shared(Errno::EACCES));
    }
}
