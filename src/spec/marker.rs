//! Markers, within limits that the library does not have: it recurses for each parenthesis, takes
//! quadratic time for a long list of alternatives, and exponential time and memory for some that
//! are short.
//!
//! A long marker is split at its `and`s and `or`s. The library reads each comparison, and joins
//! them in pairs instead of one by one. As soon as what is joined has too many cases the marker is
//! refused, since each further step takes time for each of them.

use std::collections::{HashMap, HashSet};

use pep508_rs::{ExtraName, MarkerTree, MarkerTreeKind, MarkerValueExtra, MarkerWarningKind};

use super::requirement::why;

/// How many parentheses may be open at a time. Markers in use have two.
const DEPTH: usize = 64;
/// How many comparisons a marker may have. `uv export` writes up to some forty where a lock is for
/// all platforms.
const COMPARISONS: usize = 500;
/// A marker of so few is left to the library as it is: in the worst case it comes to some hundred
/// cases.
const FEW: usize = 12;
/// How many cases a marker may come to: combinations of values of variables between which it tells.
const CASES: usize = 2000;

/// Reads a marker, which has passed the checks of [`super::requirement`].
///
/// # Errors
/// What is wrong with it, as the rest of a sentence.
pub(super) fn parse(text: &str) -> Result<MarkerTree, String> {
    if check_size(text)? <= FEW {
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

/// Checks that a text, if it is a marker, is one that the library can be given.
///
/// # Errors
/// It is beyond a limit, as the rest of a sentence.
pub(super) fn check(text: &str) -> Result<(), String> {
    let comparisons = check_size(text)?;
    if comparisons > FEW {
        parse(text).map(drop)
    } else {
        Ok(())
    }
}

/// Checks how deep and how long a marker is.
///
/// # Returns
/// How many comparisons it has, at most.
///
/// # Errors
/// It is deeper or longer than it may be, as the rest of a sentence.
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
            // What is not closed is an error of the library's.
            b'\'' | b'"' => {
                at = memchr::memchr(found, &text.as_bytes()[at..])
                    .map_or(text.len(), |end| at + end + 1)
            }
            _ => {
                comparisons +=
                    usize::from(is_word(text, start, "and") || is_word(text, start, "or"))
            }
        }
        if depth > DEPTH {
            return Err(format!("more than {DEPTH} parentheses are open at a time"));
        }
        if comparisons > COMPARISONS {
            return Err(format!("it has more than {COMPARISONS} comparisons"));
        }
    }
    Ok(comparisons)
}

/// A reading of a marker. What the library passes over, with a warning, is none.
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

    /// A comparison, or what stands in parentheses.
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
        let mut is_ignored = false;
        let mut note = |_: MarkerWarningKind, _: String| is_ignored = true;
        let tree = MarkerTree::parse_reporter(text, &mut note).map_err(|error| why(&error))?;
        Ok(Some(tree).filter(|tree| !(is_ignored && tree.is_true())))
    }

    /// The text up to the next `and`, `or` or parenthesis that is not in quotes.
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

    /// What was not read yet, from the next character that is not white space on.
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        &self.text[self.at..]
    }
}

/// Whether this word stands there, as the library takes one: white space or the end is behind it.
fn is_word(text: &str, at: usize, word: &str) -> bool {
    let is_end = |char: char| char.is_whitespace() || matches!(char, '\'' | '"' | ')');
    text[at..]
        .strip_prefix(word)
        .is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
        && text[..at].chars().next_back().is_none_or(is_end)
}

/// Joins markers in pairs, the pairs in pairs, and so on: so each is copied a few times only.
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

/// Makes a marker hold only where another does, too.
///
/// # Errors
/// The two come to more than a marker may, as the rest of a sentence.
pub(super) fn and(one: &mut MarkerTree, other: MarkerTree) -> Result<(), String> {
    one.and(other);
    check_cases(one)
}

fn check_cases(tree: &MarkerTree) -> Result<(), String> {
    if cases(tree, &mut HashMap::new()) <= CASES {
        return Ok(());
    }
    Err(format!(
        "it tells between more than {CASES} cases; split it, or write it more simply"
    ))
}

/// How many ways lead through the tree: the terms that it is written out as are no more, nor is
/// what is done to join it with another.
fn cases(tree: &MarkerTree, known: &mut HashMap<MarkerTree, usize>) -> usize {
    if let Some(cases) = known.get(tree) {
        return *cases;
    }
    let edges = edges(tree);
    if edges.is_empty() {
        return 1;
    }
    let cases = edges
        .iter()
        .fold(0_usize, |sum, edge| sum.saturating_add(cases(edge, known)));
    known.insert(tree.clone(), cases);
    cases
}

/// What the values of the first variable lead to; nothing, where the marker always holds or never.
fn edges(tree: &MarkerTree) -> Vec<MarkerTree> {
    match tree.kind() {
        MarkerTreeKind::True | MarkerTreeKind::False => Vec::new(),
        MarkerTreeKind::Version(node) => node.edges().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::String(node) => node.children().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::In(node) => node.children().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::Contains(node) => node.children().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::Extra(node) => node.children().map(|(_, tree)| tree).collect(),
    }
}

/// The extras that a marker speaks of.
#[must_use]
pub fn extras(tree: &MarkerTree) -> HashSet<ExtraName> {
    let mut extras = HashSet::new();
    let mut seen = HashSet::new();
    let mut open = vec![tree.clone()];
    while let Some(tree) = open.pop() {
        if let MarkerTreeKind::Extra(node) = tree.kind()
            && let MarkerValueExtra::Extra(extra) = node.name()
        {
            extras.insert(extra.clone());
        }
        let edges = edges(&tree);
        if seen.insert(tree) {
            open.extend(edges);
        }
    }
    extras
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comparisons of which none follows from others.
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
                expected.is_ok() && check_size(&text).unwrap() > FEW,
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
    fn the_extras_of_a_marker_are_found() {
        let tree: MarkerTree =
            "extra == 'b' and (os_name == 'x' or extra != 'c') or python_version < '3'"
                .parse()
                .unwrap();
        let found: std::collections::BTreeSet<String> = extras(&tree)
            .into_iter()
            .map(|extra| extra.to_string())
            .collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["b", "c"]);
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
        let cases = "it tells between more than 2000 cases; split it, or write it more simply";
        let rows = [
            (nested(64), Ok(())),
            (
                nested(65),
                Err("more than 64 parentheses are open at a time"),
            ),
            (
                nested(1_000_000),
                Err("more than 64 parentheses are open at a time"),
            ),
            (
                "(".repeat(1_000_000),
                Err("more than 64 parentheses are open at a time"),
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
