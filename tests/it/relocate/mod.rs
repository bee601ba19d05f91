//! `-vpython-tool relocate`: rewrites environments of other tools after a move.

mod contents;
mod interpreters;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;

use crate::support::{Launch, Outcome, Python, World, tree, write_with_mode};

/// Prints each file whose row in a RECORD is wrong.
const VERIFY: &str = "import base64, csv, glob, hashlib, os, sys
for record in glob.glob(glob.escape(sys.argv[1]) + '/lib/python*/site-packages/*.dist-info/RECORD'):
    site = os.path.dirname(os.path.dirname(record))
    with open(record, encoding='utf-8', newline='') as rows:
        for name, digest, size in csv.reader(rows):
            if digest:
                with open(os.path.join(site, name), 'rb') as file:
                    content = file.read()
                found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip('=')
                if (digest, size) != ('sha256=' + found, str(len(content))):
                    print(name)
";

/// The script of a distribution that the tests install into environments.
const SCRIPT: &str = "\nimport sys, tool\nprint(tool.__file__, sys.executable, sys.argv[1:])\n";

/// An environment of `python -m venv` in the working directory, without pip, with the distribution
/// `tool`.
fn venv(world: &World, name: &str) -> PathBuf {
    let path = world.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let made = world
        .program(&world.python.path, ["-m", "venv", "--without-pip"])
        .arguments([&path])
        .run();
    assert_eq!(made.code, Some(0), "{made}");
    add_tool(world, &path);
    path
}

/// Installs a distribution into an environment, as pip would.
fn add_tool(world: &World, environment: &Path) {
    let site = site(world, environment);
    std::fs::write(site.join("tool.py"), "").unwrap();
    let script = format!("#!{}/bin/python{SCRIPT}", environment.display());
    write_with_mode(&environment.join("bin/tool"), script.as_bytes(), 0o751);
    std::fs::create_dir(site.join("tool-1.dist-info")).unwrap();
    let record = "import base64, hashlib, sys\ncontent = open(sys.argv[1], 'rb').read()\n\
                  print('sha256=' + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip('='))";
    let digest = world
        .program(&world.python.path, ["-c", record])
        .arguments([environment.join("bin/tool")])
        .run();
    let rows = format!(
        "../../../bin/tool,{},{}\ntool.py,,\ntool-1.dist-info/RECORD,,\n",
        digest.stdout.trim(),
        script.len()
    );
    std::fs::write(site.join("tool-1.dist-info/RECORD"), rows).unwrap();
}

fn site(world: &World, environment: &Path) -> PathBuf {
    environment.join(format!("lib/{}/site-packages", world.python.name()))
}

fn relocate<'a>(world: &'a World, environment: &Path) -> Launch<'a> {
    world
        .vpython(["-vpython-tool", "relocate"])
        .arguments([environment])
}

/// Relocates, which must succeed.
#[track_caller]
fn relocated(world: &World, environment: &Path) -> Outcome {
    let outcome = relocate(world, environment).run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    outcome
}

fn shift(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::rename(from, to).unwrap();
}

/// Checks that the environment works at its path, and that only byte code in it contains another
/// path.
#[track_caller]
fn works(world: &World, environment: &Path, old: &[&Path]) {
    let said = world.program(environment.join("bin/tool"), ["a b"]).run();
    let module = site(world, environment).join("tool.py");
    let expected = format!(
        "{} {}/bin/python ['a b']\n",
        module.display(),
        environment.display()
    );
    assert_eq!(
        (said.code, &*said.raw_stdout),
        (Some(0), &*expected),
        "{said}"
    );
    assert_eq!(
        environment
            .join("bin/tool")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o751
    );
    world
        .program(&world.python.path, ["-c", VERIFY])
        .arguments([environment])
        .run()
        .prints("");
    for (shell, options, script) in [
        ("sh", "-c", "activate"),
        ("zsh", "-fc", "activate"),
        ("tcsh", "-fc", "activate.csh"),
        ("fish", "-c", "activate.fish"),
    ] {
        let program = Path::new("/usr/bin").join(shell);
        if !program.exists() {
            not_tested!("there is no {shell}");
            continue;
        }
        let source = if shell == "sh" { "." } else { "source" };
        // The path comes from an environment variable, because this does not test quoting.
        let text = format!(
            "{source} \"$ENVIRONMENT/bin/{script}\"; echo \"$VIRTUAL_ENV\"; command -v python || which python"
        );
        let text = if shell == "tcsh" {
            text.replace("; command -v python || ", "; ")
        } else {
            text
        };
        let said = world
            .program(&program, [options, &text])
            .env("ENVIRONMENT", environment)
            .env("TERM", "dumb")
            .run();
        let expected = format!("{0}\n{0}/bin/python\n", environment.display());
        assert_eq!(
            (said.code, &*said.raw_stdout),
            (Some(0), &*expected),
            "{shell}: {said}"
        );
    }
    for entry in walkdir::WalkDir::new(environment)
        .into_iter()
        .map(Result::unwrap)
    {
        let is_byte_code = entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "pyc");
        if entry.file_type().is_file() && !is_byte_code {
            let content = std::fs::read(entry.path()).unwrap();
            for old in old {
                let named = [old.as_os_str().as_encoded_bytes(), b"/"].concat();
                assert!(
                    memchr::memmem::find(&content, &named).is_none(),
                    "{} names {}",
                    entry.path().display(),
                    old.display()
                );
            }
        }
    }
}

#[test]
fn a_moved_environment_works_in_each_version_of_python() {
    for python in Python::each_build() {
        let world = World::with_python(python);
        let old = venv(&world, "made/env");
        let new = world.path("moved/env");
        shift(&old, &new);
        relocated(&world, &new);
        works(&world, &new, &[&old]);
        let again = relocated(&world, &new);
        assert_eq!(
            again.stdout,
            "nothing to change: the environment is set up for `[WORLD]/work/moved/env`\n"
        );
    }
}

#[test]
fn the_documented_example_is_what_is_printed() {
    let Some(python) = Python::all().iter().find(|python| python.minor == 11) else {
        not_tested!("there is no CPython 3.11");
        return;
    };
    let page = include_str!("../../../docs/environments.md");
    let example = page
        .split_once("<!-- relocated -->\n```console\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let expected: String = example.split_inclusive('\n').skip(2).collect();
    let world = World::with_python(python);
    let old = venv(&world, "build/env");
    let new = world.path("srv/env");
    shift(&old, &new);
    assert_eq!(
        relocated(&world, &new).stdout.replace("[WORLD]/work", ""),
        expected
    );
}

#[test]
fn a_copy_is_its_own_and_the_original_is_not_touched() {
    let world = World::new();
    let original = venv(&world, "env");
    let copy = world.path("copy");
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([&original, &copy])
            .status()
            .unwrap()
            .success()
    );
    let before = tree(&original);
    relocated(&world, &copy);
    assert_eq!(tree(&original), before);
    works(&world, &copy, &[&original]);
    works(&world, &original, &[&copy]);
}

#[test]
fn an_environment_can_be_relocated_before_it_is_moved() {
    let world = World::new();
    let old = venv(&world, "env");
    let new = world.path("to be/env");
    let outcome = relocate(&world, &old)
        .arguments(["--to"])
        .arguments([&new])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    shift(&old, &new);
    works(&world, &new, &[&old]);
    // Runs from below the environment's own path, which is a prefix of the new one.
    let deep = world.path("to be/env 2/env");
    let outcome = relocate(&world, &new)
        .arguments(["--to"])
        .arguments([&deep])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    shift(&new, &deep);
    works(&world, &deep, &[&old]);
}

#[test]
fn a_dry_run_changes_nothing_and_lists_the_changes() {
    let world = World::new();
    let old = venv(&world, "env");
    let new = world.path("moved");
    shift(&old, &new);
    let before = tree(&new);
    let outcome = relocate(&world, &new)
        .arguments(["--dry-run", "--json"])
        .run();
    assert_eq!(
        (outcome.code, tree(&new)),
        (Some(0), before.clone()),
        "{outcome}"
    );
    let listing: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        (&listing["version"], &listing["dry_run"]),
        (&1.into(), &true.into())
    );
    assert_eq!(listing["from"], serde_json::json!(["[WORLD]/work/env"]));
    assert_eq!(listing["unmended"], serde_json::json!([]));
    assert!(
        listing["changes"]
            .as_array()
            .unwrap()
            .contains(&serde_json::json!({"path": "bin/tool", "part": "first line"}))
    );
    let text = relocate(&world, &new).arguments(["--dry-run"]).run();
    assert!(
        text.stdout.ends_with(
            " files would be changed: the environment is set up for `[WORLD]/work/moved`\n"
        ),
        "{text}"
    );
    assert_eq!(tree(&new), before);
}

#[test]
fn a_directory_that_is_not_an_environment_is_refused() {
    let world = World::new();
    let message = expect![[r#"
        vpython: error: cannot relocate `[WORLD]/work/x`
          caused by: it is not a virtual environment: it has neither `pyvenv.cfg` nor `bin/activate`
    "#]];
    relocate(&world, Path::new("x"))
        .run()
        .refuses(125, &message);
    world.vpython(["-vpython-tool", "relocate"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: `-vpython-tool relocate` takes one environment
              caused by: no environment is named
              hint: `vpython -vpython-tool relocate --help` lists the options
        "#]],
    );
    world
        .vpython(["-vpython-tool", "relocate", "x", "y"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: `-vpython-tool relocate` takes one environment
                  caused by: 2 environments are named
                  hint: `vpython -vpython-tool relocate --help` lists the options
            "#]],
        );
    world
        .vpython(["-vpython-tool", "relocate", "x", "--dryrun"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: `-vpython-tool relocate` has no option `--dryrun`
                  hint: did you mean `--dry-run`?
            "#]],
        );
    world.write("tool.py", "");
    let own = world.install(["tool.py"]);
    relocate(&world, &own).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot relocate `[WORLD]/root/v1/envs/[KEY]`
              caused by: vpython created it; such an environment works at any path
        "#]],
    );
}
