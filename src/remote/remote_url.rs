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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let rows = [
            ("https://a.example", "https://a.example/"),
            (
                "https://u:geheim@A.example:443/x%20y",
                "https://a.example/x%20y",
            ),
            (
                "http://geheim@[::1]:8080/x?token=geheim#geheim",
                "http://[::1]:8080/x?...",
            ),
            ("http://a.example:80/x#sha256=1", "http://a.example/x"),
        ];
        for (text, shown) in rows {
            let url = RemoteUrl::parse(text).unwrap();
            assert_eq!(
                (format!("{url}"), format!("{url:?}")),
                (shown.to_owned(), shown.to_owned())
            );
            assert!(!format!("{:?}", url.login()).contains("geheim"));
        }
    }

    #[test]
    fn a_login_is_decoded_and_removed() {
        let login = |text| {
            let url = RemoteUrl::parse(text).unwrap();
            assert!(!url.as_url().as_str().contains('@'), "{text}");
            let login = url.login().cloned()?;
            Some([
                login.username.reveal().to_owned(),
                login.password.reveal().to_owned(),
            ])
        };
        let pair = |name: &str, password: &str| Some([name.to_owned(), password.to_owned()]);
        assert_eq!(login("https://a.example/"), None);
        assert_eq!(login("https://u%40b:p%3Aq@a.example/"), pair("u@b", "p:q"));
        assert_eq!(login("https://token@a.example/"), pair("token", ""));
        assert_eq!(login("https://:p@a.example/"), pair("", "p"));
    }

    #[test]
    fn a_link_of_the_same_origin_has_the_login_of_its_page() {
        let page = RemoteUrl::parse("https://u:p@a.example/simple/x/").unwrap();
        let rows = [
            (
                "../../x.whl#sha256=1",
                "https://a.example/x.whl#sha256=1",
                true,
            ),
            ("https://a.example:443/y", "https://a.example/y", true),
            (
                "https://a.example:8443/y",
                "https://a.example:8443/y",
                false,
            ),
            ("https://b.example/y?z", "https://b.example/y?z", false),
        ];
        for (link, expected, has_login) in rows {
            let url = page.join(link).unwrap();
            assert_eq!(
                (url.as_url().as_str(), url.login().is_some()),
                (expected, has_login)
            );
        }
        assert_eq!(page.join("x%2B1.whl?a#b").unwrap().file_name(), "x+1.whl");
    }

    #[test]
    fn an_unusable_url_is_not_quoted_if_it_may_have_a_password() {
        let rows = [
            (
                "ftp://a.example/",
                "`ftp://a.example/` is not a usable URL: its scheme is neither `https` nor `http`",
            ),
            (
                "a.example",
                "`a.example` is not a usable URL: relative URL without a base",
            ),
            ("https://u:geheim@", "`***` is not a usable URL: empty host"),
        ];
        for (text, expected) in rows {
            assert_eq!(
                report::one_line(&RemoteUrl::parse(text).unwrap_err()),
                expected
            );
        }
    }
}
