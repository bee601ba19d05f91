//! Conversion of LUCI specs to the native form: the target file, and its new text.
//!
//! | LUCI spec | native spec |
//! |---|---|
//! | `.vpython3`, `.vpython` | `vpython.toml` in the same directory |
//! | `SCRIPT.vpython3`, next to a script | a `# /// script` block in the script |
//! | `NAME.vpython3`, next to nothing | `NAME.toml`, for `-vpython-spec` |
//! | between the guards in a script | a `# /// script` block in their place |
//!
//! This module writes no files and makes no plans: the caller checks that both forms resolve to the
//! same environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

use super::luci::{inline, native};
use super::script_block::{insert_block, replace_block};
use super::{Origin, SpecKind, SpecText, pep723};
use crate::fs;
use crate::invocation::Chosen;
use crate::report::Failure;

/// The suffixes of LUCI spec files.
const SUFFIXES: [&str; 2] = [".vpython3", ".vpython"];

/// A LUCI spec that can be converted to the native form.
#[derive(Debug)]
pub struct Legacy {
    /// The LUCI spec.
    pub text: SpecText,
    /// The file that contains the LUCI spec.
    pub path: PathBuf,
    /// The file that the native form is written to.
    pub target: PathBuf,
    /// The native spec that the target already contains: either from an upgrade that was
    /// interrupted between writing and removing, or an unrelated one.
    pub there: Option<SpecText>,
    /// The text of the script that the native form is inserted into.
    script: Option<Vec<u8>>,
}

/// A spec in the native form.
#[derive(Debug)]
pub struct Native {
    /// The whole content of the target file.
    pub content: Vec<u8>,
    /// The spec, as parsed back from that content.
    pub text: SpecText,
}

/// The parts of a spec's plan that its native form records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// The local versions to write for these projects, instead of public ones.
    pub exact: BTreeMap<PackageName, Version>,
    /// The dependencies of listed wheels: each project with its version and the projects that
    /// require it.
    pub required: BTreeMap<PackageName, (Version, BTreeSet<PackageName>)>,
    /// The seeds, as requirements.
    pub seeds: Vec<String>,
    /// The Python versions to require if the spec names none.
    pub python: Option<VersionSpecifiers>,
}

/// Checks whether a file name is that of a LUCI spec.
#[must_use]
pub fn is_legacy_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    SUFFIXES
        .iter()
        .any(|suffix| name.ends_with(suffix.as_bytes()))
}

impl Legacy {
    /// Reads a file of any kind; returns `None` for a script without a LUCI block.
    ///
    /// # Errors
    /// The file cannot be read, its spec has no counterpart in the native form, or vpython would
    /// not use it.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if is_legacy_name(path) {
            Self::read_file(path).map(Some)
        } else {
            Self::read_script(path)
        }
    }

    fn read_file(path: &Path) -> Result<Self> {
        let text =
            super::find::from_bytes(path, SpecKind::Luci, fs::read_text(path, fs::limits::SPEC)?)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default().as_bytes();
        let stem = SUFFIXES
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix.as_bytes()))
            .unwrap_or(name);
        let cannot = || Failure::new(format!("cannot upgrade `{}`", path.display()));
        // `.vpython3` or `.vpython`: becomes `vpython.toml`.
        if stem.is_empty() {
            if name == b".vpython" && fs::is_file(&directory.join(".vpython3")) {
                return Err(cannot()
                    .because("`.vpython3` in the same directory becomes `vpython.toml`, which takes precedence")
                    .hint("remove it")
                    .into());
            }
            return Self::to_file(text, path, directory.join("vpython.toml"));
        }
        // A partner file: becomes a block in its script, or a file of its own without one.
        let script = directory.join(OsStr::from_bytes(stem));
        match fs::link_metadata(&script)? {
            None => Self::to_file(
                text,
                path,
                directory.join(OsStr::from_bytes(&[stem, b".toml"].concat())),
            ),
            Some(metadata) if metadata.is_file() => {
                let content = fs::read_text(&script, fs::limits::PROGRAM)?;
                let inside = super::find::inside_text(
                    &content,
                    Origin::file(script.clone()),
                    text.base.clone(),
                )?;
                let there = inside.filter(|inside| inside.kind == SpecKind::Pep723);
                Ok(Self {
                    text,
                    path: path.to_path_buf(),
                    target: script,
                    there,
                    script: Some(content),
                })
            }
            Some(metadata) => {
                let what = if metadata.is_symlink() {
                    "a link"
                } else {
                    "a directory"
                };
                let why = format!(
                    "`{}` is {what}, and only a regular file can contain a `# /// script` block",
                    script.display()
                );
                Err(cannot().because(why).into())
            }
        }
    }

    /// Prepares a spec that becomes a file of its own.
    fn to_file(text: SpecText, path: &Path, target: PathBuf) -> Result<Self> {
        let there = match fs::link_metadata(&target)? {
            None => None,
            Some(_) => Some(super::find::from_bytes(
                &target,
                SpecKind::VpythonToml,
                fs::read_text(&target, fs::limits::SPEC)?,
            )?),
        };
        Ok(Self {
            text,
            path: path.to_path_buf(),
            target,
            there,
            script: None,
        })
    }

    /// Checks whether the native form still has to be written.
    ///
    /// # Errors
    /// The target already contains something else.
    pub fn is_to_be_written(&self, native: &Native) -> Result<bool> {
        let Some(there) = &self.there else {
            return Ok(true);
        };
        if there.content == native.text.content {
            return Ok(false);
        }
        let what = if self.script.is_some() {
            "already has a `# /// script` block"
        } else {
            "already exists"
        };
        let why = format!("`{}` {what}", self.target.display());
        Err(
            Failure::new(format!("cannot upgrade `{}`", self.path.display()))
                .because(why)
                .hint("remove one of the two")
                .into(),
        )
    }

    fn read_script(path: &Path) -> Result<Option<Self>> {
        let content = fs::read_text(path, fs::limits::SPEC)?;
        let origin = Origin::file(path.to_path_buf());
        let Some(block) = inline::read(&content, &origin)? else {
            return Ok(None);
        };
        let cannot = || Failure::new(format!("cannot upgrade `{}`", path.display()));
        // vpython would use the `# /// script` block, not LUCI's.
        if pep723::read(&content, &origin)?.block.is_some() {
            let why =
                "its `[VPYTHON:BEGIN]` block is unused: the script also has a `# /// script` block";
            return Err(cannot().because(why).hint("remove one of the two").into());
        }
        // The guard must be alone on its line, or the block's replacement would drop code.
        let guard = pep723::lines(&content)[block.lines_before - 1];
        let prefix = inline::prefix_of_begin(guard);
        if !prefix.is_empty() && !prefix.starts_with(b"#") {
            let why = format!(
                "`{}` precedes `[VPYTHON:BEGIN]` on line {}",
                String::from_utf8_lossy(prefix),
                block.lines_before
            );
            return Err(cannot()
                .because(why)
                .hint("put the guard on a line of its own")
                .into());
        }
        let text = SpecText {
            kind: SpecKind::Luci,
            origin: Origin {
                lines_before: block.lines_before,
                ..origin
            },
            base: path.parent().map(Path::to_path_buf),
            content: block.content,
            warnings: Vec::new(),
            chosen: Chosen::default(),
        };
        Ok(Some(Self {
            text,
            path: path.to_path_buf(),
            target: path.to_path_buf(),
            there: None,
            script: Some(content),
        }))
    }

    /// Converts the spec to the native form, including the given parts of its plan.
    ///
    /// # Errors
    /// The spec cannot be parsed, or uses features that the native form lacks.
    pub fn to_native(&self, planned: &Planned) -> Result<Native> {
        let native = native::write(&self.text, planned)?;
        // A file that holds nothing but a spec becomes a `vpython.toml`.
        let Some(script) = &self.script else {
            let content = native.into_bytes();
            let text =
                super::find::from_bytes(&self.target, SpecKind::VpythonToml, content.clone())?;
            return Ok(Native { content, text });
        };
        // The script has a native spec already, for example that of an interrupted upgrade.
        if let Some(there) = &self.there {
            return Ok(Native {
                content: script.clone(),
                text: SpecText {
                    content: native,
                    ..there.clone()
                },
            });
        }
        // Insert the block, and check that vpython reads it back unchanged.
        let content = if self.path == self.target {
            replace_block(
                script,
                self.text.origin.lines_before,
                &self.text.content,
                &native,
            )
        } else {
            insert_block(script, &native)
        };
        let origin = Origin::file(self.target.clone());
        let inside = super::find::inside_text(&content, origin, self.text.base.clone())?;
        match inside.filter(|text| text.kind == SpecKind::Pep723 && text.content == native) {
            Some(text) => Ok(Native { content, text }),
            None => Err(
                Failure::new(format!("cannot upgrade `{}`", self.path.display()))
                    .because(
                        "the surrounding text would change the meaning of a `# /// script` block",
                    )
                    .into(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_follows_the_lines_that_must_come_first() {
        let rows: &[(&[u8], &[u8], &str)] = &[
            (b"import x\n", b"[]\nimport x\n", "nothing must"),
            (
                b"#!/bin/x\nimport x\n",
                b"#!/bin/x\n[]\nimport x\n",
                "the interpreter",
            ),
            (
                b"# -*- coding: latin-1 -*-\n'\xe9'\n",
                b"# -*- coding: latin-1 -*-\n[]\n'\xe9'\n",
                "the encoding",
            ),
            (
                b"#!/bin/x\n# vim: fileencoding=utf-8\n",
                b"#!/bin/x\n# vim: fileencoding=utf-8\n[]",
                "both",
            ),
            (
                b"#!/bin/x\r\nimport x\r\n",
                b"#!/bin/x\r\n[\r]\r\nimport x\r\n",
                "with CR LF",
            ),
            (
                b"\xef\xbb\xbfimport x\n",
                b"\xef\xbb\xbf[]\nimport x\n",
                "a byte order mark",
            ),
            (b"#!/bin/x", b"#!/bin/x\n[]", "a line without an end"),
            (b"", b"[]", "an empty script"),
        ];
        for (script, expected, why) in rows {
            let expected = String::from_utf8_lossy(expected)
                .replace("[\r]", "# /// script\r\n# a = 1\r\n#\r\n# ///\r\n");
            let expected = expected.replace("[]", "# /// script\n# a = 1\n#\n# ///\n");
            assert_eq!(
                String::from_utf8_lossy(&insert_block(script, "a = 1\n\n")),
                expected,
                "{why}"
            );
        }
    }

    #[test]
    fn a_block_replaces_the_guards() {
        let script =
            b"x = 1\r\n    # [VPYTHON:BEGIN]\r\n    # a\r\n    # [VPYTHON:END]\r\ny = '\xe9'";
        let changed = replace_block(script, 2, "  a\n", "b\n");
        assert_eq!(
            changed,
            b"x = 1\r\n# /// script\r\n# b\r\n# ///\r\ny = '\xe9'"
        );
    }
}
