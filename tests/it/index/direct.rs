//! Requirements by the URL of a wheel.

use vpython::testing::fs::Digest;

use super::{launch, wheels, world};
use crate::support::{Listed, Outcome, PackageIndex, Wheel, World};

/// A URL of the index with a digest, as requirements have it.
fn url(index: &PackageIndex, wheel: &Wheel) -> String {
    let path = format!("/files/{}", wheel.file_name());
    let digest = Digest::of(&wheel.bytes());
    format!("{}#sha256={digest}", index.server.url(&path))
}

/// Writes a script that requires `a` by a URL.
fn script(world: &World, requirement: &str) {
    let text = format!(
        "# /// script\n# dependencies = [\"{requirement}\"]\n# ///\nimport a, b\nprint(a.VERSION, b.VERSION)\n"
    );
    world.write("tool.py", text);
}

/// Runs a launch that fetches, and shows the address of the index as `[INDEX]`.
fn fetching(world: &World, index: &PackageIndex, words: &[&str]) -> (Outcome, String) {
    let outcome = launch(world, index, &["-vpython-fetch"])
        .arguments(words)
        .run();
    let shown = outcome.stderr.replace(&index.server.url(""), "[INDEX]");
    (outcome, shown)
}

fn one() -> Wheel {
    Wheel::module("a", "1").requires("b")
}

#[test]
fn a_wheel_comes_from_its_url_and_no_index_is_asked_for_it() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    script(&world, &format!("a @ {}", url(&index, &one())));
    let (outcome, _) = fetching(&world, &index, &["tool.py"]);
    outcome.prints("1 1\n");
    let paths = index.server.paths();
    assert!(!paths.contains(&"/simple/a/".to_owned()), "{paths:?}");
    // The next launch needs neither the network nor the setting.
    world.vpython(["tool.py"]).run().prints("1 1\n");
}

#[test]
fn each_form_of_a_spec_may_name_urls() {
    let (world, index) = (World::new(), PackageIndex::start(wheels()));
    let url = url(&index, &one());
    let program = ["-c", "import a, b; print(a.VERSION, b.VERSION)"];
    world.write("vpython.toml", format!("dependencies = ['a @ {url}']\n"));
    let (outcome, _) = fetching(&world, &index, &program);
    outcome.prints("1 1\n");
    let (bare, digest) = url.split_once("#sha256=").unwrap();
    let b = Digest::of(&Wheel::module("b", "1").bytes());
    let forms = [
        format!("a @ {url}\n"),
        format!("{url}\n"),
        // The option asks for the digests of all wheels, as with pip; a fragment does not.
        format!("a @ {bare} --hash=sha256:{digest}\nb==1 --hash=sha256:{b}\n"),
        "a\n-c limits.txt\n".to_owned(),
    ];
    world.write("limits.txt", format!("a @ {url}\n"));
    for text in forms {
        world.write("requirements.txt", &text);
        let words = ["-vpython-spec=requirements.txt", program[0], program[1]];
        let (outcome, _) = fetching(&world, &index, &words);
        assert_eq!(outcome.stdout, "1 1\n", "{text}{outcome}");
    }
}

#[test]
fn a_wheel_directory_may_have_the_wheel() {
    let (world, index) = (world(), PackageIndex::start(Vec::new()));
    script(&world, &format!("a @ {}", url(&index, &one())));
    world.wheel(&one());
    world.wheel(&Wheel::module("b", "1"));
    world.vpython(["tool.py"]).run().prints("1 1\n");
    assert_eq!(index.server.paths(), [""; 0]);
}

#[test]
fn without_the_setting_the_hint_names_it() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    script(&world, &format!("a @ {}", url(&index, &one())));
    world.vpython(["tool.py"]).run().refuses(
        125,
        "vpython: error: no wheel fits `a==1` (required in `[WORLD]/work/tool.py`, line 2)\n  \
         caused by: no wheel directory is configured, and there is no `wheels` next to the spec\n  \
         hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: \
         `-vpython-fetch`, or name a wheel directory: `wheels = [\"…\"]` under `[tool.vpython]`, `-vpython-wheels` or \
         `VPYTHON_WHEELS`\n",
    );
    assert_eq!(index.server.paths(), [""; 0]);
}

#[test]
fn fetch_and_lock_use_the_url() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    script(&world, &format!("a @ {}", url(&index, &one())));
    launch(&world, &index, &["-vpython-tool", "fetch", "tool.py"])
        .run()
        .expect(
            0,
            "[WORLD]/work/wheels/a-1-py3-none-any.whl\n[WORLD]/work/wheels/b-1-py3-none-any.whl\n",
            "vpython: fetching 2 wheels into `[WORLD]/work/wheels`\n",
        );
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    let words = ["-vpython-fetch", "-vpython-tool", "lock", "tool.py"];
    let locked = launch(&world, &index, &words).run();
    assert_eq!(locked.code, Some(0), "{locked}");
    let lock = std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    let url = index.server.url("/files/a-1-py3-none-any.whl");
    assert!(lock.contains(&format!("url = \"{url}\"")), "{lock}");
    let (outcome, _) = fetching(&world, &index, &["tool.py"]);
    outcome.prints("1 1\n");
}

#[test]
fn a_lock_of_uv_is_one_of_the_url() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let (a, b) = (url(&index, &one()), url(&index, &Wheel::module("b", "1")));
    script(&world, &format!("a @ {a}"));
    let package = |name: &str, url: &str, source: &str, lines: &str| {
        let (url, digest) = url.split_once("#sha256=").unwrap();
        let source = source.replace("URL", url);
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1\"\nsource = {{ {source} }}\n{lines}wheels = [\n    \
             {{ url = \"{url}\", hash = \"sha256:{digest}\" }},\n]\n\n"
        )
    };
    let (bare, _) = a.split_once('#').unwrap();
    let lock = format!(
        "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\n\n[manifest]\nrequirements = [{{ name = \"a\", url = \
         \"{bare}\" }}]\n\n{}{}",
        package(
            "a",
            &a,
            "url = \"URL\"",
            "dependencies = [\n    { name = \"b\" },\n]\n"
        ),
        package("b", &b, "registry = \"https://x.invalid/simple\"", ""),
    );
    world.write("tool.py.lock", lock);
    let (outcome, _) = fetching(&world, &index, &["tool.py"]);
    outcome.prints("1 1\n");
}

#[test]
fn a_file_with_another_digest_is_refused() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let (zeros, path) = ("0".repeat(64), "/files/a-1-py3-none-any.whl");
    let url = index.server.url(path);
    script(&world, &format!("a @ {url}#sha256={zeros}"));
    let (outcome, shown) = fetching(&world, &index, &["tool.py"]);
    let digest = Digest::of(&one().bytes());
    let expected = format!(
        "vpython: error: cannot fetch `[INDEX]{path}`\n  \
         caused by: its SHA-256 digest is {digest}, and {zeros} is expected\n  \
         hint: the file was replaced after its digest was recorded, or something on the way changed it\n"
    );
    assert_eq!((outcome.code, shown), (Some(125), expected), "{outcome}");
}

#[test]
fn a_login_in_the_url_is_used_and_not_shown() {
    let index = PackageIndex::with(wheels(), |request, reply| {
        let is_public = request.path.starts_with("/simple");
        if is_public || !request.header("authorization").is_empty() {
            return reply;
        }
        crate::support::http_server::Reply::new(404, "")
    });
    let world = world();
    let url = url(&index, &one()).replace("http://", "http://ada:secret@");
    script(&world, &format!("a @ {url}"));
    let (outcome, _) = fetching(&world, &index, &["-vpython-log-level=debug", "tool.py"]);
    assert_eq!(outcome.stdout, "1 1\n", "{outcome}");
    assert!(!outcome.stderr.contains("secret"), "{outcome}");
}

#[test]
fn urls_that_cannot_be_used_are_all_reported_at_once() {
    let world = World::new();
    world.write(
        "vpython.toml",
        "dependencies = [\n  'a @ https://h/a-1-py3-none-any.whl',\n  'b @ git+https://h/b@v1',\n  \
         'c @ https://u:secret@h/c-1.tar.gz',\n  'd @ https://h/e-1-py3-none-any.whl#sha256=00',\n]\n",
    );
    let at = "  caused by: `[WORLD]/work/vpython.toml`, line";
    let message = format!(
        "vpython: error: bad spec in `[WORLD]/work/vpython.toml`\n\
         {at} 2, column 3: `a @ https://h/a-1-py3-none-any.whl` has no digest; add `#sha256=` and the digest to the URL\n\
         {at} 3, column 3: `b @ git+https://h/b@v1` names a repository, and vpython builds nothing from source; build a wheel with \
         `-vpython-tool fetch --build … -- git+https://h/b@v1`, and require `b` by name\n\
         {at} 4, column 3: `c @ https://h/c-1.tar.gz` names no wheel, and vpython builds nothing from source; build one with \
         `-vpython-tool fetch --build … -- https://h/c-1.tar.gz`, and require `c` by name\n\
         {at} 5, column 3: `d @ https://h/e-1-py3-none-any.whl` names a wheel of `e`\n"
    );
    world.vpython(["-c", ""]).run().refuses(125, &message);
}

#[test]
fn a_wheel_that_requires_another_by_url_is_refused() {
    let wheel = Wheel::module("a", "1").requires("b @ https://h/b-1-py3-none-any.whl");
    let files = vec![
        Listed::wheel(&wheel),
        Listed::wheel(&Wheel::module("b", "1")),
    ];
    let (world, index) = (world(), PackageIndex::start(files));
    let (outcome, shown) = fetching(&world, &index, &["tool.py"]);
    let expected = "vpython: error: no wheel on the package index fits `a` (required in `[WORLD]/work/tool.py`, line 2)\n  \
         caused by: `a-1-py3-none-any.whl` requires `b` by a URL, which vpython does not follow\n  \
         hint: require `b` in the spec too, by its URL or by name\n";
    assert_eq!((outcome.code, &*shown), (Some(125), expected), "{outcome}");
    script(&world, "a\", \"b");
    let (outcome, _) = fetching(&world, &index, &["tool.py"]);
    outcome.prints("1 1\n");
}
