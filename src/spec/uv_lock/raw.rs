//! The keys of uv's lock file that decide what is installed, as TOML has them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::graph::Source;

#[derive(Deserialize)]
pub(super) struct RawVersion {
    pub(super) version: Spanned<u64>,
}

/// The keys that decide what is installed.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawLock {
    pub(super) version: Spanned<u64>,
    pub(super) requires_python: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) supported_markers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) manifest: RawManifest,
    #[serde(default, rename = "package")]
    pub(super) packages: Vec<RawPackage>,
}

/// The requirements that a script was locked for.
#[derive(Default, Deserialize)]
pub(super) struct RawManifest {
    pub(super) requirements: Option<Vec<RawRequirement>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawPackage {
    pub(super) name: Spanned<String>,
    pub(super) version: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) source: Source,
    #[serde(default)]
    pub(super) resolution_markers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) dependencies: Vec<Spanned<RawDependency>>,
    #[serde(default)]
    pub(super) optional_dependencies: BTreeMap<String, Vec<Spanned<RawDependency>>>,
    pub(super) sdist: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) wheels: Vec<Spanned<RawWheel>>,
    #[serde(default)]
    pub(super) metadata: RawMetadata,
}

#[derive(Deserialize)]
pub(super) struct RawDependency {
    pub(super) name: Spanned<String>,
    pub(super) version: Option<Spanned<String>>,
    pub(super) source: Option<Source>,
    #[serde(default)]
    pub(super) extra: Vec<String>,
    pub(super) marker: Option<Spanned<String>>,
}

#[derive(Deserialize)]
pub(super) struct RawWheel {
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) size: Option<u64>,
}

/// The requirements that a project was locked for.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawMetadata {
    pub(super) requires_dist: Option<Vec<RawRequirement>>,
}

#[derive(Deserialize)]
pub(super) struct RawRequirement {
    pub(super) name: String,
    #[serde(default)]
    pub(super) extras: Vec<String>,
    pub(super) specifier: Option<String>,
}
