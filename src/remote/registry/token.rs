//! Tokens: the server that a registry names issues them, with the login of the user or without one
//! (<https://distribution.github.io/distribution/spec/auth/token/>, and `oauth/` next to it).

use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::http::Method;

use super::authorization::Permission;
use super::challenge::Challenge;
use super::docker_config::Credentials;
use super::words;
use crate::remote::attempt::{Answer, Headers, Message};
use crate::remote::content::Content;
use crate::remote::logins::Authorization;
use crate::remote::service::Service;
use crate::remote::trouble::Trouble;
use crate::remote::{Client, RemoteUrl, Secret};

/// The maximum size of an answer with a token in bytes.
const LIMIT: u64 = 1 << 20;
/// The lifetime of a token without a stated one, according to the specification.
const LIFETIME: u64 = 60;
/// The part of its lifetime in which a token is not used any more, for requests that take a while.
const MARGIN: u64 = 10;
/// The media types of a request with an identity token, and of the answer.
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
/// The name of vpython for the server.
const CLIENT: &str = "vpython";

/// A token for the header `Authorization`.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) authorization: Authorization,
    end: Instant,
}

impl Token {
    /// Returns whether the token can be used.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.end
    }
}

#[derive(Deserialize)]
struct Issued {
    token: Option<Secret>,
    access_token: Option<Secret>,
    expires_in: Option<u64>,
}

/// Requests a token for a permission, after the registry has answered `challenge` to the request of
/// `url`.
pub(super) fn request(
    client: &Client,
    url: &RemoteUrl,
    permission: &Permission<'_>,
    challenge: &Challenge,
) -> Result<Token, Trouble> {
    let realm = realm(url, challenge)?;
    let scopes = scopes(permission, challenge);
    let service = challenge.parameter("service");
    let credentials = permission.registry.login().map(|found| found.credentials);
    let issuer = Issuer {
        realm: &realm,
        permission,
        credentials: credentials.as_ref(),
    };
    let requested = match &credentials {
        Some(Credentials::IdentityToken(token)) => issuer.exchange(client, service, &scopes, token),
        _ => issuer.get(client, service, &scopes),
    };
    requested.map_err(|trouble| trouble.needed_by(url, "the registry requires a token"))
}

/// Returns the URL of the server that issues tokens.
fn realm(url: &RemoteUrl, challenge: &Challenge) -> Result<RemoteUrl, Trouble> {
    let realm = challenge.parameter("realm").unwrap_or_default();
    let realm = RemoteUrl::parse(realm).map_err(|_| {
        let cause = "the registry requires a token, and names no usable URL that issues it";
        Trouble::lasting(url, cause)
    })?;
    if url.is_https() && !realm.is_https() {
        let cause = format!(
            "the registry requires a token from `{realm}`, and others could read the login on the way there"
        );
        return Err(Trouble::lasting(url, cause));
    }
    Ok(realm.without_login())
}

/// Returns what the token is requested for: the actions of the permission, and what else the
/// registry names.
fn scopes(permission: &Permission<'_>, challenge: &Challenge) -> Vec<String> {
    let mut scopes = permission.scopes();
    let named = challenge.parameter("scope").unwrap_or_default();
    for scope in named.split_whitespace() {
        if !scopes.iter().any(|known| covers(known, scope)) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

/// Returns whether a scope, as in `repository:x/y:pull,push`, contains all actions of another one.
fn covers(scope: &str, other: &str) -> bool {
    let parts = |scope: &str| {
        let (resource, actions) = scope.rsplit_once(':')?;
        let actions: Vec<String> = actions.split(',').map(str::to_owned).collect();
        Some((resource.to_owned(), actions))
    };
    match (parts(scope), parts(other)) {
        (Some((resource, actions)), Some((other, needed))) => {
            resource == other && needed.iter().all(|action| actions.contains(action))
        }
        _ => scope == other,
    }
}

/// The server that issues tokens.
struct Issuer<'a> {
    realm: &'a RemoteUrl,
    permission: &'a Permission<'a>,
    credentials: Option<&'a Credentials>,
}

impl Issuer<'_> {
    /// Requests a token with the user name and the password, or without.
    fn get(
        &self,
        client: &Client,
        service: Option<&str>,
        scopes: &[String],
    ) -> Result<Token, Trouble> {
        let mut url = self.realm.as_url().clone();
        let service = service.map(|service| ("service", service));
        let scopes = scopes.iter().map(|scope| ("scope", scope.as_str()));
        url.query_pairs_mut()
            .extend_pairs(service.into_iter().chain(scopes));
        let url = RemoteUrl::parse(url.as_str()).map_err(|it| Trouble::local(self.realm, it))?;
        let headers = Headers {
            accept: Some(JSON),
            accept_encoding: "gzip",
            ..Headers::default()
        };
        let message = Message {
            must_exist: true,
            ..Message::get(headers, self)
        };
        receive(client, client.attempt(&url, &message)?)
    }

    /// Exchanges an identity token for a token.
    fn exchange(
        &self,
        client: &Client,
        service: Option<&str>,
        scopes: &[String],
        identity: &Secret,
    ) -> Result<Token, Trouble> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token")
            .append_pair("client_id", CLIENT)
            .append_pair("service", service.unwrap_or_default())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("refresh_token", identity.reveal());
        let form = Secret::from(form.finish());
        let content = Content::of_bytes(form.reveal().as_bytes());
        let mut message = Message::send(Method::POST, Some(FORM), &content, self);
        message.headers.accept = Some(JSON);
        receive(client, client.attempt(self.realm, &message)?)
    }
}

/// Reads an answer with a token.
fn receive(client: &Client, mut answer: Answer) -> Result<Token, Trouble> {
    let received = Instant::now();
    let url = answer.url.clone();
    let body = client.read_body(&mut answer, LIMIT)?;
    answer.log(body.len() as u64);
    let issued: Option<Issued> = serde_json::from_slice(&body).ok();
    // Both names are in use; a server that has both has the same token for them.
    let token = issued.and_then(|issued| {
        let token = issued.token.or(issued.access_token);
        let token = token.filter(|token| !token.reveal().is_empty());
        Some((token?, issued.expires_in.unwrap_or(LIFETIME)))
    });
    let Some((token, lifetime)) = token.filter(|_| matches!(answer.status, 200..=299)) else {
        let cause = format!("the answer {} has no token", answer.status);
        return Err(Trouble::lasting(&url, cause));
    };
    let lifetime = lifetime.saturating_sub(MARGIN).max(lifetime / 2);
    Ok(Token {
        authorization: Authorization::Bearer(token),
        // A lifetime beyond all bounds is as good as a day.
        end: received + Duration::from_secs(lifetime.min(86_400)),
    })
}

impl Service for Issuer<'_> {
    fn authorization(&self, url: &RemoteUrl) -> Option<Authorization> {
        match self.credentials {
            Some(Credentials::Password(login)) if url.origin() == self.realm.origin() => {
                Some(Authorization::Basic(login.clone()))
            }
            _ => None,
        }
    }

    fn after_refusal(
        &self,
        _client: &Client,
        _answer: &Answer,
        _sent: Option<&Authorization>,
    ) -> Result<Option<Authorization>, Trouble> {
        Ok(None)
    }

    fn words(&self, client: &Client, answer: &mut Answer) -> Option<String> {
        let words = words::of_answer(client, answer)?;
        let is_secret = match self.credentials {
            Some(Credentials::IdentityToken(token)) => words.contains(token.reveal()),
            _ => false,
        };
        (!is_secret).then_some(words)
    }

    fn hint(&self, _url: &RemoteUrl, status: u16) -> Option<String> {
        let Permission {
            registry, action, ..
        } = self.permission;
        registry.hint(*action, status)
    }
}

#[cfg(test)]
mod tests {
    use super::super::challenge;
    use super::*;
    use crate::remote::trouble::Purpose;
    use crate::report;

    #[test]
    fn a_scope_covers_its_own_actions() {
        let rows = [
            ("repository:a/b:pull,push", "repository:a/b:push,pull", true),
            ("repository:a/b:pull,push", "repository:a/b:pull", true),
            ("repository:a/b:pull", "repository:a/b:pull,push", false),
            ("repository:a/b:pull", "repository:a:pull", false),
            ("repository:a:5/b:pull", "repository:a:5/b:pull", true),
            ("aws", "aws", true),
            ("repository:a:pull", "aws", false),
        ];
        for (scope, other, expected) in rows {
            assert_eq!(covers(scope, other), expected, "{scope} {other}");
        }
    }

    #[test]
    fn a_login_is_not_sent_by_plain_http_for_a_registry_with_tls() {
        let url = RemoteUrl::parse("https://a.example/v2/x/").unwrap();
        let text = |header: &str| {
            let challenge = &challenge::parse(header)[0];
            match realm(&url, challenge) {
                Ok(realm) => format!("{} {:?}", realm.as_url(), realm.login()),
                Err(trouble) => report::one_line(&trouble.into_error(Purpose::Fetch, &url, 1))
                    .replace("cannot fetch `https://a.example/v2/x/`: ", ""),
            }
        };
        let unusable = "the registry requires a token, and names no usable URL that issues it";
        let rows = [
            (
                "Bearer realm=\"https://b.example/t?a=b\"",
                "https://b.example/t?a=b None",
            ),
            (
                "Bearer realm=\"https://u:p@b.example/\"",
                "https://b.example/ None",
            ),
            (
                "Bearer realm=\"http://b.example/t\"",
                "the registry requires a token from `http://b.example/t`, and others could read the login on the way there",
            ),
            ("Bearer realm=\"/token\"", unusable),
            ("Bearer", unusable),
        ];
        for (header, expected) in rows {
            assert_eq!(text(header), expected);
        }
    }
}
