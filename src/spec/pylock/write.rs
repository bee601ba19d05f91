//! Writing of lock files: the text is deterministic and has one line for each file, so that a diff
//! shows exactly what has changed.

use std::path::Path;

use toml_writer::{ToTomlValue, TomlStringBuilder};

use super::{Basis, Lock, LockedPackage, LockedWheel, built};

/// The beginning of the file; the first line is for human readers.
const HEAD: &str = "\
# Written by `vpython -vpython-tool lock`. Changes by hand are lost when it is made anew.
lock-version = \"1.0\"
";
/// The lines before the packages: vpython's lock files have no extras and groups.
const MAKER: &str = "\
extras = []
dependency-groups = []
created-by = \"vpython\"
";

impl Lock {
    /// Returns the text of the lock file.
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
        // The paths of wheels are relative to the lock file's directory.
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        text.extend(
            self.packages
                .iter()
                .map(|locked| package(&locked.value, directory)),
        );
        text.extend(self.basis.as_ref().map(basis));
        text += &built::to_text(&self.built);
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
    // The keys in the order of the specification; optional ones only if present.
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

/// Formats a wheel on a line of its own. Its path is relative to the lock file's directory, if it
/// is below that.
fn wheel(wheel: &LockedWheel, directory: &Path) -> String {
    let LockedWheel {
        file_name,
        path,
        url,
        size,
        sha256,
        long_digests: _,
    } = wheel;
    // A path outside the directory would be that of this machine.
    let path = path
        .as_deref()
        .and_then(|path| path.strip_prefix(directory).ok()?.to_str());
    let path = path
        .map(|path| format!(", path = {}", quoted(path)))
        .unwrap_or_default();
    let url = url
        .as_ref()
        .map(|url| format!(", url = {}", quoted(url.reveal())))
        .unwrap_or_default();
    let size = size
        .map(|size| format!(", size = {size}"))
        .unwrap_or_default();
    format!(
        "    {{name = {}{path}{url}{size}, hashes = {{sha256 = \"{sha256}\"}}}},\n",
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
    // Write only keys that differ from their defaults.
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

/// Formats a TOML basic string.
fn quoted(value: &str) -> String {
    TomlStringBuilder::new(value).as_basic().to_toml_value()
}
