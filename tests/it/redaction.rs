//! The placeholders in snapshots: what differs between machines and runs, and nothing else.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};

use expect_test::expect;

use crate::support::{Expected, Outcome, World};

#[test]
fn what_differs_between_machines_and_runs_is_redacted() {
    let world = World::new();
    let key = "0123456789abcdef0123456789abcdef01234567";
    let text = format!(
        "{home}/x\n{python} {version}\n{root}/v1/envs/{key}/bin\n\
         vpython: 2 wheels, 30 files, 1.5 s\n\
         http://127.0.0.1:40123/simple and http://127.0.0.1:9\n",
        home = world.outside("home").display(),
        python = world.python.path.display(),
        version = world.python.version,
        root = world.outside("root").display(),
    );
    expect![[r#"
        [WORLD]/home/x
        [PYTHON] [VERSION]
        [WORLD]/root/v1/envs/[KEY]/bin
        vpython: 2 wheels, 30 files, [TIME]
        [INDEX]/simple and [INDEX]
    "#]]
    .check(&world.redact(&text));
}

#[test]
fn what_only_resembles_it_stays() {
    let world = World::new();
    let text = "/envs/0123 /envs/xyz\n2 files, 1.5 s\nvpython: 2 files, long s\n\
                https://example.org/simple http://localhost:80\n";
    assert_eq!(world.redact(text), text);
}

#[test]
fn a_test_may_replace_more() {
    let output = Output {
        status: ExitStatus::from_raw(0),
        stdout: b"ab".to_vec(),
        stderr: b"b and b".to_vec(),
    };
    let outcome = Outcome::new(&World::new(), "", &output).replacing("b", "[B]");
    outcome.expect(0, expect!["a[B]"], expect!["[B] and [B]"]);
    assert_eq!(outcome.raw_stdout, "ab");
}

#[test]
#[should_panic(expected = "--- expected\nother")]
fn another_text_is_an_error() {
    "other".check("text");
}
