//! Answers of indexes, cached in a directory of the caller: parsed pages and `METADATA` files. The
//! module above this one asks the index whether an old entry is still right.
//!
//! An entry is one file, named by the SHA-256 of its URL without user information, and written by
//! rename: processes that write the same entry at once each leave a whole one. Its modification
//! time is the time of the last answer that confirmed it. A damaged entry counts as missing, and a
//! failure to write is not an error, since every entry can be requested again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::fs::{self, Digest};

/// The version of the form of entries: a later one uses other file names.
const VERSION: &str = "v2";

/// The maximum size of all entries, in bytes: the parsed pages of about 5,000 projects. Beyond it,
/// the entries that were confirmed the longest ago are removed, down to half.
const LIMIT: u64 = 512 << 20;

/// A cache directory.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    /// Whether this process has checked the size of the directory.
    is_trimmed: AtomicBool,
}

/// A cached answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<T> {
    /// The URL of the request, which the name of the file only has as a digest.
    pub url: String,
    /// The entity tag.
    pub etag: Option<String>,
    /// The number of seconds after an answer during which the server is not asked again.
    pub max_age: u64,
    /// The answer.
    pub content: T,
}

/// A cached answer that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// The answer.
    pub entry: Entry<T>,
    /// Whether it may be used without asking the server.
    pub is_fresh: bool,
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The parsed page of a project, or a page of links.
    Page,
    /// The `METADATA` of a wheel.
    Metadata,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Metadata => "metadata",
        }
    }
}

impl Cache {
    /// Uses a directory, which is created when the first entry is written.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            is_trimmed: AtomicBool::new(false),
        }
    }

    /// Returns the entry of a URL; none if it is missing or damaged. `url` has no user information.
    #[must_use]
    pub fn find<T: DeserializeOwned>(&self, kind: Kind, url: &str) -> Option<Found<T>> {
        let path = self.path(kind, url);
        let entry: Entry<T> = fs::read_memo(&path)?;
        let confirmed = fs::link_metadata(&path).ok()??.modified().ok()?;
        // A time in the future, after a change of the clock, makes the entry stale.
        let age = SystemTime::now().duration_since(confirmed).ok();
        let is_fresh = age.is_some_and(|age| age < Duration::from_secs(entry.max_age));
        (entry.url == url).then_some(Found { entry, is_fresh })
    }

    /// Writes an entry.
    pub fn write<T: Serialize>(&self, kind: Kind, entry: &Entry<T>) {
        let path = self.path(kind, &entry.url);
        let written =
            fs::create_dir_all(&self.directory, 0o700).and_then(|()| fs::write_memo(&path, entry));
        match written {
            Ok(()) if !self.is_trimmed.swap(true, Ordering::Relaxed) => self.trim(LIMIT),
            Ok(()) => {}
            Err(error) => debug!("cannot cache `{}`: {error:#}", path.display()),
        }
    }

    /// Records that the server has confirmed an entry now.
    pub fn confirm(&self, kind: Kind, url: &str) {
        let path = self.path(kind, url);
        if let Err(error) = fs::set_modified(&path, SystemTime::now()) {
            debug!("cannot confirm a cached answer: {error:#}");
        }
    }

    /// Returns the path of an entry.
    fn path(&self, kind: Kind, url: &str) -> PathBuf {
        let digest = Digest::of(url.as_bytes());
        let name = format!("{}-{VERSION}-{digest}.json", kind.name());
        self.directory.join(name)
    }

    /// Removes the oldest entries if all of them are larger than the limit, down to half of it.
    fn trim(&self, limit: u64) {
        let mut files = cached_files(&self.directory);
        let mut total: u64 = files.iter().map(|file| file.size).sum();
        if total <= limit {
            return;
        }
        files.sort();
        for file in files {
            if total <= limit / 2 {
                break;
            }
            if fs::remove_file(&file.path).is_ok() {
                total -= file.size;
            }
        }
    }
}

/// A file of the cache, ordered by age.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct CachedFile {
    modified: SystemTime,
    /// In bytes.
    size: u64,
    path: PathBuf,
}

fn cached_files(directory: &Path) -> Vec<CachedFile> {
    let names = fs::list(directory).ok().flatten().unwrap_or_default();
    let files = names.into_iter().filter_map(|name| {
        let path = directory.join(name);
        let metadata = fs::link_metadata(&path).ok()??;
        Some(CachedFile {
            modified: metadata.modified().ok()?,
            size: metadata.len(),
            path,
        })
    });
    files.collect()
}

/// The number of seconds for which an answer is fresh if its server does not say it: that of PyPI.
const DEFAULT_MAX_AGE: u64 = 600;

/// Returns the number of seconds for which an answer may be used without asking again, from its
/// headers `Cache-Control` (RFC 9111) and `Age`; none if it must not be stored.
#[must_use]
pub fn max_age(cache_control: Option<&str>, age: Option<u64>) -> Option<u64> {
    let mut max_age = None;
    for directive in cache_control.unwrap_or_default().split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" => return None,
            "no-cache" => return Some(0),
            "max-age" => max_age = value.trim().trim_matches('"').parse::<u64>().ok(),
            _ => {}
        }
    }
    let max_age = max_age.unwrap_or(DEFAULT_MAX_AGE);
    Some(max_age.saturating_sub(age.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(url: &str, content: &str) -> Entry<String> {
        Entry {
            url: url.to_owned(),
            etag: Some("\"x\"".to_owned()),
            max_age: 600,
            content: content.to_owned(),
        }
    }

    #[test]
    fn an_entry_is_found_by_its_url_and_ages() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path().join("index"));
        assert_eq!(cache.find::<String>(Kind::Page, "https://x/a"), None);
        cache.write(Kind::Page, &entry("https://x/a", "text"));
        let find = |kind, url| cache.find::<String>(kind, url);
        let found = find(Kind::Page, "https://x/a").unwrap();
        assert_eq!(
            (found.entry, found.is_fresh),
            (entry("https://x/a", "text"), true)
        );
        assert_eq!(find(Kind::Page, "https://x/b"), None);
        assert_eq!(find(Kind::Metadata, "https://x/a"), None);
        // An old entry is stale until it is confirmed; one from the future is stale as well.
        let path = cache.path(Kind::Page, "https://x/a");
        for shift in [-601, 1_000_i64] {
            let time = SystemTime::now();
            let shifted = match u64::try_from(shift) {
                Ok(later) => time + Duration::from_secs(later),
                Err(_) => time - Duration::from_secs(shift.unsigned_abs()),
            };
            fs::set_modified(&path, shifted).unwrap();
            assert!(
                !find(Kind::Page, "https://x/a").unwrap().is_fresh,
                "{shift}"
            );
        }
        cache.confirm(Kind::Page, "https://x/a");
        assert!(find(Kind::Page, "https://x/a").unwrap().is_fresh);
    }

    #[test]
    fn a_damaged_entry_is_missing_and_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path().into());
        cache.write(Kind::Page, &entry("https://x/a", "text"));
        let path = cache.path(Kind::Page, "https://x/a");
        let content = fs::read(&path).unwrap();
        for at in 0..content.len() {
            let mut damaged = content.clone();
            damaged[at] ^= 2;
            fs::write_atomically(&path, &damaged).unwrap();
            let found = cache.find::<String>(Kind::Page, "https://x/a");
            // A digit of the checksum may be a capital, and nothing else.
            assert!(
                found.is_none_or(|found| found.entry.content == "text"),
                "{at}"
            );
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir_all(&path, 0o700).unwrap();
        cache.write(Kind::Page, &entry("https://x/a", "again"));
        let found = cache.find::<String>(Kind::Page, "https://x/a").unwrap();
        assert_eq!(found.entry.content, "again");
    }

    #[test]
    fn writers_of_one_entry_each_leave_a_whole_one() {
        let directory = tempfile::tempdir().unwrap();
        let long = "text ".repeat(10_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                // As two processes would: each has a cache of its own.
                let cache = Cache::new(directory.path().into());
                let long = &long;
                scope.spawn(move || {
                    for _ in 0..25 {
                        cache.write(Kind::Page, &entry("https://x/a", long));
                        let found = cache.find::<String>(Kind::Page, "https://x/a");
                        assert_eq!(&found.unwrap().entry.content, long);
                    }
                });
            }
        });
        assert_eq!(fs::list(directory.path()).unwrap().unwrap().len(), 1);
    }

    #[test]
    fn a_directory_that_is_too_large_loses_its_oldest_entries() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path().into());
        for (index, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            cache.write(Kind::Page, &entry(name, &"x".repeat(1_000)));
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(index as u64);
            fs::set_modified(&cache.path(Kind::Page, name), time).unwrap();
        }
        cache.trim(8_000);
        assert!(
            cache.find::<String>(Kind::Page, "a").is_some(),
            "small enough"
        );
        cache.trim(3_000);
        let left =
            ["a", "b", "c", "d"].map(|name| cache.find::<String>(Kind::Page, name).is_some());
        assert_eq!(left, [false, false, false, true]);
    }

    #[test]
    fn the_age_is_that_of_the_headers() {
        let rows = [
            (None, None, Some(600)),
            (Some("max-age=60, public"), None, Some(60)),
            (Some("public, Max-Age=60"), Some(20), Some(40)),
            (Some("max-age=60"), Some(70), Some(0)),
            (Some("no-cache"), None, Some(0)),
            (Some("private, no-store, max-age=60"), None, None),
            (Some("max-age=soon"), None, Some(600)),
        ];
        for (cache_control, age, expected) in rows {
            assert_eq!(max_age(cache_control, age), expected, "{cache_control:?}");
        }
    }
}
