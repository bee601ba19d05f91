//! [`Trouble`]: why one attempt failed, whether another may succeed, and the text of the error.

use std::time::Duration;

use ureq::{Error, Timeout};

use super::{RemoteUrl, Settings};
use crate::report::Failure;

/// Why an attempt failed.
#[derive(Debug)]
pub(super) struct Trouble {
    /// The URL of the request, which a redirect may have led to.
    pub(super) url: Box<RemoteUrl>,
    /// What failed.
    pub(super) why: Why,
    /// Whether a later attempt may succeed.
    pub(super) again: Again,
}

/// The text of the error.
#[derive(Debug)]
pub(super) enum Why {
    /// What the server or the network did, and what the user can do.
    Remote(String, Option<String>),
    /// An error of this machine, passed on unchanged.
    Local(anyhow::Error),
}

/// Whether a failed attempt is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail again.
    Never,
    /// After a pause, whose length the server may have asked for.
    Later(Option<Duration>),
}

/// What a request is for, as the headline of its error names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To receive something.
    Fetch,
    /// To send something.
    Upload,
}

impl Trouble {
    /// Creates one that makes further attempts useless.
    pub(super) fn lasting(url: &RemoteUrl, cause: impl Into<String>) -> Self {
        Self {
            url: Box::new(url.clone()),
            why: Why::Remote(cause.into(), None),
            again: Again::Never,
        }
    }

    /// Creates one that may pass.
    pub(super) fn passing(url: &RemoteUrl, cause: impl Into<String>) -> Self {
        Self {
            again: Again::Later(None),
            ..Self::lasting(url, cause)
        }
    }

    /// Passes on an error of this machine.
    pub(super) fn local(url: &RemoteUrl, error: anyhow::Error) -> Self {
        Self {
            url: Box::new(url.clone()),
            why: Why::Local(error),
            again: Again::Never,
        }
    }

    /// Sets the hint.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Why::Remote(_, old) = &mut self.why {
            *old = Some(hint.into());
        }
        self
    }

    /// Sets the pause that the server asks for.
    pub(super) fn after(mut self, pause: Option<Duration>) -> Self {
        self.again = Again::Later(pause);
        self
    }

    /// Describes the failure of a request that another one needs first. `why` says what for.
    pub(super) fn needed_by(mut self, url: &RemoteUrl, why: &str) -> Self {
        if let Why::Remote(cause, _) = &mut self.why {
            *cause = format!("{why} from `{}`: {cause}", self.url);
        }
        self.url = Box::new(url.clone());
        self
    }

    /// Describes an error of the transport.
    pub(super) fn of_transport(
        url: &RemoteUrl,
        error: Error,
        proxy: Option<&str>,
        settings: &Settings,
    ) -> Self {
        let peer = proxy.map_or_else(
            || url.host().to_owned(),
            |proxy| format!("the proxy {proxy}"),
        );
        let seconds = |duration: Duration| duration.as_secs_f64();
        // A passing trouble may go away by itself; a lasting one would only be repeated.
        match error {
            Error::Io(error) => match tls_error(&error) {
                Some(tls) => Self::of_tls(url, tls),
                None if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    Self::passing(url, format!("`{peer}` refused the connection"))
                        .hint(unreachable_hint(proxy))
                }
                None => Self::passing(url, format!("the connection was lost: {}", plain(&error))),
            },
            Error::Rustls(error) => Self::of_tls(url, &error),
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                let limit = seconds(settings.connect_timeout);
                Self::passing(
                    url,
                    format!("`{peer}` did not accept a connection within {limit} s"),
                )
                .hint(unreachable_hint(proxy))
            }
            Error::Timeout(_) => {
                let limit = seconds(settings.idle_timeout);
                Self::passing(url, format!("the server sent nothing for {limit} s"))
            }
            Error::HostNotFound => {
                Self::passing(url, format!("the name service has no address for `{peer}`"))
                    .hint(unreachable_hint(proxy))
            }
            // ureq has the status of the proxy's answer only in a text.
            Error::ConnectProxyFailed(said) if said.contains("407") => {
                Self::lasting(url, format!("{peer} refuses requests without its login"))
                    .hint("write the proxy as `http://user:password@host:port`")
            }
            Error::ConnectProxyFailed(said) => Self::passing(
                url,
                format!("{peer} made no connection to `{}`: {said}", url.host()),
            )
            .hint("check the proxy, or name the host in `NO_PROXY`"),
            Error::ConnectionFailed => Self::passing(url, format!("`{peer}` cannot be reached"))
                .hint(unreachable_hint(proxy)),
            Error::LargeResponseHeader(_, limit) => Self::lasting(
                url,
                format!(
                    "the header of the answer is larger than the limit of {} KiB",
                    limit >> 10
                ),
            ),
            error => Self::lasting(url, format!("the answer is not valid HTTP: {error}")),
        }
    }

    fn of_tls(url: &RemoteUrl, error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => {
                Self::lasting(url, format!("the certificate of `{}` is not accepted: {why}", url.host())).hint(
                    "if a proxy of your company decrypts https, set `SSL_CERT_FILE` to its certificates",
                )
            }
            error => Self::passing(url, format!("the TLS connection failed: {error}")),
        }
    }

    /// Returns the error for the request of `url`. It says the number of attempts if it is not 1.
    pub(super) fn into_error(
        self,
        purpose: Purpose,
        url: &RemoteUrl,
        attempts: u32,
    ) -> anyhow::Error {
        let (cause, hint) = match self.why {
            Why::Local(error) => return error,
            Why::Remote(cause, hint) => (cause, hint),
        };
        let mut failure = Failure::new(match purpose {
            Purpose::Fetch => format!("cannot fetch `{url}`"),
            Purpose::Upload => format!("cannot upload to `{url}`"),
        });
        if self.url.as_url() != url.as_url() {
            failure = failure.because(match purpose {
                Purpose::Fetch => format!("it redirects to `{}`", self.url),
                Purpose::Upload => format!("the request for `{}` failed", self.url),
            });
        }
        failure = failure.because(if attempts > 1 {
            format!("{cause} (after {attempts} attempts)")
        } else {
            cause
        });
        if let Some(hint) = hint {
            failure = failure.hint(hint);
        }
        failure.into()
    }
}

/// Returns the text of an error of the system or of `ureq` without the layers around it.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it ended too early".to_owned(),
        _ => error.to_string(),
    }
}

/// Returns the TLS error inside of an I/O error.
fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn unreachable_hint(proxy: Option<&str>) -> &'static str {
    if proxy.is_some() {
        "check `HTTPS_PROXY` and `NO_PROXY`"
    } else {
        "check the network and the URL; where a proxy is needed, set `HTTPS_PROXY`"
    }
}
