//! The store's directory: one that a flag or a variable names, or a throw-away one; and the shared
//! roots, which only a variable names.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Result;

use super::{Conf, refuse_tilde};
use crate::process::{Process, variable};

/// Returns the absolute root, and whether the store is a throw-away one: as for LUCI's vpython, an
/// empty value requests a store in a temporary directory. The flag, empty or not, overrides the
/// variable.
///
/// # Errors
/// A directory name begins with `~`.
pub(super) fn read(flag: Option<&OsStr>, process: &Process) -> Result<(Option<PathBuf>, bool)> {
    let by_variable = || {
        process
            .variable(variable::ROOT)
            .filter(|_| !process.is_elevated)
    };
    let named_by = if flag.is_some() {
        "-vpython-root"
    } else {
        variable::ROOT
    };
    match flag.or_else(by_variable) {
        None => Ok((None, false)),
        Some(root) if root.is_empty() => Ok((None, true)),
        Some(root) => {
            refuse_tilde(root, named_by)?;
            Ok((Some(process.absolute(OsStr::as_ref(root))), false))
        }
    }
}

/// Returns the absolute paths of the shared roots, in their order: those of the variable, or else
/// those of `vpython.conf`.
///
/// # Errors
/// A directory name begins with `~`.
pub(super) fn read_shared(conf: &Conf, process: &Process) -> Result<Vec<PathBuf>> {
    let Some(list) = process.setting(variable::SHARED_ROOTS) else {
        let of_site = conf.shared_roots.as_ref();
        return Ok(of_site.map_or_else(Vec::new, |roots| roots.value.clone()));
    };
    let named = std::env::split_paths(list).filter(|root| !root.as_os_str().is_empty());
    named
        .map(|root| {
            refuse_tilde(root.as_os_str(), variable::SHARED_ROOTS)?;
            Ok(process.absolute(&root))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Set;
    use super::*;

    #[test]
    fn shared_roots_are_a_path_list() {
        let process = |list: &str, is_elevated| Process {
            environment: vec![(variable::SHARED_ROOTS.into(), list.into())],
            directory: Some("/here".into()),
            is_elevated,
            ..Process::default()
        };
        let rows: [(&str, &[&str]); 3] =
            [("", &[]), ("/a", &["/a"]), (":/a::b", &["/a", "/here/b"])];
        for (list, expected) in rows {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(
                read_shared(&Conf::default(), &process(list, false)).unwrap(),
                expected,
                "{list}"
            );
        }
        let conf = Conf {
            shared_roots: Some(Set {
                value: vec!["/site".into()],
                line: 1,
            }),
            ..Conf::default()
        };
        let of_site = |list| read_shared(&conf, &process(list, false)).unwrap();
        assert_eq!(of_site("/a"), [Path::new("/a")], "the variable wins");
        assert_eq!(of_site(""), [Path::new("/site")]);
        let of_other = read_shared(&Conf::default(), &process("/a", true)).unwrap();
        assert!(
            of_other.is_empty(),
            "a caller with fewer privileges is ignored"
        );
    }

    #[test]
    fn an_empty_root_is_a_throw_away_store() {
        let rows = [
            (None, None, (None, false), "nothing is named"),
            (Some("/r"), None, (Some("/r"), false), "the flag names it"),
            (
                Some("r"),
                Some("/v"),
                (Some("/here/r"), false),
                "the flag beats the variable",
            ),
            (
                None,
                Some("/v"),
                (Some("/v"), false),
                "the variable names it",
            ),
            (Some(""), None, (None, true), "the flag is empty"),
            (
                Some(""),
                Some("/v"),
                (None, true),
                "the empty flag beats the variable",
            ),
            (None, Some(""), (None, true), "the variable is empty"),
            (
                Some("/r"),
                Some(""),
                (Some("/r"), false),
                "the flag beats the empty variable",
            ),
        ];
        for (flag, variable, (root, is_throw_away), why) in rows {
            let environment = variable
                .map(|value| (variable::ROOT.into(), value.into()))
                .into_iter()
                .collect();
            let process = Process {
                environment,
                directory: Some("/here".into()),
                ..Process::default()
            };
            let found = read(flag.map(OsStr::new), &process).unwrap();
            assert_eq!(
                (found.0.as_deref(), found.1),
                (root.map(Path::new), is_throw_away),
                "{why}"
            );
        }
        for value in ["", "/v"] {
            let environment = vec![(variable::ROOT.into(), value.into())];
            let process = Process {
                environment,
                is_elevated: true,
                ..Process::default()
            };
            assert_eq!(
                read(None, &process).unwrap(),
                (None, false),
                "a caller with fewer privileges is ignored"
            );
        }
    }
}
