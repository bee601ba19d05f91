//! Which words are vpython's and which are python's, by LUCI's rule.
//!
//! Our words come first and are `-vpython-…`, `-h`, `-help` or `--help`, with one dash or two, and their values behind `=` or in
//! the next word, whatever that is. The first other word, or `--`, ends them; from there on `-vpython-…` is data.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use anyhow::Result;

use super::flags::{Arity, Flags, PREFIX};
use crate::report::Failure;

/// A command line in its two parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// Our words, each `--name` or `--name=value`.
    pub own: Vec<OsString>,
    /// Python's words, as they were typed.
    pub python: Vec<OsString>,
}

/// Splits the words behind the program's name.
///
/// # Errors
/// An unknown `-vpython-…` flag in front, and a flag whose value is missing.
pub(super) fn split(words: &[OsString]) -> Result<Split> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let mut own = Vec::new();
    let mut next = 0;
    while next < end {
        let Some((name, value)) = own_flag(&words[next]) else { break };
        let arity = Flags::arity(&name).ok_or_else(|| Flags::unknown(&name))?;
        next += 1;
        own.push(match (arity, value) {
            (_, Some(value)) => joined(&name, Some(value)),
            (Arity::Switch, None) => joined(&name, None),
            (Arity::Valued, None) => {
                let value = words[..end].get(next).ok_or_else(|| Failure::new(format!("flag `-{name}` needs a value")))?;
                next += 1;
                joined(&name, Some(value))
            }
        });
    }
    Ok(Split { own, python: words[next..].to_vec() })
}

/// The name, without its one or two dashes, and the value behind `=` of a word that is ours by its looks.
fn own_flag(word: &OsStr) -> Option<(String, Option<&OsStr>)> {
    let bytes = word.as_bytes().strip_prefix(b"-")?;
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(cut) => (&bytes[..cut], Some(OsStr::from_bytes(&bytes[cut + 1..]))),
        None => (bytes, None),
    };
    let ours = matches!(name, b"h" | b"help") || name.starts_with(PREFIX.as_bytes());
    ours.then(|| (String::from_utf8_lossy(name).into_owned(), value))
}

/// The word as the parser wants it: two dashes, or one before a single letter, and the value behind `=`.
fn joined(name: &str, value: Option<&OsStr>) -> OsString {
    let dashes = if name.len() == 1 { "-" } else { "--" };
    let mut word = format!("{dashes}{name}").into_bytes();
    if let Some(value) = value {
        word.push(b'=');
        word.extend_from_slice(value.as_bytes());
    }
    OsString::from_vec(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    #[test]
    fn own_words_come_first() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &[&str], &[&str], &str)] = &[
            (&[], &[], &[], "nothing is nobody's"),
            (&["x.py", "-vpython-root", "r"], &[], &["x.py", "-vpython-root", "r"], "behind the script all is data"),
            (&["", "-vpython-root"], &[], &["", "-vpython-root"], "an empty word is python's"),
            (&["-vpython-root", "r", "x.py"], &["--vpython-root=r"], &["x.py"], "the value may be the next word"),
            (&["--vpython-root=r", "x.py"], &["--vpython-root=r"], &["x.py"], "or stand behind the equals sign"),
            (&["-vpython-root=", "x.py"], &["--vpython-root="], &["x.py"], "or be empty"),
            (&["-vpython-root", "", "x.py"], &["--vpython-root="], &["x.py"], "in either form"),
            (&["-vpython-root", "-i", "x.py"], &["--vpython-root=-i"], &["x.py"], "the next word is the value whatever it is"),
            (&["-vpython-spec", "a=b", "x"], &["--vpython-spec=a=b"], &["x"], "only the first equals sign cuts"),
            (&["-vpython-version", "true", "x.py"], &["--vpython-version"], &["true", "x.py"], "a switch takes no next word"),
            (&["-vpython-version=false"], &["--vpython-version=false"], &[], "but may have a value behind the equals sign"),
            (&["-h", "-i"], &["-h"], &["-i"], "help is ours in front"),
            (&["-help"], &["--help"], &[], "with one dash"),
            (&["--help", "x"], &["--help"], &["x"], "or two"),
            (&["-i", "-h"], &[], &["-i", "-h"], "but python's behind a word of python's"),
            (&["--", "-vpython-root"], &[], &["--", "-vpython-root"], "two dashes end our part and stay"),
            (&["-vpython-root", "r", "--", "-x.py"], &["--vpython-root=r"], &["--", "-x.py"], "also behind a flag"),
            (&["---vpython-root", "r"], &[], &["---vpython-root", "r"], "three dashes are python's to refuse"),
            (&["-"], &[], &["-"], "a dash is standard input"),
            (&["-vpython", "x"], &[], &["-vpython", "x"], "a bundle of python's options that looks like our name"),
            (&["-E", "-vpython-spec", "s"], &[], &["-E", "-vpython-spec", "s"], "an option of python's ends our part"),
        ];
        for (line, own, python, why) in rows {
            let expected = Split { own: words(own), python: words(python) };
            assert_eq!(split(&words(line)).unwrap(), expected, "{why}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let odd = OsString::from_vec(b"-vpython-root=/\xff".to_vec());
        let script = OsString::from_vec(b"\xfe.py".to_vec());
        let split = split(&[odd, script.clone()]).unwrap();
        assert_eq!(split.own, [OsString::from_vec(b"--vpython-root=/\xff".to_vec())]);
        assert_eq!(split.python, [script]);
    }

    #[test]
    fn mistakes_are_named() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &str)] = &[
            (&["-vpython-sepc", "s"], "vpython: error: unknown flag `-vpython-sepc`\n  hint: did you mean `-vpython-spec`?\n"),
            (&["--vpython-zzz"], "vpython: error: unknown flag `-vpython-zzz`\n  hint: `vpython -h` lists the flags; a flag for the \
                                  program itself goes behind the program's name\n"),
            (&["-vpython-root"], "vpython: error: flag `-vpython-root` needs a value\n"),
            (&["-vpython-root", "--", "x.py"], "vpython: error: flag `-vpython-root` needs a value\n"),
        ];
        for (line, text) in rows {
            assert_eq!(crate::report::render(&split(&words(line)).unwrap_err()), *text);
        }
    }
}
