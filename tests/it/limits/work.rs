//! The number of requirements that the resolver considers, as the log says it: it grows in
//! proportion to the input, with each kind of input. And how often a broken wheel is opened.

use crate::support::{VPYTHON, Wheel, World, has_strace};

/// Writes an input of this size for the spec `r.txt`.
type Input = fn(&World, usize);

/// Writes a line of `r.txt` for each number.
fn lines(world: &World, count: usize, line: impl Fn(usize) -> String) {
    let lines: Vec<String> = (0..count).map(line).collect();
    world.write("r.txt", lines.join("\n"));
}

fn pins_without_wheels(world: &World, count: usize) {
    lines(world, count, |number| format!("p{number}==1"));
}

fn requirements_on_one_project(world: &World, count: usize) {
    world.wheel(&Wheel::module("one", "1.0"));
    lines(world, count, |number| format!("one>=0.{number}"));
}

/// Each wheel requires the next.
fn chain(world: &World, count: usize) {
    for number in 0..count {
        let wheel = Wheel::module(&format!("p{number}"), "1");
        world.wheel(&wheel.requires(&format!("p{}", (number + 1) % count)));
    }
    lines(world, 1, |_| "p0".to_owned());
}

fn extras_that_each_require_something(world: &World, count: usize) {
    world.wheel(&Wheel::module("two", "1.0"));
    let extra = |wheel: Wheel, number| {
        wheel
            .extra(&format!("e{number}"))
            .requires(&format!("two; extra == 'e{number}'"))
    };
    world.wheel(&(0..count).fold(Wheel::module("one", "1.0"), extra));
    let extras: Vec<String> = (0..count).map(|number| format!("e{number}")).collect();
    lines(world, 1, |_| format!("one[{}]", extras.join(",")));
}

fn requirements_of_a_wheel(world: &World, count: usize) {
    let require = |wheel: Wheel, number| wheel.requires(&format!("p{number}"));
    world.wheel(&(0..count).fold(Wheel::module("one", "1.0"), require));
    lines(world, 1, |_| "one".to_owned());
}

/// Returns the number of requirements that are considered to explain a launch.
fn considered(input: Input, count: usize) -> usize {
    let world = World::new();
    input(&world, count);
    let level = ["-vpython-log-level", "debug", "-vpython-spec", "r.txt"];
    let explain = ["-vpython-tool", "explain"];
    let outcome = world.vpython(level).arguments(explain).run();
    let number = outcome
        .stderr
        .split("considered=")
        .nth(1)
        .and_then(|rest| rest.split(|digit: char| !digit.is_ascii_digit()).next());
    number.map_or_else(|| panic!("{outcome}"), |number| number.parse().unwrap())
}

#[test]
fn the_requirements_that_are_considered_are_in_proportion_to_the_input() {
    let rows: [(Input, &str); 5] = [
        (pins_without_wheels, "pins without wheels"),
        (requirements_on_one_project, "requirements on one project"),
        (chain, "a chain of wheels"),
        (extras_that_each_require_something, "extras"),
        (requirements_of_a_wheel, "requirements of a wheel"),
    ];
    for (input, what) in rows {
        let [few, many] = [100, 200].map(|count| considered(input, count));
        assert!(
            (100..=2 * few + 100).contains(&many) && few <= 30 * 100,
            "{what}: {few}, then {many}"
        );
    }
}

#[test]
fn a_broken_wheel_is_opened_once_however_often_it_is_considered() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let names = (0..5).map(|number| format!("one-1.{number}-py3-none-any.whl"));
    let names: Vec<String> = names.collect();
    for name in &names {
        world.write(&format!("wheels/{name}"), "no wheel");
    }
    lines(&world, 1, |_| "one".to_owned());
    let log = world.outside("calls");
    let log = log.to_str().unwrap();
    let traced = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=open,openat",
        "-o",
        log,
        VPYTHON,
    ];
    let outcome = world
        .program("/usr/bin/env", traced)
        .arguments(["-vpython-spec", "r.txt", "-c", "pass"])
        .run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    let log = std::fs::read_to_string(log).unwrap();
    for name in &names {
        let why = format!(
            "`{name}` cannot be used: cannot read `[WORLD]/work/wheels/{name}` as a wheel: "
        );
        assert!(outcome.stderr.contains(&why), "{outcome}");
        assert_eq!(log.matches(name.as_str()).count(), 1, "{log}");
    }
}
