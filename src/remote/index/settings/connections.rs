//! The settings of the client, from those of pip.

use super::{IndexSettings, KeyringProvider, Named};
use crate::remote::{Retry, Settings};

impl IndexSettings {
    /// Returns the settings of the client. `base` has those that pip's settings do not name.
    #[must_use]
    pub fn connections(&self, base: Settings) -> Settings {
        let provider = self.keyring_provider.as_ref().map(value);
        let timeout = self.timeout.as_ref().map(value);
        let retries = self.retries.as_ref().map(value);
        let hosts = self.trusted_hosts.iter().map(value);
        Settings {
            trusted_hosts: hosts.collect(),
            certificates: self.cert.as_ref().map(value).or(base.certificates),
            client_certificate: self
                .client_cert
                .as_ref()
                .map(value)
                .or(base.client_certificate),
            proxy: self.proxy.as_ref().map(value).or(base.proxy),
            use_keyring: match provider {
                Some(KeyringProvider::Import | KeyringProvider::Subprocess) => true,
                Some(KeyringProvider::Auto | KeyringProvider::Disabled) => false,
                None => base.use_keyring,
            },
            // pip has one timeout, for the connection and for each pause of the server.
            connect_timeout: timeout.unwrap_or(base.connect_timeout),
            idle_timeout: timeout.unwrap_or(base.idle_timeout),
            retry: Retry {
                attempts: retries.map_or(base.retry.attempts, |retries| retries.saturating_add(1)),
                ..base.retry
            },
        }
    }
}

fn value<T: Clone>(named: &Named<T>) -> T {
    named.value.clone()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::NamedBy;
    use super::*;

    #[test]
    fn pips_settings_precede_those_of_the_base() {
        let settings = IndexSettings::default().connections(Settings {
            use_keyring: true,
            ..Settings::default()
        });
        let base = Settings::default();
        assert_eq!(settings.retry, base.retry);
        assert_eq!(settings.idle_timeout, base.idle_timeout);
        assert!(settings.use_keyring);
        let by = NamedBy::Option("--retries");
        let settings = IndexSettings {
            retries: Some(Named {
                value: 0,
                by: by.clone(),
            }),
            timeout: Some(Named {
                value: Duration::from_secs(3),
                by: by.clone(),
            }),
            keyring_provider: Some(Named {
                value: KeyringProvider::Disabled,
                by,
            }),
            ..IndexSettings::default()
        };
        let settings = settings.connections(Settings {
            use_keyring: true,
            ..base
        });
        assert_eq!(settings.retry.attempts, 1);
        assert_eq!(settings.connect_timeout, Duration::from_secs(3));
        assert!(!settings.use_keyring);
    }
}
