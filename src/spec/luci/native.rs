//! Conversion of a LUCI spec to the native form, as in `vpython.toml` and PEP 723 blocks.
//!
//! | LUCI | native |
//! |---|---|
//! | `python_version: "3.8"` | `requires-python = "==3.8.*"` |
//! | `wheel`, with its name, version and tags | an item of `dependencies`, with a marker |
//! | dependencies of listed wheels, and the seeds | items of `dependencies`, with `no-deps = true` and `seed = true` |
//! | `# vpython: no-seed` | `seed = false` |
//! | `python_version: "3.13t"` | none: `requires-python` cannot require a free-threaded build |
//! | `verify_pep425_tag` | `platforms`, without the Python versions, and `linux_…` for `manylinux1_…` |
//!
//! A comment stays with the item that it precedes, is inside of, or follows on the same line. A
//! LUCI build, such as `1.14.5.chromium.7`, becomes the public version, which it also satisfies,
//! unless the caller specifies the build.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

use super::comments::{Comments, Owner};
use super::{marker, targets, text};
use crate::report::Failure;
use crate::spec::upgrade::Planned;
use crate::spec::{ListedWheel, Located, Packages, Spec, SpecText};

/// Converts a spec to the native form, including the given parts of its plan.
///
/// # Errors
/// The spec cannot be parsed, or uses features that the native form lacks; the error lists all of
/// them, with line and column.
pub(in crate::spec) fn write(text: &SpecText, planned: &Planned) -> Result<String> {
    let spec = super::parse(text)?;
    if let Some(range) = &spec.requires_python
        && range.value.free_threaded
    {
        let problem = format!(
            "{}: `{}` is a free-threaded build, which `requires-python` cannot require",
            range.place, range.value.written
        );
        return Err(refusal(text, vec![problem]).into());
    }
    let python = spec
        .requires_python
        .as_ref()
        .map(|range| &range.value.specifiers)
        .or(planned.python.as_ref());
    // The parts of the native spec.
    let (fields, comments) =
        text::parse_with_comments(&text.content).map_err(|mistake| Failure::new(mistake.what))?;
    let comments = Comments::of(&text.content, &fields, comments);
    let platforms = platforms(&spec).map_err(|problems| refusal(text, problems))?;
    let dependencies =
        dependencies(&spec, &planned.exact, python, &comments, text)? + &unlisted(planned);
    // Assemble them, each after its comments.
    let mut native = comments.before(Owner::Header, "");
    if !native.is_empty() {
        native.push('\n');
    }
    native += &comments.before(Owner::Python, "");
    if let Some(python) = python {
        let _ = writeln!(native, "requires-python = \"{python}\"");
    }
    let dependencies = if dependencies.is_empty() {
        dependencies
    } else {
        format!("\n{dependencies}")
    };
    let _ = writeln!(
        native,
        "dependencies = [{dependencies}]\n\n[tool.vpython]\nno-deps = true"
    );
    match spec.seed {
        true if planned.seeds.is_empty() => {}
        seed => drop(writeln!(native, "seed = {seed}")),
    }
    native += &comments.before(Owner::Platforms, "");
    match &platforms[..] {
        [] => {}
        platforms => {
            let items = platforms.iter().fold(String::new(), |items, platform| {
                items + "    \"" + platform + "\",\n"
            });
            let _ = writeln!(native, "platforms = [\n{items}]");
        }
    }
    native += &comments.before(Owner::Nothing, "");
    Ok(native)
}

/// Returns the items of `dependencies` that the LUCI spec does not list: dependencies and seeds.
fn unlisted(planned: &Planned) -> String {
    let mut lines = String::new();
    for (project, (version, required_by)) in &planned.required {
        let required_by: Vec<&str> = required_by.iter().map(AsRef::as_ref).collect();
        let _ = writeln!(
            lines,
            "    # Required by {}.\n    \"{project}=={version}\",",
            required_by.join(", ")
        );
    }
    if !planned.seeds.is_empty() {
        lines += "    # Seeded by LUCI's virtualenv.\n";
    }
    for seed in &planned.seeds {
        let _ = writeln!(lines, "    \"{seed}\",");
    }
    lines
}

/// Returns the items of `dependencies`, one line each. A wheel that is listed twice appears once.
fn dependencies(
    spec: &Spec,
    exact: &BTreeMap<PackageName, Version>,
    python: Option<&VersionSpecifiers>,
    comments: &Comments<'_>,
    text: &SpecText,
) -> Result<String> {
    let Packages::Listed(listed) = &spec.packages else {
        return Ok(String::new());
    };
    let mut written = Vec::new();
    let mut problems = Vec::new();
    let mut lines = String::new();
    // Each wheel follows its comments; collect all problems before failing.
    for (index, wheel) in listed.iter().enumerate() {
        lines += &comments.before(Owner::Wheel(index), "    ");
        match requirement(wheel, exact, python) {
            Ok(requirement) if written.contains(&requirement) => {}
            Ok(requirement) => {
                let _ = writeln!(lines, "    \"{requirement}\",");
                written.push(requirement);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(lines)
    } else {
        Err(refusal(text, problems).into())
    }
}

fn refusal(text: &SpecText, problems: Vec<String>) -> Failure {
    let hint = "change the parts named above, or keep the spec as it is";
    Failure::new(format!(
        "the spec in {} has no equivalent in the native form",
        text.title()
    ))
    .because_of(problems)
    .hint(hint)
}

/// Formats a wheel as a requirement. Names, versions and markers contain no characters that TOML
/// strings must escape.
fn requirement(
    wheel: &Located<ListedWheel>,
    exact: &BTreeMap<PackageName, Version>,
    python: Option<&VersionSpecifiers>,
) -> Result<String, String> {
    let ListedWheel {
        project, wanted, ..
    } = &wheel.value;
    let version = exact
        .get(project)
        .cloned()
        .unwrap_or_else(|| wanted.clone().without_local());
    let marker =
        marker::of(&wheel.value, python).map_err(|why| format!("{}: {why}", wheel.place))?;
    let marker = marker
        .try_to_string()
        .map(|marker| format!("; {marker}"))
        .unwrap_or_default();
    Ok(format!("{project}=={version}{marker}"))
}

/// Returns the platforms of the tags to verify, without duplicates.
fn platforms(spec: &Spec) -> Result<Vec<String>, Vec<String>> {
    let mut platforms: Vec<String> = Vec::new();
    let mut problems = Vec::new();
    for tag in &spec.verify_tags {
        match tag.value.platform.as_deref().map(targets::native) {
            Some(Ok(platform)) if !platforms.contains(&platform.name) => {
                platforms.push(platform.name);
            }
            Some(Err(why)) => problems.push(format!("{}: {why}", tag.place)),
            _ => {}
        }
    }
    if problems.is_empty() {
        Ok(platforms)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::invocation::Chosen;
    use crate::spec::{Origin, SpecKind};

    fn native(content: &str, exact: &[(&str, &str)]) -> Result<String> {
        let text = SpecText {
            kind: SpecKind::Luci,
            origin: Origin::file("/src/.vpython3".into()),
            base: Some("/src".into()),
            content: content.into(),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        };
        let exact = exact
            .iter()
            .map(|(name, version)| (name.parse().unwrap(), version.parse().unwrap()))
            .collect();
        write(
            &text,
            &Planned {
                exact,
                ..Planned::default()
            },
        )
    }

    #[test]
    fn a_comment_is_written_as_toml_can_have_it() {
        let native = native(
            "# a\x0cb\x00c\td\x7f\u{85}e\nwheel: {name: 'x' version: '1'} # f\rg\n",
            &[],
        )
        .unwrap();
        assert!(
            native.contains("# a b c\td  e\n") && native.contains("    # f g\n"),
            "{native}"
        );
        native.parse::<toml::Table>().unwrap();
    }

    #[test]
    fn a_spec_is_written_with_its_comments() {
        let luci = "\
# A header.
# Of two lines.

# The version
python_version: \"3.8\"  # of everybody

verify_pep425_tag: [
    # Where bots are.
    {python: \"cp38\", abi: \"cp38\", platform: \"manylinux1_x86_64\"},
    {python: \"cp38\", abi: \"cp38\", platform: \"linux_x86_64\"},
    {python: \"cp38\", abi: \"cp38\", platform: \"macosx_10_10_intel\"},
    {platform: \"win_amd64\"}
]

# Used everywhere.
wheel: <
  # Its name:
  name: \"infra/python/wheels/six-py2_py3\"
  version: \"version:1.15.0\"
> # six

#
wheel: [ {name: 'infra/python/wheels/cffi/${vpython_platform}' version: 'version:1.14.5.chromium.7'},
  # Only there.
  {name: 'x' version: '2' not_match_tag: {platform: 'win32'}} ]
wheel <
  name: \"infra/python/wheels/six-py2_py3\"
  version: \"version:1.15.0\" # again
>
# The end.
";
        let expected = "\
# A header.
# Of two lines.

# The version
# of everybody
requires-python = \"==3.8.*\"
dependencies = [
    # Used everywhere.
    # Its name:
    # six
    \"six==1.15.0\",
    #
    \"cffi==1.14.5\",
    # Only there.
    \"x==2; platform_machine != 'x86' or sys_platform != 'win32'\",
    # again
]

[tool.vpython]
no-deps = true
# Where bots are.
platforms = [
    \"linux_x86_64\",
    \"macosx_10_10_x86_64\",
    \"win_amd64\",
]
# The end.
";
        assert_eq!(native(luci, &[]).unwrap(), expected);
        let exact = native(luci, &[("cffi", "1.14.5+chromium.7")]).unwrap();
        assert!(
            exact.contains("\n    \"cffi==1.14.5+chromium.7\",\n"),
            "{exact}"
        );
    }

    #[test]
    fn dependencies_and_seeds_follow_the_listed_wheels() {
        let text = |content: &str| SpecText {
            kind: SpecKind::Luci,
            origin: Origin::file("/src/.vpython3".into()),
            base: Some("/src".into()),
            content: content.into(),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        };
        let required_by = ["a", "c"]
            .map(|name| name.parse().unwrap())
            .into_iter()
            .collect();
        let planned = Planned {
            exact: BTreeMap::new(),
            required: [("b".parse().unwrap(), ("2".parse().unwrap(), required_by))]
                .into_iter()
                .collect(),
            seeds: vec!["pip".into(), "setuptools<82".into()],
            ..Planned::default()
        };
        let expected = "\
dependencies = [
    \"a==1\",
    # Required by a, c.
    \"b==2\",
    # Seeded by LUCI's virtualenv.
    \"pip\",
    \"setuptools<82\",
]

[tool.vpython]
no-deps = true
seed = true
";
        assert_eq!(
            write(&text("wheel < name: 'a' version: '1' >"), &planned).unwrap(),
            expected
        );
        let without =
            "# Ours.\ndependencies = []\n\n[tool.vpython]\nno-deps = true\nseed = false\n";
        let spec = text("# vpython: no-seed\n# Ours.\n");
        assert_eq!(
            write(&spec, &Planned::default()).unwrap(),
            without.replace("# Ours.\n", "") + "# Ours.\n"
        );
    }

    #[test]
    fn an_empty_spec_is_written_too() {
        assert_eq!(
            native("", &[]).unwrap(),
            "dependencies = []\n\n[tool.vpython]\nno-deps = true\n"
        );
    }

    #[test]
    fn an_unknown_platform_is_reported_with_its_line() {
        let error = native(
            "verify_pep425_tag [\n {python: 'cp38' platform: 'win64'}, {python: 'cp38'}]\n",
            &[],
        )
        .unwrap_err();
        expect![[r#"
            vpython: error: the spec in `/src/.vpython3` has no equivalent in the native form
              caused by: `/src/.vpython3`, line 2: `win64` is not a platform; did you mean `win_amd64`?
              hint: change the parts named above, or keep the spec as it is
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn an_inexpressible_part_is_reported_with_its_line() {
        let luci = "wheel <\n name: 'x' version: '1' match_tag <platform: 'plan9'>\n>\nwheel < name: 'y' version: '1' match_tag <abi: 'u'> >\n";
        expect![[r#"
            vpython: error: the spec in `/src/.vpython3` has no equivalent in the native form
              caused by: `/src/.vpython3`, line 2: the platform `plan9` has no equivalent marker
              caused by: `/src/.vpython3`, line 4: the ABI `u` has no equivalent marker
              hint: change the parts named above, or keep the spec as it is
        "#]]
        .assert_eq(&crate::report::render(&native(luci, &[]).unwrap_err()));
    }
}
