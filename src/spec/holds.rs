//! Marker evaluation, by the rules of dependency specifiers as `packaging` 26 applies them.
//!
//! The library compares all strings lexicographically, so that the kernel release `6.1.0-38-amd64`
//! is higher than `20.0`, and `10` is lower than `9`. The specification compares `platform_release`
//! as a version, and a release that is not a version satisfies no comparison. All other strings
//! have no order.

use std::ops::{Bound, RangeBounds};

use pep440_rs::{Version, VersionSpecifier};
use pep508_rs::{
    ExtraName, MarkerEnvironment, MarkerTree, MarkerTreeKind, MarkerValueExtra, MarkerValueString,
};

/// Checks whether a marker holds in an environment with these extras.
#[must_use]
pub fn holds(marker: &MarkerTree, environment: &MarkerEnvironment, extras: &[ExtraName]) -> bool {
    let holds = |tree: MarkerTree| holds(&tree, environment, extras);
    match marker.kind() {
        MarkerTreeKind::True => true,
        MarkerTreeKind::False => false,
        MarkerTreeKind::Version(node) => {
            let version = environment.get_version(node.key());
            node.edges()
                .find(|(range, _)| range.contains(version))
                .is_some_and(|(_, tree)| holds(tree))
        }
        MarkerTreeKind::String(node) => {
            let text = environment.get_string(node.key());
            // The library has one range for each segment; merge the ranges with the same subtree.
            let mut trees: Vec<MarkerTree> = Vec::new();
            let mut sides: Vec<Segments<'_>> = Vec::new();
            for (range, tree) in node.children() {
                let place = trees
                    .iter()
                    .position(|known| *known == tree)
                    .unwrap_or(trees.len());
                if place == trees.len() {
                    trees.push(tree);
                    sides.push(Vec::new());
                }
                sides[place].extend(
                    range
                        .iter()
                        .map(|(start, end)| (start.as_ref(), end.as_ref())),
                );
            }
            match side(
                text,
                &sides,
                *node.key() == MarkerValueString::PlatformRelease,
            ) {
                Some(side) => holds(trees.swap_remove(side)),
                // Neither a comparison nor its opposite holds. Markers have no `not`, so the marker
                // holds only if it holds on every side.
                None => trees.into_iter().all(holds),
            }
        }
        MarkerTreeKind::In(node) => {
            holds(node.edge(node.value().contains(environment.get_string(node.key()))))
        }
        MarkerTreeKind::Contains(node) => {
            holds(node.edge(environment.get_string(node.key()).contains(node.value())))
        }
        MarkerTreeKind::Extra(node) => {
            holds(node.edge(
                matches!(node.name(), MarkerValueExtra::Extra(extra) if extras.contains(extra)),
            ))
        }
    }
}

/// An interval of strings. A pair of bounds is std's type for that.
type Segment<'a> = (Bound<&'a String>, Bound<&'a String>);

/// A range of strings: the union of its intervals.
type Segments<'a> = Vec<Segment<'a>>;

/// Returns the index of the side that a string is on, among the sides that comparisons with it
/// have; `None` if it is on no side.
fn side(text: &str, sides: &[Segments<'_>], is_release: bool) -> Option<usize> {
    let values: Vec<&str> = sides
        .iter()
        .flat_map(|segments| segments.iter())
        .flat_map(values)
        .collect();
    let is_only_equality = sides.iter().all(has_no_order);
    let are_versions = || values.iter().all(|value| specifier("==", value).is_some());
    // `platform_release` compared with versions: compare as versions.
    if is_release && are_versions() {
        let version: Version = text.parse().ok()?;
        let is_in = |segments: &Segments<'_>| {
            segments
                .iter()
                .any(|segment| is_between(&version, *segment))
        };
        let is_all_but_some =
            |segments: &Segments<'_>| is_only_equality && !segments.iter().all(is_point);
        return sides
            .iter()
            .position(|side| is_in(side) && !is_all_but_some(side))
            .or_else(|| sides.iter().position(is_all_but_some));
    }
    // All other strings: equality only. A range has no meaning for a string that is not a bound.
    let is_in = |segments: &Segments<'_>| {
        segments
            .iter()
            .any(|segment| RangeBounds::<String>::contains(segment, &text.to_owned()))
    };
    if is_only_equality || values.contains(&text) {
        sides.iter().position(is_in)
    } else {
        None
    }
}

fn values<'a>((start, end): &Segment<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let value = |bound: Bound<&'a String>| match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(value.as_str()),
        Bound::Unbounded => None,
    };
    [value(*start), value(*end)].into_iter().flatten()
}

/// Checks whether a range consists of single strings, or of everything except single strings.
fn has_no_order(segments: &Segments<'_>) -> bool {
    let is_all = segments
        .first()
        .is_none_or(|first| first.0 == Bound::Unbounded)
        && segments
            .last()
            .is_none_or(|last| last.1 == Bound::Unbounded);
    let is_gap =
        |pair: &[Segment<'_>]| matches!(pair[0].1, Bound::Excluded(_)) && pair[0].1 == pair[1].0;
    segments.iter().all(is_point) || (is_all && segments.windows(2).all(is_gap))
}

fn is_point((start, end): &Segment<'_>) -> bool {
    matches!(start, Bound::Included(_)) && start == end
}

fn is_between(version: &Version, (start, end): Segment<'_>) -> bool {
    if let Bound::Included(only) = start
        && is_point(&(start, end))
    {
        return satisfies(version, "==", only);
    }
    let is_above = match start {
        Bound::Included(value) => satisfies(version, ">=", value),
        Bound::Excluded(value) => satisfies(version, ">", value),
        Bound::Unbounded => true,
    };
    is_above
        && match end {
            Bound::Included(value) => satisfies(version, "<=", value),
            Bound::Excluded(value) => satisfies(version, "<", value),
            Bound::Unbounded => true,
        }
}

fn satisfies(version: &Version, operator: &str, value: &str) -> bool {
    specifier(operator, value).is_some_and(|specifier| specifier.contains(version))
}

fn specifier(operator: &str, value: &str) -> Option<VersionSpecifier> {
    format!("{operator}{value}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::requirement::parse_marker;

    fn environment(release: &str) -> MarkerEnvironment {
        let json = serde_json::json!({
            "implementation_name": "cpython", "implementation_version": "3.11.7", "os_name": "posix", "platform_machine": "x86_64",
            "platform_python_implementation": "CPython", "platform_release": release, "platform_system": "Linux",
            "platform_version": "#1 SMP", "python_full_version": "3.11.7", "python_version": "3.11", "sys_platform": "linux",
        });
        serde_json::from_value(json).unwrap()
    }

    /// The results of `packaging` 26.4, row by row.
    #[test]
    fn markers_hold_where_packaging_says_so() {
        let linux = "6.1.0-38-amd64";
        let rows = [
            (linux, "platform_release >= '20.0'", false),
            (linux, "platform_release < '20.0'", false),
            (linux, "platform_release == '20.0'", false),
            (linux, "platform_release != '20.0'", false),
            (linux, "'20.0' <= platform_release", false),
            (linux, "platform_release >= '20-x-y'", false),
            (linux, "platform_release == '6.1.0-38-amd64'", true),
            (linux, "platform_release != '6.1.0-38-amd64'", false),
            (linux, "platform_release >= '6.1.0-38-amd64'", true),
            (linux, "platform_release > '6.1.0-38-amd64'", false),
            (linux, "'amd64' in platform_release", true),
            (linux, "platform_release != ''", true),
            (
                linux,
                "platform_release >= '20.0' or os_name == 'posix'",
                true,
            ),
            (
                linux,
                "platform_release < '20.0' and os_name == 'posix'",
                false,
            ),
            ("20.6.0", "platform_release >= '20.0'", true),
            ("20.6.0", "platform_release >= '9.0'", true),
            ("20.6.0", "platform_release < '9.0'", false),
            ("20.6.0", "platform_release < '20.0'", false),
            ("20.6.0", "platform_release != '20.0'", true),
            ("20.6.0", "'20.0' <= platform_release", true),
            ("20.6.0", "platform_release == '20.*'", true),
            ("20.6.0", "platform_release != '20.*'", false),
            ("10", "platform_release != '20.*'", true),
            ("20", "platform_release == '20.0'", true),
            ("20", "platform_release != '20.0'", false),
            ("10", "platform_release < '20.0'", true),
            ("10", "platform_release >= '9' and os_name == 'posix'", true),
            ("5.4.188+", "platform_release < '20.0'", false),
            ("6.1.0-38", "platform_release < '20.0'", true),
            ("", "platform_version >= '1'", false),
            ("", "platform_version == '#1 SMP'", true),
            ("", "platform_version > '#0'", false),
            ("", "platform_machine >= 'x'", false),
            ("", "platform_machine >= 'x86_64'", true),
            ("", "platform_machine < 'z'", false),
            (
                "",
                "platform_machine != 'x' and platform_machine != 'y'",
                true,
            ),
            (
                "",
                "platform_machine == 'x' or platform_machine == 'x86_64'",
                true,
            ),
            ("", "sys_platform <= 'linux'", true),
            ("", "'linux' in sys_platform", true),
            ("", "sys_platform not in 'linux darwin'", false),
            ("", "python_version >= '3.8' and extra == 'x'", false),
            ("", "python_version < '3.8'", false),
        ];
        for (release, marker, expected) in rows {
            let tree = parse_marker(marker).unwrap();
            assert_eq!(
                holds(&tree, &environment(release), &[]),
                expected,
                "{marker} of {release:?}"
            );
        }
        let (tree, extra) = (parse_marker("extra == 'x'").unwrap(), "x".parse().unwrap());
        assert!(holds(&tree, &environment(""), &[extra]));
    }
}
