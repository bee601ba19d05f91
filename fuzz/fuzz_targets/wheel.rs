//! Any bytes as a wheel: they are unpacked or refused, and nothing is written beside the directory
//! that they are unpacked to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vpython::fs::Digest;
use vpython::plan::PlannedWheel;

fuzz_target!(|bytes: &[u8]| {
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let (path, to) = (
        directory.path().join("a-1-py3-none-any.whl"),
        directory.path().join("to"),
    );
    std::fs::write(&path, bytes).expect("room for a wheel");
    std::fs::create_dir(&to).expect("room for a directory");
    let wheel = PlannedWheel {
        name: "a".parse().expect("a name"),
        version: "1".parse().expect("a version"),
        path,
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
        required_by: Vec::new(),
    };
    let _ = vpython::build::unpack(&wheel, &to);
    assert_eq!(
        std::fs::read_dir(&directory)
            .expect("the directory is there")
            .count(),
        2,
        "something is written outside"
    );
});
