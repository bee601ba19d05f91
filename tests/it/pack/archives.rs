//! Archives, read by other programs.

use std::collections::BTreeMap;
use std::path::Path;

use super::{files, has, is_alive, listing, output, pack, packed, world};
use crate::support::{Python, Wheel, World};

/// Extracts an archive, and returns the environment in it.
fn extracted(world: &World, program: &str, words: &[&str], top: &str) -> std::path::PathBuf {
    let directory = world.outside(&format!("elsewhere/{}", words.join("_").replace('/', "_")));
    std::fs::create_dir_all(&directory).unwrap();
    let script = "cd \"$0\" && exec \"$@\"";
    let words = [&["-c", script, directory.to_str().unwrap(), program], words].concat();
    output("/bin/sh", &words);
    if top.is_empty() {
        directory
    } else {
        directory.join(top)
    }
}

/// Checks that the environment matches its manifest and works.
fn is_right(environment: &Path) {
    let listing = listing(environment);
    let mut listed: Vec<String> = vec!["vpython-pack.json".into()];
    let mut kinds = BTreeMap::new();
    for member in listing["members"].as_array().unwrap() {
        let path = member["path"].as_str().unwrap().to_owned();
        let found = environment.join(&path).symlink_metadata().unwrap();
        let kind = member["kind"].as_str().unwrap();
        *kinds.entry(kind.to_owned()).or_insert(0) += 1;
        // Each member of the manifest exists as listed.
        match kind {
            "folder" => assert!(found.is_dir(), "{path}"),
            "link" => assert_eq!(
                member["target"].as_str().map(Path::new),
                environment.join(&path).read_link().ok().as_deref()
            ),
            _ => {
                let mode = format!(
                    "{:04o}",
                    std::os::unix::fs::MetadataExt::mode(&found) & 0o7777
                );
                assert_eq!(
                    (member["mode"].as_str(), member["size"].as_u64()),
                    (Some(&*mode), Some(found.len())),
                    "{path}"
                );
                let digest = vpython::testing::fs::Digest::of(
                    &std::fs::read(environment.join(&path)).unwrap(),
                );
                assert_eq!(member["sha256"], digest.to_string(), "{path}");
            }
        }
        if kind != "folder" {
            listed.push(path);
        }
    }
    // There is no other file.
    listed.sort();
    assert_eq!(files(environment), listed);
    assert!(
        kinds.len() == 3 && kinds["file"] > 15 && kinds["link"] > 2,
        "{kinds:?}"
    );
    // Running the environment writes nothing.
    is_alive(environment);
    assert_eq!(
        files(environment),
        listed,
        "all imported modules have byte code"
    );
}

#[test]
fn tar_reads_it() {
    let world = world();
    for (name, top) in [
        ("app.tar", ""),
        ("app.tar.gz", ""),
        ("app.tar.zst", "opt/app/env"),
    ] {
        let file = packed(&world, name);
        let file = file.to_str().unwrap();
        if has("tar") && (has("zstd") || name != "app.tar.zst") {
            is_right(&extracted(&world, "tar", &["-xf", file], top));
            let listed = output("tar", &["--numeric-owner", "-tvf", file]);
            assert!(
                listed
                    .lines()
                    .all(|line| line.contains(" 0/0 ") && line.contains(" 1980-01-01 ")),
                "{listed}"
            );
        }
        if has("bsdtar") {
            is_right(&extracted(&world, "bsdtar", &["-x", "-f", file], top));
        }
        if name != "app.tar.zst" {
            let program = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall('.')";
            let python = world.python.path.to_str().unwrap();
            is_right(&extracted(
                &world,
                python,
                &["-W", "ignore", "-c", program, file],
                top,
            ));
        }
    }
}

#[test]
fn unzip_and_python_read_a_zip() {
    let world = world();
    let file = packed(&world, "app.zip");
    let file = file.to_str().unwrap();
    if has("unzip") {
        is_right(&extracted(&world, "unzip", &["-q", file], "opt/app/env"));
        output("unzip", &["-tq", file]);
    }
    if has("bsdtar") {
        is_right(&extracted(
            &world,
            "bsdtar",
            &["-x", "-f", file],
            "opt/app/env",
        ));
    }
    let program = "import sys, zipfile\nfor one in zipfile.ZipFile(sys.argv[1]).infolist():\n  \
                   print('%o' % (one.external_attr >> 16), one.date_time, one.create_system, one.filename)";
    let listed = output(world.python.path.to_str().unwrap(), &["-c", program, file]);
    assert!(
        listed
            .lines()
            .all(|line| line.contains(" (1980, 1, 1, 0, 0, 0) 3 opt/app/env/")),
        "{listed}"
    );
    for (kind, name) in [
        ("100755", "bin/run-some"),
        ("40755", "bin/"),
        ("120777", "bin/python"),
        ("100644", "pyvenv.cfg"),
    ] {
        let line = format!("{kind} (1980, 1, 1, 0, 0, 0) 3 opt/app/env/{name}\n");
        assert!(listed.contains(&line), "{line}{listed}");
    }
}

#[test]
fn members_are_in_order_and_hard_links_are_files() {
    let world = world();
    let file = packed(&world, "app.tar.gz");
    let listed = output(
        "tar",
        &["-tf", file.to_str().unwrap(), "--quoting-style=literal"],
    );
    let names: Vec<&str> = listed.lines().collect();
    assert_eq!(names[0], "vpython-pack.json");
    let mut sorted = names[1..]
        .iter()
        .map(|name| name.trim_end_matches('/'))
        .collect::<Vec<_>>();
    sorted.sort_unstable();
    assert_eq!(
        names[1..]
            .iter()
            .map(|name| name.trim_end_matches('/'))
            .collect::<Vec<_>>(),
        sorted
    );
    let kinds: std::collections::BTreeSet<char> = output("tar", &["-tvf", file.to_str().unwrap()])
        .lines()
        .map(|line| line.chars().next().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ['-', 'd', 'l'].into(),
        "although the store shares the files"
    );
    let head = std::fs::read(file).unwrap();
    assert_eq!(
        head[..9],
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0],
        "without a name and a time"
    );
}

/// A world for this CPython 2.7.
fn world_of_two(two: &Path) -> World {
    let world = World::new();
    std::os::unix::fs::symlink(two, world.outside("bin/python2.7")).unwrap();
    let main = "def main():\n    print('some %d' % 1)\n";
    let wheel = Wheel::new("some", "1")
        .tag("py2-none-any")
        .file("some/__init__.py", main)
        .entry_point("run-some", "some:main");
    world.wheel(&wheel);
    world.write(
        ".vpython",
        "# vpython: no-seed\npython_version: '2.7'\nwheel < name: 'some' version: 'version:1' >\n",
    );
    world
}

/// A world for this CPython 3.
fn world_of(python: &'static Python) -> World {
    let world = World::with_python(python);
    world.wheel(
        &Wheel::new("some", "1")
            .file("some/__init__.py", "def main():\n    print('some', 1)\n")
            .entry_point("run-some", "some:main"),
    );
    world.write("vpython.toml", "dependencies = ['some']\n");
    world
}

#[test]
fn each_version_of_python_is_packed_and_runs() {
    let worlds = Python::each_build()
        .into_iter()
        .map(world_of)
        .chain(Python::two().map(|two| world_of_two(&two)));
    for world in worlds {
        // The binary of CPython 2.7 may have a run path that causes a warning.
        let packed = pack(&world, "app.tar", &["--fix-rpath"]);
        assert_eq!((packed.code, &*packed.stdout), (Some(0), ""), "{packed}");
        let directory = world.outside("it's elsewhere");
        std::fs::create_dir(&directory).unwrap();
        vpython::testing::portable::extract(&world.path("app.tar"), &directory).unwrap();
        let script = directory.join("bin/run-some");
        assert_eq!(
            output(script.to_str().unwrap(), &[]),
            "some 1\n",
            "{}",
            world.python.version
        );
    }
}
