//! Edits for the files in `site-packages` that contain paths: import paths, editable projects, and
//! the origins of distributions. Also for the kernels that Jupyter finds in an environment.

use std::path::{Path, PathBuf};

use anyhow::Result;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{self, Prefixes};
use super::quoting::Language;
use super::scripts::current_path;
use crate::fs;

/// The characters that a URL's path must escape, as in python's `pathname2url`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

/// The environment and its prefixes.
pub(super) struct Paths<'a> {
    pub environment: &'a Environment,
    pub prefixes: &'a Prefixes,
}

/// Plans the edits for each file that may contain a path.
///
/// # Errors
/// Returns an error if one cannot be read.
pub(super) fn plan_edits(
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &mut Edits,
) -> Result<()> {
    let paths = Paths {
        environment,
        prefixes,
    };
    for site in &environment.sites {
        for name in fs::list(&environment.path.join(site))?.unwrap_or_default() {
            let path = site.join(&name);
            // The name of a file determines its syntax.
            match Path::new(&name)
                .extension()
                .and_then(|extension| extension.to_str())
            {
                Some("pth") => {
                    paths.set_content(&path, "import path", edits, Paths::import_lines)?;
                }
                Some("egg-link") => paths.set_content(&path, "import path", edits, Paths::lines)?,
                Some("py") if is_finder(&name) => {
                    paths.set_content(&path, "import path", edits, Paths::finder)?;
                }
                Some("dist-info" | "egg-info") => {
                    let origin = path.join("direct_url.json");
                    if fs::exists(&environment.path.join(&origin)) {
                        paths.set_content(&origin, "origin", edits, Paths::origin)?;
                    }
                }
                _ => {}
            }
        }
    }
    // Jupyter's kernel specifications are JSON.
    let kernels = Path::new("share/jupyter/kernels");
    for name in fs::list(&environment.path.join(kernels))?.unwrap_or_default() {
        let kernel = kernels.join(name).join("kernel.json");
        if fs::exists(&environment.path.join(&kernel)) {
            paths.set_content(&kernel, "kernel", edits, |paths, text, _, _| {
                Language::Python.rewrite(text, paths.prefixes)
            })?;
        }
    }
    Ok(())
}

/// Returns whether a file is an `__editable___NAME_VERSION_finder.py` of setuptools.
fn is_finder(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"__editable__") && name.ends_with(b"_finder.py")
}

impl Paths<'_> {
    fn set_content(
        &self,
        path: &Path,
        part: &'static str,
        edits: &mut Edits,
        rewrite: impl Fn(&Self, &[u8], &Path, &mut Edits) -> Vec<u8>,
    ) -> Result<()> {
        let before = fs::read(&self.environment.path.join(path))?;
        let after = rewrite(self, &before, path, edits);
        edits.set_content(path, part, &before, after);
        Ok(())
    }

    /// Rewrites a `.pth` file. A line is a path, or code if it starts with `import`.
    fn import_lines(&self, text: &[u8], path: &Path, edits: &mut Edits) -> Vec<u8> {
        let mut fixed = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"import ") || line.starts_with(b"import\t") {
                fixed.extend(Language::Python.rewrite(line, self.prefixes));
            } else {
                fixed.extend(self.line(line, path, edits));
            }
        }
        fixed
    }

    fn lines(&self, text: &[u8], path: &Path, edits: &mut Edits) -> Vec<u8> {
        text.split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| self.line(line, path, edits))
            .collect()
    }

    fn line(&self, line: &[u8], path: &Path, edits: &mut Edits) -> Vec<u8> {
        let named = line.trim_ascii_end();
        match self.fixed(named, path, edits) {
            Some(new) => [&new, &line[named.len()..]].concat(),
            None => line.to_vec(),
        }
    }

    /// Rewrites a finder, whose paths are string literals, each that of a module's file or
    /// directory.
    fn finder(&self, text: &[u8], path: &Path, edits: &mut Edits) -> Vec<u8> {
        let moved = Language::Python.rewrite(text, self.prefixes);
        let mut fixed = moved.clone();
        for project in absolute_literals(&moved) {
            if let Some(new) = self.fixed(&project, path, edits) {
                let prefixes = Prefixes::new(&prefixes::path(&new), [project], &[]);
                fixed = Language::Python.rewrite(&fixed, &prefixes);
            }
        }
        fixed
    }

    /// Rewrites `direct_url.json`, the origin of a distribution (PEP 610). A missing wheel is
    /// harmless, and a missing project is reported for the file that imports it.
    fn origin(&self, text: &[u8], _: &Path, _: &mut Edits) -> Vec<u8> {
        let before = || {
            serde_json::from_slice::<serde_json::Value>(text)
                .ok()?
                .get("url")?
                .as_str()
                .map(str::to_owned)
        };
        let Some(url) = before() else {
            return text.to_vec();
        };
        // An origin on a server has not moved.
        let Some(path) = url.strip_prefix("file://") else {
            return text.to_vec();
        };
        let path: Vec<u8> = percent_decode(path.as_bytes()).collect();
        let moved = self
            .prefixes
            .moved(&path)
            .or_else(|| self.moved_along(&path));
        let Some(new) = moved.filter(|new| *new != path) else {
            return text.to_vec();
        };
        let new = format!("file://{}", percent_encode(&new, ESCAPED));
        // Replace the URL in the text, so that the rest of the file keeps its form.
        String::from_utf8_lossy(text)
            .replace(&format!("\"{url}\""), &format!("\"{new}\""))
            .into_bytes()
    }

    /// Returns the new value of an absolute path; `None` if it is unchanged. A path that does not
    /// exist is reported.
    fn fixed(&self, named: &[u8], file: &Path, edits: &mut Edits) -> Option<Vec<u8>> {
        if !named.starts_with(b"/") {
            return None;
        }
        let new = self
            .prefixes
            .moved(named)
            .or_else(|| self.moved_along(named));
        let now = current_path(
            self.environment,
            self.prefixes,
            new.as_deref().unwrap_or(named),
        );
        let is_moved_along = new
            .as_deref()
            .is_some_and(|new| self.prefixes.moved(new).is_none());
        // What was moved along has been found already, at its current path.
        if !is_moved_along && !fs::exists(&now) {
            edits.mark_unfixable(
                file,
                format!("it imports from `{}`, which does not exist", now.display()),
            );
        }
        new.filter(|new| new != named)
    }

    /// Returns the new path of a file that was moved together with the environment, for example in
    /// a project that contains its environment. Strips the common trailing names of the old and the
    /// new prefix until the file exists below the remaining directory.
    fn moved_along(&self, path: &[u8]) -> Option<Vec<u8>> {
        if fs::exists(&prefixes::path(path)) {
            return None;
        }
        let to = prefixes::path(self.prefixes.to());
        self.prefixes.old().iter().find_map(|old| {
            let old = prefixes::path(old);
            // The old, the new and the current path are stripped in step.
            let mut ancestors = (old.as_path(), to.as_path(), self.environment.path.as_path());
            loop {
                let (one, two, now) = ancestors;
                if one.file_name() != two.file_name() || two.file_name() != now.file_name() {
                    return None;
                }
                ancestors = (one.parent()?, two.parent()?, now.parent()?);
                let Ok(rest) = prefixes::path(path)
                    .strip_prefix(ancestors.0)
                    .map(Path::to_path_buf)
                else {
                    continue;
                };
                if fs::exists(&ancestors.2.join(&rest)) {
                    return Some(
                        joined(ancestors.1, &rest)
                            .into_os_string()
                            .into_encoded_bytes(),
                    );
                }
            }
        })
    }
}

/// Joins two paths, without a trailing slash if the second is empty.
fn joined(directory: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() {
        directory.to_path_buf()
    } else {
        directory.join(rest)
    }
}

/// Returns the absolute paths among the values of a finder's `MAPPING` and `NAMESPACES`.
fn absolute_literals(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"MAPPING") || line.starts_with(b"NAMESPACES"));
    lines
        .flat_map(super::literals::python_texts)
        .filter(|text| text.starts_with(b"/"))
        .collect()
}
