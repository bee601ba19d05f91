//! Python's own command line, read by CPython's grammar to find the target, and for nothing else.
//!
//! The rules are those of `Python/getopt.c` and `config_parse_cmdline` in CPython 2.7 and 3.6 to 3.14, taken together: an option
//! that only some versions know is read as those versions read it, and is left for the chosen python to judge.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a python command line runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file, a folder or a zip application, by its path as typed. The empty path is the current directory.
    Script(PathBuf),
    /// The text behind `-c`.
    Command(OsString),
    /// The name behind `-m`.
    Module(OsString),
    /// `-`: standard input.
    Stdin,
    /// Nothing was named: an interactive python, or one that reads what is piped into it.
    None,
    /// Python only speaks of itself (`--version`, `-?`, `--help-all`), or will refuse the command line: nothing is run.
    Information,
}

/// Options with a value, glued or in the next word. `Q` is 2.7's alone.
const VALUED: &[u8] = b"cmWXQ";
/// Long options, which take two dashes and a whole word.
const INFORMATION: [&[u8]; 5] = [b"help", b"version", b"help-all", b"help-env", b"help-xoptions"];
const VALUED_LONG: &[u8] = b"check-hash-based-pycs";

impl Target {
    /// Finds the target in the words behind the program's name.
    #[must_use]
    pub fn of(words: &[OsString]) -> Self {
        let mut words = words.iter();
        let mut only_information = false;
        let target = loop {
            let Some(word) = words.next() else { break Self::None };
            match word.as_bytes() {
                b"--" => break Self::positional(words.next()),
                [b'-', b'-', long @ ..] => match long {
                    VALUED_LONG => {
                        if words.next().is_none() {
                            return Self::Information;
                        }
                    }
                    _ => only_information |= INFORMATION.contains(&long),
                },
                [b'-', letters @ ..] if !letters.is_empty() => match read_bundle(letters, &mut words) {
                    Bundle::Flags { information } => only_information |= information,
                    Bundle::Refused => return Self::Information,
                    Bundle::Runs(target) => break target,
                },
                _ => break Self::positional(Some(word)),
            }
        };
        if only_information { Self::Information } else { target }
    }

    /// The first word that is no option.
    fn positional(word: Option<&OsString>) -> Self {
        match word {
            None => Self::None,
            Some(word) if word == "-" => Self::Stdin,
            Some(word) => Self::Script(word.into()),
        }
    }
}

/// What a word of bundled one-letter options comes to.
enum Bundle {
    /// Options only; `information` where one of them makes python speak of itself.
    Flags { information: bool },
    /// Python will refuse it.
    Refused,
    /// It ends in `-c` or `-m`, which end the options.
    Runs(Target),
}

/// Reads the letters of one word; a value may be the rest of the word or the next word, even an empty one.
fn read_bundle<'a>(letters: &'a [u8], words: &mut impl Iterator<Item = &'a OsString>) -> Bundle {
    let mut information = false;
    for (index, letter) in letters.iter().enumerate() {
        match letter {
            letter if VALUED.contains(letter) => {
                let glued = &letters[index + 1..];
                let value =
                    if glued.is_empty() { words.next().map(OsString::as_os_str) } else { Some(OsStr::from_bytes(glued)) };
                return match (letter, value) {
                    (_, None) => Bundle::Refused,
                    (b'c', Some(text)) if !information => Bundle::Runs(Target::Command(text.to_owned())),
                    (b'm', Some(name)) if !information => Bundle::Runs(Target::Module(name.to_owned())),
                    (b'c' | b'm', Some(_)) => Bundle::Runs(Target::Information),
                    _ => Bundle::Flags { information },
                };
            }
            b'h' | b'?' | b'V' => information = true,
            // A dash inside a bundle begins a long option that no version has; `-J` is kept for Jython.
            b'-' | b'J' => return Bundle::Refused,
            _ => {}
        }
    }
    Bundle::Flags { information }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn the_target_is_found_as_python_finds_it() {
        let script = |path: &str| Target::Script(path.into());
        let command = |text: &str| Target::Command(text.into());
        let module = |name: &str| Target::Module(name.into());
        #[rustfmt::skip]
        let rows: &[(&[&str], Target, &str)] = &[
            (&[], Target::None, "nothing is named"),
            (&["x.py", "-c", "y"], script("x.py"), "a script ends the options"),
            (&[""], script(""), "the empty path is a path"),
            (&["-"], Target::Stdin, "a dash is standard input"),
            (&["--", "-"], Target::Stdin, "also behind two dashes"),
            (&["-", "x.py"], Target::Stdin, "and what follows are its arguments"),
            (&["--", "-x.py"], script("-x.py"), "two dashes end the options"),
            (&["--", "-c", "x"], script("-c"), "so that a script may be named -c"),
            (&["--"], Target::None, "with nothing behind them nothing is named"),
            (&["-c", "print(1)", "a"], command("print(1)"), "a value apart"),
            (&["-cprint(1)"], command("print(1)"), "a value glued"),
            (&["-c", ""], command(""), "an empty value"),
            (&["-Im", "mod"], module("mod"), "a bundle that ends in a valued option"),
            (&["-Immod"], module("mod"), "all in one word"),
            (&["-uWerror", "x.py"], script("x.py"), "a glued value in a bundle"),
            (&["-vvc", "code"], command("code"), "a flag given twice"),
            (&["-W", "", "x.py"], script("x.py"), "an empty value is a value"),
            (&["-X", "dev", "x.py"], script("x.py"), "a value apart"),
            (&["-Xdev", "x.py"], script("x.py"), "a value glued"),
            (&["-W", "-c", "x.py"], script("x.py"), "a value may look like an option"),
            (&["-Q", "new", "x.py"], script("x.py"), "2.7 alone knows it, with a value"),
            (&["-3", "-t", "x.py"], script("x.py"), "flags of 2.7"),
            (&["-P", "x.py"], script("x.py"), "a flag of 3.11"),
            (&["-k", "x.py"], script("x.py"), "a letter that nobody knows yet is a flag"),
            (&["--check-hash-based-pycs", "always", "x.py"], script("x.py"), "a long option with a value"),
            (&["--check-hash-based-pycs", "-c", "x.py"], script("x.py"), "whatever the value looks like"),
            (&["--check-hash-based-pycs"], Target::Information, "its value is missing"),
            (&["--new-in-4", "x.py"], script("x.py"), "a long option that nobody knows yet"),
            (&["--version"], Target::Information, "python speaks of itself"),
            (&["-V", "x.py"], Target::Information, "whatever else is named"),
            (&["-VV"], Target::Information, "twice for more"),
            (&["-bVc", "x"], Target::Information, "in a bundle"),
            (&["--version", "-c", "x"], Target::Information, "before a command"),
            (&["--help-all"], Target::Information, "all its help"),
            (&["-i", "--help"], Target::Information, "its help behind an option"),
            (&["-?"], Target::Information, "its help by the old name"),
            (&["-c"], Target::Information, "python refuses a missing value"),
            (&["-v-"], Target::Information, "and a long option in a bundle"),
            (&["-J"], Target::Information, "and Jython's option"),
            (&["x.py", "--version"], script("x.py"), "arguments of the script are its own"),
            (&["-c", "x", "--version"], command("x"), "and those of a command"),
        ];
        for (words, target, why) in rows {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(Target::of(&words), *target, "{words:?}: {why}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let odd = OsString::from_vec(b"\xff.py".to_vec());
        assert_eq!(Target::of(std::slice::from_ref(&odd)), Target::Script(odd.clone().into()));
        let glued = OsString::from_vec(b"-c\xff".to_vec());
        assert_eq!(Target::of(&[glued]), Target::Command(OsString::from_vec(b"\xff".to_vec())));
    }
}
