//! Specs inside a program's own text: a PEP 723 block, else a `[VPYTHON:BEGIN]` block.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Result;
use tracing::debug;

use super::{Block, Finding, Probed, SearchLog};
use crate::fs;
use crate::invocation::Chosen;
use crate::spec::luci::inline;
use crate::spec::{Origin, SpecKind, SpecText, pep723};

/// The result of a search in a text.
#[derive(Default)]
pub(super) struct Inside {
    /// The spec, if there is one.
    pub spec: Option<SpecText>,
    /// Warnings about lines that only look like a spec.
    pub warnings: Vec<String>,
}

/// Searches a script that has just been opened. `real` is its real path.
pub(super) fn script(file: &mut File, real: PathBuf, log: &mut SearchLog) -> Result<Inside> {
    let beginning = fs::read_beginning(file, &real)?;
    if is_zip_application(&beginning) {
        log.note(Finding::Archive, || Probed::Program(real));
        return Ok(Inside::default());
    }
    let text = fs::read_rest(file, beginning, &real, fs::limits::PROGRAM)?;
    let directory = real.parent().map(PathBuf::from);
    self::text(&text, Origin::file(real), directory, log)
}

/// Checks whether a file with this beginning is a zip archive, possibly after one `#!` line.
/// vpython does not search archives for specs.
fn is_zip_application(beginning: &[u8]) -> bool {
    let body = match memchr::memchr(b'\n', beginning) {
        Some(newline) if beginning.starts_with(b"#!") => &beginning[newline + 1..],
        _ => beginning,
    };
    body.starts_with(b"PK\x03\x04")
}

/// Searches the text of a script. `base` is the directory for paths in the spec.
pub(super) fn text(
    text: &[u8],
    origin: Origin,
    base: Option<PathBuf>,
    log: &mut SearchLog,
) -> Result<Inside> {
    // A PEP 723 block takes precedence over LUCI's.
    let inside = command(text, origin.clone(), base.clone(), log)?;
    if inside.spec.is_some() {
        return Ok(inside);
    }
    let read = inline::read(text, &origin);
    log.note(
        Finding::of_block(read.as_ref().ok().map(Option::is_some)),
        || Probed::Block(Block::Luci, origin.file.clone()),
    );
    let spec = read?.map(|block| {
        debug!(line = block.lines_before, "found a `[VPYTHON:BEGIN]` block");
        let origin = Origin {
            lines_before: block.lines_before,
            ..origin
        };
        SpecText {
            kind: SpecKind::Luci,
            origin,
            base,
            content: block.content,
            warnings: inside.warnings.clone(),
            chosen: Chosen::default(),
        }
    });
    Ok(Inside { spec, ..inside })
}

/// Searches the text of `-c` or of standard input, where LUCI's blocks do not count.
pub(super) fn command(
    text: &[u8],
    origin: Origin,
    base: Option<PathBuf>,
    log: &mut SearchLog,
) -> Result<Inside> {
    let read = pep723::read(text, &origin);
    // Record the probe even if the block is broken.
    let has_block = read.as_ref().ok().map(|reading| reading.block.is_some());
    log.note(Finding::of_block(has_block), || {
        Probed::Block(Block::Pep723, origin.file.clone())
    });
    let reading = read?;
    let Some(block) = reading.block else {
        return Ok(Inside {
            spec: None,
            warnings: reading.warnings,
        });
    };
    debug!(line = block.lines_before, "found a `script` block");
    let origin = Origin {
        lines_before: block.lines_before,
        columns_before: pep723::COLUMNS_BEFORE,
        ..origin
    };
    let spec = SpecText {
        kind: SpecKind::Pep723,
        origin,
        base,
        content: block.content,
        warnings: reading.warnings,
        chosen: Chosen::default(),
    };
    Ok(Inside {
        spec: Some(spec),
        warnings: Vec::new(),
    })
}
