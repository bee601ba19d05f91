//! Names of members: what they are made of, and that no name has two contents.
//!
//! That a name leads nowhere but into its directory is looked at where it becomes a path, in
//! `members`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail, ensure};
use icu_normalizer::DecomposingNormalizerBorrowed;

use super::{Member, MemberReader, Source};
use crate::fs::Digest;

/// The flag of a member whose name is UTF-8.
const UTF8: u16 = 1 << 11;

/// Reads a name. Without the flag, a name is in whatever encoding a program likes.
pub(super) fn read(name: &[u8], flags: u16) -> Result<String> {
    let Ok(text) = std::str::from_utf8(name) else {
        bail!(
            "the name of member `{}` is not UTF-8",
            String::from_utf8_lossy(name)
        );
    };
    ensure!(
        name.is_ascii() || flags & UTF8 != 0,
        "the name of member `{text}` may be in any encoding"
    );
    Ok(text.to_owned())
}

/// A name as file systems see it that know no case and no Unicode form: names that fold to the same
/// are one there.
pub(in super::super) fn folded(name: &str) -> Cow<'_, str> {
    if name
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        return Cow::Borrowed(name);
    }
    if name.is_ascii() {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    let normalizer = DecomposingNormalizerBorrowed::new_nfkd();
    // By way of upper case, so that `ß` and `ſ` are what they are to others.
    let lower = normalizer.normalize(name).to_uppercase().to_lowercase();
    Cow::Owned(normalizer.normalize(&lower).into_owned())
}

/// The members that are there again under the same name with the same content, each by its index:
/// the first of a name is kept.
///
/// # Errors
/// Two members have one name and differ, or a member lies in another that is a file.
pub(super) fn repeated(source: Source, members: &[Member]) -> Result<HashSet<usize>> {
    let mut files: HashMap<&str, &Member> = HashMap::new();
    let mut repeated = HashSet::new();
    for (index, member) in members.iter().enumerate() {
        let name = member.name.strip_suffix('/').unwrap_or(&member.name);
        let Some(first) = files.get(name) else {
            files.insert(name, member);
            continue;
        };
        let is_alike = first.name == member.name && first.becomes() == member.becomes();
        let is_same = is_alike && have_one_content(source, first, member)?;
        ensure!(is_same, "two members have the name `{}`", member.name);
        repeated.insert(index);
    }
    for member in members {
        for (index, _) in member.name.trim_end_matches('/').match_indices('/') {
            if let Some(file) = files
                .get(&member.name[..index])
                .filter(|other| !other.is_directory())
            {
                bail!(
                    "member `{}` lies in member `{}`, which is a file",
                    member.name,
                    file.name
                );
            }
        }
    }
    Ok(repeated)
}

/// Whether two members have the same bytes. Only members of one size and CRC-32 are read.
fn have_one_content(source: Source, one: &Member, other: &Member) -> Result<bool> {
    if (one.size, one.crc) != (other.size, other.crc) {
        return Ok(false);
    }
    let digest = |member| Digest::of_reader(&mut MemberReader::new(source, member), drop);
    let digests = digest(one).and_then(|digest_of_one| Ok((digest_of_one, digest(other)?)));
    let (one, other) =
        digests.with_context(|| format!("member `{}` cannot be unpacked", one.name))?;
    Ok(one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_as_on_file_systems_without_case_and_form() {
        let rows = [
            ("a/b.py", "a/b.py"),
            ("A/b.PY", "a/b.py"),
            ("\u{e9}", "e\u{301}"),
            ("\u{c9}", "e\u{301}"),
            ("stra\u{df}e", "strasse"),
            ("\u{fb01}n", "fin"),
        ];
        for (name, expected) in rows {
            assert_eq!(folded(name), expected, "{name}");
        }
    }
}
