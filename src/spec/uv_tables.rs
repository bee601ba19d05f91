//! The keys of `[tool.uv]` that name package indexes: `index`, `index-url`, `extra-index-url`,
//! `find-links`, `no-index`, `sources` and `exclude-newer`.
//!
//! They are read so that a script or project that works with uv works here. What is not supported is
//! an error of a run that reads an index, if a project would otherwise come from another source than
//! with uv, and a warning of it if another version might.

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::Located;
use super::indexes::{IndexRole, IndexUrl, Indexes, SpecIndex};
use super::toml_reader::{Reader, Value};

/// The keys by which uv chooses other versions.
const IGNORED: [&str; 6] = [
    "constraint-dependencies",
    "dependency-metadata",
    "index-strategy",
    "override-dependencies",
    "prerelease",
    "resolution",
];

/// Why a source that holds under a marker only is not used.
const BY_MARKER: &str = "vpython does not choose a source by marker";

/// Reads `[tool.uv]`, as far as it is about indexes.
pub(super) fn read<'a>(uv: &DeTable<'a>, reader: &mut Reader<'a>) -> Indexes {
    let mut indexes = Indexes::default();
    if let Some(DeValue::Array(tables)) = uv.get("index").map(Spanned::get_ref) {
        for table in tables {
            match table.get_ref().as_table() {
                Some(table) => uv_index(table, &mut indexes, reader),
                None => reader.warn(table.span().start, "`tool.uv.index` is not a table"),
            }
        }
    }
    // The older keys; uv searches these indexes after those of `[[tool.uv.index]]`.
    for (text, at) in texts(uv.get("extra-index-url")) {
        if let Some(url) = index_of(text, at, "tool.uv.extra-index-url", &mut indexes, reader) {
            indexes.add(url, IndexRole::Extra);
        }
    }
    let has_default = indexes
        .named
        .iter()
        .any(|index| index.role == IndexRole::Default);
    for (text, at) in texts(uv.get("index-url"))
        .into_iter()
        .filter(|_| !has_default)
    {
        if let Some(url) = index_of(text, at, "tool.uv.index-url", &mut indexes, reader) {
            indexes.add(url, IndexRole::Default);
        }
    }
    for (text, at) in texts(uv.get("find-links")) {
        add_links(text, at, "tool.uv.find-links", &mut indexes, reader);
    }
    if let Some((text, at)) = texts(uv.get("exclude-newer")).into_iter().next() {
        indexes.exclude_newer = Some(reader.placed(text.to_owned(), at));
    }
    for key in IGNORED {
        if let Some(value) = uv.get(key) {
            let ignored = format!("`tool.uv.{key}` is ignored: only uv follows it");
            reader.warn(value.span().start, &ignored);
        }
    }
    if let Some(value) = uv.get("no-index")
        && matches!(value.get_ref(), DeValue::Boolean(true))
    {
        indexes.no_index = Some(reader.placed((), value.span().start).place);
    }
    sources(uv, &mut indexes, reader);
    indexes
}

/// Reads an item of `[[tool.uv.index]]`:
/// <https://docs.astral.sh/uv/concepts/indexes/#defining-an-index>.
fn uv_index<'a>(table: &DeTable<'a>, indexes: &mut Indexes, reader: &mut Reader<'a>) {
    let is_set = |key: &str| {
        let value = table.get(key).map(Spanned::get_ref);
        matches!(value, Some(DeValue::Boolean(true)))
    };
    let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
    let Some((url, at)) = texts(table.get("url")).into_iter().next() else {
        return;
    };
    if text("format") == Some("flat") {
        if is_set("explicit") {
            let place = reader.placed((), at).place;
            let problem = format!("{place}: vpython reads a flat index for all projects only");
            return indexes.unusable.push(problem);
        }
        return add_links(url, at, "tool.uv.index", indexes, reader);
    }
    let Some(url) = index_of(url, at, "tool.uv.index", indexes, reader) else {
        return;
    };
    let role = match (is_set("explicit"), is_set("default")) {
        (true, _) => IndexRole::Explicit,
        (false, true) => IndexRole::Default,
        (false, false) => IndexRole::Extra,
    };
    // Of several default indexes, uv takes the first.
    if role == IndexRole::Default && indexes.named.iter().any(|index| index.role == role) {
        return;
    }
    let codes = table
        .get("ignore-error-codes")
        .and_then(|codes| codes.get_ref().as_array());
    let code = |code: &Value<'a>| {
        let code = code.get_ref().as_integer()?;
        u16::from_str_radix(code.as_str(), code.radix()).ok()
    };
    indexes.named.push(SpecIndex {
        url,
        name: text("name").map(str::to_owned),
        role,
        ignored_statuses: codes.map(|codes| codes.iter().filter_map(code).collect()),
    });
}

/// Reads `[tool.uv.sources]`: `PROJECT = { index = "NAME" }` names the only index for a project. A
/// source that vpython cannot read is not replaced by an index, where another project may have the
/// name.
fn sources<'a>(uv: &DeTable<'a>, indexes: &mut Indexes, reader: &mut Reader<'a>) {
    let sources = uv
        .get("sources")
        .and_then(|value| value.get_ref().as_table());
    for (name, source) in sources.into_iter().flatten() {
        let Ok(project) = name.get_ref().parse() else {
            continue;
        };
        let index = match source.get_ref() {
            DeValue::Table(table) => match table.get("index") {
                Some(index) => Ok(index),
                None if table.get("marker").is_some() => Err(BY_MARKER),
                None => {
                    Err("vpython takes projects from wheel directories and package indexes only")
                }
            },
            // A list has one source for each marker.
            DeValue::Array(sources) => the_only_index(sources).ok_or(BY_MARKER),
            _ => continue,
        };
        let at = source.span().start;
        let index = index.and_then(|index| {
            let name = index.get_ref().as_str().unwrap_or_default();
            if is_flat(uv, name) {
                return Err("vpython reads a flat index for all projects only");
            }
            Ok(reader.placed(name.to_owned(), index.span().start))
        });
        match index {
            Ok(index) => drop(indexes.pins.insert(project, index)),
            Err(why) => {
                let place = reader.placed((), at).place;
                let name = name.get_ref();
                let why = format!("{place}: `tool.uv.sources.{name}`: {why}");
                indexes.elsewhere.insert(project, why);
            }
        }
    }
}

/// Returns the index that all sources in a list name; none if they differ. Their markers make no
/// difference then, except that uv takes the project from another index where none holds.
fn the_only_index<'v, 'a>(sources: &'v [Value<'a>]) -> Option<&'v Value<'a>> {
    let index = |source: &'v Value<'a>| source.get_ref().as_table()?.get("index");
    let first = index(sources.first()?)?;
    let is_same = |source| {
        index(source).is_some_and(|other| other.get_ref().as_str() == first.get_ref().as_str())
    };
    sources.iter().all(is_same).then_some(first)
}

/// Checks whether an item of `[[tool.uv.index]]` is flat.
fn is_flat(uv: &DeTable<'_>, name: &str) -> bool {
    let tables = uv.get("index").and_then(|value| value.get_ref().as_array());
    let tables = tables.into_iter().flatten();
    let mut tables = tables.filter_map(|table| table.get_ref().as_table());
    tables.any(|table| {
        let has = |key: &str, text: &str| {
            let value = table.get(key).and_then(|value| value.get_ref().as_str());
            value == Some(text)
        };
        has("name", name) && has("format", "flat")
    })
}

/// Returns the URL of an index of uv's tables; none, and notes that, if it is not one for HTTP.
fn index_of(
    text: &str,
    at: usize,
    key: &str,
    indexes: &mut Indexes,
    reader: &Reader<'_>,
) -> Option<Located<IndexUrl>> {
    match IndexUrl::parse(text) {
        Ok(url) => Some(reader.placed(url, at)),
        Err(why) => {
            let text = IndexUrl::hide_secrets(text);
            let place = reader.placed((), at).place;
            let problem = format!("{place}: `{text}` of `{key}`: {why}");
            indexes.unusable.push(problem);
            None
        }
    }
}

/// Adds a page of links or a directory. Anything else is noted: without it, projects would come from
/// an index.
fn add_links(text: &str, at: usize, key: &str, indexes: &mut Indexes, reader: &Reader<'_>) {
    let directory = match Url::parse(text) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        Ok(_) => None,
        Err(_) => Some(reader.text.resolve(text)),
    };
    if let Some(directory) = directory {
        indexes.directories.push(reader.placed(directory, at));
    } else {
        let page = index_of(text, at, key, indexes, reader);
        indexes.find_links.extend(page);
    }
}

/// Returns the texts of a string or of an array of strings, each with its offset. Others are
/// skipped: uv reports mistakes in its tables.
fn texts<'v>(value: Option<&'v Value<'_>>) -> Vec<(&'v str, usize)> {
    let text = |value: &'v Value<'_>| Some((value.get_ref().as_str()?, value.span().start));
    let Some(value) = value else {
        return Vec::new();
    };
    match value.get_ref() {
        DeValue::Array(items) => items.iter().filter_map(text).collect(),
        _ => text(value).into_iter().collect(),
    }
}
