//! A relocation that is killed: the next one completes it, and the result is the same as that of
//! one relocation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Tally, copy, moments};
use crate::support::World;
use crate::support::trace::{Fault, Traced, can_trace, traced};

/// Each file and link of a directory, with its mode and content.
fn contents(directory: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt;
    let entries = walkdir::WalkDir::new(directory)
        .into_iter()
        .map(Result::unwrap);
    let files = entries.filter(|entry| !entry.file_type().is_dir());
    files
        .map(|file| {
            let path = file.path();
            let metadata = path.symlink_metadata().unwrap();
            let said = if metadata.is_symlink() {
                path.read_link()
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else {
                std::fs::read(path).unwrap()
            };
            (
                path.strip_prefix(directory).unwrap().to_owned(),
                (metadata.mode(), said),
            )
        })
        .collect()
}

/// An environment in the directory `before`, made for the path `/made` as `venv` and pip make it.
fn environment(world: &World) {
    let site = "before/lib/python3.11/site-packages";
    let write = |path: &str, text: &str, mode| {
        crate::support::write_with_mode(&world.outside(path), text.as_bytes(), mode);
    };
    let command = "home = /usr/bin\ninclude-system-site-packages = false\ncommand = /usr/bin/python3 -m venv /made\n";
    write("before/pyvenv.cfg", command, 0o644);
    write("before/bin/activate", "VIRTUAL_ENV=/made\n", 0o644);
    write(
        "before/bin/activate.fish",
        "set -gx VIRTUAL_ENV '/made'\n",
        0o644,
    );
    write(
        "before/bin/tool",
        "#!/made/bin/python\nimport tool\n",
        0o751,
    );
    write(
        "before/bin/odd",
        "#!/bin/sh\n'''exec' '/made/bin/python' \"$0\" \"$@\"\n' '''\n",
        0o700,
    );
    write(&format!("{site}/easy-install.pth"), "/made/src/x\n", 0o600);
    write("before/src/x/x.py", "", 0o644);
    write(
        &format!("{site}/tool-1.dist-info/RECORD"),
        "../../../bin/tool,sha256=x,1\n../../../bin/odd,sha256=y,2\n",
        0o644,
    );
    std::os::unix::fs::symlink("/made/lib", world.outside("before/lib64")).unwrap();
    std::os::unix::fs::symlink(&world.python.path, world.outside("before/bin/python")).unwrap();
}

#[test]
fn a_relocation_that_is_killed_is_completed_by_the_next() {
    let world = World::new();
    if !can_trace(&world) {
        return;
    }
    environment(&world);
    let place = world.outside("work/env");
    let words = [
        env!("CARGO_BIN_EXE_vpython"),
        "-vpython-tool",
        "relocate",
        "env",
    ];
    let run = |fault: Option<Fault>| -> Traced {
        let _ = std::fs::remove_dir_all(&place);
        copy(&world.outside("before"), &place);
        traced(&world, words.iter().map(ToString::to_string), &[], fault)
    };
    let clean = run(None);
    assert_eq!(clean.outcome.code, Some(0), "{}", clean.outcome);
    let expected = contents(&place);
    assert!(
        !expected
            .values()
            .any(|(_, said)| memchr::memmem::find(said, b"/made").is_some())
    );
    let mut tally = Tally::default();
    for moment in moments(clean.calls) {
        tally.visited += 1;
        let killed = run(Some(Fault::Kill(moment)));
        tally.hit += usize::from(killed.hit.is_some());
        let next = world.program(words[0], &words[1..]).run();
        if next.code != Some(0) || contents(&place) != expected {
            tally.broken.push(format!(
                "killed before call {moment} ({:?}): {next}",
                killed.hit
            ));
        }
    }
    tally.report(&format!("relocate killed at each of {} calls", clean.calls));
}
