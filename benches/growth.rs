//! How the time of a first launch grows with what it is given: `cargo bench --bench growth`, or
//! `... -- pins lock` for some of the inputs, or `... -- --sizes 100,1000`.
//!
//! Each input has 1,000, 10,000 and 100,000 of something. The program is run once with each, in a
//! store of its own, and what it says is not looked at. For each there is the time of all
//! processors, the most memory, and the exponent by which the time has grown since the size before:
//! 1 is in proportion, 2 is quadratic.
#![allow(
    clippy::disallowed_methods,
    reason = "the measuring is not the product"
)]

// The tests use more of it.
#[allow(dead_code)]
#[path = "../tests/it/support/wheel.rs"]
mod wheel;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use wheel::Wheel;

/// Writes an input of so many into a directory: `s.txt`, or what else the program is then given.
type Input = fn(&Path, usize) -> &'static str;

const INPUTS: [(&str, &str, Input); 14] = [
    ("pins", "pins without wheels", pins),
    ("lock", "packages of a lock", lock),
    ("demands", "demands of one project", demands),
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
    ("chain", "files that each name the next", chain),
    ("native", "dependencies in a `vpython.toml`", native),
    ("mistakes", "lines that are no requirements", mistakes),
];

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let [first, name, size] = &words[..]
        && first == "--measure"
    {
        return measure(name, size.parse().unwrap());
    }
    let sizes = words
        .iter()
        .position(|word| word == "--sizes")
        .and_then(|at| words.get(at + 1));
    let sizes: Vec<usize> = sizes.map_or(vec![1000, 10_000, 100_000], |list| {
        list.split(',').map(|size| size.parse().unwrap()).collect()
    });
    let chosen: Vec<&String> = words
        .iter()
        .filter(|word| INPUTS.iter().any(|(name, ..)| name == word))
        .collect();
    println!(
        "{:<44} {:>8} {:>9} {:>9} {:>7}",
        "input", "size", "time", "memory", "growth"
    );
    for (name, title, _) in INPUTS
        .iter()
        .filter(|(name, ..)| chosen.is_empty() || chosen.iter().any(|word| word == name))
    {
        let mut before: Option<(usize, f64)> = None;
        for size in &sizes {
            let (time, memory) = measured(name, *size);
            let number = |size: usize| f64::from(u32::try_from(size).unwrap());
            let grown = |(smaller, shorter): (usize, f64)| {
                (time / shorter).ln() / (number(*size) / number(smaller)).ln()
            };
            let growth = before.map_or(String::new(), |before| format!("{:.2}", grown(before)));
            println!("{title:<44} {size:>8} {time:>7.2} s {memory:>5} MiB {growth:>7}");
            before = Some((*size, time));
        }
    }
}

/// Seconds and mebibytes, of a process of its own, since a process knows only the most that any of
/// its children took.
fn measured(name: &str, size: usize) -> (f64, u64) {
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own)
        .args(["--measure", name, &size.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (time, memory) = text.trim().split_once(' ').unwrap();
    (time.parse().unwrap(), memory.parse().unwrap())
}

fn measure(name: &str, size: usize) {
    let directory = tempfile::tempdir().unwrap();
    let (_, _, input) = INPUTS.iter().find(|(known, ..)| *known == name).unwrap();
    std::fs::create_dir(directory.path().join("wheels")).unwrap();
    let spec = input(directory.path(), size);
    let mut command = Command::new(env!("CARGO_BIN_EXE_vpython"));
    command
        .arg("-vpython-root")
        .arg(directory.path().join("root"));
    match spec.strip_suffix(".py") {
        Some(_) => command.arg(spec),
        None => command.args(["-vpython-spec", spec, "-c", "pass"]),
    };
    let status = command
        .current_dir(directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    // A signal is a crash.
    assert!(status.code().is_some(), "{name} of {size}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let time = [usage.user_time(), usage.system_time()]
        .map(|time| Duration::from_micros(time.num_microseconds().unsigned_abs()));
    println!(
        "{} {}",
        time.iter().sum::<Duration>().as_secs_f64(),
        usage.max_rss() >> 10
    );
}

/// Writes a file with a text for each number.
fn write_each(
    directory: &Path,
    name: &'static str,
    count: usize,
    text: impl Fn(usize) -> String,
) -> &'static str {
    std::fs::write(
        directory.join(name),
        (0..count).map(text).collect::<String>(),
    )
    .unwrap();
    name
}

/// Writes a wheel of `one`, and a spec that asks for it.
fn one(directory: &Path, wheel: &Wheel, requirement: &str) -> &'static str {
    wheel.write_to(&directory.join("wheels"));
    write_each(directory, "s.txt", 1, |_| format!("{requirement}\n"))
}

fn with_each(count: usize, change: impl Fn(Wheel, usize) -> Wheel) -> Wheel {
    (0..count).fold(Wheel::module("one", "1.0"), change)
}

fn joined(count: usize, between: &str, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().join(between)
}

fn pins(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "s.txt", count, |number| {
        format!("p{number}==1.0\n")
    })
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
    write_each(directory, "pylock.toml", 1, |_| text.clone())
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
    write_each(directory, "s.txt", 1, |_| "one\n".to_owned())
}

fn versions(directory: &Path, count: usize) -> &'static str {
    for number in 0..count {
        Wheel::module("one", &format!("1.{number}")).write_to(&directory.join("wheels"));
    }
    write_each(directory, "s.txt", 1, |_| "one\n".to_owned())
}

fn openings(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "s.py", count, |_| "# /// script\n".to_owned())
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
    "r0.txt"
}

fn native(directory: &Path, count: usize) -> &'static str {
    let list = joined(count, ", ", |number| format!("'p{number}'"));
    write_each(directory, "vpython.toml", 1, |_| {
        format!("dependencies = [{list}]\n")
    })
}

fn mistakes(directory: &Path, count: usize) -> &'static str {
    write_each(directory, "s.txt", count, |number| format!("!p{number}\n"))
}
