//! The keys of TOML specs that name package indexes: `index` in `[tool.vpython]`, and those of
//! `[tool.uv]`.
//!
//! A mistake in `[tool.vpython]` is an error; [`uv_tables`] reads uv's.

use toml::de::{DeTable, DeValue};

use super::indexes::{IndexRole, IndexUrl, Indexes};
use super::toml_reader::{Reader, Value};
use super::uv_tables;

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
        let mut of_uv = uv_tables::read(uv, reader);
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::indexes::SpecIndex;
    use super::super::{Origin, Spec, SpecKind, SpecText, vpython_toml};
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
                       many = [{ index = 'a', marker = \"sys_platform == 'linux'\" }]\n\
                       more = [{ index = 'a', marker = \"sys_platform == 'linux'\" }, { index = 'b' }]\n\
                       flat = { index = 'g' }\n";
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
        assert_eq!(pins, [("many", "a"), ("torch", "b")]);
        assert_eq!(spec.indexes.no_index.unwrap().line, 5);
        let directories: Vec<_> = spec.indexes.directories.iter().collect();
        assert_eq!(directories[0].value, std::path::Path::new("/src/wheels"));
        assert_eq!(directories.len(), 1);
        let elsewhere: Vec<&str> = spec.indexes.elsewhere.values().map(|why| &**why).collect();
        let reasons = [
            "`/src/vpython.toml`, line 22: `tool.uv.sources.flat`: vpython reads a flat index for all projects only",
            "`/src/vpython.toml`, line 21: `tool.uv.sources.more`: vpython does not choose a source by marker",
            "`/src/vpython.toml`, line 19: `tool.uv.sources.other`: vpython takes projects from wheel directories and package \
             indexes only",
        ];
        assert_eq!(elsewhere, reasons);
        assert_eq!(spec.indexes.warnings, [""; 0]);
        assert_eq!(spec.warnings, [""; 0]);
    }

    #[test]
    fn keys_by_which_uv_chooses_versions_are_followed_or_warned_of() {
        let content = "[tool.uv]\nexclude-newer = '2024-01-01'\nprerelease = 'allow'\nmanaged = true\n\
                       constraint-dependencies = ['a<2']\n";
        let indexes = read(content).unwrap().indexes;
        assert_eq!(indexes.exclude_newer.unwrap().value, "2024-01-01");
        let warnings = [
            "`/src/vpython.toml`, line 5: `tool.uv.constraint-dependencies` is ignored: only uv follows it",
            "`/src/vpython.toml`, line 3: `tool.uv.prerelease` is ignored: only uv follows it",
        ];
        assert_eq!(indexes.warnings, warnings);
    }

    #[test]
    fn links_that_cannot_be_read_are_noted() {
        let content = "[tool.uv]\nfind-links = 's3://bucket/'\n[[tool.uv.index]]\nurl = 'https://x/'\nformat = 'flat'\n\
                       explicit = true\n[[tool.uv.index]]\nurl = 'file:///srv/w'\nformat = 'flat'\n";
        let indexes = read(content).unwrap().indexes;
        assert_eq!(indexes.directories[0].value, std::path::Path::new("/srv/w"));
        let unusable = [
            "`/src/vpython.toml`, line 4: vpython reads a flat index for all projects only",
            "`/src/vpython.toml`, line 2: `s3://bucket/` of `tool.uv.find-links`: its scheme is `s3`, not `https`",
        ];
        assert_eq!(indexes.unusable, unusable);
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
