//! A link to a file: its absolute URL, its file name, and the digests in its fragment.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::remote::index::project::{Hashes, IndexFile, Project};

/// The extensions of source distributions: PEP 625's and older ones.
const SOURCE_EXTENSIONS: [&str; 7] = [
    ".tar.gz",
    ".zip",
    ".tar.bz2",
    ".tgz",
    ".tar.xz",
    ".tar.lzma",
    ".tar",
];

/// The kinds of files that a page lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A wheel.
    Wheel,
    /// A source distribution.
    Source,
    /// Eggs, installers, signatures, and links to other pages.
    Other,
}

/// Returns the kind of a file by its name.
pub(super) fn kind(file_name: &str) -> Kind {
    if without(file_name, ".whl").is_some() {
        Kind::Wheel
    } else if source_stem(file_name).is_some() {
        Kind::Source
    } else {
        Kind::Other
    }
}

/// Returns the version in the name of a source distribution, as written there (PEP 625).
pub(super) fn source_version(file_name: &str) -> Option<String> {
    let (_, version) = source_stem(file_name)?.rsplit_once('-')?;
    Some(version.to_owned())
}

fn source_stem(file_name: &str) -> Option<&str> {
    let mut extensions = SOURCE_EXTENSIONS.into_iter();
    extensions.find_map(|extension| without(file_name, extension))
}

/// Returns the part of a file name before an extension, whatever its case.
fn without<'n>(file_name: &'n str, extension: &str) -> Option<&'n str> {
    let at = file_name.len().checked_sub(extension.len())?;
    let (stem, end) = file_name.split_at_checked(at)?;
    end.eq_ignore_ascii_case(extension).then_some(stem)
}

/// Adds the file that a link leads to, if it is a wheel, or the version of a source distribution.
///
/// `complete` fills in the facts that the page states next to the link.
pub(super) fn add(
    project: &mut Project,
    base: &Url,
    href: &str,
    complete: impl FnOnce(&mut IndexFile),
) {
    let Some(mut url) = resolve(base, href) else {
        return;
    };
    let Some(file_name) = file_name(&url) else {
        return;
    };
    match kind(&file_name) {
        Kind::Wheel => {
            let hashes = hashes(&url);
            url.set_fragment(None);
            let mut file = IndexFile {
                file_name,
                url: url.into(),
                hashes,
                ..IndexFile::default()
            };
            complete(&mut file);
            project.wheels.push(file);
        }
        Kind::Source => {
            let mut file = IndexFile::default();
            complete(&mut file);
            let version = source_version(&file_name).filter(|_| file.yanked.is_none());
            project.source_versions.extend(version);
        }
        Kind::Other => {}
    }
}

/// Returns the absolute URL of a link; none if it is invalid, or is not for HTTP: a page from the
/// network must not name files of this machine. User information is dropped: the client sends the
/// credentials that it knows for a host.
pub(super) fn resolve(base: &Url, href: &str) -> Option<Url> {
    let mut url = base.join(href).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url)
}

/// Checks whether a text is a URL as [`resolve`] would return it, without parsing it: a page has
/// thousands. The client parses the few that are requested.
pub(super) fn is_plain(href: &str) -> bool {
    let Some((host, path)) = href
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let is_host = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
    };
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%+=".contains(&byte);
    let ends_in_letter = host
        .bytes()
        .next_back()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    let has_dots =
        path.starts_with('.') || path.contains("/.") || path.to_ascii_lowercase().contains("%2e");
    ends_in_letter
        && !host.contains("xn--")
        && host.bytes().all(is_host)
        && path.bytes().all(is_path)
        && !has_dots
}

/// Returns the last component of the path, decoded; none if it is not a file name.
pub(super) fn file_name(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let name = percent_decode_str(last).decode_utf8().ok()?;
    is_file_name(&name).then(|| name.into_owned())
}

/// Checks whether a text can be the name of a file in any directory.
pub(super) fn is_file_name(name: &str) -> bool {
    let is_special = |character: char| character == '/' || character.is_control();
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(is_special)
}

/// Returns the digests in the fragment, as in `#sha256=…` (PEP 503).
fn hashes(url: &Url) -> Hashes {
    let fragment = url.fragment().unwrap_or_default();
    Hashes::of(fragment.split('&').filter_map(|pair| pair.split_once('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_resolved_without_secrets_and_only_over_http() {
        let base = Url::parse("https://user:pass@index.example/simple/a/").unwrap();
        let resolved = |href: &str| resolve(&base, href).map(String::from);
        let rows = [
            (
                "../../files/a.whl",
                Some("https://index.example/files/a.whl"),
            ),
            (
                "a.whl?x=1",
                Some("https://index.example/simple/a/a.whl?x=1"),
            ),
            ("//cdn.example/a.whl", Some("https://cdn.example/a.whl")),
            ("http://u:p@x.example/a.whl", Some("http://x.example/a.whl")),
            ("file:///etc/passwd", None),
            ("javascript:alert(1)", None),
            ("https://[", None),
        ];
        for (href, expected) in rows {
            assert_eq!(resolved(href).as_deref(), expected, "{href}");
        }
    }

    #[test]
    fn a_plain_url_is_what_parsing_returns() {
        let base = Url::parse("https://index.example/simple/a/").unwrap();
        let rows = [
            ("https://files.example/ab/a-1%2Bx-py3-none-any.whl", true),
            ("https://localhost/a_b~c=1.whl", true),
            ("https://u:p@files.example/a.whl", false),
            ("https://FILES.example/a.whl", false),
            ("https://files.example", false),
            ("https://files.example:443/a.whl", false),
            ("https://files.example/x/../a.whl", false),
            ("https://files.example/./a.whl", false),
            ("https://files.example/%2E%2e/a.whl", false),
            ("https://files.example/a b.whl", false),
            ("https://files.example/a.whl#sha256=0", false),
            ("https://127.1/a.whl", false),
            ("https://xn--a/a.whl", false),
            ("http://files.example/a.whl", false),
            ("a.whl", false),
        ];
        for (href, expected) in rows {
            assert_eq!(is_plain(href), expected, "{href}");
            if expected {
                assert_eq!(String::from(resolve(&base, href).unwrap()), href);
            }
        }
    }

    #[test]
    fn a_file_name_is_the_decoded_end_of_the_path() {
        let name = |url: &str| file_name(&Url::parse(url).unwrap());
        let rows = [
            (
                "https://x/a-1%2Bcpu-py3-none-any.whl?q#f",
                Some("a-1+cpu-py3-none-any.whl"),
            ),
            ("https://x/a/", None),
            ("https://x/..%2fa.whl", None),
            ("https://x/%00.whl", None),
            ("https://x/%ff.whl", None),
        ];
        for (url, expected) in rows {
            assert_eq!(name(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn the_kind_of_a_file_is_its_extension() {
        let rows = [
            ("a-1-py3-none-any.whl", Kind::Wheel),
            ("A.WHL", Kind::Wheel),
            ("a-1.tar.gz", Kind::Source),
            ("a-1.zip", Kind::Source),
            ("a-1.egg", Kind::Other),
            ("a-1-py3-none-any.whl.metadata", Kind::Other),
            ("é", Kind::Other),
        ];
        for (name, expected) in rows {
            assert_eq!(kind(name), expected, "{name}");
        }
    }
}
