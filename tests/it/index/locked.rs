//! The sources of wheels in lock files: their URLs on an index, and their paths.

use expect_test::expect;

use super::{launch, wheels, world};
use crate::support::{PackageIndex, Wheel};

const LOCK: [&str; 3] = ["-vpython-tool", "lock", "tool.py"];

#[test]
fn a_lock_keeps_the_urls_of_wheels_that_are_present_by_now() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let lock = || std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    launch(&world, &index, &LOCK)
        .env("VPYTHON_FETCH", "1")
        .run()
        .prints(expect![[r#"
            pylock.tool.toml: written
              + a 2
              + b 1
        "#]]);
    let before = lock();
    assert_eq!(before.matches("url = ").count(), 2, "{before}");
    let fetch = ["-vpython-tool", "fetch", "tool.py"];
    let outcome = launch(&world, &index, &fetch).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    // The wheels are in `wheels` now.
    for fetching in ["0", "1"] {
        let again = launch(&world, &index, &LOCK).env("VPYTHON_FETCH", fetching);
        again.run().prints(expect![[r#"
            pylock.tool.toml is up to date
        "#]]);
        assert_eq!(lock(), before);
    }
}

#[test]
fn a_lock_reports_sources_that_change() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let fetching = |index: &PackageIndex| launch(&world, index, &LOCK).env("VPYTHON_FETCH", "1");
    world.wheel(&Wheel::module("a", "2").requires("b"));
    world.wheel(&Wheel::module("b", "1"));
    launch(&world, &index, &LOCK).run().prints(expect![[r#"
        pylock.tool.toml: written
          + a 2
          + b 1
    "#]]);
    // The index has the wheels too.
    fetching(&index).run().prints(expect![[r#"
        pylock.tool.toml: written
          `a-2-py3-none-any.whl`: the path `wheels/a-2-py3-none-any.whl` becomes the URL `[INDEX]/files/a-2-py3-none-any.whl`
          `b-1-py3-none-any.whl`: the path `wheels/b-1-py3-none-any.whl` becomes the URL `[INDEX]/files/b-1-py3-none-any.whl`
    "#]]);
    // The index has moved.
    let moved = PackageIndex::start(wheels());
    fetching(&moved).run().prints(expect![[r#"
        pylock.tool.toml: written
          `a-2-py3-none-any.whl`: the URL `[INDEX]/files/a-2-py3-none-any.whl` becomes the URL `[INDEX]/files/a-2-py3-none-any.whl`
          `b-1-py3-none-any.whl`: the URL `[INDEX]/files/b-1-py3-none-any.whl` becomes the URL `[INDEX]/files/b-1-py3-none-any.whl`
    "#]]);
    // A lock whose URL was removed, and one whose URL has a query.
    let path = world.path("pylock.tool.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let url = moved.server.url("/files/b-1-py3-none-any.whl");
    std::fs::write(&path, text.replace(&format!(", url = \"{url}\""), "")).unwrap();
    fetching(&moved).run().prints(expect![[r#"
        pylock.tool.toml: written
          `b-1-py3-none-any.whl`: gets the URL `[INDEX]/files/b-1-py3-none-any.whl`
    "#]]);
    std::fs::write(&path, text.replace(&url, &format!("{url}?token=secret"))).unwrap();
    fetching(&moved).run().prints(expect![[r#"
        pylock.tool.toml: written
          `b-1-py3-none-any.whl`: the login or query of the URL `[INDEX]/files/b-1-py3-none-any.whl` changes
    "#]]);
    // A lock with a path whose wheel is only in a directory of the caller by now.
    std::fs::write(
        &path,
        text.replace(&format!("url = \"{url}\""), "path = \"wheels/b\""),
    )
    .unwrap();
    std::fs::rename(world.path("wheels"), world.path("elsewhere")).unwrap();
    launch(&world, &index, &LOCK)
        .env("VPYTHON_WHEELS", "elsewhere")
        .run()
        .prints(expect![[r#"
            pylock.tool.toml: written
              `b-1-py3-none-any.whl`: loses the path `wheels/b`
        "#]]);
}
