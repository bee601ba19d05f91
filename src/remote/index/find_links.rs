//! The wheels on pages of links (`--find-links`), by project.

use std::collections::BTreeMap;

use pep508_rs::PackageName;

use super::project::{IndexFile, Project};

/// The wheels of all pages of links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FindLinks {
    by_project: BTreeMap<PackageName, Vec<IndexFile>>,
}

impl FindLinks {
    /// Adds the wheels of a page. A file whose name does not begin with the name of a project is
    /// skipped.
    pub fn add(&mut self, page: Project) {
        for file in page.wheels {
            if let Some(project) = project_of(&file.file_name) {
                self.by_project.entry(project).or_default().push(file);
            }
        }
    }

    /// Returns the wheels of a project, in the order of the pages.
    pub fn of(&self, project: &PackageName) -> Vec<IndexFile> {
        self.by_project.get(project).cloned().unwrap_or_default()
    }
}

/// Returns the project of a wheel: the part of its name before the first dash, which the name of a
/// project does not contain there.
fn project_of(file_name: &str) -> Option<PackageName> {
    file_name.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_the_normalized_name() {
        let file = |name: &str| IndexFile {
            file_name: name.to_owned(),
            ..IndexFile::default()
        };
        let names = [
            "My_Project-1-py3-none-any.whl",
            "other-1-py3-none-any.whl",
            "!-1.whl",
        ];
        let mut links = FindLinks::default();
        links.add(Project {
            wheels: names.into_iter().map(file).collect(),
            ..Project::default()
        });
        let of = |name: &str| links.of(&name.parse().unwrap());
        assert_eq!(of("my-project"), [file(names[0])]);
        assert_eq!(of("other"), [file(names[1])]);
        assert_eq!(of("none"), []);
    }
}
