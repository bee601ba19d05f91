//! The extra fields of a header (APPNOTE 4.5). Fields that only state times and owners are ignored,
//! and the Zip64 field is read. Others, which may give a member another name or kind, are rejected.

use anyhow::{Result, bail, ensure};

use super::byte_reader::{ByteReader, ZIP64_MARKER};

/// Sizes and offsets that do not fit their header fields.
const ZIP64: u16 = 0x0001;
/// NTFS times, two kinds of Unix times and owners, Info-ZIP's new owners, Java's archive marker,
/// Android's alignment.
const HARMLESS: [u16; 7] = [0x000a, 0x5455, 0x5855, 0x7855, 0x7875, 0xcafe, 0xd935];

/// One of the two headers of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// The header in the central directory.
    Central,
    /// The local header, before its content.
    Local,
}

/// Reads the extra fields of a header, and stores the Zip64 values in `numbers`: size, compressed
/// size and offset, in the order of the Zip64 field. In the central directory, the field has only
/// the numbers that are at their maximum in the header; in a local header it has both sizes in any
/// case.
pub(super) fn read(extra: &[u8], numbers: &mut [&mut u64], header: Header) -> Result<()> {
    let mut fields = ByteReader(extra);
    let mut seen = Vec::new();
    while !fields.0.is_empty() {
        let (id, length) = (fields.u16()?, fields.u16()?);
        let mut field = ByteReader(fields.take(length.into())?);
        // Of two such fields, some programs use the first and others the last.
        ensure!(
            !seen.contains(&id),
            "it has two extra fields with the same ID ({id:#06x})"
        );
        seen.push(id);
        match id {
            ZIP64 => {
                // A local header has both sizes here, the central directory only full fields.
                let is_local = header == Header::Local;
                for number in numbers
                    .iter_mut()
                    .filter(|number| is_local || ***number == ZIP64_MARKER)
                {
                    let value = field.u64()?;
                    let is_new = **number == ZIP64_MARKER;
                    ensure!(
                        is_new || value == **number,
                        "its Zip64 field contradicts its header"
                    );
                    **number = value;
                }
                ensure!(
                    field.0.is_empty() && length > 0,
                    "its Zip64 field has excess data"
                );
            }
            _ if HARMLESS.contains(&id) => {}
            _ => bail!("it has an extra field that programs interpret differently ({id:#06x})"),
        }
    }
    ensure!(
        seen.contains(&ZIP64) || numbers.iter().all(|number| **number != ZIP64_MARKER),
        "it has no Zip64 field, but requires one"
    );
    Ok(())
}
