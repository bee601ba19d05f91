//! Chooses the wheels of the seeds that a list does not name.

use std::cmp::Reverse;

use crate::plan::Seed;
use crate::plan::resolve::wheel_filter::WheelFilter;
use crate::plan::wheelhouse::WheelFile;

/// Chooses the wheel of a seed: the highest admitted version that is usable, with final versions
/// before pre-releases; `None` if there is no such wheel.
pub(super) fn choose(seed: &Seed, filter: &mut WheelFilter<'_>) -> Option<WheelFile> {
    let files = filter
        .files(&seed.project)
        .into_iter()
        .filter(|file| seed.admits(&file.name.version));
    // Tags are known from the name, so most files are ruled out without being opened.
    let mut ranked: Vec<(usize, WheelFile)> = files
        .filter_map(|file| Some((filter.tags(&file).ok()?, file)))
        .collect();
    ranked.sort_by_cached_key(|(rank, file)| {
        let version = file.name.version.clone();
        (
            version.any_prerelease(),
            Reverse(version),
            *rank,
            Reverse(file.name.build.clone()),
            file.file_name.clone(),
        )
    });
    // Open the files in this order, until one is usable.
    ranked
        .into_iter()
        .map(|(_, file)| file)
        .find(|file| filter.content(file).is_ok())
}
