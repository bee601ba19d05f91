//! `-vpython-tool relocate`: rewrites environments of other tools after a move.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Launch, Outcome, Python, World, start, tree, write_with_mode};

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
    environment.join(format!("lib/python3.{}/site-packages", world.python.minor))
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
    for python in Python::each_minor() {
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
fn the_example_of_the_readme_is_what_is_printed() {
    let Some(python) = Python::all().iter().find(|python| python.minor == 11) else {
        not_tested!("there is no CPython 3.11");
        return;
    };
    let readme = include_str!("../../README.md");
    let example = readme
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
fn an_unusual_prefix_is_quoted_as_each_file_needs_and_rewritten_back() {
    let world = World::new();
    let mut place = venv(&world, "env");
    let first = place.clone();
    for name in [
        "a b/env",
        "it's $HOME \"x\"/`env`",
        "\u{fc}\u{4e2d}/env",
        &format!("{}env", "long/".repeat(40)),
        "plain",
    ] {
        let new = world.path(name);
        shift(&place, &new);
        relocated(&world, &new);
        works(&world, &new, &[&first]);
        place = new;
    }
    let script = std::fs::read_to_string(place.join("bin/tool")).unwrap();
    assert_eq!(script, format!("#!{}/bin/python{SCRIPT}", place.display()));
}

#[test]
fn a_script_that_must_keep_its_first_lines_still_starts() {
    let world = World::new();
    let old = venv(&world, "env");
    let rest = "\"\"\"Says it.\"\"\"\nfrom __future__ import annotations\nprint(__doc__)\n";
    write_with_mode(
        &old.join("bin/doc"),
        format!("#!{}/bin/python -s\n{rest}", old.display()).as_bytes(),
        0o755,
    );
    let new = world.path("a b/env");
    shift(&old, &new);
    relocated(&world, &new);
    world
        .program(new.join("bin/doc"), [""; 0])
        .run()
        .prints("Says it.\n");
    assert!(
        std::fs::read_to_string(new.join("bin/doc"))
            .unwrap()
            .ends_with(rest)
    );
    symlink(new.join("bin/doc"), world.outside("bin/doc")).unwrap();
    world
        .program("/bin/sh", ["-c", "doc"])
        .run()
        .prints("Says it.\n");
}

#[test]
fn parts_with_different_prefixes_are_all_rewritten() {
    let world = World::new();
    let first = venv(&world, "first");
    let [second, third] = ["second", "third"].map(|name| world.path(name));
    shift(&first, &second);
    // A script that was added at the second path, and a RECORD that another tool left unchanged.
    write_with_mode(
        &second.join("bin/late"),
        format!("#!{}/bin/python\nprint('late')\n", second.display()).as_bytes(),
        0o755,
    );
    let half = format!("#!{}/bin/python{SCRIPT}", second.display());
    write_with_mode(&second.join("bin/tool"), half.as_bytes(), 0o751);
    shift(&second, &third);
    let activate = third.join("bin/activate");
    let text = std::fs::read_to_string(&activate).unwrap();
    std::fs::write(
        &activate,
        text.replace(first.to_str().unwrap(), third.to_str().unwrap()),
    )
    .unwrap();
    relocated(&world, &third);
    works(&world, &third, &[&first, &second]);
    world
        .program(third.join("bin/late"), [""; 0])
        .run()
        .prints("late\n");
}

#[test]
fn a_record_that_another_tool_left_wrong_is_corrected() {
    let world = World::new();
    let old = venv(&world, "env");
    let new = world.path("moved");
    shift(&old, &new);
    write_with_mode(
        &new.join("bin/tool"),
        format!("#!{}/bin/python{SCRIPT}", new.display()).as_bytes(),
        0o751,
    );
    relocated(&world, &new);
    works(&world, &new, &[&old]);
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
fn editable_projects_are_found_at_their_new_path_or_reported_missing() {
    let world = World::new();
    let old = venv(&world, "old/project/.venv");
    let inside = site(&world, &old);
    for directory in [
        "old/project/src",
        "old/project/.venv/src/inner",
        "elsewhere",
        "gone",
    ] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    let path = |name: &str| world.path(name).display().to_string();
    // Path files, links and finders of editable projects, inside and outside of the moved tree.
    std::fs::write(
        inside.join("_project.pth"),
        format!("{}\n", path("old/project/src")),
    )
    .unwrap();
    std::fs::write(
        inside.join("easy-install.pth"),
        format!(
            "{}\nimport os; x = '{}'\n",
            path("old/project/.venv/src/inner"),
            path("old/project/.venv")
        ),
    )
    .unwrap();
    std::fs::write(
        inside.join("inner.egg-link"),
        format!("{}\n.", path("old/project/.venv/src/inner")),
    )
    .unwrap();
    std::fs::write(inside.join("else.pth"), path("elsewhere")).unwrap();
    std::fs::write(inside.join("gone.pth"), path("gone")).unwrap();
    let mapping = format!(
        "MAPPING: dict[str, str] = {{'a': '{}', 'b': '{}'}}\n",
        path("old/project/src"),
        path("gone")
    );
    std::fs::write(inside.join("__editable___a_1_finder.py"), mapping).unwrap();
    let origin = format!(
        "{{\"dir_info\": {{\"editable\": true}}, \"url\": \"file://{}\"}}",
        path("old/project")
    );
    std::fs::write(inside.join("tool-1.dist-info/direct_url.json"), origin).unwrap();
    // One project has disappeared, and the others move with the tree.
    std::fs::remove_dir(world.path("gone")).unwrap();
    shift(&world.path("old"), &world.path("a new"));
    let new = world.path("a new/project/.venv");
    let outcome = relocate(&world, &new).run();
    let lib = format!("lib/python3.{}/site-packages", world.python.minor);
    let warning = |file: &str| {
        format!(
            "vpython: warning: cannot fix `{lib}/{file}`: it imports from `[WORLD]/work/gone`, which does not exist\n"
        )
    };
    // Only the files that name the missing project cause a warning.
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (
            Some(1),
            &*(warning("__editable___a_1_finder.py") + &warning("gone.pth"))
        )
    );
    // All other files name the new paths.
    let read = |file: &str| std::fs::read_to_string(site(&world, &new).join(file)).unwrap();
    assert_eq!(
        read("_project.pth"),
        format!("{}\n", path("a new/project/src"))
    );
    let (inner, own) = (
        path("a new/project/.venv/src/inner"),
        path("a new/project/.venv"),
    );
    assert_eq!(
        read("easy-install.pth"),
        format!("{inner}\nimport os; x = '{own}'\n")
    );
    assert_eq!(read("inner.egg-link"), format!("{inner}\n."));
    assert_eq!(read("else.pth"), path("elsewhere"));
    assert_eq!(
        read("__editable___a_1_finder.py"),
        format!(
            "MAPPING: dict[str, str] = {{'a': '{}', 'b': '{}'}}\n",
            path("a new/project/src"),
            path("gone")
        )
    );
    assert!(read("tool-1.dist-info/direct_url.json").contains(&format!(
        "\"file://{}\"",
        path("a new/project").replace(' ', "%20")
    )));
    works(&world, &new, &[]);
}

#[test]
fn files_with_the_old_prefix_that_cannot_be_rewritten_are_reported() {
    let world = World::new();
    let old = venv(&world, "env");
    std::fs::write(
        site(&world, &old).join("x.so"),
        format!("\u{7f}ELF\0{}/lib\0", old.display()),
    )
    .unwrap();
    std::fs::write(
        site(&world, &old).join("config.py"),
        format!("PREFIX = '{}'\n", old.display()),
    )
    .unwrap();
    write_with_mode(
        &old.join("bin/lost"),
        b"#!/nowhere/at/all/bin/python\n",
        0o755,
    );
    std::fs::create_dir(old.join("__pycache__")).unwrap();
    std::fs::write(old.join("__pycache__/x.pyc"), old.to_str().unwrap()).unwrap();
    let new = world.path("moved");
    shift(&old, &new);
    let lib = format!("lib/python3.{}/site-packages", world.python.minor);
    let outcome = relocate(&world, &new).run();
    let warnings = format!(
        "vpython: warning: cannot fix `{lib}/config.py`: it contains the old path, but relocate does not support this kind of file\n\
         vpython: warning: cannot fix `{lib}/x.so`: it is a binary file that contains the old path\n"
    );
    assert_eq!((outcome.code, outcome.stderr), (Some(1), warnings));
}

#[test]
fn the_interpreter_can_be_another_of_the_same_version() {
    let same = |python: &&Python| {
        Python::all()
            .iter()
            .find(|other| other.minor == python.minor && other.path != python.path)
    };
    let Some((python, other)) = Python::all()
        .iter()
        .find_map(|python| Some((python, same(&python)?)))
    else {
        not_tested!("there are no two CPythons of one version");
        return;
    };
    let world = World::with_python(python);
    let environment = venv(&world, "env");
    let outcome = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&other.path])
        .run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    let configuration = std::fs::read_to_string(environment.join("pyvenv.cfg")).unwrap();
    assert!(
        configuration.contains(&format!(
            "home = {}\n",
            other.path.parent().unwrap().display()
        )),
        "{configuration}"
    );
    assert!(
        configuration.contains(&format!("version = {}\n", other.version)),
        "{configuration}"
    );
    let text = "import sys; print(sys.prefix); print('%d.%d.%d' % sys.version_info[:3])";
    let said = world
        .program(environment.join("bin/python"), ["-c", text])
        .run();
    assert_eq!(
        said.raw_stdout,
        format!("{}\n{}\n", environment.display(), other.version)
    );
    works(&world, &environment, &[]);
    let again = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&other.path])
        .run();
    again.prints("nothing to change: the environment is set up for `[WORLD]/work/env`\n");
}

#[test]
fn an_interpreter_of_another_version_or_abi_is_refused() {
    let world = World::new();
    let environment = venv(&world, "env");
    let before = tree(&environment);
    let minor = world.python.minor;
    if let Some(other) = Python::other() {
        let outcome = relocate(&world, &environment)
            .arguments(["--python"])
            .arguments([&other.path])
            .run();
        assert_eq!(outcome.code, Some(125), "{outcome}");
        let why = format!(
            "caused by: the environment is for python 3.{minor}, but the interpreter is CPython {} on ",
            other.version
        );
        assert!(outcome.stderr.contains(&why), "{outcome}");
    }
    assert_eq!(tree(&environment), before);
    let module =
        site(&world, &environment).join(format!("x.cpython-3{minor}d-x86_64-linux-gnu.so"));
    std::fs::write(&module, "").unwrap();
    let outcome = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&world.python.path])
        .run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(
        outcome.stderr.contains(&format!(
            "is for the ABI `cpython-3{minor}d-x86_64-linux-gnu`, but "
        )),
        "{outcome}"
    );
}

#[test]
fn a_missing_interpreter_is_reported() {
    let world = World::new();
    let environment = venv(&world, "env");
    let link = std::fs::read_dir(environment.join("bin"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let link = link
        .filter(|path| path.is_symlink())
        .find(|path| path.read_link().unwrap().is_absolute())
        .unwrap();
    std::fs::remove_file(&link).unwrap();
    symlink("/gone/bin/python3", &link).unwrap();
    let configuration = std::fs::read_to_string(environment.join("pyvenv.cfg")).unwrap();
    let home = format!("home = {}\n", world.python.path.parent().unwrap().display());
    std::fs::write(
        environment.join("pyvenv.cfg"),
        configuration.replace(&home, "home = /gone/bin\n"),
    )
    .unwrap();
    let name = link
        .strip_prefix(&environment)
        .unwrap()
        .display()
        .to_string();
    let warning = format!(
        "vpython: warning: cannot fix `{name}`: it points to `/gone/bin/python3`, which does not exist; name another interpreter with `--python`\n\
         vpython: warning: cannot fix `pyvenv.cfg`: its `home` is `/gone/bin`, which does not exist; name another interpreter with `--python`\n"
    );
    let said = "nothing to change: the environment is set up for `[WORLD]/work/env`\n";
    relocate(&world, &environment)
        .run()
        .expect(1, said, &warning);
    let outcome = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&world.python.path])
        .run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    works(&world, &environment, &[]);
}

#[test]
fn a_directory_that_is_not_an_environment_is_refused() {
    let world = World::new();
    let why = "it is not a virtual environment: it has neither `pyvenv.cfg` nor `bin/activate`";
    let message = format!("vpython: error: cannot relocate `[WORLD]/work/x`\n  caused by: {why}\n");
    relocate(&world, Path::new("x"))
        .run()
        .refuses(125, &message);
    let message = "vpython: error: `-vpython-tool relocate` takes one environment\n  caused by: no environment is named\n  \
                   hint: `vpython -vpython-tool relocate --help` lists the options\n";
    world
        .vpython(["-vpython-tool", "relocate"])
        .run()
        .refuses(125, message);
    let message = message.replace("no environment is named", "2 environments are named");
    world
        .vpython(["-vpython-tool", "relocate", "x", "y"])
        .run()
        .refuses(125, &message);
    let message = "vpython: error: `-vpython-tool relocate` has no option `--dryrun`\n  hint: did you mean `--dry-run`?\n";
    world
        .vpython(["-vpython-tool", "relocate", "x", "--dryrun"])
        .run()
        .refuses(125, message);
    world.write("tool.py", "");
    let own = world.install(["tool.py"]);
    let message = "vpython: error: cannot relocate `[WORLD]/root/v1/envs/[KEY]`\n  \
                   caused by: vpython created it; such an environment works at any path\n";
    relocate(&world, &own).run().refuses(125, message);
}

#[test]
fn links_and_kernels_of_the_environment_are_rewritten() {
    let world = World::new();
    let old = venv(&world, "env");
    std::fs::remove_file(old.join("lib64")).unwrap();
    symlink(old.join("lib"), old.join("lib64")).unwrap();
    std::fs::create_dir(old.join("local")).unwrap();
    symlink(old.join("bin"), old.join("local/bin")).unwrap();
    let kernel = old.join("share/jupyter/kernels/python3/kernel.json");
    let argv = |place: &Path| {
        format!(
            "{{\n \"argv\": [\n  \"{}/bin/python\",\n  \"-m\"\n ]\n}}",
            place.display()
        )
    };
    write_with_mode(&kernel, argv(&old).as_bytes(), 0o644);
    write_with_mode(
        &old.join("bin/wrap"),
        format!(
            "#!/bin/sh\nexec {}/bin/python -c 'print(1)'\n",
            old.display()
        )
        .as_bytes(),
        0o755,
    );
    let new = world.path("a b");
    shift(&old, &new);
    relocated(&world, &new);
    assert_eq!(new.join("lib64").read_link().unwrap(), Path::new("lib"));
    assert_eq!(
        new.join("local/bin").read_link().unwrap(),
        Path::new("../bin")
    );
    let kernel =
        std::fs::read_to_string(new.join("share/jupyter/kernels/python3/kernel.json")).unwrap();
    assert_eq!(kernel, argv(&new));
    world
        .program(new.join("bin/wrap"), [""; 0])
        .run()
        .prints("1\n");
    works(&world, &new, &[&old]);
}

#[test]
fn the_record_of_pip_is_correct_after_a_relocation() {
    let world = World::new();
    let old = world.path("env");
    let mut command = Command::new(&world.python.path);
    command.args(["-m", "venv"]).arg(&old).env_clear();
    if !start(&mut command).wait().unwrap().success() {
        not_tested!("this python has no ensurepip");
        return;
    }
    let new = world.path("a b/env");
    shift(&old, &new);
    relocated(&world, &new);
    world
        .program(&world.python.path, ["-c", VERIFY])
        .arguments([&new])
        .run()
        .prints("");
    let said = world.program(new.join("bin/pip"), ["--version"]).run();
    assert!(
        said.code == Some(0) && said.raw_stdout.contains(new.to_str().unwrap()),
        "{said}"
    );
}

#[test]
fn a_script_for_another_environment_or_interpreter_is_not_changed() {
    let world = World::new();
    let other = venv(&world, "other");
    let old = venv(&world, "env");
    let scripts = [
        ("foreign", other.join("bin/python")),
        ("system", world.python.path.clone()),
    ];
    for (name, interpreter) in &scripts {
        write_with_mode(
            &old.join("bin").join(name),
            format!("#!{}\nprint(1)\n", interpreter.display()).as_bytes(),
            0o755,
        );
    }
    let wrapper = format!("#!/bin/sh\nVIRTUAL_ENV={}\n", other.display());
    write_with_mode(&old.join("bin/wrapper"), wrapper.as_bytes(), 0o755);
    let new = world.path("moved");
    shift(&old, &new);
    relocated(&world, &new);
    works(&world, &new, &[&old]);
    for (name, interpreter) in &scripts {
        let text = std::fs::read_to_string(new.join("bin").join(name)).unwrap();
        assert_eq!(text, format!("#!{}\nprint(1)\n", interpreter.display()));
    }
    assert_eq!(
        std::fs::read_to_string(new.join("bin/wrapper")).unwrap(),
        wrapper
    );
}
