//! The reasons for a hit or a miss.

use std::fs::File;

use expect_test::expect;
use serde_json::{Value, json};

use super::{as_json, explain, explained, script, text, world};
use crate::support::{Launch, Wheel, tree};

/// The reason for a miss; `None` for a hit.
fn miss(launch: Launch<'_>) -> Option<String> {
    let explanation = explained(launch.arguments(["--json", "tool.py"]), 0);
    let miss = explanation["miss"].as_str().map(str::to_owned);
    assert_eq!(explanation["hit"], json!(miss.is_none()));
    miss
}

#[test]
fn a_hit_says_so_and_changes_nothing() {
    let world = world();
    world.write("tool.py", script());
    world.install(["tool.py"]);
    let before = tree(&world.outside("root"));
    let outcome = explain(&world, &["tool.py"]).run();
    let text = text(&world, &outcome);
    let end =
        "launch  warm: nothing has changed since the last launch, and its environment exists\n";
    assert!(
        outcome.code == Some(0) && outcome.stderr.is_empty() && text.ends_with(end),
        "{outcome}"
    );
    assert_eq!(tree(&world.outside("root")), before);
}

#[test]
fn a_miss_says_what_has_changed() {
    let world = world();
    let still_built = |why: &str| Some(format!("{why}; its environment exists and will be used"));
    let not_built = |why: &str| Some(format!("{why}; its environment is not built"));
    let changed = |path: &str| format!("since the last launch `[WORLD]/work/{path}`");
    let miss = || self::miss(explain(&world, &[]));
    let launch = || drop(world.install(["tool.py"]));
    // Without a store, and after a launch.
    world.write("tool.py", script());
    assert_eq!(miss(), not_built("there is no store yet in `[WORLD]/root`"));
    launch();
    assert_eq!(miss(), None);

    // Environment variables.
    let with_path =
        || explain(&world, &[]).env("PATH", format!("{}:/nowhere", world.search_path()));
    assert_eq!(
        self::miss(with_path()),
        still_built("`PATH` has changed since the last launch")
    );
    let with_wheels = with_path().env("VPYTHON_WHEELS", world.path("wheels"));
    assert_eq!(
        self::miss(with_wheels),
        still_built("changed since the last launch: `PATH`, `VPYTHON_WHEELS`")
    );

    // The spec.
    world.write("tool.py", script().replace("['a']", "['b']"));
    assert_eq!(
        miss(),
        not_built("the text of the spec has changed since the last launch")
    );
    world.write("tool.py", script());
    assert_eq!(miss(), None, "the previous content");

    // The entries of a wheel directory, and the size and time of a wheel.
    world.wheel(&Wheel::module("z", "1"));
    assert_eq!(
        miss(),
        still_built(&format!("{} has different entries", changed("wheels")))
    );
    launch();
    let wheel = world.path("wheels/b-2-py3-none-any.whl");
    let bytes = std::fs::read(&wheel).unwrap();
    std::fs::write(&wheel, Wheel::module("b", "2").file("more.py", "").bytes()).unwrap();
    let larger = format!(
        "has a different size: {} bytes instead of {}",
        wheel.metadata().unwrap().len(),
        bytes.len()
    );
    assert_eq!(
        miss(),
        not_built(&format!(
            "{} {larger}",
            changed("wheels/b-2-py3-none-any.whl")
        ))
    );
    std::fs::write(&wheel, &bytes).unwrap();
    assert_eq!(
        miss(),
        still_built(&format!(
            "{} is newer",
            changed("wheels/b-2-py3-none-any.whl")
        ))
    );
    launch();

    // The stored results of launches.
    for memo in std::fs::read_dir(world.store("memo"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if memo
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("launch-")
        {
            std::fs::remove_file(memo).unwrap();
        }
    }
    assert_eq!(
        miss(),
        still_built("the result of the last launch is not stored anymore")
    );
    std::fs::remove_dir_all(world.store("memo")).unwrap();
    assert_eq!(
        miss(),
        still_built("no result of a launch like this is stored")
    );
}

#[test]
fn a_miss_says_what_happened_to_the_environment() {
    let world = world();
    world.write("tool.py", script());
    let environment = world.install(["tool.py"]);
    let miss = || self::miss(explain(&world, &[]));
    assert_eq!(miss(), None);
    let lock = File::open(environment.join("vpython.json")).unwrap();
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    assert_eq!(
        miss().as_deref(),
        Some("its environment is locked, probably because another process is removing it")
    );
    fs2::FileExt::unlock(&lock).unwrap();
    let site = environment.join(format!("lib/python3.{}/site-packages", world.python.minor));
    std::fs::write(site.join("added.py"), "").unwrap();
    assert_eq!(
        miss().as_deref(),
        Some("its environment was changed after it was built")
    );
    std::fs::remove_dir_all(&environment).unwrap();
    assert_eq!(miss().as_deref(), Some("its environment is not built"));
}

#[test]
fn a_variable_that_the_spec_names_is_a_reason() {
    let world = world();
    world.write("one.txt", "--find-links ${HOUSE}\nb\n");
    std::fs::create_dir(world.path("other")).unwrap();
    let launch = |tool: &[&str], house: &str| {
        let words = [
            &["-vpython-spec=one.txt", "-vpython-tool"],
            tool,
            &["-c", ""],
        ]
        .concat();
        world.vpython(words).env("HOUSE", world.path(house))
    };
    assert_eq!(launch(&["install"], "wheels").run().code, Some(0));
    let miss = |house: &str| explained(launch(&["explain", "--json"], house), 0)["miss"].clone();
    assert_eq!(miss("wheels"), json!(null));
    let why = "`HOUSE` has changed since the last launch; its environment exists and will be used";
    assert_eq!(miss("other"), json!(why));
}

#[test]
fn explain_does_not_wait_for_locks() {
    let world = world();
    world.write("tool.py", script());
    let environment = world.install(["tool.py"]);
    let key = environment.file_name().unwrap().to_str().unwrap();
    std::fs::remove_dir_all(&environment).unwrap();
    let lock = File::create(world.store(&format!("locks/{key}.lock"))).unwrap();
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    assert_eq!(
        miss(explain(&world, &[])).as_deref(),
        Some("its environment is not built")
    );
}

#[test]
fn explain_does_not_create_a_store() {
    let world = world();
    world.write("tool.py", script());
    let explanation = as_json(&world, &["-vpython-root=new/store", "tool.py"]);
    let miss = "there is no store yet in `[WORLD]/work/new/store`; its environment is not built";
    assert_eq!(explanation["miss"], json!(miss));
    assert!(!world.path("new").exists());
}

#[test]
fn what_a_warm_launch_does_not_check_is_a_warning() {
    let world = world();
    // A launch checks the eight wheels that changed last.
    let names: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    for name in &names {
        world.wheel(&Wheel::module(name, "1"));
    }
    world.write(
        "tool.py",
        script().replace("'a'", &format!("'b', '{}'", names.join("', '"))),
    );
    let wheel = world.path("wheels/b-2-py3-none-any.whl");
    File::open(&wheel)
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    world.install(["tool.py"]);
    std::fs::write(&wheel, Wheel::module("b", "2").file("more.py", "").bytes()).unwrap();
    let outcome = explain(&world, &["--json", "tool.py"]).run();
    outcome.succeeds_with(expect![[r#"
        vpython: warning: a cold launch would use a different environment, `[WORLD]/root/v1/envs/[KEY]`
    "#]]);
    assert_eq!(
        serde_json::from_str::<Value>(&outcome.stdout).unwrap()["hit"],
        json!(true)
    );
    std::fs::write(&wheel, "").unwrap();
    let outcome = explain(&world, &["--json", "tool.py"]).run();
    outcome.succeeds_with(expect![[r#"
        vpython: warning: a cold launch would fail: no wheel in `[WORLD]/work/wheels` fits `b` (required in `[WORLD]/work/tool.py`, line 3): `b-2-py3-none-any.whl` is an empty file, not a wheel
    "#]]);
}
