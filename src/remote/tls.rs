//! The certificate authorities that servers are checked against.
//!
//! The first source that is set counts: pip's `cert`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`,
//! `SSL_CERT_FILE` with `SSL_CERT_DIR`, and else the system's.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use tracing::debug;
use ureq::tls::{Certificate, RootCerts};

use super::Settings;
use crate::fs;
use crate::process::Process;
use crate::report::Failure;

/// Reads the certificate authorities.
///
/// # Errors
/// A file that a setting names cannot be read, or the source has no certificate.
pub(super) fn authorities(process: &Process, settings: &Settings) -> Result<RootCerts> {
    let source = Source::of(process, settings);
    source.check_file()?;
    let found = source.load();
    // One bad certificate among many does no harm.
    for error in &found.errors {
        debug!(%error, "skipped a certificate authority");
    }
    if found.certs.is_empty() {
        let causes = found.errors.iter().take(3).map(ToString::to_string);
        return Err(Failure::new(format!("{} has no certificate authority to check servers against", source.title()))
            .because_of(causes)
            .hint("install the package `ca-certificates`, or set `SSL_CERT_FILE` to a file of certificates in PEM form")
            .into());
    }
    debug!(
        count = found.certs.len(),
        source = source.title(),
        "read the certificate authorities"
    );
    let authorities = found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(RootCerts::from(authorities))
}

/// The variable of OpenSSL.
const OPENSSL_FILE: &str = "SSL_CERT_FILE";

/// Where certificate authorities come from.
enum Source {
    /// A file or a directory of the configuration, and the setting that names it.
    Configured(PathBuf, &'static str),
    /// `SSL_CERT_FILE` and the directories of `SSL_CERT_DIR`.
    OpenSsl(Option<PathBuf>, Vec<PathBuf>),
    /// The usual files and directories of distributions.
    System,
}

impl Source {
    fn of(process: &Process, settings: &Settings) -> Self {
        let path = |name| process.setting(name).map(PathBuf::from);
        let named = |name| Some((path(name)?, name));
        let configured = settings.certificates.clone().map(|path| (path, "cert"));
        // The variables of the library `requests`, which pip uses too.
        let configured = configured
            .or_else(|| named("REQUESTS_CA_BUNDLE"))
            .or_else(|| named("CURL_CA_BUNDLE"));
        if let Some((path, by)) = configured {
            return Self::Configured(process.absolute(&path), by);
        }
        // OpenSSL's variables replace the system's directories.
        let file = path(OPENSSL_FILE).map(|path| process.absolute(&path));
        let directories = process.setting("SSL_CERT_DIR");
        let directories: Vec<PathBuf> = directories
            .map(std::env::split_paths)
            .into_iter()
            .flatten()
            .collect();
        if file.is_none() && directories.is_empty() {
            Self::System
        } else {
            Self::OpenSsl(file, directories)
        }
    }

    /// Checks that a file or directory that a setting names can be opened: without it, servers would
    /// appear to have an unknown authority.
    fn check_file(&self) -> Result<()> {
        let (path, by) = match self {
            Self::Configured(path, by) => (path, *by),
            Self::OpenSsl(Some(path), _) => (path, OPENSSL_FILE),
            Self::OpenSsl(None, _) | Self::System => return Ok(()),
        };
        let Err(error) = fs::open(path) else {
            return Ok(());
        };
        let what = format!("cannot read the certificate authorities that `{by}` names");
        Err(Failure::new(what)
            .because(crate::report::one_line(&error))
            .hint(format!(
                "set `{by}` to a file of certificates in PEM form, or remove it"
            ))
            .into())
    }

    fn load(&self) -> CertificateResult {
        match self {
            Self::Configured(path, _) if fs::is_file(path) => {
                load_certs_from_paths(Some(path), None)
            }
            Self::Configured(path, _) => load_certs_from_paths(None, Some(path)),
            Self::OpenSsl(file, directories) => {
                let mut all = CertificateResult::default();
                let files = file.iter().map(|file| (Some(file.as_path()), None));
                let directories = directories
                    .iter()
                    .map(|directory| (None, Some(directory.as_path())));
                for (file, directory) in files.chain(directories) {
                    let found = load_certs_from_paths(file, directory);
                    all.certs.extend(found.certs);
                    all.errors.extend(found.errors);
                }
                all
            }
            Self::System => load_native_certs(),
        }
    }

    fn title(&self) -> String {
        let shown = |path: &Path| format!("`{}`", path.display());
        match self {
            Self::Configured(path, _) => shown(path),
            Self::OpenSsl(file, directories) => {
                let paths: Vec<String> = file
                    .iter()
                    .chain(directories)
                    .map(|path| shown(path))
                    .collect();
                paths.join(" and ")
            }
            Self::System => "this system".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    fn error(environment: &[(&str, &Path)]) -> String {
        let environment = environment.iter();
        let process = Process {
            environment: environment
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            ..Process::default()
        };
        report::render(&authorities(&process, &Settings::default()).unwrap_err())
    }

    #[test]
    fn a_source_without_certificates_is_an_error_with_a_hint() {
        let directory = tempfile::tempdir().unwrap();
        let (empty, missing) = (
            directory.path().join("empty"),
            directory.path().join("missing"),
        );
        fs::write_new(&empty, b"", 0o644).unwrap();
        let hint = "  hint: install the package `ca-certificates`, or set `SSL_CERT_FILE` to a file of certificates in PEM form\n";
        let headline = |path: &Path| {
            format!(
                "vpython: error: `{}` has no certificate authority to check servers against\n",
                path.display()
            )
        };
        for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            assert_eq!(
                error(&[(name, &empty)]),
                format!("{}{hint}", headline(&empty))
            );
        }
        // A path that cannot be read is named with its setting.
        for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            let expected = format!(
                "vpython: error: cannot read the certificate authorities that `{name}` names\n  \
                 caused by: cannot open `{}`: No such file or directory (os error 2)\n  \
                 hint: set `{name}` to a file of certificates in PEM form, or remove it\n",
                missing.display()
            );
            let also = ("SSL_CERT_DIR", Path::new("/etc/ssl/certs"));
            assert_eq!(error(&[(name, &missing), also]), expected);
        }
        // The first that is set counts.
        let text = error(&[("REQUESTS_CA_BUNDLE", &empty), ("SSL_CERT_FILE", &missing)]);
        assert_eq!(text, format!("{}{hint}", headline(&empty)));
    }
}
