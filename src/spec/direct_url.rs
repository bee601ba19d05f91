//! Requirements by URL: `name @ https://host/name-1-py3-none-any.whl#sha256=…`.
//!
//! vpython reads such a requirement as one of the wheel's version with the wheel's digest, which any
//! source may satisfy, and keeps the URL as the source to fetch it from. URLs of anything else than
//! a wheel are errors that say what to do instead.

use pep440_rs::{Version, VersionSpecifier};
use pep508_rs::{PackageName, VersionOrUrl};
use url::Url;

use super::{IndexUrl, Requested, Requirement};
use crate::fs::Digest;

/// What the syntax of the spec offers instead of a URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Advice {
    /// What names a wheel directory: `--find-links`.
    pub directories: &'static str,
    /// Where a digest is written.
    pub digest: &'static str,
}

/// Returns a requirement with its digests. A URL becomes the version and the digest of its wheel.
///
/// # Errors
/// The URL is not that of a wheel over HTTP, or there is no digest, or not one digest. The error is
/// a whole sentence without secrets.
pub(super) fn requested(
    requirement: Requirement,
    hashes: Vec<Digest>,
    advice: Advice,
) -> Result<Requested, String> {
    let Some(VersionOrUrl::Url(url)) = &requirement.version_or_url else {
        return Ok(Requested {
            requirement,
            hashes,
            url: None,
        });
    };
    let url: Url = (**url).clone();
    let shown = format!("`{} @ {}`", requirement.name, bare(&url));
    let version =
        wheel_version(&requirement.name, &url, advice).map_err(|why| format!("{shown} {why}"))?;
    let stated = digest_of(&url).map_err(|why| format!("{shown} {why}"))?;
    let hashes = match (stated, hashes) {
        (None, hashes) if hashes.is_empty() => {
            let how = advice.digest;
            return Err(format!("{shown} has no digest; add {how}"));
        }
        (Some(digest), hashes) if hashes.is_empty() || hashes.contains(&digest) => vec![digest],
        (Some(digest), _) => {
            return Err(format!(
                "{shown} has the digest {digest}, which is not among those of `--hash`"
            ));
        }
        (None, hashes) => hashes,
    };
    let mut source = url;
    source.set_fragment(None);
    let exactly = VersionSpecifier::equals_version(version);
    Ok(Requested {
        requirement: Requirement {
            version_or_url: Some(VersionOrUrl::VersionSpecifier(exactly.into())),
            ..requirement
        },
        hashes,
        url: Some(IndexUrl::parse(source.as_str())?),
    })
}

/// Returns the project of the wheel that a URL names, if it is one.
pub(super) fn project_of(url: &str) -> Option<PackageName> {
    let url = Url::parse(url).ok()?;
    let (project, _) = name_and_version(&file_name(&url)).ok()?;
    Some(project)
}

/// Returns a text that is meant to be a URL, as far as it has no secrets.
pub(super) fn without_secrets(text: &str) -> String {
    let url = text.split(char::is_whitespace).next().unwrap_or_default();
    match Url::parse(url) {
        Ok(url) => bare(&url).to_string(),
        Err(_) => IndexUrl::hide_secrets(url),
    }
}

/// Returns the version of the wheel that a URL names. The error is the rest of a sentence.
fn wheel_version(name: &PackageName, url: &Url, advice: Advice) -> Result<Version, String> {
    let directories = advice.directories;
    let by_name = format!("and require `{name}` by name");
    let file_name = file_name(url);
    let is_wheel = file_name.strip_suffix(".whl").is_some();
    let shown = bare(url);
    match url.scheme() {
        "http" | "https" if is_wheel => {}
        "http" | "https" => {
            return Err(format!(
                "names no wheel, and vpython builds nothing from source; build one with \
                 `-vpython-tool fetch --build … -- {shown}`, {by_name}"
            ));
        }
        "file" => {
            let what = if is_wheel { "file" } else { "path" };
            return Err(format!(
                "names a {what}; put the wheel into a directory that {directories} names, {by_name}"
            ));
        }
        // The parser knows no other schemes than these and those of repositories, as in `git+https`.
        _ => {
            return Err(format!(
                "names a repository, and vpython builds nothing from source; build a wheel with \
                 `-vpython-tool fetch --build … -- {shown}`, {by_name}"
            ));
        }
    }
    let (project, version) =
        name_and_version(&file_name).map_err(|()| "does not end in the name of a wheel")?;
    if project != *name {
        return Err(format!("names a wheel of `{project}`"));
    }
    Ok(version)
}

/// Returns a URL without user information, query and fragment. Unlike a text of unknown form, its
/// path may contain `@`, as in `git+https://host/project@v1`.
fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only if there is no host, and so no user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Returns the file name in a URL.
fn file_name(url: &Url) -> String {
    let last = url.path_segments().and_then(Iterator::last);
    let last = last.unwrap_or_default();
    percent_encoding::percent_decode_str(last)
        .decode_utf8_lossy()
        .into_owned()
}

/// Returns the first two parts of the name of a wheel. The tags are read when it is chosen.
fn name_and_version(file_name: &str) -> Result<(PackageName, Version), ()> {
    let stem = file_name.strip_suffix(".whl").ok_or(())?;
    // The decoded name may have a `/`.
    let is_of_name = |char: char| char.is_ascii_alphanumeric() || "-_.+!".contains(char);
    if !stem.chars().all(is_of_name) {
        return Err(());
    }
    let parts: Vec<&str> = stem.split('-').collect();
    let (5 | 6, [project, version, ..]) = (parts.len(), &parts[..]) else {
        return Err(());
    };
    let project = project.parse().map_err(|_| ())?;
    let version = version.replace('_', "-").parse().map_err(|_| ())?;
    Ok((project, version))
}

/// Returns the SHA-256 in the fragment of a URL, if there is one.
fn digest_of(url: &Url) -> Result<Option<Digest>, String> {
    let fields = url.fragment().unwrap_or_default().split('&');
    let mut digests = fields.filter_map(|field| field.strip_prefix("sha256="));
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| "has a `sha256` that does not consist of 64 digits of 0-9 and a-f".into())
    };
    digests.next().map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADVICE: Advice = Advice {
        directories: "`wheels`",
        digest: "`#sha256=…`",
    };

    fn read(text: &str, hashes: &[&str]) -> Result<Requested, String> {
        let hashes = hashes.iter().map(|hash| hash.parse().unwrap());
        requested(text.parse().unwrap(), hashes.collect(), ADVICE)
    }

    #[test]
    fn the_url_of_a_wheel_is_its_version_and_digest() {
        let [one, other] = ["1", "2"].map(|digit| digit.repeat(64));
        let rows = [
            (
                format!(
                    "A_b[x] @ https://u:p@h/d/a_b-1.0%2Bcpu-py3-none-any.whl#sha256={one} ; os_name == 'x'"
                ),
                "a-b[x]==1.0+cpu ; os_name == 'x'",
                "https://u:p@h/d/a_b-1.0%2Bcpu-py3-none-any.whl",
            ),
            (
                format!("a @ http://h/a-2-1-py3-none-any.whl?t=1#egg=a&sha256={one}"),
                "a==2",
                "http://h/a-2-1-py3-none-any.whl?t=1",
            ),
        ];
        for (text, requirement, url) in rows {
            let found = read(&text, &[]).unwrap();
            assert_eq!(found.requirement.to_string(), requirement);
            assert_eq!(found.url.unwrap().reveal(), url);
            assert_eq!(found.hashes, [one.parse().unwrap()]);
        }
        // A digest of an option counts, and must be that of the fragment if there are both.
        let url = "a @ https://h/a-1-py3-none-any.whl";
        assert_eq!(read(url, &[&one]).unwrap().hashes, [one.parse().unwrap()]);
        let both = format!("{url}#sha256={one}");
        assert_eq!(
            read(&both, &[&other, &one]).unwrap().hashes,
            [one.parse().unwrap()]
        );
        assert_eq!(
            read(&both, &[&other]).unwrap_err(),
            format!("`{url}` has the digest {one}, which is not among those of `--hash`")
        );
        assert_eq!(read("a>1", &[]).unwrap().url, None);
    }

    #[test]
    fn other_urls_are_errors_without_secrets() {
        let build = "builds nothing from source; build";
        let rows = [
            (
                "a @ https://u:p@h/a-1-py3-none-any.whl?t=p",
                "`a @ https://h/a-1-py3-none-any.whl` has no digest; add `#sha256=…`".to_owned(),
            ),
            (
                "a @ https://h/a-1-py3-none-any.whl#sha256=12",
                "`a @ https://h/a-1-py3-none-any.whl` has a `sha256` that does not consist of 64 digits of 0-9 and a-f".to_owned(),
            ),
            (
                "a @ https://h/a.whl",
                "`a @ https://h/a.whl` does not end in the name of a wheel".to_owned(),
            ),
            (
                "a @ https://h/a-1-py3-none-any%2F..%2Fx.whl",
                "`a @ https://h/a-1-py3-none-any%2F..%2Fx.whl` does not end in the name of a wheel".to_owned(),
            ),
            (
                "a @ https://h/b-1-py3-none-any.whl",
                "`a @ https://h/b-1-py3-none-any.whl` names a wheel of `b`".to_owned(),
            ),
            (
                "a @ https://u:p@h/a-1.tar.gz",
                format!("`a @ https://h/a-1.tar.gz` names no wheel, and vpython {build} one with `-vpython-tool fetch --build … -- https://h/a-1.tar.gz`, and require `a` by name"),
            ),
            (
                "a @ git+https://u:p@h/a@v1",
                format!("`a @ git+https://h/a@v1` names a repository, and vpython {build} a wheel with `-vpython-tool fetch --build … -- git+https://h/a@v1`, and require `a` by name"),
            ),
            (
                "a @ file:///d/a-1-py3-none-any.whl",
                "`a @ file:///d/a-1-py3-none-any.whl` names a file; put the wheel into a directory that `wheels` names, and require `a` by name".to_owned(),
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(read(text, &[]).unwrap_err(), expected, "{text}");
        }
    }
}
