//! The warnings of `pack` about files that depend on this machine, and `--fix-rpath`.

use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::expect;

use crate::support::{Outcome, Python, Wheel, World, interpreter_warning, start};

/// Compiles a library with this run path, or returns `None` without a compiler.
fn library(run_path: &str) -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let (source, library) = (directory.path().join("x.c"), directory.path().join("x.so"));
    std::fs::write(&source, "int answer(void) { return 42; }\n").unwrap();
    let mut command = Command::new("/usr/bin/env");
    command.args([
        "cc",
        "-shared",
        "-fPIC",
        "-nostdlib",
        &format!("-Wl,--enable-new-dtags,-rpath,{run_path}"),
        "-o",
    ]);
    if !start(command.arg(&library).arg(&source))
        .wait()
        .unwrap()
        .success()
    {
        not_tested!("there is no C compiler");
        return None;
    }
    Some(std::fs::read(library).unwrap())
}

/// Returns the run path of a file as `readelf` prints it.
fn run_path(file: &Path) -> String {
    let mut command = Command::new("/usr/bin/env");
    let output = start(
        command
            .args(["readelf", "-d"])
            .arg(file)
            .stdout(Stdio::piped()),
    )
    .wait_with_output()
    .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("PATH)"))
        .unwrap_or_default();
    line.split_whitespace()
        .skip(1)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A world with a wheel of libraries, by name, with these run paths.
fn world(libraries: &[(&str, &str)]) -> Option<World> {
    let world = World::new();
    let mut wheel = Wheel::new("some", "1")
        .file("some/__init__.py", "")
        .file("some.libs/x", "");
    for (name, run_path) in libraries {
        wheel = wheel.file(&format!("some/{name}.so"), library(run_path)?);
    }
    world.wheel(&wheel);
    world.write("vpython.toml", "dependencies = ['some']\n");
    Some(world)
}

fn pack(world: &World, options: &[&str]) -> Outcome {
    world
        .vpython(["-vpython-tool", "pack", "--output", "env.tar"])
        .arguments(options)
        .run()
}

/// Packs, and hides what depends on the interpreter: the directory `site-packages`, and the warning
/// about a place that other machines may not have.
fn audited(world: &World, options: &[&str]) -> Outcome {
    pack(world, options)
        .replacing(&world.interpreter_warning(), "")
        .replacing(&site(world.python), "[SITE]")
}

/// The directory of the libraries in an environment of that python.
fn site(python: &Python) -> String {
    format!("lib/python3.{}/site-packages", python.minor)
}

/// Unpacks an archive.
fn unpack(world: &World) {
    std::fs::create_dir_all(world.path("out")).unwrap();
    let mut command = Command::new("/usr/bin/env");
    command
        .args(["tar", "-C"])
        .arg(world.path("out"))
        .arg("-xf")
        .arg(world.path("env.tar"));
    assert!(start(&mut command).wait().unwrap().success());
}

const LIBRARIES: [(&str, &str); 5] = [
    ("a", "/home/nobody/lib:$ORIGIN/../some.libs"),
    ("b", "$ORIGIN/../../../../../lib::lib"),
    ("c", "/opt/app/env/bin"),
    ("d", "$ORIGIN:$ORIGIN/../some.libs"),
    ("e", "/o"),
];

#[test]
fn run_paths_that_cannot_move_are_reported() {
    let Some(world) = world(&LIBRARIES) else {
        return;
    };
    audited(&world, &[]).expect(0, "", expect![[r#"
        vpython: warning: the run path of `[SITE]/some/a.so` names `/home/nobody/lib`, which is absolute; names `$ORIGIN/../some.libs` after `/home/nobody/lib`
        vpython: warning: the run path of `[SITE]/some/b.so` names `$ORIGIN/../../../../../lib`, which is outside the environment; has an empty entry, which is the current directory; names `lib`, which is relative to the current directory
        vpython: warning: the run path of `[SITE]/some/c.so` names `/opt/app/env/bin`, which is absolute
        vpython: warning: the run path of `[SITE]/some/e.so` names `/o`, which is absolute
        vpython: `--fix-rpath` rewrites these run paths
    "#]]);
}

#[test]
fn run_paths_are_rewritten_only_in_what_is_packed() {
    let Some(world) = world(&LIBRARIES) else {
        return;
    };
    let site = site(world.python);
    let options = ["--prefix", "/opt/app/env", "--fix-rpath"];
    audited(&world, &options).expect(0, "", expect![[r#"
        vpython: changed the run path of `[SITE]/some/a.so` from `/home/nobody/lib:$ORIGIN/../some.libs` to `$ORIGIN/../some.libs`
        vpython: changed the run path of `[SITE]/some/b.so` from `$ORIGIN/../../../../../lib::lib` to ``
        vpython: changed the run path of `[SITE]/some/e.so` from `/o` to ``
        vpython: warning: the run path of `[SITE]/some/c.so` names `/opt/app/env/bin`, which is absolute; cannot be fixed: `$ORIGIN/../../../../bin` is longer than the old run path `/opt/app/env/bin`
    "#]]);
    unpack(&world);
    let environment = world.path("out/opt/app/env").join(&site);
    let is = |name: &str| run_path(&environment.join(format!("some/{name}.so")));
    assert_eq!(is("a"), "(RUNPATH) Library runpath: [$ORIGIN/../some.libs]");
    assert_eq!(is("b"), "(RUNPATH) Library runpath: []");
    assert_eq!(
        is("d"),
        "(RUNPATH) Library runpath: [$ORIGIN:$ORIGIN/../some.libs]"
    );
    let program = "import base64, csv, hashlib, os, sys
record = os.path.join(sys.argv[1], 'some-1.dist-info/RECORD')
for name, digest, size in csv.reader(open(record)):
    content = open(os.path.join(sys.argv[1], name), 'rb').read()
    right = 'sha256=' + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip('=')
    if digest and (digest, size) != (right, str(len(content))):
        print(name)
";
    let program = world.write("record.py", program);
    world
        .vpython([program.as_os_str(), environment.as_os_str()])
        .run()
        .prints("");
    let first = std::fs::read(world.path("env.tar")).unwrap();
    // The files of the store are unchanged.
    assert_eq!(pack(&world, &options).code, Some(0));
    assert!(
        std::fs::read(world.path("env.tar")).unwrap() == first,
        "the same library is rewritten in the same way"
    );
}

#[test]
fn a_library_with_a_rewritten_run_path_still_works() {
    let Some(world) = world(&[("a", "/home/nobody/a/very/long/path:$ORIGIN/../some.libs")]) else {
        return;
    };
    let outcome = pack(&world, &["--fix-rpath"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    unpack(&world);
    let library = world.path("out").join(site(world.python)).join("some/a.so");
    let text = format!(
        "import ctypes; print(ctypes.CDLL('{}').answer())",
        library.display()
    );
    world.vpython(["-c", &text]).run().prints("42\n");
}

#[test]
fn files_that_contain_a_path_of_this_machine_are_reported() {
    let world = World::new();
    let home = world.outside("home").display().to_string();
    let wheel = Wheel::new("some", "1")
        .file("some/__init__.py", format!("HERE = '{home}/src/some.c'\n"))
        .file(
            "some/data.bin",
            [b"\0\x01", home.as_bytes(), b"/x\0"].concat(),
        )
        .file(
            "some/else.txt",
            format!("{home}2 /root/x /usr/lib\n").replace("/root", "/x/root"),
        );
    world.wheel(&wheel);
    world.write("vpython.toml", "dependencies = ['some']\n");
    let tag = format!(".cpython-3{}.pyc", world.python.minor);
    audited(&world, &[])
        .replacing(&tag, ".[TAG].pyc")
        .expect(0, "", expect![[r#"
            vpython: warning: `[SITE]/some/__init__.py` names `[WORLD]/home/src/some.c`, which other machines may not have
            vpython: warning: `[SITE]/some/__pycache__/__init__.[TAG].pyc` names `[WORLD]/home`, which other machines may not have
            vpython: warning: `[SITE]/some/data.bin` names `[WORLD]/home/x`, which other machines may not have
        "#]]);
}

#[test]
fn the_binary_of_2_7_finds_its_library_next_to_it_after_a_rewrite() {
    let Some(two) = Python::two() else { return };
    let base = two.parent().and_then(Path::parent).unwrap();
    if !run_path(&two).ends_with(&format!("[{}/lib]", base.display())) {
        not_tested!("this CPython 2.7 has no run path into its own directory");
        return;
    }
    let world = World::new();
    std::os::unix::fs::symlink(&two, world.outside("bin/python2.7")).unwrap();
    world.write("vpython.toml", "requires-python = '==2.7.*'\n");
    let interpreter = interpreter_warning(&two).replace("[PYTHON]", two.to_str().unwrap());
    let redacted = |options| {
        let outcome = pack(&world, options).replacing(&interpreter, "");
        outcome.replacing(base.to_str().unwrap(), "[BASE]")
    };
    redacted(&[]).expect(
        0,
        "",
        expect![[r#"
            vpython: warning: the run path of `bin/python2.7` names `[BASE]/lib`, which is absolute
            vpython: `--fix-rpath` rewrites these run paths
        "#]],
    );
    redacted(&["--fix-rpath"]).expect(
        0,
        "",
        expect![[r#"
            vpython: changed the run path of `bin/python2.7` from `[BASE]/lib` to `$ORIGIN/../lib`
        "#]],
    );
    unpack(&world);
    assert!(run_path(&world.path("out/bin/python2.7")).ends_with("[$ORIGIN/../lib]"));
    let mut command = Command::new(world.path("out/bin/python2.7"));
    let output = start(
        command
            .args(["-c", "import ssl; print(1)"])
            .stdout(Stdio::piped()),
    )
    .wait_with_output()
    .unwrap();
    assert_eq!(output.stdout, b"1\n");
    // The run path of the copied interpreter points to its library.
    pack(&world, &["--with-python"]).prints("");
}
