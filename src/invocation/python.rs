//! Python's own command line, parsed by CPython's grammar only to find the target.
//!
//! The rules are the union of those in `Python/getopt.c` and `config_parse_cmdline` of CPython 2.7
//! and 3.6 to 3.14: an option that only some versions have is parsed as those versions do, and the
//! selected python accepts or rejects it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The program that a python command line runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file, a directory or a zip application, by its path as typed. An empty path is the current
    /// directory.
    Script(PathBuf),
    /// The text after `-c`.
    Command(OsString),
    /// The name after `-m`.
    Module(OsString),
    /// `-`: standard input.
    Stdin,
    /// No program: python is interactive, or runs standard input, or rejects the command line.
    None,
    /// Python only prints information (`--version`, `-?`, `--help-all`) and runs nothing.
    Information,
}

/// Checks whether python has this long option.
pub(super) fn is_long_option(name: &[u8]) -> bool {
    matches!(name, b"" | b"help" | b"version") || INFORMATION.contains(&name) || name == VALUED_LONG
}

/// Options with a value, attached or in the next word. Only 2.7 has `Q`.
const VALUED: &[u8] = b"cmWXQ";
/// Long options. A dash inside a bundle begins one, so `--help-all` is a bundle of a single long
/// option.
const INFORMATION: [&[u8]; 3] = [b"help-all", b"help-env", b"help-xoptions"];
const VALUED_LONG: &[u8] = b"check-hash-based-pycs";

/// Checks whether python reads standard input to its end and runs it, if that is not a terminal: no
/// other program is named, and there is no `-i`, which runs it line by line.
pub(super) fn runs_input(words: &[OsString]) -> bool {
    let line = Line::read(words);
    !line.is_interactive
        && !line.is_refused
        && matches!(line.target(), Target::Stdin | Target::None)
}

/// Checks whether python writes byte code next to the sources that it imports, of the kind that it
/// writes without any option.
pub(super) fn writes_byte_code(words: &[OsString]) -> bool {
    Line::read(words).byte_code == ByteCode::Usual
}

/// The facts about a python command line that determine the target.
struct Line {
    target: Target,
    /// An option makes python print information.
    only_information: bool,
    /// There is a `-i`.
    is_interactive: bool,
    /// The byte code that python writes on import.
    byte_code: ByteCode,
    /// Python rejects the command line.
    is_refused: bool,
}

/// Byte code that python writes on import.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ByteCode {
    /// That of a command line without options, next to each source.
    Usual,
    /// None, optimised byte code, or byte code in another directory.
    Other,
}

impl Line {
    fn new() -> Self {
        Self {
            target: Target::None,
            only_information: false,
            is_interactive: false,
            byte_code: ByteCode::Usual,
            is_refused: false,
        }
    }

    fn read(words: &[OsString]) -> Self {
        let mut words = words.iter();
        let mut line = Self::new();
        while let Some(word) = words.next() {
            // The first word that is not an option is the target.
            match word.as_bytes() {
                b"--" => {
                    line.target = Target::positional(words.next());
                    break;
                }
                b"--help" | b"--version" => line.only_information = true,
                [b'-', letters @ ..] if !letters.is_empty() => {
                    match line.read_bundle(letters, &mut words) {
                        Bundle::Flags => {}
                        Bundle::Refused => {
                            line.is_refused = true;
                            break;
                        }
                        Bundle::Runs(target) => {
                            line.target = target;
                            break;
                        }
                    }
                }
                _ => {
                    line.target = Target::positional(Some(word));
                    break;
                }
            }
        }
        line
    }

    fn target(self) -> Target {
        if self.only_information {
            Target::Information
        } else {
            self.target
        }
    }

    /// Parses the letters of one word; a value may be the rest of the word or the next word, even
    /// an empty one.
    fn read_bundle<'a>(
        &mut self,
        letters: &'a [u8],
        words: &mut impl Iterator<Item = &'a OsString>,
    ) -> Bundle {
        for (index, letter) in letters.iter().enumerate() {
            let rest = &letters[index + 1..];
            match letter {
                // An option with a value ends the bundle.
                letter if VALUED.contains(letter) => {
                    let value = if rest.is_empty() {
                        words.next().map(OsString::as_os_str)
                    } else {
                        Some(OsStr::from_bytes(rest))
                    };
                    return match (letter, value) {
                        (_, None) => Bundle::Refused,
                        (b'c', Some(text)) => Bundle::Runs(Target::Command(text.to_owned())),
                        (b'm', Some(name)) => Bundle::Runs(Target::Module(name.to_owned())),
                        (b'X', Some(option)) => {
                            if option.as_bytes().starts_with(b"pycache_prefix") {
                                self.byte_code = ByteCode::Other;
                            }
                            Bundle::Flags
                        }
                        _ => Bundle::Flags,
                    };
                }
                // A dash inside a bundle begins a long option.
                b'-' if rest == VALUED_LONG => {
                    return if words.next().is_some() {
                        Bundle::Flags
                    } else {
                        Bundle::Refused
                    };
                }
                b'-' => {
                    self.only_information |= INFORMATION.contains(&rest);
                    return Bundle::Flags;
                }
                b'h' | b'?' | b'V' => self.only_information = true,
                b'i' => self.is_interactive = true,
                b'B' | b'O' => self.byte_code = ByteCode::Other,
                _ => {}
            }
        }
        Bundle::Flags
    }
}

impl Target {
    /// Finds the target in the words that follow the program's name.
    #[must_use]
    pub fn of(words: &[OsString]) -> Self {
        Line::read(words).target()
    }

    /// Returns the target of the first word that is not an option.
    fn positional(word: Option<&OsString>) -> Self {
        match word {
            None => Self::None,
            Some(word) if word == "-" => Self::Stdin,
            Some(word) => Self::Script(word.into()),
        }
    }
}

/// Returns the number of words that the first of `words` takes, including itself, and whether it
/// names the target.
pub(super) fn step(words: &[OsString]) -> (usize, bool) {
    let Some((word, following)) = words.split_first() else {
        return (0, true);
    };
    let mut rest = following.iter();
    let is_last = match word.as_bytes() {
        b"--help" | b"--version" => false,
        [b'-', letters @ ..] if !letters.is_empty() => {
            !matches!(Line::new().read_bundle(letters, &mut rest), Bundle::Flags)
        }
        _ => true,
    };
    (words.len() - rest.len(), is_last)
}

/// The meaning of a word of bundled one-letter options.
enum Bundle {
    /// Options only.
    Flags,
    /// Python rejects it.
    Refused,
    /// It ends in `-c` or `-m`, which end the options.
    Runs(Target),
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
            (&["--", "-"], Target::Stdin, "also after two dashes"),
            (&["-", "x.py"], Target::Stdin, "and what follows are its arguments"),
            (&["--", "-x.py"], script("-x.py"), "two dashes end the options"),
            (&["--", "-c", "x"], script("-c"), "so that a script may be named -c"),
            (&["--"], Target::None, "two dashes alone name nothing"),
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
            (&["-k", "x.py"], script("x.py"), "an unknown letter is a flag"),
            (&["--check-hash-based-pycs", "always", "x.py"], script("x.py"), "a long option with a value"),
            (&["--check-hash-based-pycs", "-c", "x.py"], script("x.py"), "whatever the value looks like"),
            (&["--check-hash-based-pycs"], Target::None, "python refuses a missing value"),
            (&["-B-check-hash-based-pycs", "always", "x.py"], script("x.py"), "a long option may end a bundle"),
            (&["-B-help-all"], Target::Information, "also one that prints information"),
            (&["-B-version", "x.py"], script("x.py"), "but --version is a word of its own"),
            (&["-v-", "x.py"], script("x.py"), "a bare dash in a bundle is an error that python goes on from"),
            (&["--new-in-4", "x.py"], script("x.py"), "an unknown long option"),
            (&["--version"], Target::Information, "python prints information"),
            (&["-V", "x.py"], Target::Information, "whatever else is named"),
            (&["-VV"], Target::Information, "twice for more"),
            (&["-bVc", "x"], Target::Information, "in a bundle"),
            (&["--version", "-c", "x"], Target::Information, "before a command"),
            (&["--help-all"], Target::Information, "all its help"),
            (&["-i", "--help"], Target::Information, "its help after an option"),
            (&["-?"], Target::Information, "its help by the old name"),
            (&["-c"], Target::None, "python refuses a missing value"),
            (&["-J", "x.py"], script("x.py"), "and Jython's option"),
            (&["x.py", "--version"], script("x.py"), "arguments of the script are its own"),
            (&["-c", "x", "--version"], command("x"), "and those of a command"),
        ];
        for (words, target, why) in rows {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(Target::of(&words), *target, "{words:?}: {why}");
        }
    }

    #[test]
    fn standard_input_is_run_if_no_other_program_is_named() {
        let rows: &[(&[&str], bool)] = &[
            (&[], true),
            (&["-"], true),
            (&["-u", "-W", "error", "-", "x.py"], true),
            (&["--"], true),
            (&["-i"], false),
            (&["-ui", "-"], false),
            (&["-W", "-i", "-"], true),
            (&["-", "-i"], true),
            (&["x.py"], false),
            (&["-c", "x"], false),
            (&["-m", "x"], false),
            (&["-V"], false),
            (&["-c"], false),
        ];
        for (words, expected) in rows {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(runs_input(&words), *expected, "{words:?}");
        }
    }

    #[test]
    fn options_that_change_byte_code_are_found() {
        let rows: &[(&[&str], bool)] = &[
            (&["x.py"], true),
            (&["-u", "-X", "dev", "x.py", "-B"], true),
            (&["-B", "x.py"], false),
            (&["-uOOm", "x"], false),
            (&["-X", "pycache_prefix=/x", "x.py"], false),
            (&["-Xpycache_prefix=/x", "x.py"], false),
        ];
        for (words, expected) in rows {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(writes_byte_code(&words), *expected, "{words:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_pass() {
        let odd = OsString::from_vec(b"\xff.py".to_vec());
        assert_eq!(
            Target::of(std::slice::from_ref(&odd)),
            Target::Script(odd.clone().into())
        );
        let glued = OsString::from_vec(b"-c\xff".to_vec());
        assert_eq!(
            Target::of(&[glued]),
            Target::Command(OsString::from_vec(b"\xff".to_vec()))
        );
    }
}
