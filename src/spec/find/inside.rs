//! Specs that stand in a program's own text: a PEP 723 block, else a `[VPYTHON:BEGIN]` block.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Result;
use tracing::debug;

use super::{Block, Finding, Probed, SearchLog};
use crate::fs;
use crate::invocation::Chosen;
use crate::spec::luci::inline;
use crate::spec::{Origin, SpecKind, SpecText, pep723};

/// What stands in a text.
#[derive(Default)]
pub(super) struct Inside {
    /// The spec.
    pub spec: Option<SpecText>,
    /// What looks like one and is none.
    pub warnings: Vec<String>,
}

/// Looks into a script that was just opened. `real` is its real path.
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

/// Whether a file that begins so is a zip archive, behind at most one `#!` line. No text is looked
/// for in it.
fn is_zip_application(beginning: &[u8]) -> bool {
    let body = match memchr::memchr(b'\n', beginning) {
        Some(newline) if beginning.starts_with(b"#!") => &beginning[newline + 1..],
        _ => beginning,
    };
    body.starts_with(b"PK\x03\x04")
}

/// Looks into the text of a script. `base` is the directory of what stands in it.
pub(super) fn text(
    text: &[u8],
    origin: Origin,
    base: Option<PathBuf>,
    log: &mut SearchLog,
) -> Result<Inside> {
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

/// Looks into the text of `-c` or of standard input, which has none of LUCI's blocks.
pub(super) fn command(
    text: &[u8],
    origin: Origin,
    base: Option<PathBuf>,
    log: &mut SearchLog,
) -> Result<Inside> {
    let read = pep723::read(text, &origin);
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
