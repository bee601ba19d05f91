//! The lenient parser of version ranges that tools wrote before PEP 440 and PEP 508.
//!
//! A range with only one possible meaning is repaired, as uv does. A text is repaired only if the
//! library cannot parse it as it is.

use pep440_rs::{VersionSpecifier, VersionSpecifiers};

use crate::spec::{Requirement, parse_requirement};

/// Parses a version range; `None` if its meaning is ambiguous.
pub fn read_specifiers(text: &str) -> Option<VersionSpecifiers> {
    text.parse().ok().or_else(|| repair(text))
}

/// Parses a line of `Requires-Dist`; `None` if its meaning is ambiguous.
pub fn read_requirement(line: &str) -> Option<Requirement> {
    parse_requirement(line).ok().or_else(|| {
        let (asked, marker) = line.split_at(line.find(';').unwrap_or(line.len()));
        let (project, range) =
            asked.split_at(asked.find(|char: char| "<>=!~('\",".contains(char) || char == '@')?);
        let extras_end = asked.find('[').map(|_| asked.find(']')).unwrap_or_default();
        let (project, range) = extras_end.map_or((project, range), |end| asked.split_at(end + 1));
        parse_requirement(&format!("{project}{}{marker}", repair(range)?)).ok()
    })
}

/// Repairs a range: removes stray quotes, commas and brackets, and repairs each specifier.
fn repair(text: &str) -> Option<VersionSpecifiers> {
    let text = text.replace(['\'', '"'], "");
    let text = text.trim();
    let mut rest = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
        .unwrap_or(text);
    let mut specifiers = Vec::new();
    loop {
        rest = rest.trim_start_matches(|char: char| char == ',' || char.is_whitespace());
        if rest.is_empty() {
            return Some(specifiers.into_iter().collect());
        }
        // An operator, and a version up to the next separator or operator.
        let (operator, following) = rest.split_at(rest.find(|char| !is_of_operator(char))?);
        let following = following.trim_start();
        let end = following
            .find(|char: char| char == ',' || char.is_whitespace() || is_of_operator(char));
        let (version, following) = following.split_at(end.unwrap_or(following.len()));
        specifiers.push(repair_specifier(operator, version)?);
        rest = following;
    }
}

fn is_of_operator(char: char) -> bool {
    matches!(char, '<' | '>' | '=' | '!' | '~')
}

/// Repairs one specifier: `!=3.0*` is `!=3.0.*`, `>=3.6.*` is `>=3.6`, `!=~5.0` is `!=5.0.*`,
/// `>dev` is `>0.0.0dev`, `>=9.0a1.0` is `>=9.0a1`.
fn repair_specifier(operator: &str, version: &str) -> Option<VersionSpecifier> {
    let stem = version
        .strip_suffix('*')
        .map(|stem| stem.strip_suffix('.').unwrap_or(stem));
    let read = |operator: &str, version: &str| format!("{operator}{version}").parse().ok();
    match (operator, stem) {
        ("<" | "<=" | ">" | ">=", Some(stem)) => read(operator, stem),
        ("==" | "!=", Some(stem)) => read(operator, &format!("{stem}.*")),
        ("!=~", _) => read("!=", &format!("{}.*", stem.unwrap_or(version))),
        (">" | ">=", None) if version == "dev" => read(operator, "0.0.0dev"),
        _ => read(operator, version).or_else(|| read(operator, version.strip_suffix(".0")?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unambiguous_ranges_are_repaired() {
        let rows = [
            (">=3.6", Some(">=3.6")),
            (">=3.6.*", Some(">=3.6")),
            (">=3.6*", Some(">=3.6")),
            (">3.5.*", Some(">3.5")),
            ("<=3.9.*, <4.*", Some("<=3.9, <4")),
            ("!=3.0*", Some("!=3.0.*")),
            ("==3*", Some("==3.*")),
            (">= 2.7, !=3.0.*,", Some(">=2.7, !=3.0.*")),
            (
                ">=2.7,!=3.0*,!=3.1*,!=3.2*",
                Some(">=2.7, !=3.0.*, !=3.1.*, !=3.2.*"),
            ),
            (">=3.6,", Some(">=3.6")),
            (">=3.6, , <4", Some(">=3.6, <4")),
            (">=2.3.0<2.4.0", Some(">=2.3.0, <2.4.0")),
            (">=2.3.0 <2.4.0", Some(">=2.3.0, <2.4.0")),
            (">='3.6'", Some(">=3.6")),
            ("\">=3.6\"", Some(">=3.6")),
            (">= 2.7'", Some(">=2.7")),
            ("(>2.0)", Some(">2.0")),
            ("!=~5.0,>=4.12", Some("!=5.0.*, >=4.12")),
            (">dev", Some(">0.0.0.dev0")),
            (">=9.0.0a1.0", Some(">=9.0.0a1")),
            ("", Some("")),
            ("~=3.6.*", None),
            ("3.6", None),
            ("=>3.6", None),
            (">=", None),
            (">=3.6)", None),
            (">=three", None),
        ];
        for (text, expected) in rows {
            assert_eq!(
                read_specifiers(text),
                expected.map(|range| range.parse().unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn unambiguous_requirements_are_repaired() {
        let rows = [
            ("foo>=1,", Some("foo>=1")),
            ("foo (>=1,<2,)", Some("foo>=1,<2")),
            (
                "foo>=1, ; python_version >= '3'",
                Some("foo>=1 ; python_full_version >= '3'"),
            ),
            ("foo>=1,,<2", Some("foo>=1,<2")),
            ("foo>=4.0.*; extra == 'x'", Some("foo>=4.0 ; extra == 'x'")),
            ("foo[a,b]>=2.3.0<2.4.0", Some("foo[a,b]>=2.3.0,<2.4.0")),
            ("foo [a] (!=3.0*)", Some("foo[a]!=3.0.*")),
            ("foo>='1'", Some("foo>=1")),
            ("foo (>2.0)", Some("foo>2.0")),
            ("foo >= ", None),
            ("foo (2.0)", None),
            ("one_>1", None),
            ("foo[a>=1", None),
            ("foo @ nowhere", None),
        ];
        for (line, expected) in rows {
            assert_eq!(
                read_requirement(line)
                    .map(|found| found.to_string())
                    .as_deref(),
                expected,
                "{line}"
            );
        }
    }

    /// The forms of requirements in wheels on PyPI: 373 of all kinds, and the 300 most downloaded
    /// pure ones.
    #[test]
    fn requirements_in_the_forms_of_real_wheels_are_read() {
        #[rustfmt::skip]
        let wanted = [
            "n", "n-n", "n_n", "n.n", "n[e]", "n[e,f]", "n[e, f]", "n>=1", "n >=1", "n >= 1", "n~=1.1", "n!=1.1", "n<=1", "n==1.*",
            "n!=1.1.*,>=1", "n (>=1)", "n (==1.*)", "n (==1.1+cu1)", "n (>=1.0a1)", "n (<2,>=1)", "n >= 1, < 2", "n >=1,<2", "n>=1.1.post1",
            "n>=1-1", "n >=1rc1", "n<2dev,>=1", "n[e]<3.0a.2,>=1", "n<1.0a.1", "n>=1.dev0", "n==v1", "n==0.66b2", "n!=1a1,!=1a2,>=1", "n!=1,!=1.post1,!=2", "n[e]>=1", "n[e] >=1", "n[e] (>=1)", "n!=1.1,!=1.2,<2,>=1", "n!=1.1,!=1.2,!=1.3,!=1.4,!=1.5,<3,>=1",
        ];
        #[rustfmt::skip]
        let markers = [
            "", "; extra == \"x\"", "; extra == 'x'", " ; extra == \"x\"", " ; extra == 'x-y-z'", "; os_name != 'x'", " ; sys_platform==\"x\"",
            ";python_version>='1.1'", " ; python_version<\"1.1\"", "; python_full_version < '1.1.1'", "; platform_system == \"x\"",
            "; implementation_name == 'x'", " ; platform_python_implementation != 'x'", "; extra == \"x\" or extra == \"y\"",
            " ; (os_name == \"x\") and extra == 'x'", "; python_version <= \"1\" and extra == \"x\"", " ; extra == \"x\" and ( python_version < '1')",
            "; platform_machine != \"x\" and platform_machine != \"y\"", " ; python_version > \"1\" and python_version < \"2\"",
            "; (sys_platform == \"x\" or sys_platform == \"y\") and extra == \"x\"",
            ";python_version>='1'", "; python_version == \"1\" and extra == \"x\"", "; sys_platform != \"x\" and sys_platform != \"y\"",
            " ; (python_version>='1') and extra == 'x'", "  ; extra == \"x\" and ( python_version>='1' and python_version<'2')",
            "; (platform_machine == \"x\" or platform_machine == \"y\" or platform_machine == \"z\") and extra == \"e\"",
            "; (platform_python_implementation == \"x\" and python_version < \"2\" and sys_platform != \"y\") and extra == \"e\"",
            "; ((os_name != \"x\" or python_version >= \"1\") and platform_python_implementation != \"x\") and extra == \"x\"",
            "; (sys_platform != 'x' and (sys_platform != 'y' and platform_python_implementation != 'x')) and extra == 'x'",
        ];
        for wanted in wanted {
            for marker in markers {
                assert!(
                    read_requirement(&format!("{wanted}{marker}")).is_some(),
                    "{wanted}{marker}"
                );
            }
        }
        let ranges = [
            ">=2",
            ">=2.6",
            ">= 3.10",
            "!=3.14.1,>=3.12",
            "<4.0.0,>=3.10.0",
            ">=2.7, !=3.0.*, !=3.1.*, <3.7",
            "!=3.0.*,!=3.1.*,<4,>=2.7",
            ">=3.6.*",
            "~=3.5",
            ">=3.6.3,<4.0.0",
        ];
        assert!(ranges.iter().all(|range| read_specifiers(range).is_some()));
    }
}
