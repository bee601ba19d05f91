//! The choice between LUCI's two file names, by the name that the program is called by. LUCI has
//! one program for each major version of Python: `vpython` reads only `.vpython`, and `vpython3`
//! reads only `.vpython3`. Here, each reads its own file first and otherwise the other one, unless
//! that file is for a different major version.

use crate::process::CalledAs;
use crate::spec::{SpecText, luci};

/// The file name for Python 3.
const THREE: &str = ".vpython3";
/// The file name for Python 2, as in LUCI.
const TWO: &str = ".vpython";

/// Returns the file names and suffixes, in order of precedence.
pub(super) fn names(called: CalledAs) -> [&'static str; 2] {
    match called {
        CalledAs::Vpython => [TWO, THREE],
        CalledAs::Vpython3 => [THREE, TWO],
    }
}

/// Checks whether a spec applies to the program of this name. For `vpython3`, a `.vpython` file
/// applies only if it states that it is for Python 3: LUCI's `vpython` uses 2.7 for a spec that
/// names no version. A spec that cannot be parsed applies, so that its mistake is reported.
/// `vpython` has no such restriction, and accepts each spec.
pub(super) fn counts(called: CalledAs, text: &SpecText) -> bool {
    called == CalledAs::Vpython || !text.is_for_vpython2() || luci::names_python3(&text.content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Origin, SpecKind};

    #[test]
    fn vpython3_skips_a_spec_for_python_2() {
        let rows = [
            ("python_version: '2.7'", false),
            ("python_version: '2'", false),
            ("", false),
            ("# nothing\n", false),
            ("python_version: ''", false),
            ("wheel < name: 'six' version: 'version:1' >", false),
            ("python_version: '3.8'", true),
            ("python_version: ' 3'", true),
            ("python_version: 3.8", true),
            ("python_version: '4'", true),
        ];
        for (content, expected) in rows {
            let text = |file: &str, kind| SpecText {
                kind,
                origin: Origin::file(file.into()),
                content: content.into(),
                ..SpecText::none()
            };
            for file in ["/a/.vpython", "/a/x.py.vpython"] {
                let two = text(file, SpecKind::Luci);
                assert_eq!(
                    counts(CalledAs::Vpython3, &two),
                    expected,
                    "{file}: {content}"
                );
                assert!(counts(CalledAs::Vpython, &two), "{file}: {content}");
            }
            for (file, kind) in [
                ("/a/.vpython3", SpecKind::Luci),
                ("/a/vpython.toml", SpecKind::VpythonToml),
            ] {
                assert!(
                    counts(CalledAs::Vpython3, &text(file, kind)),
                    "{file}: {content}"
                );
                assert!(
                    counts(CalledAs::Vpython, &text(file, kind)),
                    "{file}: {content}"
                );
            }
        }
    }
}
