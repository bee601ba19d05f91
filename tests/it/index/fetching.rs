//! `fetch` without pip: what it downloads, and what it leaves.

use expect_test::{Expect, expect};

use super::{launch, names, wheels, world};
use crate::support::http_server::{End, Framing, Reply};
use crate::support::{Listed, Outcome, PackageIndex, Wheel, World};

fn fetch(world: &World, index: &PackageIndex, words: &[&str]) -> Outcome {
    launch(world, index, &["-vpython-tool", "fetch", "tool.py"])
        .arguments(words)
        .run()
}

const BOTH: Expect = expect![[r#"
    [WORLD]/work/wheels/a-2-py3-none-any.whl
    [WORLD]/work/wheels/b-1-py3-none-any.whl
"#]];

const FETCHING_BOTH: Expect = expect![[r#"
    vpython: fetching 2 wheels into `[WORLD]/work/wheels`
"#]];

#[test]
fn the_missing_wheels_come_and_a_second_run_fetches_nothing() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    fetch(&world, &index, &[]).expect(0, BOTH, FETCHING_BOTH);
    assert_eq!(
        names(&world.path("wheels")),
        ["a-2-py3-none-any.whl", "b-1-py3-none-any.whl"]
    );
    let requests = index.server.paths().len();
    // A process was killed after its last wheel had arrived.
    std::fs::create_dir(world.path("wheels/.fetch-killed")).unwrap();
    fetch(&world, &index, &[]).expect(
        0,
        "",
        expect![[r#"
            vpython: nothing to fetch: all wheels that the spec requires are present
        "#]],
    );
    assert_eq!(index.server.paths().len(), requests);
    assert_eq!(
        names(&world.path("wheels")),
        ["a-2-py3-none-any.whl", "b-1-py3-none-any.whl"]
    );
    world.vpython(["tool.py"]).run().prints("2 1\n");
}

#[test]
fn present_versions_are_kept_unless_they_are_upgraded() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    world.wheel(&Wheel::module("a", "1").requires("b"));
    fetch(&world, &index, &[]).expect(
        0,
        "[WORLD]/work/wheels/b-1-py3-none-any.whl\n",
        expect![[r#"
            vpython: fetching 1 wheel into `[WORLD]/work/wheels`
        "#]],
    );
    fetch(&world, &index, &["--upgrade"]).expect(
        0,
        "[WORLD]/work/wheels/a-2-py3-none-any.whl\n",
        expect![[r#"
            vpython: fetching 1 wheel into `[WORLD]/work/wheels`
        "#]],
    );
    fetch(&world, &index, &["--upgrade", "a"]).succeeds_with(expect![[r#"
        vpython: nothing to upgrade: the newest versions that the spec permits are present
    "#]]);
}

#[test]
fn a_body_that_breaks_off_is_resumed() {
    let world = world();
    let index = PackageIndex::with(wheels(), |request, reply: Reply| {
        let is_first = request.earlier == 0 && request.path.ends_with("a-2-py3-none-any.whl");
        if is_first && request.header("range").is_empty() {
            return reply.end(End::ClosedAfter(100));
        }
        reply
    });
    let outcome = launch(&world, &index, &["-vpython-tool", "fetch", "tool.py"])
        .env("PIP_RETRIES", "2")
        .run();
    outcome.expect(0, BOTH, FETCHING_BOTH);
    let bytes = std::fs::read(world.path("wheels/a-2-py3-none-any.whl")).unwrap();
    assert_eq!(bytes, Wheel::module("a", "2").requires("b").bytes());
}

#[test]
fn an_index_in_html_without_digests_and_ranges_is_enough() {
    let world = world();
    let index = PackageIndex::with(wheels(), |request, reply| {
        let Some(project) = request.path.strip_prefix("/simple/") else {
            // Whatever range is requested, the whole file is sent.
            let whole = PackageIndex::whole(&wheels(), &request.path);
            return whole.map_or(reply, |content| {
                Reply::new(200, content).framing(Framing::Close)
            });
        };
        let names: &[&str] = match project {
            "a/" => &["a-1-py3-none-any.whl", "a-2-py3-none-any.whl"],
            "b/" => &["b-1-py3-none-any.whl"],
            _ => return Reply::new(404, ""),
        };
        let links = names
            .iter()
            .map(|name| format!("<a href=\"../../files/{name}\">{name}</a><br>\n"));
        let links: String = links.collect();
        let page = format!("<!DOCTYPE html><html><body>{links}</body></html>");
        Reply::new(200, page).header("Content-Type", "text/html")
    });
    fetch(&world, &index, &[]).expect(0, BOTH, FETCHING_BOTH);
    let launched = launch(&world, &index, &["-vpython-fetch", "tool.py"]);
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    launched.run().prints("2 1\n");
}

#[test]
fn a_connection_that_is_lost_does_not_make_an_older_version_the_choice() {
    let world = world();
    let index = PackageIndex::with(wheels(), |request, reply| {
        if request.path.ends_with("a-2-py3-none-any.whl") {
            return reply.end(End::ResetAfter(0));
        }
        reply
    });
    let outcome = fetch(&world, &index, &[]);
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: cannot fetch `[INDEX]/files/a-2-py3-none-any.whl`
              caused by: the connection was lost: it ended too early
        "#]],
    );
    assert!(!world.path("wheels").exists());
}

#[test]
fn what_has_arrived_stays_when_another_wheel_cannot_be_had() {
    let world = world();
    let index = PackageIndex::with(wheels(), |request, reply| {
        if request.path.ends_with("a-2-py3-none-any.whl") && request.header("range").is_empty() {
            return Reply::new(403, "");
        }
        reply
    });
    let outcome = fetch(&world, &index, &[]);
    outcome.expect(
        1,
        "[WORLD]/work/wheels/b-1-py3-none-any.whl\n",
        expect![[r#"
            vpython: fetching 2 wheels into `[WORLD]/work/wheels`
            vpython: error: cannot fetch `a-2-py3-none-any.whl`
              caused by: cannot fetch `[INDEX]/files/a-2-py3-none-any.whl`
              caused by: the server answered 403 Forbidden
              hint: ask the operator of `127.0.0.1` for access, or name another index
        "#]],
    );
    assert_eq!(names(&world.path("wheels")), ["b-1-py3-none-any.whl"]);
}

#[test]
fn the_first_index_that_has_a_project_provides_it() {
    let world = world();
    let own = PackageIndex::start(vec![Listed::wheel(&Wheel::module("a", "1").requires("b"))]);
    let public = PackageIndex::start(wheels());
    let outcome = launch(&world, &public, &["-vpython-tool", "fetch", "tool.py"])
        .env("PIP_EXTRA_INDEX_URL", own.url())
        .run();
    // The public index has a higher version of `a`, which does not count.
    outcome.expect(
        0,
        expect![[r#"
            [WORLD]/work/wheels/a-1-py3-none-any.whl
            [WORLD]/work/wheels/b-1-py3-none-any.whl
        "#]],
        FETCHING_BOTH,
    );
    assert_eq!(public.downloads(), ["b-1-py3-none-any.whl"]);
}

#[test]
fn a_locked_file_with_other_bytes_is_replaced() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let words = ["-vpython-fetch", "-vpython-tool", "lock", "tool.py"];
    let locked = launch(&world, &index, &words).run();
    assert_eq!(locked.code, Some(0), "{locked}");
    let other = Wheel::module("a", "2").requires("b").file("a/more.py", "");
    let path = world.wheel(&other);
    fetch(&world, &index, &[]).expect(0, BOTH, FETCHING_BOTH);
    let expected = Wheel::module("a", "2").requires("b").bytes();
    assert_eq!(std::fs::read(path).unwrap(), expected);
}
