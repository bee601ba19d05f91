//! Digests that a `requirements.txt` pins.

use expect_test::expect;

use super::{PROGRAM, launch, sha256, world};
use crate::support::Wheel;

#[test]
fn a_wheel_with_another_digest_is_never_installed() {
    let world = world();
    let (pinned, found) = (
        sha256(&Wheel::module("two", "2.0")),
        sha256(&Wheel::module("one", "1.5")),
    );
    world.write(
        "requirements.txt",
        format!("one==1.5 --hash=sha256:{pinned}\n"),
    );
    launch(&world, "requirements.txt")
        .run()
        .replacing(&found, "[FOUND]")
        .replacing(&pinned, "[PINNED]")
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `one==1.5` (required in `[WORLD]/work/requirements.txt`, line 1)
              caused by: `one-1.0-py3-none-any.whl` is version 1.0, which does not satisfy `one==1.5`
              caused by: `one-1.5-py3-none-any.whl` has the sha256 `[FOUND]`, but `[PINNED]` is pinned (required in `[WORLD]/work/requirements.txt`, line 1)
              caused by: `one-2.0-py3-none-any.whl` is version 2.0, which does not satisfy `one==1.5`
              caused by: `one-3.0rc1-py3-none-any.whl` is version 3.0rc1, which does not satisfy `one==1.5`
              hint: fetch one: `vpython -vpython-spec=requirements.txt -vpython-tool fetch tool.py`
        "#]]);
}

#[test]
fn if_one_digest_is_pinned_all_must_be() {
    let world = world();
    let (two, three) = (
        sha256(&Wheel::module("three", "1.0")),
        sha256(&Wheel::module("three", "2.0")),
    );
    let two_wheel = Wheel::module("two", "2.0")
        .requires("three")
        .extra("more")
        .requires("one; extra == 'more'");
    world.write(
        "requirements.txt",
        format!("two==2.0 --hash=sha256:{}\n", sha256(&two_wheel)),
    );
    launch(&world, "requirements.txt")
        .run()
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `three` (required by `two` 2.0, `two-2.0-py3-none-any.whl`)
              caused by: `two==2.0` is required in `[WORLD]/work/requirements.txt`, line 1
              caused by: `three-1.0-py3-none-any.whl` has no digest in the spec, which must pin the digests of all wheels
              caused by: `three-2.0-py3-none-any.whl` has no digest in the spec, which must pin the digests of all wheels
              hint: fetch one: `vpython -vpython-spec=requirements.txt -vpython-tool fetch tool.py`
        "#]]);
    // A constraint may name it.
    let text = format!(
        "two==2.0 --hash=sha256:{}\n-c limits.txt\n",
        sha256(&two_wheel)
    );
    world.write("requirements.txt", text);
    world.write(
        "limits.txt",
        format!("three --hash=sha256:{two} --hash=sha256:{three}\n"),
    );
    launch(&world, "requirements.txt")
        .run()
        .prints("two 2.0\nthree 2.0\n");
}

#[test]
fn a_lock_in_requirements_form_applies_to_the_native_spec_next_to_it() {
    let world = world();
    world.write("vpython.toml", "dependencies = ['one', 'two']\n");
    let run = || world.vpython(["tool.py"]).run();
    run().prints("one 2.0\ntwo 2.0\nthree 2.0\n");
    let two = Wheel::module("two", "1.0")
        .requires("three")
        .extra("more")
        .requires("one; extra == 'more'");
    let [one, two, three] = [
        Wheel::module("one", "1.5"),
        two,
        Wheel::module("three", "1.0"),
    ]
    .map(|wheel| sha256(&wheel));
    let lock = format!(
        "one==1.5 \\\n    --hash=sha256:{one}\n    # via -r -\nthree==1.0 ; python_version >= '3' \\\n    --hash=sha256:{three}\n\
         two==1.0 \\\n    --hash=sha256:{two}\nunused==7 --hash=sha256:{two}\n"
    );
    world.write("vpython.toml.uv.lock", &lock);
    run().prints("one 1.5\ntwo 1.0\nthree 1.0\n");
    let script = "# /// script\n# dependencies = ['one']\n# ///\n";
    world.write("locked.py", format!("{script}{PROGRAM}"));
    world.write("locked.py.uv.lock", "one==1.0\n");
    world.vpython(["locked.py"]).run().prints("one 1.0\n");
    world.write("vpython.toml.uv.lock", lock.replace(&three, &two));
    run()
        .replacing(&three, "[FOUND]")
        .replacing(&two, "[PINNED]")
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `three`
              caused by: `three` is required by `two` 1.0, `two-1.0-py3-none-any.whl`
              caused by: `three==1.0` is required in `[WORLD]/work/vpython.toml.uv.lock`, line 4
              caused by: `two` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `three-1.0-py3-none-any.whl` has the sha256 `[FOUND]`, but `[PINNED]` is pinned (required in `[WORLD]/work/vpython.toml.uv.lock`, line 4)
              caused by: `three-2.0-py3-none-any.whl` is version 2.0, which does not satisfy `three==1.0`
              hint: fetch from the index whose wheels are pinned (`vpython -vpython-tool fetch tool.py -- --index-url https://…`), or ignore the digests with `-vpython-unlocked` or with `unlocked = true` in `[tool.vpython]`
        "#]]);
    world.write("vpython.toml.uv.lock", lock.replace("two==", "second=="));
    run().refuses(125, expect![[r#"
        vpython: error: `[WORLD]/work/vpython.toml.uv.lock` no longer matches `[WORLD]/work/vpython.toml`
          caused by: it has no `two` (required in `[WORLD]/work/vpython.toml`, line 1)
          hint: rebuild it with `uv pip compile --universal --generate-hashes`, or remove it
    "#]]);
    std::fs::remove_file(world.path("vpython.toml.uv.lock")).unwrap();
    run().prints("one 2.0\ntwo 2.0\nthree 2.0\n");
}
