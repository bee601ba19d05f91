//! Markers in lock files, which may test extras and dependency groups in addition to the usual
//! variables:
//! <https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers>.
//!
//! vpython installs no extras, and the lock file's own default groups. So the value of a comparison
//! such as `'dev' in dependency_groups` is known in advance, and vpython replaces it by a constant
//! for the library, which does not know the two variables.

use pep508_rs::MarkerTree;

use crate::spec::requirement::parse_marker;

/// Comparisons that are always false and always true.
const CONSTANTS: [&str; 2] = [
    "(os_name == '' and os_name != '')",
    "(os_name == '' or os_name != '')",
];

/// Parses a marker of a lock file with these default groups. The error is the rest of a sentence.
pub(super) fn parse(text: &str, default_groups: &[String]) -> Result<MarkerTree, String> {
    parse_marker(&substitute(text, default_groups))
        .map_err(|why| format!("`{text}` is not a valid marker: {why}"))
}

/// Replaces each comparison with `extras` or `dependency_groups` by a constant one with the same
/// value.
fn substitute(text: &str, default_groups: &[String]) -> String {
    let words = words(text);
    let mut substituted = Vec::new();
    let mut rest = &words[..];
    while !rest.is_empty() {
        // The library does not know these variables of PEP 751, so the comparison gives way to its
        // value.
        let outcome = match rest {
            [value, "not", "in", variable, ..] => {
                contains(value, variable, default_groups).map(|found| (!found, 4))
            }
            [value, "in", variable, ..] => {
                contains(value, variable, default_groups).map(|found| (found, 3))
            }
            _ => None,
        };
        let (word, length) = match outcome {
            Some((truth, length)) => (CONSTANTS[usize::from(truth)], length),
            None => (rest[0], 1),
        };
        substituted.push(word);
        rest = &rest[length..];
    }
    substituted.join(" ")
}

/// Checks whether one of the two variables contains a value; `None` for any other variable.
fn contains(value: &str, variable: &str, default_groups: &[String]) -> Option<bool> {
    let normal = |name: &str| name.parse::<pep508_rs::ExtraName>().ok();
    let value = value
        .strip_prefix(['\'', '"'])
        .map(|value| &value[..value.len().saturating_sub(1)])?;
    match variable {
        "extras" => Some(false),
        "dependency_groups" => Some(
            default_groups
                .iter()
                .any(|group| normal(group) == normal(value)),
        ),
        _ => None,
    }
}

/// Splits a marker into tokens: quoted strings, parentheses, and words between white space.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |close| close + 2),
            '(' | ')' => 1,
            _ => rest
                .find(|next: char| next.is_whitespace() || "()'\"".contains(next))
                .unwrap_or(rest.len()),
        };
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_extras_are_substituted() {
        let [lie, truth] = CONSTANTS;
        let rows = [
            ("'dev' in dependency_groups", lie.to_owned()),
            ("\"Main_group\" in dependency_groups", truth.to_owned()),
            ("'main-group' not in dependency_groups", lie.to_owned()),
            ("'socks' in extras", lie.to_owned()),
            ("'socks' not in extras", truth.to_owned()),
            (
                "('x' in extras or 'main-group' in dependency_groups)and os_name == 'a in b'",
                format!("( {lie} or {truth} ) and os_name == 'a in b'"),
            ),
            (
                "'linux' in sys_platform",
                "'linux' in sys_platform".to_owned(),
            ),
            ("sys_platform=='win32'", "sys_platform== 'win32'".to_owned()),
        ];
        for (marker, expected) in rows {
            assert_eq!(
                substitute(marker, &["main-group".to_owned()]),
                expected,
                "{marker}"
            );
        }
    }

    #[test]
    fn a_marker_is_read_or_refused() {
        assert_eq!(
            parse("'dev' not in dependency_groups", &[]),
            Ok(MarkerTree::TRUE)
        );
        assert!(
            parse("sys_platform == 'linux' and 'x' in extras", &[])
                .unwrap()
                .is_false()
        );
        let error = parse("linux", &[]).unwrap_err();
        assert!(
            error.starts_with("`linux` is not a valid marker: "),
            "{error}"
        );
        assert!(parse("'dev", &[]).is_err() && parse("'", &[]).is_err());
    }
}
