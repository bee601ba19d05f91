//! The wheels of a project that a resolver may choose from, and the index that provides them.

use anyhow::Result;
use pep508_rs::PackageName;

use super::project::{IndexFile, Project};
use super::settings::NamedBy;
use super::timestamp::Timestamp;
use crate::remote::RemoteUrl;

/// The wheels of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The index that has the project; none if only pages of links have it.
    pub source: Option<Source>,
    /// The wheels of pages of links, then those of the index. Each file name occurs once.
    pub project: Project,
    /// The number of wheels that `--exclude-newer` leaves out.
    pub newer: usize,
    /// The number of wheels that `--exclude-newer` leaves out because they have no upload time.
    pub undated: usize,
}

/// The index of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The URL of the index.
    pub index: RemoteUrl,
    /// What names the index.
    pub by: NamedBy,
}

impl Listing {
    /// Leaves out the files that were uploaded at `limit` or later, and those without a time, as uv
    /// does (PEP 700).
    pub(super) fn exclude_newer(&mut self, limit: Option<Timestamp>) {
        let Some(limit) = limit else { return };
        let (newer, undated) = (&mut self.newer, &mut self.undated);
        self.project.wheels.retain(|file| {
            let is_newer = file.uploaded.is_some_and(|time| time >= limit);
            *newer += usize::from(is_newer);
            *undated += usize::from(file.uploaded.is_none());
            file.uploaded.is_some() && !is_newer
        });
        if *undated > 0 && self.project.wheels.is_empty() && *newer == 0 {
            let why =
                "the index states no upload times, so `--exclude-newer` leaves out all wheels";
            self.project.warnings.push(why.to_owned());
        }
    }

    /// Adds the wheels of pages of links. Of files with one name, these count, since the user names
    /// the pages.
    pub(super) fn add_links(&mut self, links: Vec<IndexFile>) {
        let of_index = std::mem::replace(&mut self.project.wheels, links);
        self.project.wheels.extend(of_index);
        let mut known = std::collections::HashSet::new();
        self.project
            .wheels
            .retain(|file| known.insert(file.file_name.clone()));
    }

    /// Returns what the index says about the project, and what is unusual about its page, one sentence
    /// each.
    #[must_use]
    pub fn remarks(&self, project: &PackageName) -> Vec<String> {
        let Some(Source { index, .. }) = &self.source else {
            return Vec::new();
        };
        let status = self.project.status.iter();
        let status = status.map(|status| format!("`{project}` is {status} on the index `{index}`"));
        let warnings = self.project.warnings.iter();
        let warnings = warnings
            .map(|warning| format!("the page of `{project}` on the index `{index}`: {warning}"));
        status.chain(warnings).collect()
    }

    /// Returns the URL of a file, with the login of the index if both have the same origin.
    ///
    /// # Errors
    /// The URL is not usable.
    pub fn url_of(&self, url: &str) -> Result<RemoteUrl> {
        match &self.source {
            Some(source) => source.index.join(url),
            None => RemoteUrl::parse(url),
        }
    }
}
