//! The step for one member: reading and discarding it, or writing it to its file, compared with its
//! row of RECORD.

use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::texts::copy_text;
use crate::build::scripts;
use crate::build::unpacked::UnpackedFile;
use crate::fs;
use crate::wheel::oddities::OddityKind;
use crate::wheel::record::{Row, Verified, Verifier};
use crate::wheel::scheme::Destination;
use crate::wheel::{InMemory, Member, MemberReader, Source};

/// The size of the write buffer.
const BUFFER: usize = 256 * 1024;

/// The action for a member.
pub(super) struct Step<'a> {
    pub(super) member: &'a Member,
    pub(super) row: Row,
    pub(super) kind: StepKind,
}

pub(super) enum StepKind {
    /// Read it and discard it: a defect of it is a defect of the wheel.
    Read,
    /// Write it to this file.
    File(NewFile),
    /// It is a script: write it to this file, unless an entry point has replaced it.
    Script(Option<NewFile>),
}

/// A file to be written.
pub(super) struct NewFile {
    pub(super) destination: Destination,
    /// The path in the directory of the unpacked wheel.
    pub(super) path: PathBuf,
}

/// Whether a file may be executed. Unpacked files are read-only.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Plain,
    Executable,
}

impl Mode {
    fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o444,
            Self::Executable => 0o555,
        }
    }
}

/// The result of a step.
#[derive(Default)]
pub(super) struct Written {
    pub(super) file: Option<UnpackedFile>,
    /// How RECORD disagrees with the member.
    pub(super) oddity: Option<OddityKind>,
}

impl Written {
    fn new(
        destination: &Destination,
        Verified {
            digest,
            size,
            oddity,
        }: Verified,
    ) -> Self {
        Self {
            file: Some(UnpackedFile {
                destination: destination.clone(),
                digest,
                size,
            }),
            oddity,
        }
    }
}

impl Step<'_> {
    /// Runs the step with the member's bytes in `source`, and reports progress. Without buffers, the
    /// member is streamed, and each of its bytes is read once and in order.
    pub(super) fn run(
        &self,
        source: Source,
        in_memory: Option<&mut InMemory>,
        advance: &impl Fn(u64),
    ) -> Result<Written> {
        let written = self.unpack(source, in_memory);
        advance(self.member.compressed);
        written.with_context(|| format!("member `{}` cannot be unpacked", self.member.name))
    }

    fn unpack(&self, source: Source, in_memory: Option<&mut InMemory>) -> Result<Written> {
        match &self.kind {
            StepKind::Read => {
                std::io::copy(&mut self.member.content(source), &mut std::io::sink())?;
                Ok(Written::default())
            }
            StepKind::File(file) => self.file(file, source, in_memory),
            StepKind::Script(file) => self.script(file.as_ref(), source),
        }
    }

    /// Writes a member to a file. Most members are small: they are read, inflated, hashed and
    /// written as a whole.
    fn file(
        &self,
        file: &NewFile,
        source: Source,
        in_memory: Option<&mut InMemory>,
    ) -> Result<Written> {
        let NewFile { destination, path } = file;
        // The mode counts whatever system the archive names as its origin, as with pip.
        let mode = if self.member.is_executable() {
            Mode::Executable
        } else {
            Mode::Plain
        };
        let whole = in_memory.and_then(|in_memory| in_memory.read(source, self.member));
        let verified = match whole {
            Some(content) => write(&self.row, path, mode, |sink| sink.write_all(content))?,
            None => write(&self.row, path, mode, |sink| {
                copy(self.member.content(source), sink)
            })?,
        };
        Ok(Written::new(destination, verified))
    }

    /// Unpacks a script: it checks the shipped content, and writes the movable one. The file is
    /// executable whatever its mode in the archive.
    fn script(&self, file: Option<&NewFile>, source: Source) -> Result<Written> {
        let mut content = self.member.content(source);
        let beginning = beginning(&mut content, scripts::SHIPPED.len())?;
        // Copy any other script as it is. Only its beginning has been read.
        if let Some(NewFile { destination, path }) = file
            && beginning != scripts::SHIPPED
        {
            let verified = write(&self.row, path, Mode::Executable, |sink| {
                copy(Cursor::new(beginning).chain(content), sink)
            })?;
            return Ok(Written::new(destination, verified));
        }
        // The first line of this one is replaced, but RECORD has the digest of what was shipped:
        // read and check all of it first.
        let mut sink = Verifier::new(Vec::new(), &self.row);
        sink.write_all(&beginning)?;
        copy_text(content, &mut sink)?;
        let (content, Verified { oddity, .. }) = sink.finish(&self.row);
        // The script of an entry point has replaced it, so it is only checked.
        let Some(NewFile { destination, path }) = file else {
            return Ok(Written { file: None, oddity });
        };
        let content = scripts::of_shipped(&content).unwrap_or(content);
        Ok(Written {
            file: Some(write_own(destination, path, &content)?),
            oddity,
        })
    }
}

/// Writes an executable file that vpython generates.
pub(super) fn write_own(
    destination: &Destination,
    path: &Path,
    content: &[u8],
) -> Result<UnpackedFile> {
    let Verified { digest, size, .. } = write(&Row::default(), path, Mode::Executable, |sink| {
        sink.write_all(content)
    })?;
    Ok(UnpackedFile {
        destination: destination.clone(),
        digest,
        size,
    })
}

/// Writes a file, and compares it with its row of RECORD.
fn write(
    row: &Row,
    path: &Path,
    mode: Mode,
    fill: impl FnOnce(&mut Verifier<File>) -> std::io::Result<()>,
) -> Result<Verified> {
    let mut sink = Verifier::new(fs::create_new(path, mode.bits())?, row);
    fill(&mut sink).with_context(|| format!("cannot unpack it to `{}`", path.display()))?;
    Ok(sink.finish(row).1)
}

/// Copies content of any size, with few system calls.
fn copy(mut content: impl Read, sink: &mut Verifier<File>) -> std::io::Result<()> {
    let mut buffer = BufWriter::with_capacity(BUFFER, sink);
    std::io::copy(&mut content, &mut buffer)?;
    // Dropping the buffer would hide the error of the last write.
    buffer
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    Ok(())
}

/// Reads the first `length` bytes of a member, or all if it is shorter.
fn beginning(content: &mut MemberReader, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
