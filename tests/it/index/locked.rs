//! The sources of wheels in lock files: their URLs on an index, and their paths.

use expect_test::expect;

use super::{launch, wheels, world};
use crate::support::PackageIndex;

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
