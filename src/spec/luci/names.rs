//! Translation of CIPD's package names and versions to those of Python distributions.
//!
//! | in CIPD | here |
//! |---|---|
//! | `infra/python/wheels/six-py2_py3` | `six` |
//! | `infra/python/wheels/numpy/${vpython_platform}` | `numpy` |
//! | `lxml/linux-amd64_cp38_cp38` | `lxml` |
//! | `version:2@1.15.0.chromium.1` | `1.15.0+chromium.1` |
//!
//! vpython ignores platform parts of a name, since the wheels' own tags decide about compatibility.
//! It keeps only conditions, as in `${os=linux,mac}`, until the interpreter is known.

use pep440_rs::Version;
use pep508_rs::PackageName;

use crate::spec::{Condition, Variable};

/// The prefix of LUCI's wheel packages: the next segment is the project, regardless of the rest.
const WHEELS: &str = "infra/python/wheels/";
/// The suffixes of a package name that state the Python versions.
const PYTHONS: [&str; 6] = ["-py2_py3", "_py2_py3", "-py3", "_py3", "-py2", "_py2"];
/// The operating systems at the start of CIPD's platform names.
const SYSTEMS: [&str; 3] = ["linux", "mac", "windows"];

/// A parsed package name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The project, normalized.
    pub project: PackageName,
    /// The package is required only if all of these hold.
    pub conditions: Vec<Condition>,
}

/// Parses a package name. The error is the rest of a sentence that begins with the name.
pub(super) fn parse_name(text: &str) -> Result<Name, String> {
    let (plain, conditions) = without_templates(text)?;
    // In LUCI's namespace the project follows the prefix; elsewhere it is the last segment.
    let segment = match plain.strip_prefix(WHEELS) {
        Some(rest) => rest.split('/').next(),
        None => plain
            .split('/')
            .rev()
            .find(|segment| !segment.is_empty() && !is_platform(segment)),
    };
    let segment = segment.unwrap_or_default();
    if segment.contains(TEMPLATE) {
        return Err("has a variable inside the project's name".into());
    }
    // The suffix for Python versions is not part of the project.
    let bare = PYTHONS
        .iter()
        .find_map(|suffix| segment.strip_suffix(suffix))
        .unwrap_or(segment);
    if bare.is_empty() {
        return Err("does not name a project".into());
    }
    let project = PackageName::new(bare.to_owned());
    let project = project
        .map_err(|_| format!("does not name a project: `{bare}` is not a valid project name"))?;
    Ok(Name {
        project,
        conditions,
    })
}

/// The placeholder for a template in a name. It occurs in no name.
const TEMPLATE: char = '\0';

/// Replaces the templates in a name by placeholders, and returns the conditions among them.
fn without_templates(text: &str) -> Result<(String, Vec<Condition>), String> {
    let mut plain = String::new();
    let mut conditions = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        // Every `$` must begin a template with a known variable.
        let template = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let (template, after) = template.ok_or("has a `$` that does not begin a `${…}`")?;
        let (name, values) = template
            .split_once('=')
            .map_or((template, None), |(name, values)| (name, Some(values)));
        let variable = Variable::named(name).ok_or_else(|| unknown_variable(name))?;
        // A template with values is a condition.
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
                "has the unknown variable `${{{name}}}`; the known ones are {}",
                known.map(|name| format!("`{name}`")).join(", ")
            )
        }
    }
}

/// Checks whether a segment only states the platform: a template, or a platform such as
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

/// The maximum length of a version. The file name of a wheel contains it, and no file system allows
/// a longer name.
const MAX_VERSION: usize = 255;

/// Parses a package version. The error is the rest of a sentence that begins with the version.
///
/// A part that PEP 440 does not allow, such as `.chromium.7`, becomes a local version.
pub(super) fn parse_version(text: &str) -> Result<Version, String> {
    let bare = text.strip_prefix("version:").unwrap_or(text);
    let bare = match bare.split_once('@') {
        // The leading number is the revision of LUCI's packaging scheme.
        Some((epoch, rest))
            if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            rest
        }
        _ => bare,
    };
    // The version is parsed once for each position at which a local version may begin.
    if bare.len() > MAX_VERSION {
        return Err(format!(
            "is longer than the limit for a version: {MAX_VERSION} characters"
        ));
    }
    // LUCI's name for "the newest numpy for this Python"; the version is the one that LUCI itself
    // substitutes.
    if let Some(build) = bare.strip_prefix("1.2x.supported.") {
        return format!("1.21.1+supported.{build}")
            .parse()
            .map_err(|_| "is not a version".to_owned());
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
        "is not a version; write `version:` followed by a wheel's version, as in `version:1.15.0`"
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
            ("chromium/third_party/tools/mac-arm64", "tools", "the last segment that is not a platform"),
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
    fn a_version_without_end_is_not_read() {
        let why = Err("is longer than the limit for a version: 255 characters".to_owned());
        assert_eq!(
            parse_version(&format!("version:2@1{}x", ".01".repeat(30_000))),
            why
        );
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
    fn an_invalid_name_is_refused() {
        let all = "`os`, `arch`, `platform`, `py_python`, `py_abi`, `py_platform`, `py_tag`, `vpython_platform`";
        #[rustfmt::skip]
        let rows = [
            ("", "does not name a project"),
            ("infra/python/wheels/", "does not name a project"),
            ("${platform}/linux-amd64", "does not name a project"),
            ("infra/python/wheels/x y", "does not name a project: `x y` is not a valid project name"),
            ("infra/python/wheels/x-${os}", "has a variable inside the project's name"),
            ("infra/python/wheels/x/${py_version}", &format!("has the unknown variable `${{py_version}}`; the known ones are {all}")),
            ("infra/python/wheels/x/${platfrom}", "has the unknown variable `${platfrom}`; did you mean `${platform}`?"),
            ("infra/python/wheels/x/${colour}", &format!("has the unknown variable `${{colour}}`; the known ones are {all}")),
            ("infra/python/wheels/x/${os", "has a `$` that does not begin a `${…}`"),
            ("infra/python/wheels/x/$os", "has a `$` that does not begin a `${…}`"),
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
            ("version:0.1.2-deadbee", "0.1.2+deadbee", "a build after a dash"),
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
            let why = "is not a version; write `version:` followed by a wheel's version, as in `version:1.15.0`";
            assert_eq!(parse_version(text), Err(why.to_owned()), "{text}");
        }
    }
}
