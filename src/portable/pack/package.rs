//! The metadata of a package, read from the options and checked against the rules of its package
//! manager.

use super::depends;
use super::rules::{self, Manager, Rule};
use crate::invocation::Pack;
use crate::packed::manifest::PackManifest;
use crate::report::Failure;

/// The metadata of a package. Each value satisfies the rules of the package manager.
#[derive(Debug)]
pub(super) struct Package {
    pub name: String,
    pub version: String,
    /// Only rpm has one.
    pub release: String,
    /// `None` means the interpreter's architecture.
    arch: Option<String>,
    pub depends: Vec<String>,
    pub maintainer: Option<String>,
    description: Option<String>,
    /// Only rpm has one.
    pub license: String,
}

impl Package {
    /// Reads the package options and adds what is wrong with them to `problems`.
    pub fn read(options: &Pack, manager: Manager, problems: &mut Vec<String>) -> Self {
        report_missing(options, manager, problems);
        // Each option that was passed is checked by its own rule.
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
            // Values may be invalid or missing here; `problems` then stops the run.
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

    /// Returns the architecture for an interpreter of this machine, for example `x86_64`.
    ///
    /// # Errors
    /// Returns an error if the package manager has no name for the architecture.
    pub fn arch(&self, manager: Manager, machine: &str) -> Result<String, Failure> {
        self.arch
            .clone()
            .or_else(|| manager.machine(machine).map(str::to_owned))
            .ok_or_else(|| {
                let failure = Failure::new(format!(
                    "cannot determine the architecture of {} for `{machine}`",
                    manager.title()
                ));
                failure.hint("pass the architecture with `--arch`")
            })
    }

    /// The one-line summary of the package.
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

    /// The long description of the package: the description without its first line, or else a list
    /// of the environment's wheels.
    pub fn details(&self, manifest: &PackManifest) -> String {
        let rest = self
            .description
            .as_deref()
            .and_then(|text| text.trim().split_once('\n'));
        rest.map_or_else(
            || wheel_list(manifest),
            |(_, rest)| rest.trim_matches('\n').to_owned(),
        )
    }
}

/// Describes an environment by its wheels, one per line.
fn wheel_list(manifest: &PackManifest) -> String {
    let with = if manifest.wheels.is_empty() {
        "with no wheels."
    } else {
        "with these wheels:"
    };
    let prefix = manifest.prefix.as_deref().unwrap_or_default();
    let first = format!(
        "A virtual environment for CPython {} in {prefix}, {with}",
        manifest.python
    );
    let wheels = manifest
        .wheels
        .iter()
        .map(|wheel| format!("  {} {}", wheel.name, wheel.version));
    std::iter::once(first)
        .chain(wheels)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reports the missing options that the package format requires.
fn report_missing(options: &Pack, manager: Manager, problems: &mut Vec<String>) {
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
