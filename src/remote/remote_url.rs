//! [`RemoteUrl`]: an `http` or `https` URL that can be shown, because its secrets are apart.

use std::fmt;

use anyhow::Result;
use percent_encoding::percent_decode_str;
use url::Url;

use super::Secret;
use crate::report::Failure;

/// A user name and a password. The name is a secret too: some servers expect a token there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The user name.
    pub username: Secret,
    /// The password; empty if there is none.
    pub password: Secret,
}

/// The scheme, host and port of a URL: the unit that a login is for.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: String,
    /// The host in lower case; an IPv6 address in brackets.
    pub host: String,
    /// The port, also if it is the default of the scheme.
    pub port: u16,
}

/// An `http` or `https` URL. `Display` and `Debug` show it without its user name, password and
/// fragment, and only the beginning of its query, which may be a signature.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    /// The URL without user name and password.
    url: Url,
    login: Option<Login>,
}

impl RemoteUrl {
    /// Parses an absolute URL, which may contain a user name and a password.
    ///
    /// # Errors
    /// It is not a URL, or not one of `http` or `https` with a host. The error does not quote it if
    /// it may contain a password.
    pub fn parse(text: &str) -> Result<Self> {
        let shown = if text.contains('@') { "***" } else { text };
        let cannot =
            |why: String| Failure::new(format!("`{shown}` is not a usable URL")).because(why);
        let url = Url::parse(text).map_err(|error| cannot(error.to_string()))?;
        Self::from_url(url).map_err(|why| cannot(why.to_owned()).into())
    }

    /// Parses a URL relative to this one. The result has the login of this one if it has the same
    /// origin and none of its own.
    ///
    /// # Errors
    /// Those of [`RemoteUrl::parse`].
    pub fn join(&self, reference: &str) -> Result<Self> {
        let cannot = |why: String| {
            Failure::new(format!("a link in `{self}` is not a usable URL")).because(why)
        };
        let url = self
            .url
            .join(reference)
            .map_err(|error| cannot(error.to_string()))?;
        let mut joined = Self::from_url(url).map_err(|why| cannot(why.to_owned()))?;
        if joined.login.is_none() && joined.origin() == self.origin() {
            joined.login.clone_from(&self.login);
        }
        Ok(joined)
    }

    fn from_url(mut url: Url) -> std::result::Result<Self, &'static str> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err("its scheme is neither `https` nor `http`");
        }
        let decoded = |text: &str| Secret::from(&*percent_decode_str(text).decode_utf8_lossy());
        let (username, password) = (url.username(), url.password().unwrap_or_default());
        let login = (!username.is_empty() || !password.is_empty()).then(|| Login {
            username: decoded(username),
            password: decoded(password),
        });
        let removed = url.set_username("").and_then(|()| url.set_password(None));
        removed.map_err(|()| "it has no host")?;
        Ok(Self { url, login })
    }

    /// Returns the URL with query and fragment, and without user name and password, as a lock file
    /// may contain it.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// Returns the user name and password that the URL was written with.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Returns the same URL without its login, for a server's redirect, which must not choose one.
    pub(super) fn without_login(mut self) -> Self {
        self.login = None;
        self
    }

    /// Returns the scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            scheme: self.url.scheme().to_owned(),
            host: self.host().to_owned(),
            port: self.url.port_or_known_default().unwrap_or_default(),
        }
    }

    /// Returns the host in lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Returns whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns the last segment of the path, decoded: the file name of a wheel.
    #[must_use]
    pub fn file_name(&self) -> String {
        let last = self.url.path().rsplit('/').next().unwrap_or_default();
        percent_decode_str(last).decode_utf8_lossy().into_owned()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        match (scheme.as_str(), port) {
            ("http", 80) | ("https", 443) => write!(formatter, "{scheme}://{host}"),
            _ => write!(formatter, "{scheme}://{host}:{port}"),
        }
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.url.path())?;
        match self.url.query() {
            Some(_) => formatter.write_str("?..."),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
