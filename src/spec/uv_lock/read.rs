//! Parsing of uv's form: the keys that decide what is installed. Parsing reports all mistakes at
//! once, each with its line and column.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use pep440_rs::VersionSpecifiers;
use pep508_rs::{ExtraName, MarkerTree, PackageName, VersionOrUrl};
use toml::Spanned;

use super::graph::{self, Edge, Node, Source};
use super::raw::{RawDependency, RawLock, RawPackage, RawRequirement, RawVersion, RawWheel};
use crate::spec::pylock::{
    Bound, Lock, LockForm, LockText, LockedPackage, LockedWheel, Marker, file_name,
};
use crate::spec::{Dependencies, IndexUrl, Located, Requested, SpecText, parse_marker};

/// The supported version of the format.
const KNOWN: u64 = 1;

/// Parses a lock file that applies to a spec.
///
/// # Errors
/// All mistakes in the lock file, each with its line; or the lock file was made for different
/// requirements than the spec's.
pub(super) fn read(text: &SpecText, bound: Bound, dependencies: Dependencies) -> Result<Lock> {
    let mut reader = Reader {
        toml: LockText::of(text),
    };
    let read = reader.read(&bound.asked, dependencies);
    let (lock, changes) = reader.toml.finish(read)?;
    let lock = Lock {
        bound: Some(bound),
        ..lock
    };
    if changes.is_empty() {
        Ok(lock)
    } else {
        Err(lock.stale(changes).into())
    }
}

struct Reader<'a> {
    toml: LockText<'a>,
}

impl Reader<'_> {
    /// Returns the lock, and the requirements of the spec that it was not made for.
    fn read(
        &mut self,
        asked: &[Located<Requested>],
        dependencies: Dependencies,
    ) -> Option<(Lock, Vec<String>)> {
        self.toml.check_size()?;
        // The version decides whether the other keys are understood. A valid text is parsed once.
        let raw = self.toml.try_deserialize::<RawLock>();
        let version = match &raw {
            Ok(raw) => raw.version.clone(),
            Err(_) => self.toml.deserialize::<RawVersion>()?.version,
        };
        if *version.get_ref() != KNOWN {
            let what = format!(
                "`version` is {}, but vpython supports only version {KNOWN} of uv's lock files",
                version.get_ref()
            );
            self.toml.problem(version.span().start, &what);
            return None;
        }
        let raw = self.toml.checked(raw)?;
        let requires_python = raw
            .requires_python
            .as_ref()
            .and_then(|range| self.toml.python_range(range));
        let environments = raw.supported_markers.iter().filter_map(|written| {
            let tree = self.marker(Some(written))?;
            Some(Located {
                value: Marker {
                    tree,
                    written: written.get_ref().clone(),
                },
                place: self.toml.place(written.span().start),
            })
        });
        let environments = environments.collect();
        let changes = changes(asked, &raw);
        // Parse the packages, then follow their dependencies from the spec.
        let nodes: Vec<Node> = raw
            .packages
            .into_iter()
            .filter_map(|package| self.node(package))
            .collect();
        if !self.toml.is_valid() {
            return None;
        }
        let markers = graph::markers(&nodes, asked, dependencies);
        let markers = markers
            .map_err(|(offset, what)| self.toml.problem(offset, &what))
            .ok()?;
        // Keep the packages that are required in some environment.
        let packages = nodes
            .into_iter()
            .zip(markers)
            .filter(|(_, marker)| !marker.is_false());
        let packages = packages.map(
            |(
                Node {
                    package: Located { value, place },
                    ..
                },
                tree,
            )| {
                let marker = tree.try_to_string().map(|written| Marker { tree, written });
                Located {
                    value: LockedPackage { marker, ..value },
                    place,
                }
            },
        );
        let lock = Lock {
            form: LockForm::Uv,
            path: self.toml.text.origin.file.clone().unwrap_or_default(),
            requires_python,
            environments,
            packages: packages.collect(),
            basis: None,
            built: crate::spec::BuiltPins::new(),
            bound: None,
            warnings: Vec::new(),
        };
        Some((lock, changes))
    }

    fn node(&mut self, raw: RawPackage) -> Option<Node> {
        let place = self.toml.place(raw.name.span().start);
        let name: Option<PackageName> = self.toml.parsed(Some(&raw.name), "name");
        let version = self.toml.parsed(raw.version.as_ref(), "version");
        // A package with `resolution-markers` is one of several versions.
        let mut fork = if raw.resolution_markers.is_empty() {
            MarkerTree::TRUE
        } else {
            MarkerTree::FALSE
        };
        for written in &raw.resolution_markers {
            fork.or(self.marker(Some(written))?);
        }
        let requires = raw
            .dependencies
            .into_iter()
            .filter_map(|edge| self.edge(edge))
            .collect();
        let mut extras = BTreeMap::new();
        for (extra, edges) in raw.optional_dependencies {
            let Ok(extra) = extra.parse::<ExtraName>() else {
                continue;
            };
            extras.insert(
                extra,
                edges
                    .into_iter()
                    .filter_map(|edge| self.edge(edge))
                    .collect(),
            );
        }
        let wheels = raw
            .wheels
            .into_iter()
            .filter_map(|wheel| self.wheel(wheel, &raw.source))
            .collect();
        // A source distribution or tree, which vpython cannot install.
        let other_source = match raw.source.keys().next().map(String::as_str) {
            Some("git") => Some("a repository"),
            Some("virtual" | "editable" | "directory") => Some("a directory of sources"),
            _ => raw.sdist.map(|_| "an sdist"),
        };
        let value = LockedPackage {
            name: name?,
            version,
            marker: None,
            requires_python: None,
            wheels,
            other_source,
        };
        Some(Node {
            package: Located { value, place },
            source: raw.source,
            fork,
            requires,
            extras,
        })
    }

    fn edge(&mut self, raw: Spanned<RawDependency>) -> Option<Edge> {
        let offset = raw.span().start;
        let RawDependency {
            name,
            version,
            source,
            extra,
            marker,
        } = raw.into_inner();
        // Parse every part before giving up, so that all mistakes are reported.
        let name = self.toml.parsed(Some(&name), "name");
        let version = self.toml.parsed(version.as_ref(), "version");
        let marker = self.marker(marker.as_ref())?;
        let extras = extra
            .iter()
            .filter_map(|extra| extra.parse().ok())
            .collect();
        Some(Edge {
            name: name?,
            version,
            source,
            extras,
            marker,
            offset,
        })
    }

    fn wheel(&mut self, raw: Spanned<RawWheel>, source: &Source) -> Option<Located<LockedWheel>> {
        let offset = raw.span().start;
        let RawWheel {
            url,
            path,
            filename,
            hash,
            size,
        } = raw.into_inner();
        let Some(file_name) = file_name(filename.as_deref(), path.as_deref(), url.as_deref())
        else {
            self.toml.problem(
                offset,
                "a wheel has neither `url` nor `path` nor `filename`",
            );
            return None;
        };
        // Only wheels with a sha256 can be checked.
        let digest = hash
            .as_deref()
            .and_then(|hash| hash.strip_prefix("sha256:"));
        let Some(Ok(sha256)) = digest.map(str::parse) else {
            let has = hash.map_or_else(
                || "no `hash`".to_owned(),
                |hash| format!("the `hash` `{hash}`"),
            );
            self.toml.problem(
                offset,
                &format!("`{file_name}` has {has}; vpython needs the sha256 of each wheel"),
            );
            return None;
        };
        // For an index that is a directory, the path is relative to that directory.
        let index = source
            .get("registry")
            .and_then(toml::Value::as_str)
            .unwrap_or_default();
        let path = path.map(|path| {
            self.toml.text.resolve(&format!(
                "{}/{path}",
                if index.is_empty() { "." } else { index }
            ))
        });
        let url = url.as_deref().and_then(|url| IndexUrl::parse(url).ok());
        let value = LockedWheel {
            file_name,
            path,
            url,
            size,
            sha256,
            long_digests: Vec::new(),
        };
        Some(Located {
            value,
            place: self.toml.place(offset),
        })
    }

    /// Parses a marker; a missing one always holds.
    fn marker(&mut self, written: Option<&Spanned<String>>) -> Option<MarkerTree> {
        let Some(written) = written else {
            return Some(MarkerTree::TRUE);
        };
        let what = |why| format!("`{}` is not a valid marker: {why}", written.get_ref());
        parse_marker(written.get_ref())
            .map_err(|why| self.toml.problem(written.span().start, &what(why)))
            .ok()
    }
}

/// Returns the requirements of a spec that a lock file was not made for, one sentence each. Markers
/// are not compared: uv simplifies them for the supported Python versions.
fn changes(asked: &[Located<Requested>], raw: &RawLock) -> Vec<String> {
    let of_projects = raw
        .packages
        .iter()
        .filter_map(|package| package.metadata.requires_dist.as_ref())
        .flatten();
    let mut made_for: HashMap<PackageName, Vec<_>> = HashMap::new();
    // uv records the requirements of a script in the manifest, and those of a project with its
    // package.
    let written = raw.manifest.requirements.iter().flatten();
    for (name, extras, range) in written
        .chain(of_projects)
        .filter_map(RawRequirement::parsed)
    {
        made_for.entry(name).or_default().push((extras, range));
    }
    let written = raw.packages.iter().map(|package| package.name.get_ref());
    let packages: HashSet<PackageName> = written.filter_map(|name| name.parse().ok()).collect();
    let is_new = |asked: &&Located<Requested>| {
        let requirement = &asked.value.requirement;
        let range = match &requirement.version_or_url {
            // uv records the URL, and no range.
            Some(VersionOrUrl::VersionSpecifier(range)) if asked.value.url.is_none() => {
                sorted(range)
            }
            _ => Vec::new(),
        };
        // Dependency groups are recorded elsewhere, but their projects are among the packages.
        let Some(named) = made_for.get(&requirement.name) else {
            return !packages.contains(&requirement.name) && requirement.marker.is_true();
        };
        !named.iter().any(|(extras, known)| {
            *known == range
                && requirement
                    .extras
                    .iter()
                    .all(|extra| extras.contains(extra))
        })
    };
    let new = asked.iter().filter(is_new);
    new.map(|asked| {
        format!(
            "it was not made for `{}` ({})",
            asked.value.requirement, asked.place
        )
    })
    .collect()
}

impl RawRequirement {
    /// Returns the project, its extras, and its version range.
    fn parsed(&self) -> Option<(PackageName, Vec<ExtraName>, Vec<String>)> {
        let range: VersionSpecifiers =
            self.specifier.as_deref().unwrap_or_default().parse().ok()?;
        let extras = self
            .extras
            .iter()
            .filter_map(|extra| extra.parse().ok())
            .collect();
        Some((self.name.parse().ok()?, extras, sorted(&range)))
    }
}

fn sorted(range: &VersionSpecifiers) -> Vec<String> {
    let mut texts: Vec<String> = range.iter().map(ToString::to_string).collect();
    texts.sort();
    texts
}
