//! Zip archives with times in UTC, Unix permission bits, symbolic links stored as links, and Zip64
//! where a file or the archive exceeds the limits of the classic format.

use std::io::{Seek, Write};

use anyhow::{Context, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::contents::{Contents, ItemKind};

/// The Deflate compression level, from 1 to 9.
const LEVEL: i64 = 6;
/// Seconds in a day.
const DAY: u32 = 24 * 60 * 60;

/// Writes the archive.
pub(super) fn write(contents: &Contents, to: &mut (impl Write + Seek)) -> Result<()> {
    let mut archive = ZipWriter::new(to);
    let options = SimpleFileOptions::DEFAULT
        .last_modified_time(time(contents.time))
        .system(System::Unix)
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL));
    for item in contents.as_listed() {
        let cannot = || format!("cannot write `{}`", item.path);
        match item.kind {
            ItemKind::Directory => archive
                .add_directory(&*item.path, options.unix_permissions(0o755))
                .with_context(cannot)?,
            ItemKind::Link { target } => {
                archive
                    .add_symlink(&*item.path, target, options.unix_permissions(0o777))
                    .with_context(cannot)?;
            }
            ItemKind::File {
                source, mode, size, ..
            } => {
                // Compression may enlarge incompressible content slightly.
                let is_large = size > u64::from(u32::MAX) - (size / 1000 + 1024);
                let options = options.unix_permissions(mode.bits()).large_file(is_large);
                archive
                    .start_file(&*item.path, options)
                    .with_context(cannot)?;
                contents.copy(source, size, &mut archive)?;
            }
        }
    }
    archive
        .finish()
        .map(drop)
        .context("cannot write the end of the archive")
}

/// Converts a time to a zip timestamp: years 1980 to 2107, with a resolution of two seconds.
fn time(seconds: u32) -> DateTime {
    let (year, month, day) = date(seconds / DAY);
    let [hour, minute, second] = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60 / 2 * 2];
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(year).unwrap_or(u16::MAX);
    DateTime::from_date_and_time(
        year,
        small(month),
        small(day),
        small(hour),
        small(minute),
        small(second),
    )
    .unwrap_or_default()
}

/// Returns year, month and day of the date that is `days` days after 1970-01-01
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn date(days: u32) -> (u32, u32, u32) {
    // Counted from 1 March of the year 0, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let is_next_year = month >= 10;
    (
        era * 400 + year + u32::from(is_next_year),
        if is_next_year { month - 9 } else { month + 3 },
        day - (153 * month + 2) / 5 + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let rows = [
            (0, "1980-01-01 00:00:00"),
            (315_532_800, "1980-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:58"),
            (1_735_689_599, "2024-12-31 23:59:58"),
            (u32::MAX, "2106-02-07 06:28:14"),
        ];
        for (seconds, expected) in rows {
            let time = time(seconds);
            let date = format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day());
            assert_eq!(
                format!(
                    "{date} {:02}:{:02}:{:02}",
                    time.hour(),
                    time.minute(),
                    time.second()
                ),
                expected
            );
        }
    }
}
