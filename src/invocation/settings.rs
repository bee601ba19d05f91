//! The settings of a launch that `vpython.conf` can make, with the source of each, for `explain`.

use std::ffi::OsStr;
use std::path::Path;

use bytesize::ByteSize;

use super::conf::Set;
use super::{Conf, Invocation, WheelhouseReference, WheelsSource};
use crate::process::{CalledAs, Process, variable};

/// A setting with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key in `vpython.conf`.
    pub key: &'static str,
    /// Its value, in a readable form.
    pub value: String,
    /// Its source: a flag, a variable, or the file and line of `vpython.conf`.
    pub from: String,
}

impl Invocation {
    /// Returns the settings with a value, in the order of the manual.
    #[must_use]
    pub fn settings(&self, process: &Process) -> Vec<Setting> {
        // Destructure the whole struct, so that a new key must be handled here.
        let Conf {
            file: _,
            root,
            shared_roots,
            wheels,
            trusted_built_wheels,
            default_spec,
            python,
            prune_older_than,
            prune_max_size,
            ..
        } = &self.conf;
        let Conf {
            fetch_allow,
            fetch_index_url,
            fetch_pip_options,
            bypass,
            warnings: _,
            ..
        } = &self.conf;
        let by_variable = |name: &str| {
            Some((
                name.to_owned(),
                process.setting(name)?.to_string_lossy().into_owned(),
            ))
        };
        let python_key = match process.called_as() {
            CalledAs::Vpython => "python.vpython",
            CalledAs::Vpython3 => "python.vpython3",
        };
        let mut made = Made {
            conf: &self.conf,
            settings: Vec::new(),
        };
        // In the manual's order. What the caller sets wins over the site's file.
        made.add(
            "root",
            self.root_by_caller(process),
            root.as_ref(),
            |path| shown(path),
        );
        made.add(
            "shared-roots",
            by_variable(variable::SHARED_ROOTS),
            shared_roots.as_ref(),
            |roots| {
                roots
                    .iter()
                    .map(|root| shown(root))
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        );
        made.add(
            "wheels",
            self.wheels_by_caller(),
            wheels.as_ref(),
            |wheelhouses| listed(wheelhouses),
        );
        made.add(
            "trusted-built-wheels",
            None,
            trusted_built_wheels.as_ref(),
            |references| {
                let references = references.iter().map(ToString::to_string);
                references.collect::<Vec<_>>().join(", ")
            },
        );
        made.add(
            "default-spec",
            by_variable(variable::DEFAULT_SPEC),
            default_spec.as_ref(),
            |path| shown(path),
        );
        made.add(python_key, None, python.as_ref(), |versions| {
            versions.join(", ")
        });
        let age = |age: &_| humantime::format_duration(*age).to_string();
        made.add("prune.older-than", None, prune_older_than.as_ref(), age);
        let size = |size: &_| ByteSize::b(*size).to_string();
        made.add(
            "prune.max-size",
            by_variable(variable::MAX_CACHE),
            prune_max_size.as_ref(),
            size,
        );
        made.add("fetch.allow", None, fetch_allow.as_ref(), bool::to_string);
        made.add(
            "fetch.index-url",
            None,
            fetch_index_url.as_ref(),
            String::clone,
        );
        made.add(
            "fetch.pip-options",
            None,
            fetch_pip_options.as_ref(),
            |words| words.join(" "),
        );
        made.add("bypass", None, bypass.as_ref(), String::clone);
        made.settings
    }

    fn root_by_caller(&self, process: &Process) -> Option<(String, String)> {
        let has_value = |word: &OsStr| {
            word.to_string_lossy()
                .strip_prefix("--vpython-root=")
                .is_some_and(|root| !root.is_empty())
        };
        let by_flag = self
            .own_words
            .iter()
            .any(|word| has_value(word))
            .then_some("-vpython-root");
        let by = by_flag.or_else(|| process.setting(variable::ROOT).map(|_| variable::ROOT))?;
        Some((by.to_owned(), shown(self.root.as_deref()?)))
    }

    fn wheels_by_caller(&self) -> Option<(String, String)> {
        let by = match self.wheels.source {
            _ if self.wheels.of_caller.is_empty() => return None,
            WheelsSource::Flag => "-vpython-wheels",
            WheelsSource::Variable => variable::WHEELS,
        };
        Some((by.to_owned(), listed(&self.wheels.of_caller)))
    }
}

/// The settings collected so far.
struct Made<'a> {
    conf: &'a Conf,
    settings: Vec<Setting>,
}

impl Made<'_> {
    /// Adds a setting: the caller's value if there is one, or else the file's.
    fn add<T>(
        &mut self,
        key: &'static str,
        by_caller: Option<(String, String)>,
        set: Option<&Set<T>>,
        show: impl Fn(&T) -> String,
    ) {
        let by_file = || {
            let (file, set) = (self.conf.file.as_deref()?, set?);
            Some((
                format!("{}, line {}", file.display(), set.line),
                show(&set.value),
            ))
        };
        let made = by_caller
            .or_else(by_file)
            .map(|(from, value)| Setting { key, value, from });
        self.settings.extend(made);
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn listed(wheelhouses: &[WheelhouseReference]) -> String {
    let wheelhouses = wheelhouses.iter().map(ToString::to_string);
    wheelhouses.collect::<Vec<_>>().join(", ")
}
