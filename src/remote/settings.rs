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
    /// A file with a certificate of the user and its private key, for servers that ask for one: pip's
    /// `client-cert`.
    pub client_certificate: Option<PathBuf>,
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
            client_certificate: None,
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
    /// Reads pip's environment variables `PIP_TRUSTED_HOST`, `PIP_CERT`,
    /// `PIP_CLIENT_CERT`, `PIP_PROXY`, `PIP_TIMEOUT`, `PIP_DEFAULT_TIMEOUT`, `PIP_RETRIES` and `PIP_KEYRING_PROVIDER`, and uv's
    /// `UV_KEYRING_PROVIDER`. As with pip, a timeout is in seconds, and the retries are those after
    /// the first attempt. Values that are not numbers count as unset.
    #[must_use]
    pub fn of(process: &Process) -> Self {
        let text = |name| process.setting(name).and_then(|value| value.to_str());
        let number = |name| text(name).and_then(|text| text.trim().parse::<u32>().ok());
        let default = Self::default();
        let timeout = number("PIP_TIMEOUT").or_else(|| number("PIP_DEFAULT_TIMEOUT"));
        let idle_timeout = timeout
            .filter(|seconds| *seconds > 0)
            .map_or(default.idle_timeout, |seconds| {
                Duration::from_secs(seconds.into())
            });
        // pip counts the retries, vpython the attempts.
        let attempts = number("PIP_RETRIES")
            .map_or(default.retry.attempts, |retries| retries.saturating_add(1));
        let provider = text("PIP_KEYRING_PROVIDER").or_else(|| text("UV_KEYRING_PROVIDER"));
        Self {
            trusted_hosts: text("PIP_TRUSTED_HOST")
                .map(|hosts| hosts.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            certificates: process.setting("PIP_CERT").map(PathBuf::from),
            client_certificate: process.setting("PIP_CLIENT_CERT").map(PathBuf::from),
            proxy: text("PIP_PROXY").map(Secret::from),
            use_keyring: provider == Some("subprocess"),
            idle_timeout,
            retry: Retry {
                attempts,
                ..default.retry
            },
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_pip() {
        let environment = [
            ("PIP_TRUSTED_HOST", "a.example b.example:81"),
            ("PIP_CERT", "/c.pem"),
            ("PIP_PROXY", "http://u:p@proxy"),
            ("PIP_DEFAULT_TIMEOUT", "180"),
            ("PIP_RETRIES", "0"),
            ("PIP_KEYRING_PROVIDER", "subprocess"),
        ];
        let process = |environment: &[(&str, &str)]| Process {
            environment: environment
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Process::default()
        };
        let shown = format!("{:?}", Settings::of(&process(&environment)));
        let expected = "Settings { trusted_hosts: [\"a.example\", \"b.example:81\"], \
            certificates: Some(\"/c.pem\"), client_certificate: None, proxy: Some(***), use_keyring: true, \
            connect_timeout: 10s, idle_timeout: 180s, \
            retry: Retry { attempts: 1, first_pause: 500ms, longest_pause: 60s } }";
        assert_eq!(shown, expected);
        let nonsense = [
            ("PIP_TIMEOUT", "0"),
            ("PIP_RETRIES", "-1"),
            ("PIP_KEYRING_PROVIDER", "auto"),
        ];
        let (unset, nonsense) = (
            Settings::of(&process(&[])),
            Settings::of(&process(&nonsense)),
        );
        assert_eq!(format!("{nonsense:?}"), format!("{unset:?}"));
    }
}
