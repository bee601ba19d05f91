//! The proxy of a request, from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper
//! and lower case, as curl and pip read them. The lower-case name has precedence.
//!
//! All requests go through a proxy as tunnels (`CONNECT`), those by plain http too.

use std::net::IpAddr;

use anyhow::Result;
use ureq::Proxy;

use super::{RemoteUrl, Settings};
use crate::process::Process;
use crate::report::Failure;

/// The proxies, by scheme, and the hosts that are reached without them.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exempt: String,
}

impl Proxies {
    /// Reads the settings.
    ///
    /// # Errors
    /// A value is not the URL of a proxy. The error does not quote it.
    pub(super) fn of(process: &Process, settings: &Settings) -> Result<Self> {
        let exempt = variable(process, "no_proxy").map_or_else(String::new, |(_, hosts)| hosts);
        // pip's own setting wins over the usual variables, for both schemes.
        if let Some(proxy) = &settings.proxy {
            let proxy = parse("PIP_PROXY", proxy.reveal())?;
            return Ok(Self {
                http: Some(proxy.clone()),
                https: Some(proxy),
                exempt,
            });
        }
        let for_scheme = |name: &str| {
            variable(process, name)
                .or_else(|| variable(process, "all_proxy"))
                .map(|(name, value)| parse(&name, &value))
                .transpose()
        };
        Ok(Self {
            http: for_scheme("http_proxy")?,
            https: for_scheme("https_proxy")?,
            exempt,
        })
    }

    /// Returns the proxy for a URL, if it needs one.
    pub(super) fn for_url(&self, url: &RemoteUrl) -> Option<&Proxy> {
        let proxy = if url.is_https() {
            &self.https
        } else {
            &self.http
        };
        proxy
            .as_ref()
            .filter(|_| !is_exempt(&self.exempt, url.host(), url.origin().port))
    }
}

/// Returns the variable with this lower-case name, or else the one in upper case, and its name.
fn variable(process: &Process, name: &str) -> Option<(String, String)> {
    [name.to_owned(), name.to_ascii_uppercase()]
        .into_iter()
        .find_map(|name| {
            let value = process.setting(&name)?.to_str()?.to_owned();
            Some((name, value))
        })
}

/// Parses the value of a variable; without a scheme it is an http proxy.
fn parse(name: &str, value: &str) -> Result<Proxy> {
    let proxy = Proxy::new(value.trim());
    proxy.map_err(|_| {
        Failure::new(format!("the value of `{name}` is not the URL of a proxy"))
            .hint("write it as `http://user:password@host:port`, with special characters as `%40`")
            .into()
    })
}

/// Checks a host against `NO_PROXY`: names separated by commas or spaces, each of which also covers
/// the names below it; `*`; addresses and networks such as `10.0.0.0/8`; and any with a port.
fn is_exempt(list: &str, host: &str, port: u16) -> bool {
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    list.split([',', ' ']).map(str::trim).any(|entry| {
        // Only an address can be in a network.
        if let (Ok(address), Some((network, bits))) = (&address, entry.split_once('/')) {
            return is_in_network(*address, network, bits);
        }
        // A port follows the last colon, unless that is part of an IPv6 address.
        let entry = match entry.rsplit_once(':') {
            Some((name, digits)) if !name.contains(':') || name.ends_with(']') => {
                if digits.parse() != Ok(port) {
                    return false;
                }
                name
            }
            _ => entry,
        };
        if let (Ok(address), Ok(exempt)) = (&address, entry.trim_matches(['[', ']']).parse()) {
            return *address == IpAddr::to_canonical(&exempt);
        }
        let name = entry
            .trim_start_matches("*.")
            .trim_start_matches('.')
            .to_ascii_lowercase();
        // Compare whole labels: `example.org` covers `a.example.org`, but not `an-example.org`.
        entry == "*"
            || address.is_err()
                && !name.is_empty()
                && (host == name
                    || host
                        .strip_suffix(&name)
                        .is_some_and(|rest| rest.ends_with('.')))
    })
}

/// Checks whether an address is in the network `network/bits`.
fn is_in_network(address: IpAddr, network: &str, bits: &str) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let ((one, length), (other, other_length)) = (number(address), number(network));
    let differing = one ^ other;
    length == other_length && bits <= length && differing.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::report;

    fn process(environment: &[(&str, &str)]) -> Process {
        let environment = environment.iter();
        Process {
            environment: environment
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Process::default()
        }
    }

    #[test]
    fn a_proxy_is_chosen_by_the_scheme() {
        #[rustfmt::skip]
        let rows: [(&[(&str, &str)], &str, Option<&str>); 10] = [
            (&[], "https://a.example/", None),
            (&[("HTTPS_PROXY", "http://p:1")], "https://a.example/", Some("p:1")),
            (&[("HTTPS_PROXY", "http://p:1")], "http://a.example/", None),
            (&[("HTTP_PROXY", "p:1")], "http://a.example/", Some("p:1")),
            (&[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "http://q:2")], "https://a.example/", Some("q:2")),
            (&[("ALL_PROXY", "socks5://p:1")], "https://a.example/", Some("p:1")),
            (&[("all_proxy", "http://p:1"), ("https_proxy", "http://q:2")], "http://a.example/", Some("p:1")),
            (&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "x, a.example")], "https://a.example/", None),
            (&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", "b.example")], "https://a.example/", Some("p:1")),
            (&[("HTTPS_PROXY", "")], "https://a.example/", None),
        ];
        for (environment, url, expected) in rows {
            let proxies = Proxies::of(&process(environment), &Settings::default()).unwrap();
            let url = RemoteUrl::parse(url).unwrap();
            let found = proxies
                .for_url(&url)
                .map(|proxy| format!("{}:{}", proxy.host(), proxy.port()));
            assert_eq!(found.as_deref(), expected, "{environment:?} {url}");
        }
    }

    #[test]
    fn the_configured_proxy_replaces_those_of_the_environment() {
        let settings = Settings {
            proxy: Some("http://c:3".into()),
            ..Settings::default()
        };
        let process = process(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "b.example")]);
        let proxies = Proxies::of(&process, &settings).unwrap();
        let host = |url| {
            let url = RemoteUrl::parse(url).unwrap();
            proxies.for_url(&url).map(|proxy| proxy.host().to_owned())
        };
        assert_eq!(host("https://a.example"), Some("c".to_owned()));
        assert_eq!(host("https://b.example"), None);
    }

    #[test]
    fn exempt_hosts_are_those_of_curl() {
        let rows = [
            ("", "a.example", false),
            ("*", "a.example", true),
            ("a.example", "a.example", true),
            ("a.example", "b.a.example", true),
            (".a.example", "a.example", true),
            ("*.a.example", "b.a.example", true),
            ("a.example", "ba.example", false),
            ("A.Example", "a.example", true),
            ("a.example:443", "a.example", true),
            ("a.example:8443", "a.example", false),
            ("x,,a.example", "a.example", true),
            ("x a.example", "a.example", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/8", "a.example", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("0.0.1", "10.0.0.1", false),
            ("::1", "[::1]", true),
            ("[::1]:443", "[::1]", true),
            ("fd00::/8", "[fd00::5]", true),
            ("10.0.0.0/99", "10.1.2.3", false),
        ];
        for (list, host, expected) in rows {
            assert_eq!(is_exempt(list, host, 443), expected, "{list} {host}");
        }
    }

    #[test]
    fn an_unusable_value_is_not_quoted() {
        let process = process(&[("HTTPS_PROXY", "gopher://me:geheim@p")]);
        let error = Proxies::of(&process, &Settings::default()).unwrap_err();
        expect![[r#"
            vpython: error: the value of `HTTPS_PROXY` is not the URL of a proxy
              hint: write it as `http://user:password@host:port`, with special characters as `%40`
        "#]]
        .assert_eq(&report::render(&error));
    }
}
