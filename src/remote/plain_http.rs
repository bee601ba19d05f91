//! Which URLs may be requested without TLS: those of this machine, and those of hosts that the
//! configuration names.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::RemoteUrl;
use crate::report::Failure;

/// Checks that a URL is one of `https`, or that its host may be reached by plain http.
///
/// # Errors
/// It may not. The error says how to permit it.
pub(super) fn check(url: &RemoteUrl, trusted_hosts: &[String]) -> Result<()> {
    if url.is_https() || is_loopback(url.host()) || is_trusted(url, trusted_hosts) {
        return Ok(());
    }
    let host = url.host();
    Err(Failure::new(format!("cannot fetch `{url}`"))
        .because("plain http is permitted only for this machine: others on the way could change what it returns")
        .hint(format!("use `https`, or name the host: `PIP_TRUSTED_HOST={host}`, or `trusted-host = {host}` in pip.conf"))
        .into())
}

/// Returns whether a host is this machine, whatever the name service says.
pub(super) fn is_loopback(host: &str) -> bool {
    let inner = host.trim_start_matches('[').trim_end_matches(']');
    is_localhost(host)
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
        || inner
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Returns whether a name always means this machine (RFC 6761, section 6.3).
pub(super) fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// Returns whether a registry, `host` or `host:port`, is reached by plain http: on this machine, or
/// if the configuration names it with its port. A `trusted-host` without a port may be that of an
/// index by https on the same host.
pub(super) fn is_for_registry(name: &str, trusted_hosts: &[String]) -> bool {
    let host = match name.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => name,
    };
    let mut trusted = trusted_hosts.iter();
    is_loopback(host) || host != name && trusted.any(|trusted| trusted.eq_ignore_ascii_case(name))
}

/// Returns whether one of pip's `trusted-host` values, `host` or `host:port`, is that of the URL.
fn is_trusted(url: &RemoteUrl, trusted_hosts: &[String]) -> bool {
    let (host, port) = (url.host(), url.origin().port);
    let with_port = format!("{host}:{port}");
    trusted_hosts.iter().any(|trusted| {
        trusted.eq_ignore_ascii_case(host) || trusted.eq_ignore_ascii_case(&with_port)
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::report;

    #[test]
    fn plain_http_is_for_this_machine_and_for_trusted_hosts() {
        let trusted = ["Index.example".to_owned(), "other.example:8080".to_owned()];
        let rows = [
            ("https://a.example/", true),
            ("http://a.example/", false),
            ("http://localhost:1/", true),
            ("http://a.localhost/", true),
            ("http://localhost.example/", false),
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9:8/", true),
            ("http://127.0.0.1.example/", false),
            ("http://[::1]:8/", true),
            ("http://[::2]/", false),
            ("http://0.0.0.0/", false),
            ("http://index.example/", true),
            ("http://index.example:81/", true),
            ("http://other.example:8080/", true),
            ("http://other.example/", false),
        ];
        for (url, permitted) in rows {
            let url = RemoteUrl::parse(url).unwrap();
            assert_eq!(check(&url, &trusted).is_ok(), permitted, "{url}");
        }
    }

    #[test]
    fn a_registry_by_plain_http_is_on_this_machine_or_trusted_with_its_port() {
        let trusted = ["a.example".to_owned(), "b.example:5000".to_owned()];
        let rows = [
            ("localhost:5000", true),
            ("127.0.0.1", true),
            ("[::1]:5000", true),
            ("[::1]", true),
            ("a.example", false),
            ("a.example:5000", false),
            ("B.example:5000", true),
            ("b.example", false),
            ("[::2]:5000", false),
        ];
        for (name, expected) in rows {
            assert_eq!(is_for_registry(name, &trusted), expected, "{name}");
        }
    }

    #[test]
    fn the_error_says_how_to_permit_a_host() {
        let url = RemoteUrl::parse("http://u:p@a.example:81/simple/?x=1").unwrap();
        expect![[r#"
            vpython: error: cannot fetch `http://a.example:81/simple/?...`
              caused by: plain http is permitted only for this machine: others on the way could change what it returns
              hint: use `https`, or name the host: `PIP_TRUSTED_HOST=a.example`, or `trusted-host = a.example` in pip.conf
        "#]]
        .assert_eq(&report::render(&check(&url, &[]).unwrap_err()));
    }
}
