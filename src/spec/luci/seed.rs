//! The seeds: pip, setuptools and wheel, which LUCI's virtualenv installs in each environment and
//! no spec lists.
//!
//! An environment has them unless the spec contains the comment `# vpython: no-seed` on a line of
//! its own. LUCI's own vpython ignores this comment.

use std::ops::Range;

use crate::report::nearest;
use crate::spec::{Places, SpecText};

/// The prefix of a comment for vpython, after its `#`.
const PREFIX: &str = "vpython:";
/// The comment that omits the seeds.
const NO_SEED: &str = "no-seed";

/// Returns whether the seeds are installed, and warnings for the spec's author, one sentence each.
/// `comments` contains the ranges of the comments.
pub(super) fn read(text: &SpecText, comments: &[Range<usize>]) -> (bool, Vec<String>) {
    let mut seed = true;
    let mut warnings = Vec::new();
    let places = Places::of(&text.origin, &text.content);
    for comment in comments
        .iter()
        .filter(|comment| begins_line(&text.content, comment.start))
    {
        match request(&text.content[comment.clone()]) {
            Some(NO_SEED) => seed = false,
            // Any other remark about vpython is for human readers.
            Some(other) if nearest(other, [NO_SEED]).is_some() => {
                let place = places.at(comment.start);
                warnings.push(format!(
                    "{place}: `{other}` is ignored; did you mean `# {PREFIX} {NO_SEED}`?"
                ));
            }
            _ => {}
        }
    }
    (seed, warnings)
}

/// Checks whether a comment omits the seeds.
pub(super) fn is_no_seed(comment: &str) -> bool {
    request(comment) == Some(NO_SEED)
}

/// Returns the text of a comment for vpython; `None` if the comment is for human readers.
fn request(comment: &str) -> Option<&str> {
    Some(
        comment
            .trim_start_matches('#')
            .trim_start()
            .strip_prefix(PREFIX)?
            .trim(),
    )
}

/// Checks whether only white space precedes an offset in its line.
fn begins_line(content: &str, offset: usize) -> bool {
    let line = content[..offset].rsplit('\n').next().unwrap_or_default();
    line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::invocation::Chosen;
    use crate::spec::{Origin, SpecKind};

    #[test]
    fn a_comment_of_its_own_line_leaves_the_seeds_out() {
        let typing_error =
            "`/src/.vpython3`, line 1: `noseed` is ignored; did you mean `# vpython: no-seed`?";
        let rows = [
            ("", true, None, "an empty spec"),
            ("# vpython: no-seed\n", false, None, "the whole spec"),
            (
                "python_version: '3.8'\n  #vpython:no-seed  \nwheel < name: 'a' version: '1' >",
                false,
                None,
                "between fields",
            ),
            (
                "wheel < name: 'a'\n# vpython: no-seed\nversion: '1' >",
                false,
                None,
                "in a field",
            ),
            (
                "python_version: '3.8' # vpython: no-seed\n",
                true,
                None,
                "not on a line of its own",
            ),
            ("# no-seed\n", true, None, "for the reader"),
            (
                "# See vpython: no-seed leaves setuptools out.\n",
                true,
                None,
                "for the reader too",
            ),
            (
                "# vpython: noseed\n",
                true,
                Some(typing_error),
                "a typing error",
            ),
            (
                "# vpython: see https://example.org\n",
                true,
                None,
                "a remark",
            ),
        ];
        for (content, seed, warning, why) in rows {
            let text = SpecText {
                kind: SpecKind::Luci,
                origin: Origin::file("/src/.vpython3".into()),
                base: None,
                content: content.into(),
                warnings: Vec::new(),
                chosen: Chosen::default(),
            };
            let spec = parse(&text).unwrap();
            assert_eq!(
                (spec.seed, spec.warnings.first().map(String::as_str)),
                (seed, warning),
                "{why}"
            );
        }
    }
}
