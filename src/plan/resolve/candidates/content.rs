//! The content of the wheel of a version: its requirements, and whether they are valid.

use std::collections::BTreeSet;
use std::rc::Rc;

use pep508_rs::{ExtraName, PackageName, VersionOrUrl};

use super::super::dependency::{Dependency, Role};
use super::super::wheel_filter::Content;
use super::{Candidates, Wheel};
use crate::fs::Digest;
use crate::plan::RequiredBy;
use crate::plan::wheelhouse::WheelFile;
use crate::spec::{Dependencies, Requirement, holds};

impl Candidates<'_> {
    /// Returns the metadata of a wheel, or the reason why it is unusable: its digest is checked
    /// first, then its content.
    pub fn content(&mut self, file: &WheelFile) -> Result<Content, String> {
        self.check_digest(file)?;
        self.content_with_any_digest(file)
    }

    /// Like [`Self::content`], without the check of pinned digests. The requirements of the wheel
    /// are checked only if the resolver follows them.
    pub fn content_with_any_digest(&mut self, file: &WheelFile) -> Result<Content, String> {
        let content = Content::of(self.filter.content(file)?, &self.filter.interpreter.markers);
        self.is_followable(file, &content, None)
            .inspect_err(|_| self.filter.note_rejection(file))?;
        Ok(content)
    }

    /// Returns the reason why an otherwise usable wheel can never be part of an answer: it requires
    /// another version of its own project, or its requirements for an extra are invalid.
    pub fn flaw(
        &mut self,
        project: &PackageName,
        number: usize,
        extras: &BTreeSet<ExtraName>,
    ) -> Option<String> {
        for extra in [None].into_iter().chain(extras.iter().map(Some)) {
            let wheel = self.wheel(project, number);
            let Ok(Wheel { file, content }) = &*wheel else {
                return None;
            };
            if let Some(why) = self.is_followable(file, content, extra).err() {
                return Some(why);
            }
            let dependencies = self.requirements(project, number, extra);
            let of_itself = dependencies.iter().find(|dependency| {
                dependency.project() == project && !dependency.admits(&file.name.version)
            });
            if let Some(dependency) = of_itself {
                return Some(format!(
                    "requires `{}`, which it does not satisfy itself",
                    dependency.title()
                ));
            }
        }
        None
    }

    /// Returns whether the requirements of an extra are valid. Records the stamp of the wheel if
    /// they are not.
    pub fn can_follow_extra(
        &mut self,
        project: &PackageName,
        number: usize,
        extra: &ExtraName,
    ) -> bool {
        let wheel = self.wheel(project, number);
        let Ok(Wheel { file, content }) = &*wheel else {
            return true;
        };
        self.is_followable(file, content, Some(extra))
            .inspect_err(|_| self.filter.note_rejection(file))
            .is_ok()
    }

    /// Checks that the requirements of a wheel are valid, including those of an extra if one is
    /// given. They are not checked if the resolver does not follow them.
    fn is_followable(
        &self,
        file: &WheelFile,
        content: &Content,
        extra: Option<&ExtraName>,
    ) -> Result<(), String> {
        match self.dependencies {
            _ if self.fixed.contains_key(&file.name.project) => Ok(()),
            Dependencies::Followed => {
                content.is_readable(extra)?;
                self.check_urls(content, extra)
            }
            Dependencies::Ignored => Ok(()),
        }
    }

    /// Checks that a wheel requires no project by URL that would come from an index by its name
    /// instead. The spec may require the project itself, and a wheel directory may have it.
    fn check_urls(&self, content: &Content, extra: Option<&ExtraName>) -> Result<(), String> {
        let (wheelhouse, markers) = (&self.filter.wheelhouse, &self.filter.interpreter.markers);
        if wheelhouse.of_indexes().is_none() {
            return Ok(());
        }
        let extras = extra.map_or(&[][..], std::slice::from_ref);
        let comes_from_index = |requirement: &&Rc<Requirement>| {
            let name = &requirement.name;
            let mut wheels = wheelhouse.wheels(name).iter();
            matches!(requirement.version_or_url, Some(VersionOrUrl::Url(_)))
                && holds(&requirement.marker, markers, extras)
                && !self.asked_of.contains_key(name)
                && !wheels.any(|wheel| !wheel.is_remote())
        };
        let Some(requirement) = content.requirements.iter().find(comes_from_index) else {
            return Ok(());
        };
        let name = requirement.name.clone();
        let why = format!("requires `{name}` by a URL, which vpython does not follow");
        self.required_by_url.borrow_mut().insert(name);
        Err(why)
    }

    /// Returns the requirements of the wheel of a version, or, if an extra is given, only those
    /// that the extra adds; none if there is no such wheel. A requirement that the fixed wheel of
    /// its project does not satisfy is returned without its version specifiers.
    pub fn requirements(
        &mut self,
        project: &PackageName,
        number: usize,
        extra: Option<&ExtraName>,
    ) -> Vec<Dependency> {
        let mut dependencies = self.requirements_as_written(project, number, extra);
        for dependency in &mut dependencies {
            let fixed = self.fixed.get(dependency.project());
            if fixed.is_some_and(|file| !dependency.admits(&file.name.version)) {
                Rc::make_mut(&mut dependency.requirement).version_or_url = None;
            }
        }
        dependencies
    }

    /// Like [`Self::requirements`], with all version specifiers.
    pub fn requirements_as_written(
        &mut self,
        project: &PackageName,
        number: usize,
        extra: Option<&ExtraName>,
    ) -> Vec<Dependency> {
        let wheel = self.wheel(project, number);
        let Ok(Wheel { file, content }) = &*wheel else {
            return Vec::new();
        };
        if self.dependencies == Dependencies::Ignored {
            return Vec::new();
        }
        let markers = &self.filter.interpreter.markers;
        let required_by = Rc::new(RequiredBy::Wheel {
            project: project.clone(),
            version: file.name.version.clone(),
            file_name: file.file_name.to_string(),
        });
        let no_hashes: Rc<[Digest]> = Rc::default();
        let dependency = |requirement: &Rc<Requirement>| Dependency {
            requirement: Rc::clone(requirement),
            hashes: Rc::clone(&no_hashes),
            required_by: Rc::clone(&required_by),
            role: Role::Requirement,
        };
        // Select the requirements whose markers hold, except those on ignored projects.
        let requirements: Vec<&Rc<Requirement>> = match extra {
            Some(extra) => content.required_for(extra, markers).collect(),
            None => content
                .requirements
                .iter()
                .filter(|known| holds(&known.marker, markers, &[]))
                .collect(),
        };
        let dependencies: Vec<Dependency> = requirements
            .into_iter()
            .filter(|known| !self.ignored.contains(&known.name))
            .map(dependency)
            .collect();
        self.followed += dependencies.len();
        dependencies
    }
}
