//! A requirement in a `requirements.txt`, which must be by name: there is neither an index nor a
//! source build.

use std::path::Path;

use crate::spec::{self, Requirement};

/// The prefixes of requirements that name a URL.
pub(super) const SCHEMES: [&str; 8] = [
    "git+", "hg+", "svn+", "bzr+", "http:", "https:", "file:", "ssh:",
];
/// The advice for such requirements.
const ADVICE: &str = "put the wheel into a directory that `--find-links` names";

/// Parses a requirement by name. The error is a whole sentence.
pub(super) fn parse_requirement(text: &str) -> Result<Requirement, String> {
    if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
        return Err(format!(
            "`{text}` names a URL; {ADVICE}, and require it by name"
        ));
    }
    // Reject paths to wheels and archives.
    let path = text.split(['[', ';']).next().unwrap_or_default().trim_end();
    let is_archive = [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]
        .iter()
        .any(|end| path.ends_with(end));
    if path.starts_with('.') || path.starts_with('/') || is_archive && !text.contains('@') {
        let what = if Path::new(path)
            .extension()
            .is_some_and(|extension| extension == "whl")
        {
            "file"
        } else {
            "path"
        };
        return Err(format!(
            "`{text}` names a {what}; {ADVICE}, and require it by name"
        ));
    }
    // pip accepts an empty marker.
    match spec::parse_requirement(text.trim_end().strip_suffix(';').unwrap_or(text)) {
        Ok(requirement)
            if matches!(
                requirement.version_or_url,
                Some(pep508_rs::VersionOrUrl::Url(_))
            ) =>
        {
            Err(format!(
                "`{text}` names a URL; {ADVICE}, and require it by name"
            ))
        }
        Ok(requirement) => Ok(requirement),
        Err(why) => Err(format!("`{text}` is not a valid requirement: {why}")),
    }
}
