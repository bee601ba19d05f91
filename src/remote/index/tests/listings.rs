//! Tests of what is found in which index.

use super::*;
use expect_test::expect;

#[test]
fn the_first_index_that_has_a_project_provides_all_of_its_files() {
    let mut table = Table::default();
    table.put(A, html("<a href='a-1-py3-none-any.whl'></a>"));
    table.put(
        "https://two.example/root/a/",
        html("<a href='a-2-py3-none-any.whl'></a>"),
    );
    table.put(
        "https://two.example/root/b-c/",
        Answer {
            redirected: Some("https://cdn.example/x/"),
            ..html("<a href='b_c-2-py3-none-any.whl'></a>")
        },
    );
    let settings = settings(
        &[
            "https://user:secret@one.example/simple/",
            "https://two.example/root",
        ],
        &[],
    );
    let index = Index::new(&table, settings.clone(), Options::default());
    let listing = index.project(&name("A")).unwrap().unwrap();
    assert_eq!(names(&listing), [WHEEL]);
    // A file of the index's own host needs the index's login.
    let url = listing.url_of(&listing.project.wheels[0].url).unwrap();
    assert!(url.login().is_some());
    assert!(
        listing
            .url_of("https://cdn.example/x")
            .unwrap()
            .login()
            .is_none()
    );
    let listing = index.project(&name("B_c")).unwrap().unwrap();
    assert_eq!(
        listing.project.wheels[0].url,
        "https://cdn.example/x/b_c-2-py3-none-any.whl"
    );
    assert_eq!(
        listing.source.as_ref().unwrap().index.to_string(),
        "https://two.example/root"
    );
    assert_eq!(index.project(&name("none")).unwrap(), None);
    // Each page is requested once.
    index.project(&name("a")).unwrap();
    let expected = [
        "https://one.example/simple/a/ with login",
        "https://one.example/simple/b-c/ with login",
        "https://two.example/root/b-c/",
        "https://one.example/simple/none/ with login",
        "https://two.example/root/none/",
    ];
    assert_eq!(table.requests(), expected);
}

#[test]
fn an_index_that_cannot_be_read_ends_the_search() {
    let mut table = Table::default();
    table.put(
        A,
        Answer {
            fails: true,
            ..Answer::default()
        },
    );
    table.put(
        "https://one.example/simple/b/",
        Answer {
            content_type: "text/plain",
            ..Answer::default()
        },
    );
    let settings = settings(
        &[
            "https://user:secret@one.example/simple",
            "https://two.example/",
        ],
        &[],
    );
    let index = Index::new(&table, settings.clone(), Options::default());
    let message =
        |project: &str| crate::report::render(&index.project(&name(project)).unwrap_err());
    let expected = "vpython: error: cannot read `a` from the index `https://one.example/simple` (`--index-url`)\n  \
                    caused by: the server answered 500\n";
    // The error is shared with later callers.
    assert_eq!([message("a"), message("a")], [expected, expected]);
    assert_eq!(table.requests().len(), 1);
    expect![[r#"
        vpython: error: cannot read `b` from the index `https://one.example/simple` (`--index-url`)
          caused by: cannot read `https://one.example/simple/b/`
          caused by: not a page of a package index
          caused by: its content type is `text/plain`, and an index has HTML or JSON
    "#]]
    .assert_eq(&message("b"));
}

#[test]
fn threads_share_one_request() {
    let mut table = Table::default();
    table.put(A, html("<a href='a-1-py3-none-any.whl'></a>"));
    let settings = settings(&["https://one.example/simple"], &[]);
    let index = Index::new(&table, settings.clone(), Options::default());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| index.project(&name("a")).unwrap().unwrap());
        }
    });
    assert_eq!(table.requests(), [A]);
}

#[test]
fn pages_of_links_add_files_of_any_project() {
    let links = "https://links.example/";
    let mut table = Table::default();
    table.put(
        A,
        html("<a href='a-1-py3-none-any.whl'></a><a href='a-2-py3-none-any.whl'></a>"),
    );
    table.put(
        links,
        html("<a href='a-1-py3-none-any.whl'></a><a href='b-1-py3-none-any.whl'></a><a href='b-1.tar.gz'></a>"),
    );
    let settings = settings(&["https://one.example/simple"], &[links]);
    let options = Options {
        exclude_newer: Some(Timestamp::parse_limit("2024-01-01").unwrap()),
        ..Options::default()
    };
    let index = Index::new(&table, settings.clone(), Options::default());
    let listing = index.project(&name("a")).unwrap().unwrap();
    let urls: Vec<_> = listing
        .project
        .wheels
        .iter()
        .map(|file| file.url.as_str())
        .collect();
    let expected = [
        "https://links.example/a-1-py3-none-any.whl",
        "https://one.example/simple/a/a-2-py3-none-any.whl",
    ];
    assert_eq!(urls, expected);
    let only_link = index.project(&name("b")).unwrap().unwrap();
    assert_eq!(
        (names(&only_link), &only_link.source),
        (vec!["b-1-py3-none-any.whl"], &None)
    );
    // Pages of links have no upload times, and are not filtered.
    let index = Index::new(&table, settings.clone(), options);
    let listing = index.project(&name("a")).unwrap().unwrap();
    assert_eq!((names(&listing), listing.undated), (vec![WHEEL], 2));
}

#[test]
fn a_missing_page_of_links_is_an_error() {
    let settings = settings(&[], &["https://u:secret@links.example/x"]);
    let table = Table::default();
    let index = Index::new(&table, settings.clone(), Options::default());
    let message = crate::report::render(&index.project(&name("a")).unwrap_err());
    expect![[r#"
        vpython: error: cannot read the links on `https://links.example/x` (`PIP_FIND_LINKS`)
          caused by: the server does not have it
    "#]]
    .assert_eq(&message);
}

#[test]
fn files_that_are_too_new_or_undated_are_left_out() {
    let file = |name: &str, time: &str| {
        format!(
            r#"{{"filename": "{name}", "url": "{name}", "hashes": {{}}, "upload-time": {time}}}"#
        )
    };
    let files = [
        file("a-1-py3-none-any.whl", "\"2024-01-01T23:59:59Z\""),
        file("a-2-py3-none-any.whl", "\"2024-01-02T00:00:00Z\""),
        file("a-3-py3-none-any.whl", "null"),
    ];
    let mut table = Table::default();
    let json = |files: &[String]| Answer {
        content_type: "application/vnd.pypi.simple.v1+json",
        body: format!(r#"{{"files": [{}]}}"#, files.join(",")).into(),
        ..Answer::default()
    };
    table.put(A, json(&files));
    table.put("https://one.example/simple/b/", json(&files[2..]));
    let settings = settings(&["https://one.example/simple"], &[]);
    let options = Options {
        exclude_newer: Some(Timestamp::parse_limit("2024-01-01").unwrap()),
        ..Options::default()
    };
    let index = Index::new(&table, settings.clone(), options);
    let listing = index.project(&name("a")).unwrap().unwrap();
    assert_eq!(
        (names(&listing), listing.newer, listing.undated),
        (vec![WHEEL], 1, 1)
    );
    assert_eq!(listing.project.warnings, [""; 0]);
    let listing = index.project(&name("b")).unwrap().unwrap();
    let warning = "the index states no upload times, so `--exclude-newer` leaves out all wheels";
    assert_eq!(listing.project.warnings, [warning]);
}
