//! The owners of files that decide what a launch does: each reader of such a file, and its reaction
//! to a file that another user has put into a directory such as `/tmp`.
//!
//! The table of [`PLANTS`] lists all readers. The store has separate tests (`neighbours.rs`).

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use expect_test::expect;

use crate::support::{Fake, Launch, Outcome, Wheel, World};

/// Another user.
const OTHER_USER: u32 = 54_321;
/// The caller's own program, in a directory that every user can write to.
const PROGRAM: &str =
    "try:\n    import a\n    print(a.VERSION)\nexcept ImportError:\n    print('no package')\n";

/// A file that another user plants, and the effect on a launch.
struct Plant {
    /// The description.
    what: &'static str,
    /// The caller's program, with or without a `# /// script` block.
    program: &'static str,
    /// The planted file, by its path in `open`, with its content; a directory if there is no
    /// content.
    planted: &'static [(&'static str, Option<&'static str>)],
    /// The output of the launch, or the beginning of its error.
    prints: &'static str,
    /// The warnings.
    warning: &'static str,
}

/// All readers of files that are searched for or named by relative paths, except those of
/// interpreters.
const PLANTS: &[Plant] = &[
    Plant {
        what: "a partner file",
        program: "",
        planted: &[("tool.py.vpython3", Some("python_version: \"2.7\"\n"))],
        prints: "no package\n",
        warning: "the spec `[OPEN]/tool.py.vpython3` belongs to user 54321, and every user can write to `[OPEN]`; it is skipped\n",
    },
    Plant {
        what: "a spec that the walk meets",
        program: "",
        planted: &[("vpython.toml", Some("dependencies = ['a==2']\n"))],
        prints: "no package\n",
        warning: "the spec `[OPEN]/vpython.toml` belongs to user 54321, and every user can write to `[OPEN]`; it is skipped\n",
    },
    Plant {
        what: "the spec that a variable names relatively",
        program: "",
        planted: &[("default.toml", Some("dependencies = ['a==2']\n"))],
        prints: "no package\n",
        warning: "the spec `[OPEN]/default.toml` belongs to user 54321, and every user can write to `[OPEN]`; it is skipped\n",
    },
    Plant {
        what: "a barrier of the walk",
        program: "",
        planted: &[(".gclient", Some(""))],
        prints: "1\n",
        warning: "",
    },
    Plant {
        what: "a lock",
        program: "dependencies = ['a<2']",
        planted: &[(
            "pylock.tool.toml",
            Some("lock-version = '1.0'\ncreated-by = 'x'\npackages = []\n"),
        )],
        prints: "1\n",
        warning: "the lock file `[OPEN]/pylock.tool.toml` belongs to user 54321, and every user can write to `[OPEN]`; it is skipped\n",
    },
    Plant {
        what: "a lock of LUCI's",
        program: "dependencies = ['a']",
        planted: &[("tool.py.uv.lock", Some("a==2\n"))],
        prints: "3\n",
        warning: "the lock file `[OPEN]/tool.py.uv.lock` belongs to user 54321, and every user can write to `[OPEN]`; it is skipped\n",
    },
    Plant {
        what: "a wheel directory next to the spec",
        program: "dependencies = ['a']",
        planted: &[
            ("pip_packages", None),
            ("pip_packages/a-4-py3-none-any.whl", Some("a 4")),
        ],
        prints: "3\n",
        warning: "the wheel directory `[OPEN]/pip_packages` belongs to user 54321, and every user can write to `[OPEN]`; it is skipped\n",
    },
    Plant {
        what: "a wheel directory that the spec names",
        program: "dependencies = ['a']\n[tool.vpython]\nwheels = ['more/wheels']",
        planted: &[
            ("more", None),
            ("more/wheels", None),
            ("more/wheels/a-4-py3-none-any.whl", Some("a 4")),
        ],
        prints: "3\n",
        warning: "the wheel directory `[OPEN]/more/wheels` is skipped: `[OPEN]/more` belongs to user 54321, and every user can write to \
                  `[OPEN]`\n",
    },
    Plant {
        what: "an import root",
        program: "dependencies = ['a']\n[tool.vpython]\npython-path = ['lib']",
        planted: &[("lib", None), ("lib/a.py", Some("VERSION = 'planted'\n"))],
        prints: "3\n",
        warning: "the import root `[OPEN]/lib` is skipped: `[OPEN]/lib` belongs to user 54321, and every user can write to `[OPEN]`\n",
    },
    Plant {
        what: "a file that requirements include",
        program: "requirements",
        planted: &[("more.txt", Some("a==2\n"))],
        prints: "vpython: error: bad spec in `[OPEN]/requirements.txt`\n  caused by: `[OPEN]/requirements.txt`, line 1: `[OPEN]/more.txt` is \
                 not read: `[OPEN]/more.txt` belongs to user 54321, and every user can write to `[OPEN]`\n",
        warning: "",
    },
    Plant {
        what: "constraints",
        program: "constraints",
        planted: &[("more.txt", Some("a==2\n"))],
        prints: "vpython: error: bad spec in `[OPEN]/requirements.txt`\n  caused by: `[OPEN]/requirements.txt`, line 2: `[OPEN]/more.txt` is \
                 not read: `[OPEN]/more.txt` belongs to user 54321, and every user can write to `[OPEN]`\n",
        warning: "",
    },
];

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A world in which every user can write to `open`, which contains the caller's own wheels and
/// `tool.py`. Returns `None` if the test cannot give files to another user.
fn world(program: &str) -> Option<World> {
    let world = World::new();
    std::fs::create_dir_all(world.path("open/wheels")).unwrap();
    for version in ["1", "2", "3"] {
        Wheel::module("a", version).write_to(&world.path("open/wheels"));
    }
    match program {
        "requirements" => drop(world.write("open/requirements.txt", "-r more.txt\n")),
        "constraints" => drop(world.write("open/requirements.txt", "a\n-c more.txt\n")),
        _ => {}
    }
    let block = if program.contains('=') {
        format!("{program}\n")
    } else {
        String::new()
    };
    let block = block
        .lines()
        .map(|line| format!("# {line}\n"))
        .collect::<Vec<_>>()
        .concat();
    let block = if block.is_empty() {
        block
    } else {
        format!("# /// script\n{block}# ///\n")
    };
    world.write("open/tool.py", format!("{block}{PROGRAM}"));
    // The file that `VPYTHON_DEFAULT_SPEC` names if the file next to the program is ignored.
    world.write("default.toml", "dependencies = []\n");
    world.write(
        "vpython.toml",
        "dependencies = ['a==1']\n[tool.vpython]\nwheels = ['open/wheels']\n",
    );
    set_mode(&world.path("open"), 0o1777);
    if chown(world.path("vpython.toml"), Some(OTHER_USER), None).is_err() {
        not_tested!("only the superuser can give a file to another user");
        return None;
    }
    chown(world.path("vpython.toml"), Some(0), None).unwrap();
    Some(world)
}

fn launch<'w>(world: &'w World, plant: &Plant) -> Launch<'w> {
    if plant.program == "requirements" || plant.program == "constraints" {
        return world.vpython(["-vpython-spec", "open/requirements.txt", "open/tool.py"]);
    }
    let launch = world.vpython(["open/tool.py"]);
    if plant.what.contains("variable") {
        launch.env("VPYTHON_DEFAULT_SPEC", "default.toml")
    } else {
        launch
    }
}

/// Removes the store, since a warm launch does not notice that a file has another owner, or its
/// directory another mode.
fn forget(world: &World) {
    let removed = std::process::Command::new("rm")
        .arg("-rf")
        .arg(world.outside("root"))
        .status()
        .unwrap();
    assert!(removed.success());
}

/// The messages of a launch, with `[OPEN]` for the directory.
fn messages_of(outcome: &Outcome) -> (String, String) {
    let open = |text: &str| text.replace("[WORLD]/work/open", "[OPEN]");
    (open(&outcome.stdout), open(&outcome.stderr))
}

#[test]
fn files_of_other_users_in_a_shared_directory_are_ignored() {
    for plant in PLANTS {
        let Some(world) = world(plant.program) else {
            return;
        };
        if !plant.what.contains("barrier") && !plant.program.contains('=') {
            // The walk must find nothing else.
            std::fs::remove_file(world.path("vpython.toml")).unwrap();
        }
        for (path, content) in plant.planted {
            let path = world.path("open").join(path);
            match content {
                None => std::fs::create_dir(&path).unwrap(),
                Some(version) if path.extension().is_some_and(|extension| extension == "whl") => {
                    Wheel::module("a", version.strip_prefix("a ").unwrap())
                        .write_to(path.parent().unwrap());
                }
                Some(content) => std::fs::write(&path, content).unwrap(),
            }
            lchown(&path, Some(OTHER_USER), None).unwrap();
        }
        // The second launch is warm, if there is an environment.
        for _ in 0..2 {
            let (stdout, stderr) = messages_of(&launch(&world, plant).run());
            if plant.prints.starts_with("vpython: error") {
                assert!(
                    stderr.starts_with(plant.prints),
                    "{}:\n{stderr}",
                    plant.what
                );
                continue;
            }
            let warning = if plant.warning.is_empty() {
                String::new()
            } else {
                format!("vpython: warning: {}", plant.warning)
            };
            assert_eq!(
                (&*stdout, &*stderr),
                (plant.prints, &*warning),
                "{}",
                plant.what
            );
        }
        // If no other user can write to the directory, all files in it are trusted: its owner can
        // put anything there.
        set_mode(&world.path("open"), 0o755);
        forget(&world);
        let (stdout, stderr) = messages_of(&launch(&world, plant).run());
        assert!(
            !stderr.contains("belongs to user"),
            "{}:\n{stderr}",
            plant.what
        );
        assert_ne!(stdout, plant.prints, "{}:\n{stderr}", plant.what);
    }
}

#[test]
fn files_of_the_owner_of_the_script_are_trusted() {
    let Some(world) = world("dependencies = ['a<2']") else {
        return;
    };
    world.write(
        "open/pylock.tool.toml",
        "lock-version = '1.0'\ncreated-by = 'x'\npackages = []\n",
    );
    lchown(world.path("open/pylock.tool.toml"), Some(OTHER_USER), None).unwrap();
    lchown(world.path("open/tool.py"), Some(OTHER_USER), None).unwrap();
    let outcome = world.vpython(["open/tool.py"]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: the lock file `[WORLD]/work/open/pylock.tool.toml` does not match `[WORLD]/work/open/tool.py`
          caused by: it has no `a` (required in `[WORLD]/work/open/tool.py`, line 2)
          hint: rebuild it with `vpython -vpython-tool lock open/tool.py`
    "#]]);
}

#[test]
fn a_wheel_of_another_user_is_used_only_if_its_digest_is_pinned() {
    for mode in [0o1777, 0o775] {
        let Some(world) = world("dependencies = ['a']") else {
            return;
        };
        set_mode(&world.path("open"), 0o755);
        let wheels = world.path("open/wheels");
        let planted = Wheel::module("a", "99").write_to(&wheels);
        lchown(&planted, Some(OTHER_USER), None).unwrap();
        set_mode(&wheels, mode);
        let warning = expect![[r#"
            vpython: warning: wheels of other users in `[WORLD]/work/open/wheels`, which other users can write to, are skipped unless their digest is pinned: `a-99-py3-none-any.whl`
        "#]];
        for _ in 0..2 {
            world
                .vpython(["open/tool.py"])
                .run()
                .expect(0, "3\n", &warning);
        }
        let digest = vpython::testing::fs::Digest::of(&std::fs::read(&planted).unwrap());
        world.write(
            "open/requirements.txt",
            format!("a --hash=sha256:{digest}\n"),
        );
        let outcome = world
            .vpython(["-vpython-spec", "open/requirements.txt", "open/tool.py"])
            .run();
        assert_eq!(outcome.stdout, "99\n", "{outcome}");
        world.write(
            "open/luci.vpython3",
            "wheel: < name: \"infra/python/wheels/a-py3\" version: \"version:99\" >\n",
        );
        let outcome = world
            .vpython(["-vpython-spec", "open/luci.vpython3", "open/tool.py"])
            .run();
        outcome.refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/open/wheels` fits `a==99` (listed in `[WORLD]/work/open/luci.vpython3`, line 1 as `infra/python/wheels/a-py3` `version:99`)
              caused by: `a-1-py3-none-any.whl` is version 1
              caused by: `a-2-py3-none-any.whl` is version 2
              caused by: `a-3-py3-none-any.whl` is version 3
              caused by: `a-99-py3-none-any.whl` belongs to user 54321, and other users can write to its directory
              hint: fetch what is missing: `vpython -vpython-spec=open/luci.vpython3 -vpython-tool fetch open/tool.py`
        "#]]);
        // The owner of the directory can put anything there in any case.
        chown(&wheels, Some(OTHER_USER), None).unwrap();
        world.vpython(["open/tool.py"]).run().prints("99\n");
    }
}

#[test]
fn an_interpreter_of_another_user_is_not_run() {
    let Some(world) = world("") else { return };
    let fake = Fake::new(&world, "3.11.42");
    std::fs::create_dir(world.path("open/3.11")).unwrap();
    std::fs::create_dir(world.path("open/3.11/bin")).unwrap();
    for name in ["python3", "3.11/bin/python3"] {
        std::fs::copy(&fake.path, world.path("open").join(name)).unwrap();
    }
    for name in ["python3", "3.11", "3.11/bin", "3.11/bin/python3"] {
        lchown(world.path("open").join(name), Some(OTHER_USER), None).unwrap();
    }
    let asked = fake.probe_count();
    let path = format!("{}:{}", world.path("open").display(), world.search_path());
    world
        .vpython(["open/tool.py"])
        .env("PATH", &path)
        .run()
        .prints("1\n");
    let program = world.copy_vpython("work/open/launcher");
    world
        .program(&program, ["open/tool.py"])
        .run()
        .prints("1\n");
    assert_eq!(fake.probe_count(), asked);
    let outcome = world
        .vpython(["-vpython-tool", "explain", "open/tool.py"])
        .env("PATH", &path)
        .run();
    let why = "`[WORLD]/work/open/python3` belongs to user 54321, and every user can write to `[WORLD]/work/open`";
    assert!(outcome.stdout.contains(why), "{outcome}");
}

#[test]
fn a_version_file_of_another_user_chooses_no_interpreter() {
    let pythons = crate::support::Python::each_minor();
    let [first, .., last] = &pythons[..] else {
        not_tested!("there is only one version of CPython");
        return;
    };
    let Some(world) = world("") else { return };
    world.pyenv(&[first, last]);
    let shim = world.write_with_mode(
        "shim",
        "#!/usr/bin/env bash\nexec \"pyenv\" exec \"$0\" \"$@\"\n",
        0o755,
    );
    std::fs::create_dir(world.outside("pyenv/shims")).unwrap();
    symlink(shim, world.outside("pyenv/shims/python3")).unwrap();
    std::fs::write(world.outside("pyenv/version"), &last.version).unwrap();
    let path = format!("{}:/usr/bin:/bin", world.outside("pyenv/shims").display());
    let launch = || {
        let launch = world
            .vpython(["-c", "import sys; print(sys.version_info[1])"])
            .within(world.path("open"));
        launch
            .env("PATH", &path)
            .env("PYENV_ROOT", world.outside("pyenv"))
            .run()
    };
    std::fs::write(world.path("open/.python-version"), &first.version).unwrap();
    launch().prints(&format!("{}\n", first.minor));
    lchown(world.path("open/.python-version"), Some(OTHER_USER), None).unwrap();
    forget(&world);
    launch().prints(&format!("{}\n", last.minor));
}
