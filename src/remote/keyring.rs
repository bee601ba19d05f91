//! The program `keyring`, asked for a password as pip and uv do with
//! `keyring-provider = subprocess`: `keyring get SERVICE USERNAME`.
//!
//! It is asked only if the configuration enables it, a server has answered 401, and the user name
//! is known, which is part of the URL then. It may itself ask the user, so it has time.

use std::time::Duration;

use super::{RemoteUrl, Secret, programs};
use crate::process::Process;

/// The maximum time that the program may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Returns the password of a user for a URL, or else for its host.
pub(super) fn password(process: &Process, url: &RemoteUrl, username: &Secret) -> Option<Secret> {
    let program = process.find_program("keyring")?;
    // pip and uv ask for the URL, then for the host with its port if it is not the default.
    let mut page = url.as_url().clone();
    page.set_query(None);
    page.set_fragment(None);
    let host = &page[url::Position::BeforeHost..url::Position::AfterPort];
    [page.as_str(), host].into_iter().find_map(|service| {
        let arguments = ["get", service, username.reveal()];
        let answer = programs::ask(process, program.as_os_str(), &arguments, TIMEOUT)?;
        let answer = String::from_utf8(answer).ok()?;
        let password = answer.trim_end_matches(['\n', '\r']);
        (!password.is_empty()).then(|| Secret::from(password))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn the_url_and_then_the_host_are_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let script = "#!/bin/sh\n\
            case \"$*\" in\n\
            'get https://a.example/simple/ me') echo geheim;;\n\
            'get b.example:8443 me') echo 'other one';;\n\
            *) exit 1;;\n\
            esac\n";
        fs::write_new(&directory.path().join("keyring"), script.as_bytes(), 0o755).unwrap();
        let process = Process {
            environment: vec![("PATH".into(), directory.path().into())],
            ..Process::default()
        };
        let rows = [
            ("https://a.example/simple/?x=1#y", Some("geheim")),
            ("https://b.example:8443/x", Some("other one")),
            ("https://b.example/x", None),
        ];
        for (url, expected) in rows {
            let url = RemoteUrl::parse(url).unwrap();
            let found = password(&process, &url, &"me".into());
            assert_eq!(found, expected.map(Secret::from), "{url}");
            assert_eq!(password(&Process::default(), &url, &"me".into()), None);
        }
    }
}
