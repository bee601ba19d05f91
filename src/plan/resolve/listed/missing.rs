//! What is said when listed wheels are not there: all of them at once, each file and why it was not
//! taken, and what to fetch.

use crate::plan::resolve::hint::PULL_FROM_LFS;
use crate::plan::wheelhouse::Wheelhouse;
use crate::report::Failure;
use crate::spec::{ListedWheel, Located};

/// A listed wheel that no file satisfies.
pub(super) struct Missing<'a> {
    /// The wheel.
    pub wheel: &'a Located<ListedWheel>,
    /// Each file of its project and why it was not taken, a sentence each.
    pub rejected: Vec<String>,
}

impl Missing<'_> {
    /// As a person would ask pip for it.
    fn title(&self) -> String {
        let ListedWheel {
            project, wanted, ..
        } = &self.wheel.value;
        format!("{project}=={wanted}")
    }

    /// Where it is listed, and under which name.
    fn listed(&self) -> String {
        let ListedWheel { name, version, .. } = &self.wheel.value;
        format!("listed in {} as `{name}` `{version}`", self.wheel.place)
    }

    /// Why each file will not do; `lead` goes before each.
    fn causes(&self, lead: &str) -> Vec<String> {
        self.rejected
            .iter()
            .map(|why| format!("{lead}{why}"))
            .collect()
    }

    /// Why there is nothing to say of files.
    fn nothing(&self, has_directories: bool) -> Option<String> {
        (self.rejected.is_empty() && has_directories)
            .then(|| format!("there is no wheel of `{}`", self.wheel.value.project))
    }
}

/// The whole error.
pub(super) fn explain(missing: &[Missing<'_>], wheelhouse: &Wheelhouse) -> Failure {
    let directories: Vec<String> = wheelhouse
        .directories()
        .map(|directory| format!("`{}`", directory.display()))
        .collect();
    let place = if directories.is_empty() {
        String::new()
    } else {
        format!(" in {}", directories.join(", "))
    };
    let nothing = directories.is_empty().then(|| {
        "no directory of wheels is named, and there is no `wheels` beside the spec".to_owned()
    });
    let has_directories = !directories.is_empty();
    let failure = match missing {
        [one] => Failure::new(format!(
            "no wheel{place} fits `{}` ({})",
            one.title(),
            one.listed()
        ))
        .because_of(nothing)
        .because_of(one.nothing(has_directories))
        .because_of(one.causes("")),
        several => {
            let causes = several.iter().flat_map(|one| {
                let why = one
                    .nothing(has_directories)
                    .map(|why| format!("; {why}"))
                    .unwrap_or_default();
                let headline = format!("`{}` is {}{why}", one.title(), one.listed());
                [headline]
                    .into_iter()
                    .chain(one.causes(&format!("`{}`: ", one.wheel.value.project)))
            });
            Failure::new(format!(
                "no wheel{place} fits {} of those that are listed",
                several.len()
            ))
            .because_of(nothing)
            .because_of(causes)
        }
    };
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

/// How to fetch what is missing.
fn hint(wheelhouse: &Wheelhouse) -> String {
    let name = "fill a directory `wheels` beside the spec, or name one with `-vpython-wheels` or `VPYTHON_WHEELS`";
    match (wheelhouse.fetch_command(), wheelhouse.directories().next()) {
        (Some(command), Some(_)) => format!("fetch what is missing: `{command}`"),
        (Some(command), None) => {
            format!(
                "make and fill a directory: `{command}`, or name one with `-vpython-wheels` or `VPYTHON_WHEELS`"
            )
        }
        (None, _) => name.to_owned(),
    }
}
