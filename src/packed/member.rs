//! The members of a packed environment, as its manifest lists them.

use serde::{Deserialize, Serialize};

use crate::fs::Digest;

/// A member of the environment. Paths are relative to the environment: plain names joined by `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Member {
    /// A directory; its permission bits are 0755.
    #[serde(rename = "folder")]
    Directory {
        /// Its path.
        path: String,
    },
    /// A regular file.
    File {
        /// Its path.
        path: String,
        /// Its permission bits.
        mode: Mode,
        /// Its size in bytes.
        size: u64,
        /// The digest of its content.
        sha256: Digest,
    },
    /// A symbolic link.
    Link {
        /// Its path.
        path: String,
        /// The target, as stored in the link.
        target: String,
    },
}

/// The permission bits of a file in an archive. No other values occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// 0644.
    #[serde(rename = "0644")]
    Plain,
    /// 0755.
    #[serde(rename = "0755")]
    Executable,
}

impl Mode {
    /// The permission bits as a number.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Executable => 0o755,
        }
    }
}

impl Member {
    /// The path relative to the environment.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Directory { path } | Self::File { path, .. } | Self::Link { path, .. } => path,
        }
    }

    /// The size of a file in bytes; 0 for anything else.
    #[must_use]
    pub fn size(&self) -> u64 {
        if let Self::File { size, .. } = self {
            *size
        } else {
            0
        }
    }
}
