//! The repetition of failed attempts: exponential pauses with jitter, and the header `Retry-After`.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use tracing::debug;

use super::trouble::{Again, Purpose, Trouble};
use super::{RemoteUrl, Retry};
use crate::report;

/// Pauses from this length on are reported to the user.
const LONG: Duration = Duration::from_secs(5);

impl Retry {
    /// Calls `attempt` until it succeeds, fails for good, or has failed `attempts` times since it
    /// last reported progress to the [`Attempts`] that it receives.
    ///
    /// # Errors
    /// The last attempt's, for the request of `url`.
    pub(super) fn run<T>(
        &self,
        purpose: Purpose,
        url: &RemoteUrl,
        mut attempt: impl FnMut(&mut Attempts) -> Result<T, Trouble>,
    ) -> Result<T> {
        let mut attempts = Attempts { failed: 0 };
        loop {
            let trouble = match attempt(&mut attempts) {
                Ok(result) => return Ok(result),
                Err(trouble) => trouble,
            };
            attempts.failed += 1;
            let wanted = match trouble.again {
                Again::Never => return Err(trouble.into_error(purpose, url, 1)),
                Again::Later(_) if attempts.failed >= self.attempts => {
                    return Err(trouble.into_error(purpose, url, attempts.failed));
                }
                Again::Later(wanted) => wanted,
            };
            let pause = self.pause(attempts.failed, wanted, random());
            let why = report::one_line(&trouble.into_error(purpose, url, 1));
            debug!(attempt = attempts.failed, ?pause, why, "an attempt failed");
            // A short pause needs no message.
            if pause >= LONG {
                report::notice(&format!("{why}; trying again in {} s", pause.as_secs()));
            }
            std::thread::sleep(pause);
        }
    }

    /// Returns the pause after the `failed`th attempt: doubled each time, of which `random` (0 to
    /// 1) takes away up to a half, but at least what the server wants, and at most the longest.
    fn pause(&self, failed: u32, wanted: Option<Duration>, random: f64) -> Duration {
        let doubled = self
            .first_pause
            .saturating_mul(1 << failed.saturating_sub(1).min(20));
        let pause = doubled.min(self.longest_pause).mul_f64(1.0 - random / 2.0);
        pause
            .max(wanted.unwrap_or_default())
            .min(self.longest_pause)
    }
}

/// The attempts at one request.
#[derive(Debug)]
pub(super) struct Attempts {
    /// The number of attempts that failed since the last progress.
    failed: u32,
}

impl Attempts {
    /// Forgets the earlier failures, since this attempt has brought the request forward.
    pub(super) fn has_progressed(&mut self) {
        self.failed = 0;
    }
}

/// Returns a number from 0 to 1, so that many machines do not try again at the same moment.
fn random() -> f64 {
    let number = RandomState::new().hash_one(0);
    f64::from(u32::try_from(number >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// Parses the header `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). Returns the
/// pause from `now` on.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    // `dateparse` finds a date in any text. Those of HTTP end with their time zone.
    let date = value.trim().ends_with("GMT").then_some(value)?;
    let date = u64::try_from(mailparse::dateparse(date).ok()?).ok()?;
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Duration::from_secs(date.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let retry = Retry {
            attempts: 5,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(10),
        };
        let rows = [
            (1, None, 0.0, 1000),
            (1, None, 1.0, 500),
            (2, None, 0.0, 2000),
            (4, None, 0.5, 6000),
            (5, None, 0.0, 10_000),
            (4_000_000_000, None, 0.0, 10_000),
            (1, Some(3), 0.0, 3000),
            (3, Some(1), 0.0, 4000),
            (1, Some(86_400), 0.0, 10_000),
        ];
        for (failed, wanted, random, expected) in rows {
            let pause = retry.pause(failed, wanted.map(Duration::from_secs), random);
            assert_eq!(
                pause,
                Duration::from_millis(expected),
                "{failed} {wanted:?} {random}"
            );
        }
        assert!((0.0..=1.0).contains(&random()));
    }

    #[test]
    fn a_server_asks_for_a_pause_in_seconds_or_by_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_767);
        let rows = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ];
        for (value, expected) in rows {
            assert_eq!(
                retry_after(value, now),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }
}
