//! What a package says of itself: from the options, where they keep the rules of its package
//! manager.

use super::depends;
use super::rules::{self, Manager, Rule};
use crate::invocation::Pack;
use crate::report::Failure;
use crate::tool::pack_manifest::PackManifest;

/// What a package says of itself. Each value keeps the rules of the package manager.
#[derive(Debug)]
pub(super) struct Package {
    pub name: String,
    pub version: String,
    /// Of an rpm.
    pub release: String,
    /// None where it is the interpreter's.
    arch: Option<String>,
    pub depends: Vec<String>,
    pub maintainer: Option<String>,
    description: Option<String>,
    /// Of an rpm.
    pub license: String,
}

impl Package {
    /// Reads the options that packages have. What is wrong is noted.
    pub fn read(options: &Pack, manager: Manager, problems: &mut Vec<String>) -> Self {
        note_missing(options, manager, problems);
        let given: [(&str, &Option<String>, Rule); 7] = [
            ("name", &options.name, rules::about_name),
            (
                "package-version",
                &options.package_version,
                rules::about_version,
            ),
            ("arch", &options.arch, rules::about_arch),
            ("release", &options.release, rules::about_release),
            ("license", &options.license, rules::about_license),
            ("maintainer", &options.maintainer, rules::about_maintainer),
            (
                "description",
                &options.description,
                rules::about_description,
            ),
        ];
        let given = given
            .into_iter()
            .filter_map(|(option, value, about)| Some((option, value.as_deref()?, about)));
        let depends = options
            .depends
            .iter()
            .map(|text| ("depends", text.as_str(), depends::about as Rule));
        for (option, value, about) in given.chain(depends) {
            problems
                .extend(about(value, manager).map(|why| format!("`--{option} {value}`: {why}")));
        }
        Self {
            name: options.name.clone().unwrap_or_default(),
            version: options.package_version.clone().unwrap_or_default(),
            release: options.release.clone().unwrap_or_else(|| "1".to_owned()),
            arch: options.arch.clone(),
            depends: options.depends.clone(),
            maintainer: options.maintainer.clone(),
            description: options.description.clone(),
            license: options
                .license
                .clone()
                .unwrap_or_else(|| "NOASSERTION".to_owned()),
        }
    }

    /// The architecture, for an interpreter of this platform, as in `linux-x86_64`.
    ///
    /// # Errors
    /// There is no word for it.
    pub fn arch(&self, manager: Manager, platform: &str) -> Result<String, Failure> {
        self.arch
            .clone()
            .or_else(|| manager.machine(platform).map(str::to_owned))
            .ok_or_else(|| {
                let failure = Failure::new(format!(
                    "cannot tell what {} for `{platform}` is called",
                    manager.title()
                ));
                failure.hint("name the architecture by `--arch`")
            })
    }

    /// One line that says what it is.
    pub fn summary(&self) -> String {
        let first = self
            .description
            .as_deref()
            .and_then(|text| text.trim().lines().next());
        first.map_or_else(
            || format!("Python environment {}", self.name),
            |line| line.trim().to_owned(),
        )
    }

    /// What it is, at length: what stands behind the first line, or else what the environment is
    /// made of.
    pub fn details(&self, listing: &PackManifest) -> String {
        let rest = self
            .description
            .as_deref()
            .and_then(|text| text.trim().split_once('\n'));
        rest.map_or_else(
            || made_of(listing),
            |(_, rest)| rest.trim_matches('\n').to_owned(),
        )
    }
}

/// What an environment is made of, a line for each wheel.
fn made_of(listing: &PackManifest) -> String {
    let with = if listing.wheels.is_empty() {
        "with no wheels."
    } else {
        "with these wheels:"
    };
    let prefix = listing.prefix.as_deref().unwrap_or_default();
    let first = format!(
        "A virtual environment for CPython {} in {prefix}, {with}",
        listing.python
    );
    let wheels = listing
        .wheels
        .iter()
        .map(|wheel| format!("  {} {}", wheel.name, wheel.version));
    std::iter::once(first)
        .chain(wheels)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Notes the options that a package cannot do without.
fn note_missing(options: &Pack, manager: Manager, problems: &mut Vec<String>) {
    let needed = [
        ("--name NAME", options.name.is_none()),
        (
            "--package-version VERSION",
            options.package_version.is_none(),
        ),
        ("--prefix /opt/NAME", options.prefix.is_none()),
        (
            "--maintainer 'NAME <ADDRESS>'",
            manager == Manager::Dpkg && options.maintainer.is_none(),
        ),
    ];
    let missing: Vec<String> = needed
        .iter()
        .filter(|(_, is_missing)| *is_missing)
        .map(|(option, _)| format!("`{option}`"))
        .collect();
    if !missing.is_empty() {
        problems.push(format!("{} needs {}", manager.title(), missing.join(", ")));
    }
}
