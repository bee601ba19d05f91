//! The logins of the user, by origin: from the URL, from `.netrc`, or from `keyring`.
//!
//! A URL with a user name and a password provides them for all URLs of its origin, as for pip: the
//! links of an index have none. What a URL says has precedence over `.netrc`, so that a lock or a
//! spec can be used with another login than the usual one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::debug;

use super::netrc::Netrc;
use super::{Login, Origin, RemoteUrl, Secret, Settings, keyring};
use crate::fs::{self, limits};
use crate::process::Process;
use crate::report;

/// What a request says in the header `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    /// A user name and a password (RFC 7617).
    Basic(Login),
    /// A token of a registry (RFC 6750).
    Bearer(Secret),
}

impl Authorization {
    /// Returns the value of the header.
    pub(super) fn header(&self) -> Secret {
        match self {
            Self::Basic(Login { username, password }) => {
                let pair = format!("{}:{}", username.reveal(), password.reveal());
                format!("Basic {}", STANDARD.encode(pair)).into()
            }
            Self::Bearer(token) => format!("Bearer {}", token.reveal()).into(),
        }
    }

    /// Returns whether a text contains a secret of this login.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let header = self.header();
        let encoded = header.reveal().split_once(' ').map(|(_, encoded)| encoded);
        let password = match self {
            Self::Basic(login) => Some(login.password.reveal()),
            Self::Bearer(_) => None,
        };
        let mut secrets = encoded.into_iter().chain(password);
        secrets.any(|secret| !secret.is_empty() && text.contains(secret))
    }
}

/// The logins of a run.
#[derive(Debug)]
pub(super) struct Logins {
    process: Process,
    use_keyring: bool,
    netrc: OnceLock<Netrc>,
    /// The logins of URLs.
    of_urls: Mutex<HashMap<Origin, Login>>,
    /// The answers of `keyring`, also that it has none.
    answers: Mutex<HashMap<Origin, Option<Login>>>,
}

impl Logins {
    /// Prepares the sources. Reads nothing.
    pub(super) fn of(process: &Process, settings: &Settings) -> Self {
        Self {
            process: process.clone(),
            use_keyring: settings.use_keyring,
            netrc: OnceLock::new(),
            of_urls: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// Remembers the login of a URL that the caller requests, for other URLs of its origin.
    pub(super) fn remember(&self, url: &RemoteUrl) {
        if let Some(login) = url.login() {
            let mut known = self.of_urls.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(url.origin()).or_insert_with(|| login.clone());
        }
    }

    /// Returns the login to send with the first request for a URL.
    pub(super) fn for_url(&self, url: &RemoteUrl) -> Option<Authorization> {
        let origin = url.origin();
        let answered = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let login = answered
            .get(&origin)
            .cloned()
            .flatten()
            .or_else(|| url.login().cloned())
            .or_else(|| self.of_url(&origin))
            .or_else(|| self.netrc().login(url.host()).cloned());
        login.map(Authorization::Basic)
    }

    /// Returns the login for a URL whose server has answered 401 to `sent`, if `keyring` has one.
    pub(super) fn of_keyring(
        &self,
        url: &RemoteUrl,
        sent: Option<&Authorization>,
    ) -> Option<Authorization> {
        if !self.use_keyring {
            return None;
        }
        let origin = url.origin();
        let login = url.login().cloned().or_else(|| self.of_url(&origin))?;
        // The lock is held while `keyring` runs, which may ask the user: once is enough.
        let mut answered = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = answered.entry(origin).or_insert_with(|| {
            let password = keyring::password(&self.process, url, &login.username);
            debug!(
                host = url.host(),
                found = password.is_some(),
                "asked `keyring` for a password"
            );
            password.map(|password| Login { password, ..login })
        });
        let found = found.clone().map(Authorization::Basic);
        found.filter(|found| Some(found) != sent)
    }

    fn of_url(&self, origin: &Origin) -> Option<Login> {
        let known = self.of_urls.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(origin).cloned()
    }

    /// Returns the logins of `NETRC` or else of `~/.netrc`.
    fn netrc(&self) -> &Netrc {
        self.netrc.get_or_init(|| {
            let given = self.process.setting("NETRC").map(PathBuf::from);
            let usual = || Some(self.process.home()?.join(".netrc"));
            let Some(path) = given.or_else(usual).filter(|path| fs::exists(path)) else {
                return Netrc::default();
            };
            match fs::read_text(&path, limits::SETTINGS) {
                Ok(text) => Netrc::parse(&String::from_utf8_lossy(&text)),
                Err(error) => {
                    report::warning(&report::one_line(&error));
                    Netrc::default()
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_that_of_the_standard() {
        let login = Login {
            username: "Aladdin".into(),
            password: "open sesame".into(),
        };
        let header = Authorization::Basic(login).header();
        assert_eq!(header.reveal(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn a_login_is_for_one_origin() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".netrc");
        fs::write_new(&path, b"machine c.example login n password p", 0o600).unwrap();
        let process = Process {
            environment: vec![("HOME".into(), directory.path().into())],
            ..Process::default()
        };
        let logins = Logins::of(&process, &Settings::default());
        logins.remember(&RemoteUrl::parse("https://u:w@a.example/simple/").unwrap());
        let rows = [
            ("https://a.example/files/x.whl", Some("u:w")),
            ("https://a.example:8443/", None),
            ("http://a.example/", None),
            ("https://b.example/", None),
            ("https://v:x@a.example/", Some("v:x")),
            ("https://t@b.example/", Some("t:")),
            ("https://c.example/", Some("n:p")),
            ("https://c.example:1/", Some("n:p")),
            ("https://d:e@c.example/", Some("d:e")),
        ];
        for (url, expected) in rows {
            let url = RemoteUrl::parse(url).unwrap();
            let expected = expected.map(|pair| {
                let (username, password) = pair.split_once(':').unwrap();
                Authorization::Basic(Login {
                    username: username.into(),
                    password: password.into(),
                })
            });
            assert!(logins.for_url(&url) == expected, "{url}");
        }
    }
}
