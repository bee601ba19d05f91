//! Fuzz tests for the readers of external input: mutated valid texts, and random sequences of
//! meaningful words. A reader may accept or refuse each of them.
//!
//! By default each reader gets a hundred texts, always the same ones. `VPYTHON_FUZZ=60 cargo test
//! readers::` tries others for 60 seconds each, from a seed that it prints, and `VPYTHON_SEED`
//! repeats that seed. `fuzz/` has the same readers for cargo-fuzz.

mod read;
mod seeds;

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use read::READERS;

/// The number of texts for each reader without a time limit.
const TEXTS: u32 = 100;
/// The time limit of a reader for one text, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest text.
const LONGEST: usize = 1 << 16;

/// Tokens that are unusual in most formats.
const ODD: [&str; 40] = [
    "",
    "\0",
    "\u{feff}",
    "\r",
    "\r\n",
    "\t",
    "\u{85}",
    "\u{2028}",
    "\u{e9}",
    "\u{1f40d}",
    "\x1b[31m",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "'",
    "\"",
    "'''",
    "\\",
    "\\\n",
    "#",
    "=",
    "==",
    "===",
    "!",
    "~=",
    ",",
    ";",
    ":",
    "../",
    "/",
    "-1",
    "18446744073709551616",
    "1e999",
    "${A}",
    "%00",
];

/// One change of a text. Positions are those of words and of the characters between them.
#[derive(Debug, Clone)]
enum Change {
    Remove(Index, u8),
    Repeat(Index, u8, u16),
    Insert(Index, Vec<u8>),
    Replace(Index, u8, Vec<u8>),
    Move(Index, u8, Index),
    Flip(Index, u8),
    Cut(Index),
}

/// The words of a text and each character between them.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let is_word = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || *byte >= 0x80
    };
    text.chunk_by(|one, next| is_word(one) && is_word(next))
        .map(<[u8]>::to_vec)
        .collect()
}

impl Change {
    fn apply(self, parts: &mut Vec<Vec<u8>>) {
        if parts.is_empty() {
            return;
        }
        let range = |at: Index, length: u8, parts: &[Vec<u8>]| {
            let at = at.index(parts.len());
            at..(at + usize::from(length)).min(parts.len())
        };
        match self {
            Self::Remove(at, length) => drop(parts.drain(range(at, length, parts))),
            Self::Repeat(at, length, times) => {
                let range = range(at, length, parts);
                let part = parts[range.clone()].to_vec();
                let size = part.iter().map(Vec::len).sum::<usize>().max(1);
                let again =
                    std::iter::repeat_n(part, usize::from(times).min(LONGEST / size)).flatten();
                parts.splice(range, again.collect::<Vec<_>>());
            }
            Self::Insert(at, word) => parts.insert(at.index(parts.len()), word),
            Self::Replace(at, length, word) => drop(parts.splice(range(at, length, parts), [word])),
            Self::Move(at, length, to) => {
                let part: Vec<_> = parts.drain(range(at, length, parts)).collect();
                let to = to.index(parts.len() + 1);
                parts.splice(to..to, part);
            }
            Self::Flip(at, bit) => {
                let at = at.index(parts.len());
                let word = &mut parts[at];
                if let Some(byte) = word.get_mut(usize::from(bit >> 3)) {
                    *byte ^= 1 << (bit & 7);
                }
            }
            Self::Cut(at) => parts.truncate(at.index(parts.len())),
        }
    }
}

/// Generates texts for a reader.
fn texts(reader: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds::seeds(reader);
    // The words and lines of the seeds, and unusual tokens.
    let mut known: Vec<Vec<u8>> = seeds
        .iter()
        .flat_map(|seed| words(seed))
        .filter(|word| word.len() < 200)
        .collect();
    known.sort();
    known.dedup();
    known.extend(ODD.map(|word| word.as_bytes().to_vec()));
    let lines = seeds
        .iter()
        .flat_map(|seed| seed.split_inclusive(|byte| *byte == b'\n'))
        .map(<[u8]>::to_vec);
    let lines: Vec<Vec<u8>> = lines.filter(|line| line.len() < 500).collect();
    known.extend(lines.iter().cloned());
    let word = select(known);
    // Mutations of a seed.
    let few = || prop_oneof![3 => Just(1_u8), 1 => 1..20_u8];
    let at = any::<Index>;
    let change = prop_oneof![
        1 => (at(), few()).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (at(), few(), prop_oneof![2..5_u16, 50..5000_u16]).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        3 => (at(), word.clone()).prop_map(|(at, word)| Change::Insert(at, word)),
        3 => (at(), few(), word.clone()).prop_map(|(at, length, word)| Change::Replace(at, length, word)),
        1 => (at(), few(), at()).prop_map(|(at, length, to)| Change::Move(at, length, to)),
        1 => (at(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        1 => (at(),).prop_map(|(at,)| Change::Cut(at)),
    ];
    let near = (select(seeds), vec(change, 0..8)).prop_map(|(seed, changes)| {
        let mut parts = words(&seed);
        for change in changes {
            change.apply(&mut parts);
        }
        parts.concat()
    });
    // Random sequences of words.
    let between = select(vec!["", " ", "\n"]);
    let far = vec((word, between), 0..60).prop_map(|row| {
        row.into_iter()
            .flat_map(|(word, between)| [word, between.into()].concat())
            .collect()
    });
    prop_oneof![5 => near, 1 => far].prop_map(|mut text: Vec<u8>| {
        text.truncate(LONGEST);
        text
    })
}

/// Runs a reader on texts, and prints how many it accepted.
fn fuzz(name: &str) {
    let reader = READERS.iter().find(|reader| reader.name == name).unwrap();
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let end = number("VPYTHON_FUZZ").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    // Each text of this reader needs two processes.
    let cases = if name == "pyvenv-cfg" {
        TEXTS / 10
    } else {
        TEXTS
    };
    let start = Instant::now();
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut seed = number("VPYTHON_SEED").unwrap_or_else(|| end.map_or(1, |_| now() << 16));
    let (tried, taken) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    loop {
        let bytes = [seed.to_le_bytes(); 4].concat();
        let config = Config {
            cases,
            failure_persistence: None,
            max_shrink_time: 60_000,
            ..Config::default()
        };
        let mut runner =
            TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let result = runner.run(&texts(name), |text| {
            let directory = tempfile::tempdir().unwrap();
            let begin = Instant::now();
            taken.set(taken.get() + u64::from(reader.take(directory.path(), &text).is_ok()));
            tried.set(tried.get() + 1);
            assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(why, text)) => {
                panic!(
                    "{name}, seed {seed}: {why}\n{}\n{:?}",
                    text.escape_ascii(),
                    String::from_utf8_lossy(&text)
                )
            }
            Err(error) => panic!("{name}, seed {seed}: {error}"),
        }
        if end.is_none_or(|end| Instant::now() > end) {
            break;
        }
        seed += 1;
    }
    eprintln!(
        "{name}, {:?}: {} of {} texts were taken, up to seed {seed}",
        start.elapsed(),
        taken.get(),
        tried.get()
    );
}

/// A test for each reader, in a thread with the stack size of the program.
macro_rules! no_text_breaks {
    ($($test:ident $name:literal)*) => {
        $(#[test]
        fn $test() {
            let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(|| fuzz($name)).unwrap();
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        })*

        #[test]
        fn no_reader_is_left_out() {
            assert_eq!(READERS.map(|reader| reader.name), [$($name),*]);
        }
    };
}

no_text_breaks! {
    no_vpython_toml_breaks_its_reader "vpython-toml"
    no_pyproject_breaks_its_reader "pyproject"
    no_script_block_breaks_its_reader "pep723"
    no_spec_of_lucis_breaks_its_reader "luci"
    no_block_of_lucis_breaks_its_reader "luci-inline"
    no_requirements_break_their_reader "requirements"
    no_pylock_breaks_its_reader "pylock"
    no_uv_lock_breaks_its_reader "uv-lock"
    no_conf_breaks_its_reader "conf"
    no_wheel_breaks_its_reader "wheel"
    no_metadata_breaks_its_reader "metadata"
    no_wheel_file_breaks_its_reader "wheel-file"
    no_record_breaks_its_reader "record"
    no_entry_points_break_their_reader "entry-points"
    no_pyvenv_cfg_breaks_its_reader "pyvenv-cfg"
    no_archive_breaks_its_reader "archive"
    no_listing_breaks_its_reader "listing"
    no_memo_breaks_its_reader "memo"
    no_facts_break_their_reader "facts"
    no_index_page_in_json_breaks_its_reader "index-json"
    no_index_page_in_html_breaks_its_reader "index-html"
    no_pip_conf_breaks_its_reader "pip-conf"
    no_remote_wheel_breaks_its_reader "remote-wheel"
    no_list_of_a_layout_breaks_its_reader "oci-index"
    no_manifest_breaks_its_reader "oci-manifest"
}

#[test]
fn each_reader_accepts_its_fuzzing_seeds() {
    let mut refused = Vec::new();
    for reader in READERS {
        for seed in seeds::seeds(reader.name) {
            let directory = tempfile::tempdir().unwrap();
            refused.extend(
                reader
                    .take(directory.path(), &seed)
                    .err()
                    .map(|said| format!("{}: {said}", reader.name)),
            );
        }
    }
    assert_eq!(refused, [] as [String; 0]);
}
