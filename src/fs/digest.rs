//! SHA-256 digests, which identify files, and the longer digests of the same family that a spec may
//! pin.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// The number of bytes hashed at a time.
const CHUNK: usize = 1 << 20;

/// A SHA-256 digest, shown in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Hashes a file's content. `advance` receives the number of bytes of each chunk.
    pub fn of_file(path: &Path, advance: impl FnMut(u64)) -> Result<Self> {
        Self::of_reader(&mut super::open_regular(path)?, advance)
            .with_context(|| format!("cannot read `{}`", path.display()))
    }

    /// Hashes all remaining bytes of a reader. `advance` receives the number of bytes of each
    /// chunk.
    pub fn of_reader(
        reader: &mut impl Read,
        mut advance: impl FnMut(u64),
    ) -> std::io::Result<Self> {
        let mut hasher = sha2::Sha256::new();
        feed(&mut hasher, reader, &mut advance)?;
        Ok(Self(hasher.finalize().into()))
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    /// Wraps the bytes that SHA-256 returned.
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Feeds all remaining bytes of a reader into a hasher.
fn feed(
    hasher: &mut impl sha2::Digest,
    reader: &mut impl Read,
    advance: &mut impl FnMut(u64),
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(()),
            length => {
                hasher.update(&chunk[..length]);
                advance(length as u64);
            }
        }
    }
}

/// A digest algorithm with more bits than SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongDigest {
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl LongDigest {
    /// All algorithms.
    pub const ALL: [Self; 2] = [Self::Sha384, Self::Sha512];

    /// Returns its name in Python's `hashlib`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Hashes a file's content. Returns lower-case hexadecimal.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_file(self, path: &Path) -> Result<String> {
        match self {
            Self::Sha384 => hex_of_file(sha2::Sha384::new(), path),
            Self::Sha512 => hex_of_file(sha2::Sha512::new(), path),
        }
    }
}

fn hex_of_file(mut hasher: impl sha2::Digest, path: &Path) -> Result<String> {
    let read = feed(&mut hasher, &mut super::open_regular(path)?, &mut drop);
    read.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(hex::encode(hasher.finalize()))
}

impl FromStr for Digest {
    type Err = hex::FromHexError;

    /// Parses 64 hexadecimal digits.
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), abc);
        assert_eq!(
            Digest::of_reader(&mut &b"abc"[..], drop).unwrap(),
            Digest::of(b"abc")
        );
        assert_eq!(
            serde_json::from_str::<Digest>(&format!("\"{abc}\"")).unwrap(),
            Digest::of(b"abc")
        );
        assert!(serde_json::from_str::<Digest>("\"ba78\"").is_err());
    }
}
