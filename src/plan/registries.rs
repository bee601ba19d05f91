//! The client for container registries, with the user's settings about connections.

use std::sync::Arc;

use anyhow::Result;

use super::connection::site_options;
use crate::invocation::{Fetching, Invocation};
use crate::process::Process;
use crate::remote::index::IndexSettings;
use crate::remote::{Client, Settings};
use crate::report::Failure;
use crate::spec::Indexes;

/// Creates a client for registries. Opens no socket yet. Certificates, proxies, time limits and
/// hosts by plain http are those of package indexes.
///
/// # Errors
/// The network may not be used, or a setting is invalid.
pub fn registry_client(invocation: &Invocation, process: &Process) -> Result<Arc<Client>> {
    let cannot = || Failure::new("registries need the network, which is forbidden");
    if let Some(refusal) = invocation.conf.refusal_of_fetch() {
        return Err(cannot().because_of(refusal.causes).into());
    }
    if invocation.fetching == Fetching::Offline {
        let why = "`-vpython-offline` or `VPYTHON_OFFLINE` is set";
        return Err(cannot().because(why).into());
    }
    let (site, _) = site_options(invocation, process)?;
    let settings = IndexSettings::read(&site, &Indexes::default(), &invocation.conf, process)?;
    Client::new(process, settings.connections(Settings::of(process))).map(Arc::new)
}
