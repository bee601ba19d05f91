//! Scripts as wheels ship them, and the ways to call one.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{Form, Place, Relocated, tour, world};
use crate::support::{Outcome, Python, has_strace};

/// A script of a wheel.
pub struct Script {
    pub name: &'static str,
    /// The first line, with its line ending.
    first: &'static [u8],
    rest: &'static [u8],
    prints: &'static str,
}

/// Each has something that an inserted line, another line ending, or another first line would
/// break.
pub const SCRIPTS: [Script; 9] = [
    Script {
        name: "docstring",
        first: b"#!python\n",
        rest: b"'''doc'''\nfrom __future__ import division\nprint(__doc__)\n",
        prints: "doc\n",
    },
    Script {
        name: "parentheses",
        first: b"#!python\n",
        rest: b"\"\"\"two\nlines\"\"\"\nfrom __future__ import (\n    division,\n    print_function,\n)\nprint(__doc__)\n",
        prints: "two\nlines\n",
    },
    Script { name: "latin-1", first: b"#!python\n", rest: b"# -*- coding: latin-1 -*-\nprint(len('\xe9'))\n", prints: "1\n" },
    Script {
        name: "cr-lf",
        first: b"#!python\r\n",
        rest: b"'''doc'''\r\nfrom __future__ import division\r\nprint('''a\r\nb''')\r\n",
        prints: "a\nb\n",
    },
    Script { name: "no-newline", first: b"#!python\n", rest: b"print('end')", prints: "end\n" },
    Script { name: "options", first: b"#!python3 -E\n", rest: b"print('w')\n", prints: "w\n" },
    Script { name: "one-line", first: b"#!python", rest: b"", prints: "" },
    Script { name: "shell", first: b"#!/bin/sh\n", rest: b"echo \"shell ${0##*/}\"\n", prints: "shell shell\n" },
    Script { name: "binary", first: b"", rest: b"", prints: "\n" },
];

impl Script {
    /// The content in the wheel.
    pub fn content(&self) -> Vec<u8> {
        if self.name == "binary" {
            binary()
        } else {
            [self.first, self.rest].concat()
        }
    }

    /// Checks that it runs, and that only its first line differs from the wheel.
    #[track_caller]
    pub fn works(&self, moved: &Relocated) {
        let path = moved.path("bin").join(self.name);
        let installed = std::fs::read(&path).unwrap();
        if self.first.starts_with(b"#!python") {
            let end = installed.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            assert_eq!(installed[end..], *self.rest, "{}", self.name);
        } else {
            assert_eq!(installed, self.content(), "{}", self.name);
        }
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o555,
            0o555,
            "{}",
            self.name
        );
        moved.program(&path).run().prints(self.prints);
    }
}

#[track_caller]
pub fn all_work(moved: &Relocated) {
    for script in &SCRIPTS {
        script.works(moved);
    }
}

/// A program that is not a script, and prints an empty line: `echo`.
fn binary() -> Vec<u8> {
    let binary = std::fs::read("/bin/echo").unwrap();
    assert!(binary.starts_with(b"\x7fELF"));
    binary
}

/// A line of `sh` with this `PATH`, in this directory.
fn by_path(moved: &Relocated, shell: &str, path: &str, within: &Path, line: &str) -> Outcome {
    let words = shell.split(' ').chain(["-c", line]);
    moved
        .program("/usr/bin/env")
        .arguments(["-i", &format!("PATH={path}")])
        .arguments(words)
        .within(within)
        .run()
}

#[test]
fn scripts_run_however_they_are_called() {
    let world = world(Python::any());
    tour(
        &world,
        &Form::Entry.make(&world),
        &[Place::Made, Place::Odd, Place::Linked],
        |moved| {
            let real = std::fs::canonicalize(&moved.environment).unwrap();
            let bin = moved.path("bin");
            let links = world.outside(&format!("links of {:?}", moved.place));
            std::fs::create_dir(&links).unwrap();
            symlink(&bin, links.join("bin")).unwrap();
            for name in ["movable", "plain"] {
                let prints_its_environment = |said: &Outcome, way: &str| {
                    let found = std::fs::canonicalize(said.raw_stdout.trim_end_matches('\n')).ok();
                    assert_eq!(
                        (said.code, found.as_ref(), &*said.stderr),
                        (Some(0), Some(&real), ""),
                        "{name}, {way}: {said}"
                    );
                };
                symlink(bin.join(name), links.join(name)).unwrap();
                symlink(name, links.join(format!("again-{name}"))).unwrap();
                let relative = format!("./{name}");
                let up = format!("../bin/{name}");
                let again = format!("again-{name}");
                let linked = format!("bin/{name}");
                let [bin_text, links_text, linked_text] = [&bin, &links, &links.join("bin")]
                    .map(|path| format!("{}:/usr/bin:/bin", path.display()));
                let anywhere = Path::new("/");
                #[rustfmt::skip]
            let rows: [(&str, &str, &str, &Path, &str); 12] = [
                ("by a relative path", "/bin/sh", "/usr/bin:/bin", &bin, &relative),
                ("by a relative path without a PATH", "/bin/sh", "", &bin, &relative),
                ("by a path with `..`", "/bin/sh", "/usr/bin:/bin", &bin, &up),
                ("on PATH", "/bin/sh", &bin_text, anywhere, name),
                ("by a link on PATH", "/bin/sh", &links_text, anywhere, name),
                ("by a link to a link", "/bin/bash", &links_text, anywhere, &again),
                ("by a link to the directory on PATH", "/bin/sh", &linked_text, anywhere, name),
                ("by a path with a link to the directory", "/bin/sh", "/usr/bin:/bin", &links, &linked),
                ("with PATH=. in the directory", "/bin/sh", ".", &bin, name),
                ("with PATH=. in the directory, by bash", "/bin/bash", ".", &bin, name),
                ("with PATH=. where a link is", "/bin/sh", ".:/usr/bin", &links, name),
                ("with an empty part of PATH", "/bin/sh", ":/usr/bin", &bin, name),
            ];
                for (way, shell, path, within, line) in rows {
                    prints_its_environment(&by_path(moved, shell, path, within, line), way);
                }
            }
            all_work(moved);
        },
    );
}

#[test]
fn arguments_reach_a_script_unchanged() {
    let world = world(Python::any());
    let environment = Form::Entry.make(&world);
    let words = ["a b", "", "*", "$HOME", "-x", "'"];
    for name in ["words", "words-shipped"] {
        let link = world.path(name);
        symlink(environment.join("bin").join(name), &link).unwrap();
        for path in [environment.join("bin").join(name), link] {
            let said = world.program(&path, words).env("IFS", "/").run();
            assert_eq!(
                said.stdout, "['a b', '', '*', '$HOME', '-x', \"'\"]\n",
                "{said}"
            );
        }
    }
}

#[test]
fn a_script_starts_no_process_of_its_own() {
    if !has_strace() {
        return;
    }
    let world = world(Python::any());
    let bin = Form::Entry.make(&world).join("bin");
    for name in ["movable", "plain"] {
        let words = [
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=fork,vfork,clone,clone3",
            "-e",
            "signal=none",
        ];
        let said = world
            .program("/usr/bin/env", words)
            .arguments([bin.join(name)])
            .run();
        assert_eq!((said.code, &*said.stderr), (Some(0), ""), "{name}: {said}");
    }
}
