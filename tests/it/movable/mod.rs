//! Environments that are moved: every form that vpython makes, at every path, in every use.
//!
//! Next to this table, `places` has the paths and the ways to move there, `scripts` tests the kinds
//! of scripts and the ways to call them, `shells` tests activation by each shell, and `names` checks
//! that no file in an environment contains its path.
//!
//! `VPYTHON_MATRIX=all` tests every form with every python at every path; the default is every form
//! with one python, and one form with the others.

mod names;
mod places;
mod scripts;
mod shells;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Python, Wheel, World, start};
use places::{Place, Relocated, can_mount, tour};

/// The way in which an environment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In the store.
    Entry,
    /// By `export`, which shares its files with the store.
    Export,
    /// By `export --copy`.
    Copy,
    /// By `export --with-python`.
    WithPython,
    /// By `pack` and `unpack`.
    Unpacked,
    /// By `pack --with-python` and `unpack`.
    UnpackedWithPython,
}

impl Form {
    const ALL: [Self; 6] = [
        Self::Entry,
        Self::Export,
        Self::Copy,
        Self::WithPython,
        Self::Unpacked,
        Self::UnpackedWithPython,
    ];

    /// The forms that are tested with each python.
    fn with_each_python() -> &'static [Self] {
        if is_full() {
            &Self::ALL
        } else {
            &[Self::Entry]
        }
    }

    /// The paths to which the tests move this form. A form with an interpreter has thousands of
    /// files, and is moved only where that may matter.
    fn places(self) -> &'static [Place] {
        match self {
            _ if is_full() => &Place::ALL,
            Self::WithPython | Self::UnpackedWithPython => &[Place::Odd, Place::ReadOnly],
            _ => &Place::ALL,
        }
    }

    /// Makes the environment of the world's spec, including byte code, and returns its directory.
    fn make(self, world: &World) -> PathBuf {
        let run = |words: &[&str]| {
            let said = world.vpython(["-vpython-tool"]).arguments(words).run();
            assert_eq!(said.code, Some(0), "{self:?}: {said}");
        };
        match self {
            Self::Entry => return world.install(["-c", ""]),
            Self::Export => run(&["export", "exported", "-c", ""]),
            Self::Copy => run(&["export", "exported", "--copy", "-c", ""]),
            Self::WithPython => run(&["export", "exported", "--with-python", "-c", ""]),
            Self::Unpacked => run(&["pack", "--output", "packed.tar.gz", "-c", ""]),
            Self::UnpackedWithPython => {
                run(&["pack", "--output", "packed.tar", "--with-python", "-c", ""]);
            }
        }
        match self {
            Self::Unpacked => run(&["unpack", "packed.tar.gz", "exported"]),
            Self::UnpackedWithPython => run(&["unpack", "packed.tar", "exported"]),
            _ => {}
        }
        world.path("exported")
    }
}

/// A use of an environment.
#[derive(Debug, Clone, Copy)]
enum Use {
    Import,
    Module,
    /// A module of the standard library, and one of a wheel.
    Extension,
    EntryPoint,
    Script,
    Subprocess,
    Activate,
}

impl Use {
    const ALL: [Self; 7] = [
        Self::Import,
        Self::Module,
        Self::Extension,
        Self::EntryPoint,
        Self::Script,
        Self::Subprocess,
        Self::Activate,
    ];

    #[track_caller]
    fn works(self, moved: &Relocated) {
        let python = moved.path("bin/python");
        let run = |text: &str| moved.program(&python).arguments(["-c", text]).run();
        let own = |path: &str| format!("{}\n", moved.path(path).display());
        let environment = format!("{}\n", moved.environment.display());
        let module = moved.module();
        let (said, expected) = match self {
            Self::Import => (
                run("import movable; print(movable.__file__.replace('.pyc', '.py'))"),
                own(&module),
            ),
            Self::Module => (
                moved.program(&python).arguments(["-m", "movable"]).run(),
                "module\n".into(),
            ),
            Self::Extension => (
                run("import _json, movable.native; print(movable.native.__name__)"),
                "movable.native\n".into(),
            ),
            Self::EntryPoint => (moved.program(moved.path("bin/movable")).run(), environment),
            Self::Script => (moved.program(moved.path("bin/plain")).run(), environment),
            Self::Subprocess => {
                let text = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', \
                            'import movable; print(movable.__file__.replace(\".pyc\", \".py\"))']))";
                (run(text), own(&module))
            }
            Self::Activate => {
                // Not every shell reports the path by which it reads the file, if there are
                // several.
                let text = ". \"$1\"; cd \"$(movable)\"; pwd -P";
                let activate = moved.path("bin/activate");
                let words = [
                    "-euc".as_ref(),
                    text.as_ref(),
                    "sh".as_ref(),
                    activate.as_os_str(),
                ];
                let real = std::fs::canonicalize(&moved.environment).unwrap();
                (
                    moved.program("/bin/sh").arguments(words).run(),
                    format!("{}\n", real.display()),
                )
            }
        };
        assert_eq!(
            (said.code, &*said.raw_stdout, &*said.stderr),
            (Some(0), &*expected, ""),
            "{self:?}: {said}"
        );
    }
}

#[track_caller]
fn all_uses_work(moved: &Relocated) {
    for usage in Use::ALL {
        usage.works(moved);
    }
}

/// A wheel with a module, a C extension where this machine can compile it, and scripts that print
/// the environment that they find.
fn wheel(python: &Python) -> Wheel {
    fill(Wheel::new("movable", "1"), native(python))
}

fn fill(wheel: Wheel, native: Option<Vec<u8>>) -> Wheel {
    let found =
        "import sys\ndef main():\n    print(sys.prefix)\ndef words():\n    print(sys.argv[1:])\n";
    let native = native.map_or(("movable/native.py", Vec::new()), |content| {
        ("movable/native.so", content)
    });
    let wheel = wheel
        .compressed()
        .file("movable/__init__.py", found)
        .file("movable/__main__.py", "print('module')\n")
        .file(native.0, native.1)
        .data("data/share/movable/text", "data")
        .entry_point("movable", "movable:main")
        .entry_point("words", "movable:words")
        .script("plain", "#!python\nimport movable\nmovable.main()\n")
        .script(
            "words-shipped",
            "#!python\nimport movable\nmovable.words()\n",
        );
    scripts::SCRIPTS.iter().fold(wheel, |wheel, script| {
        wheel.script(script.name, script.content())
    })
}

/// A C extension, compiled for this python.
fn native(python: &Python) -> Option<Vec<u8>> {
    let directories = python.path.parent()?.parent()?.join("include");
    let names = ["", "m"].map(|suffix| format!("{}{suffix}/Python.h", python.name()));
    let header = names
        .iter()
        .map(|name| directories.join(name))
        .find(|header| header.exists());
    let Some(header) = header else {
        not_tested!(
            "there is nothing to compile modules for {} with",
            python.version
        );
        return None;
    };
    let include = header.parent()?;
    let directory = tempfile::tempdir().unwrap();
    let (source, module) = (
        directory.path().join("native.c"),
        directory.path().join("native.so"),
    );
    let text = "#include <Python.h>\nstatic struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"native\"};\n\
                PyMODINIT_FUNC PyInit_native(void) {\nPyObject *native = PyModule_Create(&module);\n\
                #ifdef Py_GIL_DISABLED\nPyUnstable_Module_SetGIL(native, Py_MOD_GIL_NOT_USED);\n#endif\n\
                return native; }\n";
    std::fs::write(&source, text).unwrap();
    let mut command = Command::new("/usr/bin/env");
    command
        .args(["cc", "-shared", "-fPIC", "-I"])
        .args([include, &source])
        .arg("-o")
        .arg(&module);
    if !start(&mut command).wait().unwrap().success() {
        not_tested!("there is no C compiler");
        return None;
    }
    Some(std::fs::read(module).unwrap())
}

/// A world whose spec requires that wheel.
fn world(python: &'static Python) -> World {
    let world = World::with_python(python);
    world.wheel(&wheel(python));
    world.write("vpython.toml", "dependencies = ['movable']\n");
    world
}

/// A world whose spec requires CPython 2.7; `None` without CPython 2.7.
fn world_of_two() -> Option<World> {
    let two = Python::two()?;
    let world = world(Python::any());
    symlink(two, world.outside("bin/python2.7")).unwrap();
    let wheel = Wheel::new("movable", "2").tag("py2-none-any");
    world.wheel(&fill(wheel, None));
    world.write(
        "vpython.toml",
        "requires-python = '==2.7.*'\ndependencies = ['movable']\n",
    );
    Some(world)
}

/// Checks whether the whole table is to be tested.
fn is_full() -> bool {
    std::env::var_os("VPYTHON_MATRIX").is_some_and(|value| value == "all")
}

#[test]
fn every_form_works_at_every_path() {
    let python = Python::any();
    for form in Form::ALL {
        let world = world(python);
        eprintln!("{form:?}");
        let made = form.make(&world);
        names::assert_nothing_names(&world, &made);
        tour(&world, &made, form.places(), all_uses_work);
    }
}

#[test]
fn every_python_works_at_the_hardest_paths() {
    let works = |python: &'static Python| {
        for form in Form::with_each_python() {
            let world = world(python);
            eprintln!("{} {form:?}", python.version);
            let made = form.make(&world);
            names::assert_nothing_names(&world, &made);
            let places: &[Place] = if is_full() {
                &Place::ALL
            } else {
                &[Place::Odd, Place::Long]
            };
            tour(&world, &made, places, |moved| {
                all_uses_work(moved);
                if moved.place == Place::Odd {
                    scripts::all_work(moved);
                }
            });
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = Python::each_build()
            .into_iter()
            .map(|python| scope.spawn(move || works(python)))
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn python_2_works_in_every_form() {
    for form in Form::ALL
        .into_iter()
        .filter(|form| is_full() || *form != Form::UnpackedWithPython)
    {
        let Some(world) = world_of_two() else { return };
        eprintln!("{form:?}");
        let made = form.make(&world);
        names::assert_nothing_names(&world, &made);
        let places: &[Place] = if is_full() {
            &Place::ALL
        } else {
            &[Place::Odd, Place::ReadOnly]
        };
        tour(&world, &made, places, |moved| {
            all_uses_work(moved);
            if form == Form::Entry {
                scripts::all_work(moved);
            }
        });
    }
}

#[test]
fn a_read_only_path_is_really_read_only() {
    if !can_mount() {
        return;
    }
    let world = world(Python::any());
    tour(
        &world,
        &Form::Copy.make(&world),
        &[Place::ReadOnly],
        |moved| {
            let said = moved
                .program("/usr/bin/touch")
                .arguments([moved.path("lib/x")])
                .run();
            assert!(said.stderr.contains("Read-only file system"), "{said}");
        },
    );
}
