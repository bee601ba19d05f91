//! The settings of one source, under the names of pip's options.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::named::{Named, NamedBy};
use crate::process::Process;
use crate::remote::Secret;
use crate::spec::IndexUrl;

/// The settings of one source. Each is `None` or empty if the source does not name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layer {
    pub index_url: Option<Named<IndexUrl>>,
    pub extra_index_url: Vec<Named<IndexUrl>>,
    pub find_links: Vec<Named<IndexUrl>>,
    /// The directories that `find-links` names.
    pub directories: Vec<Named<PathBuf>>,
    pub no_index: Option<Named<bool>>,
    pub trusted_hosts: Vec<Named<String>>,
    pub cert: Option<Named<PathBuf>>,
    pub client_cert: Option<Named<PathBuf>>,
    pub timeout: Option<Named<Duration>>,
    pub retries: Option<Named<u32>>,
    pub proxy: Option<Named<Secret>>,
    pub keyring_provider: Option<Named<KeyringProvider>>,
}

/// How the program `keyring` is asked for passwords: the values of pip's `--keyring-provider`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyringProvider {
    /// pip's own choice; for vpython, the same as [`Self::Disabled`], as for uv.
    #[default]
    Auto,
    /// Not at all.
    Disabled,
    /// As a Python module, which vpython cannot import; the same as [`Self::Subprocess`].
    Import,
    /// As a program.
    Subprocess,
}

impl Layer {
    /// Sets an option by its name without dashes. A list replaces the previous one. Names that are
    /// not about an index are ignored, as well as empty values, as pip does.
    ///
    /// # Errors
    /// The value is not valid. The error does not quote secrets.
    pub fn set(&mut self, name: &str, text: &str, by: &NamedBy, process: &Process) -> Result<()> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let path = || {
            Some(Named {
                value: path(text, process),
                by: by.clone(),
            })
        };
        match name {
            "index-url" | "pypi-url" => self.index_url = Some(url(text, by)?),
            "extra-index-url" => {
                let urls = text.split_whitespace().map(|text| url(text, by));
                self.extra_index_url = urls.collect::<Result<_>>()?;
            }
            "find-links" => self.set_find_links(text, by, process)?,
            "no-index" => self.no_index = Some(boolean(text).map(|value| named(value, by))?),
            "trusted-host" => {
                let hosts = text
                    .split_whitespace()
                    .map(|host| named(host.to_owned(), by));
                self.trusted_hosts = hosts.collect();
            }
            "cert" => self.cert = path(),
            "client-cert" => self.client_cert = path(),
            "timeout" | "default-timeout" => self.timeout = Some(named(seconds(text)?, by)),
            "retries" => {
                let count = text.parse().ok();
                let count = count.with_context(|| format!("`{text}` is not a number of retries"));
                self.retries = Some(named(count?, by));
            }
            "proxy" => self.proxy = Some(named(Secret::from(text), by)),
            "keyring-provider" => self.keyring_provider = Some(named(provider(text)?, by)),
            _ => {}
        }
        Ok(())
    }

    /// Sets the pages and directories of links.
    fn set_find_links(&mut self, text: &str, by: &NamedBy, process: &Process) -> Result<()> {
        self.find_links.clear();
        self.directories.clear();
        for text in text.split_whitespace() {
            if text.starts_with("http:") || text.starts_with("https:") {
                self.find_links.push(url(text, by)?);
                continue;
            }
            let directory = match url::Url::parse(text) {
                Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
                _ => Some(path(text, process)),
            };
            let directory = directory.with_context(|| format!("`{text}` is not a local directory"));
            self.directories.push(named(directory?, by));
        }
        Ok(())
    }
}

fn named<T>(value: T, by: &NamedBy) -> Named<T> {
    Named {
        value,
        by: by.clone(),
    }
}

fn url(text: &str, by: &NamedBy) -> Result<Named<IndexUrl>> {
    match IndexUrl::parse(text) {
        Ok(url) => Ok(named(url, by)),
        Err(why) => {
            let shown = IndexUrl::hide_secrets(text);
            bail!("`{shown}` is not the URL of an index: {why}")
        }
    }
}

/// Returns an absolute path; `~` is the home directory, as for pip.
fn path(text: &str, process: &Process) -> PathBuf {
    let in_home = text.strip_prefix("~/").and_then(|rest| {
        let home = process.home()?;
        Some(home.join(rest))
    });
    in_home.unwrap_or_else(|| process.absolute(Path::new(text)))
}

/// Parses a boolean as pip does.
fn boolean(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => Ok(true),
        "n" | "no" | "f" | "false" | "off" | "0" => Ok(false),
        _ => bail!("`{text}` is neither `true` nor `false`"),
    }
}

/// Parses a positive number of seconds.
fn seconds(text: &str) -> Result<Duration> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| *number > 0.0)
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .with_context(|| format!("`{text}` is not a number of seconds"))
}

fn provider(text: &str) -> Result<KeyringProvider> {
    Ok(match text {
        "auto" => KeyringProvider::Auto,
        "disabled" => KeyringProvider::Disabled,
        "import" => KeyringProvider::Import,
        "subprocess" => KeyringProvider::Subprocess,
        _ => bail!("`{text}` is not one of `auto`, `disabled`, `import` and `subprocess`"),
    })
}
