//! The package indexes that a spec names: pip's options in `requirements.txt`, `[tool.vpython]`,
//! and `[tool.uv]`.
//!
//! Only `fetch`, and a launch that may use the network, read them. A launch from wheel directories
//! does not.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use pep508_rs::PackageName;
use url::Url;

use super::{Located, Location};

/// The package indexes that a spec names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// The indexes, in the order of the spec.
    pub named: Vec<SpecIndex>,
    /// The projects that the spec takes from one named index (`[tool.uv.sources]`), each with the
    /// name of the index.
    pub pins: BTreeMap<PackageName, Located<String>>,
    /// The projects that the spec takes from a source that vpython cannot read, such as a
    /// repository, each with the reason: a sentence. No index replaces that source.
    pub elsewhere: BTreeMap<PackageName, String>,
    /// Pages with links to files of any project (`--find-links`).
    pub find_links: Vec<Located<IndexUrl>>,
    /// Directories of such files that are no wheel directories: `find-links` of `[tool.uv]`.
    pub directories: Vec<Located<PathBuf>>,
    /// Hosts that may be reached by plain HTTP (`--trusted-host`), as `host` or `host:port`.
    pub trusted_hosts: Vec<Located<String>>,
    /// Where the spec forbids the use of indexes (`--no-index`); pages of links remain.
    pub no_index: Option<Location>,
    /// The time from which files of indexes are passed over (`exclude-newer` of `[tool.uv]`).
    pub exclude_newer: Option<Located<String>>,
    /// Indexes that vpython cannot read, one sentence each: without them, projects would come from
    /// another index. A launch that reads no index does not report them.
    pub unusable: Vec<String>,
    /// What vpython cannot use, one sentence each, with the location. A launch that reads no index
    /// does not report it.
    pub warnings: Vec<String>,
}

/// An index of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecIndex {
    /// The URL.
    pub url: Located<IndexUrl>,
    /// The name by which the spec refers to it.
    pub name: Option<String>,
    /// When it is searched.
    pub role: IndexRole,
    /// The statuses by which it says that it does not have a project, in addition to 404 and 410
    /// (uv's `ignore-error-codes`); `None` if the spec does not say.
    pub ignored_statuses: Option<Vec<u16>>,
}

/// When an index is searched for a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexRole {
    /// After all others; it replaces PyPI.
    Default,
    /// Before the default index, in the order of the spec.
    Extra,
    /// Only for the projects that are pinned to it.
    Explicit,
}

impl Indexes {
    /// Checks whether the spec names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds an index without a name. Of several default indexes the last one counts, as for pip.
    pub(super) fn add(&mut self, url: Located<IndexUrl>, role: IndexRole) {
        if role == IndexRole::Default {
            self.named.retain(|index| index.role != role);
        }
        self.named.push(SpecIndex {
            url,
            name: None,
            role,
            ignored_statuses: None,
        });
    }
}

/// An `http` or `https` URL as a spec or a setting has it, which may contain a password. `Display`
/// and `Debug` show it without user information and query.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexUrl(String);

impl IndexUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// The reason, without the URL: it is not absolute, or is not for HTTP.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self(text.to_owned())),
            Ok(url) => Err(format!("its scheme is `{}`, not `https`", url.scheme())),
            Err(error) => Err(format!("it is not a URL: {error}")),
        }
    }

    /// Returns the URL as written, secrets included.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns a text that was meant to be a URL, as far as it has no secrets.
    #[must_use]
    pub fn hide_secrets(text: &str) -> String {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        // A password may contain `@` and `/` even though it should not.
        let rest = rest.rsplit('@').next().unwrap_or_default();
        let separator = if scheme.is_empty() { "" } else { "://" };
        format!("{scheme}{separator}{rest}")
    }
}

impl fmt::Display for IndexUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&Self::hide_secrets(&self.0))
    }
}

impl fmt::Debug for IndexUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let rows = [
            (
                "https://user:pass@index.example/simple",
                "https://index.example/simple",
            ),
            (
                "https://a@b:p@ss/w@index.example/x?token=1#f",
                "https://index.example/x",
            ),
            ("https://index.example/", "https://index.example/"),
            (" http://localhost:8080/x ", "http://localhost:8080/x"),
        ];
        for (text, shown) in rows {
            let url = IndexUrl::parse(text).unwrap();
            assert_eq!(
                (url.to_string(), format!("{url:?}")),
                (shown.into(), shown.into())
            );
            assert_eq!(url.reveal(), text.trim());
        }
        assert_eq!(IndexUrl::hide_secrets("user:pass@host/x"), "host/x");
    }

    #[test]
    fn only_http_is_an_index() {
        let why = |text| IndexUrl::parse(text).unwrap_err();
        assert_eq!(why("file:///x"), "its scheme is `file`, not `https`");
        assert_eq!(why("../x"), "it is not a URL: relative URL without a base");
    }
}
