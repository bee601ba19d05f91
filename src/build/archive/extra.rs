//! The extra fields of a header (4.5 of the format). Those that only tell times and owners are let
//! pass, and that for large sizes is read; others, which may give a member another name or kind,
//! are refused.

use anyhow::{Result, bail, ensure};

use super::byte_reader::{ByteReader, ZIP64_MARKER};

/// Sizes and places that do not fit their fields.
const ZIP64: u16 = 0x0001;
/// NTFS's times, two kinds of Unix's times and owners, Info-ZIP's new owners, Java's mark of an
/// archive, Android's alignment.
const HARMLESS: [u16; 7] = [0x000a, 0x5455, 0x5855, 0x7855, 0x7875, 0xcafe, 0xd935];

/// Which of the two headers of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// That in the central directory.
    Central,
    /// That before its content.
    Local,
}

/// Reads the extra fields of a header, and puts the large values into `numbers`: size, compressed
/// size and place, as they stand in the header before. In the central directory only those are
/// there that are full; before the content both sizes are, even where they are not.
pub(super) fn read(extra: &[u8], numbers: &mut [&mut u64], header: Header) -> Result<()> {
    let mut fields = ByteReader(extra);
    let mut seen = Vec::new();
    while !fields.0.is_empty() {
        let (id, length) = (fields.u16()?, fields.u16()?);
        let mut field = ByteReader(fields.take(length.into())?);
        ensure!(
            !seen.contains(&id),
            "it has two extra fields of one kind ({id:#06x})"
        );
        seen.push(id);
        match id {
            ZIP64 => {
                let is_local = header == Header::Local;
                for number in numbers
                    .iter_mut()
                    .filter(|number| is_local || ***number == ZIP64_MARKER)
                {
                    let value = field.u64()?;
                    let is_new = **number == ZIP64_MARKER;
                    ensure!(is_new || value == **number, "it has two sizes");
                    **number = value;
                }
                ensure!(
                    field.0.is_empty() && length > 0,
                    "its Zip64 field has more than there is to say"
                );
            }
            _ if HARMLESS.contains(&id) => {}
            _ => bail!("it has an extra field that programs read in several ways ({id:#06x})"),
        }
    }
    ensure!(
        seen.contains(&ZIP64) || numbers.iter().all(|number| **number != ZIP64_MARKER),
        "it has no Zip64 field, and needs one"
    );
    Ok(())
}
