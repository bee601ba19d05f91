//! A requirement in a `requirements.txt`: by name, or by the URL of a wheel. There is no source
//! build.

use std::path::Path;

use crate::fs::Digest;
use crate::spec::direct_url::{self, Advice};
use crate::spec::{self, Requested};

/// The prefixes of requirements that name a URL.
pub(super) const SCHEMES: [&str; 8] = [
    "git+", "hg+", "svn+", "bzr+", "http:", "https:", "file:", "ssh:",
];
/// The advice for requirements that name a path.
const ADVICE: &str = "put the wheel into a directory that `--find-links` names";
/// The advice for those that name a URL.
const ADVICE_FOR_URLS: Advice = Advice {
    directories: "`--find-links`",
    digest: "`#sha256=` and the digest to the URL, or `--hash=sha256:` and the digest to the line",
};

/// Parses a requirement with its digests. The error is a whole sentence.
pub(super) fn parse_requirement(text: &str, hashes: Vec<Digest>) -> Result<Requested, String> {
    let named;
    let text = match name_of_url(text) {
        Some(name) => {
            named = format!("{name} @ {text}");
            &*named
        }
        None => text,
    };
    if text.starts_with("file:") {
        return Err(format!(
            "`{text}` names a file; {ADVICE}, and require it by name"
        ));
    }
    if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
        let url = direct_url::without_secrets(text);
        return Err(format!(
            "`{url}` names no wheel, and vpython builds nothing from source; build one with \
             `-vpython-tool fetch --build … -- {url}`, and require its project by name"
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
    let requirement = text.trim_end().strip_suffix(';').unwrap_or(text);
    let requirement = spec::parse_requirement(requirement)
        .map_err(|why| format!("`{text}` is not a valid requirement: {why}"))?;
    direct_url::requested(requirement, hashes, ADVICE_FOR_URLS)
}

/// Returns the name of the project, if a requirement is only the URL of a wheel.
fn name_of_url(text: &str) -> Option<String> {
    if !text.starts_with("http:") && !text.starts_with("https:") {
        return None;
    }
    let url = text.split(char::is_whitespace).next()?;
    Some(direct_url::project_of(url)?.to_string())
}
