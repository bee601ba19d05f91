//! The tar archive of an image's layer. A small one is inflated as a whole, in half the time of
//! streaming, and several are at once.

use std::io::{BufReader, Read};

use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;
use memchr::memmem;

use crate::fs::Hashing;
use crate::oci::{Blob, Descriptor, media_type};

/// The maximum size of a layer that is inflated as a whole, compressed and inflated, in bytes.
const SMALL: u64 = 32 << 20;

/// A layer that is ready to be extracted.
pub(super) enum Layer {
    /// The tar archive of a layer whose digest is right.
    Inflated(Vec<u8>),
    /// A compressed layer whose digest is right.
    Compressed(Vec<u8>),
    /// A layer that is not read yet.
    Unread(Box<Blob>),
}

impl Layer {
    /// Reads and inflates a layer if it is small.
    ///
    /// # Errors
    /// It cannot be read, or differs from its digest.
    pub fn read(layer: &Descriptor, blob: Blob) -> Result<Self> {
        if !is_gzip(layer) || layer.size > SMALL {
            return Ok(Self::Unread(Box::new(blob)));
        }
        let mut compressed = Vec::new();
        let mut blob = Hashing::new(blob);
        let read = blob.by_ref().take(SMALL).read_to_end(&mut compressed);
        read.context("cannot read it")?;
        check_digest(blob, layer)?;
        Ok(inflated(&compressed).map_or(Self::Compressed(compressed), Self::Inflated))
    }

    /// Passes the tar archive to `extract`, and verifies what is not verified yet.
    ///
    /// # Errors
    /// Those of `extract`; the layer cannot be read, or differs from its digest.
    pub fn extract(
        self,
        layer: &Descriptor,
        extract: impl FnOnce(&mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Inflated(archive) => extract(&mut &*archive),
            Self::Compressed(compressed) => extract(&mut *archive(layer, &mut &*compressed)?),
            Self::Unread(blob) => {
                let mut blob = Hashing::new(*blob);
                extract(&mut *archive(layer, &mut blob)?)?;
                check_digest(blob, layer)
            }
        }
    }
}

fn is_gzip(layer: &Descriptor) -> bool {
    matches!(
        layer.media_type.as_str(),
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER
    )
}

/// Inflates a gzip file (RFC 1952); none if it is too large, has more than one member, or is damaged.
/// The inflater does not report how many bytes it has consumed. It expects CRC-32 and size where the
/// content ends, and they occur nowhere but at the end of the file.
fn inflated(file: &[u8]) -> Option<Vec<u8>> {
    let footer = file.last_chunk::<8>()?;
    let [a, b, c, d, size @ ..] = *footer;
    let (checksum, size) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(size));
    let is_one_member = memmem::find(file, footer)? + footer.len() == file.len();
    if !is_one_member || u64::from(size) > SMALL {
        return None;
    }
    let mut content = vec![0; usize::try_from(size).ok()?];
    let length = Decompressor::new()
        .gzip_decompress(file, &mut content)
        .ok()?;
    (length == content.len() && libdeflater::crc32(&content) == checksum).then_some(content)
}

/// Compares the bytes of a layer with its digest, also those after the end of the compressed stream.
pub(super) fn check_digest(mut blob: Hashing<impl Read>, layer: &Descriptor) -> Result<()> {
    std::io::copy(&mut blob, &mut std::io::sink()).context("cannot read its end")?;
    let (found, _) = blob.finish();
    ensure!(
        found == layer.digest,
        "the layer `sha256:{}` differs from its digest: its bytes have the digest `{found}`",
        layer.digest
    );
    Ok(())
}

/// Returns the tar archive in a layer.
pub(super) fn archive<'a>(
    layer: &Descriptor,
    from: &'a mut dyn Read,
) -> Result<Box<dyn Read + 'a>> {
    let from = BufReader::new(from);
    Ok(match layer.media_type.as_str() {
        media_type::LAYER => Box::new(from),
        _ if is_gzip(layer) => Box::new(MultiGzDecoder::new(from)),
        media_type::LAYER_ZSTD => {
            Box::new(::zstd::Decoder::with_buffer(from).context("cannot read it")?)
        }
        other => bail!("a layer has the media type `{other}`"),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn compressed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn only_a_single_whole_member_is_inflated_at_once() {
        let one = compressed(b"one");
        assert_eq!(inflated(&one).as_deref(), Some(&b"one"[..]));
        // Zeros before the footer could be a part of it, so this one is streamed.
        assert_eq!(inflated(&compressed(b"")), None);
        let (two, same) = (compressed(b"two"), one.clone());
        let mut damaged = one.clone();
        damaged[12] ^= 1;
        let mut large = one.clone();
        let size = large.len() - 4;
        large[size..].copy_from_slice(&[0xff; 4]);
        let rows = [
            [&one[..], &two].concat(),
            [&one[..], &same].concat(),
            [&one[..], b"rest"].concat(),
            one[..one.len() - 1].to_vec(),
            damaged,
            large,
            Vec::new(),
        ];
        for (number, row) in rows.iter().enumerate() {
            assert_eq!(inflated(row), None, "{number}");
        }
    }
}
