//! The values of `vpython.conf`: a method of the parser for each type of value.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use toml::de::DeValue;

use super::reader::{Reader, Value};
use crate::invocation::{WheelhouseReference, split_threading};
use crate::oci::Reference;

impl Reader<'_> {
    pub(super) fn text(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(&format!("`{key}`"), "a string", value);
        }
        text
    }

    pub(super) fn boolean(&mut self, key: &str, value: &Value<'_>) -> Option<bool> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            self.wrong_type(&format!("`{key}`"), "a boolean", value);
        }
        truth
    }

    /// Returns the strings of an array.
    pub(super) fn texts(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<String>> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(&format!("`{key}`"), "an array of strings", value);
            return None;
        };
        let texts: Vec<String> = items
            .iter()
            .filter_map(|item| Some(item.get_ref().as_str()?.to_owned()))
            .collect();
        for item in items
            .iter()
            .filter(|item| item.get_ref().as_str().is_none())
        {
            self.wrong_type(&format!("an item of `{key}`"), "a string", item);
        }
        (texts.len() == items.len()).then_some(texts)
    }

    /// Returns one or more Python versions.
    pub(super) fn versions(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<String>> {
        let versions = match value.get_ref() {
            DeValue::String(text) => vec![text.clone().into_owned()],
            DeValue::Array(_) => self.texts(key, value)?,
            _ => {
                self.wrong_type(
                    &format!("`{key}`"),
                    "a string, or an array of strings",
                    value,
                );
                return None;
            }
        };
        // Report all bad versions, not only the first.
        let bad: Vec<&String> = versions
            .iter()
            .filter(|version| !is_version(version))
            .collect();
        for version in &bad {
            self.problem(
                value.span().start,
                &format!("`{version}` is not a Python version; write it as in `3.11`"),
            );
        }
        if bad.is_empty() { Some(versions) } else { None }
    }

    pub(super) fn age(&mut self, key: &str, value: &Value<'_>) -> Option<Duration> {
        let text = self.text(key, value)?;
        let age = humantime::parse_duration(&text).ok();
        if age.is_none() {
            self.problem(
                value.span().start,
                &format!("`{text}` is not an age; write a number with a unit, such as `30d`"),
            );
        }
        age
    }

    pub(super) fn size(&mut self, key: &str, value: &Value<'_>) -> Option<u64> {
        let text = self.text(key, value)?;
        let size = text.parse::<ByteSize>().ok();
        if size.is_none() {
            self.problem(
                value.span().start,
                &format!("`{text}` is not a size; write a number with a unit, such as `10GiB`"),
            );
        }
        size.map(|size| size.as_u64())
    }

    /// Returns the root. `{uid}` in its path is replaced by the user's id, because a store belongs
    /// to one user.
    pub(super) fn root(&mut self, key: &str, value: &Value<'_>) -> Option<PathBuf> {
        let text = self.text(key, value)?;
        self.resolve(
            &text.replace("{uid}", &self.process.user.to_string()),
            value,
        )
    }

    pub(super) fn path(&mut self, key: &str, value: &Value<'_>) -> Option<PathBuf> {
        let text = self.text(key, value)?;
        self.resolve(&text, value)
    }

    pub(super) fn wheelhouses(
        &mut self,
        key: &str,
        value: &Value<'_>,
    ) -> Option<Vec<WheelhouseReference>> {
        let texts = self.texts(key, value)?;
        let read = |text: &String| self.wheelhouse(text, value);
        texts.iter().map(read).collect()
    }

    /// Returns paths.
    pub(super) fn paths(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<PathBuf>> {
        let texts = self.texts(key, value)?;
        texts.iter().map(|text| self.resolve(text, value)).collect()
    }

    /// Returns image layouts and registries.
    pub(super) fn references(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<Reference>> {
        let texts = self.texts(key, value)?;
        let read = |text: &String| match self.wheelhouse(text, value)? {
            WheelhouseReference::Layout(layout) => Some(Reference::Layout(layout)),
            WheelhouseReference::Registry(registry) => Some(Reference::Registry(registry)),
            WheelhouseReference::Directory(_) | WheelhouseReference::Mirror(_) => {
                let what = format!(
                    "`{text}` is neither an image layout (`oci:DIR`) nor a registry (`oci://HOST/REPO`)"
                );
                self.problem(value.span().start, &what);
                None
            }
        };
        texts.iter().map(read).collect()
    }

    fn wheelhouse(&mut self, text: &str, value: &Value<'_>) -> Option<WheelhouseReference> {
        let mut is_resolved = true;
        let parsed = WheelhouseReference::parse(OsStr::new(text), |path| {
            let resolved = self.resolve(&path.to_string_lossy(), value);
            is_resolved = resolved.is_some();
            resolved.unwrap_or_default()
        });
        match parsed {
            Ok(wheelhouse) => is_resolved.then_some(wheelhouse),
            Err(why) => {
                let what = format!("`{text}` is not a wheelhouse: {why}");
                self.problem(value.span().start, &what);
                None
            }
        }
    }

    /// Returns the absolute path; a relative one starts at the file's directory, or after `~/` at
    /// the user's home.
    fn resolve(&mut self, text: &str, value: &Value<'_>) -> Option<PathBuf> {
        let path = match text.strip_prefix("~/") {
            _ if text.is_empty() => None,
            None => Some(self.path.parent().unwrap_or(Path::new("/")).join(text)),
            Some(rest) => self.process.home().map(|home| home.join(rest)),
        };
        if path.is_none() {
            let why = if text.is_empty() {
                "the path is empty"
            } else {
                "`~` cannot be expanded: `HOME` is not set"
            };
            self.problem(value.span().start, why);
        }
        path.map(|path| path.components().collect())
    }
}

/// Checks whether a text consists of one to three numbers, as Python versions do. After two or
/// three, a `t` may stand for a free-threaded build.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| {
        !part.is_empty() && part.len() < 4 && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (version, _) = split_threading(text);
    version.split('.').count() <= 3 && version.split('.').all(is_number)
}
