//! The results of other tools under the same kills, for the table in `docs/reliability.md`.
//! `VPYTHON_PEERS` names the directory with `uv` and `pex`. The test only requires that they work
//! without a fault.

use super::{moments, world};
use crate::support::World;
use crate::support::trace::{Fault, can_trace, traced};

/// One of the other tools.
struct Peer {
    name: &'static str,
    /// The setup, run once: lines of `sh`.
    before: &'static str,
    /// A first launch of the program: lines of `sh`. All its files are below `root`.
    launch: &'static str,
}

const PEERS: [Peer; 3] = [
    Peer {
        name: "uv run",
        before: "",
        launch: "UV_CACHE_DIR=root uv run --quiet --no-project --offline --no-index --find-links wheels --python $PYTHON \
                 --with a --with b --with c plain.py",
    },
    Peer {
        name: "uv venv and uv pip install",
        before: "",
        launch: "export UV_CACHE_DIR=root/cache\n\
                 test -d root/env || uv venv --quiet --offline --python $PYTHON root/env\n\
                 uv pip install --quiet --offline --no-index --find-links wheels --python root/env/bin/python a b c\n\
                 root/env/bin/python plain.py",
    },
    Peer {
        name: "pex --venv",
        before: "pex a b c --no-index --find-links wheels --venv --python $PYTHON -o tool.pex",
        launch: "PEX_ROOT=root $PYTHON tool.pex plain.py",
    },
];

fn run(world: &World, lines: &str, directory: &str, fault: Option<Fault>) -> (usize, bool) {
    let path = format!("{directory}:/usr/bin:/bin");
    let variables = [
        ("PATH", path),
        ("PYTHON", world.python.path.to_str().unwrap().to_owned()),
    ];
    let words = ["/bin/sh", "-ec", lines].map(str::to_owned);
    let traced = traced(world, words, &variables, fault);
    let is_right = traced.outcome.code == Some(0) && traced.outcome.stdout.ends_with("1 2 3\n");
    assert!(
        is_right || fault.is_some() || world.path("root").exists(),
        "{}",
        traced.outcome
    );
    (traced.calls, is_right)
}

#[test]
fn what_others_make_of_kills() {
    let Ok(directory) = std::env::var("VPYTHON_PEERS") else {
        not_tested!("`VPYTHON_PEERS` does not name a directory with uv and pex");
        return;
    };
    let world = world();
    if !can_trace(&world) {
        return;
    }
    world.write(
        "plain.py",
        "import a, b, c\nprint(a.VERSION, b.VERSION, c.VERSION)\n",
    );
    for peer in PEERS {
        run(
            &world,
            &format!("{}\necho 1 2 3", peer.before),
            &directory,
            None,
        );
        let clean = || std::fs::remove_dir_all(world.path("root")).unwrap_or_default();
        clean();
        let (calls, is_right) = run(&world, peer.launch, &directory, None);
        assert!(is_right, "{} does not work", peer.name);
        let (mut visited, mut broken) = (0, 0);
        for moment in moments(calls) {
            clean();
            run(&world, peer.launch, &directory, Some(Fault::Kill(moment)));
            visited += 1;
            broken += usize::from(!run(&world, peer.launch, &directory, None).1);
        }
        eprintln!(
            "{} killed at each of {calls} calls: {visited} visited, {broken} broken",
            peer.name
        );
    }
}
