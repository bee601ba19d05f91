//! Passes arbitrary bytes to the reader that has the name of the target. The first run adds the
//! seeds to its corpus.
#![no_main]

#[path = "../../tests/it/readers/read.rs"]
mod read;
#[path = "../../tests/it/readers/seeds.rs"]
mod seeds;

use libfuzzer_sys::fuzz_target;

const NAME: &str = env!("CARGO_BIN_NAME");

fuzz_target!(
    init: {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(NAME);
        std::fs::create_dir_all(&corpus).expect("room for a corpus");
        for (number, seed) in seeds::seeds(NAME).into_iter().enumerate() {
            std::fs::write(corpus.join(format!("seed-{number}")), seed).expect("room for a seed");
        }
    },
    |bytes: &[u8]| {
        let reader = read::READERS.iter().find(|reader| reader.name == NAME).expect("a target is named after a reader");
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let _ = reader.take(directory.path(), bytes);
    }
);
