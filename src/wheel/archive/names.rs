//! Names of members: their encoding, and the check that no name has two contents.
//!
//! `members` checks that a name stays in its directory, when it turns the name into a path.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail, ensure};
use unicode_normalization::UnicodeNormalization;

use crate::fs::Digest;
use crate::wheel::{Member, MemberReader, Source};

/// The flag of a member whose name is UTF-8.
const UTF8: u16 = 1 << 11;

/// Reads a name. Without the UTF-8 flag, programs may assume any encoding.
pub(super) fn read(name: &[u8], flags: u16) -> Result<String> {
    let Ok(text) = std::str::from_utf8(name) else {
        bail!(
            "the name of member `{}` is not UTF-8",
            String::from_utf8_lossy(name)
        );
    };
    ensure!(
        name.is_ascii() || flags & UTF8 != 0,
        "the name of member `{text}` is not marked as UTF-8"
    );
    Ok(text.to_owned())
}

/// Returns a name as file systems see it that ignore case and Unicode form: names that fold to the
/// same text collide there.
pub fn folded(name: &str) -> Cow<'_, str> {
    if name
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        return Cow::Borrowed(name);
    }
    if name.is_ascii() {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    // Upper case first, so that `ß` and `ſ` fold as on these file systems.
    let lower = name
        .nfkd()
        .collect::<String>()
        .to_uppercase()
        .to_lowercase();
    Cow::Owned(lower.nfkd().collect())
}

/// Returns the indexes of the members that repeat an earlier member with the same name and content.
///
/// # Errors
/// Two members have the same name and differ, or a member is inside another that is a file.
pub(super) fn repeated(source: Source, members: &[Member]) -> Result<HashSet<usize>> {
    let mut files: HashMap<&str, &Member> = HashMap::new();
    let mut repeated = HashSet::new();
    for (index, member) in members.iter().enumerate() {
        let name = member.name.strip_suffix('/').unwrap_or(&member.name);
        let Some(first) = files.get(name) else {
            files.insert(name, member);
            continue;
        };
        let is_alike =
            first.name == member.name && first.installed_kind() == member.installed_kind();
        let is_same = is_alike && have_same_content(source, first, member)?;
        ensure!(is_same, "two members have the name `{}`", member.name);
        repeated.insert(index);
    }
    // No member may be inside a member that is a file.
    for member in members {
        for (index, _) in member.name.trim_end_matches('/').match_indices('/') {
            if let Some(file) = files
                .get(&member.name[..index])
                .filter(|other| !other.is_directory())
            {
                bail!(
                    "member `{}` is inside member `{}`, which is a file",
                    member.name,
                    file.name
                );
            }
        }
    }
    Ok(repeated)
}

/// Returns whether two members have the same content. It reads them only if their sizes and CRC-32s
/// are equal.
fn have_same_content(source: Source, one: &Member, other: &Member) -> Result<bool> {
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
