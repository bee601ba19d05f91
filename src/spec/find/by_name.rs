//! Which of LUCI's two files counts, by the name that the program is called by. LUCI has one
//! program for each major version of Python: `vpython` reads `.vpython` alone, and `vpython3` reads
//! `.vpython3` alone. Here each reads its own file first, and else the other one, unless that is
//! for another major version than its own.

use crate::process::CalledAs;
use crate::spec::{SpecText, luci};

/// The file for Python 3.
const THREE: &str = ".vpython3";
/// The file for Python 2, as LUCI has it.
const TWO: &str = ".vpython";

/// The names and suffixes of the files, in the order in which they count.
pub(super) fn names(called: CalledAs) -> [&'static str; 2] {
    match called {
        CalledAs::Vpython => [TWO, THREE],
        CalledAs::Vpython3 => [THREE, TWO],
    }
}

/// Whether a spec counts for the program of this name. To `vpython3` a `.vpython` is a spec only
/// where it says that it is for Python 3: LUCI's `vpython` takes 2.7 for one that says nothing. One
/// that cannot be read counts, so that the mistake in it is not missed. `vpython` has no version of
/// its own beyond that, and takes each.
pub(super) fn counts(called: CalledAs, text: &SpecText) -> bool {
    called == CalledAs::Vpython || !text.is_for_vpython2() || luci::names_python3(&text.content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Origin, SpecKind};

    #[test]
    fn a_spec_for_python_2_is_none_for_vpython3() {
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
