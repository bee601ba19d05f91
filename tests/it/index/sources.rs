//! The indexes and directories that settings name, and which of them count.

use expect_test::expect;

use super::{launch, names, wheels, world};
use crate::support::http_server::Reply;
use crate::support::{Listed, PackageIndex, Wheel, World};

#[test]
fn directories_of_find_links_have_wheels_for_fetch_and_for_launches_that_fetch() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let house = world.outside("house");
    Wheel::module("a", "3").requires("b").write_to(&house);
    // A launch uses the files where they are. The index has what the directory lacks.
    launch(&world, &index, &["-vpython-fetch", "tool.py"])
        .env("PIP_FIND_LINKS", &house)
        .run()
        .prints("3 1\n");
    // `fetch` copies them.
    let fetch = ["-vpython-tool", "fetch", "tool.py"];
    launch(&world, &index, &fetch)
        .env("PIP_FIND_LINKS", &house)
        .run()
        .expect(
            0,
            "[WORLD]/work/wheels/a-3-py3-none-any.whl\n[WORLD]/work/wheels/b-1-py3-none-any.whl\n",
            "vpython: fetching 2 wheels into `[WORLD]/work/wheels`\n",
        );
    assert_eq!(names(&house), ["a-3-py3-none-any.whl"]);
    // A launch that may not fetch does not read them.
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    let outcome = world
        .vpython(["-vpython-root=", "tool.py"])
        .env("PIP_FIND_LINKS", &house)
        .run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
}

#[test]
fn a_wheel_directory_that_find_links_names_too_is_not_copied_from() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    world.wheel(&Wheel::module("a", "3").requires("b"));
    launch(&world, &index, &["-vpython-tool", "fetch", "tool.py"])
        .env("PIP_FIND_LINKS", world.path("wheels"))
        .run()
        .expect(
            0,
            "[WORLD]/work/wheels/b-1-py3-none-any.whl\n",
            "vpython: fetching 1 wheel into `[WORLD]/work/wheels`\n",
        );
}

#[test]
fn a_directory_of_find_links_that_does_not_exist_is_skipped_with_a_warning() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let outcome = launch(&world, &index, &["-vpython-fetch", "tool.py"])
        .env("PIP_FIND_LINKS", world.path("absent"))
        .run();
    outcome.expect(
        0,
        "2 1\n",
        "vpython: warning: the directory `[WORLD]/work/absent` (`PIP_FIND_LINKS`) does not exist; it is skipped\n",
    );
    // A warm launch does not read the setting.
    world.vpython(["tool.py"]).run().prints("2 1\n");
}

#[test]
fn a_project_with_another_source_does_not_come_from_an_index() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let house = world.path("house");
    std::fs::create_dir(&house).unwrap();
    let launched = |sources: &str| {
        world.write(
            "vpython.toml",
            format!("dependencies = ['a']\n[tool.uv]\nfind-links = ['house']\n[tool.uv.sources]\n{sources}\n"),
        );
        let program = "import a, b; print(a.VERSION, b.VERSION)";
        launch(&world, &index, &["-vpython-fetch", "-c", program]).run()
    };
    launched("a = { git = 'https://example.org/a' }").refuses(125, expect![[r#"
        vpython: error: cannot take `a` from a package index
          caused by: `[WORLD]/work/vpython.toml`, line 5: `tool.uv.sources.a`: vpython takes projects from wheel directories and package indexes only
          hint: put its wheel into a wheel directory
    "#]]);
    assert_eq!(index.server.paths(), [""; 0]);
    // Directories of uv's `find-links` count too.
    Wheel::module("a", "3").requires("b").write_to(&house);
    launched("").prints("3 1\n");
}

#[test]
fn no_index_leaves_only_the_links() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let house = world.outside("house");
    Wheel::module("a", "3").requires("b").write_to(&house);
    let launched = |world: &World| {
        launch(world, &index, &["-vpython-fetch", "tool.py"])
            .env("PIP_FIND_LINKS", &house)
            .env("PIP_NO_INDEX", "1")
            .run()
    };
    launched(&world).refuses(
        125,
        "vpython: error: no wheel in `[WORLD]/house` or on the package index fits `b` (required by `a` 3, \
         `a-3-py3-none-any.whl`)\n  \
         caused by: `a` is required in `[WORLD]/work/tool.py`, line 2\n  \
         caused by: no package index is asked for `b`, because of `PIP_NO_INDEX`\n  \
         hint: check the name of the project, and the index (`PIP_INDEX_URL`, `index` in the spec)\n",
    );
    Wheel::module("b", "2").write_to(&house);
    launched(&world).prints("3 2\n");
    assert_eq!(index.server.paths(), [""; 0]);
}

#[test]
fn an_index_that_forbids_a_project_ends_the_run_unless_the_spec_ignores_that() {
    let world = World::new();
    let own = PackageIndex::with(Vec::new(), |_, _| Reply::new(403, ""));
    let public = PackageIndex::start(wheels());
    let spec = |more: &str| {
        world.write(
            "vpython.toml",
            format!(
                "dependencies = ['a']\n[tool.vpython]\nfetch = true\n[[tool.uv.index]]\nurl = '{}'\n{more}",
                own.url()
            ),
        );
        launch(&world, &public, &["-c", "import a; print(a.VERSION)"]).run()
    };
    let outcome = spec("");
    let message = "vpython: error: cannot read `a` from the index `[INDEX]/simple` (`[WORLD]/work/vpython.toml`, line 5)\n  \
         caused by: cannot read `[INDEX]/simple/a/`\n  \
         caused by: the server answered 403 Forbidden\n  \
         hint: ask the operator of `127.0.0.1` for access; if the index answers 403 for every project that it does not \
         have, set `ignore-error-codes = [403]` in its `[[tool.uv.index]]`\n";
    outcome.refuses(125, message);
    assert_eq!(public.server.paths(), [""; 0]);
    spec("ignore-error-codes = [0x193, 401]\n").prints("2\n");
}

#[test]
fn an_index_of_the_spec_that_cannot_be_read_is_not_replaced_by_another() {
    let (world, index) = (World::new(), PackageIndex::start(wheels()));
    world.write("requirements.txt", "-i file:///srv/simple\na\n");
    let words = ["-vpython-fetch", "-vpython-spec=requirements.txt", "-c", ""];
    launch(&world, &index, &words).run().refuses(
        125,
        "vpython: error: cannot read a package index that the spec names\n  \
         caused by: `[WORLD]/work/requirements.txt`, line 1: `--index-url file:///srv/simple`: its scheme is `file`, not `https`\n  \
         hint: name it by `http` or `https`, or have pip read it: `-vpython-tool fetch --build … -- --index-url URL`\n",
    );
    assert_eq!(index.server.paths(), [""; 0]);
}

#[test]
fn fetch_says_what_an_index_says_of_a_project() {
    let world = world();
    let index = PackageIndex::with(wheels(), |request, mut reply| {
        if request.path == "/simple/a/" {
            let mut page: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            page["project-status"] = serde_json::json!({"status": "archived"});
            page["meta"]["api-version"] = "1.9".into();
            reply.body = page.to_string().into();
        }
        reply
    });
    let outcome = launch(&world, &index, &["-vpython-tool", "fetch", "tool.py"]).run();
    let shown = outcome.stderr.replace(&index.server.url(""), "[INDEX]");
    let message = "vpython: warning: `a` is archived on the index `[INDEX]/simple`\n\
         vpython: warning: the page of `a` on the index `[INDEX]/simple`: it has version 1.9 of the index API, and vpython knows 1.4\n\
         vpython: fetching 2 wheels into `[WORLD]/work/wheels`\n";
    assert_eq!((outcome.code, &*shown), (Some(0), message), "{outcome}");
    // A launch does not repeat it.
    let words = ["-vpython-fetch", "tool.py"];
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    launch(&world, &index, &words).run().prints("2 1\n");
}

#[test]
fn the_causes_name_versions_that_are_not_offered() {
    let world = World::new();
    let files = vec![
        Listed::wheel(&Wheel::module("a", "1")),
        Listed::sdist("a", "2.0"),
        Listed::wheel(&Wheel::module("a", "3")).yanked("it deletes files"),
        Listed::sdist("a", "3"),
        Listed::sdist("a", "9"),
    ];
    let index = PackageIndex::start(files);
    world.write("vpython.toml", "dependencies = ['a>1,<9']\n");
    let outcome = launch(&world, &index, &["-vpython-fetch", "-c", ""]).run();
    outcome.refuses(
        125,
        "vpython: error: no wheel on the package index fits `a>1,<9` (required in `[WORLD]/work/vpython.toml`, line 1)\n  \
         caused by: `a` 3 was yanked (it deletes files)\n  \
         caused by: `a` 2.0 has only a source distribution\n  \
         caused by: `a-1-py3-none-any.whl` is version 1, which does not satisfy `a>1,<9`\n  \
         hint: loosen `a>1,<9` in `[WORLD]/work/vpython.toml`, line 1, or build wheels from sources with the \
         interpreter's pip: `vpython -vpython-fetch -vpython-tool fetch --build -c ''`\n",
    );
}
