//! Specs of LUCI's form as they would stand in the native form: which file is written, and with
//! what text.
//!
//! | where the spec stands | where it is written |
//! |---|---|
//! | `.vpython3`, `.vpython` | `vpython.toml` in the same directory |
//! | `SCRIPT.vpython3`, beside a script | a `# /// script` block in the script |
//! | `NAME.vpython3`, beside nothing | `NAME.toml`, to be named by `-vpython-spec` |
//! | between the guards in a script | a `# /// script` block in their place |
//!
//! Nothing is written here, and nothing planned: that both forms come to the same is for the caller
//! to see.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

use super::luci::{inline, native};
use super::{Origin, SpecKind, SpecText, pep723};
use crate::fs;
use crate::invocation::Chosen;
use crate::report::Failure;

/// How the names of LUCI's specs end.
const SUFFIXES: [&str; 2] = [".vpython3", ".vpython"];
/// Of several bytes at the beginning of a file: its encoding.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A spec of LUCI's form that can be written in the native one.
#[derive(Debug)]
pub struct Legacy {
    /// The spec as it is.
    pub text: SpecText,
    /// The file that it stands in.
    pub path: PathBuf,
    /// The file that the native form is written to.
    pub target: PathBuf,
    /// The native spec that the target has already: what an upgrade has left that was ended between
    /// writing and removing, or another.
    pub there: Option<SpecText>,
    /// The script whose text the native form becomes a part of.
    script: Option<Vec<u8>>,
}

/// A spec in the native form.
#[derive(Debug)]
pub struct Native {
    /// The whole content of the file.
    pub content: Vec<u8>,
    /// The spec, as it is read back from that content.
    pub text: SpecText,
}

/// What is known of the plan of a spec, and goes into its native form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// The versions to write for these projects, in place of public ones.
    pub exact: BTreeMap<PackageName, Version>,
    /// What listed wheels bring along: each project with its version, and the projects that require
    /// it.
    pub required: BTreeMap<PackageName, (Version, BTreeSet<PackageName>)>,
    /// The seeds, as requirements.
    pub seeds: Vec<String>,
    /// The Python versions to ask for where the spec names none.
    pub python: Option<VersionSpecifiers>,
}

/// Whether a file is a spec of LUCI's by its name.
#[must_use]
pub fn is_legacy_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    SUFFIXES
        .iter()
        .any(|suffix| name.ends_with(suffix.as_bytes()))
}

impl Legacy {
    /// Reads a file of any kind. None where it is a script without a block of LUCI's.
    ///
    /// # Errors
    /// It cannot be read; it is a spec that has no counterpart in the native form, or is none that
    /// counts.
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
        if stem.is_empty() {
            if name == b".vpython" && fs::is_file(&directory.join(".vpython3")) {
                return Err(cannot()
                    .because("`.vpython3` beside it becomes `vpython.toml`, which counts before it")
                    .hint("remove it")
                    .into());
            }
            return Self::to_file(text, path, directory.join("vpython.toml"));
        }
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
                    "`{}` is {what}, and only a script itself can have a `# /// script` block",
                    script.display()
                );
                Err(cannot().because(why).into())
            }
        }
    }

    /// A spec that becomes a file of its own.
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

    /// Whether the native form is still to be written.
    ///
    /// # Errors
    /// Something else is in its place.
    pub fn is_to_be_written(&self, native: &Native) -> Result<bool> {
        let Some(there) = &self.there else {
            return Ok(true);
        };
        if there.content == native.text.content {
            return Ok(false);
        }
        let what = if self.script.is_some() {
            "has a `# /// script` block already"
        } else {
            "is there already"
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
        if pep723::read(&content, &origin)?.block.is_some() {
            let why =
                "its `[VPYTHON:BEGIN]` block is never used: it has a `# /// script` block too";
            return Err(cannot().because(why).hint("remove one of the two").into());
        }
        let guard = pep723::lines(&content)[block.lines_before - 1];
        let prefix = inline::prefix_of_begin(guard);
        if !prefix.is_empty() && !prefix.starts_with(b"#") {
            let why = format!(
                "`{}` stands before `[VPYTHON:BEGIN]` in line {}",
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

    /// The spec in the native form, with what is known of its plan.
    ///
    /// # Errors
    /// It cannot be read, or says what the native form cannot say.
    pub fn to_native(&self, planned: &Planned) -> Result<Native> {
        let native = native::write(&self.text, planned)?;
        let Some(script) = &self.script else {
            let content = native.into_bytes();
            let text =
                super::find::from_bytes(&self.target, SpecKind::VpythonToml, content.clone())?;
            return Ok(Native { content, text });
        };
        if let Some(there) = &self.there {
            return Ok(Native {
                content: script.clone(),
                text: SpecText {
                    content: native,
                    ..there.clone()
                },
            });
        }
        let content = if self.path == self.target {
            in_place_of_block(
                script,
                self.text.origin.lines_before,
                &self.text.content,
                &native,
            )
        } else {
            behind_cookie(script, &native)
        };
        let origin = Origin::file(self.target.clone());
        let inside = super::find::inside_text(&content, origin, self.text.base.clone())?;
        match inside.filter(|text| text.kind == SpecKind::Pep723 && text.content == native) {
            Some(text) => Ok(Native { content, text }),
            None => Err(
                Failure::new(format!("cannot upgrade `{}`", self.path.display()))
                    .because("the text around it would change what a `# /// script` block says")
                    .into(),
            ),
        }
    }
}

/// The native form as a `# /// script` block, each line with this end.
fn block(native: &str, line_end: &str) -> String {
    let mut block = format!("# /// script{line_end}");
    for line in native.lines() {
        block += if line.is_empty() { "#" } else { "# " };
        block += line;
        block += line_end;
    }
    block + "# ///" + line_end
}

/// The script with the block in place of LUCI's, which has `content` behind `lines_before` lines,
/// the guard among these.
fn in_place_of_block(script: &[u8], lines_before: usize, content: &str, native: &str) -> Vec<u8> {
    let lines = pep723::lines(script);
    let offset = |line: &[u8]| line.as_ptr() as usize - script.as_ptr() as usize;
    let (begin, end) = (
        lines[lines_before - 1],
        lines[lines_before + content.lines().count()],
    );
    let line_end = line_end(&script[offset(begin) + begin.len()..]);
    let block = block(native, line_end);
    let block = block.strip_suffix(line_end).unwrap_or(&block);
    [
        &script[..offset(begin)],
        block.as_bytes(),
        &script[offset(end) + end.len()..],
    ]
    .concat()
}

/// The script with the block behind its `#!` line and its encoding, which count in the first two
/// lines alone (PEP 263).
fn behind_cookie(script: &[u8], native: &str) -> Vec<u8> {
    let lines = pep723::lines(script);
    let is_comment = |line: &[u8]| line.trim_ascii_start().starts_with(b"#");
    let is_cookie =
        |line: &[u8]| is_comment(line) && memchr::memmem::find(line, b"coding").is_some();
    let head = match (lines.first(), lines.get(1)) {
        (Some(first), Some(second)) if is_comment(first) && is_cookie(second) => 2,
        (Some(first), _) if first.starts_with(b"#!") || is_cookie(first) => 1,
        _ => 0,
    };
    let start = if script.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    let at = lines
        .get(head)
        .map_or(script.len(), |line| {
            line.as_ptr() as usize - script.as_ptr() as usize
        })
        .max(start);
    let line_end = memchr::memchr2(b'\n', b'\r', script)
        .map_or("\n", |newline| self::line_end(&script[newline..]));
    let block = block(native, line_end);
    let before = if at > start && !script[..at].ends_with(b"\n") {
        line_end
    } else {
        ""
    };
    let after = if at < script.len() { line_end } else { "" };
    [
        &script[..at],
        before.as_bytes(),
        block.as_bytes(),
        after.as_bytes(),
        &script[at..],
    ]
    .concat()
}

/// How the line ends whose end begins this text.
fn line_end(text: &[u8]) -> &'static str {
    match text {
        [b'\r', b'\n', ..] => "\r\n",
        [b'\r', ..] => "\r",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_stands_behind_what_must_come_first() {
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
                String::from_utf8_lossy(&behind_cookie(script, "a = 1\n\n")),
                expected,
                "{why}"
            );
        }
    }

    #[test]
    fn a_block_takes_the_place_of_the_guards() {
        let script =
            b"x = 1\r\n    # [VPYTHON:BEGIN]\r\n    # a\r\n    # [VPYTHON:END]\r\ny = '\xe9'";
        let changed = in_place_of_block(script, 2, "  a\n", "b\n");
        assert_eq!(
            changed,
            b"x = 1\r\n# /// script\r\n# b\r\n# ///\r\ny = '\xe9'"
        );
    }
}
