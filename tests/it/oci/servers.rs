//! Registries and mirrors as wheelhouses: asked for the wheels of a lock by their digests, and only
//! where the caller permits the network.

use expect_test::expect;
use vpython::testing::fs::Digest;

use super::module;
use crate::support::http_server::{HttpServer, Reply};
use crate::support::{Launch, OciRegistry, Outcome, World, has_strace};

/// A world with the lock of a script that requires two wheels, without their files and without
/// URLs. The registry has them, built too, in `team/wheels`.
pub(super) fn world(registry: &OciRegistry) -> World {
    let world = World::new();
    for (name, version) in [("a", "1"), ("b", "2")] {
        world.wheel(&module(name, version).0);
    }
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a', 'b']\n# ///\nimport a, b\nprint(a.VERSION, b.VERSION)\n",
    );
    for destination in ["oci:layout", &registry.reference("team/wheels:v1")] {
        let words = ["-vpython-tool", "push", "--built", destination, "tool.py"];
        let push = world.vpython(words).run();
        assert_eq!(push.code, Some(0), "{push}");
    }
    for moved in ["wheels", "root"] {
        let from = if moved == "root" {
            world.outside(moved)
        } else {
            world.path(moved)
        };
        std::fs::rename(from, world.outside(&format!("{moved}-before"))).unwrap();
    }
    lock(&world, &[]);
    world
}

/// Locks the script with the wheels of the layout, which then goes.
pub(super) fn lock(world: &World, options: &[&str]) {
    let words = ["-vpython-wheels", "oci:layout", "-vpython-tool", "lock"];
    let words = [&words, options, &["tool.py"]].concat();
    let lock = world.vpython(words).run();
    assert_eq!(lock.code, Some(0), "{lock}");
}

/// A launch that may fetch, but from no index.
pub(super) fn launch<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    may_fetch(world, world.vpython(words))
}

/// Permits a program to fetch, but from no index.
pub(super) fn may_fetch<'a>(world: &World, launch: Launch<'a>) -> Launch<'a> {
    let conf = world.outside("vpython.conf");
    let launch = if conf.exists() {
        launch.env("VPYTHON_CONF", conf)
    } else {
        launch
    };
    launch
        .env("VPYTHON_FETCH", "1")
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
}

/// The flags that show what is compiled.
pub(super) const LOGGED: [&str; 2] = ["-vpython-log-level", "debug"];

/// Installs the script with a registry as its wheelhouse.
pub(super) fn install(world: &World, registry: &OciRegistry, options: &[&str]) -> Outcome {
    let reference = registry.reference("team/wheels");
    let words = [
        "-vpython-wheels",
        &reference,
        "-vpython-tool",
        "install",
        "tool.py",
    ];
    launch(world, &[options, &words].concat()).run()
}

/// Fetches the wheels of the script from a wheelhouse into the directory `new`.
pub(super) fn fetch(world: &World, reference: &str) -> Outcome {
    let words = ["-vpython-wheels", "new", "-vpython-wheels", reference];
    let words = [&words[..], &["-vpython-tool", "fetch", "tool.py"]].concat();
    let outcome = launch(world, &words).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
}

/// An outcome without the addresses of servers.
pub(super) fn redacted(outcome: Outcome, servers: &[(&HttpServer, &str)]) -> Outcome {
    servers.iter().fold(outcome, |outcome, (server, name)| {
        outcome.replacing(&server.address().to_string(), name)
    })
}

pub(super) fn blob(digest: &str) -> String {
    format!("/v2/team/wheels/blobs/sha256:{digest}")
}

#[test]
fn a_lock_and_a_registry_are_enough_for_a_launch() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    let reference = registry.reference("team/wheels");
    let words = ["-vpython-wheels", &reference, "tool.py"];
    let asked = || registry.paths("GET");
    // Nothing is asked without permission.
    let refused = world.vpython(words).run();
    assert_eq!(refused.code, Some(125), "{refused}");
    assert!(refused.stderr.contains("-vpython-tool fetch"), "{refused}");
    assert_eq!(asked(), [""; 0]);
    launch(&world, &words).run().expect(0, "1 2\n", "");
    // No manifest is read, and each wheel is requested once.
    let mut paths = asked();
    paths.sort();
    let mut expected = [module("a", "1").1, module("b", "2").1].map(|digest| blob(&digest));
    expected.sort();
    assert_eq!(paths, expected);
    // A warm launch asks nothing.
    launch(&world, &words).run().expect(0, "1 2\n", "");
    assert_eq!(asked().len(), 2);
    if !has_strace() {
        return not_tested!("strace is not installed");
    }
    let log = world.outside("calls");
    let strace = [
        "strace",
        "-f",
        "-e",
        "trace=socket",
        "-o",
        log.to_str().unwrap(),
    ];
    let words = [&strace[..], &[env!("CARGO_BIN_EXE_vpython")], &words].concat();
    let traced = world.program(std::path::Path::new("/usr/bin/env"), words);
    traced
        .env("VPYTHON_FETCH", "1")
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .run()
        .prints("1 2\n");
    let calls = std::fs::read_to_string(log).unwrap();
    assert!(!calls.contains("socket("), "{calls}");
}

#[test]
fn the_registry_of_the_site_comes_first() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    let run = |reference: &str| {
        let run = launch(
            &world,
            &["-vpython-wheels", "oci://127.0.0.1:9/other", "tool.py"],
        );
        run.env("VPYTHON_REGISTRY", reference).run()
    };
    run(&registry.reference("team/wheels")).expect(0, "1 2\n", "");
    for (reference, message) in [
        (
            "team/wheels",
            expect![[r#"
            vpython: error: cannot use `team/wheels` from `VPYTHON_REGISTRY`
              caused by: it does not begin with `oci://`
              hint: write `oci://HOST/REPO`
        "#]],
        ),
        (
            "oci:layout",
            expect![[r#"
            vpython: error: cannot use `oci:layout` from `VPYTHON_REGISTRY`
              caused by: it does not begin with `oci://`
              hint: write `oci://HOST/REPO`
        "#]],
        ),
        (
            "oci://host/A",
            expect![[r#"
            vpython: error: cannot use `oci://host/A` from `VPYTHON_REGISTRY`
              caused by: `A` is not a repository: its names consist of lower-case letters, digits and single `.`, `_` and `-`
              hint: write `oci://HOST/REPO`
        "#]],
        ),
    ] {
        std::fs::remove_dir_all(world.outside("root")).unwrap();
        run(reference).refuses(125, message);
    }
}

#[test]
fn the_next_server_is_asked_where_one_fails() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    let before = world.outside("wheels-before");
    // A mirror has the wheels by their digests.
    let mirror = HttpServer::start(move |request| {
        let files = std::fs::read_dir(&before).unwrap();
        let mut files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let name = request.path.rsplit('/').next().unwrap();
        let found = files.find(|bytes| Digest::of(bytes).to_string() == name);
        found.map_or_else(|| Reply::new(404, ""), |bytes| Reply::new(200, bytes))
    });
    let absent = registry.reference("team/nothing");
    let url = mirror.url("/{sha256}");
    let words = [
        "-vpython-wheels",
        &absent,
        "-vpython-wheels",
        &url,
        "tool.py",
    ];
    let servers = [(&registry.server, "REGISTRY"), (&mirror, "MIRROR")];
    let outcome = redacted(launch(&world, &words).run(), &servers);
    // One warning for the registry, whichever wheel comes first.
    let digests = [module("a", "1").1, module("b", "2").1];
    let outcome = digests.iter().fold(outcome, |outcome, digest| {
        outcome.replacing(digest, "[DIGEST]")
    });
    outcome.expect(0, "1 2\n", expect![[r#"
        vpython: warning: cannot fetch `[INDEX]/v2/team/nothing/blobs/sha256:[DIGEST]`: the server answered 404 Not Found; other sources are asked in place of `oci://REGISTRY/team/nothing`
    "#]]);
}

#[test]
fn an_error_says_what_each_server_said() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    let damaged = module("a", "1").1;
    registry.damage("team/wheels", &format!("sha256:{damaged}"));
    let (wheels, nothing) = (
        registry.reference("team/wheels"),
        registry.reference("team/nothing"),
    );
    let words = [
        "-vpython-wheels",
        &nothing,
        "-vpython-wheels",
        &wheels,
        "tool.py",
    ];
    let outcome = redacted(
        launch(&world, &words).run(),
        &[(&registry.server, "REGISTRY")],
    );
    let lines: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| !line.contains(" warning: "))
        .collect();
    let found =
        Digest::of(&registry.bytes("team/wheels", &format!("sha256:{damaged}"))).to_string();
    let text = lines
        .join("\n")
        .replace(&damaged, "[DIGEST]")
        .replace(&found, "[OTHER]");
    expect![[r#"
        vpython: error: no server has `a-1-py3-none-any.whl`
          caused by: cannot fetch `[INDEX]/v2/team/nothing/blobs/sha256:[DIGEST]`: the server answered 404 Not Found
          caused by: cannot fetch `[INDEX]/v2/team/wheels/blobs/sha256:[DIGEST]`: its SHA-256 digest is [OTHER], and [DIGEST] is expected"#]].assert_eq(&text);
    assert_eq!(outcome.code, Some(125));
    // Of a single server there is no warning, since no other one is asked.
    let words = ["-vpython-wheels", &nothing, "tool.py"];
    let outcome = launch(&world, &words).run();
    assert!(
        outcome.code == Some(125) && !outcome.stderr.contains("warning"),
        "{outcome}"
    );
    // What has arrived stays: the next launch asks for the other wheel only.
    registry.damage("team/wheels", &format!("sha256:{damaged}"));
    let asked = registry.paths("GET").len();
    let words = ["-vpython-wheels", &wheels, "tool.py"];
    launch(&world, &words).run().expect(0, "1 2\n", "");
    assert_eq!(registry.paths("GET")[asked..], [blob(&damaged)]);
}

#[test]
fn fetch_brings_the_wheels_of_a_registry() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    fetch(&world, &registry.reference("team/wheels"));
    for (name, version) in [("a", "1"), ("b", "2")] {
        let (wheel, _) = module(name, version);
        let file = world.path(&format!("new/{}", wheel.file_name()));
        assert_eq!(std::fs::read(file).unwrap(), wheel.bytes());
    }
}
