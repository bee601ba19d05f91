//! Every kind of file in a store, damaged in every way: either the next launch works, or `check
//! --all --repair` repairs the store so that it does. No command waits forever or is refused
//! permanently.

mod damage;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use damage::{Damage, damages};

use crate::support::{Outcome, Wheel, World, is_sweep};

/// The time limit of a run.
const PATIENCE: Duration = Duration::from_mins(1);

/// A world with a store that has one of each kind of file, and a copy of that store.
struct Scene {
    world: World,
}

impl Scene {
    /// The store has a program with this many wheels in addition to `a`.
    fn new(more: usize) -> Self {
        let world = World::new();
        let names: Vec<String> = (0..more)
            .map(|number| format!("w{number}"))
            .chain(["a".to_owned()])
            .collect();
        for name in &names[..more] {
            world.wheel(&Wheel::module(name, "1"));
        }
        let wheel = Wheel::module("a", "1")
            .file("a_data.txt", "text")
            .entry_point("run", "a:VERSION");
        world.wheel(
            &wheel
                .script("shipped", "#!python\n")
                .data("data/share/a.cfg", "x"),
        );
        world.wheel(&Wheel::module("b", "1"));
        let block = format!(
            "# /// script\n# dependencies = ['{}']\n# ///\n",
            names.join("', '")
        );
        world.write("tool.py", block + "import a\nprint(a.VERSION)\n");
        world.install(["tool.py"]);
        world.vpython(["tool.py"]).run().prints("1\n");
        let outcome = world.vpython(["-vpython-tool", "check", "--all"]).run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        copy(&world.outside("root"), &world.outside("before"));
        Self { world }
    }

    /// The files in the store whose path contains one of these parts, relative to the store.
    fn files(&self, parts: &[&str]) -> Vec<PathBuf> {
        let before = self.world.outside("before");
        let entries = walkdir::WalkDir::new(&before)
            .sort_by_file_name()
            .into_iter()
            .map(Result::unwrap);
        let files = entries.filter(|entry| !entry.file_type().is_dir());
        let files = files.map(|file| file.path().strip_prefix(&before).unwrap().to_owned());
        files
            .filter(|path| {
                parts
                    .iter()
                    .any(|part| path.to_str().unwrap().contains(part))
            })
            .collect()
    }

    /// Damages each of the files in each way, or without a sweep in some ways, and checks the
    /// result.
    fn walk(&self, files: &[PathBuf]) {
        let mut broken = Vec::new();
        for (number, file) in files.iter().enumerate() {
            for damage in damages(number) {
                let root = self.world.outside("root");
                std::fs::remove_dir_all(&root).unwrap();
                copy(&self.world.outside("before"), &root);
                damage.apply(&root.join(file));
                if let Err(why) = self.is_repaired(damage, file) {
                    broken.push(format!("{}, {damage:?}: {why}", file.display()));
                }
            }
        }
        eprintln!(
            "{} files, {} damages, {} broken",
            files.len(),
            files.len() * damages(0).len(),
            broken.len()
        );
        assert!(
            broken.is_empty(),
            "{} broken\n{}",
            broken.len(),
            broken.join("\n\n")
        );
    }

    fn is_repaired(&self, damage: Damage, file: &Path) -> Result<(), String> {
        // A launch may have to be stopped where python itself waits for a pipe.
        let launched = self
            .run(&["tool.py"], Duration::from_secs(10))
            .map_or_else(|why| why, |outcome| outcome.to_string());
        let works = |outcome: &Outcome| outcome.code == Some(0) && outcome.stdout == "1\n";
        let repaired = self.succeeds(&["-vpython-tool", "check", "--all", "--repair"])?;
        let found = self.succeeds(&["-vpython-tool", "check", "--all"])?;
        let is_sound = found.stdout.contains(": all files are intact\n");
        let again = self.run(&["tool.py"], PATIENCE)?;
        let silent = self.run(&["tool.py"], PATIENCE)?;
        if !works(&again) || !works(&silent) || !silent.stderr.is_empty() || !is_sound {
            return Err(format!(
                "{launched}\n{repaired}\n{found}\n{again}\n{silent}"
            ));
        }
        // A launch that works has not checked everything; `check` finds the rest.
        let is_ours = file.starts_with("v1/envs") || file.starts_with("v1/wheels");
        let is_the_same = damage == Damage::Emptied && file.ends_with("vpython.compiled")
            || matches!(damage, Damage::Flipped(_))
                && !self
                    .world
                    .outside("before")
                    .join(file)
                    .symlink_metadata()
                    .unwrap()
                    .is_file()
            || matches!(
                damage,
                Damage::Flipped(_) | Damage::CutOff | Damage::Emptied
            ) && self
                .world
                .outside("before")
                .join(file)
                .metadata()
                .is_ok_and(|metadata| metadata.size() == 0);
        let is_reported = repaired.stdout.contains(" damaged\n")
            || ["vpython rebuilds it", "vpython unpacks it again"]
                .iter()
                .any(|remedy| launched.contains(remedy));
        // Without the marker no byte code is linked, and python itself does not use `lib64`.
        let is_optional = damage == Damage::Deleted
            && (file.ends_with("vpython.compiled") || file.ends_with("lib64"));
        if is_ours && !is_the_same && !is_reported && !is_optional {
            return Err(format!(
                "the damage was not noticed\n{launched}\n{repaired}"
            ));
        }
        if file.starts_with("v1/memo") {
            self.succeeds(&["-vpython-tool", "prune"])?;
        } else if !is_ours {
            self.succeeds(&["-vpython-tool", "prune", "--all"])?;
            self.succeeds(&["-vpython-tool", "install", "tool.py"])?;
        }
        Ok(())
    }

    fn succeeds(&self, words: &[&str]) -> Result<Outcome, String> {
        let outcome = self.run(words, PATIENCE)?;
        if outcome.code == Some(0) {
            Ok(outcome)
        } else {
            Err(outcome.to_string())
        }
    }

    /// Runs vpython with a time limit.
    fn run(&self, words: &[&str], patience: Duration) -> Result<Outcome, String> {
        let mut child = self.world.vpython(words).spawn();
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > patience {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err(format!("{words:?} does not end"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Outcome::new(
            &self.world,
            &format!("{words:?}"),
            &child.wait_with_output().unwrap(),
        ))
    }
}

/// Copies a store with the times, links, modes and hard links that vpython checks.
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

#[test]
fn what_an_environment_is_made_of() {
    let scene = Scene::new(0);
    let parts = [
        "vpython.json",
        "vpython.compiled",
        "pyvenv.cfg",
        "bin/python3",
        "lib64",
        "bin/activate.fish",
    ];
    let files = scene.files(&parts);
    assert!(files.len() >= 6, "{files:?}");
    scene.walk(&files);
}

#[test]
fn what_wheels_bring_into_an_environment() {
    let scene = Scene::new(0);
    let files: Vec<PathBuf> = scene.files(&[
        "/a.py",
        "/a.cpython",
        "/RECORD",
        "/bin/run",
        "/bin/shipped",
        "share/a.cfg",
    ]);
    let files: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| path.starts_with("v1/envs"))
        .collect();
    assert_eq!(files.len(), 6, "{files:?}");
    scene.walk(&files);
}

#[test]
fn what_an_unpacked_wheel_has() {
    let scene = Scene::new(0);
    let files = scene.files(&[
        "/wheel.json",
        "/byte-code.json",
        "/a.py",
        "/a.cpython",
        "/METADATA",
        "/scripts/run",
    ]);
    let files: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| path.starts_with("v1/wheels"))
        .collect();
    assert_eq!(files.len(), 6, "{files:?}");
    scene.walk(&files);
}

#[test]
fn what_is_kept_of_launches_interpreters_and_wheelhouses() {
    // The stamps of some wheels are in a separate file.
    let scene = Scene::new(8);
    let files = scene.files(&["/memo/"]);
    let kinds = [
        "launch-",
        "inputs-",
        "interpreter-",
        "wheelhouse-",
        "wheels-of-",
    ];
    for kind in kinds {
        assert!(
            files
                .iter()
                .any(|path| path.to_str().unwrap().contains(&format!("/memo/{kind}"))),
            "{kind}: {files:?}"
        );
    }
    scene.walk(&files);
}

#[test]
fn locks_and_the_mark_of_the_last_prune() {
    let scene = Scene::new(0);
    let files = scene.files(&["/locks/", "v1/pruned"]);
    assert!(
        files.len() >= 4 && files.iter().any(|path| path.ends_with("pruned")),
        "{files:?}"
    );
    scene.walk(&files);
}

#[test]
fn a_flipped_bit_in_what_is_kept_decides_nothing() {
    let scene = Scene::new(0);
    for file in scene.files(&["/memo/interpreter-", "/memo/wheelhouse-", "/memo/launch-"]) {
        let length = scene
            .world
            .outside("before")
            .join(&file)
            .metadata()
            .unwrap()
            .size();
        for step in (0..25).step_by(if is_sweep() { 1 } else { 8 }) {
            let root = scene.world.outside("root");
            std::fs::remove_dir_all(&root).unwrap();
            copy(&scene.world.outside("before"), &root);
            let path = root.join(&file);
            let mut content = std::fs::read(&path).unwrap();
            let at = usize::try_from(length * step / 25).unwrap();
            content[at] ^= 1 << (step % 7);
            std::fs::write(&path, content).unwrap();
            // Another spec, resolved from the memo.
            scene.world.write(
                "other.py",
                "# /// script\n# dependencies = ['a', 'b']\n# ///\nimport a\nprint(a.VERSION)\n",
            );
            for script in ["tool.py", "other.py"] {
                scene.world.vpython([script]).run().prints("1\n");
            }
        }
    }
}
