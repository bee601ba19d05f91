//! Which words are vpython's and which are python's, by LUCI's rule.
//!
//! Our words come first and are `-vpython-…`, `-h`, `-help` or `--help`, with one dash or two, and their values behind `=` or in
//! the next word, whatever that is. Behind `-vpython-tool NAME` the tool's own options count too. The first other word, or `--`, ends
//! them; from there on `-vpython-…` is data. Of a tool that runs nothing the options may stand behind its words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use anyhow::Result;

use super::flags::{Arity, Flags, PREFIX};
use super::tools;
use crate::report::Failure;

/// The flag that names a tool.
const TOOL: &str = "vpython-tool";

/// A command line in its parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// Our words, each `--name` or `--name=value`.
    pub own: Vec<OsString>,
    /// The options of the tool that is named among them, in the same form.
    pub tool: Vec<OsString>,
    /// Python's words, as they were typed.
    pub python: Vec<OsString>,
}

/// Splits the words behind the program's name.
///
/// # Errors
/// An unknown `-vpython-…` flag in front, and a flag whose value is missing.
pub(super) fn split(words: &[OsString]) -> Result<Split> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let mut split = Split::default();
    let mut tool = None;
    let mut next = 0;
    while next < end {
        let Some(option) = Word::read(&words[next]) else {
            if split.python.len() >= tool.as_deref().map_or(0, tools::mixes) {
                break;
            }
            split.python.push(words[next].clone());
            next += 1;
            continue;
        };
        let of_tool = tool
            .as_ref()
            .and_then(|tool: &OsString| tools::arity(tool, &option.name))
            .filter(|_| option.dashes == 2 || option.is_ours());
        let (arity, title, list) = match of_tool {
            Some(arity) => (arity, format!("option `--{}`", option.name), &mut split.tool),
            None if !option.is_ours() => break,
            None => {
                let arity = Flags::arity(&option.name).ok_or_else(|| Flags::unknown(&option.name))?;
                (arity, format!("flag `-{}`", option.name), &mut split.own)
            }
        };
        next += 1;
        if arity == Arity::Names && option.value.is_none() {
            let names = words[next..end].iter().take_while(|word| is_project_name(word));
            let before = list.len();
            list.extend(names.map(|name| joined(&option.name, Some(name))));
            next += list.len() - before;
            if list.len() > before {
                continue;
            }
        }
        let value = match (arity, option.value) {
            (_, Some(value)) => Some(value),
            (Arity::Switch | Arity::Names, None) => None,
            (Arity::Valued, None) => {
                let value = words[..end].get(next).ok_or_else(|| Failure::new(format!("{title} needs a value")))?;
                next += 1;
                Some(value.as_os_str())
            }
        };
        list.push(joined(&option.name, value));
        if of_tool.is_none() && option.name == TOOL {
            tool = value.map(OsStr::to_owned);
        }
    }
    split.python.extend_from_slice(&words[next..]);
    Ok(split)
}

/// Whether a word is the name of a project rather than of a file: letters, digits, dashes and underscores.
fn is_project_name(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.iter().all(is_plain)
}

/// A word that looks like an option.
struct Word<'a> {
    /// Without its one or two dashes.
    name: String,
    dashes: usize,
    /// What stands behind `=`.
    value: Option<&'a OsStr>,
}

impl<'a> Word<'a> {
    fn read(word: &'a OsStr) -> Option<Self> {
        let bytes = word.as_bytes().strip_prefix(b"-")?;
        let (bytes, dashes) = bytes.strip_prefix(b"-").map_or((bytes, 1), |bytes| (bytes, 2));
        let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
            Some(cut) => (&bytes[..cut], Some(OsStr::from_bytes(&bytes[cut + 1..]))),
            None => (bytes, None),
        };
        Some(Self { name: String::from_utf8_lossy(name).into_owned(), dashes, value })
    }

    /// Whether it is one of vpython's own by its looks.
    fn is_ours(&self) -> bool {
        matches!(&*self.name, "h" | "help") || self.name.starts_with(PREFIX)
    }
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
            let expected = Split { own: words(own), tool: Vec::new(), python: words(python) };
            assert_eq!(split(&words(line)).unwrap(), expected, "{why}");
        }
    }

    #[test]
    fn a_tool_has_options_of_its_own_behind_its_name() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &[&str], &[&str], &[&str], &str)] = &[
            (&["-vpython-tool", "upgrade", "--check", "x"], &["--vpython-tool=upgrade"], &["--check"], &["x"], "an option"),
            (&["-vpython-tool=upgrade", "-vpython-keep-legacy", "x"], &["--vpython-tool=upgrade"], &["--vpython-keep-legacy"], &["x"], "that looks like a flag"),
            (&["-vpython-tool", "upgrade", "--check", "-vpython-root", "r", "--keep-legacy"], &["--vpython-tool=upgrade", "--vpython-root=r"], &["--check", "--keep-legacy"], &[], "between flags"),
            (&["-vpython-tool", "upgrade", "x", "--check"], &["--vpython-tool=upgrade"], &[], &["x", "--check"], "behind another word it is data"),
            (&["-vpython-tool", "upgrade", "-check"], &["--vpython-tool=upgrade"], &[], &["-check"], "with one dash it is python's bundle"),
            (&["-vpython-tool", "install", "--check"], &["--vpython-tool=install"], &[], &["--check"], "an option of another tool"),
            (&["-vpython-tool", "relocate", "x", "--to", "y", "--json"], &["--vpython-tool=relocate"], &["--to=y", "--json"], &["x"], "behind a word of a tool that runs nothing"),
            (&["-vpython-tool", "relocate", "--", "-x"], &["--vpython-tool=relocate"], &[], &["--", "-x"], "up to two dashes"),
            (&["-vpython-tool", "lock", "--upgrade", "x.py"], &["--vpython-tool=lock"], &["--upgrade"], &["x.py"], "no word behind it is a name"),
            (&["-vpython-tool", "lock", "--upgrade", "a", "b-c", "x.py", "d"], &["--vpython-tool=lock"], &["--upgrade=a", "--upgrade=b-c"], &["x.py", "d"], "names up to the first other word"),
            (&["-vpython-tool", "lock", "--upgrade=a,b", "c"], &["--vpython-tool=lock"], &["--upgrade=a,b"], &["c"], "names behind the equals sign"),
            (&["-vpython-tool", "lock", "--upgrade", "a", "--check", "-m", "b"], &["--vpython-tool=lock"], &["--upgrade=a", "--check"], &["-m", "b"], "names up to an option"),
            (&["-vpython-tool", "lock", "--upgrade", "--", "a"], &["--vpython-tool=lock"], &["--upgrade"], &["--", "a"], "names up to two dashes"),
            (&["--check", "-vpython-tool", "upgrade"], &[], &[], &["--check", "-vpython-tool", "upgrade"], "before the tool"),
        ];
        for (line, own, tool, python, why) in rows {
            let expected = Split { own: words(own), tool: words(tool), python: words(python) };
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
