//! Redirects: where they may lead.

use super::RemoteUrl;
use super::trouble::Trouble;

/// The maximum number of redirects of one request.
pub(super) const MOST: usize = 10;

/// Returns whether an answer with this status is followed. A request that does not only read is
/// sent to another URL only if its method stays the same (RFC 9110, section 15.4).
pub(super) fn is_followed(status: u16, only_reads: bool) -> bool {
    match status {
        307 | 308 => true,
        301..=303 => only_reads,
        _ => false,
    }
}

/// Returns the URL that an answer from `url` redirects to. It has no login: the user's own for its
/// origin is used, not one that the server names.
///
/// # Errors
/// The header `Location` is missing or not a usable URL, or leads from https to http.
pub(super) fn target(url: &RemoteUrl, location: Option<&str>) -> Result<RemoteUrl, Trouble> {
    let Some(location) = location else {
        return Err(Trouble::lasting(url, "the server redirects to no URL"));
    };
    let target = url
        .join(location)
        .map_err(|_| {
            Trouble::lasting(
                url,
                "the server redirects to something that is not a usable URL",
            )
        })?
        .without_login();
    if url.is_https() && !target.is_https() {
        let cause = format!(
            "the server redirects from https to `{target}`, which others could read and change"
        );
        return Err(Trouble::lasting(url, cause));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::super::trouble::Purpose;
    use super::*;
    use crate::report;

    #[test]
    fn a_redirect_leads_to_a_url_without_login() {
        let rows = [
            ("/x", "https://a.example/x"),
            ("y?z=1", "https://a.example/simple/y?z=1"),
            ("https://b.example/", "https://b.example/"),
            ("https://u:p@a.example/", "https://a.example/"),
            ("//c.example/", "https://c.example/"),
        ];
        let from = RemoteUrl::parse("https://u:p@a.example/simple/").unwrap();
        for (location, expected) in rows {
            let target = target(&from, Some(location)).unwrap();
            assert_eq!(target.as_url().as_str(), expected);
            assert_eq!(target.login(), None, "{location}");
        }
    }

    #[test]
    fn a_redirect_to_plain_http_is_refused() {
        let rows = [
            (
                Some("http://u:geheim@a.example/x"),
                "the server redirects from https to `http://a.example/x`, which others could read and change",
            ),
            (
                Some("file:///etc/passwd"),
                "the server redirects to something that is not a usable URL",
            ),
            (None, "the server redirects to no URL"),
        ];
        let from = RemoteUrl::parse("https://a.example/").unwrap();
        for (location, cause) in rows {
            let error = target(&from, location)
                .unwrap_err()
                .into_error(Purpose::Fetch, &from, 1);
            assert_eq!(
                report::one_line(&error),
                format!("cannot fetch `https://a.example/`: {cause}")
            );
        }
    }
}
