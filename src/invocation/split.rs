//! Splits a command line into vpython's words and python's, by LUCI's rule.
//!
//! vpython's words come first and are `-vpython-…`, `-h`, `-help` or `--help`, with one dash or
//! two. Their values follow `=` or are the next word, whatever that is. The first other word, or
//! `--`, ends them; from there on `-vpython-…` is data. With `-vpython-tool NAME`, vpython's flags
//! and the options of the tool count anywhere before `--`, except for `exec`, whose words belong to
//! the program.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use anyhow::Result;

use super::flags::{Flags, PREFIX};
use super::option_word::{Kind, Word};
use super::python;
use super::tools::{self, Words};

/// The flag that names a tool.
const TOOL: &str = "vpython-tool";

/// A command line in its parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// vpython's words, each `--name` or `--name=value`.
    pub own: Vec<OsString>,
    /// The options of the tool, in the same form.
    pub tool: Vec<OsString>,
    /// Python's words, or the tool's own words that are not options, as they were typed.
    pub python: Vec<OsString>,
    /// The first word that the tool does not accept.
    pub stray: Option<OsString>,
    /// `true` if the command line ends where the tool's name should be.
    pub names_no_tool: bool,
}

/// Splits the words that follow the program's name.
///
/// # Errors
/// An unknown leading `-vpython-…` flag, or a flag without its value.
pub(super) fn split(words: &[OsString]) -> Result<Split> {
    let end = words
        .iter()
        .position(|word| word == "--")
        .unwrap_or(words.len());
    let mut split = Split::default();
    // Take the leading words: vpython's flags and, once a tool is named, its options.
    let mut tool: Option<OsString> = None;
    let mut next = 0;
    while next < end {
        let Some(option) = Word::of(&words[next], tool.as_deref()) else {
            break;
        };
        let of_tool = tool.as_ref().and_then(|tool| option.of_tool(tool));
        let (arity, kind, list) = match of_tool {
            Some(arity) => (arity, Kind::OfTool, &mut split.tool),
            None if !option.is_ours() => break,
            None if option.name == TOOL && option.value.is_none() && next + 1 == words.len() => {
                split.names_no_tool = true;
                return Ok(split);
            }
            None => (
                Flags::arity(&option.name).ok_or_else(|| Flags::unknown(&option.name))?,
                Kind::OfVpython,
                &mut split.own,
            ),
        };
        next += 1;
        next += option.take(arity, kind, &words[next..end], list)?;
        if of_tool.is_none() && option.name == TOOL {
            tool = option
                .value
                .map(OsStr::to_owned)
                .or_else(|| words.get(next - 1).cloned());
        }
    }
    // With a tool, flags and options may follow among the other words too.
    match tool.as_deref().and_then(tools::words) {
        Some(Words::Program) | None => {}
        Some(kind) => {
            next += split.sort(tool.as_deref().unwrap_or_default(), kind, &words[next..end])?;
        }
    }
    if next < words.len() && tool.as_deref().and_then(tools::words) == Some(Words::None) {
        split.stray.get_or_insert_with(|| words[next].clone());
    }
    split.python.extend_from_slice(&words[next..]);
    Ok(split)
}

impl Split {
    /// Takes flags and options of a tool out of the words before `--`. Returns the number of words.
    fn sort(&mut self, tool: &OsStr, kind: Words, words: &[OsString]) -> Result<usize> {
        // A tool's own words come first. After python's target all words are data, except those
        // that begin with two dashes.
        let mut needs_directory = kind == Words::DirectoryThenCommandLine;
        let mut is_target_named = false;
        let mut next = 0;
        while next < words.len() {
            let word = &words[next];
            let option = Word::of(word, Some(tool));
            // An option of the tool.
            if let Some((option, arity)) = option
                .as_ref()
                .and_then(|option| Some((option, option.of_tool(tool)?)))
            {
                next += 1;
                next += option.take(arity, Kind::OfTool, &words[next..], &mut self.tool)?;
                continue;
            }
            // A vpython flag.
            if let Some(flag) = option
                .as_ref()
                .filter(|option| option.name.starts_with(PREFIX) && option.name != TOOL)
            {
                let arity = Flags::arity(&flag.name).ok_or_else(|| Flags::unknown(&flag.name))?;
                next += 1;
                next += flag.take(arity, Kind::OfVpython, &words[next..], &mut self.own)?;
                continue;
            }
            // Anything else is python's or the tool's own; record the first word that neither
            // accepts.
            let is_long = option.as_ref().is_some_and(|option| option.dashes == 2);
            let is_help = is_long && word == "--help";
            let taken = match kind {
                Words::CommandLine | Words::DirectoryThenCommandLine
                    if needs_directory && option.is_none() =>
                {
                    needs_directory = false;
                    1
                }
                Words::CommandLine | Words::DirectoryThenCommandLine if !is_target_named => {
                    let name = word.as_bytes().get(2..).unwrap_or_default();
                    if is_long && !python::is_long_option(name) || needs_directory {
                        self.stray.get_or_insert_with(|| word.clone());
                    }
                    let (taken, is_last) = python::step(&words[next..]);
                    is_target_named = is_last;
                    taken
                }
                _ if is_help => {
                    self.own.push(word.clone());
                    next += 1;
                    continue;
                }
                Words::None => {
                    self.stray.get_or_insert_with(|| word.clone());
                    1
                }
                Words::Operands if option.is_some() => {
                    self.stray.get_or_insert_with(|| word.clone());
                    1
                }
                _ if is_long => {
                    self.stray.get_or_insert_with(|| word.clone());
                    1
                }
                _ => 1,
            };
            self.python.extend_from_slice(&words[next..next + taken]);
            next += taken;
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    #[test]
    fn own_words_come_first() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &[&str], &[&str], &str)] = &[
            (&[], &[], &[], "an empty command line"),
            (&["x.py", "-vpython-root", "r"], &[], &["x.py", "-vpython-root", "r"], "all words after the script are data"),
            (&["", "-vpython-root"], &[], &["", "-vpython-root"], "an empty word is python's"),
            (&["-vpython-root", "r", "x.py"], &["--vpython-root=r"], &["x.py"], "the value may be the next word"),
            (&["--vpython-root=r", "x.py"], &["--vpython-root=r"], &["x.py"], "or follow the equals sign"),
            (&["-vpython-root=", "x.py"], &["--vpython-root="], &["x.py"], "or be empty"),
            (&["-vpython-root", "", "x.py"], &["--vpython-root="], &["x.py"], "in either form"),
            (&["-vpython-root", "-i", "x.py"], &["--vpython-root=-i"], &["x.py"], "the next word is the value whatever it is"),
            (&["-vpython-spec", "a=b", "x"], &["--vpython-spec=a=b"], &["x"], "only the first equals sign cuts"),
            (&["-vpython-version", "true", "x.py"], &["--vpython-version"], &["true", "x.py"], "a switch takes no next word"),
            (&["-vpython-version=false"], &["--vpython-version=false"], &[], "but may have a value after the equals sign"),
            (&["-h", "-i"], &["-h"], &["-i"], "help is ours in front"),
            (&["-help"], &["--help"], &[], "with one dash"),
            (&["--help", "x"], &["--help"], &["x"], "or two"),
            (&["-i", "-h"], &[], &["-i", "-h"], "but python's after a word of python's"),
            (&["--", "-vpython-root"], &[], &["--", "-vpython-root"], "two dashes end our part and stay"),
            (&["-vpython-root", "r", "--", "-x.py"], &["--vpython-root=r"], &["--", "-x.py"], "also after a flag"),
            (&["---vpython-root", "r"], &[], &["---vpython-root", "r"], "three dashes are python's to refuse"),
            (&["-"], &[], &["-"], "a dash is standard input"),
            (&["-vpython", "x"], &[], &["-vpython", "x"], "a bundle of python's options that looks like our name"),
            (&["-E", "-vpython-spec", "s"], &[], &["-E", "-vpython-spec", "s"], "an option of python's ends our part"),
        ];
        for (line, own, python, why) in rows {
            let expected = Split {
                own: words(own),
                python: words(python),
                ..Split::default()
            };
            assert_eq!(split(&words(line)).unwrap(), expected, "{why}");
        }
    }

    #[test]
    fn a_tool_has_options_of_its_own_behind_its_name() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &[&str], &[&str], &[&str], &str)] = &[
            (&["-vpython-keep-legacy", "-vpython-tool", "upgrade", "-legacy", "d"], &["--vpython-keep-legacy", "--vpython-tool=upgrade"], &["--legacy"], &["d"], "in LUCI's order"),
            (&["-vpython-tool", "upgrade", "--all", "-x"], &["--vpython-tool=upgrade"], &["--all"], &["-x"], "a path with a dash"),
            (&["-vpython-tool", "upgrade", "--check", "x"], &["--vpython-tool=upgrade"], &["--check"], &["x"], "an option"),
            (&["-vpython-tool=upgrade", "-vpython-keep-legacy", "x"], &["--vpython-tool=upgrade"], &["--vpython-keep-legacy"], &["x"], "that looks like a flag"),
            (&["-vpython-tool", "upgrade", "--check", "-vpython-root", "r", "--keep-legacy"], &["--vpython-tool=upgrade", "--vpython-root=r"], &["--check", "--keep-legacy"], &[], "between flags"),
            (&["-vpython-tool", "upgrade", "x", "--check"], &["--vpython-tool=upgrade"], &["--check"], &["x"], "after another word"),
            (&["-vpython-tool", "upgrade", "-check"], &["--vpython-tool=upgrade"], &[], &["-check"], "with one dash it is python's bundle"),
            (&["-vpython-tool", "lock", "x.py", "--check"], &["--vpython-tool=lock"], &["--check"], &["x.py"], "after a script"),
            (&["-vpython-tool", "lock", "x.py", "-x", "--upgrade", "a", "b.c"], &["--vpython-tool=lock"], &["--upgrade=a"], &["x.py", "-x", "b.c"], "names after a script"),
            (&["-vpython-tool", "explain", "-c", "--json", "--json", "a"], &["--vpython-tool=explain"], &["--json"], &["-c", "--json", "a"], "a command is not an option"),
            (&["-vpython-tool", "explain", "-W", "--json", "--version", "x.py"], &["--vpython-tool=explain"], &[], &["-W", "--json", "--version", "x.py"], "nor is a value of python's"),
            (&["-vpython-tool", "explain", "-um", "a", "--json"], &["--vpython-tool=explain"], &["--json"], &["-um", "a"], "after a module"),
            (&["-vpython-tool", "explain", "x.py", "--", "--json"], &["--vpython-tool=explain"], &[], &["x.py", "--", "--json"], "after two dashes it is the script's"),
            (&["-vpython-tool", "export", "e", "x.py", "--with-python"], &["--vpython-tool=export"], &["--with-python"], &["e", "x.py"], "after a place and a script"),
            (&["-vpython-tool", "pack", "x.py", "--output", "-f"], &["--vpython-tool=pack"], &["--output=-f"], &["x.py"], "with its value"),
            (&["-vpython-tool", "exec", "ruff", "--help"], &["--vpython-tool=exec"], &[], &["ruff", "--help"], "what a program gets is its own"),
            (&["-vpython-tool", "lock", "x.py", "--help"], &["--vpython-tool=lock", "--help"], &[], &["x.py"], "help after a script is the tool's"),
            (&["-vpython-tool", "explain", "-i", "--help"], &["--vpython-tool=explain"], &[], &["-i", "--help"], "and before it python's"),
            (&["-vpython-tool", "install", "x.py", "-vpython-root", "r"], &["--vpython-tool=install", "--vpython-root=r"], &[], &["x.py"], "a flag after a script"),
            (&["-vpython-tool", "install", "x.py", "--", "-vpython-root", "r"], &["--vpython-tool=install"], &[], &["x.py", "--", "-vpython-root", "r"], "but not after two dashes"),
            (&["-vpython-tool", "exec", "x", "-vpython-root", "r"], &["--vpython-tool=exec"], &[], &["x", "-vpython-root", "r"], "nor after a program"),
            (&["-vpython-tool", "relocate", "x", "--to", "y", "--json"], &["--vpython-tool=relocate"], &["--to=y", "--json"], &["x"], "after a word of a tool that runs nothing"),
            (&["-vpython-tool", "relocate", "--", "-x"], &["--vpython-tool=relocate"], &[], &["--", "-x"], "up to two dashes"),
            (&["-vpython-tool", "lock", "--upgrade", "x.py"], &["--vpython-tool=lock"], &["--upgrade"], &["x.py"], "no word after it is a name"),
            (&["-vpython-tool", "lock", "--upgrade", "a", "b-c", "x.py", "d"], &["--vpython-tool=lock"], &["--upgrade=a", "--upgrade=b-c"], &["x.py", "d"], "names up to the first other word"),
            (&["-vpython-tool", "lock", "--upgrade=a,b", "c"], &["--vpython-tool=lock"], &["--upgrade=a,b"], &["c"], "names after the equals sign"),
            (&["-vpython-tool", "lock", "--upgrade", "a", "--check", "-m", "b"], &["--vpython-tool=lock"], &["--upgrade=a", "--check"], &["-m", "b"], "names up to an option"),
            (&["-vpython-tool", "lock", "--upgrade", "--", "a"], &["--vpython-tool=lock"], &["--upgrade"], &["--", "a"], "names up to two dashes"),
            (&["--check", "-vpython-tool", "upgrade"], &[], &[], &["--check", "-vpython-tool", "upgrade"], "before the tool"),
        ];
        for (line, own, tool, python, why) in rows {
            let expected = Split {
                own: words(own),
                tool: words(tool),
                python: words(python),
                ..Split::default()
            };
            assert_eq!(split(&words(line)).unwrap(), expected, "{why}");
        }
    }

    #[test]
    fn a_word_that_cannot_be_meant_is_told_apart() {
        #[rustfmt::skip]
        let rows: &[(&[&str], Option<&str>)] = &[
            (&["install", "--check"], Some("--check")),
            (&["install", "-u", "--new-in-4", "x.py"], Some("--new-in-4")),
            (&["install", "--version"], None),
            (&["install", "x.py", "--version"], Some("--version")),
            (&["install", "-m", "a", "--b"], Some("--b")),
            (&["install", "x.py", "-b", "c", "--", "--d"], None),
            (&["export", "-x", "e", "x.py"], Some("-x")),
            (&["export", "e", "--cpoy", "x.py"], Some("--cpoy")),
            (&["relocate", "e", "-x"], Some("-x")),
            (&["relocate", "--", "-x"], None),
            (&["upgrade", "a", "-b"], None),
            (&["upgrade", "a", "--b"], Some("--b")),
            (&["prune", "x"], Some("x")),
            (&["prune", "--", "x"], Some("--")),
            (&["exec", "a", "--b"], None),
        ];
        for (line, expected) in rows {
            let line: Vec<OsString> = ["-vpython-tool"]
                .iter()
                .chain(*line)
                .map(OsString::from)
                .collect();
            assert_eq!(
                split(&line).unwrap().stray,
                expected.map(OsString::from),
                "{line:?}"
            );
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_pass() {
        let odd = OsString::from_vec(b"-vpython-root=/\xff".to_vec());
        let script = OsString::from_vec(b"\xfe.py".to_vec());
        let split = split(&[odd, script.clone()]).unwrap();
        assert_eq!(
            split.own,
            [OsString::from_vec(b"--vpython-root=/\xff".to_vec())]
        );
        assert_eq!(split.python, [script]);
    }

    #[test]
    fn errors_name_the_flag() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &str)] = &[
            (&["-vpython-sepc", "s"], "vpython: error: unknown flag `-vpython-sepc`\n  hint: did you mean `-vpython-spec`?\n"),
            (&["--vpython-zzz"], "vpython: error: unknown flag `-vpython-zzz`\n  hint: `vpython -h` lists the flags; put flags for the program itself after its name\n"),
            (&["-vpython-root"], "vpython: error: flag `-vpython-root` needs a value\n"),
            (&["-vpython-root", "--", "x.py"], "vpython: error: flag `-vpython-root` needs a value\n"),
            (&["-vpython-tool", "--", "x.py"], "vpython: error: flag `-vpython-tool` needs a value\n"),
            (&["-vpython-tool", "pack", "x.py", "--output"], "vpython: error: option `--output` needs a value\n"),
        ];
        for (line, text) in rows {
            assert_eq!(
                crate::report::render(&split(&words(line)).unwrap_err()),
                *text
            );
        }
    }
}
