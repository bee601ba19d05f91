//! Writing a lock: always the same text for the same lock, and a line for each file, so that what
//! changes in a lock is what changes in its text.

use std::path::Path;

use toml_writer::{ToTomlValue, TomlStringBuilder};

use super::{Basis, Lock, LockedPackage, LockedWheel};

/// What stands before all else: the first line is for people.
const HEAD: &str = "\
# Written by `vpython -vpython-tool lock`. Changes by hand are lost when it is made anew.
lock-version = \"1.0\"
";
/// What stands before the packages: there are no extras and groups to choose from.
const MAKER: &str = "\
extras = []
dependency-groups = []
created-by = \"vpython\"
";

impl Lock {
    /// The text of the lock.
    #[must_use]
    pub fn to_text(&self) -> String {
        let environments: Vec<&str> = self
            .environments
            .iter()
            .map(|environment| &*environment.value.written)
            .collect();
        let range = self
            .requires_python
            .as_ref()
            .map(|range| string("requires-python", &range.value.written));
        let mut text = HEAD.to_owned()
            + &array("environments", &environments)
            + &range.unwrap_or_default()
            + MAKER;
        if self.packages.is_empty() {
            text += "packages = []\n";
        }
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        text.extend(
            self.packages
                .iter()
                .map(|locked| package(&locked.value, directory)),
        );
        text.extend(self.basis.as_ref().map(basis));
        text
    }
}

fn package(package: &LockedPackage, directory: &Path) -> String {
    let LockedPackage {
        name,
        version,
        marker,
        requires_python,
        wheels,
        other_source: _,
    } = package;
    let mut text = "\n[[packages]]\n".to_owned() + &string("name", name.as_ref());
    text.extend(
        version
            .as_ref()
            .map(|version| string("version", &version.to_string())),
    );
    text.extend(
        marker
            .as_ref()
            .map(|marker| string("marker", &marker.written)),
    );
    text.extend(
        requires_python
            .as_ref()
            .map(|range| string("requires-python", &range.to_string())),
    );
    text += "wheels = [\n";
    text.extend(wheels.iter().map(|locked| wheel(&locked.value, directory)));
    text + "]\n"
}

/// A file, on a line of its own. Where it lies is said from the directory of the lock on, if it can
/// be.
fn wheel(wheel: &LockedWheel, directory: &Path) -> String {
    let LockedWheel {
        file_name,
        path,
        size,
        sha256,
        long_digests: _,
    } = wheel;
    let path = path
        .as_deref()
        .and_then(|path| path.strip_prefix(directory).ok()?.to_str());
    let path = path
        .map(|path| format!(", path = {}", quoted(path)))
        .unwrap_or_default();
    let size = size
        .map(|size| format!(", size = {size}"))
        .unwrap_or_default();
    format!(
        "    {{name = {}{path}{size}, hashes = {{sha256 = \"{sha256}\"}}}},\n",
        quoted(file_name)
    )
}

fn basis(basis: &Basis) -> String {
    let Basis {
        spec,
        requires_python,
        dependencies,
        constraints,
        platforms,
        no_deps,
        pre_releases,
    } = basis;
    let mut text = "\n[tool.vpython]\n".to_owned();
    text.extend(spec.as_ref().map(|name| string("spec", name)));
    text.extend(
        requires_python
            .as_ref()
            .map(|range| string("requires-python", range)),
    );
    let lists = [
        ("dependencies", dependencies),
        ("constraints", constraints),
        ("platforms", platforms),
    ];
    text.extend(
        lists
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(key, values)| array(key, values)),
    );
    let switches = [("no-deps", no_deps), ("pre-releases", pre_releases)];
    text.extend(
        switches
            .into_iter()
            .filter(|(_, is_on)| **is_on)
            .map(|(key, _)| format!("{key} = true\n")),
    );
    text
}

fn string(key: &str, value: &str) -> String {
    format!("{key} = {}\n", quoted(value))
}

fn array(key: &str, values: &[impl AsRef<str>]) -> String {
    let mut text = format!("{key} = [\n");
    text.extend(
        values
            .iter()
            .map(|value| format!("    {},\n", quoted(value.as_ref()))),
    );
    text + "]\n"
}

/// A text between double quotes, as TOML has it.
fn quoted(value: &str) -> String {
    TomlStringBuilder::new(value).as_basic().to_toml_value()
}
