//! The numbers in ELF files of both sizes and both byte orders: the table of segments, and the dynamic
//! section (`elf(5)`).

use anyhow::{Context, Result, ensure};
use object::elf::DT_NULL;
use object::{Endian, Endianness};

/// The size and order of numbers.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub is_64: bool,
    pub order: Endianness,
}

/// An entry of the table of segments.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub address: u64,
    pub in_file: u64,
    pub in_memory: u64,
    pub alignment: u64,
}

/// Returns a part of a file.
pub(super) fn slice(bytes: &[u8], offset: u64, size: u64) -> Result<&[u8]> {
    let range = usize::try_from(offset).ok().zip(usize::try_from(size).ok());
    let found = range.and_then(|(offset, size)| bytes.get(offset..offset.checked_add(size)?));
    found.context("it is truncated")
}

impl Form {
    fn half(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(self.order.read_u16_bytes(bytes).into())
    }

    fn word(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(self.order.read_u32_bytes(bytes))
    }

    fn address(self, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.is_64 {
            return self.word(bytes, at).map(u64::from);
        }
        let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(self.order.read_u64_bytes(bytes))
    }

    /// Returns the offset of the table of segments, the size of an entry, and the number of them.
    pub fn table(self, bytes: &[u8]) -> Result<(usize, usize, usize)> {
        let (offset, size, count, entry) = if self.is_64 {
            (32, 54, 56, 56)
        } else {
            (28, 42, 44, 32)
        };
        let read = || {
            let offset = usize::try_from(self.address(bytes, offset)?).ok()?;
            let size = usize::try_from(self.half(bytes, size)?).ok()?;
            let count = usize::try_from(self.half(bytes, count)?).ok()?;
            bytes.get(offset..offset.checked_add(size.checked_mul(count)?)?)?;
            Some((offset, size, count))
        };
        let found = read().context("its table of segments is truncated")?;
        ensure!(found.1 >= entry, "its table of segments is truncated");
        Ok(found)
    }

    pub fn read_segment(self, bytes: &[u8], at: usize) -> Option<Segment> {
        let word = |offset| self.word(bytes, at + offset);
        let address = |offset| self.address(bytes, at + offset);
        Some(if self.is_64 {
            Segment {
                kind: word(0)?,
                flags: word(4)?,
                offset: address(8)?,
                address: address(16)?,
                in_file: address(32)?,
                in_memory: address(40)?,
                alignment: address(48)?,
            }
        } else {
            Segment {
                kind: word(0)?,
                flags: word(24)?,
                offset: address(4)?,
                address: address(8)?,
                in_file: address(16)?,
                in_memory: address(20)?,
                alignment: address(28)?,
            }
        })
    }

    pub fn write_segment(self, to: &mut Vec<u8>, segment: &Segment) {
        let Segment {
            kind,
            flags,
            offset,
            address,
            in_file,
            in_memory,
            alignment,
        } = *segment;
        let word = |word: u32| self.order.write_u32_bytes(word);
        to.extend(word(kind));
        if self.is_64 {
            to.extend(word(flags));
        }
        // The physical address is that in memory.
        for number in [offset, address, address, in_file, in_memory] {
            self.write_address(to, number);
        }
        if !self.is_64 {
            to.extend(word(flags));
        }
        self.write_address(to, alignment);
    }

    pub fn write_address(self, to: &mut Vec<u8>, number: u64) {
        if self.is_64 {
            to.extend(self.order.write_u64_bytes(number));
        } else {
            // The numbers of such a file fit.
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            to.extend(self.order.write_u32_bytes(number));
        }
    }

    /// Returns the entries of the dynamic section, each a tag and a value, up to the last one.
    pub fn entries(self, bytes: &[u8], dynamic: &Segment) -> Result<Vec<(u64, u64)>> {
        let bytes = slice(bytes, dynamic.offset, dynamic.in_file)?;
        let size = if self.is_64 { 8 } else { 4 };
        let pairs = (0..bytes.len() / (2 * size)).map(|index| {
            let at = index * 2 * size;
            let tag = self.address(bytes, at)?;
            Some((tag, self.address(bytes, at + size)?))
        });
        let entries: Option<Vec<(u64, u64)>> = pairs.collect();
        let mut entries = entries.context("its dynamic section is truncated")?;
        let end = entries
            .iter()
            .position(|(tag, _)| *tag == u64::from(DT_NULL));
        entries.truncate(end.unwrap_or(entries.len()));
        Ok(entries)
    }
}
