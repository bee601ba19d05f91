//! The keys of a lock file that decide what is installed, as TOML has them.

use std::collections::BTreeMap;
use std::path::Path;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::{Basis, BuiltPins, built};

/// The keys that decide what is installed.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawLock {
    pub(super) lock_version: Spanned<String>,
    #[serde(default)]
    pub(super) environments: Vec<Spanned<String>>,
    pub(super) requires_python: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) default_groups: Vec<String>,
    pub(super) packages: Vec<RawPackage>,
    #[serde(default)]
    pub(super) tool: RawTools,
}

#[derive(Default, Deserialize)]
pub(super) struct RawTools {
    pub(super) vpython: Option<RawTool>,
}

#[derive(Deserialize)]
pub(super) struct RawTool {
    #[serde(flatten)]
    pub(super) basis: Basis,
    #[serde(default, deserialize_with = "built::deserialize")]
    pub(super) built: BuiltPins,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawPackage {
    pub(super) name: Spanned<String>,
    pub(super) version: Option<Spanned<String>>,
    pub(super) marker: Option<Spanned<String>>,
    pub(super) requires_python: Option<Spanned<String>>,
    pub(super) vcs: Option<IgnoredAny>,
    pub(super) directory: Option<IgnoredAny>,
    pub(super) archive: Option<Spanned<RawFile>>,
    pub(super) sdist: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) wheels: Vec<Spanned<RawFile>>,
}

#[derive(Deserialize)]
pub(super) struct RawFile {
    name: Option<String>,
    pub(super) path: Option<String>,
    pub(super) url: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) hashes: BTreeMap<String, String>,
}

/// The version, which is parsed before the other keys.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawVersion {
    pub(super) lock_version: Spanned<String>,
}

impl RawFile {
    pub(super) fn file_name(&self) -> Option<String> {
        file_name(
            self.name.as_deref(),
            self.path.as_deref(),
            self.url.as_deref(),
        )
    }
}

/// Returns the name of a locked file: the explicit one, or else the last component of the path or
/// of the URL.
pub(in crate::spec) fn file_name(
    name: Option<&str>,
    path: Option<&str>,
    url: Option<&str>,
) -> Option<String> {
    let last = |path: &str| {
        path.rsplit(['/', '\\'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let of_url = || {
        let path = url?.split(['?', '#']).next()?;
        Some(
            percent_decode_str(&last(path))
                .decode_utf8_lossy()
                .into_owned(),
        )
    };
    let name = name
        .map(str::to_owned)
        .or_else(|| path.map(last))
        .or_else(of_url)?;
    // Reject a name that contains a path.
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

pub(super) fn is_wheel_name(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "whl")
}
