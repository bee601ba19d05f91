//! The error for missing listed wheels: all of them at once, each file with the reason why it was
//! rejected, and the command that fetches them.

use crate::plan::resolve::hint::PULL_FROM_LFS;
use crate::plan::wheelhouse::Wheelhouse;
use crate::report::Failure;
use crate::spec::{ListedWheel, Located};

/// A listed wheel without a usable file.
pub(super) struct Missing<'a> {
    /// The wheel.
    pub wheel: &'a Located<ListedWheel>,
    /// One sentence for each file of its project, with the reason why it was rejected.
    pub rejected: Vec<String>,
}

impl Missing<'_> {
    /// Returns the requirement as pip accepts it: `cffi==1.14.5`.
    fn title(&self) -> String {
        let ListedWheel {
            project, wanted, ..
        } = &self.wheel.value;
        format!("{project}=={wanted}")
    }

    /// Returns the location and the name in the list.
    fn listed(&self) -> String {
        let ListedWheel { name, version, .. } = &self.wheel.value;
        format!("listed in {} as `{name}` `{version}`", self.wheel.place)
    }

    /// Returns the reasons for each file, each with the prefix `lead`.
    fn causes(&self, lead: &str) -> Vec<String> {
        self.rejected
            .iter()
            .map(|why| format!("{lead}{why}"))
            .collect()
    }

    /// Returns the sentence for a project without any files, if there are wheel directories.
    fn no_files(&self, has_directories: bool) -> Option<String> {
        (self.rejected.is_empty() && has_directories)
            .then(|| format!("there is no wheel of `{}`", self.wheel.value.project))
    }
}

/// Returns the error for all missing wheels.
pub(super) fn explain(missing: &[Missing<'_>], wheelhouse: &Wheelhouse) -> Failure {
    let places = wheelhouse.places();
    let has_directories = places.is_some();
    let place = places.map_or_else(String::new, |places| format!(" {places}"));
    let no_directories = (!has_directories).then(|| wheelhouse.why_no_places());
    // One missing wheel is in the headline; several have a cause each.
    let failure = match missing {
        [one] => Failure::new(format!(
            "no wheel{place} fits `{}` ({})",
            one.title(),
            one.listed()
        ))
        .because_of(no_directories)
        .because_of(one.no_files(has_directories))
        .because_of(one.causes("")),
        several => {
            let causes = several.iter().flat_map(|one| {
                let why = one
                    .no_files(has_directories)
                    .map(|why| format!("; {why}"))
                    .unwrap_or_default();
                let headline = format!("`{}` is {}{why}", one.title(), one.listed());
                [headline]
                    .into_iter()
                    .chain(one.causes(&format!("`{}`: ", one.wheel.value.project)))
            });
            Failure::new(format!(
                "no wheel{place} fits {} of the listed wheels",
                several.len()
            ))
            .because_of(no_directories)
            .because_of(causes)
        }
    };
    // The hint depends on whether Git LFS has the file.
    let is_in_lfs = |one: &Missing| {
        wheelhouse
            .wheels(&one.wheel.value.project)
            .iter()
            .any(|file| wheelhouse.is_in_lfs(file))
    };
    failure.hint(if missing.iter().any(is_in_lfs) {
        PULL_FROM_LFS.to_owned()
    } else {
        hint(wheelhouse)
    })
}

/// Returns the hint how to provide the missing wheels.
fn hint(wheelhouse: &Wheelhouse) -> String {
    if wheelhouse.of_indexes().is_some() {
        return "take a version that has wheels, or build them: `-vpython-tool fetch --build`"
            .to_owned();
    }
    let name = "fill a directory `wheels` next to the spec, or name one with `-vpython-wheels` or `VPYTHON_WHEELS`";
    match (wheelhouse.fetch_command(), wheelhouse.directories().next()) {
        (Some(command), Some(_)) => format!("fetch what is missing: `{command}`"),
        (Some(command), None) => {
            format!(
                "create and fill a directory: `{command}`, or name one with `-vpython-wheels` or `VPYTHON_WHEELS`"
            )
        }
        (None, _) => name.to_owned(),
    }
}
