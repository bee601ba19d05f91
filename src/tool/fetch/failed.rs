//! The reason why pip failed, parsed from its output, and the error message for it.

use super::network;
use crate::report::{Failure, Kind};
use crate::spec::{parse_requirement, ways_around_digests};

/// The text before the requirement that pip cannot find.
const NOT_FOUND: &str = "No matching distribution found for ";

/// The reason why pip failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The network failed, even after retries.
    Network,
    /// The files on the index do not have the pinned digests.
    Digests,
    /// Another reason, which pip has printed.
    Other,
}

impl Reason {
    /// Classifies the output of a failed pip.
    pub fn of(stderr: &str) -> Self {
        if stderr.contains("DO NOT MATCH THE HASHES") {
            Self::Digests
        } else if network::is_network_error(stderr) {
            Self::Network
        } else {
            Self::Other
        }
    }
}

/// A call of pip that failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// The kind of reason.
    pub reason: Reason,
    /// The reason as a sentence.
    pub cause: String,
    /// pip's output on stderr.
    pub stderr: String,
    /// Whether this pip can build a project that has only a `setup.py`.
    pub can_build: bool,
    /// The command that fetches again.
    pub retry_command: String,
}

impl Failed {
    /// Returns the error that pip cannot fetch these lines of a requirements file.
    pub fn failure(&self, lines: &[String]) -> Failure {
        let hint = match self.reason {
            Reason::Network => {
                "check the connection, the proxy and the index in pip's configuration; `VPYTHON_NETWORK_RETRY_TIMEOUT=SECONDS` \
                 changes how long vpython retries"
            }
            Reason::Digests => &*ways_around_digests(&self.retry_command),
            Reason::Other if !self.can_build && self.stderr.contains("bdist_wheel") => {
                "this pip builds with `wheel`, which the interpreter does not have: install it with `-m pip install wheel`"
            }
            Reason::Other => "pip's own output is above; words after `--` are passed to pip",
        };
        let lines: Vec<&str> = lines.iter().map(|line| bare(line)).collect();
        Failure::new(format!("pip cannot fetch {}", lines.join(", ")))
            .because(self.cause.clone())
            .hint(hint)
            .kind(Kind::Refused)
    }

    /// Checks whether pip's output blames this line of a requirements file: pip found no
    /// distribution for it, or none with its digest.
    pub fn blames(&self, line: &str) -> bool {
        let parse = |text: &str| {
            parse_requirement(text.trim())
                .ok()
                .map(|asked| (asked.name, asked.version_or_url))
        };
        let Some(line) = parse(bare(line)) else {
            return false;
        };
        let named = self.stderr.lines().filter_map(|text| match self.reason {
            // `    six==1.15.0 from https://…:`
            Reason::Digests => Some(text.strip_prefix("    ")?.split_once(" from ")?.0),
            Reason::Network | Reason::Other => Some(
                text.split_once(NOT_FOUND)?
                    .1
                    .split(" (from ")
                    .next()
                    .unwrap_or_default(),
            ),
        });
        named.map(parse).any(|named| named.as_ref() == Some(&line))
    }
}

/// Returns a line of a requirements file without its digests.
pub(super) fn bare(line: &str) -> &str {
    line.split(" --hash").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> Failed {
        Failed {
            reason: Reason::of(stderr),
            cause: String::new(),
            stderr: stderr.to_owned(),
            can_build: true,
            retry_command: String::new(),
        }
    }

    #[test]
    fn blames_the_requirement_that_pip_names() {
        let stderr = "ERROR: Could not find a version that satisfies the requirement b>1 (from a) (from versions: 1)\n\
                    ERROR: No matching distribution found for b>1\n";
        let rows = [
            ("b>1", true),
            ("B > 1", true),
            ("b", false),
            ("a", false),
            ("b>1,<3", false),
        ];
        for (line, expected) in rows {
            assert_eq!(failed(stderr).blames(line), expected, "{line}");
        }
        let stderr = "No matching distribution found for a<3,>=1 (from -r x.txt (line 1))\n";
        assert!(failed(stderr).blames("a>=1,<3"), "in any order");
        let stderr = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated\n    \
                    six==1.15.0 from https://x/six-1.15.0-py3-none-any.whl (from -r x.txt (line 1)):\n        Expected sha256 0\n";
        assert!(
            failed(stderr).blames("six==1.15.0 --hash=sha256:0")
                && !failed(stderr).blames("toml==1 --hash=sha256:0")
        );
    }

    #[test]
    fn pip_output_gives_the_reason() {
        let rows = [
            (
                "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
                Reason::Digests,
            ),
            (
                "WARNING: Retrying (...) after connection broken by 'x'\nERROR: No matching distribution found for a",
                Reason::Network,
            ),
            ("ERROR: No matching distribution found for a", Reason::Other),
        ];
        for (stderr, expected) in rows {
            assert_eq!(failed(stderr).reason, expected, "{stderr}");
        }
    }
}
