//! Reading over HTTP: one client for package indexes, wheels, and registries.
//!
//! A [`Client`] is shared by all threads of a run. It knows the certificate authorities and the
//! proxies of the machine, the logins of the user, and when to retry. Nothing is read and no socket
//! is opened before the first request, so that a launch without one does not pay for it.
//!
//! Three rules hold for every request:
//!
//! * A login goes only to the origin that it is for, by https, or by http to a host that the
//!   configuration names. No text, error, event or argument of another program contains it:
//!   [`RemoteUrl`] and [`Secret`] do not show it.
//! * Everything that a server sends has a limit: headers, body, redirects, pauses.
//! * An error says the URL, what the server or the network did, after how many attempts, and what
//!   the user can do.
//!
//! | file | responsibility |
//! |---|---|
//! | `client` | the requests of callers: [`Client::get`] |
//! | `download` | [`Client::download`]: hashed while it arrives, resumed where it broke |
//! | `parallel` | [`in_parallel`]: several requests at a time |
//! | `attempt`, `redirect`, `retry` | one attempt, its redirects, its repetition |
//! | `body`, `content` | the body of an answer, the body of a request |
//! | `service` | the kinds of servers: their logins, and what their refusals mean |
//! | `agents`, `tls`, `client_certificate`, `proxy`, `host_names` | connections: certificates, proxies, addresses |
//! | `logins`, `netrc`, `keyring` | the logins of the user |
//! | `remote_url`, `secret`, `plain_http` | URLs that may be shown, and that may be requested |
//! | `trouble` | why an attempt failed, and the text of the error |
//! | `programs` | `getent`, `keyring` and credential helpers, with a time limit |
//! | `index` | package indexes: settings, pages, metadata of wheels, and their cache |
//! | `registry` | registries of container images: manifests and blobs, their logins and uploads |

mod agents;
mod attempt;
mod body;
mod client;
mod client_certificate;
mod content;
mod download;
mod file_to_fetch;
mod host_names;
pub mod index;
mod keyring;
mod logins;
mod netrc;
mod parallel;
mod plain_http;
mod programs;
mod proxy;
mod redirect;
pub mod registry;
mod remote_url;
mod request;
mod retry;
mod secret;
mod service;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod trouble;

pub use client::Client;
pub use content::Content;
pub use download::{Download, Downloaded, Restart};
pub use file_to_fetch::{FileToFetch, KeptFile};
pub use parallel::{CONNECTIONS, in_parallel};
pub use remote_url::{Login, Origin, RemoteUrl};
pub use request::{ContentRange, Range, Request, Response};
pub use secret::Secret;
pub use settings::{Retry, Settings};
