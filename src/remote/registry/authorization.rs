//! What a registry requires of a request: no login, the user name and the password (`Basic`), or a
//! token for the repository and the action (`Bearer`).
//!
//! It is learned from the first answer 401, and kept for the run. Threads with the same permission
//! share one token; one of them requests it, and the others wait. No login leaves the origin of the
//! registry, apart from the request for a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::challenge::{self, Challenge};
use super::docker_config::{self, Credentials, Found};
use super::token::{self, Token};
use super::{Registry, words};
use crate::process::Process;
use crate::remote::attempt::Answer;
use crate::remote::logins::Authorization;
use crate::remote::service::Service;
use crate::remote::trouble::{Again, Trouble, Why};
use crate::remote::{Client, Login, RemoteUrl};

/// What a run knows about the registries that it uses.
#[derive(Debug)]
pub(in crate::remote) struct Sessions {
    pub(super) process: Process,
    /// The logins of the user, by repository: also that there is none.
    logins: Mutex<HashMap<String, Option<Found>>>,
    /// The logins of repositories whose registry takes a user name and a password.
    basic: Mutex<HashMap<String, Login>>,
    /// The tokens, by registry and scopes.
    tokens: Mutex<HashMap<String, Arc<Mutex<Slot>>>>,
}

/// A token, which is empty until the first request for it.
#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Issued(Token),
    /// The server refuses it: a cause and a hint. The login is not sent again.
    Refused(String, Option<String>),
}

impl Sessions {
    /// Prepares the logins of a run. Reads nothing.
    pub(in crate::remote) fn of(process: &Process) -> Self {
        Self {
            process: process.clone(),
            logins: Mutex::default(),
            basic: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// Returns the login for a repository. The lock is held while a credential helper runs, which
    /// may ask the user: once is enough.
    pub(super) fn login(&self, host: &str, repository: &str) -> Option<Found> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let found = logins.entry(format!("{host}/{repository}"));
        found
            .or_insert_with(|| docker_config::find(&self.process, host, repository))
            .clone()
    }

    fn slot(&self, key: String) -> Arc<Mutex<Slot>> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tokens.entry(key).or_default())
    }
}

/// The permission that a request needs.
pub(super) struct Permission<'a> {
    pub(super) registry: &'a Registry,
    pub(super) action: Action,
    /// Another repository that is read.
    pub(super) from: Option<&'a str>,
}

/// What a request does with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// It reads.
    Pull,
    /// It reads and writes.
    Push,
}

impl Permission<'_> {
    fn sessions(&self) -> &Sessions {
        &self.registry.client.registries
    }

    /// Returns the repositories with their actions, as in `repository:x/y:pull,push`.
    pub(super) fn scopes(&self) -> Vec<String> {
        let actions = match self.action {
            Action::Pull => "pull",
            Action::Push => "pull,push",
        };
        let own = format!("repository:{}:{actions}", self.registry.repository());
        let other = self.from.map(|from| format!("repository:{from}:pull"));
        [Some(own), other].into_iter().flatten().collect()
    }

    /// Returns the token of this permission. Waits while another thread requests it.
    fn slot(&self) -> Arc<Mutex<Slot>> {
        let origin = self.registry.origin();
        self.sessions()
            .slot(format!("{origin} {}", self.scopes().join(" ")))
    }

    /// Returns a token that the registry has not refused.
    fn token(
        &self,
        client: &Client,
        url: &RemoteUrl,
        challenge: &Challenge,
        sent: Option<&Authorization>,
    ) -> Result<Authorization, Trouble> {
        let slot = self.slot();
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Slot::Issued(token) if token.is_fresh() && Some(&token.authorization) != sent => {
                return Ok(token.authorization.clone());
            }
            Slot::Refused(cause, hint) => {
                let trouble = Trouble::lasting(url, cause.clone());
                return Err(match hint {
                    Some(hint) => trouble.hint(hint.clone()),
                    None => trouble,
                });
            }
            _ => {}
        }
        let requested = token::request(client, url, self, challenge);
        if let Err(Trouble {
            why: Why::Remote(cause, hint),
            again: Again::Never,
            ..
        }) = &requested
        {
            *slot = Slot::Refused(cause.clone(), hint.clone());
        }
        let token = requested?;
        let authorization = token.authorization.clone();
        *slot = Slot::Issued(token);
        Ok(authorization)
    }

    /// Returns the user name and the password, if the user has some that were not refused.
    fn basic(&self, sent: Option<&Authorization>) -> Option<Authorization> {
        let Credentials::Password(login) = self.registry.login()?.credentials else {
            return None;
        };
        let authorization = Authorization::Basic(login.clone());
        if Some(&authorization) == sent {
            return None;
        }
        let basic = self.sessions().basic.lock();
        let mut basic = basic.unwrap_or_else(PoisonError::into_inner);
        basic.insert(self.registry.to_string(), login);
        Some(authorization)
    }
}

impl Service for Permission<'_> {
    fn authorization(&self, url: &RemoteUrl) -> Option<Authorization> {
        if url.origin() != self.registry.origin() {
            return None;
        }
        let basic = self.sessions().basic.lock();
        let basic = basic.unwrap_or_else(PoisonError::into_inner);
        if let Some(login) = basic.get(&self.registry.to_string()) {
            return Some(Authorization::Basic(login.clone()));
        }
        drop(basic);
        let slot = self.slot();
        let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Slot::Issued(token) if token.is_fresh() => Some(token.authorization.clone()),
            _ => None,
        }
    }

    fn after_refusal(
        &self,
        client: &Client,
        answer: &Answer,
        sent: Option<&Authorization>,
    ) -> Result<Option<Authorization>, Trouble> {
        if answer.url.origin() != self.registry.origin() {
            return Ok(None);
        }
        let headers = answer.headers.get_all("www-authenticate").iter();
        let challenges: Vec<Challenge> = headers
            .filter_map(|header| header.to_str().ok())
            .flat_map(challenge::parse)
            .collect();
        let offers = |scheme| challenges.iter().find(move |offer| offer.scheme == scheme);
        if let Some(challenge) = offers("bearer") {
            return self.token(client, &answer.url, challenge, sent).map(Some);
        }
        Ok(offers("basic").and_then(|_| self.basic(sent)))
    }

    fn words(&self, client: &Client, answer: &mut Answer) -> Option<String> {
        words::of_answer(client, answer)
    }

    fn hint(&self, url: &RemoteUrl, status: u16) -> Option<String> {
        if url.origin() == self.registry.origin() {
            self.registry.hint(self.action, status)
        } else {
            None
        }
    }
}
