//! Credential helpers: programs `docker-credential-NAME` that keep logins of registries. One reads
//! the registry from its input, and writes the login as JSON
//! (<https://github.com/docker/docker-credential-helpers>).

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tracing::debug;

use super::docker_config::Credentials;
use crate::process::Process;
use crate::remote::{Login, Secret, programs};
use crate::report;

/// The maximum time that a helper may take. Some request a login from a server.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The user name that marks the secret as an identity token.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: Secret,
    secret: Secret,
}

/// Returns the login that the helper `name`, which the file `config` names, has for a registry; none
/// if it has none.
pub(super) fn ask(
    process: &Process,
    config: &Path,
    name: &str,
    registry: &str,
) -> Option<Credentials> {
    let program = format!("docker-credential-{name}");
    // The name must not select a program outside of the search path.
    let found = Some(&program)
        .filter(|program| !program.contains('/'))
        .and_then(|program| process.find_program(program));
    let Some(path) = found else {
        report::warning(&format!(
            "`{program}` is not on the search path; `{}` names it for the logins of `{registry}`",
            config.display()
        ));
        return None;
    };
    let answer = programs::ask_with_input(process, path.as_os_str(), &["get"], registry, TIMEOUT);
    let credentials = answer.and_then(|answer| parse(&answer));
    let is_found = credentials.is_some();
    debug!(program, registry, found = is_found, "asked for a login");
    credentials
}

fn parse(answer: &[u8]) -> Option<Credentials> {
    let Answer { username, secret } = serde_json::from_slice(answer).ok()?;
    if secret.reveal().is_empty() {
        return None;
    }
    Some(if username.reveal() == TOKEN {
        Credentials::IdentityToken(secret)
    } else {
        Credentials::Password(Login {
            username,
            password: secret,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn a_helper_reads_the_registry_and_writes_the_login() {
        let directory = tempfile::tempdir().unwrap();
        let script = "#!/bin/sh\n\
            read registry\n\
            case \"$* $registry\" in\n\
            'get a.example') echo '{\"ServerURL\":\"a\",\"Username\":\"me\",\"Secret\":\"geheim\"}';;\n\
            'get b.example') echo '{\"Username\":\"<token>\",\"Secret\":\"geheim\"}';;\n\
            'get c.example') echo '{\"Username\":\"\",\"Secret\":\"\"}';;\n\
            'get d.example') echo nonsense;;\n\
            *) echo 'credentials not found in native keychain'; exit 1;;\n\
            esac\n";
        let path = directory.path().join("docker-credential-test");
        fs::write_new(&path, script.as_bytes(), 0o755).unwrap();
        let process = Process {
            environment: vec![("PATH".into(), directory.path().into())],
            ..Process::default()
        };
        let password = Credentials::Password(Login {
            username: "me".into(),
            password: "geheim".into(),
        });
        let token = Credentials::IdentityToken("geheim".into());
        let rows = [
            ("test", "a.example", Some(password)),
            ("test", "b.example", Some(token)),
            ("test", "c.example", None),
            ("test", "d.example", None),
            ("test", "e.example", None),
            ("missing", "a.example", None),
            ("x/../docker-credential-test", "a.example", None),
        ];
        for (name, registry, expected) in rows {
            let found = ask(&process, Path::new("config.json"), name, registry);
            assert!(found == expected, "{name} {registry}");
        }
    }
}
