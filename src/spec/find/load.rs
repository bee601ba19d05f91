//! Reading of a file as a spec: its kind, by its name or its content, and its text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{SearchLog, inside};
use crate::fs::{self, limits};
use crate::invocation::Chosen;
use crate::report::Failure;
use crate::spec::{Origin, SpecKind, SpecText, luci, pylock, requirements};

/// Reads a named spec; its name and content determine its kind.
pub(super) fn load(path: &Path, what: &str) -> Result<SpecText> {
    let cannot = || format!("cannot use {what}");
    let limit = if kind_by_name(path) == Some(SpecKind::Pylock) {
        limits::LOCK
    } else {
        limits::SPEC
    };
    let bytes = fs::read_named_text(path, limit).with_context(cannot)?;
    // The name decides first, then an inline block, then the content.
    if let Some(kind) = kind_by_name(path) {
        return from_bytes(path, kind, bytes).with_context(cannot);
    }
    let directory = path.parent().map(Path::to_path_buf);
    let inside = inside::text(
        &bytes,
        Origin::file(path.to_path_buf()),
        directory,
        &mut SearchLog::default(),
    )?;
    if let Some(spec) = inside.spec {
        return Ok(spec);
    }
    if let Some(kind) = kind_by_content(path, &bytes) {
        return from_bytes(path, kind, bytes);
    }
    let name = path
        .file_name()
        .map(OsStr::as_bytes)
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    Err(Failure::new(cannot())
        .because(format!(
            "`{}` is neither a `.toml`, `.vpython3` or `.txt` file nor a script with a `# /// script` or `[VPYTHON:BEGIN]` block",
            path.display()
        ))
        .hint(format!("if it has the format of `vpython.toml`, rename it to `{name}.toml`"))
        .into())
}

/// Returns the spec inside a script with this text.
pub(in crate::spec) fn inside_text(
    text: &[u8],
    origin: Origin,
    base: Option<PathBuf>,
) -> Result<Option<SpecText>> {
    inside::text(text, origin, base, &mut SearchLog::default()).map(|inside| inside.spec)
}

/// Returns the kind of a file if its name is unambiguous.
fn kind_by_name(path: &Path) -> Option<SpecKind> {
    let name = path.file_name()?.as_bytes();
    if pylock::is_lock(name) {
        return Some(SpecKind::Pylock);
    }
    if name == b"pyproject.toml" {
        return Some(SpecKind::Pyproject);
    }
    if name.ends_with(b".toml") {
        return Some(SpecKind::VpythonToml);
    }
    (name.ends_with(b".vpython3") || name.ends_with(b".vpython")).then_some(SpecKind::Luci)
}

/// Returns the kind of a file by its content: LUCI's vpython accepts a spec of any name, and `.txt`
/// files are requirements regardless of their content.
fn kind_by_content(path: &Path, bytes: &[u8]) -> Option<SpecKind> {
    let extension = path.extension().unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|_| extension != "py");
    let is_named_so = extension == "txt" || extension == "in";
    match text {
        // A text that is empty in LUCI's form may not be empty in pip's, where a lone CR ends a
        // comment.
        Some(text) if luci::begins_with_field(text) && !requirements::is_likely(text) => {
            Some(SpecKind::Luci)
        }
        _ if is_named_so => Some(SpecKind::Requirements),
        Some(text) if luci::is_likely(text) => Some(SpecKind::Luci),
        Some(text) if requirements::is_likely(text) => Some(SpecKind::Requirements),
        _ => None,
    }
}

/// Returns the spec that a whole file contains.
pub(in crate::spec) fn from_bytes(path: &Path, kind: SpecKind, bytes: Vec<u8>) -> Result<SpecText> {
    let utf16 = if kind == SpecKind::Requirements {
        requirements::from_utf16(&bytes)
    } else {
        None
    };
    let content = utf16
        .map_or_else(|| String::from_utf8(bytes), Ok)
        .map_err(|error| {
            let line =
                memchr::memchr_iter(b'\n', &error.as_bytes()[..error.utf8_error().valid_up_to()])
                    .count()
                    + 1;
            Failure::new(format!("bad spec in `{}`", path.display()))
                .because(format!("line {line} is not UTF-8"))
        })?;
    // Drop the byte order mark that some editors write.
    let content = content
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(content);
    Ok(SpecText {
        kind,
        origin: Origin::file(path.to_path_buf()),
        base: path.parent().map(Path::to_path_buf),
        content,
        warnings: Vec::new(),
        chosen: Chosen::default(),
    })
}
