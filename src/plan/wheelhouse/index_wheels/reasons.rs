//! What the package indexes say about projects: why there are no wheels, which versions are passed
//! over, and what their users should know.

use pep440_rs::Version;
use pep508_rs::PackageName;

use super::{IndexWheels, Wheelhouse};
use crate::remote::index::Listing;

impl IndexWheels {
    /// Returns the reason why an index has no wheels of a project, as a sentence; `None` if it has
    /// some, or was not asked.
    fn why_none(&self, project: &PackageName) -> Option<String> {
        let Some(listing) = self.projects.get(project)? else {
            return Some(match self.index.disabled_by() {
                Some(by) => format!("no package index is asked for `{project}`, because of {by}"),
                None => format!("no package index has the project `{project}`"),
            });
        };
        let Listing { project: page, .. } = &**listing;
        let place = match &listing.source {
            Some(source) => format!("the index `{}`", source.index),
            None => "the page of links".to_owned(),
        };
        let yanked = page.wheels.iter().filter_map(|file| file.yanked.as_deref());
        let reasons: Vec<&str> = yanked.collect();
        let is_yanked = !reasons.is_empty() && reasons.len() == page.wheels.len();
        Some(if is_yanked {
            let reason = reasons.iter().find(|reason| !reason.is_empty());
            let reason = reason.map(|reason| format!(" ({reason})"));
            format!(
                "all wheels of `{project}` on {place} were yanked{}; only a requirement of an exact version uses one",
                reason.unwrap_or_default()
            )
        } else if !page.wheels.is_empty() {
            return None;
        } else if listing.newer + listing.undated > 0 {
            format!("`--exclude-newer` leaves out all wheels of `{project}` on {place}")
        } else if !page.source_versions.is_empty() {
            format!("{place} has only source distributions of `{project}`")
        } else {
            format!("{place} has no wheels of `{project}`")
        })
    }
}

impl Wheelhouse {
    /// Returns the reason why the indexes have no wheels of a project, as a sentence.
    pub fn why_none_on_index(&self, project: &PackageName) -> Option<String> {
        self.of_indexes.as_ref()?.why_none(project)
    }

    /// Returns what indexes say about the projects that they were asked for, and what is unusual about
    /// their answers, one sentence each, sorted.
    pub fn remarks_on_indexes(&self) -> Vec<String> {
        let of_indexes = self.of_indexes.iter();
        let projects = of_indexes.flat_map(|of_indexes| &of_indexes.projects);
        let mut remarks: Vec<String> = projects
            .filter_map(|(project, listing)| Some((project, listing.as_ref()?)))
            .flat_map(|(project, listing)| listing.remarks(project))
            .collect();
        remarks.sort();
        remarks
    }

    /// Returns the versions of a project that an index has and that are not offered, each with the
    /// reason as the rest of a sentence, the newest first.
    pub fn passed_over_on_index(&self, project: &PackageName) -> Vec<(Version, String)> {
        let listing = self
            .of_indexes
            .as_ref()
            .and_then(|of_indexes| of_indexes.projects.get(project)?.as_ref());
        let Some(listing) = listing else {
            return Vec::new();
        };
        let mut passed_over = listing.project.versions_without_wheel();
        let is_offered = |version: &Version| {
            let mut wheels = self.wheels(project).iter();
            wheels.any(|wheel| wheel.name.version == *version)
        };
        passed_over.retain(|(version, _)| !is_offered(version));
        passed_over.sort_by(|one, other| other.0.cmp(&one.0));
        passed_over
    }

    /// Checks whether an index has source distributions of a project, as far as it was asked.
    pub fn has_sources_on_index(&self, project: &PackageName) -> bool {
        let listing = self
            .of_indexes
            .as_ref()
            .and_then(|of_indexes| of_indexes.projects.get(project));
        listing.is_some_and(|listing| {
            listing
                .as_ref()
                .is_some_and(|listing| !listing.project.source_versions.is_empty())
        })
    }
}
