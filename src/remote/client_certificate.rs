//! The certificate by which the user authenticates to servers that ask for one: pip's
//! `client-cert`, or `SSL_CLIENT_CERT` as uv has it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tracing::debug;
use ureq::tls::{Certificate, ClientCert, PrivateKey};

use super::Settings;
use crate::fs;
use crate::process::Process;
use crate::report::Failure;

/// The variable of uv.
const VARIABLE: &str = "SSL_CLIENT_CERT";

/// Reads the certificate of the user, if a setting names one.
///
/// # Errors
/// The file cannot be read, or does not have a certificate with its private key.
pub(super) fn of_user(process: &Process, settings: &Settings) -> Result<Option<ClientCert>> {
    let of_pip = settings.client_certificate.clone();
    let path = of_pip.or_else(|| process.setting(VARIABLE).map(PathBuf::from));
    let Some(path) = path.map(|path| process.absolute(&path)) else {
        return Ok(None);
    };
    let cannot = || {
        Failure::new(format!(
            "cannot use the client certificate `{}`",
            path.display()
        ))
        .hint("a client certificate is one file in PEM form with the certificate and its private key, without a passphrase")
    };
    match read(&path) {
        Ok(certificate) => {
            debug!(path = %path.display(), "read the client certificate");
            Ok(Some(certificate))
        }
        Err(error) => Err(cannot().because(crate::report::one_line(&error)).into()),
    }
}

fn read(path: &Path) -> Result<ClientCert> {
    let text = fs::read_text(path, fs::limits::SETTINGS)?;
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Failure::new("it is not in PEM form"))?;
    anyhow::ensure!(!chain.is_empty(), "it has no certificate");
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| Failure::new("it has no private key without a passphrase"))?;
    // The transport would panic on a key that does not belong to the certificate.
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain.clone(), key, &provider)?;
    let chain: Vec<Certificate<'static>> = chain
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    Ok(ClientCert::new_with_certs(
        &chain,
        PrivateKey::from_pem(&text)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    #[test]
    fn a_file_without_certificate_and_key_is_an_error_with_a_hint() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.pem");
        let error = |content: Option<&str>| {
            match content {
                Some(content) => fs::write_atomically(&path, content.as_bytes()).unwrap(),
                None => drop(fs::remove_file(&path)),
            }
            let process = Process {
                environment: vec![(VARIABLE.into(), path.clone().into())],
                ..Process::default()
            };
            report::render(&of_user(&process, &Settings::default()).unwrap_err())
        };
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let shown = path.display();
        for (content, why) in [
            (
                None,
                format!("cannot open `{shown}`: No such file or directory (os error 2)"),
            ),
            (Some(""), "it has no certificate".to_owned()),
            (
                Some("-----BEGIN CERTIFICATE-----\n"),
                "it is not in PEM form".to_owned(),
            ),
            (
                Some(certificate),
                "it has no private key without a passphrase".to_owned(),
            ),
        ] {
            let expected = format!(
                "vpython: error: cannot use the client certificate `{shown}`\n  caused by: {why}\n  \
                 hint: a client certificate is one file in PEM form with the certificate and its private key, without a passphrase\n"
            );
            assert_eq!(error(content), expected);
        }
    }
}
