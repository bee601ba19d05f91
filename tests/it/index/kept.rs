//! What is requested once, what is compared, and what an environment that was fetched is good for.

use super::{launch, names, wheels, world};
use crate::support::http_server::Reply;
use crate::support::{Listed, PackageIndex, Wheel};

/// The number of requests for a path.
fn count(index: &PackageIndex, path: &str) -> usize {
    let paths = index.server.paths();
    paths.iter().filter(|known| *known == path).count()
}

#[test]
fn a_wheel_that_was_downloaded_to_read_it_is_not_downloaded_again() {
    let files = || wheels().into_iter().map(|file| file.digest(None)).collect();
    // Ranges are refused, so that only the whole wheel has the metadata.
    let index = PackageIndex::with(files(), |request, reply| {
        if request.header("range").is_empty() {
            return reply;
        }
        Reply::new(416, "")
    });
    for words in [
        &["-vpython-fetch", "tool.py"][..],
        &["-vpython-tool", "fetch", "tool.py"],
    ] {
        let world = world();
        let before = count(&index, "/files/a-2-py3-none-any.whl");
        let outcome = launch(&world, &index, words).run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        // The refused range, which is not tried again on this server, and one download.
        let requests = count(&index, "/files/a-2-py3-none-any.whl") - before;
        assert!(requests <= 2, "{requests}: {:?}", index.server.paths());
    }
}

/// An index whose pages state metadata files for `a` 2, with this text.
fn with_sidecar(text: &'static str) -> PackageIndex {
    PackageIndex::with(wheels(), move |request, mut reply| {
        if request.path == "/simple/a/" {
            let mut page: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            for file in page["files"].as_array_mut().unwrap() {
                file["core-metadata"] = true.into();
            }
            reply.body = page.to_string().into();
        } else if request.path.ends_with(".metadata") {
            return match text {
                "" => Reply::new(500, ""),
                text => Reply::new(200, text),
            };
        }
        reply
    })
}

#[test]
fn a_metadata_file_that_cannot_be_used_is_replaced_by_the_wheel() {
    for text in [
        "",
        "nonsense",
        "Name: x\nVersion: 2\n",
        "Name: a\nVersion: 7\n",
    ] {
        let (world, index) = (world(), with_sidecar(text));
        let words = ["-vpython-fetch", "tool.py"];
        let outcome = launch(&world, &index, &words).run();
        assert_eq!(
            (&*outcome.stdout, &*outcome.stderr),
            ("2 1\n", ""),
            "{text}{outcome}"
        );
    }
}

#[test]
fn a_wheel_with_other_requirements_than_its_index_states_is_a_warning() {
    let text =
        "Metadata-Version: 2.1\nName: a\nVersion: 2\nRequires-Dist: b>=1\nRequires-Python: >=3\n";
    let warning = "vpython: warning: `a-2-py3-none-any.whl` differs from the metadata that its index states: the wheel requires \
         `b`, it does not require `b>=1`, it requires Python `*`\n";
    let (world, index) = (world(), with_sidecar(text));
    let words = ["-vpython-fetch", "tool.py"];
    launch(&world, &index, &words)
        .run()
        .expect(0, "2 1\n", warning);
    launch(&world, &index, &["-vpython-tool", "fetch", "tool.py"])
        .run()
        .expect(
            0,
            "[WORLD]/work/wheels/a-2-py3-none-any.whl\n[WORLD]/work/wheels/b-1-py3-none-any.whl\n",
            &format!("vpython: fetching 2 wheels into `[WORLD]/work/wheels`\n{warning}"),
        );
}

#[test]
fn tools_use_an_environment_that_was_fetched_without_the_setting() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let words = ["-vpython-fetch", "tool.py"];
    launch(&world, &index, &words).run().prints("2 1\n");
    drop(index);
    let check = world.vpython(["-vpython-tool", "check", "tool.py"]).run();
    assert_eq!((check.code, &*check.stderr), (Some(0), ""), "{check}");
    // `explain` says that only the environment is there.
    let explained = world.vpython(["-vpython-tool", "explain", "tool.py"]).run();
    let warning = "vpython: warning: a cold launch would fail: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2): no \
         wheel directory is configured, and there is no `wheels` next to the spec\n";
    assert_eq!(
        (explained.code, &*explained.stderr),
        (Some(0), warning),
        "{explained}"
    );
    let exported = world
        .vpython(["-vpython-tool", "export", "out", "tool.py"])
        .run();
    assert_eq!(
        (exported.code, &*exported.stderr),
        (Some(0), ""),
        "{exported}"
    );
    world
        .program(world.path("out/bin/python"), ["tool.py"])
        .run()
        .prints("2 1\n");
    let packed = world
        .vpython(["-vpython-tool", "pack", "--output", "out.tar.gz", "tool.py"])
        .run();
    packed.expect(0, "", &world.interpreter_warning());
}

#[test]
fn so_they_do_for_a_lock_and_for_a_list_of_wheels() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let lock = ["-vpython-fetch", "-vpython-tool", "lock", "tool.py"];
    let locked = launch(&world, &index, &lock).run();
    assert_eq!(locked.code, Some(0), "{locked}");
    world.write("listed.py", "import a, b\nprint(a.VERSION, b.VERSION)\n");
    let list =
        "wheel < name: 'a' version: '2' >\nwheel < name: 'b' version: '1' >\n# vpython: no-seed\n";
    world.write("listed.py.vpython3", list);
    for script in ["tool.py", "listed.py"] {
        let words = ["-vpython-fetch", script];
        launch(&world, &index, &words).run().prints("2 1\n");
        let out = format!("{script}.out");
        let exported = world
            .vpython(["-vpython-tool", "export", &out, script])
            .run();
        exported.expect(0, &format!("[WORLD]/work/{out}\n"), "");
        // What the spec requires itself is marked in the environment.
        let requested = |environment: &std::path::Path| {
            let entries = walkdir::WalkDir::new(environment).into_iter().flatten();
            let names = entries.filter(|entry| entry.file_name() == "REQUESTED");
            names.count()
        };
        let expected = if script == "tool.py" { 1 } else { 2 };
        assert_eq!(requested(&world.path(&out)), expected, "{script}");
    }
}

#[test]
fn verify_says_that_it_reads_no_index() {
    let (world, index) = (world(), PackageIndex::start(wheels()));
    let words = ["-vpython-fetch", "-vpython-tool", "verify", "tool.py"];
    let outcome = launch(&world, &index, &words).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let notice = "vpython: `verify` reads the wheel directories only, whatever a launch may fetch; `explain` and `lock` read the \
         indexes too\n";
    assert!(outcome.stderr.starts_with(notice), "{outcome}");
    assert_eq!(index.server.paths(), [""; 0]);
}

#[test]
fn a_fetch_that_fetches_nothing_exits_with_125_however_many_errors_there_are() {
    let world = world();
    for count in [1, 2] {
        let index = PackageIndex::with(wheels(), move |request, reply| {
            let is_refused = request.path.contains("/a-2") || count == 2;
            if request.path.starts_with("/files")
                && is_refused
                && request.header("range").is_empty()
            {
                return Reply::new(403, "");
            }
            reply
        });
        let outcome = launch(&world, &index, &["-vpython-tool", "fetch", "tool.py"]).run();
        let expected = if count == 2 { 125 } else { 1 };
        assert_eq!(outcome.code, Some(expected), "{outcome}");
        let errors = outcome
            .stderr
            .matches("vpython: error: cannot fetch `")
            .count();
        assert_eq!(errors, count, "{outcome}");
        let _ = std::fs::remove_dir_all(world.path("wheels"));
    }
}

#[test]
fn prune_removes_cached_answers_only_with_all() {
    let files = vec![
        Listed::wheel(&Wheel::module("a", "1").requires("b")),
        Listed::wheel(&Wheel::module("b", "1")),
    ];
    let (world, index) = (world(), PackageIndex::start(files));
    let words = ["-vpython-fetch", "tool.py"];
    launch(&world, &index, &words).run().prints("1 1\n");
    let answers = || names(&world.store("index")).len();
    assert!(answers() > 0);
    let prune = |words: &[&str]| {
        let outcome = world
            .vpython(["-vpython-tool", "prune"])
            .arguments(words)
            .run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome.stdout.lines().last().unwrap_or_default().to_owned()
    };
    let before = answers();
    assert!(!prune(&[]).contains("package indexes"));
    let announced = prune(&["--all", "--dry-run"]);
    assert!(
        announced.contains(&format!(
            ", {before} cached answers of package indexes and "
        )),
        "{announced}"
    );
    assert_eq!(answers(), before);
    prune(&["--all"]);
    assert_eq!(answers(), 0);
}
