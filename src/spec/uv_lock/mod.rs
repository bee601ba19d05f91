//! uv's own lock file in place of LUCI's: `<file>.uv.lock` next to a spec of the native form, in
//! TOML, as `uv lock` writes it to `uv.lock` and `uv lock --script` to `<file>.lock`.
//!
//! Only uv uses this format, and only its source documents it (version 1,
//! `crates/uv-resolver/src/lock`). It contains each version of each package once, and the
//! dependencies between them. vpython follows these from the spec's requirements and so determines
//! the marker of each package. The result is a lock like any other: exactly the packages that `uv
//! sync` would install, regardless of the wheels' own metadata.

mod graph;
mod raw;
mod read;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::pylock::{Bound, Lock};
use super::{Packages, Spec, SpecKind, SpecText};

/// The suffix of a lock file, after the name of its spec.
const SUFFIX: &str = ".uv.lock";

/// Returns the path of the lock file next to the spec, in either form; `None` if the spec's kind
/// has no such lock file, or the spec is not in a file.
pub(super) fn path(text: &SpecText) -> Option<PathBuf> {
    let file = text
        .origin
        .file_on_disk()
        .filter(|_| is_native(text.kind))?;
    let mut name = file.file_name()?.to_owned();
    name.push(SUFFIX);
    Some(file.with_file_name(name))
}

/// Checks whether a file name is that of a LUCI or uv lock file.
#[must_use]
pub fn is_uv_lock(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .ends_with(SUFFIX.as_bytes())
}

fn is_native(kind: SpecKind) -> bool {
    matches!(
        kind,
        SpecKind::VpythonToml | SpecKind::Pyproject | SpecKind::Pep723
    )
}

/// Checks whether a text is in uv's form: its first significant line is `version = …`, which is not
/// a requirement.
pub(super) fn is_toml(content: &str) -> bool {
    let mut lines = content
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let value = lines
        .next()
        .and_then(|line| line.strip_prefix("version")?.trim_start().strip_prefix('='));
    value.is_some_and(|value| !value.starts_with('='))
}

impl SpecText {
    /// Returns the uv lock file that was found next to a spec; `None` if there is none.
    ///
    /// # Errors
    /// The lock file cannot be read, or was made for different requirements than the spec's.
    pub fn uv_lock(&self, spec: &Spec) -> Result<Option<Lock>> {
        let (Some(lock), Packages::Required(requirements)) = (&spec.uv_lock, &spec.packages) else {
            return Ok(None);
        };
        let file = self.origin.file.clone().unwrap_or_default();
        let bound = Bound {
            file,
            asked: requirements.asked.clone(),
            relock: None,
        };
        read::read(lock, bound, requirements.dependencies).map(Some)
    }
}

/// Applies a uv lock file to the spec, if there is one and no other lock file applies.
///
/// # Errors
/// Those of [`SpecText::uv_lock`].
pub(super) fn bind(text: &SpecText, mut spec: Spec) -> Result<Spec> {
    let Some(mut lock) = text.uv_lock(&spec)? else {
        return Ok(spec);
    };
    spec.requires_python = lock.python_range(spec.requires_python.as_ref());
    spec.warnings.append(&mut lock.warnings);
    spec.packages = Packages::Locked(Box::new(lock));
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::is_toml;

    #[test]
    fn the_two_forms_are_distinguished() {
        let rows = [
            ("version = 1\nrevision = 3\n", true),
            ("# made by a tool\n\nversion=1\n", true),
            ("version==1\n", false),
            ("version == 1 --hash=sha256:0\n", false),
            ("six==1.15.0\nversion = 1\n", false),
            ("", false),
        ];
        for (content, expected) in rows {
            assert_eq!(is_toml(content), expected, "{content}");
        }
    }
}
