//! Where packages come from: the indexes, in the order of their search, and the settings of their
//! connections, read from where the users of pip and uv have them.
//!
//! | precedence | source |
//! |---|---|
//! | 1 | the command line: `--index-url` and pip's other options |
//! | 2 | the spec: its lines of options, `[tool.vpython] index`, `[tool.uv]` |
//! | 3 | pip's environment variables: `PIP_INDEX_URL` and others |
//! | 4 | `fetch.index-url` of `vpython.conf`, which is about vpython and so precedes pip's files |
//! | 5 | pip's configuration files |
//! | 6 | PyPI |
//!
//! Sources 3 to 5 are one source to pip: of a list such as `extra-index-url`, that of the highest of
//! them counts, and not both. Between the command line, the spec and these, a single value such as
//! `index-url` is that of the highest source, and lists are concatenated. `no-index` of any source
//! disables all indexes.
//!
//! **The first index that has a project provides all of its files.** Extra indexes are searched
//! before the default one, as by uv: a public index cannot replace a project of a private one by a
//! higher version, as it can with pip.

mod connections;
mod layer;
mod named;
mod options;
mod pip_conf;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use pep508_rs::PackageName;

pub use layer::KeyringProvider;
pub use named::{Named, NamedBy};

use crate::invocation::Conf;
use crate::process::Process;
use crate::remote::Secret;
use crate::report::Failure;
use crate::spec::{IndexRole, IndexUrl, Indexes, Located, SpecIndex};
use layer::Layer;

/// The index if nothing names one.
const PYPI: &str = "https://pypi.org/simple";

/// The settings about indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexSettings {
    /// The indexes, in the order of their search; the default one is the last. Empty if
    /// [`Self::no_index`] is set.
    pub indexes: Vec<ConfiguredIndex>,
    /// The indexes for pinned projects only.
    pub explicit: Vec<ConfiguredIndex>,
    /// The projects that come from one index only, with its name.
    pub pins: BTreeMap<PackageName, Named<String>>,
    /// The projects that no index has, since the spec takes them from elsewhere, with the reason.
    pub elsewhere: BTreeMap<PackageName, String>,
    /// Pages with links to files of any project.
    pub find_links: Vec<Named<IndexUrl>>,
    /// Directories that `find-links` of pip's settings or of `[tool.uv]` names.
    pub directories: Vec<Named<PathBuf>>,
    /// What disables the indexes.
    pub no_index: Option<NamedBy>,
    /// Hosts that may be reached by plain HTTP, as `host` or `host:port`.
    pub trusted_hosts: Vec<Named<String>>,
    /// A file of certificate authorities.
    pub cert: Option<Named<PathBuf>>,
    /// A file with the certificate and key of the client.
    pub client_cert: Option<Named<PathBuf>>,
    /// The timeout of connections.
    pub timeout: Option<Named<Duration>>,
    /// The number of retries after a failed attempt.
    pub retries: Option<Named<u32>>,
    /// The URL of the proxy, which may contain a password.
    pub proxy: Option<Named<Secret>>,
    /// How the program `keyring` is asked for passwords.
    pub keyring_provider: Option<Named<KeyringProvider>>,
    /// Settings that are not used, one sentence each.
    pub warnings: Vec<String>,
}

/// An index, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredIndex {
    /// Its URL, to which the names of projects are appended.
    pub url: IndexUrl,
    /// Its name in the spec.
    pub name: Option<String>,
    /// What names it.
    pub by: NamedBy,
    /// The statuses by which it says that it does not have a project, in addition to 404 and 410.
    pub ignored_statuses: Vec<u16>,
}

impl IndexSettings {
    /// Reads the settings. `options` are the words of pip's options on the command line.
    ///
    /// # Errors
    /// An unknown option; invalid values, each with what names it; a file of pip that cannot be
    /// parsed; a pin to an index that nothing names.
    pub fn read(
        options: &[String],
        spec: &Indexes,
        conf: &Conf,
        process: &Process,
    ) -> Result<Self> {
        let mut of_options = Layer::default();
        options::set(options, &mut of_options, process)?;
        let of_spec = layer_of_spec(spec);
        let (configured, warnings) = configured(conf, process)?;
        let mut settings = Self::merge([of_options, of_spec, configured], spec)?;
        if settings.no_index.is_none() && !spec.unusable.is_empty() {
            return Err(Failure::new("cannot read a package index that the spec names")
                .because_of(spec.unusable.clone())
                .hint("name it by `http` or `https`, or have pip read it: `-vpython-tool fetch --build … -- --index-url URL`")
                .into());
        }
        settings.warnings = [warnings, spec.warnings.clone()].concat();
        Ok(settings)
    }

    /// Merges the sources, the highest first.
    fn merge(layers: [Layer; 3], spec: &Indexes) -> Result<Self> {
        let mut settings = Self::default();
        let mut default = None;
        let mut known = HashSet::new();
        for (index, layer) in layers.into_iter().enumerate() {
            let Layer {
                index_url,
                extra_index_url,
                find_links,
                directories,
                no_index,
                trusted_hosts,
                cert,
                client_cert,
                timeout,
                retries,
                proxy,
                keyring_provider,
            } = layer;
            default = default.or(index_url);
            let extra = extra_index_url.into_iter().map(ConfiguredIndex::from);
            settings.indexes.extend(extra);
            if index == OF_SPEC {
                settings.add_named(spec);
            }
            settings.find_links.extend(find_links);
            settings.directories.extend(directories);
            settings.trusted_hosts.extend(trusted_hosts);
            let disabled = no_index.filter(|no_index| no_index.value);
            settings.no_index = settings.no_index.or(disabled.map(|no_index| no_index.by));
            settings.cert = settings.cert.or(cert);
            settings.client_cert = settings.client_cert.or(client_cert);
            settings.timeout = settings.timeout.or(timeout);
            settings.retries = settings.retries.or(retries);
            settings.proxy = settings.proxy.or(proxy);
            settings.keyring_provider = settings.keyring_provider.or(keyring_provider);
        }
        // The default index comes last; each index is searched once.
        let default = match default {
            Some(default) => ConfiguredIndex::from(default),
            None => ConfiguredIndex::pypi()?,
        };
        settings.indexes.push(with_name_of_spec(default, spec));
        settings.indexes.retain(|index| {
            let url = index.url.reveal().trim_end_matches('/');
            known.insert(url.to_owned())
        });
        settings.check_pins()?;
        if settings.no_index.is_some() {
            settings.indexes.clear();
            settings.explicit.clear();
        }
        Ok(settings)
    }

    /// Adds the extra and explicit indexes of the spec, and its sources of projects.
    fn add_named(&mut self, spec: &Indexes) {
        for index in &spec.named {
            let configured = ConfiguredIndex::from(index);
            match index.role {
                IndexRole::Extra => self.indexes.push(configured),
                IndexRole::Explicit => self.explicit.push(configured),
                IndexRole::Default => {}
            }
        }
        self.elsewhere.clone_from(&spec.elsewhere);
        self.pins = spec
            .pins
            .iter()
            .map(|(project, name)| (project.clone(), of_spec(name)))
            .collect();
    }

    /// Checks that each pin names an index.
    fn check_pins(&self) -> Result<()> {
        let unknown = self
            .pins
            .iter()
            .filter(|(_, name)| self.named(&name.value).is_none());
        let problems: Vec<String> = unknown
            .map(|(project, name)| {
                let Named { value, by } = name;
                format!("{by}: `{project}` comes from the index `{value}`, which nothing names")
            })
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::new("unknown package index")
            .because_of(problems)
            .hint("name it in a table `[[tool.uv.index]]`")
            .into())
    }

    /// Returns the URLs of all indexes and pages of links, which may contain logins.
    pub fn urls(&self) -> impl Iterator<Item = &IndexUrl> {
        let indexes = self.indexes.iter().chain(&self.explicit);
        let links = self.find_links.iter().map(|named| &named.value);
        indexes.map(|index| &index.url).chain(links)
    }

    fn named(&self, name: &str) -> Option<&ConfiguredIndex> {
        let all = self.indexes.iter().chain(&self.explicit);
        all.into_iter()
            .find(|index| index.name.as_deref() == Some(name))
    }

    /// Returns the indexes to search for a project, in order: the one that it is pinned to, or all
    /// that are not explicit.
    #[must_use]
    pub fn indexes_for(&self, project: &PackageName) -> Vec<&ConfiguredIndex> {
        match self.pins.get(project) {
            Some(name) => self.named(&name.value).into_iter().collect(),
            None => self.indexes.iter().collect(),
        }
    }
}

/// The position of the spec among the sources.
const OF_SPEC: usize = 1;

/// Returns the settings of the spec that have the form of pip's options.
fn layer_of_spec(spec: &Indexes) -> Layer {
    let default = spec
        .named
        .iter()
        .find(|index| index.role == IndexRole::Default);
    Layer {
        index_url: default.map(|index| of_spec(&index.url)),
        find_links: spec.find_links.iter().map(of_spec).collect(),
        directories: spec.directories.iter().map(of_spec).collect(),
        trusted_hosts: spec.trusted_hosts.iter().map(of_spec).collect(),
        no_index: spec.no_index.as_ref().map(|place| Named {
            value: true,
            by: NamedBy::Spec(place.clone()),
        }),
        ..Layer::default()
    }
}

/// Returns the default index with its name, if the spec names it.
fn with_name_of_spec(default: ConfiguredIndex, spec: &Indexes) -> ConfiguredIndex {
    let named = spec
        .named
        .iter()
        .find(|index| index.url.value == default.url);
    match named {
        Some(named) => ConfiguredIndex {
            by: default.by,
            ..ConfiguredIndex::from(named)
        },
        None => default,
    }
}

/// Reads the variables and files, and returns the reasons for skipping files.
fn configured(conf: &Conf, process: &Process) -> Result<(Layer, Vec<String>)> {
    let mut layer = Layer::default();
    let warnings = pip_conf::read(&mut layer, process)?;
    let mut problems = Vec::new();
    let mut set = |name: &str, value: &str, by: &NamedBy| {
        if let Err(error) = layer.set(name, value, by, process) {
            problems.push(format!("{by}: {error}"));
        }
    };
    if let Some(index) = &conf.fetch_index_url {
        let by = NamedBy::File {
            path: conf.file.clone().unwrap_or_default(),
            line: index.line,
        };
        set("index-url", &index.value, &by);
    }
    for (name, value, by) in pip_conf::variables(process) {
        set(&name, &value, &by);
    }
    if problems.is_empty() {
        return Ok((layer, warnings));
    }
    Err(Failure::new("invalid settings of the package index")
        .because_of(problems)
        .into())
}

fn of_spec<T: Clone>(located: &Located<T>) -> Named<T> {
    Named {
        value: located.value.clone(),
        by: NamedBy::Spec(located.place.clone()),
    }
}

impl From<Named<IndexUrl>> for ConfiguredIndex {
    fn from(named: Named<IndexUrl>) -> Self {
        Self {
            ignored_statuses: usual_statuses(&named.value),
            url: named.value,
            name: None,
            by: named.by,
        }
    }
}

impl From<&SpecIndex> for ConfiguredIndex {
    fn from(index: &SpecIndex) -> Self {
        Self {
            url: index.url.value.clone(),
            name: index.name.clone(),
            by: NamedBy::Spec(index.url.place.clone()),
            ignored_statuses: index
                .ignored_statuses
                .clone()
                .unwrap_or_else(|| usual_statuses(&index.url.value)),
        }
    }
}

/// Returns the statuses by which an index says that it does not have a project, if nothing names
/// them: `PyTorch`'s answers 403, as uv knows too.
fn usual_statuses(index: &IndexUrl) -> Vec<u16> {
    let is_pytorch = index.reveal().starts_with("https://download.pytorch.org/");
    is_pytorch.then_some(403).into_iter().collect()
}

impl ConfiguredIndex {
    /// Returns PyPI.
    fn pypi() -> Result<Self> {
        Ok(Self {
            url: IndexUrl::parse(PYPI).map_err(Failure::new)?,
            name: None,
            by: NamedBy::Default,
            ignored_statuses: Vec::new(),
        })
    }
}
