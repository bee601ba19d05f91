//! Evidence that paths did not exist, cheaper than a lookup of each path: an unchanged directory
//! has no new names.
//!
//! The change time of a directory is as coarse as the kernel's clock: a new name may leave it as it
//! was. So it is evidence only when it is some time old. For a directory that changes all the time,
//! each path is looked up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::fs::{self, Stamp, Stamped};

/// The minimum age of a directory's last change to be evidence. Kernel clocks tick at least 100
/// times a second; FAT has a resolution of two seconds.
const SETTLED: Duration = Duration::from_secs(3);

/// Paths in one directory that did not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AbsentPaths {
    /// The directory as it was then; none if it did not exist, or is not evidence.
    #[serde(rename = "folder")]
    directory: Option<Stamped>,
    paths: Vec<Stamped>,
}

impl AbsentPaths {
    /// Returns one of the paths that exists now.
    pub fn appeared(&self) -> Option<Stamped> {
        if self.directory.as_ref().is_some_and(Stamped::holds) {
            return None;
        }
        self.paths.iter().find(|path| !path.holds()).cloned()
    }
}

/// Separates the paths that did not exist from the others. If the directory of such paths is
/// stamped itself, that stamp is sufficient evidence.
pub(super) fn split_absent(
    stamps: Vec<Stamped>,
    now: SystemTime,
) -> (Vec<Stamped>, Vec<AbsentPaths>) {
    let (there, absent): (Vec<_>, Vec<_>) = stamps
        .into_iter()
        .partition(|stamped| stamped.stamp.is_some());
    let mut directories: BTreeMap<PathBuf, Vec<Stamped>> = BTreeMap::new();
    for path in absent {
        directories
            .entry(path.path.parent().unwrap_or(Path::new("/")).to_owned())
            .or_default()
            .push(path);
    }
    let is_evidence = |directory: &Stamped| there.iter().any(|stamped| stamped == directory);
    let missing = directories.into_iter().filter_map(|(directory, paths)| {
        let directory = Stamped::look(directory);
        // A path created since its own lookup was created before the directory was stamped, so
        // check again. A dangling link is not evidence: its target may appear without a change of
        // the directory.
        let is_absent = |path: &Stamped| matches!(fs::link_metadata(&path.path), Ok(None));
        let is_settled = directory.stamp.is_some_and(|stamp| is_settled(stamp, now))
            && paths.iter().all(is_absent);
        if is_settled && is_evidence(&directory) {
            return None;
        }
        let directory = Some(directory).filter(|_| is_settled && paths.len() > 1);
        Some(AbsentPaths { directory, paths })
    });
    let missing = missing.collect();
    (there, missing)
}

fn is_settled(stamp: Stamp, now: SystemTime) -> bool {
    let now = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    stamp.modified + i128::try_from(SETTLED.as_nanos()).unwrap_or(0)
        < i128::try_from(now).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    fn later() -> SystemTime {
        SystemTime::now() + SETTLED * 2
    }

    /// Summarizes the evidence, one item for each directory.
    fn kept(missing: &[AbsentPaths]) -> Vec<(bool, usize)> {
        missing
            .iter()
            .map(|missing| (missing.directory.is_some(), missing.paths.len()))
            .collect()
    }

    #[test]
    fn a_directory_is_evidence_for_what_is_missing_in_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::write_new(&directory.path().join("here"), b"", 0o600).unwrap();
        let stamps = || {
            ["here", "a", "b", "no/c"]
                .map(|name| Stamped::look(directory.path().join(name)))
                .to_vec()
        };
        let (there, missing) = split_absent(stamps(), later());
        assert_eq!(
            (there.len(), kept(&missing)),
            (1, vec![(true, 2), (false, 1)])
        );
        assert_eq!(missing[0].appeared(), None);
        fs::write_new(&directory.path().join("other"), b"", 0o600).unwrap();
        assert_eq!(missing[0].appeared(), None, "another file has appeared");
        fs::write_new(&directory.path().join("b"), b"", 0o600).unwrap();
        assert_eq!(
            missing[0].appeared().map(|stamped| stamped.path),
            Some(directory.path().join("b"))
        );
        fs::create_dir_all(&directory.path().join("no/c"), 0o700).unwrap();
        assert!(missing[1].appeared().is_some());
    }

    #[test]
    fn a_path_created_before_the_directory_is_stamped_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let stamps = ["a", "b"]
            .map(|name| Stamped::look(directory.path().join(name)))
            .to_vec();
        fs::write_new(&directory.path().join("b"), b"", 0o600).unwrap();
        let (_, missing) = split_absent(stamps, later());
        assert_eq!(
            missing[0].appeared().map(|stamped| stamped.path),
            Some(directory.path().join("b"))
        );
    }

    #[test]
    fn neither_a_restored_time_nor_a_link_hides_a_new_path() {
        let directory = tempfile::tempdir().unwrap();
        let stamps = || {
            ["a", "b"]
                .map(|name| Stamped::look(directory.path().join(name)))
                .to_vec()
        };
        let (_, missing) = split_absent(stamps(), later());
        let before = fs::metadata(directory.path())
            .unwrap()
            .unwrap()
            .modified()
            .unwrap();
        // The clock of file times ticks every few milliseconds.
        std::thread::sleep(Duration::from_millis(20));
        fs::symlink(
            &directory.path().join("../none"),
            &directory.path().join("b"),
        )
        .unwrap();
        let (_, with_link) = split_absent(stamps(), later());
        assert_eq!(
            kept(&with_link),
            [(false, 2)],
            "the target may appear without a change of the directory"
        );
        fs::write_atomically(&directory.path().join("a"), b"").unwrap();
        fs::set_modified(directory.path(), before).unwrap();
        assert_eq!(
            missing[0].appeared().map(|stamped| stamped.path),
            Some(directory.path().join("a"))
        );
    }

    #[test]
    fn a_directory_that_has_just_changed_is_no_evidence() {
        let directory = tempfile::tempdir().unwrap();
        let stamps = ["a", "b"]
            .map(|name| Stamped::look(directory.path().join(name)))
            .to_vec();
        assert_eq!(
            kept(&split_absent(stamps.clone(), SystemTime::now()).1),
            [(false, 2)]
        );
        let with_directory = [stamps, vec![Stamped::look(directory.path())]].concat();
        assert_eq!(
            kept(&split_absent(with_directory.clone(), SystemTime::now()).1),
            [(false, 2)]
        );
        assert_eq!(
            kept(&split_absent(with_directory, later()).1),
            [],
            "the directory is evidence itself"
        );
    }
}
