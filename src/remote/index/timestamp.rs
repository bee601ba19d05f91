//! Points in time: the upload times of an index (PEP 700), and the limit of `--exclude-newer`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use toml::value::{Date, Datetime, Offset, Time};

/// A point in time, with a resolution of one microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    microseconds: i64,
}

/// The length of a day. Leap seconds do not count, as in POSIX.
const DAY: Duration = Duration::from_hours(24);

impl Timestamp {
    /// Parses a timestamp of RFC 3339 with its offset: `2024-01-02T03:04:05.678Z`.
    ///
    /// # Errors
    /// The text is not a timestamp, or is before 1970.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a timestamp such as `2024-01-02T03:04:05Z`");
        // The form that PEP 700 requires, of which a page has thousands.
        if let Ok(time) = humantime::parse_rfc3339(text) {
            return Self::of_time(time).ok_or_else(bad);
        }
        let parsed: Datetime = text.parse().map_err(|_| bad())?;
        let (Some(date), Some(time), Some(offset)) = (parsed.date, parsed.time, parsed.offset)
        else {
            return Err(bad());
        };
        Self::of(date, time, offset).ok_or_else(bad)
    }

    /// Parses the limit of `--exclude-newer`: a timestamp of RFC 3339, or a date, as uv does. A
    /// date includes the whole day, in UTC, so that the result is the same on every machine.
    ///
    /// Returns the first point in time that is excluded.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse_limit(text: &str) -> Result<Self, String> {
        let midnight = Time {
            hour: 0,
            minute: 0,
            second: Some(0),
            nanosecond: None,
        };
        match text.parse() {
            Ok(Datetime {
                date: Some(date),
                time: None,
                offset: None,
            }) => {
                // The day itself is included, so the limit is the next midnight.
                let start = Self::of(date, midnight, Offset::Z);
                start.and_then(|start| start.after(DAY))
            }
            _ => Self::parse(text).ok(),
        }
        .ok_or_else(|| {
            format!(
                "`{text}` is neither a date such as `2024-01-02` nor a timestamp such as \
                 `2024-01-02T03:04:05Z`"
            )
        })
    }

    /// Returns the point in time that these fields denote; none before 1970 or for a date that the
    /// calendar does not have.
    fn of(date: Date, time: Time, offset: Offset) -> Option<Self> {
        let Time {
            hour,
            minute,
            second,
            nanosecond,
        } = time;
        let (second, nanosecond) = (second.unwrap_or(0), nanosecond.unwrap_or(0));
        let text = format!("{date}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z");
        let local = Self::of_time(humantime::parse_rfc3339(&text).ok()?)?;
        let minutes = match offset {
            Offset::Z => 0,
            Offset::Custom { minutes } => i64::from(minutes),
        };
        Some(Self {
            microseconds: local.microseconds.checked_sub(minutes * 60_000_000)?,
        })
    }

    /// Returns a time of the system; none before 1970.
    fn of_time(time: SystemTime) -> Option<Self> {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        let microseconds = i64::try_from(since.as_micros()).ok()?;
        Some(Self { microseconds })
    }

    fn after(self, duration: Duration) -> Option<Self> {
        let duration = i64::try_from(duration.as_micros()).ok()?;
        Some(Self {
            microseconds: self.microseconds.checked_add(duration)?,
        })
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Timestamp {
    /// Formats it in UTC, as RFC 3339 specifies.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = Duration::from_micros(self.microseconds.try_into().unwrap_or(0));
        let time: SystemTime = UNIX_EPOCH + since;
        write!(formatter, "{}", humantime::format_rfc3339(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_those_of_rfc_3339() {
        let rows = [
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02 03:04:05z", "2024-01-02T03:04:05Z"),
            (
                "2024-01-02T03:04:05.678901Z",
                "2024-01-02T03:04:05.678901000Z",
            ),
            ("2024-01-01T00:30:00+01:00", "2023-12-31T23:30:00Z"),
            ("2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00Z"),
        ];
        for (text, expected) in rows {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), expected);
        }
        for text in [
            "",
            "2024-01-02",
            "03:04:05",
            "2024-01-02T03:04:05",
            "2024-02-30T00:00:00Z",
            "1960-01-01T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "yesterday",
        ] {
            Timestamp::parse(text).unwrap_err();
        }
    }

    #[test]
    fn a_limit_may_be_a_date_which_includes_its_day() {
        let limit = |text| Timestamp::parse_limit(text).map(|limit| limit.to_string());
        assert_eq!(limit("2024-02-28").unwrap(), "2024-02-29T00:00:00Z");
        assert_eq!(
            limit("2024-01-02T03:04:05Z").unwrap(),
            "2024-01-02T03:04:05Z"
        );
        assert_eq!(
            limit("soon").unwrap_err(),
            "`soon` is neither a date such as `2024-01-02` nor a timestamp such as `2024-01-02T03:04:05Z`"
        );
    }
}
