//! The comments of a LUCI spec, each with the item that it belongs to.

use std::ops::Range;

use super::seed;
use super::text::{Field, Shape, Value};

/// The item that a comment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The whole file.
    Header,
    Python,
    /// The wheel with this index.
    Wheel(usize),
    Platforms,
    Nothing,
}

/// The comments of a spec with their owners, in the order of the text.
pub(super) struct Comments<'a>(Vec<(Owner, &'a str)>);

impl<'a> Comments<'a> {
    pub(super) fn of(content: &'a str, fields: &[Field<'_>], comments: Vec<Range<usize>>) -> Self {
        let items = items(fields);
        let header_end = header_end(content, &comments, &items);
        let owner = |comment: &Range<usize>| {
            if comment.start < header_end {
                return Owner::Header;
            }
            // It belongs to the field that contains it or ends on its line, and otherwise to the
            // next one.
            let before = items.iter().rfind(|(_, item)| item.start <= comment.start);
            let in_or_after = before.filter(|(_, item)| {
                comment.start < item.end || !content[item.end..comment.start].contains('\n')
            });
            let next = || items.iter().find(|(_, item)| item.start > comment.start);
            in_or_after
                .or_else(next)
                .map_or(Owner::Nothing, |(owner, _)| *owner)
        };
        let comments = comments
            .into_iter()
            .filter(|comment| !seed::is_no_seed(&content[comment.clone()]));
        Self(
            comments
                .map(|comment| (owner(&comment), content[comment].trim_end()))
                .collect(),
        )
    }

    /// Returns the comments of `owner`, one line each. TOML allows no control character in a comment
    /// except the tab.
    pub(super) fn before(&self, owner: Owner, indentation: &str) -> String {
        let own = self.0.iter().filter(|(whose, _)| *whose == owner);
        let line =
            |comment: &str| comment.replace(|one: char| one.is_control() && one != '\t', " ");
        own.fold(String::new(), |lines, (_, comment)| {
            lines + indentation + &line(comment) + "\n"
        })
    }
}

/// Returns the items of a spec with their ranges, in the order of the text.
fn items(fields: &[Field<'_>]) -> Vec<(Owner, Range<usize>)> {
    let mut items = Vec::new();
    let mut wheels = 0;
    for field in fields {
        match field.name {
            "wheel" => {
                // The first wheel of a list begins at the field's name.
                for (index, value) in values(&field.value).iter().enumerate() {
                    let start = if index == 0 {
                        field.offset
                    } else {
                        value.offset
                    };
                    items.push((Owner::Wheel(wheels), start..value.end));
                    wheels += 1;
                }
            }
            name => {
                let owner = if name == "python_version" {
                    Owner::Python
                } else {
                    Owner::Platforms
                };
                items.push((owner, field.offset..field.value.end));
            }
        }
    }
    items
}

fn values<'a, 'b>(value: &'b Value<'a>) -> &'b [Value<'a>] {
    match &value.shape {
        Shape::List(items) => items,
        _ => std::slice::from_ref(value),
    }
}

/// Returns the end of the leading comments that an empty line separates from the rest.
fn header_end(content: &str, comments: &[Range<usize>], items: &[(Owner, Range<usize>)]) -> usize {
    let first_item = items.first().map_or(content.len(), |(_, item)| item.start);
    let leading = comments.iter().filter(|comment| comment.end <= first_item);
    let is_separated = |comment: &&Range<usize>| {
        let blank = &content[comment.end..];
        let blank = &blank[..blank.len() - blank.trim_start().len()];
        blank.matches('\n').count() > 1
    };
    leading
        .rev()
        .find(|comment| is_separated(comment))
        .map_or(0, |comment| comment.end)
}
