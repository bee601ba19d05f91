//! The digests that the spec pins, and the check of wheels against them.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use pep508_rs::PackageName;

use super::super::wheel_filter::Pin;
use super::Candidates;
use crate::plan::RequiredBy;
use crate::plan::wheelhouse::WheelFile;
use crate::spec::Location;

impl Candidates<'_> {
    /// Returns the digests that the spec pins for a project, with the locations of the pins.
    fn pins(&mut self, project: &PackageName) -> Rc<Vec<Pin>> {
        if let Some(known) = self.pins.get(project) {
            return Rc::clone(known);
        }
        let of_spec = self.asked_of(project).chain(self.constraints_on(project));
        let pinning = of_spec.filter(|dependency| !dependency.hashes.is_empty());
        let pins: Rc<Vec<Pin>> = Rc::new(
            pinning
                .map(|dependency| Pin::new(&dependency.hashes, Rc::clone(&dependency.required_by)))
                .collect(),
        );
        self.pins.insert(project.clone(), Rc::clone(&pins));
        pins
    }

    /// Returns whether a file that satisfies the predicate pins a digest for a project.
    pub fn is_pinned_by(
        &mut self,
        project: &PackageName,
        is_match: impl Fn(&Path) -> bool,
    ) -> bool {
        let pins = self.pins(project);
        let is_match = |place: &Location| place.file.as_deref().is_some_and(&is_match);
        pins.iter()
            .any(|pin| matches!(&*pin.required_by, RequiredBy::Spec(place) if is_match(place)))
    }

    /// Returns the files of a project with compatible tags whose digest is not the pinned one. If
    /// nothing is pinned, returns the files that are not wheels.
    pub fn other_bytes(&mut self, project: &PackageName) -> Vec<PathBuf> {
        let pins = self.pins(project);
        if pins.is_empty() {
            return self.filter.wheelhouse.impostors(project);
        }
        let files = self.filter.wheelhouse.wheels(project).to_vec();
        let mut fitting: Vec<WheelFile> = files
            .into_iter()
            .filter(|file| self.filter.tags(file).is_ok())
            .collect();
        fitting.retain(|file| self.filter.digest_is_pinned(file, &pins).is_err());
        fitting
            .iter()
            .map(|file| self.filter.wheelhouse.path(file))
            .collect()
    }

    /// Checks a wheel against the pinned digests: each requirement of the spec that pins digests
    /// must list the wheel's.
    pub(super) fn check_digest(&mut self, file: &WheelFile) -> Result<(), String> {
        let pins = self.pins(&file.name.project);
        match (&pins[..], self.hashes_required) {
            ([], false) => file.is_trusted(),
            ([], true) => {
                Err("has no digest in the spec, which must pin the digests of all wheels".into())
            }
            (pins, _) => self.filter.digest_is_pinned(file, pins),
        }
    }
}
