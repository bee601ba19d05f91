//! A word of the command line that looks like an option: its name, its value, and how it takes a
//! value from the words that follow.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use anyhow::Result;

use super::flags::{Arity, PREFIX};
use super::tools::{self, Words};
use crate::report::Failure;

/// Checks whether a word is a project name rather than a file name: letters, digits, dashes and
/// underscores.
fn is_project_name(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.iter().all(is_plain)
}

/// The program part that accepts an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The tool; messages call it an option.
    OfTool,
    /// vpython itself; messages call it a flag.
    OfVpython,
}

/// A word that looks like an option.
pub(super) struct Word<'a> {
    /// The name without its one or two dashes.
    pub(super) name: String,
    pub(super) dashes: usize,
    /// The text after `=`.
    pub(super) value: Option<&'a OsStr>,
}

impl<'a> Word<'a> {
    /// Parses a word as the tool does: `--extra` and `--group` are flags for a tool that takes a
    /// spec.
    pub(super) fn of(word: &'a OsStr, tool: Option<&OsStr>) -> Option<Self> {
        let read = Self::read(word)?;
        let takes_spec = || tool.and_then(tools::words).is_some_and(Words::are_pythons);
        let is_choice =
            read.dashes == 2 && matches!(&*read.name, "extra" | "group") && takes_spec();
        Some(if is_choice {
            Self {
                name: format!("{PREFIX}{}", read.name),
                ..read
            }
        } else {
            read
        })
    }

    /// Returns how it takes its value as an option of this tool, if it is one.
    pub(super) fn of_tool(&self, tool: &OsStr) -> Option<Arity> {
        // LUCI's `-legacy` and `-all` have one dash as well.
        let is_lucis = tool == "upgrade" && matches!(&*self.name, "legacy" | "all");
        tools::arity(tool, &self.name).filter(|_| self.dashes == 2 || self.is_ours() || is_lucis)
    }

    /// Appends the option to the list with its value, which may be in `words`, the words that
    /// follow. Returns the number of words it takes from there.
    pub(super) fn take(
        &self,
        arity: Arity,
        kind: Kind,
        words: &[OsString],
        list: &mut Vec<OsString>,
    ) -> Result<usize> {
        let value = match (arity, self.value) {
            // Without `=`, following project names are values; there may be none.
            (Arity::Names, None) => {
                let names = words.iter().take_while(|word| is_project_name(word));
                let before = list.len();
                list.extend(names.map(|name| joined(&self.name, Some(name))));
                if list.len() > before {
                    return Ok(list.len() - before);
                }
                None
            }
            // Without `=`, the next word is the value, whatever it is.
            (Arity::Valued, None) => {
                let title = || match kind {
                    Kind::OfTool => format!("option `--{}`", self.name),
                    Kind::OfVpython => format!("flag `-{}`", self.name),
                };
                let value = words
                    .first()
                    .ok_or_else(|| Failure::new(format!("{} needs a value", title())))?;
                list.push(joined(&self.name, Some(value)));
                return Ok(1);
            }
            (_, value) => value,
        };
        list.push(joined(&self.name, value));
        Ok(0)
    }

    fn read(word: &'a OsStr) -> Option<Self> {
        let bytes = word.as_bytes().strip_prefix(b"-")?;
        let (bytes, dashes) = bytes
            .strip_prefix(b"-")
            .map_or((bytes, 1), |bytes| (bytes, 2));
        let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
            Some(cut) => (&bytes[..cut], Some(OsStr::from_bytes(&bytes[cut + 1..]))),
            None => (bytes, None),
        };
        Some(Self {
            name: String::from_utf8_lossy(name).into_owned(),
            dashes,
            value,
        })
    }

    /// Checks whether its name is of the form of vpython's flags.
    pub(super) fn is_ours(&self) -> bool {
        matches!(&*self.name, "h" | "help") || self.name.starts_with(PREFIX)
    }
}

/// Returns the word in the parser's form: two dashes, or one before a single letter, and the value
/// after `=`.
fn joined(name: &str, value: Option<&OsStr>) -> OsString {
    let dashes = if name.len() == 1 { "-" } else { "--" };
    let mut word = format!("{dashes}{name}").into_bytes();
    if let Some(value) = value {
        word.push(b'=');
        word.extend_from_slice(value.as_bytes());
    }
    OsString::from_vec(word)
}
