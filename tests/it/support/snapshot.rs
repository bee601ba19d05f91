//! Expected texts: values that a test computes, and snapshots, which are literals in the test that
//! rewrite themselves.
//!
//! `UPDATE_EXPECT=1 cargo test` rewrites each snapshot whose text has changed. A snapshot is
//! therefore a constant: `World::redact` and `Outcome::replacing` replace what differs between
//! machines and runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use expect_test::Expect;

/// A text that an actual text must equal.
pub trait Expected {
    /// Fails unless the texts are equal.
    #[track_caller]
    fn check(self, actual: &str);
}

impl Expected for &Expect {
    fn check(self, actual: &str) {
        if std::env::var_os("UPDATE_EXPECT").is_none() || is_first(self, actual) {
            self.assert_eq(actual);
        }
    }
}

impl Expected for Expect {
    fn check(self, actual: &str) {
        Expected::check(&self, actual);
    }
}

impl Expected for &str {
    #[track_caller]
    fn check(self, actual: &str) {
        assert!(
            self == actual,
            "--- expected\n{self}--- but it is\n{actual}---"
        );
    }
}

impl Expected for &String {
    #[track_caller]
    fn check(self, actual: &str) {
        self.as_str().check(actual);
    }
}

/// Checks whether a snapshot is updated for the first time. A second update would write over the
/// wrong part of the file.
fn is_first(snapshot: &Expect, actual: &str) -> bool {
    static SEEN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let place = snapshot.position.to_string();
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    match seen.get(&place) {
        None => {
            seen.insert(place, actual.to_owned());
            true
        }
        Some(first) => {
            assert_eq!(first, actual, "{place}: the text differs between two runs");
            false
        }
    }
}
