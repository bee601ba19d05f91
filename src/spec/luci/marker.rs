//! The environment marker (PEP 508) for a listed wheel.
//!
//! Tags are more precise than markers: a marker tests the system, the machine and the Python
//! version, but not the C library, the macOS version, or the build of Python. The result is the
//! nearest marker; callers must compare both on the relevant interpreters.

use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::MarkerTree;

use super::platform_marker::{of_cipd_platform, of_machine, of_platform, of_system};
use crate::spec::{Condition, ListedWheel, TagPattern, Variable};

/// More than the number of patch releases of any minor version of CPython.
const MICROS: u64 = 40;

/// Returns the marker of a wheel in a spec for these Python versions; [`MarkerTree::TRUE`] if the
/// wheel is required everywhere. The error names the part that has no marker, as a sentence. A tag
/// that no interpreter of these versions can have never matches, regardless of its other parts.
pub(super) fn of(
    wheel: &ListedWheel,
    python: Option<&VersionSpecifiers>,
) -> Result<MarkerTree, String> {
    let of_pattern = |pattern: &TagPattern| {
        let is_possible = pattern
            .abi
            .as_deref()
            .and_then(abi_version)
            .is_none_or(|version| can_be(version, python));
        if is_possible {
            of_pattern(pattern)
        } else {
            Ok(MarkerTree::FALSE)
        }
    };
    // The conditions and one of the tags must hold, and none of the excluded tags.
    let mut marker = MarkerTree::TRUE;
    for condition in &wheel.conditions {
        marker.and(any(condition
            .values
            .iter()
            .map(|value| of_value(condition, value)))?);
    }
    if !wheel.match_tags.is_empty() {
        marker.and(any(wheel.match_tags.iter().map(of_pattern))?);
    }
    for pattern in &wheel.not_match_tags {
        marker.and(of_pattern(pattern)?.negate());
    }
    Ok(marker)
}

fn any(markers: impl Iterator<Item = Result<MarkerTree, String>>) -> Result<MarkerTree, String> {
    let mut joined = MarkerTree::FALSE;
    for marker in markers {
        joined.or(marker?);
    }
    Ok(joined)
}

/// Returns the marker for interpreters with a tag that matches the pattern.
fn of_pattern(pattern: &TagPattern) -> Result<MarkerTree, String> {
    let TagPattern {
        python,
        abi,
        platform,
    } = pattern;
    if python.is_none() && abi.is_none() && platform.is_none() {
        return Ok(MarkerTree::FALSE);
    }
    let mut marker = of_python_and_abi(python.as_deref(), abi.as_deref())?;
    if let Some(platform) = platform {
        marker.and(of_platform(platform)?);
    }
    Ok(marker)
}

/// Returns the marker for the Python and ABI parts of a tag. Newer interpreters also have the tags
/// `py38` and `cp38-abi3` of older ones, but `cp38` with any other ABI applies only to 3.8.
fn of_python_and_abi(python: Option<&str>, abi: Option<&str>) -> Result<MarkerTree, String> {
    // `none` and `abi3` restrict nothing; any other ABI belongs to a single version.
    let of_abi = match abi {
        None | Some("none" | "abi3") => MarkerTree::TRUE,
        Some(abi) => exactly(
            abi_version(abi).ok_or_else(|| format!("the ABI `{abi}` has no equivalent marker"))?,
        ),
    };
    let Some(python) = python else {
        return Ok(of_abi);
    };
    // The Python part: `cp3x` is exact except with `abi3`, and `py3x` is a minimum.
    let mut marker = match (
        cpython_minor(python),
        python.strip_prefix("py3").map(str::parse),
    ) {
        (Some(minor), _) if matches!(abi, None | Some("abi3")) => at_least(minor),
        (Some(minor), _) => exactly(PythonMinor { major: 3, minor }),
        (None, Some(Ok(minor))) => at_least(minor),
        (None, Some(Err(_))) if python == "py3" => MarkerTree::TRUE,
        _ if python.starts_with("py2") || python.starts_with("cp2") => MarkerTree::FALSE,
        _ => {
            return Err(format!(
                "the Python tag `{python}` has no equivalent marker"
            ));
        }
    };
    marker.and(of_abi);
    Ok(marker)
}

/// A minor version of CPython, as `3.8`.
#[derive(Clone, Copy)]
struct PythonMinor {
    major: u32,
    minor: u32,
}

/// Returns the minor version in a tag such as `cp38` or `cp37m`.
fn cpython_minor(text: &str) -> Option<u32> {
    text.strip_prefix("cp3")?
        .trim_end_matches(['m', 'd', 't', 'u'])
        .parse()
        .ok()
}

/// Returns the only CPython version with an ABI such as `cp38`, `cp37m` or `cp27mu`.
fn abi_version(abi: &str) -> Option<PythonMinor> {
    let digits = abi
        .strip_prefix("cp")?
        .trim_end_matches(['m', 'd', 't', 'u']);
    let (major, minor) = digits.split_at_checked(1)?;
    Some(PythonMinor {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

/// Checks whether a spec for these versions may get an interpreter of this version. A spec that
/// names no version gets a Python 3.
fn can_be(version: PythonMinor, python: Option<&VersionSpecifiers>) -> bool {
    let PythonMinor { major, minor } = version;
    let is_within = |micro: u64| Version::new([major.into(), minor.into(), micro]);
    python.map_or(major >= 3, |range| {
        (0..MICROS).any(|micro| range.contains(&is_within(micro)))
    })
}

fn exactly(version: PythonMinor) -> MarkerTree {
    let PythonMinor { major, minor } = version;
    marker(&format!("python_version == '{major}.{minor}'"))
}

fn at_least(minor: u32) -> MarkerTree {
    marker(&format!("python_version >= '3.{minor}'"))
}

/// Returns the marker for a value of a variable in a wheel's name.
fn of_value(condition: &Condition, value: &str) -> Result<MarkerTree, String> {
    let unknown = || format!("`{value}` in the wheel's name has no equivalent marker");
    match condition.variable {
        Variable::Os => of_system(value).ok_or_else(unknown),
        Variable::Arch => of_machine(value).ok_or_else(unknown),
        Variable::Platform => of_cipd_platform(value).ok_or_else(unknown),
        Variable::Python | Variable::Abi => cpython_minor(value)
            .map(|minor| exactly(PythonMinor { major: 3, minor }))
            .ok_or_else(unknown),
        Variable::TagPlatform => of_platform(value),
        // Combined variables: split them, and require all parts.
        Variable::Tag => {
            let mut parts = value.splitn(3, '-').map(str::to_owned);
            of_pattern(&TagPattern {
                python: parts.next(),
                abi: parts.next(),
                platform: parts.next(),
            })
        }
        Variable::VpythonPlatform => {
            let (platform, rest) = value.split_once('_').ok_or_else(unknown)?;
            let (python, abi) = rest.split_once('_').ok_or_else(unknown)?;
            let mut marker = of_cipd_platform(platform).ok_or_else(unknown)?;
            marker.and(of_python_and_abi(Some(python), Some(abi))?);
            Ok(marker)
        }
    }
}

/// Parses a marker from this module.
pub(super) fn marker(text: &str) -> MarkerTree {
    // The tables above contain only valid names and numbers.
    text.parse().unwrap_or(MarkerTree::FALSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> TagPattern {
        let mut parts = text
            .split('-')
            .map(|part| (part != "*").then(|| part.to_owned()));
        TagPattern {
            python: parts.next().unwrap_or_default(),
            abi: parts.next().unwrap_or_default(),
            platform: parts.next().unwrap_or_default(),
        }
    }

    fn wheel(match_tags: &[&str], not_match_tags: &[&str]) -> ListedWheel {
        ListedWheel {
            name: "infra/python/wheels/x-py3".into(),
            version: "version:1".into(),
            project: "x".parse().unwrap(),
            wanted: "1".parse().unwrap(),
            conditions: Vec::new(),
            match_tags: match_tags.iter().map(|text| pattern(text)).collect(),
            not_match_tags: not_match_tags.iter().map(|text| pattern(text)).collect(),
        }
    }

    fn shown(marker: Result<MarkerTree, String>) -> String {
        match marker {
            Ok(marker) => marker
                .try_to_string()
                .unwrap_or_else(|| "everywhere".into()),
            Err(why) => why,
        }
    }

    #[test]
    fn tags_are_markers() {
        let linux = "platform_machine == 'x86_64' and sys_platform == 'linux'";
        #[rustfmt::skip]
        let rows: &[(&[&str], &[&str], &str)] = &[
            (&[], &[], "everywhere"),
            (&["*-*-manylinux1_x86_64"], &[], linux),
            (&["*-*-linux_x86_64", "*-*-manylinux_2_17_x86_64"], &[], linux),
            (&["*-*-win32", "*-*-win_amd64"], &[], "(platform_machine == 'AMD64' and sys_platform == 'win32') or (platform_machine == 'x86' and sys_platform == 'win32')"),
            (&["*-*-macosx_11_0_arm64"], &[], "platform_machine == 'arm64' and sys_platform == 'darwin'"),
            (&["*-*-macosx_10_9_universal2"], &[], "sys_platform == 'darwin'"),
            (&["*-*-any"], &[], "everywhere"),
            (&["*-*-*"], &[], "python_version < '0'"),
            (&[], &["*-*-*"], "everywhere"),
            (&["cp38-cp38-*"], &[], "python_full_version == '3.8.*'"),
            (&["cp38-abi3-*"], &[], "python_full_version >= '3.8'"),
            (&["cp38-*-*"], &[], "python_full_version >= '3.8'"),
            (&["cp38-none-*"], &[], "python_full_version == '3.8.*'"),
            (&["*-cp37m-*"], &[], "python_full_version == '3.7.*'"),
            (&["py36-none-any"], &[], "python_full_version >= '3.6'"),
            (&["py3-*-*"], &[], "everywhere"),
            (&["py2-none-any"], &[], "python_version < '0'"),
            (&[], &["*-*-win32"], "platform_machine != 'x86' or sys_platform != 'win32'"),
            (&["*-*-plan9_x86"], &[], "the platform `plan9_x86` has no equivalent marker"),
            (&["pp38-*-*"], &[], "the Python tag `pp38` has no equivalent marker"),
            (&["*-pypy38_pp73-*"], &[], "the ABI `pypy38_pp73` has no equivalent marker"),
        ];
        for (match_tags, not_match_tags, expected) in rows {
            assert_eq!(
                shown(of(&wheel(match_tags, not_match_tags), None)),
                *expected,
                "{match_tags:?} {not_match_tags:?}"
            );
        }
    }

    #[test]
    fn a_tag_of_another_python_never_matches() {
        #[rustfmt::skip]
        let rows: &[(&str, &[&str], &[&str], &str)] = &[
            ("==3.11.*", &[], &["*-cp27mu-linux_mips64"], "everywhere"),
            ("==3.11.*", &["*-cp27mu-linux_x86_64", "*-*-win32"], &[], "platform_machine == 'x86' and sys_platform == 'win32'"),
            ("==3.11.*", &["*-cp36m-*"], &[], "python_version < '0'"),
            ("==3.11.*,>=3.11.8", &["*-cp311-*"], &[], "python_full_version == '3.11.*'"),
            ("==2.7.*", &["*-cp27mu-*"], &[], "python_full_version == '2.7.*'"),
        ];
        for (python, match_tags, not_match_tags, expected) in rows {
            let python = python.parse().unwrap();
            let marker = of(&wheel(match_tags, not_match_tags), Some(&python));
            assert_eq!(
                shown(marker),
                *expected,
                "{python} {match_tags:?} {not_match_tags:?}"
            );
        }
    }

    #[test]
    fn choices_in_a_name_are_markers() {
        let rows = [
            (Variable::Os, "linux", "sys_platform == 'linux'"),
            (
                Variable::Arch,
                "amd64",
                "platform_machine == 'AMD64' or platform_machine == 'x86_64'",
            ),
            (Variable::Python, "cp38", "python_full_version == '3.8.*'"),
            (
                Variable::Os,
                "solaris",
                "`solaris` in the wheel's name has no equivalent marker",
            ),
        ];
        for (variable, value, expected) in rows {
            let conditions = vec![Condition {
                variable,
                values: vec![value.into()],
            }];
            assert_eq!(
                shown(of(
                    &ListedWheel {
                        conditions,
                        ..wheel(&[], &[])
                    },
                    None
                )),
                expected,
                "{value}"
            );
        }
    }
}
