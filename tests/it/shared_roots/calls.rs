//! The system calls of a warm launch whose environment is in a shared root.

use std::path::Path;

use super::{fill, world};
use crate::support::{World, has_strace};
use crate::warm::{calls, settle};

/// The calls of a warm launch of `tool.py`.
fn of_launch(world: &World, root: &str, shared: &Path) -> Vec<String> {
    calls(world, |program, words| {
        let launch = world.program(program, words).arguments(["short.py"]);
        let launch = launch.env("VPYTHON_VIRTUALENV_ROOT", world.outside(root));
        launch.env("VPYTHON_SHARED_ROOTS", shared)
    })
}

#[test]
fn a_warm_launch_makes_as_many_calls_as_in_the_own_store_and_takes_no_lock() {
    if !has_strace() {
        return;
    }
    let world = world();
    let shared = world.outside("shared");
    world.write(
        "short.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    fill(&world);
    settle();
    let own = of_launch(&world, "root", &world.outside("none"));
    let in_shared = of_launch(&world, "second", &shared);
    assert!(
        in_shared.len() <= own.len(),
        "{} calls, and {} in the own store: {in_shared:#?}",
        in_shared.len(),
        own.len()
    );
    let name = |call: &String| call.split('(').next().unwrap().to_owned();
    let names = |calls: &[String]| calls.iter().map(name).collect::<Vec<_>>();
    assert!(names(&own).contains(&"flock".to_owned()), "{own:#?}");
    for call in ["flock", "utimensat", "clone", "clone3", "mkdir", "rename"] {
        assert!(
            !names(&in_shared).contains(&call.to_owned()),
            "{in_shared:#?}"
        );
    }
    // Nothing there is even opened.
    let text = shared.to_str().unwrap();
    let opened = in_shared.iter().filter(|call| call.starts_with("open"));
    assert!(
        !opened.clone().any(|call| call.contains(text)),
        "{in_shared:#?}"
    );
}
