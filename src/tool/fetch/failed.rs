//! Why pip could not fetch: what its words tell, and what is said of it.

use super::network;
use crate::report::{Failure, Kind};
use crate::spec::{parse_requirement, ways_around_digests};

/// How pip names what it does not find.
const NOT_FOUND: &str = "No matching distribution found for ";

/// Why it could not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The network failed, also when it was tried again.
    Network,
    /// What the index has does not have the digest that is pinned.
    Digests,
    /// Something else, which pip has told of.
    Other,
}

impl Why {
    /// What the words of a pip that failed tell.
    pub fn of(said: &str) -> Self {
        if said.contains("DO NOT MATCH THE HASHES") {
            Self::Digests
        } else if network::is_blamed_in(said) {
            Self::Network
        } else {
            Self::Other
        }
    }
}

/// A call of pip that failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// Why, in a word.
    pub why: Why,
    /// Why, as a sentence.
    pub because: String,
    /// What pip said on stderr.
    pub said: String,
    /// Whether this pip can build what only has a `setup.py`.
    pub can_build: bool,
    /// What to type to fetch again.
    pub again: String,
}

impl Failed {
    /// The error that these lines of a requirements file cannot be fetched.
    pub fn failure(&self, lines: &[String]) -> Failure {
        let hint = match self.why {
            Why::Network => {
                "check the connection, the proxy, and the index of pip's configuration; `VPYTHON_NETWORK_RETRY_TIMEOUT=SECONDS` \
                 tries for longer"
            }
            Why::Digests => &*ways_around_digests(&self.again),
            Why::Other if !self.can_build && self.said.contains("bdist_wheel") => {
                "this pip builds with `wheel`, which the interpreter does not have: install it with `-m pip install wheel`"
            }
            Why::Other => "its own words are above; words behind `--` are passed on to it",
        };
        let lines: Vec<&str> = lines.iter().map(|line| bare(line)).collect();
        Failure::new(format!("pip cannot fetch {}", lines.join(", ")))
            .because(self.because.clone())
            .hint(hint)
            .kind(Kind::Refused)
    }

    /// Whether pip says that it is this line of a requirements file for which there is nothing, or
    /// nothing with its digest.
    pub fn blames(&self, line: &str) -> bool {
        let parse = |text: &str| {
            parse_requirement(text.trim())
                .ok()
                .map(|asked| (asked.name, asked.version_or_url))
        };
        let Some(line) = parse(bare(line)) else {
            return false;
        };
        let named = self.said.lines().filter_map(|said| match self.why {
            // `    six==1.15.0 from https://…:`
            Why::Digests => Some(said.strip_prefix("    ")?.split_once(" from ")?.0),
            Why::Network | Why::Other => Some(
                said.split_once(NOT_FOUND)?
                    .1
                    .split(" (from ")
                    .next()
                    .unwrap_or_default(),
            ),
        });
        named.map(parse).any(|named| named.as_ref() == Some(&line))
    }
}

/// A line of a requirements file without its digests.
pub(super) fn bare(line: &str) -> &str {
    line.split(" --hash").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(said: &str) -> Failed {
        Failed {
            why: Why::of(said),
            because: String::new(),
            said: said.to_owned(),
            can_build: true,
            again: String::new(),
        }
    }

    #[test]
    fn what_pip_does_not_find_is_known_by_its_words() {
        let said = "ERROR: Could not find a version that satisfies the requirement b>1 (from a) (from versions: 1)\n\
                    ERROR: No matching distribution found for b>1\n";
        let rows = [
            ("b>1", true),
            ("B > 1", true),
            ("b", false),
            ("a", false),
            ("b>1,<3", false),
        ];
        for (line, expected) in rows {
            assert_eq!(failed(said).blames(line), expected, "{line}");
        }
        let said = "No matching distribution found for a<3,>=1 (from -r x.txt (line 1))\n";
        assert!(failed(said).blames("a>=1,<3"), "however it is ordered");
        let said = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated\n    \
                    six==1.15.0 from https://x/six-1.15.0-py3-none-any.whl (from -r x.txt (line 1)):\n        Expected sha256 0\n";
        assert!(
            failed(said).blames("six==1.15.0 --hash=sha256:0")
                && !failed(said).blames("toml==1 --hash=sha256:0")
        );
    }

    #[test]
    fn the_words_of_pip_tell_why() {
        let rows = [
            (
                "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
                Why::Digests,
            ),
            (
                "WARNING: Retrying (...) after connection broken by 'x'\nERROR: No matching distribution found for a",
                Why::Network,
            ),
            ("ERROR: No matching distribution found for a", Why::Other),
        ];
        for (said, expected) in rows {
            assert_eq!(failed(said).why, expected, "{said}");
        }
    }
}
