//! That the work of choosing wheels grows with what is asked for, and not with its square. What is
//! counted is what is done once for each pair where somebody has forgotten an index: versions
//! compared with requirements, requirements written out, digests taken in, words of sets.

use std::cell::Cell;
use std::fs;

use super::interpreter::tests::facts;
use super::{Evidence, choose_wheels};
use crate::invocation::{Chosen, Invocation};
use crate::process::Process;
use crate::spec::{Origin, SpecKind, SpecText};

thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// Counts some work of this thread.
pub(super) fn note(work: usize) {
    DONE.set(DONE.get() + work);
}

/// What choosing wheels for a spec takes, with so many files that are no wheels of `one`.
fn work(content: String, files: usize) -> usize {
    let base = tempfile::tempdir().unwrap();
    let house = base.path().join("wheels");
    fs::create_dir(&house).unwrap();
    for number in 0..files {
        fs::write(
            house.join(format!("one-1.{number}-py3-none-any.whl")),
            number.to_string(),
        )
        .unwrap();
    }
    let origin = Origin {
        file: Some(base.path().join("spec")),
        lines_before: 0,
        columns_before: 0,
    };
    let directory = Some(base.path().to_path_buf());
    let kind = SpecKind::Requirements;
    let text = SpecText {
        kind,
        origin,
        base: directory,
        content,
        warnings: Vec::new(),
        chosen: Chosen::default(),
    };
    let process = Process::default();
    let invocation = Invocation::read(&process).unwrap();
    let spec = text.parse(&process).unwrap();
    let before = DONE.get();
    let chosen = choose_wheels(
        &spec,
        &facts([3, 11, 7]),
        &invocation,
        base.path(),
        &mut Evidence::default(),
    );
    assert!(chosen.is_err(), "{text:?}");
    DONE.get() - before
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect()
}

#[test]
fn twice_as_much_is_twice_the_work() {
    let pins = |count: usize| work(lines(count, |number| format!("p{number}==1")), 0);
    let dependencies = |count: usize| work(lines(count, |number| format!("one>=0.{number}")), 1);
    let broken = |count: usize| work("one\n".to_owned(), count);
    let digests = |count: usize| lines(count, |number| format!("--hash=sha256:{number:064x} \\"));
    let hashes = |count: usize| work(format!("one \\\n{}\n", digests(count)), count);
    let rows: [(&str, &dyn Fn(usize) -> usize); 4] = [
        ("pins without wheels", &pins),
        ("demands of one project", &dependencies),
        ("broken wheels of a project", &broken),
        ("digests and wheels of a project", &hashes),
    ];
    for (what, work) in rows {
        // Above the size from which what is missing is looked for first.
        let [one, two, four] = [1100, 2200, 4400].map(work);
        assert!(one > 0, "{what}: nothing was counted");
        assert!(
            four - two <= (two - one) * 5 / 2,
            "{what}: {one}, {two}, {four}"
        );
    }
}
