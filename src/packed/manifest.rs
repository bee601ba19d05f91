//! The manifest inside an archive: what the packed environment consists of, and every member with
//! its digest.
//!
//! It is the file `vpython-pack.json` at the top of the environment, the first member of a `.tar`
//! or `.zip`. From it, `unpack` knows every member before it reads one. A manifest that was read
//! has passed [`PackManifest::parse`]: its members are sorted, no path occurs twice, the directory
//! of each member is a member too, and every link points inside the environment or to its
//! interpreter.

use std::collections::HashSet;
use std::path::{Component, Path};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::paths::{is_plain, stays_inside};
use crate::fs::Digest;
use crate::interpreter::{Facts, library_name};
use crate::packed::member::Member;
use crate::plan::{Key, Plan};

/// The file's path, relative to the environment.
pub const PACK_MANIFEST: &str = "vpython-pack.json";
/// The file that records what was changed while the environment was unpacked; no archive contains
/// it.
pub const UNPACK_STATE: &str = "vpython-unpack.json";
/// Incremented when the meaning of the manifest changes.
const VERSION: u32 = 1;

/// The contents of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackManifest {
    /// The version of this format.
    pub version: u32,
    /// The name of the package, if the archive is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The key of the plan that the environment was built from.
    pub key: String,
    /// The version of its python.
    pub python: String,
    /// The interpreter that must exist on the machine that unpacks the environment; `None` if no
    /// link points to one.
    pub interpreter: Option<String>,
    /// The wheels, sorted by name.
    pub wheels: Vec<ListedWheel>,
    /// The directory of the members in the archive, from the root; `None` if they are at the top.
    pub prefix: Option<String>,
    /// Everything in the environment except the manifest, sorted by the bytes of the path.
    pub members: Vec<Member>,
}

/// A wheel of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedWheel {
    /// The project's normalized name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The name of the wheel file.
    pub file_name: String,
    /// The digest of the wheel file.
    pub sha256: Digest,
}

impl PackManifest {
    /// The manifest of an environment that was built from a plan, with these members.
    ///
    /// # Errors
    /// Returns an error if the path of the interpreter is not UTF-8, or if an archive cannot
    /// contain one of the members.
    pub fn of(plan: &Plan, key: &Key, members: Vec<Member>) -> Result<Self> {
        // Only a link to the interpreter leads out of an environment.
        let leads_out = |member: &Member| matches!(member, Member::Link { target, .. } if target.starts_with('/'));
        let interpreter = plan.interpreter.executable.to_str().map(str::to_owned);
        let wheels = plan.wheels.iter().map(|wheel| ListedWheel {
            name: wheel.name.to_string(),
            version: wheel.version.to_string(),
            file_name: wheel
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            sha256: wheel.sha256,
        });
        let manifest = Self {
            version: VERSION,
            name: None,
            key: key.as_str().to_owned(),
            python: plan.interpreter.version().to_string(),
            interpreter: interpreter.filter(|_| members.iter().any(leads_out)),
            wheels: wheels.collect(),
            prefix: None,
            members,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest of the copy of an interpreter, or of its libraries, with these members.
    ///
    /// # Errors
    /// Returns an error if an archive cannot contain one of the members.
    pub fn of_interpreter(
        interpreter: &Facts,
        prefix: Option<&str>,
        members: Vec<Member>,
    ) -> Result<Self> {
        let manifest = Self {
            version: VERSION,
            name: None,
            key: String::new(),
            python: interpreter.version().to_string(),
            interpreter: None,
            wheels: Vec::new(),
            prefix: prefix.map(str::to_owned),
            members,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks whether the environment is one for free-threaded builds, whose libraries are in
    /// `lib/python3.13t`.
    #[must_use]
    pub fn is_free_threaded(&self) -> bool {
        let mut release = self.python.split('.');
        let (Some(major), Some(minor)) = (release.next(), release.next()) else {
            return false;
        };
        let libraries = format!("lib/{}", library_name(major, minor, true));
        self.members.iter().any(|member| member.path() == libraries)
    }

    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// Returns an error if it has another format version, or violates the invariants in this
    /// module's documentation.
    pub fn parse(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let head: Head = serde_json::from_slice(text)?;
        ensure!(
            head.version == VERSION,
            "its format version is {}, but this vpython reads version {VERSION}",
            head.version
        );
        let manifest: Self = serde_json::from_slice(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Serializes the manifest; equal manifests have equal texts.
    ///
    /// # Errors
    /// None in practice.
    pub fn text(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    fn check(&self) -> Result<()> {
        // The prefix is a normalized absolute path.
        if let Some(prefix) = &self.prefix {
            let relative = prefix.strip_prefix('/').unwrap_or_default();
            ensure!(
                is_plain(relative),
                "`{prefix}` is not a normalized absolute path"
            );
        }
        let sizes = self
            .members
            .iter()
            .try_fold(0_u64, |sum, member| sum.checked_add(member.size()));
        ensure!(
            sizes.is_some(),
            "the total size of its members exceeds 64 bits"
        );
        // Each member follows its directory, in ascending order and without duplicates.
        let mut directories = HashSet::new();
        let mut before = "";
        for member in &self.members {
            let path = member.path();
            ensure!(
                is_plain(path) && ![PACK_MANIFEST, UNPACK_STATE].contains(&path),
                "`{path}` cannot be the path of a member"
            );
            ensure!(before < path, "`{path}` is out of order or listed twice");
            before = path;
            if let Some((directory, _)) = path.rsplit_once('/') {
                ensure!(
                    directories.contains(directory),
                    "`{path}` is not in a listed directory"
                );
            }
            match member {
                Member::Directory { path } => drop(directories.insert(path.as_str())),
                Member::Link { path, target } => {
                    let is_right = stays_inside(path, target) || self.is_of_interpreter(target);
                    ensure!(
                        is_right,
                        "`{path}` is a link to `{target}`, outside the environment"
                    );
                }
                Member::File { .. } => {}
            }
        }
        Ok(())
    }

    /// Returns whether a link target is the interpreter, or lies under its prefix, as the standard
    /// library does.
    fn is_of_interpreter(&self, target: &str) -> bool {
        let Some(interpreter) = self.interpreter.as_deref().map(Path::new) else {
            return false;
        };
        let target = Path::new(target);
        let is_absolute = |path: &Path| {
            path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
        };
        let prefix = interpreter
            .parent()
            .and_then(Path::parent)
            .filter(|prefix| prefix.parent().is_some());
        is_absolute(target)
            && (target == interpreter || prefix.is_some_and(|prefix| target.starts_with(prefix)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::member::Mode;

    fn directory(path: &str) -> Member {
        Member::Directory { path: path.into() }
    }

    fn file(path: &str) -> Member {
        Member::File {
            path: path.into(),
            mode: Mode::Executable,
            size: 3,
            sha256: Digest::of(b"abc"),
        }
    }

    fn huge(path: &str) -> Member {
        Member::File {
            path: path.into(),
            mode: Mode::Plain,
            size: u64::MAX / 2 + 1,
            sha256: Digest::of(b"abc"),
        }
    }

    fn link(path: &str, target: &str) -> Member {
        Member::Link {
            path: path.into(),
            target: target.into(),
        }
    }

    fn manifest(members: Vec<Member>) -> PackManifest {
        PackManifest {
            version: VERSION,
            name: None,
            key: "k".into(),
            python: "3.11.7".into(),
            interpreter: Some("/usr/bin/python3.11".into()),
            wheels: Vec::new(),
            prefix: Some("/opt/app".into()),
            members,
        }
    }

    #[test]
    fn a_written_manifest_is_read_back() {
        let members = vec![
            directory("bin"),
            link("bin/python3", "/usr/bin/python3.11"),
            file("bin/tool"),
            directory("lib"),
            link("lib64", "lib"),
        ];
        let written = manifest(members);
        assert_eq!(
            PackManifest::parse(&written.text().unwrap()).unwrap(),
            written
        );
    }

    #[test]
    fn invalid_manifests_are_rejected() {
        let rows = [
            (vec![file("/a")], "`/a` cannot be the path of a member"),
            (
                vec![file("a/../b")],
                "`a/../b` cannot be the path of a member",
            ),
            (vec![file("a//b")], "`a//b` cannot be the path of a member"),
            (vec![file("")], "`` cannot be the path of a member"),
            (
                vec![file(PACK_MANIFEST)],
                "`vpython-pack.json` cannot be the path of a member",
            ),
            (
                vec![file(UNPACK_STATE)],
                "`vpython-unpack.json` cannot be the path of a member",
            ),
            (
                vec![huge("a"), huge("b")],
                "the total size of its members exceeds 64 bits",
            ),
            (
                vec![file("a"), file("a")],
                "`a` is out of order or listed twice",
            ),
            (
                vec![file("b"), file("a")],
                "`a` is out of order or listed twice",
            ),
            (vec![file("a/b")], "`a/b` is not in a listed directory"),
            (
                vec![link("a", "b"), file("a/b")],
                "`a/b` is not in a listed directory",
            ),
            (
                vec![file("a"), file("a/b")],
                "`a/b` is not in a listed directory",
            ),
            (
                vec![link("a", "../b")],
                "`a` is a link to `../b`, outside the environment",
            ),
            (
                vec![link("a", "/etc/passwd")],
                "`a` is a link to `/etc/passwd`, outside the environment",
            ),
            (
                vec![link("a", "/usr/../etc")],
                "`a` is a link to `/usr/../etc`, outside the environment",
            ),
            (
                vec![link("a", "")],
                "`a` is a link to ``, outside the environment",
            ),
            (
                vec![directory("a"), link("a/b", "c/../../..")],
                "`a/b` is a link to `c/../../..`, outside the environment",
            ),
        ];
        for (members, why) in rows {
            let text = manifest(members).text().unwrap();
            assert_eq!(PackManifest::parse(&text).unwrap_err().to_string(), why);
        }
        let text = br#"{"version": 2}"#;
        let why = "its format version is 2, but this vpython reads version 1";
        assert_eq!(PackManifest::parse(text).unwrap_err().to_string(), why);
    }

    #[test]
    fn links_may_point_inside_the_environment_and_to_the_interpreter() {
        for target in [
            "b",
            "../b",
            "../a/b",
            "./b",
            ".",
            "/usr/bin/python3.11",
            "/usr/lib/python3.11/os.py",
            "b/",
        ] {
            manifest(vec![directory("a"), link("a/c", target)])
                .check()
                .unwrap();
        }
    }
}
