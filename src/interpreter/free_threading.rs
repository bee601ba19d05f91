//! Free-threaded builds, which have no global interpreter lock (PEP 703): whether the search accepts
//! one.
//!
//! Most wheels with extension modules are for normal builds, so these come first, as they do for uv.

use super::Facts;
use super::version::{NamedVersion, VersionedName};
use crate::spec::{Located, PythonRange};

/// The minor version from which on these builds are supported and not experimental (PEP 779).
const SUPPORTED: u32 = 14;

/// The free-threaded builds that a search accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FreeThreading {
    /// None, since there may be a normal build.
    Avoided,
    /// Those that are supported, since there is no normal build.
    LastResort,
    /// All, and no normal builds, since the spec or the caller requests one.
    Requested,
}

impl FreeThreading {
    /// Returns what a search for these versions accepts first.
    pub fn accepted(wanted: Option<&Located<PythonRange>>, version: Option<&NamedVersion>) -> Self {
        let is_requested = wanted.is_some_and(|wanted| wanted.value.free_threaded)
            || version.is_some_and(|version| version.free_threaded);
        if is_requested {
            Self::Requested
        } else {
            Self::Avoided
        }
    }

    /// Checks whether to consider a program of this name.
    pub fn admits(self, name: VersionedName) -> bool {
        match self {
            Self::Avoided => !name.free_threaded,
            Self::LastResort => true,
            Self::Requested => name.free_threaded,
        }
    }

    /// Returns the reason why an interpreter is skipped.
    pub fn objection(self, facts: &Facts) -> Option<String> {
        if !facts.abi.free_threaded || self == Self::Requested {
            return None;
        }
        let [major, minor, _] = facts.release;
        let otherwise = match self {
            _ if minor < SUPPORTED => "",
            Self::Avoided => " or there is no other build",
            _ => return None,
        };
        Some(format!(
            "it is {} {}, which is used only if `{major}.{minor}t` is requested{otherwise}",
            facts.implementation_title(),
            facts.version()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::expect;

    use super::*;
    use crate::fs::{self, Stamps};
    use crate::interpreter::{InterpreterChoice, find, probe};
    use crate::invocation::Invocation;
    use crate::process::Process;
    use crate::report;
    use crate::spec::{Location, Spec};

    /// Creates a file at each path, which has the facts of this version, `t` for a free-threaded
    /// build.
    fn install(root: &Path, pythons: &[(&str, [u32; 3], &str)]) {
        fs::create_dir_all(&root.join("memo"), 0o700).unwrap();
        for (path, release, threads) in pythons {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap(), 0o755).unwrap();
            fs::write_new(&path, b"\x7fELF", 0o755).unwrap();
            let mut facts = super::super::tests::facts(*release);
            facts.executable.clone_from(&path);
            facts.abi.free_threaded = !threads.is_empty();
            probe::assume(&path, &facts, &root.join("memo"));
        }
    }

    /// Returns the path of the interpreter that the search selects, or the error message.
    fn selected(root: &Path, requested: Option<&str>, spec: &Spec) -> String {
        let variable = |name: &str, path: &str| (name.into(), root.join(path).into_os_string());
        let mut process = Process {
            environment: vec![
                variable("PATH", "bin"),
                variable("PYENV_ROOT", "pyenv"),
                variable("UV_PYTHON_INSTALL_DIR", "uv"),
            ],
            conf_files: Vec::new(),
            user: nix::unistd::geteuid().as_raw(),
            ..Process::default()
        };
        process.arguments = requested
            .map(|version| format!("-vpython-interpreter={version}").into())
            .into_iter()
            .collect();
        let found = find(
            &Invocation::read(&process).unwrap(),
            spec,
            &process,
            Some(&root.join("memo")),
            &mut Stamps::default(),
            &mut InterpreterChoice::default(),
        );
        let root = format!("{}/", root.display());
        match found {
            Ok(facts) => facts.executable.display().to_string(),
            Err(error) => report::render(&error),
        }
        .replace(&root, "")
    }

    fn spec(range: &str, free_threaded: bool) -> Spec {
        let value = PythonRange {
            specifiers: range.parse().unwrap(),
            free_threaded,
            key: "python_version",
            written: range.into(),
        };
        let place = Location {
            file: Some("/src/.vpython3".into()),
            line: 1,
            column: 1,
        };
        Spec {
            requires_python: Some(Located { value, place }),
            ..Spec::default()
        }
    }

    #[test]
    fn a_normal_build_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        install(
            root,
            &[
                ("bin/python3", [3, 14, 1], "t"),
                ("bin/python3.13t", [3, 13, 2], "t"),
                ("bin/python3.14t", [3, 14, 0], "t"),
                ("bin/python3.12", [3, 12, 5], ""),
                ("pyenv/versions/3.14.2t/bin/python3", [3, 14, 2], "t"),
                ("pyenv/versions/3.13.1/bin/python3", [3, 13, 1], ""),
                (
                    "uv/cpython-3.15.0+freethreaded-linux-x86_64-gnu/bin/python3",
                    [3, 15, 0],
                    "t",
                ),
                (
                    "uv/cpython-3.15.0-linux-x86_64-gnu/bin/python3",
                    [3, 15, 0],
                    "",
                ),
            ],
        );
        let any = Spec::default();
        let rows = [
            (None, &any, "bin/python3.12"),
            (Some("3.13"), &any, "pyenv/versions/3.13.1/bin/python3"),
            (Some("3.13t"), &any, "bin/python3.13t"),
            (Some("3.13.2t"), &any, "bin/python3.13t"),
            (Some("3.14"), &any, "bin/python3"),
            (Some("3.14t"), &any, "bin/python3.14t"),
            (Some("3.14.2t"), &any, "pyenv/versions/3.14.2t/bin/python3"),
            (
                Some("3.15"),
                &any,
                "uv/cpython-3.15.0-linux-x86_64-gnu/bin/python3",
            ),
            (
                Some("3.15t"),
                &any,
                "uv/cpython-3.15.0+freethreaded-linux-x86_64-gnu/bin/python3",
            ),
            (
                None,
                &spec("==3.13.*", false),
                "pyenv/versions/3.13.1/bin/python3",
            ),
            (None, &spec("==3.13.*", true), "bin/python3.13t"),
            (None, &spec("==3.14.*", false), "bin/python3"),
        ];
        for (requested, spec, expected) in rows {
            assert_eq!(selected(root, requested, spec), expected, "{requested:?}");
        }
    }

    #[test]
    fn an_experimental_build_is_used_only_on_request() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        install(
            root,
            &[
                ("bin/python3", [3, 13, 2], "t"),
                ("pyenv/versions/3.12.5/bin/python3", [3, 12, 5], ""),
            ],
        );
        expect![[r#"
            vpython: error: no interpreter satisfies `python_version: "==3.13.*"` (`/src/.vpython3`, line 1)
              caused by: `bin/python3`: it is free-threaded CPython 3.13.2, which is used only if `3.13t` is requested
              caused by: `pyenv/versions/3.12.5/bin/python3`: it is CPython 3.12.5, but `python_version` is `==3.13.*` (`/src/.vpython3`, line 1)
              hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`
        "#]]
        .assert_eq(&selected(root, None, &spec("==3.13.*", false)));
        let error = selected(root, Some("3.12t"), &Spec::default());
        let why =
            "`pyenv/versions/3.12.5/bin/python3`: it is CPython 3.12.5, but 3.12t is requested\n";
        assert!(error.contains(why), "{error}");
    }
}
