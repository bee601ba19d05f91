//! [`ImageRequest`]: the options of an image, checked.

use anyhow::Result;

use crate::invocation::{Compression, ImageOptions};
use crate::oci::{Annotations, Reference, RegistryReference};
use crate::report::Failure;

/// The most layers of an image, with those of its base: overlayfs of Linux and Docker allow 127.
const MAX_LAYERS: usize = 127;
/// The layers that are not of one wheel: interpreter, other wheels, skeleton, included directories.
const OTHER_LAYERS: usize = 4;
/// The number of wheels with a layer each, if `--layers` is not given.
const DEFAULT_LAYERS: usize = 40;

/// The form of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImageForm {
    /// A directory.
    Directory,
    /// A `.tar` of one.
    Tar,
    /// No layout: the blobs are sent to a repository.
    Registry(RegistryReference),
}

/// The options of an image.
#[derive(Debug)]
pub(crate) struct ImageRequest {
    pub form: ImageForm,
    /// The name of the image: the file name before its suffix.
    pub name: String,
    pub base: Option<Reference>,
    layers: Option<usize>,
    /// The program with its first arguments; `None` means the environment's python.
    pub entrypoint: Option<Vec<String>>,
    pub user: Option<String>,
    pub labels: Annotations,
    pub compression: Compression,
}

impl ImageRequest {
    /// Reads the options for the output file `name`, and adds what is wrong with them to
    /// `problems`.
    pub fn read(
        form: ImageForm,
        name: &str,
        options: &ImageOptions,
        has_prefix: bool,
        problems: &mut Vec<String>,
    ) -> Self {
        let ImageOptions {
            base,
            layers,
            entrypoint,
            user,
            label,
            compression,
        } = options;
        if base.is_some() && !has_prefix {
            problems.push(
                "`--base` needs `--prefix /opt/NAME`: the base has directories of its own"
                    .to_owned(),
            );
        }
        let mut note = |option: &str, value: &str, why: String| {
            problems.push(format!("`--{option} {value}`: {why}"));
        };
        let base = base
            .as_deref()
            .and_then(|text| match Reference::parse(text) {
                Some(Ok(reference)) => Some(reference),
                Some(Err(why)) => {
                    note("base", text, why);
                    None
                }
                None => {
                    note("base", text, "it does not begin with `oci:`".to_owned());
                    None
                }
            });
        if let Some(layers) = layers.filter(|layers| *layers > MAX_LAYERS - OTHER_LAYERS) {
            let most = MAX_LAYERS - OTHER_LAYERS;
            note(
                "layers",
                &layers.to_string(),
                format!("the maximum is {most}"),
            );
        }
        let entrypoint = entrypoint.as_deref().and_then(|text| {
            let words = shlex::split(text).filter(|words| !words.is_empty());
            if words.is_none() {
                note(
                    "entrypoint",
                    text,
                    "it has no words, or a quote is not closed".to_owned(),
                );
            }
            words
        });
        if let Some(user) = user.as_deref().filter(|user| !is_user(user)) {
            note("user", user, "it is neither `UID` nor `UID:GID`".to_owned());
        }
        let mut labels = Annotations::new();
        for text in label {
            match text.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    labels.insert(name.to_owned(), value.to_owned());
                }
                _ => note("label", text, "it is not `NAME=VALUE`".to_owned()),
            }
        }
        Self {
            form,
            name: image_name(name),
            base,
            layers: *layers,
            entrypoint,
            user: user.clone(),
            labels,
            compression: compression.unwrap_or_default(),
        }
    }

    /// Returns the number of wheels that get a layer each, above a base with `below` layers.
    ///
    /// # Errors
    /// The base has too many layers.
    pub fn layers(&self, below: usize) -> Result<usize> {
        let room = MAX_LAYERS
            .checked_sub(below + OTHER_LAYERS)
            .ok_or_else(|| {
                Failure::new(format!("the base has {below} layers"))
                    .because(format!("an image has at most {MAX_LAYERS}"))
            })?;
        Ok(self.layers.unwrap_or(DEFAULT_LAYERS).min(room))
    }
}

/// Returns each option that is given, for the message that it does not apply.
pub(crate) fn given(options: &ImageOptions) -> Vec<&'static str> {
    let ImageOptions {
        base,
        layers,
        entrypoint,
        user,
        label,
        compression,
    } = options;
    let given = [
        ("base", base.is_some()),
        ("layers", layers.is_some()),
        ("entrypoint", entrypoint.is_some()),
        ("user", user.is_some()),
        ("label", !label.is_empty()),
        ("compression", compression.is_some()),
    ];
    let given = given.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(option, _)| option).collect()
}

fn is_user(text: &str) -> bool {
    let is_number = |text: &str| text.parse::<u32>().is_ok() && !text.starts_with('+');
    match text.split_once(':') {
        Some((user, group)) => is_number(user) && is_number(group),
        None => is_number(text),
    }
}

/// Returns the name of an image in the grammar of repositories, from a file name without its suffix.
fn image_name(stem: &str) -> String {
    let plain = |character: char| match character.to_ascii_lowercase() {
        character @ ('a'..='z' | '0'..='9') => character,
        _ => '-',
    };
    let name: String = stem.chars().map(plain).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "environment".to_owned()
    } else {
        name.to_owned()
    }
}
