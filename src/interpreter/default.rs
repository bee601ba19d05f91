//! The default versions of Python, if neither the caller nor the spec names one: those of
//! `vpython.conf`, then those that LUCI's program of the same name selects.

use anyhow::Result;

use super::Facts;
use super::find::Search;
use super::version::NamedVersion;
use crate::interpreter::Source;
use crate::invocation::Invocation;
use crate::spec::{PythonDefault, Spec};

/// Returns the default versions of a launch, in search order; empty if a version is named.
pub(super) fn versions(invocation: &Invocation, spec: &Spec) -> Vec<NamedVersion> {
    if invocation.interpreter.is_some() || spec.requires_python.is_some() {
        return Vec::new();
    }
    let of_site = invocation
        .conf
        .python
        .iter()
        .flat_map(|python| python.value.iter().map(String::as_str));
    let versions = of_site.chain(spec.python_default.versions().iter().copied());
    versions
        .filter_map(|version| NamedVersion::of(version.as_ref()))
        .map(NamedVersion::by_default)
        .collect()
}

/// Checks whether the search selects the highest remaining version, not the first one found.
pub(super) fn takes_highest(invocation: &Invocation, spec: &Spec) -> bool {
    let is_named = invocation.interpreter.is_some() || spec.requires_python.is_some();
    spec.python_default == PythonDefault::Three && !is_named
}

impl Search<'_> {
    /// Returns the highest version from all sources, and of equal ones the first. A bundle always
    /// takes precedence.
    pub(super) fn highest(&mut self) -> Result<Option<Facts>> {
        let Some(mut best) = self.anywhere()? else {
            return Ok(None);
        };
        let passed_over = self.choice.passed_over.clone();
        while self
            .choice
            .taken
            .as_ref()
            .is_some_and(|taken| taken.source != Source::Bundle)
        {
            let taken = self.choice.taken.take();
            self.version = Some(NamedVersion::above(best.version()));
            let Some(higher) = self.anywhere()? else {
                self.choice.taken = taken;
                break;
            };
            best = higher;
        }
        // A lower version is not a rejected candidate, so drop those records.
        self.choice.passed_over = passed_over;
        Ok(Some(best))
    }
}
