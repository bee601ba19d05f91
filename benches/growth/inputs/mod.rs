//! The inputs: each writes its files into a directory, and returns the command line that reads them.

mod listed;
mod uv;

use std::fmt::Write as _;
use std::path::Path;

use crate::wheel::Wheel;
use listed::{listed, listed_clash, listed_there, listed_verify};
use uv::{uv_forks, uv_lock};

/// Writes an input of this size into a directory, and returns the command line that reads it, as
/// words separated by spaces.
type Input = fn(&Path, usize) -> &'static str;

/// The command line of an empty program with the requirements in `s.txt`.
const REQUIREMENTS: &str = "-vpython-spec s.txt -c pass";

pub(super) const INPUTS: [(&str, &str, Input); 30] = [
    ("pins", "pins without wheels", pins),
    ("lock", "packages of a lock", lock),
    ("demands", "requirements on one project", demands),
    (
        "requires",
        "`Requires-Dist` of a wheel, without wheels",
        requires,
    ),
    (
        "unwanted",
        "`Requires-Dist` of a wheel, for an extra",
        unwanted,
    ),
    ("extras", "extras of a requirement", extras),
    (
        "extra-each",
        "extras that each require something",
        extra_each,
    ),
    ("broken", "broken wheels of a project", broken),
    ("versions", "wheels of a project", versions),
    ("openings", "openings of a block in a script", openings),
    ("markers", "alternatives of a marker", markers),
    ("chain", "files that each include the next", chain),
    ("native", "dependencies in a `vpython.toml`", native),
    ("mistakes", "lines that are not requirements", mistakes),
    ("listed", "wheels of a `.vpython3`, missing", listed),
    (
        "listed-there",
        "wheels of a `.vpython3`, present",
        listed_there,
    ),
    (
        "listed-clash",
        "versions of one wheel in a `.vpython3`",
        listed_clash,
    ),
    (
        "listed-verify",
        "the same as `listed-there`, by `verify`",
        listed_verify,
    ),
    ("uv-lock", "packages of a `uv.lock`, in a chain", uv_lock),
    ("uv-forks", "versions of a project in a `uv.lock`", uv_forks),
    ("find-links", "directories of `--find-links`", find_links),
    (
        "hashes",
        "digests and wheels of a project, none of which fits",
        hashes,
    ),
    (
        "unreadable",
        "invalid `Requires-Dist`, and extras",
        unreadable,
    ),
    (
        "rejected",
        "wheels of a project for another Python, and one that fits",
        rejected,
    ),
    ("there", "pins with wheels", there),
    ("verify", "pins without wheels, by `verify`", verify),
    ("blocks", "whole blocks in a script", blocks),
    ("record", "files of a wheel", record),
    ("entry-points", "entry points of a wheel", entry_points),
    (
        "constraints",
        "constraints on as many projects",
        constraints,
    ),
];

/// Writes a file with one text for each number.
fn write_each(directory: &Path, name: &str, count: usize, text: impl Fn(usize) -> String) {
    std::fs::write(
        directory.join(name),
        (0..count).map(text).collect::<String>(),
    )
    .unwrap();
}

/// Writes `s.txt` with a line for each number.
fn lines(directory: &Path, count: usize, line: impl Fn(usize) -> String) -> &'static str {
    write_each(directory, "s.txt", count, |number| line(number) + "\n");
    REQUIREMENTS
}

/// Writes a wheel of `one`, and a spec that requires it.
fn one(directory: &Path, wheel: &Wheel, requirement: &str) -> &'static str {
    wheel.write_to(&directory.join("wheels"));
    lines(directory, 1, |_| requirement.to_owned())
}

fn with_each(count: usize, change: impl Fn(Wheel, usize) -> Wheel) -> Wheel {
    (0..count).fold(Wheel::module("one", "1.0"), change)
}

fn joined(count: usize, between: &str, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().join(between)
}

fn pins(directory: &Path, count: usize) -> &'static str {
    lines(directory, count, |number| format!("p{number}==1.0"))
}

fn lock(directory: &Path, count: usize) -> &'static str {
    let mut text = "lock-version = '1.0'\ncreated-by = 'x'\n".to_owned();
    for number in 0..count {
        let file = format!(
            "{{ name = 'p{number}-1.0-py3-none-any.whl', hashes = {{ sha256 = '{number:064x}' }} }}"
        );
        write!(
            text,
            "[[packages]]\nname = 'p{number}'\nversion = '1.0'\nwheels = [{file}]\n"
        )
        .unwrap();
    }
    write_each(directory, "pylock.toml", 1, |_| text.clone());
    "-vpython-spec pylock.toml -c pass"
}

fn demands(directory: &Path, count: usize) -> &'static str {
    one(
        directory,
        &Wheel::module("one", "1.0"),
        &joined(count, "\n", |number| format!("one>=0.{number}")),
    )
}

fn requires(directory: &Path, count: usize) -> &'static str {
    one(
        directory,
        &with_each(count, |wheel, number| wheel.requires(&format!("p{number}"))),
        "one",
    )
}

fn unwanted(directory: &Path, count: usize) -> &'static str {
    one(
        directory,
        &with_each(count, |wheel, number| {
            wheel.requires(&format!("p{number}; extra == 'x'"))
        }),
        "one",
    )
}

fn extras(directory: &Path, count: usize) -> &'static str {
    let wheel = with_each(count, |wheel, number| wheel.extra(&format!("e{number}")));
    one(
        directory,
        &wheel,
        &format!("one[{}]", joined(count, ",", |number| format!("e{number}"))),
    )
}

fn extra_each(directory: &Path, count: usize) -> &'static str {
    Wheel::module("two", "1.0").write_to(&directory.join("wheels"));
    let wheel = with_each(count, |wheel, number| {
        wheel
            .extra(&format!("e{number}"))
            .requires(&format!("two; extra == 'e{number}'"))
    });
    one(
        directory,
        &wheel,
        &format!("one[{}]", joined(count, ",", |number| format!("e{number}"))),
    )
}

fn broken(directory: &Path, count: usize) -> &'static str {
    for number in 0..count {
        std::fs::write(
            directory.join(format!("wheels/one-1.{number}-py3-none-any.whl")),
            "no wheel",
        )
        .unwrap();
    }
    lines(directory, 1, |_| "one".to_owned())
}

fn versions(directory: &Path, count: usize) -> &'static str {
    for number in 0..count {
        Wheel::module("one", &format!("1.{number}")).write_to(&directory.join("wheels"));
    }
    lines(directory, 1, |_| "one".to_owned())
}

fn openings(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "s.py", count, |_| "# /// script\n".to_owned());
    "s.py"
}

fn markers(directory: &Path, count: usize) -> &'static str {
    let marker = joined(count, " or ", |number| {
        format!("python_version == '3.{number}'")
    });
    one(
        directory,
        &Wheel::module("one", "1.0"),
        &format!("one; {marker}"),
    )
}

fn chain(directory: &Path, count: usize) -> &'static str {
    for number in 0..count {
        std::fs::write(
            directory.join(format!("r{number}.txt")),
            format!("-r r{}.txt\n", number + 1),
        )
        .unwrap();
    }
    "-vpython-spec r0.txt -c pass"
}

fn native(directory: &Path, count: usize) -> &'static str {
    let list = joined(count, ", ", |number| format!("'p{number}'"));
    write_each(directory, "vpython.toml", 1, |_| {
        format!("dependencies = [{list}]\n")
    });
    "-c pass"
}

fn mistakes(directory: &Path, count: usize) -> &'static str {
    lines(directory, count, |number| format!("!p{number}"))
}

/// Writes a wheel of each project, which requires the next.
fn write_wheels(directory: &Path, count: usize) {
    for number in 0..count {
        let wheel = Wheel::module(&format!("p{number}"), "1.0");
        wheel
            .requires(&format!("p{}", (number + 1) % count))
            .write_to(&directory.join("wheels"));
    }
}

fn find_links(directory: &Path, count: usize) -> &'static str {
    for number in 0..count {
        std::fs::create_dir(directory.join(format!("d{number}"))).unwrap();
    }
    lines(directory, count, |number| format!("--find-links d{number}"))
}

fn hashes(directory: &Path, count: usize) -> &'static str {
    versions(directory, count);
    one(
        directory,
        &Wheel::module("one", "1.0"),
        &format!(
            "one {}",
            joined(count, " ", |number| format!("--hash=sha256:{number:064x}"))
        ),
    )
}

fn unreadable(directory: &Path, count: usize) -> &'static str {
    let wheel = with_each(count, |wheel, number| {
        wheel
            .extra(&format!("e{number}"))
            .requires(&format!("two >= x; extra == 'f{number}'"))
    });
    one(
        directory,
        &wheel,
        &format!("one[{}]", joined(count, ",", |number| format!("e{number}"))),
    )
}

fn rejected(directory: &Path, count: usize) -> &'static str {
    for number in 1..=count {
        Wheel::module("one", &format!("1.{number}"))
            .requires_python("<3")
            .write_to(&directory.join("wheels"));
    }
    one(directory, &Wheel::module("one", "1.0"), "one")
}

fn there(directory: &Path, count: usize) -> &'static str {
    write_wheels(directory, count);
    pins(directory, count);
    "-vpython-spec s.txt -vpython-tool explain"
}

fn verify(directory: &Path, count: usize) -> &'static str {
    pins(directory, count);
    "-vpython-spec s.txt -vpython-tool verify"
}

fn blocks(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "s.py", count, |number| {
        format!("# /// script\n# dependencies = ['p{number}']\n# ///\n\n")
    });
    "s.py"
}

fn record(directory: &Path, count: usize) -> &'static str {
    let files = (0..count).fold(Wheel::new("one", "1.0"), |wheel, number| {
        wheel.file(&format!("one/m{number}.txt"), "x")
    });
    one(directory, &files, "one")
}

fn entry_points(directory: &Path, count: usize) -> &'static str {
    one(
        directory,
        &with_each(count, |wheel, number| {
            wheel.entry_point(&format!("run{number}"), "one:main")
        }),
        "one",
    )
}

fn constraints(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "c.txt", count, |number| format!("p{number}<2\n"));
    lines(directory, count + 1, |number| {
        if number == 0 {
            "-c c.txt".to_owned()
        } else {
            format!("p{number}")
        }
    })
}
