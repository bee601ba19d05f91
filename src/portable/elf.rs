//! Run paths of ELF files: where the dynamic loader searches for the libraries of a program or
//! library (`ld.so(8)`, the entries `DT_RPATH` and `DT_RUNPATH` of the dynamic section).
//!
//! A run path is rewritten in place, in the space of the old one; nothing else in the file moves.

use std::path::{Component, Path};

use anyhow::{Context, Result, ensure};
use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, FileHeader32, FileHeader64, PT_LOAD,
    SHT_DYNSYM,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, Sym};
use object::{Endian, Endianness, FileKind};

/// A dynamically linked ELF file.
#[derive(Debug)]
pub(super) struct Elf {
    bytes: Vec<u8>,
    /// The names of the libraries that it needs.
    pub needed: Vec<String>,
    run_path: Option<RunPath>,
}

/// When the loader searches a run path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precedence {
    /// In the same order as before.
    Same,
    /// Before `LD_LIBRARY_PATH`: the entry becomes a `DT_RPATH`.
    First,
}

#[derive(Debug)]
struct RunPath {
    text: String,
    /// The tag of the entry: its offset in the file, its size in bytes, and its byte order.
    tag: (usize, usize, Endianness),
    /// The offset of the text in the file.
    offset: usize,
    /// True if another string shares a part of the text.
    is_shared: bool,
}

impl Elf {
    /// Parses a file; `None` if it is not an ELF file or is not dynamically linked.
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let parsed = match FileKind::parse(&*bytes).ok()? {
            FileKind::Elf32 => parse::<FileHeader32<Endianness>>(&bytes),
            FileKind::Elf64 => parse::<FileHeader64<Endianness>>(&bytes),
            _ => return None,
        };
        let (needed, run_path) = parsed.ok().flatten()?;
        Some(Self {
            bytes,
            needed,
            run_path,
        })
    }

    /// The directories of the run path, as the file names them; `None` without a run path.
    pub fn run_path(&self) -> Option<Vec<&str>> {
        Some(self.run_path.as_ref()?.text.split(':').collect())
    }

    /// Returns the file with another run path.
    ///
    /// # Errors
    /// Returns an error if the file has no run path, or if the new one does not fit.
    pub fn with_run_path(
        mut self,
        directories: &[String],
        precedence: Precedence,
    ) -> Result<Vec<u8>> {
        let RunPath {
            text,
            tag: (tag, size, endian),
            offset,
            is_shared,
        } = self.run_path.context("it has no run path to change")?;
        let new = directories.join(":");
        ensure!(
            !is_shared,
            "its run path shares its storage with another string"
        );
        ensure!(
            new.len() <= text.len(),
            "`{new}` is longer than the old run path `{text}`"
        );
        // The entry keeps its offset in the string table; zeros fill the rest.
        self.bytes[offset..offset + text.len()].fill(0);
        self.bytes[offset..offset + new.len()].copy_from_slice(new.as_bytes());
        if precedence == Precedence::Same {
            return Ok(self.bytes);
        }
        match size {
            4 => self.bytes[tag..tag + 4].copy_from_slice(&endian.write_u32_bytes(DT_RPATH)),
            _ => self.bytes[tag..tag + 8].copy_from_slice(&endian.write_u64_bytes(DT_RPATH.into())),
        }
        Ok(self.bytes)
    }
}

/// Returns the libraries that a file needs, and its run path; `None` without a dynamic section.
fn parse<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
) -> Result<Option<(Vec<String>, Option<RunPath>)>> {
    let header = H::parse(bytes)?;
    let endian = header.endian()?;
    // The dynamic section.
    let segments = header.program_headers(endian, bytes)?;
    let mut dynamic = None;
    for segment in segments {
        if let Some(entries) = segment.dynamic(endian, bytes)? {
            dynamic = Some((entries, usize::try_from(segment.p_offset(endian).into())?));
        }
    }
    let Some((entries, start)) = dynamic else {
        return Ok(None);
    };
    let value = |wanted: u32| {
        entries
            .iter()
            .find(|entry| entry.tag32(endian) == Some(wanted))
            .map(|entry| entry.d_val(endian).into())
    };
    // The string table: its address in memory, mapped to an offset in the file.
    let strings = value(DT_STRTAB).context("it has no string table")?;
    let strings = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD)
        .find_map(|segment| {
            let within = strings.checked_sub(segment.p_vaddr(endian).into())?;
            (within < segment.p_filesz(endian).into())
                .then(|| segment.p_offset(endian).into() + within)
        })
        .context("its string table is not in a segment")?;
    let table = usize::try_from(strings)?;
    let end = table + usize::try_from(value(DT_STRSZ).context("it has no string table")?)?;
    let text = |offset: usize| -> Option<String> {
        let text = bytes.get(table..end)?.get(offset..)?;
        let length = text.iter().position(|byte| *byte == 0)?;
        String::from_utf8(text[..length].to_vec()).ok()
    };
    let offset = |entry: &H::Dyn| usize::try_from(entry.d_val(endian).into()).ok();
    let with_tag = |tag| {
        entries
            .iter()
            .enumerate()
            .filter(move |(_, entry)| entry.tag32(endian) == Some(tag))
    };
    let needed = with_tag(DT_NEEDED)
        .filter_map(|(_, entry)| text(offset(entry)?))
        .collect();
    // If both are present, the loader uses only `DT_RUNPATH`.
    let Some((index, entry)) = with_tag(DT_RUNPATH).chain(with_tag(DT_RPATH)).next() else {
        return Ok(Some((needed, None)));
    };
    let own = offset(entry).context("the offset of its run path is invalid")?;
    let run_path = text(own).context("its run path is not UTF-8")?;
    // Linkers merge strings, so another entry or symbol name may start inside the run path.
    let named = |entry: &&H::Dyn| {
        entry.is_string(endian)
            && ![DT_RUNPATH, DT_RPATH]
                .map(Some)
                .contains(&entry.tag32(endian))
    };
    let symbols = header
        .sections(endian, bytes)?
        .symbols(endian, bytes, SHT_DYNSYM)?;
    let others = entries.iter().filter(named).filter_map(offset);
    let mut others = others.chain(
        symbols
            .iter()
            .filter_map(|symbol| usize::try_from(symbol.st_name(endian)).ok()),
    );
    let is_shared =
        !run_path.is_empty() && others.any(|other| (own..own + run_path.len()).contains(&other));
    let size = size_of::<H::Dyn>();
    let tag = (start + index * size, size / 2, endian);
    Ok(Some((
        needed,
        Some(RunPath {
            text: run_path,
            tag,
            offset: table + own,
            is_shared,
        }),
    )))
}

/// Returns the directory `to` relative to `$ORIGIN` for a file in the directory `from`. Both are
/// absolute, or relative to the same directory.
pub(super) fn by_origin(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<Component>, Vec<Component>) =
        (from.components().collect(), to.components().collect());
    let common = from
        .iter()
        .zip(&to)
        .take_while(|(one, other)| one == other)
        .count();
    let up = from[common..].iter().map(|_| "..".into());
    let down = to[common..]
        .iter()
        .map(|component| component.as_os_str().to_string_lossy());
    let steps: Vec<std::borrow::Cow<str>> = std::iter::once("$ORIGIN".into())
        .chain(up)
        .chain(down)
        .collect();
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use object::Endianness::{Big, Little};
    use object::elf::{
        DT_NULL, EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64, PT_DYNAMIC,
    };

    use super::*;

    const RUN_PATH: &str = "/somewhere/else/lib";

    /// A dynamically linked file that is being written.
    struct Writer {
        is_64: bool,
        endian: Endianness,
        bytes: Vec<u8>,
    }

    impl Writer {
        fn half(&mut self, value: u16) {
            self.bytes.extend(self.endian.write_u16_bytes(value));
        }

        fn word(&mut self, value: u32) {
            self.bytes.extend(self.endian.write_u32_bytes(value));
        }

        /// Writes numbers of the size of an address.
        fn addresses(&mut self, values: &[usize]) {
            for value in values {
                if self.is_64 {
                    let value = u64::try_from(*value).unwrap();
                    self.bytes.extend(self.endian.write_u64_bytes(value));
                } else {
                    self.word(u32::try_from(*value).unwrap());
                }
            }
        }

        /// Writes the header of a segment, whose address is its offset.
        fn segment(&mut self, kind: u32, start: usize, size: usize) {
            self.word(kind);
            if self.is_64 {
                self.word(0);
            }
            self.addresses(&[start, start, start, size, size]);
            if !self.is_64 {
                self.word(0);
            }
            self.addresses(&[1]);
        }
    }

    /// Returns a file that needs `libx.so` and has a run path, which fills the space of
    /// [`RUN_PATH`].
    fn file((is_64, endian, machine): (bool, Endianness, u16), tag: u32, path: &str) -> Vec<u8> {
        let (header, segment, entry) = if is_64 { (64, 56, 16) } else { (52, 32, 8) };
        let dynamic = header + 2 * segment;
        let strings = dynamic + 5 * entry;
        let padding = "\0".repeat(RUN_PATH.len() - path.len());
        let table = format!("\0libx.so\0{path}{padding}\0");
        let mut to = Writer {
            is_64,
            endian,
            bytes: b"\x7fELF".to_vec(),
        };
        let class = if is_64 { 2 } else { 1 };
        let order = if endian == Big { 2 } else { 1 };
        to.bytes.extend([class, order, 1]);
        to.bytes.resize(16, 0);
        to.half(3);
        to.half(machine);
        to.word(1);
        to.addresses(&[0, header, 0]);
        to.word(0);
        for size in [header, segment, 2, 0, 0, 0] {
            to.half(u16::try_from(size).unwrap());
        }
        to.segment(PT_LOAD, 0, strings + table.len());
        to.segment(PT_DYNAMIC, dynamic, 5 * entry);
        for (tag, value) in [
            (DT_NEEDED, 1),
            (tag, 1 + "libx.so\0".len()),
            (DT_STRTAB, strings),
            (DT_STRSZ, table.len()),
            (DT_NULL, 0),
        ] {
            to.addresses(&[usize::try_from(tag).unwrap(), value]);
        }
        to.bytes.extend(table.bytes());
        to.bytes
    }

    #[test]
    fn run_paths_of_each_machine_are_read_and_written() {
        let rows = [
            (true, Little, EM_X86_64, "x86_64"),
            (true, Little, EM_AARCH64, "aarch64"),
            (true, Little, EM_RISCV, "riscv64"),
            (true, Little, EM_PPC64, "ppc64le"),
            (true, Big, EM_S390, "s390x"),
            (false, Little, EM_386, "i686"),
            (false, Little, EM_ARM, "armv7l"),
        ];
        for (is_64, endian, machine, name) in rows {
            let machine = (is_64, endian, machine);
            for tag in [DT_RPATH, DT_RUNPATH] {
                let bytes = file(machine, tag, RUN_PATH);
                let elf = Elf::parse(bytes.clone()).unwrap();
                assert_eq!(elf.needed, ["libx.so"], "{name}");
                assert_eq!(elf.run_path().unwrap(), [RUN_PATH], "{name}");
                let new = ["$ORIGIN/lib".to_owned()];
                let same = elf.with_run_path(&new, Precedence::Same).unwrap();
                assert_eq!(same, file(machine, tag, &new[0]), "{name}");
                let elf = Elf::parse(bytes).unwrap();
                let first = elf.with_run_path(&new, Precedence::First).unwrap();
                assert_eq!(first, file(machine, DT_RPATH, &new[0]), "{name}");
            }
        }
    }

    #[test]
    fn a_directory_is_named_relative_to_the_file() {
        let rows = [
            ("bin", "lib", "$ORIGIN/../lib"),
            ("lib/a/b", "lib", "$ORIGIN/../.."),
            ("lib", "lib", "$ORIGIN"),
            ("/x/bin", "/x/y", "$ORIGIN/../y"),
        ];
        for (from, to, expected) in rows {
            assert_eq!(by_origin(Path::new(from), Path::new(to)), expected);
        }
    }

    #[test]
    fn files_that_are_not_elf_are_none() {
        assert!(Elf::parse(b"#!/bin/sh\n".to_vec()).is_none());
        assert!(Elf::parse(b"\x7fELF".to_vec()).is_none());
        assert!(Elf::parse(Vec::new()).is_none());
    }
}
