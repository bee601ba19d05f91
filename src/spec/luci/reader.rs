//! Translation of a message to a [`Spec`]. It reports all mistakes in the message at once.

use super::lexer::Diagnostic;
use super::names;
use super::schema::{Message, Package, TagEntry, Text};
use crate::invocation::split_threading;
use crate::spec::{
    ListedWheel, Located, Packages, Places, PythonRange, Spec, SpecText, TagPattern,
};

/// The state of reading one message, with the mistakes so far.
pub(super) struct Reader<'a> {
    pub(super) text: &'a SpecText,
    pub(super) places: Places<'a>,
    pub(super) mistakes: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub(super) fn read(mut self, message: Message) -> Result<Spec, Vec<Diagnostic>> {
        let requires_python = message
            .python_version
            .as_ref()
            .and_then(|version| self.python_range(version));
        let mut listed = Vec::new();
        for package in message.wheels {
            listed.extend(self.wheel(package));
        }
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        // `verify_pep425_tag` names platforms for a check only; an unknown platform must not
        // prevent a launch.
        let verify_tags = message
            .verify_tags
            .into_iter()
            .map(|tag| self.placed_pattern(tag))
            .collect();
        let base = self.text.base.clone();
        Ok(Spec {
            requires_python,
            packages: Packages::Listed(listed),
            verify_tags,
            base,
            ..Spec::default()
        })
    }

    fn wheel(&mut self, package: Package) -> Option<Located<ListedWheel>> {
        let offset = package.offset;
        let name = self.named(package.name, offset, "name");
        let version = self.named(package.version, offset, "version");
        // Check both before giving up, to report both mistakes.
        let (name, version) = (name?, version?);
        let parsed_name = names::parse_name(&name.value);
        let parsed_version = names::parse_version(&version.value);
        let mut read = |text: &Text, what: &str| {
            self.mistakes.push(Diagnostic::new(
                text.offset,
                format!("`{}` {what}", text.value),
            ));
        };
        let parsed_name = parsed_name.map_err(|why| read(&name, &why)).ok();
        let parsed_version = parsed_version.map_err(|why| read(&version, &why)).ok();
        let (parsed_name, wanted) = (parsed_name?, parsed_version?);
        let place = self.places.at(name.offset);
        let value = ListedWheel {
            name: name.value,
            version: version.value,
            project: parsed_name.project,
            wanted,
            conditions: parsed_name.conditions,
            match_tags: package.match_tags.into_iter().map(pattern).collect(),
            not_match_tags: package.not_match_tags.into_iter().map(pattern).collect(),
        };
        Some(Located { value, place })
    }

    fn placed_pattern(&self, tag: TagEntry) -> Located<TagPattern> {
        let place = self.places.at(tag.offset);
        Located {
            value: pattern(tag),
            place,
        }
    }

    /// Returns a required field of a wheel; adds a mistake if it is missing.
    fn named(&mut self, field: Option<Text>, offset: usize, name: &str) -> Option<Text> {
        if field.is_none() {
            self.mistakes.push(Diagnostic::new(
                offset,
                format!("the wheel has no `{name}`"),
            ));
        }
        field
    }

    /// Converts a `python_version` to a range: `3.8` matches all patch releases, and `3.8.10` matches
    /// that patch release and later ones of 3.8. `3.13t` matches only free-threaded builds. An empty
    /// value sets no requirement.
    fn python_range(&mut self, text: &Text) -> Option<Located<PythonRange>> {
        let written = text.value.trim();
        let (version, free_threaded) = split_threading(written);
        let numbers: Option<Vec<u32>> = version.split('.').map(number).collect();
        // There is no such build of Python 2.
        let numbers = numbers.filter(|numbers| !free_threaded || numbers.first() == Some(&3));
        let range = match numbers.as_deref() {
            _ if written.is_empty() => return None,
            Some([major @ (2 | 3)]) => format!("=={major}.*"),
            Some([major @ (2 | 3), minor]) => format!("=={major}.{minor}.*"),
            Some([major @ (2 | 3), minor, patch]) => format!("~={major}.{minor}.{patch}"),
            _ => {
                let what = format!(
                    "`{written}` is not a Python version; write one, two or three numbers, as in `3.11`"
                );
                self.mistakes.push(Diagnostic::new(text.offset, what));
                return None;
            }
        };
        // Numbers and dots are always a valid version.
        let specifiers = range.parse().ok()?;
        let place = self.places.at(text.offset);
        Some(Located {
            value: PythonRange {
                specifiers,
                free_threaded,
                key: "python_version",
                written: written.to_owned(),
            },
            place,
        })
    }
}

/// Parses a number that consists only of digits.
pub(super) fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn pattern(tag: TagEntry) -> TagPattern {
    let part = |text: Option<Text>| text.map(|text| text.value).filter(|text| !text.is_empty());
    TagPattern {
        python: part(tag.python),
        abi: part(tag.abi),
        platform: part(tag.platform),
    }
}
