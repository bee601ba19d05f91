//! `fetch` for a lock and for pinned digests: exactly these files.

use super::{came, fetch, launch, module, world};
use crate::support::Wheel;

#[test]
fn a_lock_gets_exactly_its_files_and_a_stale_one_is_written_again() {
    let Some(world) = world(&[module("a", "1"), module("a", "2"), module("b", "1")]) else {
        return;
    };
    world.wheel(&module("a", "1"));
    world.write("vpython.toml", "dependencies = ['a']\n");
    assert_eq!(
        launch(&world, &["-vpython-tool", "lock"]).run().code,
        Some(0)
    );
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    assert_eq!(
        came(&world, "wheels", &fetch(&world, &[])),
        ["a-1-py3-none-any.whl"]
    );
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    let outcome = fetch(&world, &[]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stdout.starts_with(
            "[WORLD]/work/wheels/b-1-py3-none-any.whl\npylock.vpython.toml: written\n"
        ),
        "{outcome}"
    );
    launch(&world, &["-c", "import a, b; print(a.VERSION, b.VERSION)"])
        .run()
        .prints("1 1\n");
}

#[test]
fn pinned_digests_are_checked_before_a_file_gets_its_name() {
    use sha2::Digest;
    let Some(world) = world(&[module("a", "1").requires("b"), module("b", "1")]) else {
        return;
    };
    let [a, b] = [module("a", "1").requires("b"), module("b", "1")]
        .map(|wheel| hex::encode(sha2::Sha256::digest(wheel.bytes())));
    let words = [
        "-vpython-spec=requirements.txt",
        "-vpython-tool",
        "fetch",
        "--build",
    ];
    world.write(
        "requirements.txt",
        format!("a==1 --hash=sha256:{a}\nb==1 --hash=sha256:{a}\n"),
    );
    let outcome = launch(&world, &words).run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(1), "[WORLD]/work/wheels/a-1-py3-none-any.whl\n"),
        "{outcome}"
    );
    assert_eq!(
        std::fs::read_dir(world.path("wheels")).unwrap().count(),
        1,
        "{outcome}"
    );
    world.write(
        "requirements.txt",
        format!("a==1 --hash=sha256:{a}\nb==1 --hash=sha256:{b}\n"),
    );
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    let outcome = launch(&world, &words).run();
    assert_eq!(
        came(&world, "wheels", &outcome),
        ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]
    );
}

#[test]
fn a_file_with_other_bytes_than_are_pinned_is_replaced() {
    let Some(world) = world(&[module("a", "1"), module("b", "1")]) else {
        return;
    };
    let other = module("a", "1").file("other.py", "");
    let run = || {
        launch(
            &world,
            &[
                "-vpython-spec=requirements.txt",
                "-c",
                "import a; print(a.VERSION)",
            ],
        )
        .run()
    };
    let words = [
        "-vpython-spec=requirements.txt",
        "-vpython-tool",
        "fetch",
        "--build",
        "-c",
        "",
    ];
    let digest = |wheel: &Wheel| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(wheel.bytes()));
    world.write(
        "requirements.txt",
        format!("a==1 --hash=sha256:{}\n", digest(&module("a", "1"))),
    );
    world.wheel(&other);
    assert_eq!(run().code, Some(125));
    let outcome = launch(&world, &words).run();
    assert_eq!(came(&world, "wheels", &outcome), ["a-1-py3-none-any.whl"]);
    assert!(
        outcome
            .stderr
            .starts_with("vpython: fetching into `[WORLD]/work/wheels`: a==1 (here ([VERSION]))\n"),
        "{outcome}"
    );
    run().prints("1\n");
    // The same for a lock; if a wheel is not available, the file stays as it is.
    assert_eq!(
        launch(
            &world,
            &["-vpython-spec=requirements.txt", "-vpython-tool", "lock"]
        )
        .run()
        .code,
        Some(0)
    );
    world.wheel(&other);
    assert_eq!(
        came(&world, "wheels", &launch(&world, &words).run()),
        ["a-1-py3-none-any.whl"]
    );
    run().prints("1\n");
    world.wheel(&other);
    std::fs::remove_file(world.outside("index/a-1-py3-none-any.whl")).unwrap();
    let outcome = launch(&world, &words).run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
    assert_eq!(
        std::fs::read(world.path("wheels/a-1-py3-none-any.whl")).unwrap(),
        other.bytes()
    );
}
