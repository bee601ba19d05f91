//! Measures the parts of a launch separately: `cargo bench -p vpython-benches --bench parts`, or
//! `... -- plan` for some of them.
//!
//! All files are made in a temporary directory: the wheels by the code of the tests, the facts of
//! an interpreter from any python3 on `PATH`.
#![allow(missing_docs, reason = "criterion's macros make functions without")]
#![allow(
    clippy::disallowed_methods,
    reason = "the measuring is not the product"
)]

// The tests use more of this module.
#[allow(dead_code)]
#[path = "../tests/it/support/wheel.rs"]
mod wheel;

use std::ffi::OsString;
use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;
use vpython::testing::invocation::{Chosen, Invocation};
use vpython::testing::memo::{Memo, MemoName};
use vpython::testing::plan::{self, Evidence, Key, Plan};
use vpython::testing::process::Process;
use vpython::testing::spec::{self, Origin, Spec, SpecKind, SpecText};
use vpython::testing::store::Store;
use vpython::testing::{build, process::variable};
use wheel::Wheel;

/// A directory with a store, and the state of a process in it.
struct Place {
    directory: TempDir,
    process: Process,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Process::capture(std::env::args_os());
        process
            .environment
            .retain(|(name, _)| !name.to_string_lossy().starts_with("VPYTHON"));
        process
            .environment
            .push((variable::ROOT.into(), directory.path().join("root").into()));
        process.directory = Some(directory.path().to_owned());
        Self { directory, process }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn invocation(&self, words: &[&str]) -> Invocation {
        Invocation::read(&self.given(words)).unwrap()
    }

    fn given(&self, words: &[&str]) -> Process {
        Process {
            arguments: words.iter().map(OsString::from).collect(),
            ..self.process.clone()
        }
    }

    /// The spec of a command line.
    fn spec(&self, invocation: &Invocation) -> Spec {
        spec::find(invocation, &self.process)
            .unwrap()
            .parse(invocation, &self.process)
            .unwrap()
    }
}

/// Closes the descriptors that a launch leaves for `execve` to close.
fn closing() -> impl FnMut() {
    let first = File::open("/dev/null").unwrap().as_raw_fd();
    move || {
        let next = File::open("/dev/null").unwrap().as_raw_fd();
        (first..next).for_each(|descriptor| nix::unistd::close(descriptor).unwrap_or_default());
    }
}

fn command_lines(criterion: &mut Criterion) {
    let place = Place::new();
    let mut group = criterion.benchmark_group("command line");
    let flags = [
        "-vpython-spec",
        "x.toml",
        "-vpython-log-level=error",
        "script.py",
        "one",
    ];
    for (name, words) in [
        (
            "plain",
            &["-W", "error", "-X", "dev", "script.py", "one"][..],
        ),
        ("with flags", &flags[..]),
    ] {
        let process = place.given(words);
        group.bench_function(name, |bencher| {
            bencher.iter(|| Invocation::read(black_box(&process)).unwrap());
        });
    }
}

/// Specs of each kind that require the same 50 projects.
fn specs(criterion: &mut Criterion) {
    let place = Place::new();
    let names: Vec<String> = (0..50).map(|number| format!("project-{number}")).collect();
    let quoted = names
        .iter()
        .map(|name| format!("'{name}>=1'"))
        .collect::<Vec<_>>()
        .join(", ");
    let luci = |name: &String| {
        format!("wheel: < name: \"infra/python/wheels/{name}-py3\" version: \"version:1.0\" >\n")
    };
    let locked = |name: &String| {
        let file = format!(
            "{{ name = '{name}-1-py3-none-any.whl', path = '{name}-1-py3-none-any.whl', hashes = {{ sha256 = '{}' }} }}",
            "0".repeat(64)
        );
        format!("[[packages]]\nname = '{name}'\nversion = '1'\nwheels = [{file}]\n")
    };
    let toml = format!("dependencies = [{quoted}]\n");
    let kinds = [
        (SpecKind::VpythonToml, toml.clone()),
        (SpecKind::Pep723, toml.clone()),
        (SpecKind::Luci, names.iter().map(luci).collect()),
        (SpecKind::Requirements, names.join("\n")),
        (
            SpecKind::Pylock,
            format!(
                "lock-version = '1.0'\ncreated-by = 'x'\n{}",
                names.iter().map(locked).collect::<String>()
            ),
        ),
    ];
    let mut group = criterion.benchmark_group("spec");
    for (kind, content) in kinds {
        let origin = Origin {
            file: Some(place.path("pylock.toml")),
            lines_before: 0,
            columns_before: 0,
        };
        let base = Some(place.directory.path().to_owned());
        let text = SpecText {
            kind,
            origin,
            base,
            content,
            warnings: Vec::new(),
            chosen: Chosen::default(),
        };
        let invocation = place.invocation(&["script.py"]);
        group.bench_function(kind.name(), |bencher| {
            bencher.iter(|| black_box(&text).parse(&invocation, &place.process).unwrap());
        });
    }
    place.write(
        "script.py",
        &format!(
            "# /// script\n# {toml}# ///\n{}",
            "print('a line of the program')\n".repeat(1000)
        ),
    );
    let invocation = place.invocation(&["script.py"]);
    group.bench_function("find in a script", |bencher| {
        let find = || spec::find(&invocation, &place.process).unwrap();
        bencher.iter_batched(closing(), |()| find(), BatchSize::PerIteration);
    });
}

/// A directory of 1,000 wheels, in which each of the first 60 projects requires the next.
fn house(place: &Place) {
    for number in 0..1000 {
        let mut wheel = Wheel::module(&format!("project{number}"), "1")
            .file(&format!("project{number}.txt"), "x".repeat(2000));
        if number < 60 {
            wheel = wheel.requires(&format!("project{}>=1", number + 1));
        }
        wheel.write_to(&place.path("wheels"));
    }
}

fn plans(criterion: &mut Criterion) {
    let place = Place::new();
    house(&place);
    let invocation = place.invocation(&[]);
    let store = Store::open(&invocation, &place.process).unwrap();
    store.prepare().unwrap();
    let memo = store.memo_directory();
    let facts = plan::find_interpreter(
        &invocation,
        &Spec::default(),
        &place.process,
        Some(&memo),
        &mut Evidence::default(),
    )
    .unwrap();
    let mut group = criterion.benchmark_group("plan");
    for (name, asked) in [
        ("index of 1,000 wheels", "project999"),
        ("resolve a chain of 61", "project0"),
    ] {
        place.write("vpython.toml", &format!("dependencies = ['{asked}']\n"));
        let spec = place.spec(&invocation);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                plan::choose_wheels(&spec, &facts, &invocation, &memo, &mut Evidence::default())
                    .unwrap()
            });
        });
    }
}

/// The built environment of the first 60 projects.
fn environments(criterion: &mut Criterion) {
    let place = Place::new();
    house(&place);
    place.write("vpython.toml", "dependencies = ['project0']\n");
    let invocation = place.invocation(&[]);
    let store = Store::open(&invocation, &place.process).unwrap();
    store.prepare().unwrap();
    let text = spec::find(&invocation, &place.process).unwrap();
    let spec = place.spec(&invocation);
    let (memo, mut evidence) = (store.memo_directory(), Evidence::default());
    let made = plan::make(&spec, &invocation, &place.process, &memo, &mut evidence);
    let plan = made.unwrap().plan;
    let key = Key::of(&plan);
    let entry = store
        .environment(&plan, &key, |staging| {
            build::environment(
                &plan,
                &store,
                build::Fetched::default(),
                build::Compile::Nothing,
                staging,
            )
            .map(drop)
        })
        .unwrap();
    let name = MemoName::of_launch(&text, &invocation, &place.process);
    Memo::remember(&store, &name, &key, &entry, evidence, &[]).unwrap();
    let mut group = criterion.benchmark_group("environment");
    group.bench_function("name of the memo", |bencher| {
        bencher.iter(|| MemoName::of_launch(&text, &invocation, &place.process));
    });
    group.bench_function("recall", |bencher| {
        let recall = || Memo::recall(&store, &name, &place.process).unwrap();
        bencher.iter_batched(closing(), |()| recall(), BatchSize::PerIteration);
    });
    group.sample_size(20);
    group.bench_function("link 61 wheels", |bencher| {
        link(bencher, &place, &plan, &store);
    });
}

fn link(bencher: &mut criterion::Bencher<'_>, place: &Place, plan: &Plan, store: &Store) {
    let staging = || tempfile::tempdir_in(place.directory.path()).unwrap();
    bencher.iter_batched_ref(
        staging,
        |staging| {
            build::environment(
                plan,
                store,
                build::Fetched::default(),
                build::Compile::Nothing,
                staging.path(),
            )
            .unwrap()
        },
        BatchSize::PerIteration,
    );
}

fn wheels(criterion: &mut Criterion) {
    let place = Place::new();
    let random: Vec<u8> = (0..4_000_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[2] & 0x3f)
        .collect();
    let size = random.len() as u64;
    let many = (0..1000).fold(Wheel::module("a", "1"), |wheel, number| {
        wheel.file(&format!("a/{number}.txt"), "x")
    });
    let large = Wheel::module("a", "1").file("a.bin", random);
    let mut group = criterion.benchmark_group("unpack");
    group.sample_size(20);
    for (name, wheel, size) in [
        ("1,000 small files", many, 1000),
        ("4 MB deflated", large.clone().compressed(), size),
        ("4 MB stored", large, size),
    ] {
        let bytes = wheel.bytes();
        let file = place.path("a-1-py3-none-any.whl");
        std::fs::write(&file, &bytes).unwrap();
        let planned = wheel::planned(&file, &bytes);
        group.throughput(if size == 1000 {
            Throughput::Elements(size)
        } else {
            Throughput::Bytes(size)
        });
        let to = || tempfile::tempdir_in(place.directory.path()).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                to,
                |to| build::unpack(&planned, to.path()).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(parts, command_lines, specs, plans, environments, wheels);
criterion_main!(parts);
