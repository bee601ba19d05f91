//! The addresses of host names.
//!
//! A static glibc would load the modules that `/etc/nsswitch.conf` names into this process, although
//! they were built for the glibc of the machine; that crashes (rust-lang/rust#100711). Only `files`
//! and `dns` are part of the program. So where `nsswitch.conf` names others for hosts, such as
//! `resolve`, `myhostname` or `mdns4_minimal`, vpython asks `getent`, which is a program of that
//! glibc. Elsewhere, or without `getent`, it resolves names itself, by `files` and `dns` only.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::{plain_http, programs};
use crate::fs::{self, limits};
use crate::process::Process;

/// The configuration of the name service switch.
const NSSWITCH: &str = "/etc/nsswitch.conf";
/// The maximum time that `getent` may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The number of addresses that are tried; `ureq` has room for no more.
const ADDRESSES: usize = 16;

/// The resolver for `ureq`. It remembers what it found, for the connections of one run.
#[derive(Debug)]
pub(super) struct HostNames {
    process: Process,
    found: Mutex<HashMap<String, Vec<IpAddr>>>,
}

impl HostNames {
    /// Creates a resolver that reads nothing before the first request.
    pub(super) fn new(process: &Process) -> Self {
        Self {
            process: process.clone(),
            found: Mutex::default(),
        }
    }

    /// Returns the addresses of a host in the order in which they are tried; none if there are
    /// none, or the name service fails.
    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return vec![address];
        }
        if plain_http::is_localhost(host) {
            return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        // The lock is held while a name is resolved, so that threads with the same one wait for it.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(addresses) = found.get(host) {
            return addresses.clone();
        }
        let addresses = self.look_up(host);
        if !addresses.is_empty() {
            found.insert(host.to_owned(), addresses.clone());
        }
        addresses
    }

    fn look_up(&self, host: &str) -> Vec<IpAddr> {
        let switch = fs::read_text(Path::new(NSSWITCH), limits::SETTINGS).unwrap_or_default();
        if !names_only_built_in_services(&String::from_utf8_lossy(&switch))
            && let Some(getent) = self.process.find_program("getent")
        {
            let getent = getent.as_os_str();
            let answer = programs::ask(&self.process, getent, &["ahosts", host], TIMEOUT);
            return parse_ahosts(&String::from_utf8_lossy(&answer.unwrap_or_default()));
        }
        look_up_in_process(host)
    }
}

impl Resolver for HostNames {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let default = match uri.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => 1080,
        };
        let port = uri.port_u16().unwrap_or(default);
        let mut addresses = self.empty();
        for address in self
            .addresses(uri.host().unwrap_or_default())
            .into_iter()
            .take(ADDRESSES)
        {
            addresses.push(SocketAddr::new(address, port));
        }
        if addresses.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(addresses)
    }
}

/// Checks whether the line `hosts:` of an `nsswitch.conf` names only services that are part of this
/// program. Actions in brackets do not count. Without the line, glibc uses `files` and `dns`.
fn names_only_built_in_services(switch: &str) -> bool {
    let lines = switch
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let Some(services) = lines
        .filter_map(|line| line.trim().strip_prefix("hosts:"))
        .next_back()
    else {
        return true;
    };
    let mut is_action = false;
    services.split_whitespace().all(|word| {
        let was_action = is_action || word.starts_with('[');
        is_action = was_action && !word.ends_with(']');
        was_action || matches!(word, "files" | "dns")
    })
}

/// Parses the output of `getent ahosts`: an address at the beginning of each line, several times
/// for its types of sockets.
fn parse_ahosts(output: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for line in output.lines() {
        // A link-local address has its interface after `%`, and cannot be used without.
        let first = line.split_whitespace().next().unwrap_or_default();
        if let Ok(address) = first.parse()
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    addresses
}

/// Resolves a name in this process, by `/etc/hosts` and DNS.
fn look_up_in_process(host: &str) -> Vec<IpAddr> {
    static RESTRICTED: Once = Once::new();
    RESTRICTED.call_once(restrict_to_built_in_services);
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in (host, 0).to_socket_addrs().into_iter().flatten() {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    addresses
}

/// Makes `getaddrinfo` of this process ignore `nsswitch.conf`.
#[cfg(target_env = "gnu")]
#[allow(
    unsafe_code,
    reason = "only the C library has it, and no crate wraps it"
)]
fn restrict_to_built_in_services() {
    // SAFETY: declared as in `nss.h` of glibc 2.0 and later.
    unsafe extern "C" {
        fn __nss_configure_lookup(
            database: *const libc::c_char,
            services: *const libc::c_char,
        ) -> libc::c_int;
    }
    // SAFETY: both are strings that live forever; glibc takes its own lock, and copies them.
    unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
}

/// Other C libraries have no modules.
#[cfg(not(target_env = "gnu"))]
fn restrict_to_built_in_services() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_outside_of_the_program_are_noticed() {
        let rows = [
            ("", true),
            ("passwd: files sss\n", true),
            ("hosts: files dns\n", true),
            ("hosts:\tfiles dns # mdns\n", true),
            ("#hosts: files mdns\nhosts: dns\n", true),
            ("hosts: dns [!UNAVAIL=return] files\n", true),
            ("hosts: files [NOTFOUND = return] dns\n", true),
            (
                "hosts: files myhostname resolve [!UNAVAIL=return] dns\n",
                false,
            ),
            ("hosts: files mdns4_minimal [NOTFOUND=return] dns\n", false),
            ("hosts: files dns\nhosts: sss\n", false),
        ];
        for (switch, expected) in rows {
            assert_eq!(names_only_built_in_services(switch), expected, "{switch}");
        }
    }

    #[test]
    fn the_output_of_getent_is_parsed() {
        let output = "2001:db8::1    STREAM a.example\n2001:db8::1    DGRAM\n192.0.2.1 STREAM \n\
                      fe80::1%eth0 STREAM\n192.0.2.1 RAW\nrubbish\n";
        let addresses: Vec<String> = parse_ahosts(output).iter().map(IpAddr::to_string).collect();
        assert_eq!(addresses, ["2001:db8::1", "192.0.2.1"]);
    }

    #[test]
    fn addresses_and_this_machine_need_no_name_service() {
        let names = HostNames::new(&Process::default());
        let of = |host| {
            let addresses = names.addresses(host);
            addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("192.0.2.7"), ["192.0.2.7"]);
        assert_eq!(of("[2001:db8::7]"), ["2001:db8::7"]);
        assert_eq!(of("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(of("a.localhost"), ["127.0.0.1", "::1"]);
    }

    #[test]
    fn a_name_that_does_not_exist_has_no_address() {
        assert_eq!(
            look_up_in_process("no-such-name.invalid"),
            [IpAddr::V4(Ipv4Addr::LOCALHOST); 0]
        );
    }
}
