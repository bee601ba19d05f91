//! The logins of registries that docker, podman and skopeo keep, in `config.json` and `auth.json`
//! (containers-auth.json(5)): in the files themselves, or with a credential helper.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;

use super::credential_helper;
use super::name::{DOCKER_HUB, canonical_host};
use crate::fs::{self, limits};
use crate::process::Process;
use crate::remote::{Login, Secret};
use crate::report;

/// The name of Docker Hub in `auths` and for credential helpers.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// A login for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A user name and a password.
    Password(Login),
    /// A token that is exchanged for others.
    IdentityToken(Secret),
}

/// A login, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) credentials: Credentials,
    /// The file that contains it, or that names the helper that has it.
    pub(super) file: PathBuf,
}

/// A file of logins.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    /// The logins, by host, or host and the beginning of a repository.
    auths: Option<HashMap<String, Option<Entry>>>,
    /// The helper of each host.
    cred_helpers: Option<HashMap<String, String>>,
    /// The helper of the other hosts.
    creds_store: Option<String>,
}

/// A login in a file. Docker writes `auth`; Kubernetes may write only the user name and the password.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    /// `user:password` in base64.
    auth: Option<Secret>,
    username: Option<Secret>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
}

/// Returns the files in the order in which they are searched: first those that the user names.
pub(super) fn files(process: &Process) -> Vec<PathBuf> {
    let named = |variable| process.setting(variable).map(PathBuf::from);
    let home = |path| Some(process.home()?.join(path));
    let docker = named("DOCKER_CONFIG").map(|directory| directory.join("config.json"));
    let usual_docker = docker.is_none().then(|| home(".docker/config.json"));
    let runtime = named("XDG_RUNTIME_DIR");
    let config = named("XDG_CONFIG_HOME").or_else(|| home(".config"));
    [
        docker,
        named("REGISTRY_AUTH_FILE"),
        usual_docker.flatten(),
        runtime.map(|directory| directory.join("containers/auth.json")),
        config.map(|directory| directory.join("containers/auth.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the login for a repository. A file that cannot be read is a warning.
pub(super) fn find(process: &Process, host: &str, repository: &str) -> Option<Found> {
    for file in files(process) {
        match find_in(process, &file, host, repository) {
            Ok(Some(credentials)) => return Some(Found { credentials, file }),
            Ok(None) => {}
            Err(error) => report::warning(&report::one_line(&error)),
        }
    }
    None
}

/// Returns the login of one file for a repository: that of a helper for the host, of the helper for
/// all hosts, or else of the file itself. Of several names, the longest wins.
fn find_in(
    process: &Process,
    file: &Path,
    host: &str,
    repository: &str,
) -> Result<Option<Credentials>> {
    let Some(config) = read(file)? else {
        return Ok(None);
    };
    let names = names(host, repository);
    let registry = match canonical_host(host) {
        DOCKER_HUB => DOCKER_HUB_KEY,
        host => host,
    };
    let helpers = config.cred_helpers.unwrap_or_default();
    let of_host = longest(&names, &helpers).map(|(key, helper)| (helper, key));
    let of_others = config
        .creds_store
        .as_deref()
        .map(|helper| (helper, registry));
    let helpers = of_host.map(|(helper, key)| (helper.as_str(), key));
    for (helper, registry) in helpers.into_iter().chain(of_others) {
        if let Some(found) = credential_helper::ask(process, file, helper, registry) {
            return Ok(Some(found));
        }
    }
    let entries: HashMap<String, Entry> = config
        .auths
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(key, entry)| Some((key, entry.filter(Entry::has_login)?)))
        .collect();
    let Some((key, entry)) = longest(&names, &entries) else {
        return Ok(None);
    };
    let cannot = || format!("cannot read the login of `{key}` in `{}`", file.display());
    entry.credentials().with_context(cannot).map(Some)
}

/// Reads a file; none if it does not exist.
fn read(file: &Path) -> Result<Option<Config>> {
    if !fs::exists(file) {
        return Ok(None);
    }
    let text = fs::read_text(file, limits::SETTINGS)?;
    // The message of the parser may quote a password.
    let config = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!("it is not a valid file of logins (line {line}, column {column})")
    });
    config
        .with_context(|| format!("cannot read `{}`", file.display()))
        .map(Some)
}

/// Returns the names of a repository in the files, the longest first: the host with the whole
/// repository, with fewer of its parts, and alone.
fn names(host: &str, repository: &str) -> Vec<String> {
    let mut name = format!("{}/{repository}", canonical_host(host));
    let mut names = Vec::new();
    while let Some((shorter, _)) = name.rsplit_once('/') {
        let shorter = shorter.to_owned();
        names.push(std::mem::replace(&mut name, shorter));
    }
    names.push(name);
    names
}

/// Returns the entry of the first of the names that has one, with its key.
fn longest<'a, T>(names: &[String], entries: &'a HashMap<String, T>) -> Option<(&'a str, &'a T)> {
    names.iter().find_map(|name| {
        let mut entries = entries.iter();
        let (key, entry) = entries.find(|(key, _)| name_of_key(key) == *name)?;
        Some((key.as_str(), entry))
    })
}

/// Returns the name that a key means. Docker also writes hosts as URLs of its first API.
fn name_of_key(key: &str) -> String {
    let key = key.to_ascii_lowercase();
    let bare = ["https://", "http://"]
        .iter()
        .find_map(|scheme| key.strip_prefix(scheme));
    let name = bare.unwrap_or(&key).trim_end_matches('/');
    let (host, path) = name.split_once('/').unwrap_or((name, ""));
    let host = canonical_host(host);
    if bare.is_some() || matches!(path, "" | "v1" | "v2") {
        host.to_owned()
    } else {
        format!("{host}/{path}")
    }
}

impl Entry {
    /// Returns whether the entry has more than the name of the registry.
    fn has_login(&self) -> bool {
        let fields = [
            &self.auth,
            &self.username,
            &self.password,
            &self.identitytoken,
        ];
        let mut fields = fields.into_iter().flatten();
        fields.any(|field| !field.reveal().is_empty())
    }

    fn credentials(&self) -> Result<Credentials> {
        let given = |field: &Option<Secret>| field.clone().filter(|it| !it.reveal().is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Credentials::IdentityToken(token));
        }
        if let Some(auth) = given(&self.auth) {
            return decode(&auth)
                .map(Credentials::Password)
                .context("`auth` is not `user:password` in base64");
        }
        Ok(Credentials::Password(Login {
            username: given(&self.username).unwrap_or_default(),
            password: given(&self.password).unwrap_or_default(),
        }))
    }
}

/// Decodes `user:password` from base64.
fn decode(auth: &Secret) -> Option<Login> {
    let encoded = auth.reveal().trim().trim_end_matches('=');
    let pair = String::from_utf8(STANDARD_NO_PAD.decode(encoded).ok()?).ok()?;
    let (username, password) = pair.split_once(':')?;
    Some(Login {
        username: username.into(),
        // Docker fills the field with zeros.
        password: password.trim_matches('\0').into(),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// A process whose home is `directory`, and a file of it.
    fn with_file(directory: &Path, name: &str, content: &str) -> Process {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap(), 0o755).unwrap();
        fs::write_new(&path, content.as_bytes(), 0o600).unwrap();
        Process {
            environment: vec![("HOME".into(), directory.into())],
            ..Process::default()
        }
    }

    /// A login as a text.
    fn text(found: Option<Found>) -> String {
        match found.map(|found| found.credentials) {
            Some(Credentials::Password(Login { username, password })) => {
                format!("{}:{}", username.reveal(), password.reveal())
            }
            Some(Credentials::IdentityToken(token)) => format!("token {}", token.reveal()),
            None => String::new(),
        }
    }

    #[test]
    fn the_longest_name_of_a_repository_has_its_login() {
        let directory = tempfile::tempdir().unwrap();
        let content = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnA="},
            "a.example": {"auth": "YTpw"},
            "a.example/team": {"auth": "dGVhbTpw"},
            "a.example/team/x": {"auth": "eDpwOnE"},
            "https://b.example/v2/": {"username": "b", "password": "p"},
            "c.example:5000": {"auth": "YzpwAAA=", "identitytoken": "t"},
            "d.example/v1": {"auth": "ZDpwAAA="},
            "empty.example": {}, "null.example": null}}"#;
        let process = with_file(directory.path(), ".docker/config.json", content);
        let rows = [
            ("docker.io", "library/alpine", "hub:p"),
            ("registry-1.docker.io", "a/b", "hub:p"),
            ("a.example", "other", "a:p"),
            ("a.example", "teams/x", "a:p"),
            ("a.example", "team", "team:p"),
            ("a.example", "team/y", "team:p"),
            ("a.example", "team/x/y", "x:p:q"),
            ("a.example:443", "team", ""),
            ("b.example", "x", "b:p"),
            ("c.example:5000", "x", "token t"),
            ("d.example", "x", "d:p"),
            ("empty.example", "x", ""),
            ("null.example", "x", ""),
            ("e.example", "x", ""),
        ];
        for (host, repository, expected) in rows {
            let found = text(find(&process, host, repository));
            assert_eq!(found, expected, "{host}/{repository}");
        }
    }

    #[test]
    fn helpers_have_precedence_in_their_file() {
        let directory = tempfile::tempdir().unwrap();
        let content = r#"{"credHelpers": {"a.example": "one", "c.example": "gone"}, "credsStore": "all",
            "auths": {"a.example": {"auth": "YTpw"}, "d.example": {"auth": "ZDpw"}, "docker.io": {}}}"#;
        let mut process = with_file(directory.path(), ".docker/config.json", content);
        let bin = directory.path().join("bin");
        fs::create_dir(&bin, 0o755).unwrap();
        for (name, registries) in [
            ("one", "a.example"),
            ("all", "b.example|https://index.docker.io/v1/"),
        ] {
            let script = format!(
                "#!/bin/sh\nread registry\ncase $registry in {registries}) echo \
                 '{{\"Username\":\"{name}\",\"Secret\":\"s\"}}';; *) exit 1;; esac\n"
            );
            let path = bin.join(format!("docker-credential-{name}"));
            fs::write_new(&path, script.as_bytes(), 0o755).unwrap();
        }
        process.environment.push(("PATH".into(), bin.into()));
        let rows = [
            ("a.example", "one:s"),
            ("b.example", "all:s"),
            ("docker.io", "all:s"),
            ("c.example", ""),
            ("d.example", "d:p"),
        ];
        for (host, expected) in rows {
            assert_eq!(text(find(&process, host, "x")), expected, "{host}");
        }
    }

    #[test]
    fn the_files_are_those_of_docker_and_of_podman() {
        let process = |environment: &[(&str, &str)]| Process {
            environment: environment
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Process::default()
        };
        let usual = process(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        let named = process(&[
            ("HOME", "/h"),
            ("DOCKER_CONFIG", "/d"),
            ("REGISTRY_AUTH_FILE", "/r.json"),
            ("XDG_CONFIG_HOME", "/c"),
        ]);
        let rows = [
            (
                usual,
                "/h/.docker/config.json /run/user/1/containers/auth.json /h/.config/containers/auth.json",
            ),
            (named, "/d/config.json /r.json /c/containers/auth.json"),
            (process(&[]), ""),
        ];
        for (process, expected) in rows {
            let files = files(&process);
            let files: Vec<_> = files.iter().map(|path| path.to_str().unwrap()).collect();
            assert_eq!(files.join(" "), expected);
        }
    }

    #[test]
    fn an_invalid_file_is_not_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let rows = [
            r#"{"auths": "geheim"}"#,
            r#"{"auths": {"a.example": {"auth": "geheim!"}}}"#,
            r#"{"auths": {"a.example": {"auth": "bm8gY29sb24="}}}"#,
        ];
        let mut errors = String::new();
        for (number, content) in rows.into_iter().enumerate() {
            let name = format!("{number}.json");
            let process = with_file(directory.path(), &name, content);
            let file = directory.path().join(name);
            let error = find_in(&process, &file, "a.example", "x").unwrap_err();
            errors += &report::render(&error);
        }
        let path = format!("{}/", directory.path().display());
        expect![[r#"
            vpython: error: cannot read `0.json`
              caused by: it is not a valid file of logins (line 1, column 18)
            vpython: error: cannot read the login of `a.example` in `1.json`
              caused by: `auth` is not `user:password` in base64
            vpython: error: cannot read the login of `a.example` in `2.json`
              caused by: `auth` is not `user:password` in base64
        "#]]
        .assert_eq(&errors.replace(&path, ""));
    }
}
