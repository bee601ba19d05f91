//! pip's form: a `requirements.txt`, with the files that it names.
//!
//! vpython builds nothing from source: of URLs, only those of wheels are requirements. Options about
//! indexes become [`Spec::indexes`], for `fetch`. Parsing reports all mistakes in all
//! files at once, each with its file and line.

mod index_options;
mod lines;
mod options;
mod requirement;
pub(super) mod uv_lock;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use url::Url;

use super::{Located, Location, Packages, Requirements, Source, Spec, SpecKind, SpecText, find};
use crate::fs::{self, Digest, Stamp, Stamped};
use crate::process::Process;
use crate::report::Failure;
use crate::spec;
use lines::Line;
pub(super) use lines::from_utf16;
use options::Options;
use requirement::{SCHEMES, parse_requirement};

/// Parses the text, and the files that it names.
pub(super) fn parse(text: &SpecText, process: &Process) -> Result<Spec> {
    Reader::read(text, Role::Requirements, process)
}

/// Returns the joined, non-empty lines of a text without comments, as JSON.
pub(super) fn source(content: &str) -> serde_json::Value {
    lines::parse(content)
        .into_iter()
        .map(|line| line.text)
        .collect()
}

/// Checks whether a text of unknown kind parses as requirements: each of its lines must.
pub(super) fn is_likely(content: &str) -> bool {
    lines::parse(content)
        .iter()
        .all(|line| match options::split(&line.text) {
            ("", options) => Options::parse(options).is_ok(),
            (requirement, options) => {
                spec::parse_requirement(requirement).is_ok() && Options::parse(options).is_ok()
            }
        })
}

/// Upper bound for the depth of files that name each other: deeper nesting would overflow the
/// stack.
const MAX_DEPTH: usize = 100;

/// The role of the requirements in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Requirements,
    Constraints,
}

/// The state of parsing a file and the files that it names.
struct Reader<'a> {
    process: &'a Process,
    spec: Spec,
    requirements: Requirements,
    /// The stack of files that are being read, each named by the previous one.
    open: Vec<Stamped>,
    /// The files that have been read, by their stamp, the directory for their relative paths, and
    /// their role. Reading one again would yield the same requirements, and `-r a.txt` twice in
    /// each of thirty files would make 10⁹ reads.
    read: HashSet<(Stamp, PathBuf, Role)>,
    /// The files and variables that are already among the spec's sources.
    sources: HashSet<OsString>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Reads a file and the files that it names.
    ///
    /// # Errors
    /// All mistakes in them.
    fn read(text: &SpecText, role: Role, process: &'a Process) -> Result<Spec> {
        let mut reader = Self {
            process,
            spec: Spec {
                base: text.base.clone(),
                trust: text.trust(process),
                ..Spec::default()
            },
            requirements: Requirements::default(),
            open: text.origin.file.iter().map(Stamped::look).collect(),
            read: HashSet::new(),
            sources: HashSet::new(),
            problems: Vec::new(),
        };
        reader.file(text, role);
        let Reader {
            spec,
            requirements,
            problems,
            ..
        } = reader;
        if !problems.is_empty() {
            return Err(Failure::new(format!("bad spec in {}", text.title()))
                .because_of(problems)
                .into());
        }
        Ok(Spec {
            packages: Packages::Required(requirements),
            ..spec
        })
    }

    fn file(&mut self, text: &SpecText, role: Role) {
        for Line { index, text: line } in lines::parse(&text.content) {
            let place = Location {
                file: text.origin.file.clone(),
                line: text.origin.lines_before + index + 1,
                column: 1,
            };
            let line = lines::expand(&line, |name| self.variable(name));
            let (requirement, options) = options::split(&line);
            match Options::parse(options) {
                Err(why) => self.problem(&place, &why),
                Ok(options) if requirement.is_empty() => self.options(options, text, &place),
                Ok(options) => self.requirement(requirement, &options, place, role),
            }
        }
    }

    /// Returns the value of a variable, and records the variable as a source of the spec. An empty
    /// value counts as unset, as in pip.
    fn variable(&mut self, name: &str) -> Option<String> {
        let value = self
            .process
            .setting(name)
            .map(|value| value.to_string_lossy().into_owned());
        if self.sources.insert(format!("${name}").into()) {
            self.spec.sources.push(Source::Variable {
                name: name.to_owned(),
                value: value.clone(),
            });
        }
        value
    }

    /// Applies a line that consists of options only.
    fn options(&mut self, options: Options, text: &SpecText, place: &Location) {
        self.warn_about_ignored_options(&options, place);
        self.index_options(&options, place);
        // Options that vpython cannot honor are errors.
        for project in options.editable {
            let what = format!(
                "`-e {project}` is not supported: vpython installs wheels, not source trees"
            );
            self.problem(
                place,
                &format!("{what}; build a wheel of it, or add its directory to `PYTHONPATH`"),
            );
        }
        if !options.hash.is_empty() {
            self.problem(place, "`--hash` does not follow a requirement");
        }
        // Options that apply to all requirements, and further files.
        self.requirements.pre_releases |= options.pre;
        self.requirements.hashes_required |= options.require_hashes;
        for directory in options.find_links {
            self.find_links(&directory, text, place);
        }
        for path in options.requirement {
            self.nested(&path, Role::Requirements, text, place);
        }
        for path in options.constraint {
            self.nested(&path, Role::Constraints, text, place);
        }
    }

    fn warn_about_ignored_options(&mut self, options: &Options, place: &Location) {
        let mut warn = |option: &str, why: &str| {
            self.spec
                .warnings
                .push(format!("{place}: `{option}` is ignored: {why}"));
        };
        // Options about source builds.
        if options
            .no_binary
            .iter()
            .any(|projects| projects != ":none:")
        {
            warn("--no-binary", "vpython builds nothing from source");
        }
        if !options.config_settings.is_empty() {
            warn("--config-settings", "vpython builds nothing from source");
        }
        if !options.global_option.is_empty() {
            warn("--global-option", "vpython builds nothing from source");
        }
    }

    fn find_links(&mut self, directory: &str, text: &SpecText, place: &Location) {
        let value = match Url::parse(directory) {
            Ok(url) if url.scheme() == "file" => match url.to_file_path() {
                Ok(path) => path,
                Err(()) => {
                    return self.problem(place, &format!("`{directory}` is not a local directory"));
                }
            },
            Ok(url) if url.scheme().starts_with("http") => {
                let page = self.page_of_links(directory, place);
                return self.spec.indexes.find_links.extend(page);
            }
            _ => text.resolve(directory),
        };
        self.spec.wheelhouses.push(Located {
            value: value.into(),
            place: place.clone(),
        });
    }

    /// Reads a file that another file names, relative to that file.
    fn nested(&mut self, path: &str, role: Role, text: &SpecText, place: &Location) {
        // Only local files can be read.
        let path = match Url::parse(path)
            .ok()
            .filter(|url| url.scheme() == "file")
            .map(|url| url.to_file_path())
        {
            Some(Ok(path)) => path,
            None if !SCHEMES.iter().any(|scheme| path.starts_with(scheme)) => text.resolve(path),
            _ => {
                return self.problem(
                    place,
                    &format!("`{path}` is not a local file; download it, and name the copy"),
                );
            }
        };
        let found = Stamped::look(&path);
        // Compare by stamp: `-r x/../this.txt` is a different path each time.
        if found.stamp.is_some() && self.open.iter().any(|open| open.stamp == found.stamp) {
            return self.problem(
                place,
                &format!(
                    "`{}` includes itself, directly or through other files",
                    path.display()
                ),
            );
        }
        if self.open.len() > MAX_DEPTH {
            let what = format!(
                "`{}` is not read: files name each other more than {MAX_DEPTH} levels deep",
                path.display()
            );
            return self.problem(place, &what);
        }
        // Record the file as a source before reading it, and skip a repeated read.
        if self.sources.insert(path.clone().into_os_string()) {
            self.spec.sources.push(Source::File(found.clone()));
        }
        let base = text.base.as_deref().unwrap_or(Path::new("/"));
        if let Some(stranger) = self.spec.trust.stranger_on_way(&path, base) {
            return self.problem(
                place,
                &format!("`{}` is not read: {stranger}", path.display()),
            );
        }
        if let (Some(stamp), Some(directory)) = (
            found.stamp,
            path.parent()
                .and_then(|directory| fs::canonicalize(directory).ok()),
        ) && !self.read.insert((stamp, directory, role))
        {
            return;
        }
        let nested = fs::read_text(&path, fs::limits::SPEC)
            .and_then(|bytes| find::from_bytes(&path, SpecKind::Requirements, bytes));
        match nested {
            Err(error) => self.problem(place, &crate::report::one_line(&error)),
            Ok(nested) => {
                self.open.push(found);
                self.file(&nested, role);
                self.open.pop();
            }
        }
    }

    fn requirement(&mut self, text: &str, options: &Options, place: Location, role: Role) {
        self.warn_about_ignored_options(options, &place);
        let Some(hashes) = self.hashes(&options.hash, &place) else {
            return;
        };
        let value = match parse_requirement(text, hashes) {
            Ok(requested) => requested,
            Err(why) => return self.problem(&place, &why),
        };
        // Like pip, require digests for all requirements if one has the option.
        self.requirements.hashes_required |= !options.hash.is_empty();
        let asked = Located { value, place };
        match role {
            Role::Requirements => self.requirements.asked.push(asked),
            Role::Constraints => self.requirements.constraints.push(asked),
        }
    }

    /// Returns the digests of a line; `None` if one of them is invalid.
    fn hashes(&mut self, written: &[String], place: &Location) -> Option<Vec<Digest>> {
        let mut hashes = Vec::new();
        let problems = self.problems.len();
        for text in written {
            match text.split_once(':') {
                Some(("sha256", digest)) => match digest.parse() {
                    Ok(digest) => hashes.push(digest),
                    Err(_) => self.problem(
                        place,
                        &format!("`{digest}` is not a valid sha256: it must have 64 digits of 0-9 and a-f"),
                    ),
                },
                // Of several digests, vpython needs only one that it can check.
                Some(("sha384" | "sha512", _)) => {}
                _ => self.problem(
                    place,
                    &format!(
                        "`--hash={text}` is not a valid digest; write `--hash=sha256:` followed by 64 digits"
                    ),
                ),
            }
        }
        if hashes.is_empty() && !written.is_empty() && problems == self.problems.len() {
            self.problem(
                place,
                "vpython checks only `sha256` digests, and there is none",
            );
        }
        (problems == self.problems.len()).then_some(hashes)
    }

    fn problem(&mut self, place: &Location, what: &str) {
        self.problems.push(format!("{place}: {what}"));
    }
}
