//! Wheels that a spec names by URL: they are listed like those of an index, and no index is asked
//! for a project that the spec only requires by URL.

use std::collections::HashMap;
use std::sync::Arc;

use pep508_rs::PackageName;

use super::listing::Listing;
use super::project::{Hashes, IndexFile, Project};
use crate::fs::Digest;
use crate::remote::RemoteUrl;

/// The wheels that a spec names by URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectUrls {
    by_project: HashMap<PackageName, Direct>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Direct {
    files: Vec<IndexFile>,
    /// Whether the spec also requires the project by name.
    is_indexed: bool,
}

impl DirectUrls {
    /// Adds the wheel of a requirement, with its digest if there is only one.
    pub fn add(&mut self, project: &PackageName, url: &RemoteUrl, sha256: Option<Digest>) {
        let file = IndexFile {
            file_name: url.file_name(),
            url: url.as_url().to_string(),
            hashes: Hashes {
                sha256,
                ..Hashes::default()
            },
            ..IndexFile::default()
        };
        self.add_file(project, file);
    }

    /// Adds a wheel of a project.
    pub fn add_file(&mut self, project: &PackageName, file: IndexFile) {
        let direct = self.by_project.entry(project.clone()).or_default();
        direct.files.push(file);
    }

    /// Notes that the spec requires a project by name too, so that the indexes are asked for it.
    pub fn note_indexed(&mut self, project: &PackageName) {
        if let Some(direct) = self.by_project.get_mut(project) {
            direct.is_indexed = true;
        }
    }

    /// Returns the wheels of a project that the spec requires by URL only.
    pub(super) fn listing(&self, project: &PackageName) -> Option<Arc<Listing>> {
        let direct = self.by_project.get(project)?;
        let listing = || {
            Arc::new(Listing {
                project: Project {
                    name: project.to_string(),
                    wheels: direct.files.clone(),
                    ..Project::default()
                },
                ..Listing::default()
            })
        };
        (!direct.is_indexed).then(listing)
    }

    /// Returns the wheels of a project.
    pub(super) fn of(&self, project: &PackageName) -> Vec<IndexFile> {
        let direct = self.by_project.get(project);
        direct.map_or_else(Vec::new, |direct| direct.files.clone())
    }
}
