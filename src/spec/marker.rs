//! Marker parsing with limits. The library has none: it recurses for each parenthesis, takes
//! quadratic time for a long list of alternatives, and takes exponential time and memory for some
//! short markers.
//!
//! vpython splits a long marker at its `and`s and `or`s. The library parses each comparison, and
//! vpython joins them in pairs instead of one by one. It rejects the marker as soon as an
//! intermediate result has too many cases, since each further step takes time for each case.

use pep508_rs::{MarkerTree, MarkerWarningKind};

use super::marker_tree::check_cases;
use super::requirement::why;

/// Upper bound for the number of open parentheses. Markers in practice have two.
const MAX_DEPTH: usize = 64;
/// Upper bound for the number of comparisons. `uv export` writes up to about forty in a universal
/// lock file.
const MAX_COMPARISONS: usize = 500;
/// The library parses a marker with at most this many comparisons as a whole: in the worst case it
/// has a few hundred cases.
const SHORT: usize = 12;

/// Parses a marker that has passed the checks of [`super::requirement`].
///
/// # Errors
/// The reason that the marker is not valid, as the rest of a sentence.
pub(super) fn parse(text: &str) -> Result<MarkerTree, String> {
    if check_size(text)? <= SHORT {
        return text.parse().map_err(|error| why(&error));
    }
    let mut parser = Parser { text, at: 0 };
    let tree = parser.any()?;
    match parser.rest().chars().next() {
        Some(other) => Err(format!(
            "Unexpected character '{other}', expected 'and', 'or' or end of input"
        )),
        None => Ok(tree.unwrap_or(MarkerTree::TRUE)),
    }
}

/// Checks that the library can parse a text that may be a marker.
///
/// # Errors
/// The marker exceeds a limit; the error is the rest of a sentence.
pub(super) fn check(text: &str) -> Result<(), String> {
    let comparisons = check_size(text)?;
    if comparisons > SHORT {
        parse(text).map(drop)
    } else {
        Ok(())
    }
}

/// Checks the nesting depth and the length of a marker.
///
/// # Returns
/// An upper bound for the number of its comparisons.
///
/// # Errors
/// The marker exceeds a limit; the error is the rest of a sentence.
fn check_size(text: &str) -> Result<usize, String> {
    let (mut depth, mut comparisons) = (0_usize, 1);
    let mut at = 0;
    while let Some(next) = text[at..].find(['\'', '"', '(', ')', 'a', 'o']) {
        let start = at + next;
        let found = text.as_bytes()[start];
        at = start + 1;
        match found {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            // The library reports an unclosed quote.
            b'\'' | b'"' => {
                at = memchr::memchr(found, &text.as_bytes()[at..])
                    .map_or(text.len(), |end| at + end + 1);
            }
            _ => {
                comparisons +=
                    usize::from(is_word(text, start, "and") || is_word(text, start, "or"));
            }
        }
        if depth > MAX_DEPTH {
            return Err(format!(
                "parentheses are nested more than {MAX_DEPTH} levels deep"
            ));
        }
        if comparisons > MAX_COMPARISONS {
            return Err(format!("it has more than {MAX_COMPARISONS} comparisons"));
        }
    }
    Ok(comparisons)
}

/// A marker parser. A comparison that the library ignores, with a warning, yields `None`.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Option<MarkerTree>, String> {
        self.joined("or", MarkerTree::or, |parser| {
            parser.joined("and", MarkerTree::and, Self::one)
        })
    }

    fn joined(
        &mut self,
        word: &str,
        join: fn(&mut MarkerTree, MarkerTree),
        part: impl Fn(&mut Self) -> Result<Option<MarkerTree>, String>,
    ) -> Result<Option<MarkerTree>, String> {
        let mut parts = Vec::new();
        loop {
            parts.extend(part(self)?);
            if !self.takes(word) {
                return join_all(parts, join);
            }
        }
    }

    /// Parses a comparison, or a marker in parentheses.
    fn one(&mut self) -> Result<Option<MarkerTree>, String> {
        if self.rest().starts_with('(') {
            self.at += 1;
            let tree = self.any()?;
            return match self.rest().chars().next() {
                Some(')') => {
                    self.at += 1;
                    Ok(tree)
                }
                Some(other) => Err(format!("Expected ')', found '{other}'")),
                None => Err("Expected ')', found end of dependency specification".to_owned()),
            };
        }
        let text = self.comparison();
        if text.is_empty() && !self.rest().is_empty() {
            return Err("Expected a quoted string or a valid marker name, found ``".to_owned());
        }
        // The library turns a comparison that it ignores into a marker that always holds.
        let mut is_ignored = false;
        let mut note = |_: MarkerWarningKind, _: String| is_ignored = true;
        let tree = MarkerTree::parse_reporter(text, &mut note).map_err(|error| why(&error))?;
        Ok(Some(tree).filter(|tree| !(is_ignored && tree.is_true())))
    }

    /// Consumes the text up to the next `and`, `or` or parenthesis outside quotes.
    fn comparison(&mut self) -> &'a str {
        let rest = self.rest();
        let mut end = 0;
        while let Some(found) = rest[end..].chars().next() {
            let is_quote = found == '\'' || found == '"';
            if found == ')' || end > 0 && (is_word(rest, end, "and") || is_word(rest, end, "or")) {
                break;
            }
            let after = end + found.len_utf8();
            end = if is_quote {
                rest[after..]
                    .find(found)
                    .map_or(rest.len(), |closing| after + closing + 1)
            } else {
                after
            };
        }
        self.at += end;
        &rest[..end]
    }

    fn takes(&mut self, word: &str) -> bool {
        let takes = self.rest().starts_with(word) && is_word(self.text, self.at, word);
        self.at += if takes { word.len() } else { 0 };
        takes
    }

    /// Returns the unparsed text from the next character that is not white space.
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        &self.text[self.at..]
    }
}

/// Checks whether this keyword is at `at`, by the library's rule: white space or the end follows
/// it.
fn is_word(text: &str, at: usize, word: &str) -> bool {
    let is_end = |char: char| char.is_whitespace() || matches!(char, '\'' | '"' | ')');
    text[at..]
        .strip_prefix(word)
        .is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
        && text[..at].chars().next_back().is_none_or(is_end)
}

/// Joins markers in pairs, the pairs in pairs, and so on, so that each is copied only a few times.
fn join_all(
    mut parts: Vec<MarkerTree>,
    join: fn(&mut MarkerTree, MarkerTree),
) -> Result<Option<MarkerTree>, String> {
    while parts.len() > 1 {
        let mut joined = Vec::with_capacity(parts.len().div_ceil(2));
        let mut rest = parts.into_iter();
        while let Some(mut one) = rest.next() {
            if let Some(other) = rest.next() {
                join(&mut one, other);
                check_cases(&one)?;
            }
            joined.push(one);
        }
        parts = joined;
    }
    Ok(parts.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comparisons that are independent of each other.
    fn many(count: usize, word: &str) -> String {
        let comparison = |number| match number % 4 {
            0 => format!("sys_platform == 'x{number}'"),
            1 => format!("'x{number}' in platform_version"),
            2 => format!("python_version != '3.{number}'"),
            _ => format!("( os_name=='y{number}' )"),
        };
        (0..count)
            .map(comparison)
            .collect::<Vec<_>>()
            .join(&format!(" {word} "))
    }

    #[test]
    fn a_long_marker_is_read_as_the_library_reads_it() {
        let ignored = "python_version == os_name";
        let texts = [
            many(40, "or"),
            many(40, "and"),
            format!(
                "({}) and ({}) or {}",
                many(9, "or"),
                many(5, "and"),
                many(9, "or")
            ),
            format!("{ignored} or {}", many(20, "or")),
            format!("{} and ({ignored} or {ignored})", many(20, "and")),
            [ignored; 30].join(" and "),
            many(30, "or").replace("' ", "'"),
            many(30, "or").replace("sys_platform", "'or and ) (' != os_name and sys_platform"),
        ];
        for text in texts {
            let expected = text.parse::<MarkerTree>().map_err(|error| why(&error));
            assert!(
                expected.is_ok() && check_size(&text).unwrap() > SHORT,
                "{text}"
            );
            assert_eq!(parse(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_marker_that_is_wrong_is_refused_as_the_library_refuses_it() {
        let many = many(20, "or");
        let rows = [
            format!("{many} or"),
            format!("{many} or )"),
            format!("{many} )"),
            format!("({many}"),
            format!("{many} x"),
            format!("{many} or os_name == 'a' x"),
            format!("{many} or os_name == 'a"),
            format!("{many} or os_name"),
            format!("{many} or os_name == os_nameor os_name == 'a'"),
            format!("{many} or(os_name == 'a')"),
        ];
        for text in rows {
            let expected = text
                .parse::<MarkerTree>()
                .map(drop)
                .map_err(|error| why(&error));
            assert!(expected.is_err(), "{text}");
            assert_eq!(parse(&text).map(drop), expected, "{text}");
        }
    }

    #[test]
    fn a_marker_has_limits() {
        let nested = |depth| format!("{}os_name == '('{}", "(".repeat(depth), ")".repeat(depth));
        let pair = |number| format!("('a{number}' in os_name or 'b{number}' in sys_platform)");
        let pairs = |count| (0..count).map(pair).collect::<Vec<_>>().join(" and ");
        let same = |count| {
            (0..count)
                .map(|n| format!("os_name == '{n}'"))
                .collect::<Vec<_>>()
                .join(" or ")
        };
        let cases = "it distinguishes more than 2000 cases; split or simplify it";
        let rows = [
            (nested(64), Ok(())),
            (
                nested(65),
                Err("parentheses are nested more than 64 levels deep"),
            ),
            (
                nested(1_000_000),
                Err("parentheses are nested more than 64 levels deep"),
            ),
            (
                "(".repeat(1_000_000),
                Err("parentheses are nested more than 64 levels deep"),
            ),
            (same(500), Ok(())),
            (same(501), Err("it has more than 500 comparisons")),
            (pairs(6), Ok(())),
            (pairs(40), Err(cases)),
            (pairs(240), Err(cases)),
            (
                same(200).replace(" or os_name == '100'", ") and (os_name == 'a'"),
                Err("Unexpected character ')', expected 'and', 'or' or end of input"),
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(
                parse(&text).map(drop),
                expected.map_err(str::to_owned),
                "{}",
                &text[..text.len().min(200)]
            );
        }
    }
}
