//! LUCI's form: a `vpython.Spec` in protobuf text, in `.vpython3`, `.vpython`, partner files and
//! `[VPYTHON:BEGIN]` blocks.
//!
//! ```text
//! text ─▶ tokens (`lexer`) ─▶ fields (`text`) ─▶ message (`schema`) ─▶ Spec (`reader`, with `names`)
//! ```
//!
//! Parsing reports all mistakes in a text at once, each with its line and column; if the text is
//! not valid protobuf text, it reports only the first mistake.

mod comments;
#[cfg(test)]
mod differential_tests;
pub(super) mod inline;
mod lexer;
mod marker;
mod names;
pub(super) mod native;
mod platform_marker;
mod reader;
mod schema;
mod seed;
mod source;
#[cfg(test)]
mod spec_generator;
pub(super) mod targets;
mod text;

use anyhow::Result;

use super::{Places, PythonDefault, Spec, SpecText};
use crate::process::CalledAs;
use crate::report::Failure;
use lexer::Diagnostic;
use reader::Reader;

/// Parses the text, for the program of this name.
pub(super) fn parse_for(text: &SpecText, called: CalledAs) -> Result<Spec> {
    let python_default = match called {
        CalledAs::Vpython3 => PythonDefault::Three,
        CalledAs::Vpython if text.is_for_vpython2() => PythonDefault::Two,
        CalledAs::Vpython => PythonDefault::First,
    };
    Ok(Spec {
        python_default,
        ..parse(text)?
    })
}

/// Parses the text.
pub(super) fn parse(text: &SpecText) -> Result<Spec> {
    // Parse the text, apply the schema, then translate the message.
    let parsed = text::parse_with_comments(&text.content).map_err(|mistake| vec![mistake]);
    let read = parsed.and_then(|(fields, comments)| {
        let spec = Reader {
            text,
            places: Places::of(&text.origin, &text.content),
            mistakes: Vec::new(),
        }
        .read(schema::read(fields)?)?;
        let (seed, warnings) = seed::read(text, &comments);
        Ok(Spec {
            seed,
            warnings,
            ..spec
        })
    });
    // Report the mistakes in the order of the text.
    read.map_err(|mut mistakes: Vec<Diagnostic>| {
        mistakes.sort_by_key(|mistake| mistake.offset);
        let places = Places::of(&text.origin, &text.content);
        let causes = mistakes
            .iter()
            .map(|mistake| format!("{}: {}", places.at(mistake.offset).exact(), mistake.what));
        Failure::new(format!("bad spec in {}", text.title()))
            .because_of(causes)
            .into()
    })
}

/// Returns the fields of a text in their original form, as JSON; `None` if it is not a valid spec.
pub(super) fn source(content: &str) -> Option<serde_json::Value> {
    let message = schema::read(text::parse(content).ok()?).ok()?;
    Some(message.to_json())
}

/// Checks whether a text of unknown kind is likely a LUCI spec: it is empty, or begins with a field
/// of one.
pub(super) fn is_likely(content: &str) -> bool {
    let first = lexer::Lexer::new(content).token();
    first.is_ok_and(|first| first.kind == lexer::Kind::End) || begins_with_field(content)
}

/// Checks whether a text names a Python version other than Python 2; true if it cannot be parsed.
pub(super) fn names_python3(content: &str) -> bool {
    let Some(message) = text::parse(content)
        .ok()
        .and_then(|fields| schema::read(fields).ok())
    else {
        return true;
    };
    let version = message
        .python_version
        .map(|version| version.value)
        .unwrap_or_default();
    let version = version.trim();
    !version.is_empty() && version.split('.').next() != Some("2")
}

/// Checks whether a text begins with a field of a LUCI spec.
pub(super) fn begins_with_field(content: &str) -> bool {
    let mut lexer = lexer::Lexer::new(content);
    let (Ok(first), Ok(second)) = (lexer.token(), lexer.token()) else {
        return false;
    };
    let is_field = matches!(first.raw, "python_version" | "wheel" | "verify_pep425_tag");
    is_field
        && matches!(
            second.kind,
            lexer::Kind::Punctuation(b':' | b'<' | b'{' | b'[')
        )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::{Origin, Packages, SpecKind, TagPattern};
    use super::*;
    use crate::invocation::Chosen;

    fn text(content: &str) -> SpecText {
        SpecText {
            kind: SpecKind::Luci,
            origin: Origin::file("/src/.vpython3".into()),
            base: Some("/src".into()),
            content: content.into(),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        }
    }

    #[test]
    fn a_spec_lists_its_wheels() {
        let spec = parse(&text(concat!(
            "# A header.\npython_version: \"3.8\"\n",
            "wheel: <\n  name: \"infra/python/wheels/six-py2_py3\"\n  version: \"version:1.15.0\"\n>\n",
            "wheel <\n  name: 'infra/python/wheels/cffi/${vpython_platform}'\n  version: 'version:1.14.5.chromium.7'\n",
            "  not_match_tag < platform: 'linux_aarch64' abi: '' >\n>\n",
            "verify_pep425_tag: [ {python: 'cp38', abi: 'cp38', platform: 'win32'} ]\n",
        )))
        .unwrap();
        let python = spec.requires_python.as_ref().unwrap();
        assert_eq!(
            (
                python.value.specifiers.to_string().as_str(),
                python.place.line
            ),
            ("==3.8.*", 2)
        );
        let Packages::Listed(wheels) = &spec.packages else {
            panic!("{spec:?}")
        };
        let listed: Vec<_> = wheels
            .iter()
            .map(|wheel| {
                (
                    wheel.value.project.to_string(),
                    wheel.value.wanted.to_string(),
                    wheel.place.line,
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                ("six".into(), "1.15.0".into(), 4),
                ("cffi".into(), "1.14.5+chromium.7".into(), 8)
            ]
        );
        let aarch64 = TagPattern {
            python: None,
            abi: None,
            platform: Some("linux_aarch64".into()),
        };
        assert_eq!(wheels[1].value.not_match_tags, [aarch64]);
        assert_eq!(spec.base, Some("/src".into()));
        let targets = spec.targets().unwrap();
        assert_eq!(
            (
                targets[0].value.platform.name.as_str(),
                targets[0].place.line,
                targets[0].place.column
            ),
            ("win32", 12, 22)
        );
    }

    #[test]
    fn a_python_version_is_a_range() {
        let rows = [
            ("3", Some("==3.*")),
            ("3.8", Some("==3.8.*")),
            ("3.11.8", Some("~=3.11.8")),
            (" 3.11 ", Some("==3.11.*")),
            ("3.13t", Some("==3.13.*")),
            ("3.13.1t", Some("~=3.13.1")),
            ("", None),
        ];
        for (version, range) in rows {
            let spec = parse(&text(&format!("python_version: '{version}'"))).unwrap();
            let python = spec.requires_python.map(|python| python.value);
            let is_free_threaded = python.as_ref().is_some_and(|python| python.free_threaded);
            assert_eq!(is_free_threaded, version.ends_with('t'), "{version}");
            let read = python.map(|python| python.specifiers.to_string());
            assert_eq!(read.as_deref(), range, "{version}");
        }
    }

    #[test]
    fn an_empty_file_requires_nothing() {
        for content in ["", "# nothing\n"] {
            let nothing = Packages::Listed(Vec::new());
            let expected = Spec {
                packages: nothing,
                base: Some("/src".into()),
                seed: true,
                ..Spec::default()
            };
            assert_eq!(parse(&text(content)).unwrap(), expected);
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_line_and_column() {
        let error = parse(&text(concat!(
            "python_version: '2.x'\nwheel <>\n",
            "wheel <\n  name: 'x y'\n  version: 'latest'\n>\nwheel < name: 'six/${platfrom}' version: 'version:1' >\n"
        )))
        .unwrap_err();
        expect![[r#"
            vpython: error: bad spec in `/src/.vpython3`
              caused by: `/src/.vpython3`, line 1, column 17: `2.x` is not a Python version; write one, two or three numbers, as in `3.11`
              caused by: `/src/.vpython3`, line 2, column 7: the wheel has no `name`
              caused by: `/src/.vpython3`, line 2, column 7: the wheel has no `version`
              caused by: `/src/.vpython3`, line 4, column 9: `x y` does not name a project: `x y` is not a valid project name
              caused by: `/src/.vpython3`, line 5, column 12: `latest` is not a version; write `version:` followed by a wheel's version, as in `version:1.15.0`
              caused by: `/src/.vpython3`, line 7, column 15: `six/${platfrom}` has the unknown variable `${platfrom}`; did you mean `${platform}`?
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn mistakes_are_reported_in_the_order_of_the_text() {
        let error = parse(&text(
            "wheel <>\npython_version: '4'\nwheel < name: 'x y' version: '1' >\n",
        ))
        .unwrap_err();
        let message = crate::report::render(&error);
        let places: Vec<&str> = message
            .lines()
            .skip(1)
            .filter_map(|cause| cause.split(", ").nth(1))
            .collect();
        assert_eq!(places, ["line 1", "line 1", "line 2", "line 3"]);
    }

    #[test]
    fn invalid_protobuf_text_is_reported_with_line_and_column() {
        let error = parse(&text("wheel: <\n  name: six\n>\n")).unwrap_err();
        expect![[r#"
            vpython: error: bad spec in `/src/.vpython3`
              caused by: `/src/.vpython3`, line 2, column 9: expected a string in quotes, or a message in `< >` or `{ }`, but found `six`
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn an_unknown_platform_in_a_tag_is_an_error_only_on_use() {
        let spec = parse(&text(
            "verify_pep425_tag <\n  platform: 'win64' >\nverify_pep425_tag [{python: 'cp27'}]\n",
        ))
        .unwrap();
        expect![[r#"
            vpython: error: cannot determine the target platforms
              caused by: `/src/.vpython3`, line 1, column 19: `win64` is not a platform; did you mean `win_amd64`?
              caused by: `/src/.vpython3`, line 3, column 20: the tag has no `platform`
        "#]]
        .assert_eq(&crate::report::render(&spec.targets().unwrap_err()));
    }

    #[test]
    fn a_version_of_python_is_numbers() {
        for version in ["3.x", "3.8.1.2", "three", "4", "3.", "3t", "2.7t", "3.13tt"] {
            let error = parse(&text(&format!("python_version: '{version}'"))).unwrap_err();
            let cause = format!(
                "column 17: `{version}` is not a Python version; write one, two or three numbers, as in `3.11`\n"
            );
            assert!(crate::report::render(&error).ends_with(&cause), "{version}");
        }
    }

    #[test]
    fn a_text_is_likely_a_spec_by_its_first_field() {
        let rows = [
            ("# c\nwheel <", true),
            ("python_version: 'x'", true),
            ("", true),
            ("requests==2.31", false),
            ("wheel==0.40", false),
            ("import sys", false),
        ];
        for (content, expected) in rows {
            assert_eq!(is_likely(content), expected, "{content}");
        }
    }
}
