//! `--include`: copies directories of the caller's own code into an environment outside the store,
//! from which its python imports them.
//!
//! `DIR` becomes `app/NAME/` in the environment, where NAME is the directory's own name. A file
//! `vpython-include.pth` in site-packages names it relative to site-packages, as the `site` module
//! of every python reads it: <https://docs.python.org/3/library/site.html>. So the paths remain
//! valid when the environment is moved. Wheels come before included directories on the import path.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::fs::{self, Digest};
use crate::process::Process;
use crate::report::Failure;

/// The parent of the included directories, relative to the environment.
pub(super) const DIRECTORY: &str = "app";
/// The file in site-packages that names them.
const PATH_FILE: &str = "vpython-include.pth";
/// Directories that contain no sources.
const EXCLUDED: [&str; 4] = ["__pycache__", ".git", ".hg", ".svn"];

/// A directory to include in an environment.
#[derive(Debug)]
pub(super) struct Included {
    /// Its name in the environment.
    name: String,
    /// Its canonical path.
    directory: PathBuf,
    /// Its contents by relative path, each directory before its contents.
    members: BTreeMap<PathBuf, Member>,
}

#[derive(Debug)]
enum Member {
    Directory,
    File {
        is_executable: bool,
        size: u64,
        changed: (i64, i64),
    },
    Link(PathBuf),
}

impl Included {
    /// Scans the directories at these paths. `product` is the destination of the environment; the
    /// scan skips it, since an earlier run may have written it inside one of the directories.
    ///
    /// # Errors
    /// Returns an error if a path is not a directory, if a directory contains something that cannot
    /// be copied, or if two directories have the same name.
    pub fn find(directories: &[PathBuf], product: &Path, process: &Process) -> Result<Vec<Self>> {
        let mut found: Vec<Self> = Vec::new();
        for path in directories {
            let included = Self::scan(&process.absolute(path), product)
                .with_context(|| format!("cannot include `{}`", path.display()))?;
            if let Some(other) = found.iter().find(|other| other.name == included.name) {
                let [one, two] =
                    [&other.directory, &included.directory].map(|directory| directory.display());
                let why = format!(
                    "two directories named `{}` cannot both be included: `{one}`, `{two}`",
                    other.name
                );
                return Err(Failure::new(why).into());
            }
            found.push(included);
        }
        Ok(found)
    }

    fn scan(path: &Path, product: &Path) -> Result<Self> {
        let product = fs::canonicalize(product).ok();
        let directory = fs::canonicalize(path)?;
        ensure!(
            fs::metadata(&directory)?.is_some_and(|found| found.is_dir()),
            "it is not a directory"
        );
        // The name becomes a part of a line in the `.pth` file.
        let name = directory
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| is_plain(name));
        let name = name
            .context("its name cannot be written to a `.pth` file")?
            .to_owned();
        // A sorted map, so that the state digest does not depend on the order on disk.
        let mut members = BTreeMap::new();
        for entry in WalkDir::new(&directory)
            .min_depth(1)
            .into_iter()
            .filter_entry(|entry| !is_excluded(entry))
        {
            let entry = entry?;
            if product.as_deref() == Some(entry.path()) {
                continue;
            }
            let relative = entry.path().strip_prefix(&directory)?.to_path_buf();
            let member = Member::of(&entry, &relative)?;
            members.insert(relative, member);
        }
        Ok(Self {
            name,
            directory,
            members,
        })
    }

    /// A digest of the names, sizes and modification times in the directory, which changes with its
    /// contents.
    pub fn state(&self) -> Digest {
        let mut text = Sha256::new();
        for (path, member) in &self.members {
            text.update(path.as_os_str().as_encoded_bytes());
            text.update(match member {
                Member::Directory => "\0directory\0".to_owned(),
                Member::File {
                    is_executable,
                    size,
                    changed: (seconds, nanoseconds),
                } => {
                    format!("\0file {is_executable} {size} {seconds} {nanoseconds}\0")
                }
                Member::Link(target) => format!("\0link {}\0", target.display()),
            });
        }
        Digest::of(&text.finalize())
    }

    /// Returns whether the directory at `path` lies inside the included directory.
    pub fn contains(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|path| path.starts_with(&self.directory))
    }

    /// Its name in the environment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Copies it into an environment.
    fn put(&self, environment: &Path) -> Result<()> {
        let to = environment.join(DIRECTORY).join(&self.name);
        fs::create_dir_all(&to, 0o755)?;
        for (path, member) in &self.members {
            let [from, to] = [&self.directory, &to].map(|directory| directory.join(path));
            match member {
                Member::Directory => fs::create_dir(&to, 0o755)?,
                Member::File { is_executable, .. } => {
                    fs::copy(&from, &to)?;
                    fs::set_mode(&to, if *is_executable { 0o755 } else { 0o644 })?;
                }
                Member::Link(target) => fs::symlink(target, &to)?,
            }
        }
        Ok(())
    }
}

impl Member {
    fn of(entry: &DirEntry, relative: &Path) -> Result<Self> {
        let kind = entry.file_type();
        if kind.is_dir() {
            return Ok(Self::Directory);
        }
        if kind.is_symlink() {
            let target = fs::read_link(entry.path())?;
            // A link that leaves the directory would break in the copy.
            if leads_out(relative, &target) {
                return Err(Failure::new(format!(
                    "the link `{}` points outside the directory",
                    relative.display()
                ))
                .into());
            }
            return Ok(Self::Link(target));
        }
        if !kind.is_file() {
            return Err(Failure::new(format!(
                "`{}` is not a file, directory or link",
                relative.display()
            ))
            .into());
        }
        let metadata = entry.metadata()?;
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Self::File {
            is_executable: fs::mode(&metadata) & 0o100 != 0,
            size: metadata.len(),
            changed,
        })
    }
}

/// Copies the directories into the environment at `environment`, whose site-packages is
/// `site_packages`, relative to the environment.
///
/// # Errors
/// Returns an error if a wheel already provides one of the paths, or if a file cannot be written.
pub(super) fn put(included: &[Included], environment: &Path, site_packages: &str) -> Result<()> {
    if included.is_empty() {
        return Ok(());
    }
    // A wheel may have installed the same paths.
    let path_file = environment.join(site_packages).join(PATH_FILE);
    for taken in [environment.join(DIRECTORY), path_file.clone()] {
        if fs::exists(&taken) {
            let what = taken
                .strip_prefix(environment)
                .unwrap_or(&taken)
                .display()
                .to_string();
            return Err(Failure::new(format!(
                "cannot include a directory: a wheel already provides `{what}`"
            ))
            .into());
        }
    }
    // Copy the directories, then name them in the `.pth` file.
    let _umask = fs::PlainUmask::set();
    included
        .iter()
        .try_for_each(|included| included.put(environment))?;
    let up = "../".repeat(site_packages.split('/').count());
    let lines: Vec<String> = included
        .iter()
        .map(|included| format!("{up}{DIRECTORY}/{}\n", included.name))
        .collect();
    fs::write_new(&path_file, lines.concat().as_bytes(), 0o444)
}

/// Returns whether a line of a `.pth` file can end with this name.
fn is_plain(name: &str) -> bool {
    name.trim() == name && !name.chars().any(char::is_control)
}

/// Returns whether to skip a directory that holds tool output instead of sources: byte code,
/// version control data, or an environment.
fn is_excluded(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let is_staged = name.starts_with('.') && name.contains(".vpython-");
    entry.file_type().is_dir()
        && entry.depth() > 0
        && (EXCLUDED.contains(&&*name) || is_staged || fs::exists(&entry.path().join("pyvenv.cfg")))
}

/// Returns whether a link at `path`, relative to some directory, points outside that directory,
/// judged by the text of its target.
fn leads_out(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count() - 1;
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_outside_the_directory_are_recognized_by_their_text() {
        let rows = [
            ("a", "b", false),
            ("a", "../b", true),
            ("d/a", "../b", false),
            ("d/a", "../../b", true),
            ("a", "/b", true),
            ("a", "d/../b", false),
        ];
        for (path, target, expected) in rows {
            assert_eq!(
                leads_out(Path::new(path), Path::new(target)),
                expected,
                "{path} -> {target}"
            );
        }
    }
}
