//! The client for container registries, with the user's settings about connections.

use std::sync::Arc;

use anyhow::Result;

use super::connection::site_options;
use crate::invocation::Invocation;
use crate::oci::{Reference, RegistryReference};
use crate::process::{Process, variable};
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
    if let Some(why) = invocation.why_nothing_is_fetched() {
        let failure = Failure::new("registries need the network, which is forbidden");
        return Err(failure.because(why).into());
    }
    let (site, _) = site_options(invocation, process)?;
    let settings = IndexSettings::read(&site, &Indexes::default(), &invocation.conf, process)?;
    Client::new(process, settings.connections(Settings::of(process))).map(Arc::new)
}

/// Returns the repository that `VPYTHON_REGISTRY` names: it is asked before those of specs and
/// callers.
///
/// # Errors
/// The variable is not a repository.
pub fn registry_of_site(process: &Process) -> Result<Option<RegistryReference>> {
    let Some(text) = process.setting(variable::REGISTRY) else {
        return Ok(None);
    };
    let text = text.to_string_lossy();
    let why = match Reference::parse(&text) {
        Some(Ok(Reference::Registry(reference))) => return Ok(Some(reference)),
        Some(Err(why)) => why,
        _ => "it does not begin with `oci://`".to_owned(),
    };
    let name = variable::REGISTRY;
    let failure = Failure::new(format!("cannot use `{text}` from `{name}`")).because(why);
    Err(failure.hint("write `oci://HOST/REPO`").into())
}
