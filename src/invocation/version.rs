//! Versions of Python, as callers and specs write them.

/// Splits the mark of a free-threaded build off a version: `3.13t` is `3.13`, free-threaded.
#[must_use]
pub fn split_threading(version: &str) -> (&str, bool) {
    match version.strip_suffix('t') {
        Some(version) if version.contains('.') => (version, true),
        _ => (version, false),
    }
}
