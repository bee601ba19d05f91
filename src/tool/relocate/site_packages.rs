//! `site-packages`, as far as it names places: import paths, editable projects, and where
//! distributions came from. And the kernels that Jupyter finds in an environment.

use std::path::{Path, PathBuf};

use anyhow::Result;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{self, Prefixes};
use super::quoting::Language;
use super::scripts::present;
use crate::fs;

/// What a URL's path has to escape, as python's `pathname2url` does.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

/// One environment's paths, while it is decided about them.
pub(super) struct Paths<'a> {
    pub environment: &'a Environment,
    pub places: &'a Prefixes,
}

/// Decides about each file that may name a place.
///
/// # Errors
/// One cannot be read.
pub(super) fn plan_edits(
    environment: &Environment,
    places: &Prefixes,
    work: &mut Edits,
) -> Result<()> {
    let paths = Paths {
        environment,
        places,
    };
    for site in &environment.sites {
        for name in fs::list(&environment.path.join(site))?.unwrap_or_default() {
            let path = site.join(&name);
            match Path::new(&name)
                .extension()
                .and_then(|extension| extension.to_str())
            {
                Some("pth") => {
                    paths.record_place(&path, "import path", work, Paths::import_lines)?
                }
                Some("egg-link") => paths.record_place(&path, "import path", work, Paths::lines)?,
                Some("py") if is_finder(&name) => {
                    paths.record_place(&path, "import path", work, Paths::finder)?
                }
                Some("dist-info" | "egg-info") => {
                    let origin = path.join("direct_url.json");
                    if fs::exists(&environment.path.join(&origin)) {
                        paths.record_place(&origin, "origin", work, Paths::origin)?;
                    }
                }
                _ => {}
            }
        }
    }
    let kernels = Path::new("share/jupyter/kernels");
    for name in fs::list(&environment.path.join(kernels))?.unwrap_or_default() {
        let kernel = kernels.join(name).join("kernel.json");
        if fs::exists(&environment.path.join(&kernel)) {
            paths.record_place(&kernel, "kernel", work, |paths, text, _, _| {
                Language::Python.rewrite(text, paths.places)
            })?;
        }
    }
    Ok(())
}

/// `__editable___NAME_VERSION_finder.py` of setuptools.
fn is_finder(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"__editable__") && name.ends_with(b"_finder.py")
}

impl Paths<'_> {
    fn record_place(
        &self,
        path: &Path,
        part: &'static str,
        work: &mut Edits,
        plan_edits: impl Fn(&Self, &[u8], &Path, &mut Edits) -> Vec<u8>,
    ) -> Result<()> {
        let before = fs::read(&self.environment.path.join(path))?;
        let after = plan_edits(self, &before, path, work);
        work.record_place(path, part, &before, after);
        Ok(())
    }

    /// A line of a `.pth` file is a path, or is run where it begins with `import`.
    fn import_lines(&self, text: &[u8], path: &Path, work: &mut Edits) -> Vec<u8> {
        let mut mended = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"import ") || line.starts_with(b"import\t") {
                mended.extend(Language::Python.rewrite(line, self.places));
            } else {
                mended.extend(self.line(line, path, work));
            }
        }
        mended
    }

    fn lines(&self, text: &[u8], path: &Path, work: &mut Edits) -> Vec<u8> {
        text.split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| self.line(line, path, work))
            .collect()
    }

    fn line(&self, line: &[u8], path: &Path, work: &mut Edits) -> Vec<u8> {
        let named = line.trim_ascii_end();
        match self.mended(named, path, work) {
            Some(new) => [&new, &line[named.len()..]].concat(),
            None => line.to_vec(),
        }
    }

    /// The paths in a finder are literals of python's, each of a module's file or directory.
    fn finder(&self, text: &[u8], path: &Path, work: &mut Edits) -> Vec<u8> {
        let moved = Language::Python.rewrite(text, self.places);
        let mut mended = moved.clone();
        for project in absolute_literals(&moved) {
            if let Some(new) = self.mended(&project, path, work) {
                let places = Prefixes::new(&prefixes::path(&new), [project], &[]);
                mended = Language::Python.rewrite(&mended, &places);
            }
        }
        mended
    }

    /// `direct_url.json` says where a distribution was installed from (PEP 610). A wheel that is
    /// gone does no harm; a project that is gone is spoken of by the file that imports it.
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
        let Some(path) = url.strip_prefix("file://") else {
            return text.to_vec();
        };
        let path: Vec<u8> = percent_decode(path.as_bytes()).collect();
        let moved = self.places.moved(&path).or_else(|| self.beside(&path));
        let Some(new) = moved.filter(|new| *new != path) else {
            return text.to_vec();
        };
        let new = format!("file://{}", percent_encode(&new, ESCAPED));
        String::from_utf8_lossy(text)
            .replace(&format!("\"{url}\""), &format!("\"{new}\""))
            .into_bytes()
    }

    /// Where an absolute path leads from now on; none where it stays. What is nowhere is noted.
    fn mended(&self, named: &[u8], file: &Path, work: &mut Edits) -> Option<Vec<u8>> {
        if !named.starts_with(b"/") {
            return None;
        }
        let new = self.places.moved(named).or_else(|| self.beside(named));
        let now = present(
            self.environment,
            self.places,
            new.as_deref().unwrap_or(named),
        );
        let is_beside = new
            .as_deref()
            .is_some_and(|new| self.places.moved(new).is_none());
        if !is_beside && !fs::exists(&now) {
            work.cannot_mend(
                file,
                format!("it imports from `{}`, which is not there", now.display()),
            );
        }
        new.filter(|new| new != named)
    }

    /// Where a path now leads that was moved together with the environment, as that of a project
    /// that has its environment inside: the ends that the old place and the new one have in common
    /// are cut off, as long as what is looked for is there.
    fn beside(&self, path: &[u8]) -> Option<Vec<u8>> {
        if fs::exists(&prefixes::path(path)) {
            return None;
        }
        let to = prefixes::path(self.places.to());
        self.places.old().iter().find_map(|old| {
            let old = prefixes::path(old);
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

/// Without a slash behind where nothing is joined.
fn joined(directory: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() {
        directory.to_path_buf()
    } else {
        directory.join(rest)
    }
}

/// The absolute paths among the values of a finder's `MAPPING`.
fn absolute_literals(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"MAPPING") || line.starts_with(b"NAMESPACES"));
    lines
        .flat_map(super::quoting::python_texts)
        .filter(|text| text.starts_with(b"/"))
        .collect()
}
