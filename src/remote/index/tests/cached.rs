//! Tests of the use of the cache for pages.

use super::*;
use crate::fs;

#[test]
fn a_cached_page_is_used_and_then_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let mut table = Table::default();
    table.put(
        A,
        Answer {
            etag: Some("\"1\""),
            cache_control: Some("max-age=1000"),
            ..html("<a href='a-1-py3-none-any.whl'></a>")
        },
    );
    let settings = settings(&["https://user:secret@one.example/simple"], &[]);
    let read = |table: &Table, freshness| {
        let options = Options {
            cache: Some(directory.path().join("index")),
            freshness,
            ..Options::default()
        };
        let index = Index::new(table, settings.clone(), options);
        let listing = index.project(&name("a")).unwrap();
        let names: Vec<String> = listing
            .iter()
            .flat_map(|listing| names(listing))
            .map(str::to_owned)
            .collect();
        (
            names,
            table
                .requests()
                .join(", ")
                .replace("https://one.example/simple/a/ with login", "a"),
        )
    };
    let one = || vec![WHEEL.to_owned()];
    assert_eq!(read(&table, Freshness::Fresh), (one(), "a".into()));
    assert_eq!(read(&table, Freshness::Fresh), (one(), String::new()));
    assert_eq!(
        read(&table, Freshness::Confirmed),
        (one(), "a unless \"1\"".into())
    );
    // No secret is written, and a damaged entry is requested again.
    let entries = fs::list(&directory.path().join("index")).unwrap().unwrap();
    let path = directory.path().join("index").join(&entries[0]);
    let content = fs::read(&path).unwrap();
    assert!(entries.len() == 1 && memchr::memmem::find(&content, b"secret").is_none());
    fs::write_atomically(&path, &content[..content.len() / 2]).unwrap();
    assert_eq!(read(&table, Freshness::Fresh), (one(), "a".into()));
    // A changed page replaces the entry; a project that is gone is gone.
    table.put(
        A,
        Answer {
            etag: Some("\"2\""),
            ..html("<a href='a-2-py3-none-any.whl'></a>")
        },
    );
    let two = vec!["a-2-py3-none-any.whl".to_owned()];
    assert_eq!(
        read(&table, Freshness::Confirmed),
        (two.clone(), "a unless \"1\"".into())
    );
    assert_eq!(read(&table, Freshness::Fresh), (two, String::new()));
    table.answers.clear();
    assert_eq!(
        read(&table, Freshness::Confirmed),
        (vec![], "a unless \"2\"".into())
    );
}
