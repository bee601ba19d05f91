//! CIPD's names and versions of packages as those of distributions.
//!
//! | in CIPD | here |
//! |---|---|
//! | `infra/python/wheels/six-py2_py3` | `six` |
//! | `infra/python/wheels/numpy/${vpython_platform}` | `numpy` |
//! | `lxml/linux-amd64_cp38_cp38` | `lxml` |
//! | `version:2@1.15.0.chromium.1` | `1.15.0+chromium.1` |
//!
//! What a name has to say of the platform beyond that is decided by the wheels' own tags. Only a
//! choice, as in `${os=linux,mac}`, stays with the wheel until the interpreter is known.

use pep440_rs::Version;
use pep508_rs::PackageName;

use crate::spec::{Condition, Variable};

/// Where the wheels of LUCI lie: the segment behind this is the project, whatever follows.
const WHEELS: &str = "infra/python/wheels/";
/// Which pythons a package is for is written at the end of its name.
const PYTHONS: [&str; 6] = ["-py2_py3", "_py2_py3", "-py3", "_py3", "-py2", "_py2"];
/// The operating systems that CIPD's platforms begin with.
const SYSTEMS: [&str; 3] = ["linux", "mac", "windows"];

/// What a package's name says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The project, normalised.
    pub project: PackageName,
    /// The package is wanted where all of these hold.
    pub conditions: Vec<Condition>,
}

/// Reads a package's name. The error says what is wrong, as the rest of a sentence that begins with
/// the name.
pub(super) fn parse_name(text: &str) -> Result<Name, String> {
    let (plain, conditions) = without_templates(text)?;
    let segment = match plain.strip_prefix(WHEELS) {
        Some(rest) => rest.split('/').next(),
        None => plain
            .split('/')
            .rev()
            .find(|segment| !segment.is_empty() && !is_platform(segment)),
    };
    let segment = segment.unwrap_or_default();
    if segment.contains(TEMPLATE) {
        return Err("has a variable in the project's own name".into());
    }
    let bare = PYTHONS
        .iter()
        .find_map(|suffix| segment.strip_suffix(suffix))
        .unwrap_or(segment);
    if bare.is_empty() {
        return Err("names no project".into());
    }
    let project = PackageName::new(bare.to_owned());
    let project =
        project.map_err(|_| format!("names no project: `{bare}` cannot be a project's name"))?;
    Ok(Name {
        project,
        conditions,
    })
}

/// Stands for a template in a name. No name has it.
const TEMPLATE: char = '\0';

/// The name with its templates taken out, and the choices that they make.
fn without_templates(text: &str) -> Result<(String, Vec<Condition>), String> {
    let mut plain = String::new();
    let mut conditions = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        let template = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let (template, after) = template.ok_or("has a `$` that begins no `${…}`")?;
        let (name, values) = template
            .split_once('=')
            .map_or((template, None), |(name, values)| (name, Some(values)));
        let variable = Variable::named(name).ok_or_else(|| unknown_variable(name))?;
        if let Some(values) = values {
            conditions.push(Condition {
                variable,
                values: values.split(',').map(str::to_owned).collect(),
            });
        }
        plain.push_str(before);
        plain.push(TEMPLATE);
        rest = after;
    }
    plain.push_str(rest);
    Ok((plain, conditions))
}

fn unknown_variable(name: &str) -> String {
    let known = Variable::ALL.map(|(known, _)| known);
    match crate::report::nearest(name, known) {
        Some(near) => {
            format!("has the unknown variable `${{{name}}}`; did you mean `${{{near}}}`?")
        }
        None => {
            format!(
                "has the unknown variable `${{{name}}}`; there are {}",
                known.map(|name| format!("`{name}`")).join(", ")
            )
        }
    }
}

/// Whether a segment only says what the package is for: a template, or a platform as in
/// `linux-amd64_cp38_cp38`.
fn is_platform(segment: &str) -> bool {
    let is_system = |text: &str| {
        SYSTEMS.iter().any(|system| {
            text.strip_prefix(system)
                .is_some_and(|rest| rest.starts_with('-'))
        })
    };
    segment.contains(TEMPLATE) || is_system(segment)
}

/// Reads a package's version. The error says what is wrong, as the rest of a sentence that begins
/// with the version.
///
/// A part that PEP 440 does not know, such as `.chromium.7`, is a local version.
pub(super) fn parse_version(text: &str) -> Result<Version, String> {
    let bare = text.strip_prefix("version:").unwrap_or(text);
    let bare = match bare.split_once('@') {
        // The number in front counts the times that LUCI has changed how it packs.
        Some((epoch, rest))
            if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            rest
        }
        _ => bare,
    };
    // LUCI's name for "the newest numpy that this python can have"; the version is that of LUCI's
    // own translation.
    if let Some(build) = bare.strip_prefix("1.2x.supported.") {
        return format!("1.21.1+supported.{build}")
            .parse()
            .map_err(|_| "is no version".to_owned());
    }
    if let Ok(version) = bare.parse() {
        return Ok(version);
    }
    let separators = bare
        .char_indices()
        .filter(|(_, character)| matches!(character, '.' | '-' | '_'))
        .map(|(index, _)| index);
    let split = separators.rev().find_map(|index| {
        let (public, local) = (&bare[..index], bare[index + 1..].replace(['-', '_'], "."));
        let public: Version = public
            .parse()
            .ok()
            .filter(|version: &Version| !version.is_local())?;
        format!("{public}+{local}").parse().ok()
    });
    split.ok_or_else(|| {
        "is no version; write `version:` and the version of a wheel, as in `version:1.15.0`"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_project() {
        #[rustfmt::skip]
        let rows = [
            ("infra/python/wheels/six-py2_py3", "six", "for both pythons"),
            ("infra/python/wheels/pytest-asyncio-py3", "pytest-asyncio", "for python 3"),
            ("infra/python/wheels/pyasn1_modules-py2_py3", "pyasn1-modules", "normalised"),
            ("infra/python/wheels/Zope.Interface_py3", "zope-interface", "with an underscore"),
            ("infra/python/wheels/numpy/${vpython_platform}", "numpy", "for a platform"),
            ("infra/python/wheels/psutil-py3/${vpython_platform}", "psutil", "for python 3 and a platform"),
            ("infra/python/wheels/pyyaml/${platform}_${py_python}_${py_abi}", "pyyaml", "for a platform in pieces"),
            ("infra/python/wheels/lxml/linux-amd64_cp38_cp38", "lxml", "for a platform by name"),
            ("infra/python/wheels/py-py2_py3", "py", "a project that is named like a suffix"),
            ("lxml/linux-amd64_cp38_cp38", "lxml", "outside of LUCI's directory"),
            ("chromium/third_party/tools/mac-arm64", "tools", "the last segment that is no platform"),
            ("some/directory/thing-py3/${os}-${arch=amd64}", "thing", "the last segment without a variable"),
            ("six", "six", "a bare name"),
            ("trailing/six-py3/", "six", "a slash at the end"),
        ];
        for (name, project, why) in rows {
            assert_eq!(
                parse_name(name)
                    .map(|name| name.project.to_string())
                    .as_deref(),
                Ok(project),
                "{why}"
            );
        }
    }

    #[test]
    fn a_choice_is_a_condition() {
        let name =
            parse_name("infra/python/wheels/x/${os=linux,mac}-${arch}_${py_abi=cp38}").unwrap();
        let linux_or_mac = Condition {
            variable: Variable::Os,
            values: vec!["linux".into(), "mac".into()],
        };
        let abi = Condition {
            variable: Variable::Abi,
            values: vec!["cp38".into()],
        };
        assert_eq!(name.conditions, [linux_or_mac, abi]);
    }

    #[test]
    fn a_name_that_says_nothing_is_refused() {
        let all = "`os`, `arch`, `platform`, `py_python`, `py_abi`, `py_platform`, `py_tag`, `vpython_platform`";
        #[rustfmt::skip]
        let rows = [
            ("", "names no project"),
            ("infra/python/wheels/", "names no project"),
            ("${platform}/linux-amd64", "names no project"),
            ("infra/python/wheels/x y", "names no project: `x y` cannot be a project's name"),
            ("infra/python/wheels/x-${os}", "has a variable in the project's own name"),
            ("infra/python/wheels/x/${py_version}", &format!("has the unknown variable `${{py_version}}`; there are {all}")),
            ("infra/python/wheels/x/${platfrom}", "has the unknown variable `${platfrom}`; did you mean `${platform}`?"),
            ("infra/python/wheels/x/${colour}", &format!("has the unknown variable `${{colour}}`; there are {all}")),
            ("infra/python/wheels/x/${os", "has a `$` that begins no `${…}`"),
            ("infra/python/wheels/x/$os", "has a `$` that begins no `${…}`"),
        ];
        for (name, why) in rows {
            assert_eq!(parse_name(name), Err(why.to_owned()), "{name}");
        }
    }

    #[test]
    fn a_version_is_that_of_pep_440() {
        #[rustfmt::skip]
        let rows = [
            ("version:1.15.0", "1.15.0", "a public version"),
            ("version:300", "300", "a single number"),
            ("version:2020.11.8", "2020.11.8", "a date"),
            ("1.2", "1.2", "without `version:`"),
            ("version:v1.2", "1.2", "with a `v`"),
            ("version:1.14.5.chromium.7", "1.14.5+chromium.7", "a build of LUCI's"),
            ("version:2@1.15.0.chromium.1", "1.15.0+chromium.1", "packed the second way"),
            ("version:2@1.7", "1.7", "packed the second way, public"),
            ("version:1.0rc1", "1.0rc1", "a pre-release"),
            ("version:1.0.post2.chromium.1", "1.0.post2+chromium.1", "a post-release with a build"),
            ("version:0.1.2-deadbee", "0.1.2+deadbee", "a build behind a dash"),
            ("version:1.0-chromium-3", "1.0+chromium.3", "dashes in the build"),
            ("version:2@1.2.3-custom-tag-name", "1.2.3+custom.tag.name", "several dashes in the build"),
            ("version:2@1.pre1.re", "1rc1+re", "a build that is a part of a word before it"),
            ("version:1.0+chromium.2", "1.0+chromium.2", "a local version as it is"),
            ("version:1.2x.supported.1", "1.21.1+supported.1", "LUCI's numpy"),
        ];
        for (text, version, why) in rows {
            assert_eq!(
                parse_version(text)
                    .map(|version| version.to_string())
                    .as_deref(),
                Ok(version),
                "{why}"
            );
        }
        for text in [
            "",
            "version:",
            "latest",
            "git_revision:0123abcd",
            "version:latest",
        ] {
            let why = "is no version; write `version:` and the version of a wheel, as in `version:1.15.0`";
            assert_eq!(parse_version(text), Err(why.to_owned()), "{text}");
        }
    }
}
