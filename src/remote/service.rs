//! [`Service`]: the kind of server that a request is for. It has the logins of such servers, and
//! explains their refusals.

use super::attempt::Answer;
use super::logins::{Authorization, Logins};
use super::trouble::Trouble;
use super::{Client, RemoteUrl};

/// The kind of server that a request is for.
pub(super) trait Service {
    /// Returns the login to send with the first request for a URL, to which a redirect may have
    /// led.
    fn authorization(&self, url: &RemoteUrl) -> Option<Authorization>;

    /// Returns another login, after a server has answered 401 to `sent`; none if there is none.
    ///
    /// # Errors
    /// The login has to be requested, and that request fails.
    fn after_refusal(
        &self,
        client: &Client,
        answer: &Answer,
        sent: Option<&Authorization>,
    ) -> Result<Option<Authorization>, Trouble>;

    /// Returns what the server says about its refusal, for the error.
    fn words(&self, _client: &Client, _answer: &mut Answer) -> Option<String> {
        None
    }

    /// Returns what the user can do about an answer 401, 403, 404 or 410.
    fn hint(&self, url: &RemoteUrl, status: u16) -> Option<String>;
}

/// Package indexes, and the servers of their files.
impl Service for Logins {
    fn authorization(&self, url: &RemoteUrl) -> Option<Authorization> {
        self.for_url(url)
    }

    fn after_refusal(
        &self,
        _client: &Client,
        answer: &Answer,
        sent: Option<&Authorization>,
    ) -> Result<Option<Authorization>, Trouble> {
        Ok(self.of_keyring(&answer.url, sent))
    }

    fn hint(&self, url: &RemoteUrl, status: u16) -> Option<String> {
        let host = url.host();
        match status {
            401 if self.for_url(url).is_some() => {
                Some(format!("check the user name and the password for `{host}`"))
            }
            401 => Some(format!(
                "put a login for `{host}` into `~/.netrc`: `machine {host} login NAME password PASSWORD`"
            )),
            403 => Some(format!(
                "ask the operator of `{host}` for access, or name another index"
            )),
            404 | 410 => Some("the file was removed, or the URL is wrong".to_owned()),
            _ => None,
        }
    }
}
