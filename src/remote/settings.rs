//! [`Settings`]: what the configuration says about requests.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;
use crate::process::Process;

/// The settings of a [`Client`](super::Client). The environment variables that all programs share
/// (`HTTPS_PROXY`, `SSL_CERT_FILE`, `NETRC` and similar) are read by the client itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Hosts, as `host` or `host:port`, that may be reached by plain http: pip's `trusted-host`.
    /// Certificates are checked also for these.
    pub trusted_hosts: Vec<String>,
    /// A file or a directory of certificate authorities, instead of those of the system: pip's
    /// `cert`.
    pub certificates: Option<PathBuf>,
    /// The proxy for all requests except those of `NO_PROXY`, instead of the one in the
    /// environment: pip's `proxy`.
    pub proxy: Option<Secret>,
    /// Whether the program `keyring` is asked for a password that is missing: pip's
    /// `keyring-provider = subprocess`.
    pub use_keyring: bool,
    /// The maximum time to connect, including TLS.
    pub connect_timeout: Duration,
    /// The maximum time without any byte from the server.
    pub idle_timeout: Duration,
    /// When to repeat a failed request.
    pub retry: Retry,
}

/// How often a request is repeated, and the pauses before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The number of attempts, at least 1.
    pub attempts: u32,
    /// The pause after the first attempt; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause, also if the server asks for a longer one.
    pub longest_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted_hosts: Vec::new(),
            certificates: None,
            proxy: None,
            use_keyring: false,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            retry: Retry::default(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_mins(1),
        }
    }
}

impl Settings {
    /// Reads pip's environment variables `PIP_TRUSTED_HOST`, `PIP_CERT`, `PIP_PROXY` and
    /// `PIP_KEYRING_PROVIDER`, and uv's `UV_KEYRING_PROVIDER`.
    #[must_use]
    pub fn of(process: &Process) -> Self {
        let text = |name| process.setting(name).and_then(|value| value.to_str());
        let provider = text("PIP_KEYRING_PROVIDER").or_else(|| text("UV_KEYRING_PROVIDER"));
        Self {
            trusted_hosts: text("PIP_TRUSTED_HOST")
                .map(|hosts| hosts.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            certificates: process.setting("PIP_CERT").map(PathBuf::from),
            proxy: text("PIP_PROXY").map(Secret::from),
            use_keyring: provider == Some("subprocess"),
            ..Self::default()
        }
    }
}
