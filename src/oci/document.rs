//! The JSON documents of the image specification, as far as vpython reads and writes them. Fields
//! that are not named here are kept where a document is changed: those of the configuration of a
//! base image.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::fs::Digest;

/// Media types, of OCI and of Docker, whose documents have the same fields.
pub mod media_type {
    /// A manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// A list of manifests.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The configuration of an image.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer in gzip.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A layer in Zstandard.
    pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// A layer that is not compressed.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// The configuration of a manifest that is not an image: `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// An unpacked wheel with byte code, as `push --built` writes it.
    pub const BUILT: &str = "application/vnd.vpython.built.v1.tar+zstd";
    /// Docker's manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's list of manifests.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker's layer, always in gzip.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
}

/// Annotations, by name.
pub type Annotations = BTreeMap<String, String>;

/// A blob: its kind, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// The digest of its bytes.
    #[serde(with = "prefixed")]
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Annotations, such as the name of a wheel.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
    /// The platform of a manifest in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What a manifest in an index is, if it is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// Describes bytes in memory.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            annotations: Annotations::new(),
            platform: None,
            artifact_type: None,
        }
    }

    /// Returns whether it describes a list of manifests.
    #[must_use]
    pub fn is_index(&self) -> bool {
        [media_type::INDEX, media_type::DOCKER_INDEX].contains(&self.media_type.as_str())
    }
}

/// The platform of an image, in the words of Go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The processor, for example `amd64`.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// The variant of the processor, for example `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Returns the platform of a machine in the words of Linux or Rust, for example `x86_64`.
    #[must_use]
    pub fn linux(machine: &str) -> Self {
        let (architecture, variant) = match machine {
            "x86_64" => ("amd64", None),
            "aarch64" => ("arm64", None),
            "armv6l" => ("arm", Some("v6")),
            "armv7l" | "armv8l" => ("arm", Some("v7")),
            "i386" | "i486" | "i586" | "i686" | "x86" => ("386", None),
            "powerpc64" => ("ppc64le", None),
            // Go has the same words as Linux for the others: `ppc64le`, `s390x`, `riscv64`.
            other => (other, None),
        };
        Self {
            architecture: architecture.to_owned(),
            os: "linux".to_owned(),
            variant: variant.map(str::to_owned),
        }
    }
}

/// A manifest: an image, or a set of blobs of another kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type; older tools leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is, if it is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first, or the blobs of a set.
    pub layers: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

impl Manifest {
    /// Creates a manifest.
    #[must_use]
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            annotations: Annotations::new(),
        }
    }

    /// Returns what it is; the media type of its configuration if it does not say so itself.
    #[must_use]
    pub fn artifact_type(&self) -> &str {
        let stated = self.artifact_type.as_ref();
        stated.unwrap_or(&self.config.media_type)
    }

    /// Parses a manifest.
    ///
    /// # Errors
    /// It is not one of schema version 2.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(text)?;
        ensure!(
            manifest.schema_version == 2,
            "its schema version is {}, not 2",
            manifest.schema_version
        );
        Ok(manifest)
    }
}

/// A list of manifests: that of a layout by tag, or that of an image by platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type; older tools leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    #[serde(default)]
    pub manifests: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

impl ImageIndex {
    /// Creates a list.
    #[must_use]
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::INDEX.to_owned()),
            manifests,
            annotations: Annotations::new(),
        }
    }

    /// Returns the manifest for a platform.
    ///
    /// # Errors
    /// There is none.
    pub fn of_platform(&self, platform: &Platform) -> Result<&Descriptor> {
        let fits = |descriptor: &&Descriptor| {
            descriptor.platform.as_ref().is_some_and(|found| {
                let has_variant = found.variant.is_none()
                    || platform.variant.is_none()
                    || found.variant == platform.variant;
                found.os == platform.os
                    && found.architecture == platform.architecture
                    && has_variant
            })
        };
        self.manifests.iter().find(fits).with_context(|| {
            format!(
                "it has no image for {} on {}",
                platform.os, platform.architecture
            )
        })
    }
}

/// The configuration of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, in the form of RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The platform.
    #[serde(flatten)]
    pub platform: Platform,
    /// How a container starts.
    #[serde(default)]
    pub config: Process,
    /// The layers.
    pub rootfs: RootFs,
    /// One entry for each layer.
    #[serde(default)]
    pub history: Vec<History>,
    /// Other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// How a container starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Process {
    /// The user, as `UID`, `UID:GID` or a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The environment variables, as `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The program with its first arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The arguments that a caller may replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Annotations>,
    /// Other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digest of each layer before compression, as `sha256:…`.
    pub diff_ids: Vec<String>,
}

/// What made a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When, in the form of RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Digests as `sha256:` and 64 digits.
mod prefixed {
    use serde::de::Error;

    use super::{Deserialize, Deserializer, Digest, Serializer};

    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("sha256:{digest}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix("sha256:")
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| {
                D::Error::custom(format!(
                    "the digest `{text}` is not `sha256:` and 64 digits"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_keeps_the_fields_that_are_not_known() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"User":"1","WorkingDir":"/x"},"rootfs":{"type":"layers","diff_ids":["sha256:00"]},"history":[{"comment":"c"}],"author":"a"}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.config.user.as_deref(), Some("1"));
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn invalid_documents_are_rejected() {
        let descriptor =
            |digest: &str| format!(r#"{{"mediaType":"x","digest":"{digest}","size":1}}"#);
        let manifest = |version: u32, digest: &str| {
            let config = descriptor(digest);
            format!(r#"{{"schemaVersion":{version},"config":{config},"layers":[]}}"#)
        };
        let hex = "00".repeat(32);
        let rows = [
            (
                manifest(1, &format!("sha256:{hex}")),
                "its schema version is 1, not 2",
            ),
            (
                manifest(2, "sha512:00"),
                "the digest `sha512:00` is not `sha256:` and 64 digits at line 1 column 65",
            ),
        ];
        for (text, why) in rows {
            assert_eq!(
                Manifest::parse(text.as_bytes()).unwrap_err().to_string(),
                why
            );
        }
        Manifest::parse(manifest(2, &format!("sha256:{hex}")).as_bytes()).unwrap();
    }

    #[test]
    fn platforms_have_the_words_of_go() {
        let rows = [
            ("x86_64", "amd64", None),
            ("aarch64", "arm64", None),
            ("armv7l", "arm", Some("v7")),
            ("i686", "386", None),
            ("riscv64", "riscv64", None),
            ("ppc64le", "ppc64le", None),
            ("s390x", "s390x", None),
        ];
        for (machine, architecture, variant) in rows {
            let platform = Platform::linux(machine);
            assert_eq!(
                (platform.architecture.as_str(), platform.variant.as_deref()),
                (architecture, variant)
            );
        }
    }
}
