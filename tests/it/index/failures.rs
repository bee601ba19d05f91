//! What an index cannot provide: each has its message, and nothing but complete files is left.

use super::{launch, nothing_is_half_written, wheels, world};
use crate::support::http_server::{End, Reply};
use crate::support::{Listed, PackageIndex, Wheel, World};

/// Runs a launch that fetches, and compares its message. Neither `wheels` nor the store has
/// anything of it afterwards.
#[track_caller]
fn refuses(world: &World, index: &PackageIndex, message: &str) {
    let outcome = launch(world, index, &["-vpython-fetch", "tool.py"]).run();
    let shown = outcome.stderr.replace(&index.server.url(""), "[INDEX]");
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert_eq!(shown, message);
    assert!(world.environments().is_empty());
    nothing_is_half_written(world);
}

const LINE: &str = "required in `[WORLD]/work/tool.py`, line 2";
const CHECK: &str =
    "check the name of the project, and the index (`PIP_INDEX_URL`, `index` in the spec)\n";
const BUILD: &str = "build wheels from sources with the interpreter's pip: `vpython -vpython-fetch -vpython-tool fetch --build tool.py`\n";

#[test]
fn a_project_that_no_index_has() {
    let index = PackageIndex::start(Vec::new());
    refuses(
        &world(),
        &index,
        &format!(
            "vpython: error: no wheel on the package index fits `a` ({LINE})\n  \
             caused by: no package index has the project `a`\n  \
             hint: {CHECK}"
        ),
    );
}

#[test]
fn a_project_with_source_distributions_only() {
    let index = PackageIndex::start(vec![Listed::sdist("a", "1")]);
    refuses(
        &world(),
        &index,
        &format!(
            "vpython: error: no wheel on the package index fits `a` ({LINE})\n  \
             caused by: the index `[INDEX]/simple` has only source distributions of `a`\n  \
             hint: {BUILD}"
        ),
    );
}

#[test]
fn a_project_whose_wheels_were_all_yanked() {
    let file = Listed::wheel(&Wheel::module("a", "1")).yanked("it deletes files");
    let index = PackageIndex::start(vec![file]);
    refuses(
        &world(),
        &index,
        &format!(
            "vpython: error: no wheel on the package index fits `a` ({LINE})\n  \
             caused by: all wheels of `a` on the index `[INDEX]/simple` were yanked (it deletes files); only a requirement of an \
             exact version uses one\n  \
             hint: {CHECK}"
        ),
    );
}

#[test]
fn a_wheel_for_another_platform_only() {
    let wheel = Wheel::module("a", "1").tag("py3-none-win32");
    let index = PackageIndex::start(vec![Listed::wheel(&wheel)]);
    let world = world();
    let outcome = launch(&world, &index, &["-vpython-fetch", "tool.py"]).run();
    let start = format!(
        "vpython: error: no wheel on the package index fits `a` ({LINE})\n  \
         caused by: `a-1-py3-none-win32.whl` is for win32; the interpreter is CPython "
    );
    assert!(outcome.stderr.starts_with(&start), "{outcome}");
}

#[test]
fn a_wheel_with_another_digest() {
    let mut files = wheels();
    files[1] = files[1].clone().digest(Some(&"0".repeat(64)));
    let index = PackageIndex::start(files);
    let world = world();
    let outcome = launch(&world, &index, &["-vpython-fetch", "tool.py"]).run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    let zeros = "0".repeat(64);
    assert!(
        outcome
            .stderr
            .contains(&format!("and {zeros} is expected\n")),
        "{outcome}"
    );
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
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(
        outcome.stderr.contains("the connection was lost"),
        "{outcome}"
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
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(
        outcome.stderr.contains("cannot read `a` from the index"),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("401"), "{outcome}");
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
    let index = PackageIndex::start(Vec::new());
    let url = index.url();
    drop(index);
    let world = world();
    let outcome = world
        .vpython(["-vpython-fetch", "tool.py"])
        .env("PIP_INDEX_URL", &url)
        .env("PIP_RETRIES", "0")
        .run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(
        outcome.stderr.starts_with(&format!(
            "vpython: error: cannot read `a` from the index `{url}`"
        )),
        "{outcome}"
    );
}
