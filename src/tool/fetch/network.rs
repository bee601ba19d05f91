//! Trying again where the network fails, as LUCI's vpython does: for
//! `VPYTHON_NETWORK_RETRY_TIMEOUT` seconds, 300 unless set, with five seconds in between; a value
//! that is no number counts as not set, and `0` is no second try.
//!
//! pip itself tries each connection a few times within a few seconds. That is once for each time
//! that it is called, since it ends at the first project that it cannot look up.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::process::{Process, variable};
use crate::report;

/// For how long it is tried, unless the caller says otherwise.
const DEFAULT: Duration = Duration::from_mins(5);
/// How long it takes to the next try.
const PAUSE: Duration = Duration::from_secs(5);
/// What pip and its libraries say where the network fails, in lower case.
const SIGNS: [&str; 18] = [
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

/// Whether what pip said before it failed is about the network.
pub(super) fn is_blamed_in(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    SIGNS.iter().any(|sign| said.contains(sign))
}

/// For how long it is tried again.
pub(super) struct Patience {
    timeout: Duration,
    /// When the network failed first, since it last worked.
    since: Cell<Option<Instant>>,
}

impl Patience {
    /// That of the caller.
    pub fn of(process: &Process) -> Self {
        let setting = process
            .setting(variable::NETWORK_RETRY_TIMEOUT)
            .and_then(|text| text.to_str());
        Self {
            timeout: setting.map_or(DEFAULT, timeout),
            since: Cell::new(None),
        }
    }

    /// To be called where the network works.
    pub fn renew(&self) {
        self.since.set(None);
    }

    /// Waits for the next try; gives whether there is to be one.
    pub fn wait(&self) -> bool {
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        let left = self.timeout.saturating_sub(since.elapsed());
        if left.is_zero() {
            return false;
        }
        let seconds = left.as_secs_f64().ceil();
        report::notice(&format!(
            "the network failed; trying again for {seconds} s (`{}=0` does not)",
            variable::NETWORK_RETRY_TIMEOUT
        ));
        std::thread::sleep(left.min(PAUSE));
        true
    }

    /// What there is to say where it was in vain.
    pub fn sentence(&self) -> String {
        match self.timeout.as_secs_f64() {
            0.0 => "the network failed".to_owned(),
            seconds => format!("the network failed, and did for {seconds} s"),
        }
    }
}

/// The time that a text names, in seconds as `float()` of Python reads them.
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
    fn what_pip_says_of_the_network_is_known() {
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
        for (said, expected) in rows {
            assert_eq!(is_blamed_in(said), expected, "{said}");
        }
    }
}
