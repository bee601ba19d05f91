//! Wheels that a `.vpython3` lists.

use std::path::Path;

use super::{write_each, write_wheels};

/// A wheel in the list of a LUCI spec.
fn listed_wheel(project: &str, version: usize) -> String {
    format!(
        "wheel: <\n  name: \"infra/python/wheels/{project}-py3\"\n  version: \"version:1.{version}\"\n>\n"
    )
}

pub(super) fn listed(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "s.vpython3", count, |number| {
        listed_wheel(&format!("p{number}"), 0)
    });
    "-vpython-spec s.vpython3 -c pass"
}

pub(super) fn listed_there(directory: &Path, count: usize) -> &'static str {
    write_wheels(directory, count);
    listed(directory, count);
    "-vpython-spec s.vpython3 -vpython-tool explain"
}

pub(super) fn listed_verify(directory: &Path, count: usize) -> &'static str {
    listed_there(directory, count);
    "-vpython-spec s.vpython3 -vpython-tool verify"
}

pub(super) fn listed_clash(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "s.vpython3", count, |number| {
        listed_wheel("one", number)
    });
    "-vpython-spec s.vpython3 -c pass"
}
