//! The first lines of a python script, which start it with the interpreter of its environment.
//!
//! There are three forms: a plain `#!` line, if the kernel accepts the path (127 bytes, no space);
//! otherwise a few lines of `sh` inside a python string, as pip and others write; and, for a script
//! that such lines would break, a single line that finds the interpreter next to the script. The
//! rest of the script is kept byte for byte.

use memchr::memmem;

use super::quoting::shell_word;

/// The longest first line that old kernels read, in bytes, including its newline.
const LIMIT: usize = 127;

/// A python script, split into its interpreter and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// The absolute path of the interpreter.
    pub interpreter: Vec<u8>,
    /// The arguments after the interpreter, for example `-s`.
    pub arguments: Vec<u8>,
    /// All other lines.
    pub rest: Vec<u8>,
    /// True if the kernel can start the script as it is.
    pub starts: bool,
}

impl Script {
    /// Parses a python script that names its interpreter by an absolute path; `None` for any other
    /// script.
    pub fn parse(script: &[u8]) -> Option<Self> {
        let (first, after) = cut_line(script.strip_prefix(b"#!")?);
        match trim(first) {
            b"/bin/sh" => Self::parse_polyglot(after),
            line => {
                let (interpreter, arguments) = interpreter(line)?;
                let starts = !interpreter.contains(&b' ') && line.len() + 3 <= LIMIT;
                Some(Self {
                    interpreter,
                    arguments,
                    rest: after.to_vec(),
                    starts,
                })
            }
        }
    }

    /// Parses the form with lines of `sh`:
    ///
    /// ```text
    /// '''exec' "/path of/python" "$0" "$@"
    /// ' '''
    /// ```
    fn parse_polyglot(after: &[u8]) -> Option<Self> {
        let (cookie, after) = cut_cookie(after);
        let (line, after) = cut_line(after);
        let command = trim(line.strip_prefix(b"'''exec' ")?).strip_suffix(b"\"$0\" \"$@\"")?;
        let rest = match cut_line(after) {
            (end, rest) if trim(end) == b"' '''" => rest,
            _ => return None,
        };
        let (word, arguments) = shell_path(trim(command))?;
        let rest = [cookie, rest].concat();
        Some(Self {
            interpreter: word,
            arguments: trim(arguments).to_vec(),
            rest,
            starts: true,
        })
    }

    /// Renders the whole script, with the first of the three forms that works.
    pub fn render(&self) -> Vec<u8> {
        let space: &[u8] = if self.arguments.is_empty() { b"" } else { b" " };
        let plain = [b"#!", &self.interpreter[..], space, &self.arguments, b"\n"].concat();
        let has_space = self.interpreter.iter().any(u8::is_ascii_whitespace);
        let is_readable = self.interpreter.is_ascii() || self.reads_utf8();
        if plain.len() <= LIMIT && !has_space && is_readable {
            return [&plain, &self.rest[..]].concat();
        }
        let breaks = |text: &[u8]| memmem::find(&self.rest, text).is_some();
        if is_readable && !breaks(b"from __future__") && !self.interpreter.contains(&b'\\') {
            return self.polyglot();
        }
        self.sibling()
    }

    /// Renders the form with lines of `sh`. An encoding comment must stay within the first two
    /// lines.
    fn polyglot(&self) -> Vec<u8> {
        let (cookie, rest) = cut_cookie(&self.rest);
        let space: &[u8] = if self.arguments.is_empty() { b"" } else { b" " };
        let word = shell_word(&self.interpreter);
        let exec = [
            b"'''exec' ",
            &word[..],
            space,
            &self.arguments,
            b" \"$0\" \"$@\"\n' '''\n",
        ]
        .concat();
        [b"#!/bin/sh\n", cookie, &exec, rest].concat()
    }

    /// Renders the form with a single line. It contains no path, and a docstring is still the first
    /// statement after it.
    fn sibling(&self) -> Vec<u8> {
        let name = self
            .interpreter
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or_default();
        let space: &[u8] = if self.arguments.is_empty() { b"" } else { b" " };
        let find = br#"f=$0;[ -L "$f" -o "${f#*/}" = "$f" ]&&f=$(realpath "$f");exec "${f%/*}/"#;
        let line = [
            b"#!/usr/bin/env -S sh -c '",
            &find[..],
            name,
            b"\"",
            space,
            &self.arguments,
            b" \"$0\" \"$@\"'\n",
        ];
        [&line.concat(), &self.rest[..]].concat()
    }

    /// Returns whether python decodes non-ASCII bytes at the top of this script as UTF-8: python 3
    /// does, unless the script declares another encoding.
    fn reads_utf8(&self) -> bool {
        let name = self
            .interpreter
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or_default();
        let (cookie, _) = cut_cookie(&self.rest);
        let is_utf8 = memmem::find(cookie, b"utf-8")
            .or(memmem::find(cookie, b"utf8"))
            .is_some();
        std::str::from_utf8(&self.interpreter).is_ok()
            && !name.starts_with(b"python2")
            && (cookie.is_empty() || is_utf8)
    }
}

/// Returns whether a script is for a shell and not for python.
pub(super) fn is_for_shell(script: &[u8]) -> bool {
    let Some(rest) = script.strip_prefix(b"#!") else {
        return false;
    };
    let (line, _) = cut_line(rest);
    let words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .take(3);
    let mut names = words.map(|word| word.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    names.any(|name| [&b"sh"[..], b"bash", b"dash", b"zsh", b"ksh"].contains(&name))
}

/// Returns the prefix that an interpreter belongs to.
pub(super) fn prefix(interpreter: &[u8]) -> Option<&[u8]> {
    let name = interpreter.iter().rposition(|byte| *byte == b'/')?;
    interpreter[..name].strip_suffix(b"/bin")
}

/// Splits a first line into the interpreter, whose path may contain spaces, and its arguments.
fn interpreter(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let names: [&[u8]; 2] = [b"/bin/python", b"/bin/pypy"];
    let start = names
        .iter()
        .filter_map(|name| memmem::rfind(line, name))
        .max()?;
    let end = line[start + 1..]
        .iter()
        .position(u8::is_ascii_whitespace)
        .map_or(line.len(), |end| start + 1 + end);
    let is_path = line.starts_with(b"/") && !line[..start].starts_with(b"/usr/bin/env ");
    is_path.then(|| (line[..end].to_vec(), trim(&line[end..]).to_vec()))
}

/// Splits a line of `sh` into the path at its start and the rest; `None` if the first word is more
/// than a path.
fn shell_path(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    // Older tools wrote paths with spaces there without quotes.
    if line.starts_with(b"/") {
        let (path, arguments) = interpreter(line)?;
        return Some((path, &line[line.len() - arguments.len()..]));
    }
    let (mut word, mut quote, mut next) = (Vec::new(), None, 0);
    while next < line.len() {
        let byte = line[next];
        match (quote, byte) {
            (None, b' ') => break,
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None | Some(b'"'), b'\\') => {
                next += 1;
                word.push(*line.get(next)?);
            }
            (Some(b'"'), b'$' | b'`') if line[next..].starts_with(b"$(") || byte == b'`' => {
                return None;
            }
            _ => word.push(byte),
        }
        next += 1;
    }
    (word.starts_with(b"/") && quote.is_none()).then_some((word, &line[next.min(line.len())..]))
}

/// Splits off an encoding comment, if it is the first line (PEP 263).
fn cut_cookie(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, _) = cut_line(text);
    let is_cookie = line.starts_with(b"#") && memmem::find(line, b"coding").is_some();
    text.split_at(if is_cookie {
        (line.len() + 1).min(text.len())
    } else {
        0
    })
}

fn cut_line(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::{Config, RngSeed};

    use super::*;

    fn moved(script: &str, from: &str, to: &str) -> String {
        let mut script = Script::parse(script.as_bytes()).unwrap();
        let rest = script.interpreter.strip_prefix(from.as_bytes()).unwrap();
        script.interpreter = [to.as_bytes(), rest].concat();
        String::from_utf8(script.render()).unwrap()
    }

    #[test]
    fn a_script_gets_the_form_that_its_prefix_needs_and_back() {
        let long = format!("/{}", "x".repeat(120));
        let rows = [
            ("#!/old/bin/python\nx\n", "/new", "#!/new/bin/python\nx\n"),
            (
                "#! /old/bin/python3.8 -sE\r\nx\r\n",
                "/new",
                "#!/new/bin/python3.8 -sE\nx\r\n",
            ),
            (
                "#!/old/bin/python\nx\n",
                "/a b",
                "#!/bin/sh\n'''exec' '/a b/bin/python' \"$0\" \"$@\"\n' '''\nx\n",
            ),
            (
                "#!/old/bin/python -s\nx",
                &long,
                &format!("#!/bin/sh\n'''exec' '{long}/bin/python' -s \"$0\" \"$@\"\n' '''\nx"),
            ),
            (
                "#!/bin/sh\n'''exec' \"/old/bin/python\" \"$0\" \"$@\"\n' '''\nx\n",
                "/new",
                "#!/new/bin/python\nx\n",
            ),
            (
                "#!/bin/sh\n'''exec' /old/bin/python -E \"$0\" \"$@\"\n' '''\nx\n",
                "/new",
                "#!/new/bin/python -E\nx\n",
            ),
            (
                "#!/old/bin/python\n# coding: utf-8\nx\n",
                "/a b",
                "#!/bin/sh\n# coding: utf-8\n'''exec' '/a b/bin/python' \"$0\" \"$@\"\n' '''\nx\n",
            ),
            (
                "#!/bin/sh\n# coding: utf-8\n'''exec' '/old/bin/python' \"$0\" \"$@\"\n' '''\nx\n",
                "/new",
                "#!/new/bin/python\n# coding: utf-8\nx\n",
            ),
        ];
        for (script, to, expected) in rows {
            assert_eq!(moved(script, "/old", to), expected);
        }
        let quoted = "#!/bin/sh\n'''exec' '/a '\"'\"'b$/bin/python' \"$0\" \"$@\"\n' '''\nx\n";
        assert_eq!(moved(quoted, "/a 'b$", "/new"), "#!/new/bin/python\nx\n");
        assert_eq!(moved("#!/new/bin/python\nx\n", "/new", "/a 'b$"), quoted);
    }

    #[test]
    fn a_script_that_extra_lines_would_break_gets_a_single_line() {
        let one_line = |script: &str, to: &str| {
            let script = moved(script, "/old", to);
            let first = script.lines().next().unwrap();
            assert!(
                first.starts_with("#!/usr/bin/env -S sh -c 'f=$0;") && first.len() < LIMIT,
                "{script}"
            );
            script.split_once('\n').unwrap().1.to_owned()
        };
        assert_eq!(
            one_line(
                "#!/old/bin/python\n'''x'''\nfrom __future__ import y\n",
                "/a b"
            ),
            "'''x'''\nfrom __future__ import y\n"
        );
        assert_eq!(one_line("#!/old/bin/python2.7\nx\n", "/\u{e9}"), "x\n");
        assert_eq!(
            one_line("#!/old/bin/python\n# coding: latin-1\nx\n", "/\u{e9}"),
            "# coding: latin-1\nx\n"
        );
        assert_eq!(one_line("#!/old/bin/python\nx\n", "/a b\\N"), "x\n");
    }

    #[test]
    fn scripts_without_an_absolute_interpreter_are_not_parsed() {
        let rows = [
            "#!/usr/bin/env python\n",
            "#!/usr/bin/env /old/bin/python\n",
            "#!/bin/sh\nexec x\n",
            "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''\n",
            "import x\n",
            "#!/old/bin/perl\n",
        ];
        for script in rows {
            assert_eq!(Script::parse(script.as_bytes()), None, "{script}");
        }
        assert!(
            is_for_shell(b"#!/usr/bin/env bash\n")
                && is_for_shell(b"#!/bin/sh -e\n")
                && !is_for_shell(b"#!/x/python\n")
        );
    }

    #[test]
    fn a_path_with_a_space_cannot_start() {
        let script = Script::parse(b"#!/a b/bin/python -s\nx").unwrap();
        assert_eq!(
            (
                &script.interpreter[..],
                &script.arguments[..],
                script.starts
            ),
            (&b"/a b/bin/python"[..], &b"-s"[..], false)
        );
        assert_eq!(prefix(&script.interpreter).unwrap(), b"/a b");
    }

    /// Generates scripts for interpreters in any directory.
    fn scripts() -> impl Strategy<Value = Script> {
        let directory = "/([a-z '\"$`!%#&\u{e9}]{0,12}[a-z]|x{120})";
        let name = select(vec!["python", "python3.11", "python2.7", "pypy3"]);
        let arguments = select(vec!["", "-s", "-sE", "-E -s"]);
        let line = select(vec![
            "# coding: utf-8\n",
            "# -*- coding: latin-1 -*-\n",
            "'''doc'''\r\n",
            "from __future__ import x\n",
            "\n",
            "print('#!/bin/sh')\n",
        ]);
        let rest = vec(line, 0..4);
        (directory, name, arguments, rest).prop_map(|(directory, name, arguments, rest)| Script {
            interpreter: format!("{directory}/bin/{name}").into_bytes(),
            arguments: arguments.into(),
            rest: rest.concat().into_bytes(),
            starts: true,
        })
    }

    proptest! {
        #![proptest_config(Config {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..Config::with_cases(2000)
        })]

        #[test]
        fn a_rendered_script_is_parsed_again(script in scripts()) {
            let rendered = script.render();
            let (first, rest) = cut_line(&rendered);
            prop_assert!(first.len() < LIMIT);
            if first.starts_with(b"#!/usr/bin/env") {
                prop_assert_eq!(rest, &script.rest[..]);
                prop_assert_eq!(Script::parse(&rendered), None);
            } else {
                prop_assert_eq!(Script::parse(&rendered), Some(script));
            }
        }
    }
}
