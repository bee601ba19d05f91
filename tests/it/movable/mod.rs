//! Environments that are taken elsewhere: every form in which vpython makes one, at every place, in
//! every use.
//!
//! Beside this table stand what a script is and how it may be called (`scripts`), activation by
//! each shell (`shells`), and that nothing in an environment names where it stands (`names`).
//!
//! `VPYTHON_MATRIX=all` takes every form with every python to every place; without, it is every
//! form with one python, and one form with the others.

mod names;
mod scripts;
mod shells;

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::{Launch, Python, Wheel, World, start};

/// How an environment is made.
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

    /// Those that are made with each python.
    fn with_each_python() -> &'static [Self] {
        if is_full() {
            &Self::ALL
        } else {
            &[Self::Entry]
        }
    }

    /// Where the tests take it. What brings an interpreter along has thousands of files, and goes
    /// only where that may matter.
    fn places(self) -> &'static [Place] {
        match self {
            _ if is_full() => &Place::ALL,
            Self::WithPython => &[Place::Odd, Place::Long, Place::Linked, Place::ReadOnly],
            Self::UnpackedWithPython => &[Place::Odd, Place::ReadOnly],
            _ => &Place::ALL,
        }
    }

    /// Makes the environment that the world's spec asks for, byte code included, and gives its
    /// directory.
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
                run(&["pack", "--output", "packed.tar", "--with-python", "-c", ""])
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

/// Where an environment goes. What it was made of, and the place that it comes from, are gone by
/// then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where it was made.
    Made,
    /// Elsewhere by `mv`; who comes from there has moved twice.
    Moved,
    /// Elsewhere by `cp -r`.
    Copied,
    /// A path of what shells take for more than a name, and of other alphabets.
    Odd,
    /// A path of more than 300 bytes.
    Long,
    /// A path with a link in it.
    Linked,
    /// A file system that cannot be written to.
    ReadOnly,
}

impl Place {
    const ALL: [Self; 7] = [
        Self::Made,
        Self::Moved,
        Self::Odd,
        Self::Copied,
        Self::Long,
        Self::Linked,
        Self::ReadOnly,
    ];

    /// Takes the environment there, and gives it as it is called there.
    fn take(self, world: &World, environment: &Path) -> PathBuf {
        let long = "long".repeat(40);
        let to = match self {
            Self::Made => return environment.to_path_buf(),
            Self::Moved => world.outside("moved/env"),
            Self::Copied => world.outside("copied/env"),
            Self::Odd => world.outside("odd/it's \"$HOME\" `x` & é 中 %n !1 \\t *;#~/e  nv"),
            Self::Long => world.outside(&format!("{long}/{long}")),
            Self::Linked => world.outside("real/env"),
            Self::ReadOnly => world.outside("read only/env"),
        };
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        if self == Self::Copied {
            world
                .program(
                    "/bin/cp",
                    [OsStr::new("-r"), environment.as_ref(), to.as_ref()],
                )
                .run()
                .prints("");
            std::fs::remove_dir_all(environment).unwrap();
        } else {
            std::fs::rename(environment, &to).unwrap();
        }
        for directory in [world.outside("root"), world.path("wheels")] {
            std::fs::remove_dir_all(directory).ok();
        }
        if self != Self::Linked {
            return to;
        }
        symlink("real", world.outside("link")).unwrap();
        world.outside("link/env")
    }
}

/// An environment at a place.
struct Stand<'a> {
    world: &'a World,
    environment: PathBuf,
    place: Place,
}

impl Stand<'_> {
    fn path(&self, relative: &str) -> PathBuf {
        self.environment.join(relative)
    }

    /// The module of the wheel.
    fn module(&self) -> String {
        let is_two = self.path("bin/python2.7").exists();
        let version = if is_two {
            "2.7".to_owned()
        } else {
            format!("3.{}", self.world.python.minor)
        };
        format!("lib/python{version}/site-packages/movable/__init__.py")
    }

    /// A program, to be run as the place has it.
    fn program(&self, program: impl AsRef<OsStr>) -> Launch<'_> {
        if self.place != Place::ReadOnly {
            return self.world.program(program.as_ref(), [""; 0]);
        }
        let freeze =
            "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
        let launch = self
            .world
            .program("/usr/bin/unshare", ["-rm", "sh", "-c", freeze, "sh"]);
        launch.arguments([self.environment.as_os_str(), program.as_ref()])
    }
}

/// Takes an environment from place to place.
fn tour(world: &World, made: &Path, places: &[Place], visit: impl Fn(&Stand)) {
    let mut environment = made.to_path_buf();
    for place in places {
        environment = place.take(world, &environment);
        if *place == Place::ReadOnly && !can_mount() {
            continue;
        }
        eprintln!("at {place:?}");
        visit(&Stand {
            world,
            environment: environment.clone(),
            place: *place,
        });
    }
}

/// Whether a directory can be made read-only for us alone, also for the superuser.
fn can_mount() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let mut command = Command::new("/usr/bin/env");
        command
            .args(["unshare", "-rm", "mount", "--bind", "/tmp", "/tmp"])
            .stderr(Stdio::null());
        let can = start(&mut command).wait().unwrap().success();
        if !can {
            not_tested!("nothing can be mounted");
        }
        can
    })
}

/// What is done with an environment.
#[derive(Debug, Clone, Copy)]
enum Use {
    Import,
    Module,
    /// One of the standard library, and one of a wheel.
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
    fn works(self, stand: &Stand) {
        let python = stand.path("bin/python");
        let run = |text: &str| stand.program(&python).arguments(["-c", text]).run();
        let own = |path: &str| format!("{}\n", stand.path(path).display());
        let environment = format!("{}\n", stand.environment.display());
        let module = stand.module();
        let (said, expected) = match self {
            Self::Import => (
                run("import movable; print(movable.__file__.replace('.pyc', '.py'))"),
                own(&module),
            ),
            Self::Module => (
                stand.program(&python).arguments(["-m", "movable"]).run(),
                "module\n".into(),
            ),
            Self::Extension => (
                run("import _json, movable.native; print(movable.native.__name__)"),
                "movable.native\n".into(),
            ),
            Self::EntryPoint => (stand.program(stand.path("bin/movable")).run(), environment),
            Self::Script => (stand.program(stand.path("bin/plain")).run(), environment),
            Self::Subprocess => {
                let text = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', \
                            'import movable; print(movable.__file__.replace(\".pyc\", \".py\"))']))";
                (run(text), own(&module))
            }
            Self::Activate => {
                // Not every shell tells by which path, if there are several, it reads the file.
                let text = ". \"$1\"; cd \"$(movable)\"; pwd -P";
                let activate = stand.path("bin/activate");
                let words = [
                    "-euc".as_ref(),
                    text.as_ref(),
                    "sh".as_ref(),
                    activate.as_os_str(),
                ];
                let real = std::fs::canonicalize(&stand.environment).unwrap();
                (
                    stand.program("/bin/sh").arguments(words).run(),
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
fn all_uses_work(stand: &Stand) {
    for usage in Use::ALL {
        usage.works(stand);
    }
}

/// A wheel with a module, one in C where this machine can compile it, and scripts that print the
/// environment that they find.
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

/// A module in C, compiled for this python.
fn native(python: &Python) -> Option<Vec<u8>> {
    let directories = python.path.parent()?.parent()?.join("include");
    let names = ["", "m"].map(|suffix| format!("python3.{}{suffix}/Python.h", python.minor));
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
                PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }\n";
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

/// A world whose spec asks for that wheel.
fn world(python: &'static Python) -> World {
    let world = World::with_python(python);
    world.wheel(&wheel(python));
    world.write("vpython.toml", "dependencies = ['movable']\n");
    world
}

/// A world where the spec asks for CPython 2.7; none where there is none.
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

/// Whether all of the table is to be tested.
fn is_full() -> bool {
    std::env::var_os("VPYTHON_MATRIX").is_some_and(|value| value == "all")
}

#[test]
fn every_form_works_at_every_place() {
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
fn every_python_works_at_the_worst_places() {
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
            tour(&world, &made, places, |stand| {
                all_uses_work(stand);
                if stand.place == Place::Odd {
                    scripts::all_work(stand);
                }
            });
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = Python::each_minor()
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
        tour(&world, &made, places, |stand| {
            all_uses_work(stand);
            if form == Form::Entry {
                scripts::all_work(stand);
            }
        });
    }
}

#[test]
fn a_place_that_is_read_only_is_so() {
    if !can_mount() {
        return;
    }
    let world = world(Python::any());
    tour(
        &world,
        &Form::Copy.make(&world),
        &[Place::ReadOnly],
        |stand| {
            let said = stand
                .program("/usr/bin/touch")
                .arguments([stand.path("lib/x")])
                .run();
            assert!(said.stderr.contains("Read-only file system"), "{said}");
        },
    );
}
