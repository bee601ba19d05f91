//! The binary of an interpreter with another loader and another run path, so that it runs with a C
//! library of its own.
//!
//! A new segment at the end of the file contains the name of the loader, the string table with the
//! run path, and the dynamic section with a `DT_RPATH`. Unlike a `DT_RUNPATH`, that also applies to
//! the libraries that extension modules need, and it precedes `LD_LIBRARY_PATH`. Nothing else in the
//! file moves. The segment takes the place of a note in the table of segments, since that cannot
//! grow; only tools for developers read notes of programs. Sources: `elf(5)`, `ld.so(8)`, and
//! <https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html>.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::Endianness;
use object::elf::{
    DT_NULL, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, ELFCLASS64, ELFDATA2MSB, ELFMAG, PF_R,
    PF_W, PT_DYNAMIC, PT_GNU_PROPERTY, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL,
};

use super::elf_form::{Form, Segment, slice};

/// The alignment of the parts of the new segment.
const ALIGNMENT: usize = 16;

/// A dynamically linked program.
pub(super) struct Binary {
    bytes: Vec<u8>,
    form: Form,
    segments: Vec<Segment>,
    loader: PathBuf,
}

/// Returns the path of the loader of a program; `None` if it is not an ELF file, or has none.
///
/// # Errors
/// The file is damaged.
pub fn loader_of(bytes: Vec<u8>) -> Result<Option<PathBuf>> {
    Ok(Binary::parse(bytes)?.map(|binary| binary.loader))
}

impl Binary {
    /// Parses a program; `None` if it is not an ELF file, or has no loader.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn parse(bytes: Vec<u8>) -> Result<Option<Self>> {
        if !bytes.starts_with(&ELFMAG) || bytes.len() < 64 {
            return Ok(None);
        }
        let form = Form {
            is_64: bytes[4] == ELFCLASS64,
            order: if bytes[5] == ELFDATA2MSB {
                Endianness::Big
            } else {
                Endianness::Little
            },
        };
        let (table, size, count) = form.table(&bytes)?;
        let at = |index| Some(table + index * size);
        let segments = (0..count).map(|index| form.read_segment(&bytes, at(index)?));
        let segments: Option<Vec<Segment>> = segments.collect();
        let segments = segments.context("its table of segments is truncated")?;
        let Some(named) = segments.iter().find(|it| it.kind == PT_INTERP) else {
            return Ok(None);
        };
        let name = slice(&bytes, named.offset, named.in_file)?;
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        let loader = PathBuf::from(OsStr::from_bytes(name));
        Ok(Some(Self {
            bytes,
            form,
            segments,
            loader,
        }))
    }

    /// Returns the path of its loader.
    pub fn loader(&self) -> &Path {
        &self.loader
    }

    /// Returns the program with another loader and another run path, which `run_path` makes from the
    /// old one.
    ///
    /// # Errors
    /// The file is damaged, or there is no room for a segment.
    pub fn with(
        mut self,
        loader: &Path,
        run_path: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Vec<u8>> {
        // What the new segment replaces.
        let dynamic = self.segments.iter().find(|it| it.kind == PT_DYNAMIC);
        let dynamic = *dynamic.context("it has no dynamic section")?;
        let entries = self.form.entries(&self.bytes, &dynamic)?;
        let (address, size) = value(&entries, DT_STRTAB)
            .zip(value(&entries, DT_STRSZ))
            .context("it has no string table")?;
        let strings = slice(&self.bytes, self.offset(address)?, size)?;
        let old = value(&entries, DT_RUNPATH).or_else(|| value(&entries, DT_RPATH));
        let old = old.and_then(|old| strings.get(usize::try_from(old).ok()?..));
        let old = old.unwrap_or_default().split(|byte| *byte == 0).next();
        let run_path = run_path(old.unwrap_or_default());
        // Its place: after all others, in memory and in the file.
        let loads = self.segments.iter().filter(|it| it.kind == PT_LOAD);
        let end = loads.clone().map(|it| it.address + it.in_memory).max();
        let alignment = loads.map(|it| it.alignment).max().unwrap_or(1).max(1);
        let address = end.context("it has no segments")?;
        let address = address.next_multiple_of(alignment);
        let offset = (self.bytes.len() as u64).next_multiple_of(alignment);
        let addition = Addition::new(self.form, loader, strings, &run_path, &entries, address);
        let size = addition.content.len() as u64;
        let part = |begin: u64, end: u64, old: &Segment| Segment {
            offset: offset + begin,
            address: address + begin,
            in_file: end - begin,
            in_memory: end - begin,
            ..*old
        };
        for segment in &mut self.segments {
            match segment.kind {
                PT_INTERP => *segment = part(0, addition.of_loader, segment),
                PT_DYNAMIC => *segment = part(addition.dynamic, size, segment),
                _ => {}
            }
        }
        let load = Segment {
            kind: PT_LOAD,
            flags: PF_R | PF_W,
            alignment,
            ..part(0, size, &dynamic)
        };
        self.insert(load)?;
        self.bytes.resize(usize::try_from(offset)?, 0);
        self.bytes.extend(addition.content);
        Ok(self.bytes)
    }

    /// Puts a segment after the last one of its kind, in place of a note, and writes the table.
    fn insert(&mut self, load: Segment) -> Result<()> {
        let spare = [PT_NULL, PT_NOTE, PT_GNU_PROPERTY];
        let spare = spare
            .iter()
            .find_map(|kind| self.segments.iter().rposition(|it| it.kind == *kind));
        self.segments
            .remove(spare.context("its table of segments has no room for another one")?);
        let last = self.segments.iter().rposition(|it| it.kind == PT_LOAD);
        self.segments.insert(last.map_or(0, |last| last + 1), load);
        let (table, size, _) = self.form.table(&self.bytes)?;
        for (index, segment) in self.segments.iter().enumerate() {
            let at = table + index * size;
            let mut entry = Vec::new();
            self.form.write_segment(&mut entry, segment);
            self.bytes[at..at + entry.len()].copy_from_slice(&entry);
        }
        Ok(())
    }

    /// Returns the offset in the file of an address in memory.
    fn offset(&self, address: u64) -> Result<u64> {
        let loads = self.segments.iter().filter(|it| it.kind == PT_LOAD);
        let mut offsets = loads.filter_map(|it| {
            let within = address.checked_sub(it.address)?;
            (within < it.in_file).then(|| it.offset + within)
        });
        offsets.next().context("its string table is in no segment")
    }
}

/// The content of the new segment.
struct Addition {
    content: Vec<u8>,
    /// The size of the name of the loader, at its beginning.
    of_loader: u64,
    /// The offset of the dynamic section, at its end.
    dynamic: u64,
}

impl Addition {
    /// Makes a segment for an address, with the old strings and the old entries of the dynamic
    /// section.
    fn new(
        form: Form,
        loader: &Path,
        strings: &[u8],
        run_path: &[u8],
        entries: &[(u64, u64)],
        address: u64,
    ) -> Self {
        let mut content = [loader.as_os_str().as_bytes(), b"\0"].concat();
        let of_loader = content.len() as u64;
        let align = |content: &mut Vec<u8>| {
            content.resize(content.len().next_multiple_of(ALIGNMENT), 0);
            content.len() as u64
        };
        let begin = align(&mut content);
        content.extend([strings, run_path, b"\0"].concat());
        let size = content.len() as u64 - begin;
        let dynamic = align(&mut content);
        let dropped = [DT_RPATH, DT_RUNPATH, DT_NULL].map(u64::from);
        let kept = entries.iter().filter(|(tag, _)| !dropped.contains(tag));
        let kept = kept.map(|(tag, value)| match u32::try_from(*tag) {
            Ok(DT_STRTAB) => (*tag, address + begin),
            Ok(DT_STRSZ) => (*tag, size),
            _ => (*tag, *value),
        });
        // The run path follows the old strings.
        let last = [(DT_RPATH.into(), strings.len() as u64), (DT_NULL.into(), 0)];
        for (tag, value) in kept.chain(last) {
            form.write_address(&mut content, tag);
            form.write_address(&mut content, value);
        }
        Self {
            content,
            of_loader,
            dynamic,
        }
    }
}

/// Returns the value of the first entry of the dynamic section with a tag.
fn value(entries: &[(u64, u64)], tag: u32) -> Option<u64> {
    let found = entries.iter().find(|(known, _)| *known == u64::from(tag));
    found.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use object::Endian;
    use object::elf::PT_GNU_STACK;

    use super::*;

    const STRINGS: &[u8] = b"\0libc.so.6\0$ORIGIN/../lib\0";

    /// Returns a program with a loader and a run path. Addresses are 0x1000 higher than offsets.
    fn program(form: Form, tag: u32) -> Vec<u8> {
        let (header, entry, pair) = if form.is_64 {
            (64, 56, 16)
        } else {
            (52, 32, 8)
        };
        let loader = header + 5 * entry;
        let strings = loader + 16;
        let dynamic = strings + 32;
        let end = dynamic + 6 * pair;
        let class = if form.is_64 { 2 } else { 1 };
        let order = if form.order == Endianness::Big { 2 } else { 1 };
        let mut bytes = [&ELFMAG[..], &[class, order, 1]].concat();
        bytes.resize(usize::try_from(header).unwrap(), 0);
        let mut put =
            |at: usize, value: Vec<u8>| bytes[at..at + value.len()].copy_from_slice(&value);
        let half = |value: u16| form.order.write_u16_bytes(value).to_vec();
        let mut address = Vec::new();
        form.write_address(&mut address, header);
        let entry_size = u16::try_from(entry).unwrap();
        let places = if form.is_64 {
            (32, 54, 56)
        } else {
            (28, 42, 44)
        };
        put(places.0, address);
        put(places.1, half(entry_size));
        put(places.2, half(5));
        for (kind, offset, size) in [
            (PT_INTERP, loader, 11),
            (PT_LOAD, 0, end),
            (PT_DYNAMIC, dynamic, 6 * pair),
            (PT_NOTE, 0, 4),
            (PT_GNU_STACK, 0, 0),
        ] {
            let segment = Segment {
                kind,
                flags: PF_R,
                offset,
                address: offset + 0x1000,
                in_file: size,
                in_memory: size,
                alignment: 0x1000,
            };
            form.write_segment(&mut bytes, &segment);
        }
        bytes.extend(b"/lib/ld.so\0\0\0\0\0\0");
        bytes.extend(STRINGS);
        bytes.resize(usize::try_from(dynamic).unwrap(), 0);
        let run_path = STRINGS.iter().position(|byte| *byte == b'$').unwrap() as u64;
        for (tag, value) in [
            (1, 1),
            (tag, run_path),
            (DT_STRTAB, strings + 0x1000),
            (DT_STRSZ, STRINGS.len() as u64),
            (DT_NULL, 0),
            (DT_NULL, 0),
        ] {
            form.write_address(&mut bytes, tag.into());
            form.write_address(&mut bytes, value);
        }
        bytes
    }

    #[test]
    fn a_program_gets_a_loader_and_a_run_path() {
        for (is_64, order, tag) in [
            (true, Endianness::Little, DT_RUNPATH),
            (true, Endianness::Big, DT_RPATH),
            (false, Endianness::Little, DT_RUNPATH),
            (false, Endianness::Big, DT_RUNPATH),
        ] {
            let bytes = program(Form { is_64, order }, tag);
            let old = Binary::parse(bytes.clone()).unwrap().unwrap();
            assert_eq!(old.loader(), Path::new("/lib/ld.so"));
            let run_path = |old: &[u8]| [b"/own:", old].concat();
            let new = old.with(Path::new("/store/libc/ld.so"), run_path).unwrap();
            let new = Binary::parse(new).unwrap().unwrap();
            assert_eq!(new.loader(), Path::new("/store/libc/ld.so"));
            // The order of segments is the one that the loader needs, and nothing else has moved.
            let kinds: Vec<u32> = new.segments.iter().map(|it| it.kind).collect();
            let expected = [PT_INTERP, PT_LOAD, PT_LOAD, PT_DYNAMIC, PT_GNU_STACK];
            assert_eq!(kinds, expected);
            let added = new.segments[2];
            assert_eq!(added.offset % 0x1000, 0);
            assert_eq!((added.offset, added.address), (0x1000, 0x2000));
            assert_eq!(added.flags, PF_R | PF_W);
            let end = if is_64 { 64 } else { 52 };
            assert_eq!(new.bytes[..end], bytes[..end]);
            let dynamic = new.segments[3];
            let within = added.offset..added.offset + added.in_file;
            assert!(within.contains(&dynamic.offset));
            let entries = new.form.entries(&new.bytes, &dynamic).unwrap();
            let tags: Vec<u64> = entries.iter().map(|(tag, _)| *tag).collect();
            let expected = [1, DT_STRTAB, DT_STRSZ, DT_RPATH].map(u64::from);
            assert_eq!(tags, expected);
            let strings = new.offset(value(&entries, DT_STRTAB).unwrap()).unwrap();
            let size = value(&entries, DT_STRSZ).unwrap();
            let strings = slice(&new.bytes, strings, size).unwrap();
            let at = usize::try_from(value(&entries, DT_RPATH).unwrap()).unwrap();
            assert_eq!(&strings[at..], b"/own:$ORIGIN/../lib\0");
            assert_eq!(&strings[..STRINGS.len()], STRINGS);
        }
    }

    #[test]
    fn other_files_and_damaged_ones_are_recognized() {
        assert!(Binary::parse(b"#!/bin/sh\n".to_vec()).unwrap().is_none());
        let form = Form {
            is_64: true,
            order: Endianness::Little,
        };
        let bytes = program(form, DT_RUNPATH);
        for length in 64..bytes.len() {
            let parsed = Binary::parse(bytes[..length].to_vec());
            let result =
                parsed.and_then(|it| it.context("none")?.with(Path::new("/l"), <[u8]>::to_vec));
            assert!(result.is_err() || length > bytes.len() - 32, "{length}");
        }
    }
}
