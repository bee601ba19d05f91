//! The quoting of paths in the languages of an environment's files, and their replacement.
//!
//! A file is read line by line, and only its quotes are parsed, since no command in it is run. In
//! shells, a word may consist of several quoted parts, so each part is rewritten on its own; in the
//! other languages it is the whole literal.

use super::literals::rewrite_literals;
use super::prefixes::Prefixes;

/// A language that contains a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// sh, bash, zsh.
    Posix,
    /// csh and tcsh.
    Csh,
    /// fish.
    Fish,
    /// PowerShell.
    PowerShell,
    /// Batch files, which some tools write on every system.
    Batch,
    /// Python, xonsh and, as far as paths go, JSON.
    Python,
    /// nushell.
    Nu,
}

/// The quotes around a part of a shell's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

impl Language {
    /// Replaces the prefixes in every line of a text.
    pub fn rewrite(self, text: &[u8], prefixes: &Prefixes) -> Vec<u8> {
        text.split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| self.rewrite_line(line, prefixes))
            .collect()
    }

    fn rewrite_line(self, line: &[u8], prefixes: &Prefixes) -> Vec<u8> {
        match self {
            Self::Batch => prefixes.replace(line, |path| doubled(path, b"%")),
            Self::Python | Self::Nu => rewrite_literals(self, line, prefixes),
            Self::Posix | Self::Csh | Self::Fish | Self::PowerShell => {
                self.rewrite_words(line, prefixes)
            }
        }
    }

    /// Rewrites a line of a shell. A path that contains a quote is spread over several parts of a
    /// word, so it is searched as a whole.
    fn rewrite_words(self, line: &[u8], prefixes: &Prefixes) -> Vec<u8> {
        let mut text = line.to_vec();
        for path in prefixes
            .old()
            .iter()
            .map(Vec::as_slice)
            .chain([prefixes.to()])
            .filter(|path| path.contains(&b'\''))
        {
            let (from, to) = (self.word(path), self.word(prefixes.to()));
            if memchr::memmem::find(&text, &from).is_some() {
                text = replace_all(&text, &from, &to);
                return text;
            }
        }
        // All other paths lie within one part.
        let mut rewritten = Vec::with_capacity(line.len());
        for (quote, part) in self.parts(&text) {
            rewritten.extend(prefixes.replace(part, |path| self.encode(path, quote)));
        }
        rewritten
    }

    /// Splits a line at its quotes. The quotes themselves belong to unquoted parts.
    fn parts(self, line: &[u8]) -> Vec<(Quote, &[u8])> {
        let (mut parts, mut quote, mut start, mut next) = (Vec::new(), Quote::None, 0, 0);
        while next < line.len() {
            let byte = line[next];
            let turned = match (quote, byte) {
                (Quote::None, b'\'') => Quote::Single,
                (Quote::None, b'"') => Quote::Double,
                (Quote::Single, b'\'') | (Quote::Double, b'"') => Quote::None,
                _ => quote,
            };
            let escape = if self == Self::PowerShell {
                b'`'
            } else {
                b'\\'
            };
            let is_escape = byte == escape
                && match quote {
                    Quote::None => true,
                    Quote::Single => self == Self::Fish,
                    Quote::Double => self != Self::Csh,
                };
            if turned != quote {
                // A closing quote belongs to the unquoted part after it, an opening quote to the
                // one before it.
                let cut = if turned == Quote::None {
                    next
                } else {
                    next + 1
                };
                parts.push((quote, &line[start..cut]));
                (start, quote) = (cut, turned);
            }
            next += if is_escape { 2 } else { 1 };
        }
        parts.push((quote, &line[start..]));
        parts
    }

    /// Encodes a path within such quotes. If they cannot contain it, they are closed before it and
    /// reopened after it.
    fn encode(self, path: &[u8], quote: Quote) -> Vec<u8> {
        match (self, quote) {
            (_, Quote::None) if path.iter().all(|byte| is_plain(*byte)) => path.to_vec(),
            (_, Quote::None) => self.word(path),
            (Self::Fish, Quote::Single) => escaped(path, b"\\'", b'\\'),
            (Self::PowerShell, Quote::Single) => doubled(path, b"'"),
            (_, Quote::Single) => {
                let word = self.word(path);
                word[1..word.len() - 1].to_vec()
            }
            (Self::Csh, Quote::Double) if path.iter().any(|byte| b"\"$`!\\".contains(byte)) => {
                [b"\"", &self.word(path)[..], b"\""].concat()
            }
            (Self::Csh, Quote::Double) => path.to_vec(),
            (Self::Fish, Quote::Double) => escaped(path, b"\\\"$", b'\\'),
            (Self::PowerShell, Quote::Double) => escaped(path, b"`\"$", b'`'),
            (_, Quote::Double) => escaped(path, b"\\\"$`", b'\\'),
        }
    }

    /// Encodes a path as a word of its own, in single quotes.
    fn word(self, path: &[u8]) -> Vec<u8> {
        let inner = match self {
            Self::Fish => escaped(path, b"\\'", b'\\'),
            Self::PowerShell => doubled(path, b"'"),
            Self::Csh => replace_all(&escaped(path, b"!", b'\\'), b"'", b"'\"'\"'"),
            _ => replace_all(path, b"'", b"'\"'\"'"),
        };
        [b"'", &inner[..], b"'"].concat()
    }
}

/// Encodes a word for `sh`, in single quotes.
pub(super) fn shell_word(word: &[u8]) -> Vec<u8> {
    Language::Posix.word(word)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./+=:,@%".contains(&byte) || byte >= 0x80
}

pub(super) fn escaped(text: &[u8], special: &[u8], escape: u8) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| {
            special
                .contains(byte)
                .then_some(escape)
                .into_iter()
                .chain([*byte])
        })
        .collect()
}

fn doubled(text: &[u8], special: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| {
            special
                .contains(byte)
                .then_some(*byte)
                .into_iter()
                .chain([*byte])
        })
        .collect()
}

fn replace_all(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut end = 0;
    for start in memchr::memmem::find_iter(text, from) {
        replaced.extend_from_slice(&text[end..start]);
        replaced.extend_from_slice(to);
        end = start + from.len();
    }
    replaced.extend_from_slice(&text[end..]);
    replaced
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::{Config, RngSeed};

    use super::super::literals::python_texts;
    use super::*;

    fn rewrite(language: Language, line: &str, old: &str, to: &str) -> String {
        let prefixes = Prefixes::new(Path::new(to), [old.as_bytes().to_vec()], &[]);
        let once = language.rewrite(line.as_bytes(), &prefixes);
        assert_eq!(
            language.rewrite(&once, &prefixes),
            once,
            "written again it is the same"
        );
        String::from_utf8(once).unwrap()
    }

    #[test]
    fn a_path_is_quoted_as_its_line_requires() {
        use Language::{Batch, Csh, Fish, Nu, Posix, PowerShell, Python};
        #[rustfmt::skip]
        let rows = [
            (Posix, "VIRTUAL_ENV=/old", "/a b$c", "VIRTUAL_ENV='/a b$c'"),
            (Posix, "VIRTUAL_ENV=\"/old\"", "/a b", "VIRTUAL_ENV=\"/a b\""),
            (Posix, "VIRTUAL_ENV=\"/old\"", "/a$`\"\\", "VIRTUAL_ENV=\"/a\\$\\`\\\"\\\\\""),
            (Posix, "VIRTUAL_ENV='/old'", "/it's", "VIRTUAL_ENV='/it'\"'\"'s'"),
            (Posix, "if [ ! -d /old ] &&", "/a b", "if [ ! -d '/a b' ] &&"),
            (Posix, "x=$(cygpath \"/old\")/bin", "/new", "x=$(cygpath \"/new\")/bin"),
            (Csh, "setenv VIRTUAL_ENV \"/old\"", "/a b", "setenv VIRTUAL_ENV \"/a b\""),
            (Csh, "setenv VIRTUAL_ENV \"/old\"", "/a$b", "setenv VIRTUAL_ENV \"\"'/a$b'\"\""),
            (Csh, "source '/old'\"/\"'bin'\"/x\"", "/a!", "source '/a\\!'\"/\"'bin'\"/x\""),
            (Fish, "set -gx VIRTUAL_ENV '/old'", "/it's", "set -gx VIRTUAL_ENV '/it\\'s'"),
            (Fish, "set -gx VIRTUAL_ENV \"/old\"", "/a$b", "set -gx VIRTUAL_ENV \"/a\\$b\""),
            (PowerShell, "$x = '/old'", "/it's", "$x = '/it''s'"),
            (PowerShell, "$x = \"/old\"", "/a$b", "$x = \"/a`$b\""),
            (Batch, "@set \"VIRTUAL_ENV=/old\"", "/a%b", "@set \"VIRTUAL_ENV=/a%%b\""),
            (Python, "x = r\"/old\"", "/a b", "x = r\"/a b\""),
            (Python, "x = r'/old', '/old/y' # '/old'", "/it's", "x = '/it\\'s', '/it\\'s/y' # '/old'"),
            (Python, "{\"argv\": [\"/old/bin/python\"]}", "/a\"b", "{\"argv\": [\"/a\\\"b/bin/python\"]}"),
            (Nu, "    const virtual_env = '/old'", "/a b", "    const virtual_env = '/a b'"),
            (Nu, "    let virtual_env = r#'/old'#", "/it's", "    let virtual_env = r#'/it's'#"),
            (Nu, "let virtual_env = '/old'", "/a'##b", "let virtual_env = r###'/a'##b'###"),
        ];
        for (language, line, to, expected) in rows {
            assert_eq!(rewrite(language, line, "/old", to), expected);
        }
    }

    #[test]
    fn an_old_path_is_found_as_it_was_quoted() {
        let rows = [
            (
                Language::Posix,
                "VIRTUAL_ENV='/it'\"'\"'s'",
                "VIRTUAL_ENV='/new'",
            ),
            (
                Language::Posix,
                "VIRTUAL_ENV=\"/it's\"/bin",
                "VIRTUAL_ENV=\"/new\"/bin",
            ),
            (Language::Fish, "set -gx V '/it\\'s'", "set -gx V '/new'"),
            (
                Language::Python,
                "x = '/it\\'s', '/\\x69t\\u0027s'",
                "x = '/new', '/new'",
            ),
            (Language::Nu, "let x = r#'/it's'#", "let x = '/new'"),
        ];
        for (language, line, expected) in rows {
            assert_eq!(rewrite(language, line, "/it's", "/new"), expected);
        }
        assert_eq!(
            rewrite(
                Language::Posix,
                "V=\"/a b$c\" W=\"/a b\\$c\"",
                "/a b$c",
                "/new"
            ),
            "V=\"/new\" W=\"/new\""
        );
    }

    /// Generates paths of characters that are special in some language.
    fn paths() -> impl Strategy<Value = String> {
        let characters: Vec<char> = "ab '\"\\$`!%#&;|<>(){}[]*?~^=,\u{e9}\u{1f40d}"
            .chars()
            .collect();
        let name = vec(select(characters), 1..8).prop_map(String::from_iter);
        vec(name, 1..3).prop_map(|names| format!("/{}", names.join("/")))
    }

    proptest! {
        #![proptest_config(Config {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..Config::with_cases(2000)
        })]

        #[test]
        fn sh_reads_the_path_that_was_written(path in paths()) {
            for line in ["V='/old'/bin", "V=\"/old\"/bin", "V=/old/bin", "V=\"/old/bin\""] {
                let rewritten = rewrite(Language::Posix, line, "/old", &path);
                prop_assert_eq!(shlex::split(&rewritten), Some(vec![format!("V={path}/bin")]));
            }
        }

        #[test]
        fn python_reads_the_path_that_was_written(path in paths()) {
            for line in ["x = '/old'", "x = \"/old\"", "x = r'/old'"] {
                let rewritten = rewrite(Language::Python, line, "/old", &path);
                prop_assert_eq!(python_texts(rewritten.as_bytes()), [path.as_bytes()]);
            }
        }

        #[test]
        fn a_written_path_is_found_again(path in paths()) {
            use Language::{Batch, Csh, Fish, Nu, Posix, PowerShell, Python};
            for language in [Posix, Csh, Fish, PowerShell, Batch, Python, Nu] {
                for line in ["x = '/old'", "x = \"/old\""] {
                    let written = rewrite(language, line, "/old", &path);
                    let back = rewrite(language, &written, &path, "/old");
                    prop_assert!(back.contains("/old"), "{language:?}: {written} became {back}");
                    prop_assert_eq!(rewrite(language, &back, "/old", &path), written);
                }
            }
        }
    }
}
