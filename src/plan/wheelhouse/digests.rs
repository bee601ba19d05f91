//! The digests of wheels: those that an index or an image layout states, and those of the files.

use anyhow::Result;
use rayon::prelude::*;
use tracing::debug;

use super::{Place, WheelFile, Wheelhouse};
use crate::fs::{Digest, Stamped};
use crate::report::Progress;

impl Wheelhouse {
    /// Returns the digests of wheels, in their order. Those that are not cached are computed on all
    /// processors; of a wheel of an index or an image layout, that one states it.
    ///
    /// # Errors
    /// A wheel cannot be read.
    pub fn digests(&mut self, wheels: &[WheelFile]) -> Result<Vec<Digest>> {
        let mut known: Vec<Option<Digest>> = Vec::new();
        let mut unknown: Vec<(usize, Stamped)> = Vec::new();
        for (position, wheel) in wheels.iter().enumerate() {
            let digest = match (wheel.place, self.stamped(wheel)) {
                (Place::Index(number), _) => Some(self.digest_of_index(number)?),
                (Place::Directory(directory), Some(stamped)) => {
                    let directory = &mut self.directories[directory];
                    let digest = directory.digest(&stamped.path, &wheel.file_name);
                    if digest.is_none() {
                        unknown.push((position, stamped));
                    }
                    digest
                }
                (Place::Directory(_), None) => None,
            };
            known.push(digest);
        }
        // Count the bytes to read, for the progress line.
        let sizes = unknown.iter().map(|(_, stamped)| stamped.stamp);
        let size = sizes.map(|stamp| stamp.map_or(0, |stamp| stamp.size)).sum();
        if unknown.is_empty() {
            return Ok(known.into_iter().flatten().collect());
        }
        let progress = Progress::start("reading wheels", size);
        let compute = |(_, stamped): &(usize, Stamped)| {
            Digest::of_file(&stamped.path, |bytes| progress.advance(bytes))
        };
        let computed = unknown
            .par_iter()
            .map(compute)
            .collect::<Result<Vec<_>>>()?;
        // Cache them for later launches.
        for ((position, _), digest) in unknown.iter().zip(computed) {
            let wheel = &wheels[*position];
            if let Place::Directory(directory) = wheel.place {
                let index = &mut self.directories[directory].index;
                index.set_digest(&wheel.file_name, digest);
            }
            known[*position] = Some(digest);
        }
        Ok(known.into_iter().flatten().collect())
    }

    /// Saves the cached facts for later launches. An error is only logged, because they can be
    /// computed again.
    pub fn remember(self) {
        for directory in self.directories {
            let title = directory.title();
            if let Err(error) = directory.index.save() {
                debug!("cannot save the index of `{title}`: {error:#}");
            }
        }
    }
}
