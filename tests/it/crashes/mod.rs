//! A run that is ended at any moment, or that the system refuses something, leaves nothing in the way of the next one.
//!
//! Each moment is a system call of the run or of what it starts. `VPYTHON_SWEEP=all` visits every one of them, `VPYTHON_SWEEP=100` a
//! hundred for each kind of run and fault, spread over all of it; without, it is a few. With `--nocapture` the counts are printed.

mod in_place;
mod kills;
mod refusals;

use std::path::PathBuf;
use std::process::Command;

use crate::support::trace::{Fault, Traced, traced};
use crate::support::{Wheel, World};

/// How many moments are visited where nobody says.
const FEW: usize = 10;

/// A kind of run, with the store that it finds.
struct Scene {
    name: &'static str,
    world: World,
    words: &'static [&'static str],
    /// The store that each run finds; none where there is no store yet.
    before: Option<PathBuf>,
}

impl Scene {
    /// There is no store yet.
    fn cold(name: &'static str, words: &'static [&'static str]) -> Self {
        Self { name, world: world(), words, before: None }
    }

    /// The environment stands, and `change` was done to it.
    fn built(name: &'static str, words: &'static [&'static str], change: impl FnOnce(PathBuf)) -> Self {
        let world = world();
        change(world.install(["tool.py"]));
        let before = world.outside("before");
        copy(&world.outside("root"), &before);
        Self { name, world, words, before: Some(before) }
    }

    /// The run, from the beginning, with what happens to it.
    fn run(&self, fault: Option<Fault>) -> Traced {
        let root = self.world.outside("root");
        let _ = std::fs::remove_dir_all(&root);
        if let Some(before) = &self.before {
            copy(before, &root);
        }
        let words = self.words.iter().map(ToString::to_string);
        traced(&self.world, [env!("CARGO_BIN_EXE_vpython").to_owned()].into_iter().chain(words), fault)
    }

    /// A launch works, all that stands is as it was made, and a later prune leaves nothing else.
    fn next_launch_works(&self) -> Result<(), String> {
        let expect = |words: &[&str], stdout: Option<&str>| {
            let outcome = self.world.vpython(words).run();
            let is_right =
                outcome.code == Some(0) && outcome.stderr.is_empty() && stdout.is_none_or(|stdout| outcome.stdout == stdout);
            if is_right { Ok(()) } else { Err(outcome.to_string()) }
        };
        expect(&["tool.py"], Some("1 2 3\n"))?;
        if self.words.contains(&"--repair") {
            // What was interrupted is taken up again.
            expect(&["-vpython-tool", "check", "--all", "--repair"], None)?;
            expect(&["tool.py"], Some("1 2 3\n"))?;
        }
        let sound = "1 environment and 3 unpacked wheels: all files are as they were made\n";
        expect(&["-vpython-tool", "check", "--all"], Some(sound))?;
        expect(&["-vpython-tool", "prune"], None)?;
        let names = |folder: &str| {
            let entries = std::fs::read_dir(self.world.store(folder)).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let litter: Vec<String> = names("").into_iter().chain(names("memo")).filter(|name| name.starts_with('.')).collect();
        let found = (names("envs").len(), names("wheels").len(), names("tmp").len(), &litter[..]);
        if found == (1, 3, 0, &[]) { Ok(()) } else { Err(format!("left are {found:?}")) }
    }
}

/// A world with three wheels, of each kind of file that there is, and a script that needs them.
fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1").file("a/data.bin", vec![7; 300_000]).entry_point("run-a", "a:main").compressed());
    world.wheel(&Wheel::module("b", "2").script("b.sh", "#!python\n").data("data/share/b.txt", "b").file("b/c/d.py", ""));
    world.wheel(&Wheel::module("c", "3"));
    let dependencies = "# /// script\n# dependencies = ['a', 'b', 'c']\n# ///\n";
    world.write("tool.py", format!("{dependencies}import a, b, c\nprint(a.VERSION, b.VERSION, c.VERSION)\n"));
    world
}

/// Copies a store with all that it is told by: times, links, modes.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// The moments to visit among `count`, which are numbered from 1.
fn moments(count: usize) -> Vec<usize> {
    let tries = match std::env::var("VPYTHON_SWEEP").as_deref() {
        Ok("all") => count,
        Ok(tries) => tries.parse().expect("VPYTHON_SWEEP is `all` or a number"),
        Err(_) => FEW,
    };
    let tries = tries.min(count);
    (0..tries).map(|index| 1 + index * count / tries).collect()
}

/// All that went wrong, and how often all was well.
#[derive(Debug, Default)]
struct Tally {
    visited: usize,
    hit: usize,
    broken: Vec<String>,
}

impl Tally {
    /// Says what came of it, and fails if anything is broken.
    #[track_caller]
    fn report(self, what: &str) {
        eprintln!("{what}: {} visited, {} hit, {} broken", self.visited, self.hit, self.broken.len());
        assert!(self.broken.is_empty(), "{what}: {} broken\n{}", self.broken.len(), self.broken.join("\n\n"));
        assert!(self.hit >= self.visited * 3 / 4, "{what}: only {} of {} were hit", self.hit, self.visited);
    }
}
