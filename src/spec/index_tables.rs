//! The keys of TOML specs that name package indexes: `index` in `[tool.vpython]`; `index`,
//! `index-url`, `extra-index-url`, `find-links`, `no-index` and `sources` in `[tool.uv]`.
//!
//! uv's own keys are read so that a script or project that works with uv works here. What is not
//! supported there is a warning of `fetch`, and a mistake in `[tool.vpython]` is an error.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Located;
use super::indexes::{IndexRole, IndexUrl, Indexes, SpecIndex};
use super::toml_reader::{Reader, Value};

/// Reads the indexes of a document.
pub(super) fn read<'a>(document: &DeTable<'a>, reader: &mut Reader<'a>) -> Indexes {
    let mut indexes = Indexes::default();
    let tool = |name: &str| {
        let tool = document.get("tool")?.get_ref().as_table()?;
        tool.get(name)?.get_ref().as_table()
    };
    if let Some(index) = tool("vpython").and_then(|tool| tool.get("index")) {
        own(index, &mut indexes, reader);
    }
    if let Some(uv) = tool("uv") {
        // The indexes of `[tool.vpython]` are the only ones; uv's pages of links still count.
        let has_own = !indexes.named.is_empty();
        let before = reader.warnings.len();
        let mut of_uv = of_uv(uv, reader);
        of_uv.warnings = reader.warnings.split_off(before);
        if has_own {
            of_uv
                .named
                .retain(|index| index.role == IndexRole::Explicit);
            of_uv.unusable.clear();
        }
        indexes.named.extend(of_uv.named);
        indexes = Indexes {
            named: indexes.named,
            ..of_uv
        };
    }
    indexes
}

/// Reads `[tool.vpython] index`: the only index, or the only ones, in the order of their search.
fn own<'a>(value: &Value<'a>, indexes: &mut Indexes, reader: &mut Reader<'a>) {
    let key = "tool.vpython.index";
    let urls = match value.get_ref() {
        DeValue::String(text) => vec![(text.as_ref(), value.span().start)],
        DeValue::Array(_) => reader.strings(Some(value), key),
        _ => return reader.wrong_type(key, "a string or an array of strings", value),
    };
    let count = urls.len();
    for (index, (text, start)) in urls.into_iter().enumerate() {
        // The last one takes the role of PyPI, which is not searched.
        let role = if index + 1 == count {
            IndexRole::Default
        } else {
            IndexRole::Extra
        };
        match IndexUrl::parse(text) {
            Ok(url) => indexes.add(reader.placed(url, start), role),
            Err(why) => {
                let text = IndexUrl::hide_secrets(text);
                reader.problem(
                    start,
                    &format!("`{text}` is not the URL of an index: {why}"),
                );
            }
        }
    }
}

/// Reads `[tool.uv]`, as far as it is about indexes.
fn of_uv<'a>(uv: &DeTable<'a>, reader: &mut Reader<'a>) -> Indexes {
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
        indexes
            .find_links
            .extend(url_of(text, at, "tool.uv.find-links", reader));
    }
    if let Some(value) = uv.get("no-index")
        && matches!(value.get_ref(), DeValue::Boolean(true))
    {
        indexes.no_index = Some(reader.placed((), value.span().start).place);
    }
    pins(uv, &mut indexes, reader);
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
        let page = url_of(url, at, "tool.uv.index", reader);
        return indexes.find_links.extend(page);
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

/// Reads the entries `PROJECT = { index = "NAME" }` of `[tool.uv.sources]`.
fn pins<'a>(uv: &DeTable<'a>, indexes: &mut Indexes, reader: &mut Reader<'a>) {
    let sources = uv
        .get("sources")
        .and_then(|value| value.get_ref().as_table());
    for (project, source) in sources.into_iter().flatten() {
        // A list has one source for each marker.
        let (index, why) = match source.get_ref() {
            DeValue::Table(table) => (
                table.get("index"),
                "vpython takes projects from wheel directories and package indexes only",
            ),
            _ => (None, "vpython does not choose a source by marker"),
        };
        let Some(index) = index else {
            let ignored = format!("`tool.uv.sources.{}` is ignored: {why}", project.get_ref());
            reader.warn(source.span().start, &ignored);
            continue;
        };
        if let (Some(name), Ok(project)) = (index.get_ref().as_str(), project.get_ref().parse()) {
            let name = reader.placed(name.to_owned(), index.span().start);
            indexes.pins.insert(project, name);
        }
    }
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

/// Returns the URL of a page of links of uv's tables; none, with a warning, if it is not one for HTTP.
fn url_of(text: &str, at: usize, key: &str, reader: &mut Reader<'_>) -> Option<Located<IndexUrl>> {
    match IndexUrl::parse(text) {
        Ok(url) => Some(reader.placed(url, at)),
        Err(why) => {
            let text = IndexUrl::hide_secrets(text);
            reader.warn(at, &format!("`{text}` of `{key}` is ignored: {why}"));
            None
        }
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::{Origin, Spec, SpecKind, SpecText, vpython_toml};
    use super::*;
    use crate::invocation::Chosen;

    fn read(content: &str) -> anyhow::Result<Spec> {
        vpython_toml::parse(&SpecText {
            kind: SpecKind::VpythonToml,
            origin: Origin::file("/src/vpython.toml".into()),
            base: Some("/src".into()),
            content: content.into(),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        })
    }

    /// The indexes as `ROLE NAME URL LINE`.
    fn indexes(content: &str) -> Vec<String> {
        let indexes = read(content).unwrap().indexes.named;
        let row = |index: &SpecIndex| {
            let name = index.name.as_deref().unwrap_or("-");
            let (role, line) = (index.role, index.url.place.line);
            format!("{role:?} {name} {} {line}", index.url.value.reveal())
        };
        indexes.iter().map(row).collect()
    }

    #[test]
    fn own_indexes_are_the_only_ones() {
        let rows: [(&str, &[&str]); 5] = [
            ("", &[]),
            (
                "[tool.vpython]\nindex = 'https://a/s'\n",
                &["Default - https://a/s 2"],
            ),
            (
                "[tool.vpython]\nindex = ['https://a/s',\n 'https://b/s']\n",
                &["Extra - https://a/s 2", "Default - https://b/s 3"],
            ),
            ("[tool.vpython]\nindex = []\n", &[]),
            (
                "[tool.vpython]\nindex = 'https://a/s'\n[tool.uv]\nindex-url = 'https://b/s'\n\
                 [[tool.uv.index]]\nname = 'x'\nurl = 'https://x/s'\nexplicit = true\n",
                &["Default - https://a/s 2", "Explicit x https://x/s 7"],
            ),
        ];
        for (content, expected) in rows {
            assert_eq!(indexes(content), expected, "{content}");
        }
    }

    #[test]
    fn the_tables_of_uv_are_read() {
        let content = "[tool.uv]\nextra-index-url = ['https://e/s']\nindex-url = 'https://d/s'\n\
                       find-links = ['https://f/', './wheels']\nno-index = true\n\
                       [[tool.uv.index]]\nname = 'a'\nurl = 'https://a/s'\n\
                       [[tool.uv.index]]\nname = 'b'\nurl = 'https://b/s'\nexplicit = true\n\
                       [[tool.uv.index]]\nname = 'g'\nurl = 'https://g/'\nformat = 'flat'\n\
                       [tool.uv.sources]\nTorch = { index = 'b' }\nother = { git = 'https://x/' }\n\
                       many = [{ index = 'a', marker = \"sys_platform == 'linux'\" }]\n";
        let expected = [
            "Extra a https://a/s 8",
            "Explicit b https://b/s 11",
            "Extra - https://e/s 2",
            "Default - https://d/s 3",
        ];
        assert_eq!(indexes(content), expected);
        let spec = read(content).unwrap();
        let links: Vec<_> = spec
            .indexes
            .find_links
            .iter()
            .map(|url| url.value.reveal())
            .collect();
        assert_eq!(links, ["https://g/", "https://f/"]);
        let pins = spec.indexes.pins.iter();
        let pins: Vec<_> = pins
            .map(|(name, index)| (name.as_ref(), index.value.as_str()))
            .collect();
        assert_eq!(pins, [("torch", "b")]);
        assert_eq!(spec.indexes.no_index.unwrap().line, 5);
        let warnings = [
            "`/src/vpython.toml`, line 4: `./wheels` of `tool.uv.find-links` is ignored: it is not a URL: relative URL \
             without a base",
            "`/src/vpython.toml`, line 20: `tool.uv.sources.many` is ignored: vpython does not choose a source by marker",
            "`/src/vpython.toml`, line 19: `tool.uv.sources.other` is ignored: vpython takes projects from wheel directories \
             and package indexes only",
        ];
        assert_eq!(spec.indexes.warnings, warnings);
        assert_eq!(spec.warnings, [""; 0]);
    }

    #[test]
    fn the_first_default_index_of_uv_counts() {
        let content = "[tool.uv]\nindex-url = 'https://d/s'\n[[tool.uv.index]]\nurl = 'https://a/s'\ndefault = true\n\
                       [[tool.uv.index]]\nurl = 'https://b/s'\ndefault = true\n";
        assert_eq!(indexes(content), ["Default - https://a/s 4"]);
    }

    #[test]
    fn statuses_that_say_that_a_project_is_absent_are_read() {
        let content = "[[tool.uv.index]]\nurl = 'https://a/s'\nignore-error-codes = [403, 0x191, 'x']\n\
                       [[tool.uv.index]]\nurl = 'https://b/s'\n";
        let named = read(content).unwrap().indexes.named.into_iter();
        let statuses: Vec<_> = named.map(|index| index.ignored_statuses).collect();
        assert_eq!(statuses, [Some(vec![403, 401]), None]);
    }

    #[test]
    fn indexes_that_cannot_be_read_are_noted() {
        let content =
            "[tool.uv]\nextra-index-url = '../simple'\n[[tool.uv.index]]\nurl = 'file:///srv/s'\n";
        let indexes = read(content).unwrap().indexes;
        let expected = [
            "`/src/vpython.toml`, line 4: `file:///srv/s` of `tool.uv.index`: its scheme is `file`, not `https`",
            "`/src/vpython.toml`, line 2: `../simple` of `tool.uv.extra-index-url`: it is not a URL: relative URL without a base",
        ];
        assert_eq!(
            (indexes.unusable, indexes.named),
            (expected.map(str::to_owned).into(), Vec::new())
        );
        // The indexes of `[tool.vpython]` are the only ones.
        let own = format!("[tool.vpython]\nindex = 'https://a/s'\n{content}");
        assert_eq!(read(&own).unwrap().indexes.unusable, [""; 0]);
    }

    #[test]
    fn mistakes_in_own_indexes_are_errors_without_secrets() {
        let content = "[tool.vpython]\nindex = ['ftp://user:pass@x/s', 7]\n";
        expect![[r#"
            vpython: error: bad spec in `/src/vpython.toml`
              caused by: `/src/vpython.toml`, line 2, column 10: `ftp://x/s` is not the URL of an index: its scheme is `ftp`, not `https`
              caused by: `/src/vpython.toml`, line 2, column 33: an item of tool.vpython.index must be a string, not an integer
        "#]]
        .assert_eq(&crate::report::render(&read(content).unwrap_err()));
    }
}
