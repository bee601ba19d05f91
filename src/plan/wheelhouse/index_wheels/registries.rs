//! The wheels of registries, by the names in their manifests. They come after those of the wheel
//! directories, and before those of the package indexes.

use std::sync::Arc;

use pep508_rs::PackageName;

use super::super::{Place, WheelFile, Wheelhouse};
use super::IndexWheels;
use crate::plan::by_name::WheelIndex;

impl IndexWheels {
    /// Lists the wheels of a project in the registries when it is asked for the first time.
    pub(super) fn list_in_registries(&mut self, project: &PackageName) -> Vec<WheelFile> {
        let Some(registries) = &self.registries else {
            return Vec::new();
        };
        if !self.of_registries.insert(project.clone()) {
            return Vec::new();
        }
        match registries.project(project) {
            Ok(Some(listing)) => self.add_all(project, &listing, true),
            Ok(None) => Vec::new(),
            Err(error) => {
                self.failure.get_or_insert(error);
                Vec::new()
            }
        }
    }

    /// Returns the indexes that are asked, those of registries first.
    fn to_ask(&self) -> impl Iterator<Item = &WheelIndex> {
        let index = self.asks_index.then_some(&self.index);
        self.registries.iter().chain(index).map(|index| &**index)
    }
}

impl Wheelhouse {
    /// Adds the wheels of registries to those of the package indexes. `shown` are the registries as
    /// they were written.
    pub fn attach_registries(&mut self, registries: Arc<WheelIndex>, shown: Vec<String>) {
        if let Some(of_indexes) = &mut self.of_indexes {
            of_indexes.registries = Some(registries);
            self.registries = shown;
        }
    }

    /// Sets whether the package indexes are asked, or only the registries.
    pub fn ask_indexes(&mut self, asks_index: bool) {
        if let Some(of_indexes) = &mut self.of_indexes {
            of_indexes.asks_index = asks_index;
        }
    }

    /// Returns the package indexes and registries that may be asked now.
    pub fn indexes_to_ask(&self) -> impl Iterator<Item = &WheelIndex> {
        self.of_indexes.iter().flat_map(IndexWheels::to_ask)
    }

    /// Checks whether a wheel is in a registry, where it was found by its name.
    pub fn is_of_registry(&self, wheel: &WheelFile) -> bool {
        match wheel.place {
            Place::Directory(_) => false,
            Place::Index(number) => self.of_index(number).is_of_registry,
        }
    }
}
