//! The command line of `pack`, and its errors.

use expect_test::{Expect, expect};

use super::{DEB, PACKAGE, listing, output, pack, world};
use crate::support::{Expected, World};

/// Checks that vpython refuses the command line before it looks at anything: there is not even an
/// interpreter.
#[track_caller]
fn refuses(words: &[&str], message: impl Expected) {
    let world = World::new();
    std::fs::create_dir(world.path("directory.tar")).unwrap();
    std::fs::remove_file(world.outside("bin/python3")).unwrap();
    world
        .vpython(["-vpython-tool", "pack"])
        .arguments(words)
        .env("PATH", "")
        .run()
        .refuses(125, message);
    assert_eq!(
        std::fs::read_dir(world.path("")).unwrap().count(),
        1,
        "nothing was written"
    );
}

#[test]
fn the_output_file_must_have_a_known_extension() {
    refuses(
        &[],
        expect![[r#"
            vpython: error: `-vpython-tool pack` needs an output file
              hint: pass `--output FILE` with a name that ends with one of `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.zip`, `.sqfs`, `.rpm`, `.deb`, `.oci`, `.oci.tar`
        "#]],
    );
    for (name, message) in [
        (
            "app.7z",
            expect![[r#"
                vpython: error: cannot pack `app.7z`
                  caused by: unrecognized archive format
                  hint: supported suffixes: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.zip`, `.sqfs`, `.rpm`, `.deb`, `.oci`, `.oci.tar`
            "#]],
        ),
        (
            "app",
            expect![[r#"
                vpython: error: cannot pack `app`
                  caused by: unrecognized archive format
                  hint: supported suffixes: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.zip`, `.sqfs`, `.rpm`, `.deb`, `.oci`, `.oci.tar`
            "#]],
        ),
        (
            ".tar",
            expect![[r#"
                vpython: error: cannot pack `.tar`
                  caused by: unrecognized archive format
                  hint: supported suffixes: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.zip`, `.sqfs`, `.rpm`, `.deb`, `.oci`, `.oci.tar`
            "#]],
        ),
        (
            "app.tar.xz",
            expect![[r#"
                vpython: error: cannot pack `app.tar.xz`
                  caused by: unrecognized archive format
                  hint: supported suffixes: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.zip`, `.sqfs`, `.rpm`, `.deb`, `.oci`, `.oci.tar`
            "#]],
        ),
        (
            "a",
            expect![[r#"
                vpython: error: cannot pack `a`
                  caused by: unrecognized archive format
                  hint: supported suffixes: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.zip`, `.sqfs`, `.rpm`, `.deb`, `.oci`, `.oci.tar`
            "#]],
        ),
    ] {
        refuses(&["--output", name], message);
    }
    refuses(
        &["--output", "directory.tar"],
        expect![[r#"
            vpython: error: cannot pack `directory.tar`
              caused by: a directory of that name exists
        "#]],
    );
}

#[test]
fn all_errors_are_reported_at_once() {
    #[rustfmt::skip]
    let rows: [(&[&str], Expect); 9] = [
        (&["a.rpm"], expect![[r#"
            vpython: error: cannot pack `a.rpm`
              caused by: an rpm needs `--name NAME`, `--package-version VERSION`, `--prefix /opt/NAME`
        "#]]),
        (&["a.deb", "--name=a1", "--prefix=opt"], expect![[r#"
            vpython: error: cannot pack `a.deb`
              caused by: `--prefix opt` is not an absolute path such as `/opt/app/env`
              caused by: a deb needs `--package-version VERSION`, `--maintainer 'NAME <ADDRESS>'`
        "#]]),
        (&["a.tar", "--name=a", "--package-version=1", "--release=1", "--arch=all", "--depends=b", "--maintainer=c", "--description=d", "--license=e"], expect![[r#"
            vpython: error: cannot pack `a.tar`
              caused by: `--name` applies only to `.rpm` and `.deb`
              caused by: `--package-version` applies only to `.rpm` and `.deb`
              caused by: `--release` applies only to `.rpm` and `.deb`
              caused by: `--arch` applies only to `.rpm` and `.deb`
              caused by: `--depends` applies only to `.rpm` and `.deb`
              caused by: `--maintainer` applies only to `.rpm` and `.deb`
              caused by: `--description` applies only to `.rpm` and `.deb`
              caused by: `--license` applies only to `.rpm` and `.deb`
        "#]]),
        (&["a.zip", "--prefix=/"], expect![[r#"
            vpython: error: cannot pack `a.zip`
              caused by: `--prefix /` is not an absolute path such as `/opt/app/env`
        "#]]),
        (&["a.zip", "--prefix=/opt/../a"], expect![[r#"
            vpython: error: cannot pack `a.zip`
              caused by: `--prefix /opt/../a` is not an absolute path such as `/opt/app/env`
        "#]]),
        (&["a.zip", "--prefix=/opt/a\nb"], expect![[r#"
            vpython: error: cannot pack `a.zip`
              caused by: `--prefix /opt/a\nb` is not UTF-8 or contains a control character
        "#]]),
        (&["a.rpm", "--prefix=/a", "--name=-a", "--package-version=1-1", "--release=1-2", "--arch=amd64", "--license= ", "--maintainer=me", "--description=\n", "--depends=a>=1", "--depends=(a"], expect![[r#"
            vpython: error: cannot pack `a.rpm`
              caused by: `--name -a`: a name consists of letters, digits, `-`, `.`, `_` and `+`, and starts with a letter or digit
              caused by: `--package-version 1-1`: a version consists of letters, digits, `.`, `_`, `+`, `~` and `^`; pass the part after `-` as `--release`
              caused by: `--arch amd64`: an rpm uses `x86_64`
              caused by: `--release 1-2`: a release consists of letters, digits, `.`, `_`, `+`, `~` and `^`
              caused by: `--license  `: it is empty
              caused by: `--maintainer me`: expected a name and an address, as in `Ada Lovelace <ada@example.org>`
              caused by: `--description \n`: it is empty
              caused by: `--depends a>=1`: expected `NAME`, `NAME >= VERSION` or `(NAME or NAME)`
              caused by: `--depends (a`: expected `NAME`, `NAME >= VERSION` or `(NAME or NAME)`
        "#]]),
        (&["a.deb", "--prefix=/a", "--name=App", "--package-version=v1", "--release=1", "--arch=noarch", "--license=MIT", "--maintainer=a <b@c>\n", "--depends=python3 >= 3"], expect![[r#"
            vpython: error: cannot pack `a.deb`
              caused by: `--name App`: a name consists of two or more lower-case letters, digits, `-`, `.` and `+`, and starts with a letter or digit
              caused by: `--package-version v1`: a version consists of letters, digits, `.`, `+`, `~` and `-`, starts with a digit, and may have an epoch such as `1:` in front
              caused by: `--arch noarch`: a deb uses `all`
              caused by: `--release 1`: in a deb the release is part of the version, as in `--package-version 1.0-1`
              caused by: `--license MIT`: a deb has no license field; put the license into a file of the environment
              caused by: `--maintainer a <b@c>\n`: it contains a control character
              caused by: `--depends python3 >= 3`: expected `name`, `name (>= version)`, `name | name`, with commas between
        "#]]),
        (&["a.rpm", "--prefix=/a", "--name=a", "--package-version=1", "--arch=vax"], expect![[r#"
            vpython: error: cannot pack `a.rpm`
              caused by: `--arch vax`: an rpm supports only x86_64, aarch64, i686, armv7hl, ppc64le, riscv64, s390x, loongarch64, noarch
        "#]]),
    ];
    for (words, message) in rows {
        refuses(&[&["--output"], words].concat(), message);
    }
}

#[test]
fn the_time_is_a_number_of_seconds() {
    let world = world();
    for value in ["x", "-1", "4294967296", "1.5"] {
        let outcome = world
            .vpython(["-vpython-tool", "pack", "--output", "a.tar"])
            .env("SOURCE_DATE_EPOCH", value)
            .run();
        let value = format!("`{value}`");
        let outcome = outcome.replacing(&value, "`[VALUE]`");
        outcome.refuses(125, expect![[r#"
            vpython: error: cannot pack `a.tar`
              caused by: `SOURCE_DATE_EPOCH` is `[VALUE]`, which is not a number of seconds between 1970 and 2106
        "#]]);
    }
    let times = |value: &str| {
        world
            .vpython(["-vpython-tool", "pack", "--output", "a.tar"])
            .env("SOURCE_DATE_EPOCH", value)
            .run()
            .expect(0, "", &world.interpreter_warning());
        let text = output(
            "tar",
            &[
                "--utc",
                "--full-time",
                "-tvf",
                world.path("a.tar").to_str().unwrap(),
            ],
        );
        let mut times: Vec<String> = text
            .lines()
            .map(|line| {
                line.split_whitespace()
                    .skip(3)
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        times.sort();
        times.dedup();
        times
    };
    assert_eq!(times("1700000001"), ["2023-11-14 22:13:21"]);
    assert_eq!(times(""), ["1980-01-01 00:00:00"]);
}

#[test]
fn members_are_below_the_prefix() {
    let world = world();
    for (prefix, top) in [("/opt/app/", "opt/app/"), ("//opt/./app", "opt/app/")] {
        pack(&world, "a.tar", &["--prefix", prefix]).expect(0, "", &world.interpreter_warning());
        let names = output("tar", &["-tf", world.path("a.tar").to_str().unwrap()]);
        assert!(
            names.starts_with(&format!("{top}vpython-pack.json\n{top}\n{top}bin/\n")),
            "{names}"
        );
        assert!(names.lines().all(|name| name.starts_with(top)), "{names}");
    }
}

#[test]
fn a_failure_leaves_the_existing_file() {
    let world = world();
    world.write("a.tar.gz", "old");
    pack(&world, "b.rpm", PACKAGE).expect(0, "", &world.interpreter_warning());
    let wheel = world.path("wheels/some-1-py3-none-any.whl");
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    let whole = std::fs::read(&wheel).unwrap();
    std::fs::write(&wheel, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(pack(&world, "a.tar.gz", &[]).code, Some(125));
    std::fs::write(&wheel, &whole).unwrap();
    // The limit on the file size, in blocks; a larger file ends the process.
    let limited = "ulimit -f 1000; exec \"$0\" -vpython-tool pack --output a.tar.gz";
    pack(&world, "c.tar", &[]).expect(0, "", &world.interpreter_warning());
    let killed = world
        .program("/bin/sh", ["-c", limited, env!("CARGO_BIN_EXE_vpython")])
        .run();
    assert_eq!(killed.signal, Some(libc::SIGXFSZ), "{killed}");
    assert_eq!(std::fs::read(world.path("a.tar.gz")).unwrap(), b"old");
    pack(&world, "a.tar.gz", &[]).expect(0, "", &world.interpreter_warning());
    let mut names: Vec<_> = std::fs::read_dir(world.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["a.tar.gz", "b.rpm", "c.tar", "vpython.toml", "wheels"],
        "nothing is left"
    );
}

#[test]
fn included_code_and_the_interpreter_are_packed() {
    let world = world();
    world.write("lib/mine/__init__.py", "import some\n");
    pack(&world, "a.tar", &["--include", "lib", "--with-python"]).prints("");
    let place = world.path("elsewhere/env");
    std::fs::create_dir_all(&place).unwrap();
    output(
        "tar",
        &[
            "-C",
            place.to_str().unwrap(),
            "-xf",
            world.path("a.tar").to_str().unwrap(),
        ],
    );
    let before = super::files(&place);
    super::is_alive(&place);
    let python = place.join("bin/python");
    let text = "import mine, sys; print(mine.__file__, sys.base_prefix)";
    let said = output(python.to_str().unwrap(), &["-c", text]);
    let (file, base) = said.trim_end().split_once(' ').unwrap();
    assert_eq!(
        file,
        place.join("app/lib/mine/__init__.py").to_str().unwrap()
    );
    assert_eq!(std::fs::canonicalize(base).unwrap(), place.join("python"));
    assert!(
        listing(&place)["interpreter"].is_null(),
        "no interpreter of the machine is needed"
    );
    assert_eq!(super::files(&place), before, "all modules have byte code");
}

#[test]
fn package_metadata_comes_from_the_options() {
    let world = world();
    let description = "An app\n\nIt does things.\n\n  And more.";
    let more = [
        "--description",
        description,
        "--arch",
        "all",
        "--depends",
        "python3 (>= 3.11)",
        "--depends",
        "libc6",
    ];
    pack(&world, "a.deb", &[DEB, &more].concat()).expect(0, "", &world.interpreter_warning());
    if super::has("dpkg-deb") {
        let fields = output("dpkg-deb", &["-f", world.path("a.deb").to_str().unwrap()]);
        let expected = "Package: app\nVersion: 1.0\nArchitecture: all\nMaintainer: Ada Lovelace <ada@example.org>\nInstalled-Size: ";
        let (start, rest) = fields.split_once("Depends").unwrap();
        assert!(start.starts_with(expected), "{fields}");
        let expected = ": python3 (>= 3.11), libc6\nSection: misc\nPriority: optional\n\
                        Description: An app\n It does things.\n .\n   And more.\n";
        assert_eq!(rest, expected);
    }
    let more = [
        "--description",
        description,
        "--arch",
        "noarch",
        "--depends",
        "(python3 or pypy)",
        "--depends",
        "a >= 1:2-3",
    ];
    let more = [
        &more[..],
        &[
            "--release",
            "3.el9",
            "--license",
            "MIT",
            "--maintainer",
            "Ada Lovelace <ada@example.org>",
        ],
    ]
    .concat();
    pack(&world, "a.rpm", &[PACKAGE, &more].concat()).expect(0, "", &world.interpreter_warning());
    if super::has("rpm") {
        let format = "%{NEVRA}|%{LICENSE}|%{PACKAGER}|%{SUMMARY}|%{DESCRIPTION}|[%{REQUIRENEVRS},]|[%{PROVIDENEVRS},]|%{SOURCERPM}";
        let said = output(
            "rpm",
            &["-qp", "--qf", format, world.path("a.rpm").to_str().unwrap()],
        );
        let expected = "app-1.0-3.el9.noarch|MIT|Ada Lovelace <ada@example.org>|An app|It does things.\n\n  And more.|\
                        (python3 or pypy),a >= 1:2-3,rpmlib(CompressedFileNames) <= 3.0.4-1,rpmlib(FileDigests) <= 4.6.0-1,\
                        rpmlib(PayloadFilesHavePrefix) <= 4.0-1,rpmlib(RichDependencies) <= 4.12.0-1,|app = 1.0-3.el9,|\
                        app-1.0-3.el9.src.rpm";
        assert_eq!(said, expected);
    }
}

#[test]
fn the_documented_example_packs() {
    let world = world();
    world.write("tool.py", "");
    let page = include_str!("../../../docs/environments.md");
    let example = page
        .split_once("<!-- packed -->\n```console\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    for line in example.lines() {
        let words: Vec<&str> = line
            .strip_prefix("$ vpython ")
            .unwrap()
            .split(' ')
            .collect();
        let warning = if words.contains(&"--with-python") {
            String::new()
        } else {
            world.interpreter_warning()
        };
        world.vpython(&words).run().expect(0, "", &warning);
        let file = words[words.iter().position(|word| *word == "--output").unwrap() + 1];
        assert!(world.path(file).is_file());
    }
}

#[test]
fn earlier_output_is_not_packed_again() {
    let world = world();
    world.write("lib/helper.py", "");
    pack(&world, "lib/a.tar", &["--include", "lib"]).expect(0, "", &world.interpreter_warning());
    let first = std::fs::read(world.path("lib/a.tar")).unwrap();
    assert!(
        output("tar", &["-tf", world.path("lib/a.tar").to_str().unwrap()])
            .contains("app/lib/helper.py\n")
    );
    pack(&world, "lib/a.tar", &["--include", "lib"]).expect(0, "", &world.interpreter_warning());
    assert!(std::fs::read(world.path("lib/a.tar")).unwrap() == first);
}
