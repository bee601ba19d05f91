//! The places where a spec was looked for, in words: each by itself, and drawn together for a reader.

use std::path::Path;

use crate::spec::{Block, Finding, Look, LookedAt};

/// Where a look went.
pub(super) fn place(look: &Look) -> String {
    match &look.place {
        LookedAt::Flag(None) => "-vpython-spec".to_owned(),
        LookedAt::Flag(Some(path)) => format!("-vpython-spec {}", path.display()),
        LookedAt::Variable(None) => "VPYTHON_DEFAULT_SPEC".to_owned(),
        LookedAt::Variable(Some(path)) => format!("VPYTHON_DEFAULT_SPEC={}", path.display()),
        LookedAt::Block(block, file) => format!("{}, {}", program(file.as_deref()), title(*block)),
        LookedAt::Program(path) | LookedAt::Partner(path) | LookedAt::Walk(path) | LookedAt::Barrier(path) => {
            path.display().to_string()
        }
    }
}

/// What a look found, in a word; none for nothing.
pub(super) fn found(look: &Look) -> Option<&'static str> {
    Some(match look.found {
        Finding::Nothing => return None,
        Finding::Spec => "spec",
        Finding::Broken => "broken",
        Finding::NoFile => "no file",
        Finding::Stranger(_) => "another user's",
        Finding::Archive => "archive",
        Finding::Barrier => "barrier",
    })
}

fn program(file: Option<&Path>) -> String {
    file.map_or_else(|| "-c".to_owned(), |file| file.display().to_string())
}

fn title(block: Block) -> &'static str {
    match block {
        Block::Pep723 => "# /// script",
        Block::Luci => "[VPYTHON:BEGIN]",
    }
}
