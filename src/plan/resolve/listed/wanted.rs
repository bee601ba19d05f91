//! Checks whether a listed wheel applies on an interpreter, by its tag patterns and the conditions
//! in its name.

use crate::interpreter::{Tag, Tags};
use crate::spec::{Condition, ListedWheel, TagPattern, Variable};

/// Returns whether a wheel applies on an interpreter with these tags. Every tag of the interpreter
/// counts, not only the best one.
pub(in crate::plan) fn is_wanted(wheel: &ListedWheel, tags: &Tags) -> bool {
    let matches = |pattern: &TagPattern| {
        tags.in_order()
            .iter()
            .any(|tag| pattern.matches(&tag.python, &tag.abi, &tag.platform))
    };
    !wheel.not_match_tags.iter().any(matches)
        && (wheel.match_tags.is_empty() || wheel.match_tags.iter().any(matches))
        && wheel
            .conditions
            .iter()
            .all(|condition| holds(condition, tags))
}

/// Returns whether one of the values of a condition is the value of its variable for one of the
/// tags of the interpreter's own ABI.
fn holds(condition: &Condition, tags: &Tags) -> bool {
    let Some(best) = tags.in_order().first() else {
        return false;
    };
    let own = tags
        .in_order()
        .iter()
        .filter(|tag| tag.python == best.python && tag.abi == best.abi);
    let mut values = own.filter_map(|tag| value(condition.variable, tag));
    values.any(|value| condition.values.contains(&value))
}

/// Returns the value of a variable for a tag; `None` if CIPD has no name for the tag's platform.
fn value(variable: Variable, tag: &Tag) -> Option<String> {
    let platform = || cipd_platform(&tag.platform);
    Some(match variable {
        Variable::Os => platform()?.0.to_owned(),
        Variable::Arch => platform()?.1.to_owned(),
        Variable::Platform => platform().map(|(os, arch)| format!("{os}-{arch}"))?,
        Variable::Python => tag.python.clone(),
        Variable::Abi => tag.abi.clone(),
        Variable::TagPlatform => tag.platform.clone(),
        Variable::Tag => tag.to_string(),
        Variable::VpythonPlatform => {
            platform().map(|(os, arch)| format!("{os}-{arch}_{}_{}", tag.python, tag.abi))?
        }
    })
}

/// Returns CIPD's names for the operating system and the architecture of a tag's platform.
fn cipd_platform(platform: &str) -> Option<(&'static str, &'static str)> {
    match platform {
        "win32" => return Some(("windows", "386")),
        "win_amd64" => return Some(("windows", "amd64")),
        "win_arm64" => return Some(("windows", "arm64")),
        _ => {}
    }
    let os = if platform.starts_with("macosx_") {
        "mac"
    } else {
        "linux"
    };
    // The suffix of the platform tag, and CIPD's name for the architecture.
    let machines: [(&str, &str); 13] = [
        ("_x86_64", "amd64"),
        ("_intel", "amd64"),
        ("_universal2", "amd64"),
        ("_i686", "386"),
        ("_i386", "386"),
        ("_aarch64", "arm64"),
        ("_arm64", "arm64"),
        ("_armv6l", "armv6l"),
        ("_armv7l", "armv6l"),
        ("_armv8l", "armv6l"),
        ("_mips64", "mips64"),
        ("_mips", "mips32"),
        ("_riscv64", "riscv64"),
    ];
    machines
        .iter()
        .find(|(suffix, _)| platform.ends_with(suffix))
        .map(|(_, arch)| (os, *arch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::tests::facts;

    fn wheel() -> ListedWheel {
        ListedWheel {
            name: "infra/python/wheels/x-py3".into(),
            version: "version:1".into(),
            project: "x".parse().unwrap(),
            wanted: "1".parse().unwrap(),
            conditions: Vec::new(),
            match_tags: Vec::new(),
            not_match_tags: Vec::new(),
        }
    }

    fn pattern(python: &str, abi: &str, platform: &str) -> TagPattern {
        let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        TagPattern {
            python: part(python),
            abi: part(abi),
            platform: part(platform),
        }
    }

    #[test]
    fn tags_decide_where_a_wheel_applies() {
        let here = || pattern("", "", "manylinux_2_17_x86_64");
        let old_name = || pattern("", "", "manylinux1_x86_64");
        let windows = || pattern("", "", "win32");
        let (none, python) = (|| pattern("", "", ""), || pattern("cp311", "", ""));
        let rows = [
            (vec![], vec![], true, "no tag: everywhere"),
            (vec![here()], vec![], true, "one that matches"),
            (
                vec![old_name()],
                vec![],
                true,
                "not only the best tag counts",
            ),
            (vec![windows(), here()], vec![], true, "any of several"),
            (vec![windows()], vec![], false, "none of them"),
            (vec![], vec![windows()], true, "excluded elsewhere"),
            (vec![], vec![windows(), python()], false, "excluded here"),
            (
                vec![here()],
                vec![python()],
                false,
                "`not_match_tag` has precedence over `match_tag`",
            ),
            (vec![none()], vec![], false, "an empty tag matches nothing"),
            (vec![], vec![none()], true, "and excludes nothing"),
        ];
        let tags = Tags::of(&facts([3, 11, 7]));
        for (match_tags, not_match_tags, expected, why) in rows {
            let wheel = ListedWheel {
                match_tags,
                not_match_tags,
                ..wheel()
            };
            assert_eq!(is_wanted(&wheel, &tags), expected, "{why}");
        }
    }

    #[test]
    fn machines_have_the_names_of_cipd() {
        let rows = [
            ("manylinux_2_17_x86_64", Some("amd64")),
            ("manylinux_2_17_i686", Some("386")),
            ("musllinux_1_2_aarch64", Some("arm64")),
            ("linux_armv7l", Some("armv6l")),
            ("linux_riscv64", Some("riscv64")),
            ("linux_ppc64le", None),
            ("linux_s390x", None),
        ];
        for (platform, machine) in rows {
            let expected = machine.map(|machine| ("linux", machine));
            assert_eq!(cipd_platform(platform), expected, "{platform}");
        }
    }

    #[test]
    fn conditions_in_a_name_decide_where_a_wheel_applies() {
        let rows = [
            ("os", "linux,mac", true),
            ("os", "windows", false),
            ("arch", "amd64", true),
            ("platform", "linux-arm64", false),
            ("platform", "linux-amd64", true),
            ("py_python", "cp311", true),
            ("py_python", "cp38", false),
            ("py_abi", "abi3", false),
            ("py_platform", "manylinux1_x86_64", true),
            ("py_tag", "cp311-cp311-linux_x86_64", true),
            ("vpython_platform", "linux-amd64_cp311_cp311", true),
        ];
        let tags = Tags::of(&facts([3, 11, 7]));
        for (name, values, expected) in rows {
            let variable = Variable::named(name).unwrap();
            let condition = Condition {
                variable,
                values: values.split(',').map(str::to_owned).collect(),
            };
            assert_eq!(
                is_wanted(
                    &ListedWheel {
                        conditions: vec![condition],
                        ..wheel()
                    },
                    &tags
                ),
                expected,
                "{name}={values}"
            );
        }
    }

    #[test]
    fn the_platforms_of_other_systems_have_names_too() {
        let rows = [
            ("macosx_10_10_intel", Some(("mac", "amd64"))),
            ("macosx_11_0_arm64", Some(("mac", "arm64"))),
            ("win32", Some(("windows", "386"))),
            ("linux_armv7l", Some(("linux", "armv6l"))),
            ("musllinux_1_2_aarch64", Some(("linux", "arm64"))),
            ("any", None),
        ];
        for (platform, expected) in rows {
            assert_eq!(cipd_platform(platform), expected, "{platform}");
        }
    }
}
