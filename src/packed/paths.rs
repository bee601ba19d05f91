//! The paths of members, and the targets of links, that an archive may have.

/// Returns whether a path consists of plain names: relative, without `.`, `..`, empty names and
/// NUL.
pub(super) fn is_plain(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | "..")) && !path.contains('\0')
}

/// Returns whether a link at `path` points inside the environment. `..` is accepted only at the
/// start of the target, where each parent is a real directory: after the name of a link it would
/// name the parent of that link's target.
pub(super) fn stays_inside(path: &str, target: &str) -> bool {
    let mut names = target
        .strip_suffix('/')
        .unwrap_or(target)
        .split('/')
        .peekable();
    let mut depth = path.matches('/').count();
    while names.next_if_eq(&"..").is_some() {
        let Some(above) = depth.checked_sub(1) else {
            return false;
        };
        depth = above;
    }
    names.all(|name| !matches!(name, "" | "..")) && !target.contains('\0')
}
