//! Guessing from the text of a source which modules it imports as soon as it is imported itself.
//!
//! Only the statements `import` and `from … import` count that surely run: those outside of functions,
//! conditions and handlers of exceptions. A wrong guess only costs a little time, so this does not parse
//! python.

use memchr::{memchr, memchr3};

/// An import statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import<'a> {
    /// The number of dots before the module.
    pub level: usize,
    /// The module, such as `a.b`; empty in `from . import c`.
    pub module: &'a str,
    /// The names after `import` in a `from` statement, each of which may be a module too.
    pub names: Vec<&'a str>,
}

const BLANKS: [char; 3] = [' ', '\t', '\x0c'];

/// Whose text a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The program that runs, in which `__name__` is `__main__`.
    Program,
    /// A module that is imported.
    Module,
}

/// Returns the import statements of a source, in order.
pub(super) fn imports(text: &str, role: Role) -> Vec<Import<'_>> {
    let mut found = Vec::new();
    // The indentation of the last line whose block does not run on import, while in that block.
    let mut skipped = None;
    let mut rest = text.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let indented = rest;
        let line;
        (line, rest) = logical_line(rest.trim_start_matches(BLANKS));
        let indentation = indented.len() - line.len() - rest.len();
        let is_empty = line.trim_end().is_empty() || line.starts_with('#');
        if is_empty || skipped.is_some_and(|outer| indentation > outer) {
            continue;
        }
        skipped = is_skipped(line, role).then_some(indentation);
        for statement in line.split(';') {
            let statement = statement.trim_start_matches(BLANKS);
            if let Some(modules) = after_word(statement, "import") {
                found.extend(names_in(modules).map(imported));
            } else if let Some(import) = after_word(statement, "from").and_then(imported_from) {
                found.push(import);
            } else {
                break;
            }
        }
    }
    found
}

/// Splits off the first line of a text, with those that continue it: in brackets, in a string, or after
/// a backslash. Nested quotes of an f-string are not known, and may end the line early or late.
fn logical_line(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'\n' if depth == 0 => return text.split_at(at + 1),
            b'#' => memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at),
            b'"' | b'\'' => string_length(&bytes[at..]),
            b'\\' => match &bytes[at + 1..] {
                [b'\r', b'\n', ..] => 3,
                _ => 2,
            },
            byte => {
                match byte {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                1
            }
        };
    }
    (text, "")
}

/// Returns the length of the string literal at the beginning, without its prefix.
fn string_length(bytes: &[u8]) -> usize {
    let quote = bytes[0];
    let is_long = bytes.starts_with(&[quote; 3]);
    let mut at = if is_long { 3 } else { 1 };
    while let Some(next) = memchr3(quote, b'\\', b'\n', bytes.get(at..).unwrap_or_default()) {
        at += next;
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' if !is_long => return at,
            b'\n' => at += 1,
            _ if !is_long => return at + 1,
            _ if bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Checks whether the block after a line may not run.
fn is_skipped(line: &str, role: Role) -> bool {
    let is_main = |condition: &str| role == Role::Program && condition.starts_with("__name__");
    let is_condition = ["if", "elif"]
        .iter()
        .filter_map(|word| after_word(line, word))
        .any(|condition| !is_main(condition));
    let others = ["def ", "async ", "except ", "except:", "while "];
    is_condition || others.iter().any(|word| line.starts_with(word))
}

/// Returns what follows a word and the blanks after it.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?;
    let trimmed = rest.trim_start_matches(BLANKS);
    (trimmed.len() < rest.len()).then_some(trimmed)
}

/// Returns the import of a module.
fn imported(module: &str) -> Import<'_> {
    Import {
        level: 0,
        module,
        names: Vec::new(),
    }
}

/// Returns the import of `..a import b as c, d`.
fn imported_from(text: &str) -> Option<Import<'_>> {
    let dotted = text.trim_start_matches('.');
    let level = text.len() - dotted.len();
    let dotted = dotted.trim_start_matches(BLANKS);
    let (module, names) = match names_after(dotted) {
        Some(names) if level > 0 => ("", names),
        _ => {
            let (module, rest) = dotted.split_at(dotted.find(BLANKS)?);
            (module, names_after(rest)?)
        }
    };
    (module.is_empty() || is_dotted_name(module)).then(|| Import {
        level,
        module,
        names: names_in(names).collect(),
    })
}

/// Returns what follows the word `import`.
fn names_after(text: &str) -> Option<&str> {
    let names = text.trim_start_matches(BLANKS).strip_prefix("import")?;
    names
        .starts_with([' ', '\t', '(', '*', '\\'])
        .then_some(names)
}

/// Returns the names in `a.b as c, (d)  # e`, without those after `as`.
fn names_in(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .flat_map(|line| {
            let code = line.split('#').next().unwrap_or_default();
            code.split([',', '(', ')', '\\'])
        })
        .filter_map(|name| name.split_ascii_whitespace().next())
        .filter(|name| is_dotted_name(name))
}

fn is_dotted_name(text: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
            && part
                .chars()
                .all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    text.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the imports of a text, each in one line.
    fn found(text: &str) -> Vec<String> {
        let line = |import: Import| {
            let names = match &*import.names {
                [] => String::new(),
                names => format!(": {}", names.join(" ")),
            };
            format!("{}{}{names}", ".".repeat(import.level), import.module)
        };
        imports(text, Role::Module).into_iter().map(line).collect()
    }

    #[test]
    fn the_statements_of_a_module_are_found() {
        let rows: [(&str, &[&str]); 25] = [
            ("import a", &["a"]),
            (
                "import a.b as c, d; import e;from f import g",
                &["a.b", "d", "e", "f: g"],
            ),
            ("\u{feff}import a", &["a"]),
            ("import\ta # b", &["a"]),
            ("import a\r\nimport b\r\n", &["a", "b"]),
            ("from a import b", &["a: b"]),
            ("from a.b import c as d, e\nimport f", &["a.b: c e", "f"]),
            ("from . import a", &[".: a"]),
            ("from ..a.b import *", &["..a.b"]),
            ("from . a import b", &[".a: b"]),
            (
                "from a import (b,  # of c\n  d as e,\n)\nimport f",
                &["a: b d", "f"],
            ),
            ("from a import b, \\\n  c\nimport d", &["a: b c", "d"]),
            ("from a import(b, c", &["a: b c"]),
            (
                "try:\n    import a\nexcept ImportError:\n    import b\nfinally:\n    import c",
                &["a", "c"],
            ),
            (
                "class A:\n    import a\n    def b(self):\n        import c\n    import d",
                &["a", "d"],
            ),
            (
                "def a(\n    b,\n) -> c:\n    import d\n\n# e\n    import f\nimport g",
                &["g"],
            ),
            (
                "if TYPE_CHECKING:\n    import a\nelse:\n    import b",
                &["b"],
            ),
            (
                "class A:\n  \"\"\"From::\n\n\nimport a\n\"\"\"\n  import b",
                &["b"],
            ),
            (
                "a = 'b\\'' \"\"\"c\\\"\"\"\nimport d\n\"\"\" # '\"\"\"\nimport e",
                &["e"],
            ),
            ("a = 'b\nimport c", &["c"]),
            ("a = [ # ]\nimport b\n]\nimport c \\\r\n, d", &["c", "d"]),
            ("from importlib import a", &["importlib: a"]),
            (
                "if a:\n    import b\nelif c:\n    import d\nimport e",
                &["e"],
            ),
            ("if __name__ == '__main__':\n    import a\nimport b", &["b"]),
            (
                "importa\nimport 1\nfrom a\nfrom 1 import b\nfrom a imports b\nyield from a\nfrom  import a\nfrom",
                &[],
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(found(text), *expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(import|from|def|if|[ .,;#\\\\()\n\r\taé'\"])*") {
            imports(&text, Role::Module);
        }
    }

    #[test]
    fn the_time_does_not_grow_faster_than_the_text() {
        for line in [
            "from a import (\n",
            "from a import \\\n",
            "import a,\\\n",
            "def a(\n",
            "'''\n",
            "\"a\\",
        ] {
            let text = line.repeat(100_000);
            let begin = std::time::Instant::now();
            imports(&text, Role::Module);
            assert!(begin.elapsed().as_secs() < 5, "{line:?}");
        }
    }
}
