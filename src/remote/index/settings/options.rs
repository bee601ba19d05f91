//! pip's options about indexes, as words of a command line.

use anyhow::Result;
use clap::{ArgAction, Parser};

use super::layer::Layer;
use super::named::NamedBy;
use crate::process::Process;
use crate::report::Failure;

/// The options, as pip declares them.
#[derive(Debug, Default, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    infer_long_args = true,
    args_override_self = true
)]
struct Options {
    /// The index instead of PyPI.
    #[arg(long, visible_alias = "pypi-url", short)]
    index_url: Option<String>,
    /// Further indexes.
    #[arg(long)]
    extra_index_url: Vec<String>,
    /// Pages of links, or directories.
    #[arg(long, short)]
    find_links: Vec<String>,
    /// No index at all.
    #[arg(long, action = ArgAction::Count)]
    no_index: u8,
    /// Hosts that may be reached by plain HTTP.
    #[arg(long)]
    trusted_host: Vec<String>,
    /// Certificate authorities.
    #[arg(long)]
    cert: Option<String>,
    /// The certificate of the client.
    #[arg(long)]
    client_cert: Option<String>,
    /// The timeout of connections, in seconds.
    #[arg(long, visible_alias = "default-timeout")]
    timeout: Option<String>,
    /// The number of retries.
    #[arg(long)]
    retries: Option<String>,
    /// The proxy.
    #[arg(long)]
    proxy: Option<String>,
    /// How `keyring` is asked for passwords.
    #[arg(long)]
    keyring_provider: Option<String>,
}

/// Sets the options of a command line.
///
/// # Errors
/// An unknown option, a missing or invalid value. The error does not quote secrets.
pub(super) fn set(words: &[String], layer: &mut Layer, process: &Process) -> Result<()> {
    let Options {
        index_url,
        extra_index_url,
        find_links,
        no_index,
        trusted_host,
        cert,
        client_cert,
        timeout,
        retries,
        proxy,
        keyring_provider,
    } = Options::try_parse_from(words).map_err(|error| {
        // clap's other lines refer to a help text that does not exist here.
        let why = error.to_string();
        let why = why.lines().next().unwrap_or_default();
        let why = why.trim_start_matches("error: ").replace('\'', "`");
        Failure::new("invalid options of the index").because(why)
    })?;
    let given = [
        ("--index-url", index_url),
        ("--extra-index-url", joined(&extra_index_url)),
        ("--find-links", joined(&find_links)),
        ("--no-index", (no_index > 0).then(|| "true".to_owned())),
        ("--trusted-host", joined(&trusted_host)),
        ("--cert", cert),
        ("--client-cert", client_cert),
        ("--timeout", timeout),
        ("--retries", retries),
        ("--proxy", proxy),
        ("--keyring-provider", keyring_provider),
    ];
    // Report all bad values at once.
    let mut problems = Vec::new();
    for (option, value) in given {
        let (Some(value), by) = (value, NamedBy::Option(option)) else {
            continue;
        };
        let name = option.trim_start_matches('-');
        if let Err(error) = layer.set(name, &value, &by, process) {
            problems.push(format!("{by}: {error}"));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new("invalid options of the index")
        .because_of(problems)
        .into())
}

/// Returns the values of a repeated option as the one value that a file would have.
fn joined(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(" "))
}
