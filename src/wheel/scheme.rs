//! The destination of a wheel's member. Only this module turns member names into paths.
//!
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-data-directory>

use std::path::{Component, Path};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::report::Failure;

/// A data scheme: a directory of the environment into which files of wheels are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `purelib` and `platlib`, which are the same directory in an environment.
    Site,
    /// Programs.
    Scripts,
    /// C headers.
    Headers,
    /// Any file, relative to the environment.
    Data,
}

impl Scheme {
    /// Returns the scheme of a directory in `.data`.
    fn of(name: &str) -> Option<Self> {
        match name {
            "purelib" | "platlib" => Some(Self::Site),
            "scripts" => Some(Self::Scripts),
            "headers" => Some(Self::Headers),
            "data" => Some(Self::Data),
            _ => None,
        }
    }

    /// Returns its directory in an unpacked wheel.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Scripts => "scripts",
            Self::Headers => "headers",
            Self::Data => "data",
        }
    }
}

/// The destination of a member: a scheme and a path in its directory, of plain names joined by `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    pub scheme: Scheme,
    pub path: String,
}

impl Destination {
    /// Returns the destination of a member, by its name in the archive. `data` is the wheel's
    /// `.data` directory.
    ///
    /// # Errors
    /// The name leads out of its directory, or is in an unknown scheme.
    pub fn of(member: &str, data: &str) -> Result<Self> {
        check_name(member)?;
        let in_data = member
            .strip_prefix(data)
            .and_then(|rest| rest.strip_prefix('/'));
        let Some(in_data) = in_data else {
            return Ok(Self {
                scheme: Scheme::Site,
                path: member.to_owned(),
            });
        };
        // In `.data`, the first directory is the scheme.
        let (directory, path) = in_data.split_once('/').unwrap_or((in_data, ""));
        match Scheme::of(directory) {
            Some(scheme) if !path.is_empty() => Ok(Self {
                scheme,
                path: path.to_owned(),
            }),
            _ => Err(
                Failure::new(format!("member `{member}` is in no data scheme"))
                    .because(
                        "the schemes are `purelib`, `platlib`, `scripts`, `headers` and `data`",
                    )
                    .into(),
            ),
        }
    }
}

/// Rejects a name that is not a relative path of plain names in every unzip program.
/// Returns whether a path consists of plain names, as a member of a wheel must.
pub fn is_plain(path: &str) -> bool {
    check_name(path).is_ok()
}

fn check_name(member: &str) -> Result<()> {
    let is_plain = |path: &Path| {
        path.components()
            .all(|part| matches!(part, Component::Normal(_)))
    };
    let why = if member.starts_with('/') {
        "is absolute"
    } else if member.contains('\\') {
        "has a backslash, which some programs read as a slash"
    } else if member.chars().any(char::is_control) {
        "has a control character"
    } else if member
        .split('/')
        .any(|name| name.is_empty() || name == "." || name == "..")
        || !is_plain(Path::new(member))
    {
        "is not a path of plain names"
    } else {
        return Ok(());
    };
    Err(Failure::new(format!("the name of member `{member}` {why}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_goes_into_its_scheme() {
        let rows = [
            ("a/b.py", Scheme::Site, "a/b.py"),
            (
                "a-1.0.dist-info/METADATA",
                Scheme::Site,
                "a-1.0.dist-info/METADATA",
            ),
            ("a-1.0.data/purelib/a.py", Scheme::Site, "a.py"),
            ("a-1.0.data/platlib/a.so", Scheme::Site, "a.so"),
            ("a-1.0.data/scripts/run", Scheme::Scripts, "run"),
            ("a-1.0.data/headers/a.h", Scheme::Headers, "a.h"),
            ("a-1.0.data/data/share/x/y", Scheme::Data, "share/x/y"),
            ("a-1.0.data.py", Scheme::Site, "a-1.0.data.py"),
        ];
        for (member, scheme, path) in rows {
            assert_eq!(
                Destination::of(member, "a-1.0.data").unwrap(),
                Destination {
                    scheme,
                    path: path.into()
                }
            );
        }
    }

    #[test]
    fn a_member_stays_in_its_directory() {
        let rows = [
            (
                "../a.py",
                "the name of member `../a.py` is not a path of plain names",
            ),
            (
                "a/../../b",
                "the name of member `a/../../b` is not a path of plain names",
            ),
            (
                "a//b",
                "the name of member `a//b` is not a path of plain names",
            ),
            (
                "./a",
                "the name of member `./a` is not a path of plain names",
            ),
            ("", "the name of member `` is not a path of plain names"),
            (
                "/etc/passwd",
                "the name of member `/etc/passwd` is absolute",
            ),
            (
                "a\\b",
                "the name of member `a\\b` has a backslash, which some programs read as a slash",
            ),
            ("a\nb", "the name of member `a\nb` has a control character"),
            (
                "a-1.0.data/scripts/../../x",
                "the name of member `a-1.0.data/scripts/../../x` is not a path of plain names",
            ),
            (
                "a-1.0.data/etc/x",
                "member `a-1.0.data/etc/x` is in no data scheme",
            ),
            ("a-1.0.data/x", "member `a-1.0.data/x` is in no data scheme"),
        ];
        for (member, message) in rows {
            assert_eq!(
                Destination::of(member, "a-1.0.data")
                    .unwrap_err()
                    .to_string(),
                message
            );
        }
    }
}
