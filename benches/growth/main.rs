//! Measures how the time of a first launch grows with its input:
//! `cargo bench -p vpython-benches --bench growth`, or `... -- pins lock` for some of the inputs, or
//! `... -- --sizes 100,1000`.
//!
//! Each input has 1,000, 10,000 and 100,000 items. The program runs once with each, in a separate
//! store, and its output is ignored. The result is the time of all processors, the peak memory, and
//! the exponent of the growth since the previous size: 1 is linear, 2 is quadratic.
//!
//! The bench has all of vpython in it and is the program that it measures, when it has its name:
//! cargo gives a bench the path of a program of the same package only.
#![allow(
    clippy::disallowed_methods,
    reason = "the measuring is not the product"
)]

mod inputs;
// The tests use more of this module.
#[allow(dead_code)]
#[path = "../../tests/it/support/wheel.rs"]
mod wheel;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use inputs::INPUTS;

/// The name under which the bench is vpython.
const PROGRAM: &str = "vpython";

fn main() {
    if std::env::args_os()
        .next()
        .is_some_and(|name| name == PROGRAM)
    {
        std::process::exit(vpython::run(std::env::args_os()));
    }
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

/// Returns seconds and mebibytes of a separate process, because a process only knows the maximum
/// over all its children.
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
    let words = input(directory.path(), size);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg0(PROGRAM)
        .arg("-vpython-root")
        .arg(directory.path().join("root"))
        .args(words.split(' '));
    // The library of errors would record where each of them is made.
    let status = command
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .current_dir(directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    // A signal means a crash.
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
