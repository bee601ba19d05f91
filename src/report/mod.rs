//! vpython's output: errors with kind, cause and hint, and warnings. All of it goes to stderr,
//! coloured on a terminal and readable without colour.
//!
//! An error says what failed, why, and what to do. Control characters in text from outside are
//! escaped, so that a file name cannot control the terminal. Standard output is reserved for python
//! and for the output of tools.

mod command;
mod failure;
pub mod log;
mod mistake;
mod paint;
pub mod progress;
pub mod table;

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};

use anyhow::Context;
pub use command::{program, set_program, shell_word};
pub use failure::{Failure, Kind};
pub use mistake::{kind_of, nearest};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use paint::Paint;
pub use progress::Progress;

/// Returns an error with all its causes in one line, to use it as the cause of another.
#[must_use]
pub fn one_line(error: &anyhow::Error) -> String {
    let (lines, _) = parts(error);
    lines.join(": ")
}

/// Returns the lines of an error, headline first, and its hint.
#[must_use]
pub fn parts(error: &anyhow::Error) -> (Vec<String>, Option<&str>) {
    let mut lines = Vec::new();
    let mut hint = None;
    for link in error.chain() {
        lines.push(link.to_string());
        if let Some(failure) = link.downcast_ref::<Failure>() {
            lines.extend(failure.causes.iter().cloned());
            hint = hint.or(failure.hint.as_deref());
        }
    }
    (lines, hint)
}

/// The maximum number of lines of an error, without the hint and the line that counts the omitted
/// ones. An error for each line of a long file would otherwise fill a build's log.
const LINES: usize = 198;

/// The maximum length of a line in bytes.
const LONGEST: usize = 4000;

/// Returns the full text of an error: headline, causes, and at most one hint, each on its own line.
#[must_use]
pub fn render(error: &anyhow::Error) -> String {
    render_in(error, Paint::None)
}

fn render_in(error: &anyhow::Error, paint: Paint) -> String {
    let (mut lines, hint) = parts(error);
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("and {more} more"));
    }
    let mut text = String::new();
    // The headline, then one line per cause.
    for (number, line) in lines.iter().enumerate() {
        if number == 0 {
            text.push_str("vpython: ");
            text.push_str(&paint.error());
            text.push(' ');
        } else {
            text.push_str("  caused by: ");
        }
        text.push_str(&printable(&without_middle(line)));
        text.push('\n');
    }
    if let Some(hint) = hint {
        text.push_str("  ");
        text.push_str(&paint.hint());
        text.push(' ');
        text.push_str(&printable(hint));
        text.push('\n');
    }
    text
}

/// Truncates a line that may quote a whole file. Keeps the beginning and the end, which has the
/// reason.
fn without_middle(line: &str) -> Cow<'_, str> {
    let left_out = line.len().saturating_sub(LONGEST);
    if left_out == 0 {
        return line.into();
    }
    let (beginning, end) = (
        line.floor_char_boundary(LONGEST / 2),
        line.ceil_char_boundary(LONGEST / 2 + left_out),
    );
    format!(
        "{} [... {} bytes ...] {}",
        &line[..beginning],
        end - beginning,
        &line[end..]
    )
    .into()
}

/// Returns the last lines of another program's output in one line, short enough for an error.
#[must_use]
pub fn last_words(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    let lines = output
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(3);
    let mut lines: Vec<String> = lines.map(shortened).collect();
    lines.reverse();
    lines.join(" / ")
}

/// Returns the beginning of a line that may be arbitrarily long.
fn shortened(line: &str) -> String {
    let beginning: String = line.chars().take(200).collect();
    if beginning.len() < line.len() {
        beginning + "..."
    } else {
        beginning
    }
}

/// Prints an error.
pub fn error(error: &anyhow::Error) {
    say(&render_in(error, Paint::of_stderr()));
}

/// Returns the exit code for an error.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> i32 {
    kind(error).exit_code()
}

fn kind(error: &anyhow::Error) -> Kind {
    error
        .chain()
        .find_map(|link| link.downcast_ref::<Failure>())
        .map_or(Kind::default(), |failure| failure.kind)
}

/// Returns `text` with its control characters escaped, except newlines.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            line.strip_suffix('\n')
                .map_or_else(|| printable(line), |line| printable(line) + "\n")
        })
        .collect()
}

/// Writes a tool's output to standard output. Control characters are escaped for a terminal, since
/// a path may contain some; otherwise the bytes are written unchanged.
///
/// # Errors
/// Standard output cannot be written to.
pub fn print(text: &[u8]) -> anyhow::Result<()> {
    let mut output = std::io::stdout();
    let text = if output.is_terminal() {
        Cow::Owned(for_terminal(text))
    } else {
        Cow::Borrowed(text)
    };
    progress::aside(|| output.write_all(&text).and_then(|()| output.flush()))
        .context("cannot write to standard output")
}

/// Returns a text without control characters except newlines and tabs.
fn for_terminal(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let parts =
        text.split_inclusive(['\n', '\t'])
            .map(|part| match part.char_indices().next_back() {
                Some((at, end @ ('\n' | '\t'))) => format!("{}{end}", printable(&part[..at])),
                _ => printable(part),
            });
    parts.collect::<String>().into_bytes()
}

/// Prints a warning.
pub fn warning(text: &str) {
    say(&format!(
        "vpython: {} {}\n",
        Paint::of_stderr().warning(),
        printable(text)
    ));
}

/// The maximum number of warnings per launch.
const WARNINGS: usize = 100;

/// Prints warnings, at most [`WARNINGS`] of them.
pub fn warnings<'a>(texts: impl IntoIterator<Item = &'a String>) {
    let mut texts = texts.into_iter();
    texts.by_ref().take(WARNINGS).for_each(|text| warning(text));
    match texts.count() {
        0 => {}
        more => warning(&format!("{more} more warnings are not shown")),
    }
}

/// Prints a notice for a waiting user.
pub fn notice(text: &str) {
    say(&format!("vpython: {}\n", printable(text)));
}

/// Returns `text` with its control characters escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Writes to stderr in one call, and ignores errors. SIGPIPE from a closed pipe must not end a
/// launch that python would survive, so it is blocked during the write and then discarded.
fn say(text: &str) {
    let signal = SigSet::from(Signal::SIGPIPE);
    let before = signal.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let written = progress::aside(|| std::io::stderr().write_all(text.as_bytes()));
    let Ok(before) = before else { return };
    if written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe)
        && !before.contains(Signal::SIGPIPE)
    {
        let _ = signal.wait();
    }
    let _ = before.thread_set_mask();
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_is_headline_causes_and_hint() {
        let failure = Failure::new("no wheel fits `a`")
            .because("`b` is for cp311")
            .because("`c` is for cp312")
            .hint("fetch one");
        let error = Err::<(), _>(failure)
            .context("cannot build `x`")
            .unwrap_err();
        expect![[r#"
            vpython: error: cannot build `x`
              caused by: no wheel fits `a`
              caused by: `b` is for cp311
              caused by: `c` is for cp312
              hint: fetch one
        "#]]
        .assert_eq(&render(&error));
    }

    #[test]
    fn an_error_has_at_most_two_hundred_lines() {
        let failure = |count: usize| {
            Failure::new("x")
                .because_of((1..=count).map(|n| n.to_string()))
                .hint("y")
        };
        for (count, expected, last) in [
            (197, 199, "  caused by: 197"),
            (198, 200, "  caused by: and 1 more"),
            (100_000, 200, "  caused by: and 99803 more"),
        ] {
            let text = render(&failure(count).into());
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!((lines.len(), lines[lines.len() - 2]), (expected, last));
        }
    }

    #[test]
    fn a_long_line_loses_its_middle() {
        let text = render(&Failure::new(format!("a{}b", "é".repeat(100_000))).into());
        assert!(
            text.starts_with("vpython: error: aé")
                && text.ends_with("éb\n")
                && text.contains("é [... 196004 bytes ...] é"),
            "{text}"
        );
        assert_eq!(without_middle(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
    }

    #[test]
    fn a_name_cannot_control_the_terminal() {
        let error = anyhow::anyhow!("no file `a\u{1b}[2J\nb`");
        assert_eq!(
            render(&error),
            "vpython: error: no file `a\\u{1b}[2J\\nb`\n"
        );
    }

    #[test]
    fn a_terminal_gets_no_control_characters_but_those_of_lines_and_tables() {
        let rows: [(&[u8], &str); 4] = [
            (b"/a/\x1b[31m\n\tb\r\n", "/a/\\u{1b}[31m\n\tb\\r\n"),
            (
                "\u{9b}31m\u{7f}\u{fc}".as_bytes(),
                "\\u{9b}31m\\u{7f}\u{fc}",
            ),
            (b"\x9b31m", "\u{fffd}31m"),
            (b"", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(String::from_utf8(for_terminal(text)).unwrap(), expected);
        }
    }

    #[test]
    fn the_exit_code_is_the_kind_of_the_first_failure_in_the_chain() {
        let deep = Err::<(), _>(Failure::new("a").kind(Kind::NotFound))
            .context("b")
            .unwrap_err();
        assert_eq!(exit_code(&deep), 127);
        assert_eq!(
            exit_code(&Failure::new("a").kind(Kind::CannotExecute).into()),
            126
        );
        assert_eq!(exit_code(&anyhow::anyhow!("a")), 125);
    }

    #[test]
    fn only_the_last_lines_of_output_are_shown() {
        let rows: [(&[u8], String); 4] = [
            (b"", String::new()),
            (b"one\n\n", "one".into()),
            (b"1\n2\n  3\r\n\n4\n", "2 / 3 / 4".into()),
            (&[b'x'; 1000], "x".repeat(200) + "..."),
        ];
        for (said, expected) in rows {
            assert_eq!(last_words(said), expected);
        }
    }
}
