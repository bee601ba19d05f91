//! Wheels with random changes: none makes vpython panic or write outside its directories, and
//! python's `zipfile` and libarchive's `bsdtar` read each one that vpython accepts as vpython does.
//!
//! `VPYTHON_MUTANTS=100000 cargo test mutants` tries that many; the default is a few thousand.
//! `VPYTHON_SEED` gives another sequence.

use std::io::{BufRead, BufReader, Cursor, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::{Python, Wheel, planned};

/// A pseudorandom generator (xorshift64*): the same seed gives the same numbers.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap() % limit.max(1)
    }
}

/// The original wheels: stored, deflated, with directories and UTF-8 names, with data descriptors,
/// and with ZIP64 sizes.
fn originals() -> Vec<Vec<u8>> {
    let wheel = Wheel::module("a", "1")
        .file("a_data/b.txt", "b".repeat(200))
        .file("a_data/c.bin", [0, 1, 2, 3]);
    let named = wheel
        .clone()
        .file("a_data/", "")
        .file("a_data/\u{e9}t\u{e9}.txt", "summer")
        .data("data/share/x", "x");
    let plain = wheel.bytes();
    vec![
        wheel.clone().compressed().bytes(),
        named.bytes(),
        streamed(&plain),
        large(&plain),
        plain,
    ]
}

/// The members of an archive, rewritten by python's `zipfile` into a stream.
fn streamed(bytes: &[u8]) -> Vec<u8> {
    let text = "import io, sys, zipfile\n\
        class Stream(io.RawIOBase):\n    def writable(self): return True\n    def write(self, data): return sys.stdout.buffer.write(data)\n\
        source = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\n\
        with zipfile.ZipFile(Stream(), 'w', zipfile.ZIP_DEFLATED) as archive:\n    \
        for name in source.namelist(): archive.writestr(name, source.read(name))\n";
    let mut python = Command::new(&Python::any().path);
    let mut child = python
        .args(["-I", "-c", text])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// The members of an archive, rewritten with ZIP64 fields.
fn large(bytes: &[u8]) -> Vec<u8> {
    let mut source = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::DEFAULT
        .large_file(true)
        .compression_method(zip::CompressionMethod::Stored);
    for index in 0..source.len() {
        let mut member = source.by_index(index).unwrap();
        let name = member.name().unwrap().into_owned();
        writer.start_file(&*name, options).unwrap();
        std::io::copy(&mut member, &mut writer).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Changes an archive in one to three places.
fn mutate(bytes: &mut Vec<u8>, originals: &[Vec<u8>], chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len());
        let length = (1 + chance.below(8)).min(bytes.len() - at);
        match chance.below(9) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes[at] = chance.next().to_le_bytes()[0],
            2 => bytes[at..at + length].fill([0, 0xff][chance.below(2)]),
            3 => drop(bytes.splice(at..at, (0..length).map(|_| 0))),
            4 => drop(bytes.drain(at..at + length)),
            5 => bytes.truncate(at.max(1)),
            6 => {
                let part = bytes[at..(at + 8 * length).min(bytes.len())].to_vec();
                let to = chance.below(bytes.len());
                bytes.splice(to..to, part);
            }
            7 => {
                // The bytes at the same offset of another archive.
                let other = &originals[chance.below(originals.len())];
                let end = (at + 8 * length).min(bytes.len()).min(other.len());
                if at < end {
                    bytes[at..end].copy_from_slice(&other[at..end]);
                }
            }
            _ => swap_near_signature(bytes, chance),
        }
    }
}

/// Changes a byte of a header, where a change matters most: few bytes of an archive are in one.
fn swap_near_signature(bytes: &mut [u8], chance: &mut Chance) {
    let headers: Vec<usize> = (0..bytes.len().saturating_sub(4))
        .filter(|at| bytes[*at..].starts_with(b"PK") && bytes[at + 2] < 8)
        .collect();
    if headers.is_empty() {
        return;
    }
    let at = headers[chance.below(headers.len())] + chance.below(60);
    if let Some(byte) = bytes.get_mut(at) {
        *byte = [0, 1, 8, 0x10, 0xff, chance.next().to_le_bytes()[0]][chance.below(6)];
    }
}

/// Reads archives with other programs: prints, for each path and for the directory to which vpython
/// has unpacked it, the difference, or `same`.
const PEER: &str = r"
import hashlib, os, shutil, subprocess, sys, zipfile

OWN = ('a-1.dist-info/RECORD', 'a-1.dist-info/INSTALLER', 'a-1.dist-info/REQUESTED')

def tree(directory):
    found = {}
    for place, directories, files in os.walk(directory):
        for name in files + [name for name in directories if os.path.islink(os.path.join(place, name))]:
            path = os.path.join(place, name)
            found[os.path.relpath(path, directory)] = 'link' if os.path.islink(path) else open(path, 'rb').read()
    return {name: content for name, content in found.items() if name not in OWN}

def by_zipfile(path):
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            return 'names twice'
        found = {name: archive.read(name) for name in names}
    return {name: content for name, content in found.items() if not name.endswith('/') and name not in OWN}

def by_bsdtar(path, directory):
    if not shutil.which('bsdtar'):
        return None
    os.mkdir(directory)
    done = subprocess.run(['bsdtar', '-x', '-f', path, '-C', directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = tree(directory)
    shutil.rmtree(directory)
    return found if done.returncode == 0 else done.stdout

def places(directory):
    ours = {}
    for scheme, prefix in (('site', ''), ('data', 'a-1.data/data/')):
        for name, content in tree(os.path.join(directory, scheme)).items():
            ours[prefix + name] = content
    return ours

for line in sys.stdin:
    path, directory = line.rstrip('\n').split('\t')
    ours, answer = places(directory), []
    try:
        theirs = by_zipfile(path)
        if theirs != ours:
            answer.append('zipfile: %r, not %r' % (theirs, ours))
    except Exception as error:
        answer.append('zipfile: %r' % error)
    theirs = by_bsdtar(path, directory + '.peer')
    if theirs is not None and theirs != ours:
        answer.append('bsdtar: %r, not %r' % (theirs, ours))
    print('; '.join(answer) or 'same', flush=True)
";

struct Peer {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start() -> Self {
        let has_bsdtar = Command::new("bsdtar")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok();
        if !has_bsdtar {
            not_tested!("there is no bsdtar to compare with");
        }
        let mut python = Command::new(&Python::any().path);
        python
            .args(["-I", "-c", PEER])
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        Self {
            questions: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn ask(&mut self, wheel: &Path, directory: &Path) -> String {
        writeln!(
            self.questions,
            "{}\t{}",
            wheel.display(),
            directory.display()
        )
        .unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    fn stop(mut self) {
        drop(self.questions);
        self.child.wait().unwrap();
    }
}

#[test]
fn all_readers_refuse_a_mutant_or_read_it_alike() {
    let number =
        |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let (count, seed) = (number("VPYTHON_MUTANTS", 3000), number("VPYTHON_SEED", 1));
    let directory = tempfile::tempdir().unwrap();
    let (file, to) = (
        directory.path().join("a-1-py3-none-any.whl"),
        directory.path().join("to"),
    );
    let mut peer = Peer::start();
    let mut chance = Chance(seed | 1 << 40);
    let originals = originals();
    let mut taken = 0;
    let mut differing = Vec::new();
    for index in 0..count {
        let mut bytes = originals[chance.below(originals.len())].clone();
        if index >= originals.len() as u64 {
            mutate(&mut bytes, &originals, &mut chance);
        } else {
            bytes = originals[usize::try_from(index).unwrap()].clone();
        }
        std::fs::write(&file, &bytes).unwrap();
        std::fs::create_dir(&to).unwrap();
        let result = vpython::testing::build::unpack(&planned(&file, &bytes), &to);
        let entries = std::fs::read_dir(&directory).unwrap().count();
        assert_eq!(
            entries, 2,
            "mutant {index} of seed {seed} is written elsewhere"
        );
        assert!(
            index >= originals.len() as u64 || result.is_ok(),
            "original {index}: {result:?}"
        );
        if result.is_ok() {
            taken += 1;
            let answer = peer.ask(&file, &to);
            if answer != "same" {
                differing.push(format!("mutant {index} of seed {seed}: {answer}"));
            }
        }
        std::fs::remove_dir_all(&to).unwrap();
    }
    peer.stop();
    eprintln!("{taken} of {count} mutants were taken");
    assert!(
        differing.is_empty(),
        "{} of {taken}: {:#?}",
        differing.len(),
        &differing[..differing.len().min(5)]
    );
}
