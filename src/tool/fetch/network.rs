//! Retries after network failures, as in LUCI's vpython: for `VPYTHON_NETWORK_RETRY_TIMEOUT`
//! seconds (default 300), every five seconds. A value that is not a number counts as unset, and `0`
//! disables retries.
//!
//! pip itself retries each connection a few times within a few seconds. That happens only once for
//! each call of pip, since pip exits at the first project that it cannot look up.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::process::{Process, variable};
use crate::report;

/// The default time to retry.
const DEFAULT: Duration = Duration::from_mins(5);
/// The pause before each retry.
const PAUSE: Duration = Duration::from_secs(5);
/// Texts that pip and its libraries print if the network fails, in lower case.
const NETWORK_ERRORS: [&str; 18] = [
    "after connection broken by",
    "connection aborted",
    "connection refused",
    "connection reset",
    "connecttimeouterror",
    "connection timed out",
    "connectionerror",
    "dns error",
    "failed to establish a new connection",
    "getaddrinfo failed",
    "incompleteread",
    "max retries exceeded",
    "name or service not known",
    "network is unreachable",
    "nodename nor servname provided",
    "read timed out",
    "remote end closed connection",
    "temporary failure in name resolution",
];

/// Checks whether the output of a failed pip blames the network.
pub(super) fn is_network_error(stderr: &str) -> bool {
    let stderr = stderr.to_ascii_lowercase();
    NETWORK_ERRORS.iter().any(|error| stderr.contains(error))
}

/// The retry limit, and the time that was already spent.
pub(super) struct RetryTimer {
    timeout: Duration,
    /// The time of the first failure since the network last worked.
    since: Cell<Option<Instant>>,
}

impl RetryTimer {
    /// Reads the caller's setting.
    pub fn of(process: &Process) -> Self {
        let setting = process
            .setting(variable::NETWORK_RETRY_TIMEOUT)
            .and_then(|text| text.to_str());
        Self {
            timeout: setting.map_or(DEFAULT, timeout),
            since: Cell::new(None),
        }
    }

    /// Resets the limit. The caller calls this function when the network works.
    pub fn reset(&self) {
        self.since.set(None);
    }

    /// Waits before the next retry. Returns `false` if the time is up.
    pub fn wait(&self) -> bool {
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        let left = self.timeout.saturating_sub(since.elapsed());
        if left.is_zero() {
            return false;
        }
        let seconds = left.as_secs_f64().ceil();
        report::notice(&format!(
            "the network failed; retrying for {seconds} s (`{}=0` disables retries)",
            variable::NETWORK_RETRY_TIMEOUT
        ));
        std::thread::sleep(left.min(PAUSE));
        true
    }

    /// Returns the message for a network failure after all retries.
    pub fn message(&self) -> String {
        match self.timeout.as_secs_f64() {
            0.0 => "the network failed".to_owned(),
            seconds => format!("the network failed for {seconds} s"),
        }
    }
}

/// Parses a time in seconds, as Python's `float()` does.
fn timeout(text: &str) -> Duration {
    match text.trim().parse::<f64>() {
        Ok(seconds) if !seconds.is_nan() => {
            Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
        }
        _ => DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_number_of_seconds() {
        let rows = [
            ("10", Duration::from_secs(10)),
            (" 0.5 ", Duration::from_millis(500)),
            ("1e2", Duration::from_secs(100)),
            ("0", Duration::ZERO),
            ("-1", Duration::ZERO),
            ("inf", Duration::MAX),
            ("nan", DEFAULT),
            ("5 s", DEFAULT),
        ];
        for (text, expected) in rows {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }

    #[test]
    fn recognizes_network_failures_in_pip_output() {
        let rows = [
            (
                "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)'",
                true,
            ),
            (
                "HTTPSConnectionPool(host='x', port=443): Max retries exceeded with url: /",
                true,
            ),
            ("ERROR: No matching distribution found for six==1", false),
            ("", false),
        ];
        for (stderr, expected) in rows {
            assert_eq!(is_network_error(stderr), expected, "{stderr}");
        }
    }
}
