//! The agents of `ureq`: pools of open connections, one for each proxy, with and without TLS.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy};

use super::host_names::HostNames;
use super::proxy::Proxies;
use super::{CONNECTIONS, RemoteUrl, Settings, client_certificate, tls};
use crate::process::Process;

/// The maximum size of the header of an answer in bytes.
const HEADER: usize = 64 * 1024;
/// The size of the buffer of a connection in bytes. A header that exceeds its limit must fit.
const BUFFER: usize = 2 * HEADER;

/// The agents of a run, each created when it is first needed.
#[derive(Debug)]
pub(super) struct Agents {
    process: Process,
    proxies: Proxies,
    authorities: OnceLock<RootCerts>,
    created: Mutex<Vec<(Kind, Agent)>>,
}

/// What the connections of an agent have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    /// Whether there is TLS, to the server or to the proxy. Without it the certificate authorities
    /// of the machine are not read.
    has_tls: bool,
    proxy: Option<Proxy>,
}

impl Agents {
    /// Prepares the agents. Opens nothing.
    ///
    /// # Errors
    /// The value of a setting for proxies is not valid.
    pub(super) fn of(process: &Process, settings: &Settings) -> Result<Self> {
        Ok(Self {
            process: process.clone(),
            proxies: Proxies::of(process, settings)?,
            authorities: OnceLock::new(),
            created: Mutex::default(),
        })
    }

    /// Returns the proxy for a URL, as `host:port`.
    pub(super) fn proxy_name(&self, url: &RemoteUrl) -> Option<String> {
        let proxy = self.proxies.for_url(url)?;
        Some(format!("{}:{}", proxy.host(), proxy.port()))
    }

    /// Returns the agent for a URL.
    ///
    /// # Errors
    /// There is no certificate authority.
    pub(super) fn for_url(&self, url: &RemoteUrl, settings: &Settings) -> Result<Agent> {
        let proxy = self.proxies.for_url(url).cloned();
        let is_https = |proxy: &Proxy| proxy.protocol() == ureq::ProxyProtocol::Https;
        let kind = Kind {
            has_tls: url.is_https() || proxy.as_ref().is_some_and(is_https),
            proxy,
        };
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, agent)) = created.iter().find(|(known, _)| *known == kind) {
            return Ok(agent.clone());
        }
        let agent = self.create(&kind, settings)?;
        created.push((kind, agent.clone()));
        Ok(agent)
    }

    fn create(&self, kind: &Kind, settings: &Settings) -> Result<Agent> {
        // Redirects, statuses and compressed bodies are left to the caller of the agent, which
        // knows the rules for logins and limits.
        let mut config = Agent::config_builder()
            .proxy(kind.proxy.clone())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("vpython/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .max_response_header_size(HEADER)
            .input_buffer_size(BUFFER)
            .max_idle_connections(2 * CONNECTIONS)
            .max_idle_connections_per_host(CONNECTIONS)
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_per_read(Some(settings.idle_timeout))
            .timeout_per_write(Some(settings.idle_timeout));
        if kind.has_tls {
            let tls = TlsConfig::builder()
                .root_certs(self.authorities(settings)?)
                .client_cert(client_certificate::of_user(&self.process, settings)?)
                .unversioned_rustls_crypto_provider(Arc::new(
                    rustls::crypto::ring::default_provider(),
                ));
            config = config.tls_config(tls.build());
        }
        let names = HostNames::new(&self.process);
        Ok(Agent::with_parts(
            config.build(),
            DefaultConnector::default(),
            names,
        ))
    }

    fn authorities(&self, settings: &Settings) -> Result<RootCerts> {
        if let Some(authorities) = self.authorities.get() {
            return Ok(authorities.clone());
        }
        let authorities = tls::authorities(&self.process, settings)?;
        Ok(self.authorities.get_or_init(|| authorities).clone())
    }
}
