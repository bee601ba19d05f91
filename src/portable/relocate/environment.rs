//! An environment that another tool created: its path, its contents, and the prefixes that its own
//! files contain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::prefixes::{self, Prefixes};
use super::scripts;
use super::shebang::{self, Script};
use crate::fs;
use crate::report::Failure;
use crate::store::MANIFEST;

/// The environment in its current state.
#[derive(Debug)]
pub(super) struct Environment {
    /// The current path.
    pub path: PathBuf,
    /// The site-packages directories, relative to the environment, for example
    /// `lib/python3.11/site-packages`.
    pub sites: Vec<PathBuf>,
    /// The text of `pyvenv.cfg`; empty for environments of virtualenv before 20.
    pub configuration: Vec<u8>,
}

/// The assignments by which activation scripts set the prefix, each as its line starts.
const ASSIGNMENTS: [&str; 11] = [
    "VIRTUAL_ENV=",
    "export VIRTUAL_ENV=",
    "setenv VIRTUAL_ENV ",
    "set -gx VIRTUAL_ENV ",
    "const virtual_env =",
    "let virtual_env =",
    "$VIRTUAL_ENV =",
    "$env:VIRTUAL_ENV =",
    "self.embedded_virtual_env =",
    "@set \"VIRTUAL_ENV=",
    "@for %%i in (",
];

impl Environment {
    /// Reads the environment in a directory.
    ///
    /// # Errors
    /// Returns an error if the directory is not an environment, or is one of vpython's own.
    pub fn open(path: PathBuf) -> Result<Self> {
        // virtualenv before 20 writes no `pyvenv.cfg`.
        let is_there = ["pyvenv.cfg", "bin/activate"]
            .iter()
            .any(|mark| fs::exists(&path.join(mark)));
        let cannot = || Failure::new(format!("cannot relocate `{}`", path.display()));
        if !is_there {
            return Err(cannot()
                .because(
                    "it is not a virtual environment: it has neither `pyvenv.cfg` nor `bin/activate`",
                )
                .into());
        }
        if fs::exists(&path.join(MANIFEST)) {
            return Err(cannot()
                .because("vpython created it; such an environment works at any path")
                .into());
        }
        let configuration = path.join("pyvenv.cfg");
        let configuration = if fs::look_for_file(&configuration)? {
            fs::read_text(&configuration, fs::limits::SETTINGS)?
        } else {
            Vec::new()
        };
        Ok(Self {
            sites: sites(&path)?,
            configuration,
            path,
        })
    }

    /// Returns a value of `pyvenv.cfg`.
    pub fn setting(&self, name: &str) -> Option<&[u8]> {
        settings(&self.configuration)
            .find(|(known, _)| *known == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Returns the prefix of the interpreter that the environment was created with.
    pub fn base_prefix(&self) -> Result<Option<Vec<u8>>> {
        let home = self
            .setting("home")
            .map(|home| home.strip_suffix(b"/bin").unwrap_or(home).to_vec());
        for site in &self.sites {
            let file = self.path.join(site).with_file_name("orig-prefix.txt");
            if home.is_none() && fs::look_for_file(&file)? {
                return Ok(Some(
                    fs::read_text(&file, fs::limits::SETTINGS)?
                        .trim_ascii()
                        .to_vec(),
                ));
            }
        }
        Ok(home)
    }

    /// Returns the minor version of its python from the names of its directories, for example
    /// `3.11`.
    pub fn version(&self) -> Option<String> {
        let directory = self.sites.first()?.parent()?.file_name()?.to_str()?;
        directory.strip_prefix("python").map(str::to_owned)
    }

    /// Collects the prefixes of the environment: those in its own files, and those `noted` by a run
    /// that was interrupted. `to` is the new prefix.
    ///
    /// # Errors
    /// Returns an error if a file of the environment cannot be read.
    pub fn prefixes(&self, to: &Path, noted: Vec<Vec<u8>>) -> Result<Prefixes> {
        let mut found: BTreeSet<Vec<u8>> = noted.into_iter().collect();
        // The current path, as given and without links.
        found.insert(self.path.as_os_str().as_encoded_bytes().to_vec());
        found.insert(
            fs::canonicalize(&self.path)?
                .into_os_string()
                .into_encoded_bytes(),
        );
        found.extend(self.setting("command").and_then(prefix_in_command));
        // Activation scripts assign the prefix; the other scripts name it in their first line.
        for file in self.programs()? {
            let content = fs::read(&file)?;
            if scripts::activation(&file).is_some() {
                found.extend(
                    content
                        .split(|byte| *byte == b'\n')
                        .flat_map(prefixes_in_assignment),
                );
            }
            let script = Script::parse(&content);
            let prefix = script
                .as_ref()
                .and_then(|script| shebang::prefix(&script.interpreter));
            found.extend(
                prefix
                    .filter(|prefix| is_former_prefix(&prefixes::path(prefix), &file))
                    .map(<[u8]>::to_vec),
            );
        }
        Ok(Prefixes::new(to, found, self.base_prefix()?.as_slice()))
    }

    /// Returns the regular files in `bin`.
    pub fn programs(&self) -> Result<Vec<PathBuf>> {
        let bin = self.path.join("bin");
        let mut files = Vec::new();
        for name in fs::list(&bin)?.unwrap_or_default() {
            let file = bin.join(name);
            if fs::link_metadata(&file)?.is_some_and(|metadata| metadata.is_file()) {
                files.push(file);
            }
        }
        Ok(files)
    }
}

/// Returns whether a script names a prefix because the environment was there before: either no
/// python is there any more, or an environment with the same script is, from which this one was
/// copied.
fn is_former_prefix(prefix: &Path, script: &Path) -> bool {
    let bin = prefix.join("bin");
    let has_python = ["python", "python3", "python2"]
        .iter()
        .any(|name| fs::exists(&bin.join(name)));
    let is_environment =
        fs::exists(&prefix.join("pyvenv.cfg")) || fs::exists(&bin.join("activate"));
    !has_python
        || is_environment
            && script
                .file_name()
                .is_some_and(|name| fs::exists(&bin.join(name)))
}

/// Returns the names and values in the text of a `pyvenv.cfg`.
pub(super) fn settings(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let equals = memchr::memchr(b'=', line)?;
        Some((line[..equals].trim_ascii(), line[equals + 1..].trim_ascii()))
    })
}

/// Returns `lib/pythonX.Y/site-packages`, and the same in `lib64` if that is a separate directory.
fn sites(path: &Path) -> Result<Vec<PathBuf>> {
    let mut sites = Vec::new();
    for library in ["lib", "lib64"] {
        let is_directory =
            fs::link_metadata(&path.join(library))?.is_some_and(|metadata| metadata.is_dir());
        for name in fs::list(&path.join(library))?
            .filter(|_| is_directory)
            .unwrap_or_default()
        {
            let site = Path::new(library).join(name).join("site-packages");
            if fs::exists(&path.join(&site)) {
                sites.push(site);
            }
        }
    }
    Ok(sites)
}

/// Returns the last words of `command = …/python -m venv [options] DIR`, as CPython 3.11 and
/// virtualenv 21 write it: without quotes.
fn prefix_in_command(command: &[u8]) -> Option<Vec<u8>> {
    let marks: [&[u8]; 2] = [b" -m venv ", b" -m virtualenv "];
    let (start, mark) = marks
        .iter()
        .find_map(|mark| Some((memchr::memmem::find(command, mark)?, mark)))?;
    let words = &command[start + mark.len() - 1..];
    let path = memchr::memmem::find(words, b" /")? + 1;
    Some(words[path..].to_vec())
}

/// Returns the path that a line of an activation script assigns, once with its escapes resolved and
/// once verbatim, since older tools quoted nothing.
fn prefixes_in_assignment(line: &[u8]) -> Vec<Vec<u8>> {
    let line = line.trim_ascii();
    let Some(value) = ASSIGNMENTS
        .iter()
        .find_map(|start| line.strip_prefix(start.as_bytes()))
    else {
        return Vec::new();
    };
    let Some(start) = memchr::memchr(b'/', value) else {
        return Vec::new();
    };
    // A path after a variable is not absolute.
    if memchr::memchr(b'$', &value[..start])
        .is_some_and(|dollar| !value[dollar..].starts_with(b"$(cygpath "))
    {
        return Vec::new();
    }
    let quote = value[..start].last().filter(|byte| b"'\"".contains(byte));
    let ends = |byte: &u8| match quote {
        Some(quote) => byte == quote,
        None => byte.is_ascii_whitespace() || b");".contains(byte),
    };
    // In shells, this sequence continues a single-quoted word after a quote.
    let joint: &[u8] = b"'\"'\"'";
    let (mut read, mut next) = (Vec::new(), start);
    while next < value.len() {
        match value[next] {
            b'\'' if quote == Some(&b'\'') && value[next..].starts_with(joint) => {
                read.push(b'\'');
                next += joint.len() - 1;
            }
            b'\\' if quote.is_some() && next + 1 < value.len() => {
                next += 1;
                read.push(value[next]);
            }
            byte if ends(&byte) => break,
            byte => read.push(byte),
        }
        next += 1;
    }
    let plain_end = value[start..]
        .iter()
        .position(ends)
        .map_or(value.len(), |end| start + end);
    vec![read, value[start..plain_end].to_vec()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_read_from_what_each_tool_writes() {
        let rows = [
            ("VIRTUAL_ENV=\"/a b\"", "/a b"),
            ("    export VIRTUAL_ENV=/old", "/old"),
            ("VIRTUAL_ENV=$(cygpath \"/old\")", "/old"),
            ("VIRTUAL_ENV='/it'\"'\"'s'", "/it's"),
            ("setenv VIRTUAL_ENV \"/old\"", "/old"),
            ("set -gx VIRTUAL_ENV '/it\\'s'", "/it's"),
            ("    let virtual_env = r#'/old'#", "/old"),
            ("$VIRTUAL_ENV = r\"/old\"", "/old"),
            (
                "@for %%i in (\"/old\") do @set \"VIRTUAL_ENV=%%~fi\"",
                "/old",
            ),
        ];
        for (line, expected) in rows {
            assert_eq!(
                prefixes_in_assignment(line.as_bytes())[0],
                expected.as_bytes(),
                "{line}"
            );
        }
        let none = [
            "VIRTUAL_ENV=$HOME/x",
            "unset VIRTUAL_ENV",
            "PATH=\"$VIRTUAL_ENV/bin:$PATH\"",
            "VIRTUAL_ENV=''",
        ];
        for line in none {
            assert!(prefixes_in_assignment(line.as_bytes()).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_command_ends_with_the_prefix() {
        let rows = [
            ("/usr/bin/python3 -m venv /old", Some("/old")),
            (
                "/usr/bin/python3 -m venv --without-pip --prompt=\"x y\" /a b/c",
                Some("/a b/c"),
            ),
            ("/t/bin/python -m virtualenv /old", Some("/old")),
            ("/usr/bin/python3 -m build", None),
        ];
        for (command, expected) in rows {
            let prefix = prefix_in_command(command.as_bytes());
            assert_eq!(prefix.as_deref(), expected.map(str::as_bytes), "{command}");
        }
    }
}
