//! The contents of a built environment, and what vpython never builds.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::support::{Python, Wheel, World};

/// A wheel with one file of each kind.
fn varied() -> Wheel {
    Wheel::new("varied", "1.0")
        .compressed()
        .file(
            "varied/__init__.py",
            "import sys\ndef main():\n    print('main', sys.argv[1:])\n    return 3\n",
        )
        .file("varied/empty", "")
        .file("varied/comma, quote\" é.txt", "x")
        .file_with_mode("varied/tool.sh", "#!/bin/sh\n", 0o755)
        .file_with_mode("varied/owner_only", "x", 0o700)
        .file_with_mode("varied/group_x", "x", 0o610)
        .file_with_mode("varied/writable", "x", 0o666)
        .script("shipped", "#!python\nprint('shipped')\n")
        .script("shell-script", "#!/bin/sh\necho shell\n")
        .data("data/share/varied/text", "data")
        .data("headers/varied.h", "#define X\n")
        .data("purelib/varied_pure.py", "X = 1\n")
        .data("platlib/varied_plat.py", "X = 2\n")
        .entry_point("varied-main", "varied:main")
}

/// A world with a spec that requires the wheel.
fn world_with(python: &'static Python, wheel: &Wheel, name: &str) -> World {
    let world = World::with_python(python);
    world.wheel(wheel);
    world.write("vpython.toml", format!("dependencies = ['{name}']\n"));
    world
}

fn site_packages(environment: &Path, python: &Python) -> std::path::PathBuf {
    environment.join(format!("lib/python3.{}/site-packages", python.minor))
}

#[test]
fn every_file_exists_with_the_right_mode() {
    let world = world_with(Python::any(), &varied(), "varied");
    let environment = world.install([""; 0]);
    let site = site_packages(&environment, world.python);
    let mode = |path: &Path| path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
    let info = "varied-1.0.dist-info";
    #[rustfmt::skip]
    let rows: [(String, u32); 17] = [
        ("varied/__init__.py".into(), 0o444),
        ("varied/empty".into(), 0o444),
        ("varied/comma, quote\" é.txt".into(), 0o444),
        ("varied/tool.sh".into(), 0o555),
        ("varied/owner_only".into(), 0o555),
        ("varied/group_x".into(), 0o555),
        ("varied/writable".into(), 0o444),
        ("varied_pure.py".into(), 0o444),
        ("varied_plat.py".into(), 0o444),
        (format!("{info}/METADATA"), 0o444),
        (format!("{info}/INSTALLER"), 0o444),
        (format!("{info}/REQUESTED"), 0o444),
        (format!("{info}/RECORD"), 0o444),
        ("../../../bin/shipped".into(), 0o555),
        ("../../../bin/shell-script".into(), 0o555),
        ("../../../bin/varied-main".into(), 0o555),
        ("../../../share/varied/text".into(), 0o444),
    ];
    for (path, expected) in rows {
        assert_eq!(mode(&site.join(&path)), expected, "{path}");
    }
    let header = environment.join(format!(
        "include/site/python3.{}/varied/varied.h",
        world.python.minor
    ));
    assert_eq!(mode(&header), 0o444);
    assert_eq!(
        std::fs::read(site.join(format!("{info}/INSTALLER"))).unwrap(),
        b"vpython\n"
    );
    assert_eq!(
        std::fs::read(site.join(format!("{info}/REQUESTED"))).unwrap(),
        b""
    );
}

#[test]
fn the_record_is_correct_and_complete() {
    let world = world_with(Python::any(), &varied(), "varied");
    let environment = world.install([""; 0]);
    let site = site_packages(&environment, world.python);
    let record = std::fs::read(site.join("varied-1.0.dist-info/RECORD")).unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&*record);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut listed: Vec<std::path::PathBuf> = Vec::new();
    for row in &rows {
        let path = std::fs::canonicalize(site.join(&row[0]))
            .unwrap_or_else(|error| panic!("{}: {error}", &row[0]));
        if &row[0] == "varied-1.0.dist-info/RECORD" {
            assert_eq!((&row[1], &row[2]), ("", ""));
        } else {
            let content = std::fs::read(&path).unwrap();
            let digest = format!(
                "sha256={}",
                URL_SAFE_NO_PAD.encode(Sha256::digest(&content))
            );
            assert_eq!(
                (&row[1], &row[2]),
                (&*digest, &*content.len().to_string()),
                "{}",
                &row[0]
            );
        }
        listed.push(path);
    }
    listed.sort();
    let own = [
        "pyvenv.cfg",
        "vpython.json",
        "vpython.compiled",
        "bin/activate",
        "bin/activate.csh",
        "bin/activate.fish",
    ];
    let own = own.map(|name| environment.join(name));
    let files = walkdir::WalkDir::new(&environment)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    let files = files
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path);
    // Python may write byte code at any time, and no wheel has it.
    let is_byte_code = |path: &Path| path.extension().is_some_and(|extension| extension == "pyc");
    let mut found: Vec<_> = files
        .filter(|path| !own.contains(path) && !is_byte_code(path))
        .collect();
    found.sort();
    assert_eq!(found, listed);
}

#[test]
fn only_requirements_of_the_spec_are_marked_as_requested() {
    let world = world_with(Python::any(), &Wheel::module("a", "1").requires("b"), "a");
    world.wheel(&Wheel::module("b", "1"));
    let site = site_packages(&world.install([""; 0]), world.python);
    assert!(site.join("a-1.dist-info/REQUESTED").exists());
    assert!(!site.join("b-1.dist-info/REQUESTED").exists());
}

#[test]
fn an_environment_runs_on_every_version_of_python() {
    for python in Python::each_build() {
        let world = world_with(python, &varied(), "varied");
        let text = "import sys, varied, varied_pure, varied_plat\nprint(sys.version_info[1], sys.prefix != sys.base_prefix)\n\
                    print([p for p in sys.path if 'site-packages' in p])\nvaried.main()\n";
        let site = format!(
            "[WORLD]/root/v1/envs/[KEY]/lib/{}/site-packages",
            python.name()
        );
        let outcome = world.vpython(["-W", "error", "-c", text, "x"]).run();
        outcome.prints(&format!("{} True\n['{site}']\nmain ['x']\n", python.minor));
        let program = world.environments()[0].join("bin/varied-main");
        world
            .program(program, ["y"])
            .run()
            .expect(3, "main ['y']\n", "");
    }
}

#[test]
fn nothing_of_the_host_leaks_in() {
    let world = World::new();
    let user_site = world.outside(&format!(
        "home/.local/lib/python3.{}/site-packages",
        world.python.minor
    ));
    std::fs::create_dir_all(&user_site).unwrap();
    std::fs::write(user_site.join("leak.py"), "").unwrap();
    std::fs::write(user_site.join("usercustomize.py"), "print('leaked')\n").unwrap();
    let text = "import sys\nprint([p for p in sys.path if 'packages' in p])\n\
                try:\n    import leak\nexcept ImportError:\n    print('no leak')\n";
    let outcome = world
        .vpython(["-c", text])
        .env("PYTHONHOME", "/nowhere")
        .env("PYTHONUSERBASE", "/nowhere")
        .run();
    outcome.prints(&format!(
        "['[WORLD]/root/v1/envs/[KEY]/lib/python3.{}/site-packages']\nno leak\n",
        world.python.minor
    ));
}

#[test]
fn two_specs_share_an_unpacked_wheel() {
    use std::os::unix::fs::MetadataExt;
    let world = world_with(Python::any(), &Wheel::module("a", "1"), "a");
    world.wheel(&Wheel::module("b", "1"));
    let one = world.install([""; 0]);
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    let other = world.install([""; 0]);
    assert_ne!(one, other);
    let inode = |environment| {
        site_packages(environment, world.python)
            .join("a.py")
            .metadata()
            .unwrap()
            .ino()
    };
    assert_eq!(std::fs::read_dir(world.store("wheels")).unwrap().count(), 2);
    let is_shared = inode(&one) == inode(&other);
    let can_link_only = reflink_copy::reflink(world.write("from", "x"), world.path("to")).is_err();
    assert!(
        is_shared || !can_link_only,
        "the file is copied although a link is possible"
    );
}
