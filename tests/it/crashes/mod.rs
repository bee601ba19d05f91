//! A run that ends at any moment, or that gets an error from any system call, does not prevent the
//! next one.
//!
//! A moment is a system call of the run or of a process that it starts. `VPYTHON_SWEEP=all` visits
//! every moment, `VPYTHON_SWEEP=100` a hundred for each kind of run and fault, evenly distributed;
//! the default is one. `--nocapture` prints the counts.

mod compiling;
mod from_index;
mod in_place;
mod kills;
mod misreports;
mod of_image;
mod peers;
mod refusals;
mod refused_kinds;
mod relocate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::trace::{Fault, Traced, traced};
use crate::support::{PackageIndex, Wheel, World};

/// A kind of run, with the store that it finds.
struct Scene {
    name: &'static str,
    world: World,
    words: &'static [&'static str],
    variables: Vec<(&'static str, String)>,
    /// The store that each run finds; `None` for no store.
    before: Option<PathBuf>,
    /// The user's files that each run finds, if the run writes such files.
    files: Option<PathBuf>,
    /// The package index that each run and the launches after it ask.
    index: Option<PackageIndex>,
}

impl Scene {
    /// A scene without a store.
    fn cold(name: &'static str, words: &'static [&'static str]) -> Self {
        Self {
            name,
            world: world(),
            words,
            variables: Vec::new(),
            before: None,
            files: None,
            index: None,
        }
    }

    /// A scene with a complete environment, to which `change` was applied.
    fn built(
        name: &'static str,
        words: &'static [&'static str],
        change: impl FnOnce(PathBuf),
    ) -> Self {
        let world = world();
        change(world.install(["tool.py"]));
        let before = world.outside("before");
        copy(&world.outside("root"), &before);
        Self {
            world,
            before: Some(before),
            ..Self::cold(name, words)
        }
    }

    /// A scene without a store, whose run writes user files. `change` prepares the world.
    fn writing(
        name: &'static str,
        words: &'static [&'static str],
        change: impl FnOnce(&World),
    ) -> Self {
        let world = world();
        change(&world);
        let files = world.outside("files");
        copy(&world.outside("work"), &files);
        let variables = vec![(
            "PYTHONPATH",
            world.outside("stub").to_str().unwrap().to_owned(),
        )];
        Self {
            world,
            variables,
            files: Some(files),
            ..Self::cold(name, words)
        }
    }

    /// `lock` writes a file next to the script.
    fn lock() -> Self {
        Self::writing("lock", &["-vpython-tool", "lock", "tool.py"], |_| {})
    }

    /// `upgrade` writes one file and removes another.
    fn upgrade() -> Self {
        Self::writing("upgrade", &["-vpython-tool", "upgrade"], |world| {
            world.write(
                ".vpython3",
                "# vpython: no-seed\nwheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n",
            );
        })
    }

    /// `export` replaces an existing environment.
    fn export() -> Self {
        Self::writing(
            "export",
            &["-vpython-tool", "export", "env", "tool.py"],
            |world| {
                let outcome = world
                    .vpython(["-vpython-tool", "export", "env", "-c", ""])
                    .run();
                assert_eq!(outcome.code, Some(0), "{outcome}");
                std::fs::remove_dir_all(world.outside("root")).unwrap();
            },
        )
    }

    /// `pack` replaces an existing file.
    fn pack() -> Self {
        Self::writing(
            "pack",
            &["-vpython-tool", "pack", "--output", "env.tar", "tool.py"],
            |world| {
                world.write("env.tar", "an older one");
            },
        )
    }

    /// `unpack` replaces an existing environment and points a link at it.
    fn unpack() -> Self {
        Self::writing(
            "unpack",
            &[
                "-vpython-tool",
                "unpack",
                "env.tar",
                "env",
                "--link",
                "current",
            ],
            |world| {
                let done = |words: &[&str]| {
                    let outcome = world.vpython(["-vpython-tool"]).arguments(words).run();
                    assert_eq!(outcome.code, Some(0), "{outcome}");
                };
                done(&["pack", "--output", "env.tar", "-c", ""]);
                done(&["unpack", "env.tar", "env"]);
                done(&["pack", "--output", "env.tar", "tool.py"]);
                std::fs::remove_dir_all(world.outside("root")).unwrap();
            },
        )
    }

    /// `push` writes an image layout.
    fn push() -> Self {
        let words = &["-vpython-tool", "push", "oci:layout:v1", "tool.py"];
        Self::writing("push", words, |_| {})
    }

    /// `fetch` fills a directory, with a short stub for pip.
    fn fetch() -> Self {
        Self::writing(
            "fetch",
            &["-vpython-tool", "fetch", "--build", "tool.py"],
            |world| {
                copy(&world.path("wheels"), &world.outside("index"));
                std::fs::remove_file(world.path("wheels/b-2-py3-none-any.whl")).unwrap();
                std::fs::create_dir_all(world.outside("stub/pip")).unwrap();
                std::fs::write(world.outside("stub/pip/__init__.py"), "").unwrap();
                let pip = "import shutil, sys\nif 'wheel' in sys.argv:\n    to = sys.argv[sys.argv.index('--wheel-dir') + 1]\n    \
                       shutil.copy('@INDEX@/b-2-py3-none-any.whl', to)\n";
                let pip = pip.replace("@INDEX@", world.outside("index").to_str().unwrap());
                std::fs::write(world.outside("stub/pip/__main__.py"), pip).unwrap();
            },
        )
    }

    /// Runs the scene from the start, with a fault.
    fn run(&self, fault: Option<Fault>) -> Traced {
        let root = self.world.outside("root");
        let _ = std::fs::remove_dir_all(&root);
        if let Some(before) = &self.before {
            copy(before, &root);
        }
        if let Some(files) = &self.files {
            let work = self.world.outside("work");
            std::fs::remove_dir_all(&work).unwrap();
            copy(files, &work);
        }
        let words = [env!("CARGO_BIN_EXE_vpython")]
            .iter()
            .chain(self.words)
            .map(ToString::to_string);
        traced(&self.world, words, &self.variables, fault)
    }

    /// Runs the scene without a fault.
    fn clean_run(&self) -> Traced {
        let clean = self.run(None);
        assert_eq!(clean.outcome.code, Some(0), "{}", clean.outcome);
        if self.files.is_some() {
            copy(&self.world.outside("work"), &self.world.outside("written"));
        }
        clean
    }

    /// Checks that a launch works, that the published files are unchanged, and that a later prune
    /// leaves nothing else.
    fn next_launch_works(&self) -> Result<(), String> {
        let expect = |words: &[&str], stdout: Option<&str>| {
            let mut launch = self.world.vpython(words);
            if self.index.is_some() || self.has_interpreter() {
                let variables = self.variables.iter();
                launch = variables.fold(launch, |launch, (name, value)| launch.env(name, value));
            }
            let outcome = launch.run();
            let is_right = outcome.code == Some(0)
                && outcome.stderr.is_empty()
                && stdout.is_none_or(|stdout| outcome.stdout == stdout);
            if is_right {
                Ok(())
            } else {
                Err(outcome.to_string())
            }
        };
        if self.files.is_some() {
            self.next_run_completes_it()?;
        }
        expect(&["tool.py"], Some("1 2 3\n"))?;
        if self.words.contains(&"--repair") {
            // The interrupted run is repeated.
            expect(&["-vpython-tool", "check", "--all", "--repair"], None)?;
            expect(&["tool.py"], Some("1 2 3\n"))?;
        }
        let sound = if self.has_interpreter() {
            "1 environment, 1 interpreter from images and 3 unpacked wheels: all files are intact\n"
        } else {
            "1 environment and 3 unpacked wheels: all files are intact\n"
        };
        expect(&["-vpython-tool", "check", "--all"], Some(sound))?;
        expect(&["-vpython-tool", "prune"], None)?;
        let names = |directory: &str| {
            let entries = std::fs::read_dir(self.world.store(directory)).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect::<Vec<_>>()
        };
        let litter: Vec<String> = names("")
            .into_iter()
            .chain(names("memo"))
            .filter(|name| name.starts_with('.'))
            .collect();
        let found = (
            names("envs").len(),
            names("wheels").len(),
            names("tmp").len(),
            &litter[..],
        );
        if found == (1, 3, 0, &[]) {
            Ok(())
        } else {
            Err(format!("left are {found:?}"))
        }
    }

    /// Checks that the run can be completed, and that only its output exists afterwards.
    fn next_run_completes_it(&self) -> Result<(), String> {
        let launch = self.world.vpython(self.words);
        let outcome = self
            .variables
            .iter()
            .fold(launch, |launch, (name, value)| launch.env(name, value))
            .run();
        let [found, expected] =
            ["work", "written"].map(|directory| contents(&self.world.outside(directory)));
        match outcome.code {
            Some(0) if found == expected => Ok(()),
            Some(0) => Err(format!(
                "left are {:?}, where {:?} were to be",
                found.keys(),
                expected.keys()
            )),
            _ => Err(outcome.to_string()),
        }
    }
}

/// The files of a directory with their contents, except files that contain the current time.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = walkdir::WalkDir::new(directory)
        .into_iter()
        .map(Result::unwrap);
    let files =
        entries.filter(|entry| !entry.path().is_dir() && entry.file_name() != "vpython.json");
    files
        .map(|file| {
            (
                file.path().strip_prefix(directory).unwrap().to_owned(),
                std::fs::read(file.path()).unwrap(),
            )
        })
        .collect()
}

/// A world with three wheels that have each kind of file, and a script that needs them.
fn world() -> World {
    let world = World::new();
    world.wheel(
        &Wheel::module("a", "1")
            .file("a/data.bin", vec![7; 300_000])
            .entry_point("run-a", "a:main")
            .compressed(),
    );
    world.wheel(
        &Wheel::module("b", "2")
            .script("b.sh", "#!python\n")
            .data("data/share/b.txt", "b")
            .file("b/c/d.py", ""),
    );
    world.wheel(&Wheel::module("c", "3"));
    let dependencies = "# /// script\n# dependencies = ['a', 'b', 'c']\n# ///\n";
    world.write(
        "tool.py",
        format!("{dependencies}import a, b, c\nprint(a.VERSION, b.VERSION, c.VERSION)\n"),
    );
    world
}

/// Copies a store with the times, links and modes that vpython checks.
fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

/// The moments to visit out of `count`, numbered from 1.
pub fn moments(count: usize) -> Vec<usize> {
    let tries = match std::env::var("VPYTHON_SWEEP").as_deref() {
        Ok("all") => count,
        Ok(tries) => tries.parse().expect("VPYTHON_SWEEP is `all` or a number"),
        Err(_) => 1,
    };
    let tries = tries.min(count);
    (0..tries).map(|index| 1 + index * count / tries).collect()
}

/// The failures, and the number of successful runs.
#[derive(Debug, Default)]
pub struct Tally {
    pub visited: usize,
    pub hit: usize,
    pub broken: Vec<String>,
}

impl Tally {
    /// Prints the result, and fails if anything is broken.
    #[track_caller]
    pub fn report(self, what: &str) {
        eprintln!(
            "{what}: {} visited, {} hit, {} broken",
            self.visited,
            self.hit,
            self.broken.len()
        );
        assert!(
            self.broken.is_empty(),
            "{what}: {} broken\n{}",
            self.broken.len(),
            self.broken.join("\n\n")
        );
        assert!(
            self.hit >= self.visited * 3 / 4,
            "{what}: only {} of {} were hit",
            self.hit,
            self.visited
        );
    }
}
