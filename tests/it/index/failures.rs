//! What an index cannot provide: each has its message, and nothing but complete files is left.

use expect_test::expect;

use super::{launch, nothing_is_half_written, wheels, world};
use crate::support::http_server::{End, Reply};
use crate::support::{Expected, Listed, PackageIndex, Wheel, World};

/// Runs a launch that fetches, and compares its message. Neither `wheels` nor the store has
/// anything of it afterwards.
#[track_caller]
fn refuses(world: &World, index: &PackageIndex, message: impl Expected) {
    let outcome = launch(world, index, &["-vpython-fetch", "tool.py"]).run();
    outcome.refuses(125, message);
    assert!(world.environments().is_empty());
    nothing_is_half_written(world);
}

#[test]
fn a_project_that_no_index_has() {
    let index = PackageIndex::start(Vec::new());
    refuses(
        &world(),
        &index,
        expect![[r#"
            vpython: error: no wheel on the package index fits `a` (required in `[WORLD]/work/tool.py`, line 2)
              caused by: no package index has the project `a`
              hint: check the name of the project, and the index (`PIP_INDEX_URL`, `index` in the spec)
        "#]],
    );
}

#[test]
fn a_project_with_source_distributions_only() {
    let index = PackageIndex::start(vec![Listed::sdist("a", "1")]);
    refuses(
        &world(),
        &index,
        expect![[r#"
            vpython: error: no wheel on the package index fits `a` (required in `[WORLD]/work/tool.py`, line 2)
              caused by: the index `[INDEX]/simple` has only source distributions of `a`
              hint: build wheels from sources with the interpreter's pip: `vpython -vpython-fetch -vpython-tool fetch --build tool.py`
        "#]],
    );
}

#[test]
fn a_project_whose_wheels_were_all_yanked() {
    let file = Listed::wheel(&Wheel::module("a", "1")).yanked("it deletes files");
    let index = PackageIndex::start(vec![file]);
    refuses(
        &world(),
        &index,
        expect![[r#"
            vpython: error: no wheel on the package index fits `a` (required in `[WORLD]/work/tool.py`, line 2)
              caused by: all wheels of `a` on the index `[INDEX]/simple` were yanked (it deletes files); only a requirement of an exact version uses one
              hint: check the name of the project, and the index (`PIP_INDEX_URL`, `index` in the spec)
        "#]],
    );
}

#[test]
fn a_wheel_for_another_platform_only() {
    let wheel = Wheel::module("a", "1").tag("py3-none-win32");
    let index = PackageIndex::start(vec![Listed::wheel(&wheel)]);
    let world = world();
    let outcome = launch(&world, &index, &["-vpython-fetch", "tool.py"]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: no wheel on the package index fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          caused by: `a-1-py3-none-win32.whl` is for win32; the interpreter is CPython [VERSION] on linux x86_64
          hint: check the name of the project, and the index (`PIP_INDEX_URL`, `index` in the spec)
    "#]]);
}

#[test]
fn a_wheel_with_another_digest() {
    let mut files = wheels();
    files[1] = files[1].clone().digest(Some(&"0".repeat(64)));
    let index = PackageIndex::start(files);
    let world = world();
    let outcome = launch(&world, &index, &["-vpython-fetch", "tool.py"]).run();
    let bytes = Wheel::module("a", "2").requires("b").bytes();
    let digest = vpython::testing::fs::Digest::of(&bytes).to_string();
    let outcome = outcome.replacing(&digest, "[DIGEST]");
    outcome.refuses(125, expect![[r#"
        vpython: error: cannot fetch `[INDEX]/files/a-2-py3-none-any.whl`
          caused by: its SHA-256 digest is [DIGEST], and 0000000000000000000000000000000000000000000000000000000000000000 is expected
          hint: the file was replaced after its digest was recorded, or something on the way changed it
    "#]]);
    // The other wheel stays in the store, complete.
    assert!(world.environments().is_empty());
    nothing_is_half_written(&world);
}

#[test]
fn a_body_that_is_always_truncated() {
    let world = world();
    let index = PackageIndex::with(wheels(), |request, reply: Reply| {
        let is_whole = request.header("range").is_empty();
        if request.path.ends_with("a-2-py3-none-any.whl") && is_whole {
            return reply.end(End::ClosedAfter(50));
        }
        reply
    });
    let outcome = launch(&world, &index, &["-vpython-fetch", "tool.py"]).run();
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: cannot fetch `[INDEX]/files/a-2-py3-none-any.whl`
              caused by: the connection was lost: it ended too early
        "#]],
    );
    nothing_is_half_written(&world);
}

#[test]
fn a_login_that_is_missing() {
    let index = PackageIndex::with(wheels(), |request, reply| {
        if request.header("authorization").is_empty() {
            return Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\"");
        }
        reply
    });
    let world = world();
    let outcome = launch(&world, &index, &["-vpython-fetch", "tool.py"]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: cannot read `a` from the index `[INDEX]/simple` (`PIP_INDEX_URL`)
          caused by: cannot fetch `[INDEX]/simple/a/`
          caused by: the server answered 401 Unauthorized
          hint: put a login for `127.0.0.1` into `~/.netrc`: `machine 127.0.0.1 login NAME password PASSWORD`
    "#]]);
    // With a login in the URL, which no output shows.
    let url = index.url().replace("http://", "http://ada:secret@");
    let outcome = launch(
        &world,
        &index,
        &["-vpython-fetch", "-vpython-log-level=debug", "tool.py"],
    )
    .env("PIP_INDEX_URL", url)
    .run();
    assert_eq!(outcome.stdout, "2 1\n", "{outcome}");
    assert!(!outcome.stderr.contains("secret"), "{outcome}");
}

#[test]
fn a_server_that_does_not_answer() {
    // Not the port of a server that has ended: another test may have it by now.
    let url = "http://127.0.0.1:1/simple";
    let world = world();
    let outcome = world
        .vpython(["-vpython-fetch", "tool.py"])
        .env("PIP_INDEX_URL", url)
        .env("PIP_RETRIES", "0")
        .run();
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: cannot read `a` from the index `[INDEX]/simple` (`PIP_INDEX_URL`)
              caused by: cannot fetch `[INDEX]/simple/a/`
              caused by: `127.0.0.1` refused the connection
              hint: check the network and the URL; where a proxy is needed, set `HTTPS_PROXY`
        "#]],
    );
}
