//! Parsing of requirements and markers, in the grammar of dependency specifiers:
//! <https://packaging.python.org/en/latest/specifications/dependency-specifiers/#grammar>.
//!
//! The library panics on some invalid texts. vpython checks for these first, so that invalid input
//! is an error with a location and never a crash.

use std::borrow::Cow;

use pep440_rs::Version;
use pep508_rs::{ExtraName, MarkerTree, PackageName, Pep508Error};

use super::{Requirement, marker};

/// The marker variables that are versions.
const VERSIONS: [&str; 3] = [
    "python_version",
    "python_full_version",
    "implementation_version",
];

/// The length of a text from which vpython parses the extras itself.
const LONG: usize = 1000;

/// Parses a requirement. Like `packaging`, it accepts a comma after the last version.
///
/// # Errors
/// The reason that the text is not valid, as the rest of a sentence.
pub fn parse_requirement(text: &str) -> Result<Requirement, String> {
    let (asked, marker) = text.split_at(text.find(';').unwrap_or(text.len()));
    let bare = asked.trim_end();
    let (bare, end) = bare
        .strip_suffix(')')
        .map_or((bare, ""), |bare| (bare.trim_end(), ")"));
    parse(text).or_else(|why| match bare.strip_suffix(',') {
        Some(bare) if bare.ends_with(|last: char| last != ',') => {
            parse(&[bare, end, marker].concat()).map_err(|_| why)
        }
        _ => Err(why),
    })
}

fn parse(text: &str) -> Result<Requirement, String> {
    check_name(text)?;
    let Some((asked, marker)) = text.split_once(';') else {
        check_extras(text)?;
        return parse_without_marker(text);
    };
    check_extras(asked)?;
    check_marker(marker)?;
    if asked.contains('@') {
        return parse_with_url(asked, marker);
    }
    // Parse the marker separately: the library would parse it without limits.
    let requirement = parse_without_marker(asked)?;
    Ok(Requirement {
        marker: parse_marker(marker)?,
        ..requirement
    })
}

/// Parses a requirement without a marker.
fn parse_without_marker(asked: &str) -> Result<Requirement, String> {
    parse_with_extras(asked)
        .map_or_else(|| asked.parse(), Ok)
        .map_err(|error| why(&error))
}

/// Parses a requirement with many extras, since the library copies the whole text for each of them.
/// Returns `None` for a short text, and for one that is not valid.
fn parse_with_extras(asked: &str) -> Option<Requirement> {
    if asked.len() < LONG {
        return None;
    }
    let (name, rest) = asked.split_once('[')?;
    let (extras, rest) = rest.split_once(']')?;
    let name: PackageName = name.trim().parse().ok()?;
    // The parser of a single name accepts an empty one.
    let extras = extras.split(',').map(str::trim);
    let extras = extras.map(|extra| extra.parse().ok().filter(|_| !extra.is_empty()));
    let extras: Vec<ExtraName> = extras.collect::<Option<_>>()?;
    if rest.trim_start().starts_with('[') {
        return None;
    }
    let requirement: Requirement = format!("{name} {rest}").parse().ok()?;
    Some(Requirement {
        extras,
        ..requirement
    })
}

/// Parses a requirement with a URL. A URL ends at a `;` only next to white space, and only the
/// library knows where. So the library parses the marker too, after vpython has checked it against
/// the limits.
fn parse_with_url(asked: &str, marker: &str) -> Result<Requirement, String> {
    let marker = with_spaces_for_commas(marker);
    marker::check(&marker)?;
    if let Cow::Owned(plain) = plain(&marker) {
        format!("{asked};{plain}")
            .parse::<Requirement>()
            .map_err(|error| why(&error))?;
    }
    format!("{asked};{marker}")
        .parse()
        .map_err(|error| why(&error))
}

/// Parses a marker.
///
/// # Errors
/// The reason that the text is not valid, as the rest of a sentence.
pub fn parse_marker(text: &str) -> Result<MarkerTree, String> {
    check_marker(text)?;
    let text = &with_spaces_for_commas(text);
    if let Cow::Owned(plain) = plain(text) {
        marker::parse(&plain)?;
    }
    marker::parse(text)
}

/// Returns the library's message without the excerpt that points at the location.
pub(super) fn why(error: &Pep508Error) -> String {
    error
        .message
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Checks that the name ends with a letter or digit; the library checks that only at the end of the
/// text.
fn check_name(text: &str) -> Result<(), String> {
    check_end("Package", text.trim_start())
}

/// Checks that each extra ends with a letter or digit, too.
fn check_extras(asked: &str) -> Result<(), String> {
    let Some((_, after)) = asked.split_once('[') else {
        return Ok(());
    };
    let extras = after.split(']').next().unwrap_or_default();
    extras
        .split(',')
        .try_for_each(|extra| check_end("Extra", extra.trim_start()))
}

fn check_end(what: &str, text: &str) -> Result<(), String> {
    let is_inside = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let name = &text[..text.find(|char| !is_inside(char)).unwrap_or(text.len())];
    match name
        .chars()
        .next_back()
        .filter(|last| !last.is_ascii_alphanumeric())
    {
        Some(last) if name.starts_with(|first: char| first.is_ascii_alphanumeric()) => Err(
            format!("{what} name must end with an alphanumeric character, not '{last}'"),
        ),
        _ => Ok(()),
    }
}

/// Checks for comparisons such as `'1' ~= os_name`, with an operand that is not a version.
fn check_marker(marker: &str) -> Result<(), String> {
    let mut rest = marker;
    while let Some(at) = rest.find(['\'', '"', '~']) {
        let after = &rest[at + 1..];
        rest = match after
            .strip_prefix('=')
            .filter(|_| rest[at..].starts_with('~'))
        {
            Some(operand) => {
                check_compatible(operand.trim_start())?;
                operand
            }
            None if rest[at..].starts_with('~') => after,
            None => after
                .split_once(&rest[at..=at])
                .map_or("", |(_, after)| after),
        };
    }
    Ok(())
}

fn check_compatible(operand: &str) -> Result<(), String> {
    let variable = operand
        .split(|char: char| !char.is_ascii_alphanumeric() && !"._".contains(char))
        .next()
        .unwrap_or_default();
    if variable.is_empty() || VERSIONS.contains(&variable) {
        return Ok(());
    }
    Err(format!(
        "`~=` compares versions, but `{variable}` is not a version"
    ))
}

/// Rewrites lists of versions to the library's syntax: it ignores `python_version in '3.8, 3.9'`,
/// which is a substring test in the specification, and would evaluate it to true.
fn with_spaces_for_commas(marker: &str) -> Cow<'_, str> {
    if !marker.contains(',') {
        return marker.into();
    }
    let mut spaced = String::new();
    let mut rest = marker;
    while let Some(open) = rest.find(['\'', '"']) {
        let (before, quoted) = rest.split_at(open);
        // The parser will report the missing quotation mark.
        let Some((text, after)) = quoted[1..].split_once(&quoted[..1]) else {
            break;
        };
        let text = if is_list(before, text) {
            text.replace(',', " ").into()
        } else {
            Cow::Borrowed(text)
        };
        spaced += &[before, &quoted[..1], &text, &quoted[..1]].concat();
        rest = after;
    }
    (spaced + rest).into()
}

/// Checks whether a text is a list of versions, judged by the text before it.
fn is_list(before: &str, text: &str) -> bool {
    let variable = before
        .trim_end()
        .strip_suffix("in")
        .map(|before| before.trim_end().trim_end_matches("not").trim_end());
    let is_of_versions =
        variable.is_some_and(|before| VERSIONS.iter().any(|version| before.ends_with(version)));
    is_of_versions
        && text
            .split([',', ' '])
            .all(|one| one.is_empty() || one.parse::<Version>().is_ok())
}

/// Replaces each character that is not ASCII by `?`. The library slices a text inside such a
/// character when it looks for an `and` and finds something else. `?` has no meaning outside
/// quotes, so the original is well-formed exactly if the copy is.
fn plain(marker: &str) -> Cow<'_, str> {
    if marker.is_ascii() {
        return marker.into();
    }
    marker
        .chars()
        .map(|char| if char.is_ascii() { char } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_make_the_library_panic_are_errors() {
        let rows = [
            (
                "one_==1",
                "Package name must end with an alphanumeric character, not '_'",
            ),
            (
                " one. ; os_name == 'x'",
                "Package name must end with an alphanumeric character, not '.'",
            ),
            (
                "one-",
                "Package name must end with an alphanumeric character, not '-'",
            ),
            (
                "one[x-]",
                "Extra name must end with an alphanumeric character, not '-'",
            ),
            (
                "one[x, y_ ]",
                "Extra name must end with an alphanumeric character, not '_'",
            ),
            (
                "one[x-",
                "Extra name must end with an alphanumeric character, not '-'",
            ),
            (
                "one; '3' ~= platform_release",
                "`~=` compares versions, but `platform_release` is not a version",
            ),
            (
                "one; '~=' == os_name and '1'~=os.name",
                "`~=` compares versions, but `os.name` is not a version",
            ),
            (
                "one; os_name == 'x' é",
                "Unexpected character '?', expected 'and', 'or' or end of input",
            ),
            (
                "one; os_name == 'x' 'é é'",
                "Unexpected character ''', expected 'and', 'or' or end of input",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_requirement(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn many_extras_are_parsed_like_few() {
        let extras: Vec<String> = (0..300).map(|number| format!("X_{number}")).collect();
        for (before, after) in [
            ("one [ ", " ] >=1,<2"),
            ("one[", "] (>=1) ; os_name == 'x'"),
            ("one[", "]"),
            ("one[", "] @ https://x.invalid/one.zip"),
            ("one[", "][two]"),
            ("one[", "]two"),
            ("one[", ",]"),
            ("one[x@,", "]"),
        ] {
            let long = parse_requirement(&[before, &extras.join(" ,"), after].concat());
            let short = parse_requirement(&[before, "X_0", after].concat());
            match (long, short) {
                (Ok(long), Ok(short)) => {
                    let names = (0..300).map(|number| format!("x-{number}").parse().unwrap());
                    assert_eq!(long.extras, names.collect::<Vec<_>>(), "{before}{after}");
                    let extras = short.extras.clone();
                    assert_eq!(Requirement { extras, ..long }, short, "{before}{after}");
                }
                (long, short) => assert_eq!(long.is_ok(), short.is_ok(), "{before}{after}"),
            }
        }
    }

    #[test]
    fn valid_texts_are_parsed() {
        let rows = [
            ("one-1_x.y", "one-1-x-y"),
            ("one>=1,<2, ; os_name == 'x'", "one>=1,<2 ; os_name == 'x'"),
            ("one (>=1,)", "one>=1"),
            ("one[x-1,Y]~=v1.0", "one[x-1,y]~=1.0"),
            (
                "one; '3.9' ~= python_version",
                "one ; python_full_version >= '3.9' and python_full_version < '4'",
            ),
            (
                "one; python_version in '3.8, 3.9'",
                "one ; python_full_version >= '3.8' and python_full_version < '3.10'",
            ),
            (
                "one; python_version not in\"3.8,\" and os_name == 'a,b'",
                "one ; python_full_version != '3.8.*' and os_name == 'a,b'",
            ),
            ("one; os_name != '~=é'", "one ; os_name != '~=é'"),
            (
                "one; os_name == 'é' or os_name == '\"'",
                "one ; os_name == '\"' or os_name == 'é'",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(
                parse_requirement(text)
                    .map(|read| read.to_string())
                    .as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }
}
