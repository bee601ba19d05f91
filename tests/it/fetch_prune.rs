//! `fetch --prune`: the wheels that it removes from a directory, and those that it keeps.

use expect_test::expect;

use crate::support::{Fake, Outcome, Wheel, World};

fn world() -> (World, Fake) {
    let world = World::new();
    for (name, version) in [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1"), ("d", "1")] {
        world.wheel(&Wheel::module(name, version));
    }
    world.write("wheels/notes.txt", "kept");
    world.write("vpython.toml", "dependencies = ['a']\n");
    let fake = Fake::new(&world, "3.11.99");
    (world, fake)
}

fn prune(world: &World, fake: &Fake, words: &[&str]) -> Outcome {
    let tool = world
        .vpython(["-vpython-tool", "fetch", "--prune"])
        .arguments(words);
    tool.env("VPYTHON_INTERPRETER", &fake.path).run()
}

fn left(world: &World) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(world.path("wheels"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn wheels_that_nothing_needs_are_listed_and_removed_on_confirmation() {
    let (world, fake) = world();
    world.write("tool.py", "# /// script\n# dependencies = ['b']\n# ///\n");
    world.write("talks.py", "'about `# /// script` blocks'\n");
    world.write(
        "pylock.other.toml",
        format!(
            "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'c'\nversion = '1'\n\
                 [[packages.wheels]]\nname = 'c-1-py3-none-any.whl'\nhashes = {{ sha256 = '{}' }}\n",
            "0".repeat(64)
        ),
    );
    let all = left(&world);
    prune(&world, &fake, &[]).expect(
        1,
        "",
        expect![[r#"
            vpython: 2 wheels are not needed in `[WORLD]/work/wheels`:
            vpython:   a-1-py3-none-any.whl
            vpython:   d-1-py3-none-any.whl
            vpython: nothing was removed; `--yes` removes them
        "#]],
    );
    assert_eq!(left(&world), all);
    prune(&world, &fake, &["--yes"]).prints(expect![[r#"
        [WORLD]/work/wheels/a-1-py3-none-any.whl
        [WORLD]/work/wheels/d-1-py3-none-any.whl
    "#]]);
    assert_eq!(
        left(&world),
        [
            "a-2-py3-none-any.whl",
            "b-1-py3-none-any.whl",
            "c-1-py3-none-any.whl",
            "notes.txt"
        ]
    );
    prune(&world, &fake, &["--yes"]).expect(
        0,
        "",
        expect![[r#"
            vpython: nothing to remove: each wheel in `[WORLD]/work/wheels` is needed
        "#]],
    );
}

#[test]
fn a_spec_that_cannot_be_followed_keeps_everything() {
    let (world, fake) = world();
    let all = left(&world);
    world.write("requirements-test.txt", "absent\n");
    let outcome = prune(&world, &fake, &["--yes"]);
    outcome.refuses(125, expect![[r#"
        vpython: error: cannot determine which wheels `[WORLD]/work/requirements-test.txt` needs; nothing was removed
          caused by: here (3.11.99)
          caused by: no wheel in `[WORLD]/work/wheels` fits `absent` (required in `[WORLD]/work/requirements-test.txt`, line 1)
          caused by: there is no wheel of `absent`
          hint: fetch one: `vpython -vpython-spec=[WORLD]/work/requirements-test.txt -vpython-tool fetch`
    "#]]);
    assert_eq!(left(&world), all);
    world.write("requirements-test.txt", "");
    prune(&world, &fake, &["--yes"]);
    assert_eq!(left(&world), ["a-2-py3-none-any.whl", "notes.txt"]);
}

#[test]
fn without_a_spec_nothing_is_removed() {
    let (world, fake) = world();
    std::fs::remove_file(world.path("vpython.toml")).unwrap();
    let message = expect![[r#"
        vpython: error: `-vpython-tool fetch --prune` needs a spec; without one, every wheel would count as unused
          hint: name it, as in `vpython -vpython-tool fetch requirements.txt --prune`
    "#]];
    prune(&world, &fake, &["--yes"]).refuses(125, &message);
    world.write("vpython.toml", "dependencies = []\n");
    prune(&world, &fake, &["--upgrade"]).refuses(
        125,
        expect![[r#"
            vpython: error: `--prune` and `--upgrade` of `-vpython-tool fetch` cannot be used together
        "#]],
    );
    world
        .vpython(["-vpython-tool", "fetch", "--yes"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: `--yes` of `-vpython-tool fetch` requires `--prune`
            "#]],
        );
}
