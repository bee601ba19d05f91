//! Names of members: what they are made of, and that no two are one on any file system.
//!
//! That a name leads nowhere but into its folder is looked at where it becomes a path, in `members`.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::{Result, bail, ensure};
use icu_normalizer::DecomposingNormalizerBorrowed;

use super::Member;

/// The flag of a member whose name is UTF-8.
const UTF8: u16 = 1 << 11;

/// Reads a name. Without the flag, a name is in whatever encoding a program likes.
pub(super) fn read(name: &[u8], flags: u16) -> Result<String> {
    let Ok(text) = std::str::from_utf8(name) else {
        bail!("the name of member `{}` is not UTF-8", String::from_utf8_lossy(name));
    };
    ensure!(name.is_ascii() || flags & UTF8 != 0, "the name of member `{text}` may be in any encoding");
    Ok(text.to_owned())
}

/// A name as file systems see it that know no case and no Unicode form: names that fold to the same are one there.
pub(in super::super) fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
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

/// Refuses two members of one name, and a file that another member lies in.
pub(super) fn refuse_collisions(members: &[Member]) -> Result<()> {
    let mut files = HashMap::new();
    for member in members {
        let name = member.name.strip_suffix('/').unwrap_or(&member.name);
        let Some(other) = files.insert(folded(name), member) else { continue };
        if other.name == member.name {
            bail!("two members have the name `{}`", member.name);
        }
        if !(other.is_folder() && member.is_folder()) {
            bail!("members `{}` and `{}` are one file where case or Unicode form do not count", other.name, member.name);
        }
    }
    for member in members {
        for (index, _) in member.name.trim_end_matches('/').match_indices('/') {
            if let Some(file) = files.get(&folded(&member.name[..index])).filter(|other| !other.is_folder()) {
                bail!("member `{}` lies in member `{}`, which is a file", member.name, file.name);
            }
        }
    }
    Ok(())
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
