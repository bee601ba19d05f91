//! uv's own lock in place of LUCI's: `<file>.uv.lock` beside a spec of the native form, in TOML, as
//! `uv lock` writes it to `uv.lock` and `uv lock --script` to `<file>.lock`.
//!
//! The form is uv's alone, and documented by its source only (version 1,
//! `crates/uv-resolver/src/lock`). It has each package once for each version, and which package
//! requires which. What the spec asks for is followed through that to what is wanted where, so that
//! it becomes a lock like any other: the very packages that `uv sync` would install, and nothing of
//! what the wheels say of themselves.

mod graph;
mod read;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::pylock::{Bound, Lock};
use super::{Packages, Spec, SpecKind, SpecText};

/// How the name of a lock ends, behind that of its spec.
const SUFFIX: &str = ".uv.lock";

/// Where the lock beside a spec would be, in either form; none where the spec is of a kind that has
/// none, or in no file.
pub(super) fn path(text: &SpecText) -> Option<PathBuf> {
    let file = text
        .origin
        .file_on_disk()
        .filter(|_| is_native(text.kind))?;
    let mut name = file.file_name()?.to_owned();
    name.push(SUFFIX);
    Some(file.with_file_name(name))
}

/// Whether a file is a lock of LUCI's or uv's, by its name.
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

/// Whether a text is of uv's form: its first line that says something is `version = …`, which is no
/// requirement.
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
    /// The lock of uv's form that was found beside a spec; none where there is no such lock.
    ///
    /// # Errors
    /// It cannot be read, or was made from something else than the spec is now.
    pub fn uv_lock(&self, spec: &Spec) -> Result<Option<Lock>> {
        let (Some(lock), Packages::Required(requirements)) = (&spec.uv_lock, &spec.packages) else {
            return Ok(None);
        };
        let file = self.origin.file.clone().unwrap_or_default();
        let bound = Bound {
            file,
            asked: requirements.asked.clone(),
        };
        read::read(lock, bound, requirements.dependencies).map(Some)
    }
}

/// The spec as its lock has it, where there is one of uv's form and nothing else has bound the
/// spec.
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
    fn the_two_forms_are_told_apart() {
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
