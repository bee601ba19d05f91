//! The byte code that `install` compiles depends on nothing but the source and its name, and is that of
//! python.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Python, Wheel, World};

/// Sources that leave traces in a process that compiles them: an error, names that python interns,
/// decoders and what normalises names.
const BEFORE: [(&str, &[u8]); 5] = [
    ("a/error.py", b"def f(:\n"),
    ("a/latin.py", b"# coding: latin-1\n\xe9 = '\xe9'\n"),
    ("a/names.py", "é = µ = ﬁ = 1\n".as_bytes()),
    (
        "a/uses.py",
        b"class C:\n    x: int = 0\n    def f(self, *a, **k):\n        return [lineno for lineno in a]\n",
    ),
    ("a/warning.py", b"x = '\\d' is 'y'\n"),
];

/// Sources with the names of those, as names, constants and in sets.
const AFTER: [(&str, &str); 3] = [
    (
        "b/order.py",
        "def f(x):\n    return x in {'è', 'é'} or x in {'numeric', 'unit', 'label', 'time_zone'} or x in {None, ..., 2, 'a_b'}\n",
    ),
    (
        "b/sets.py",
        "def f(x):\n    return x in {'normalize', 'bidirectional', 'a_name_that_is_long', 'zz', 'getregentry', 'a b', 'é', '-', 1.5, (1, 'mirrored'), (1, 'another_long_name')}\n",
    ),
    (
        "b/uses.py",
        "import a\nx = 'é', 'µ', 'fi', ' ', '', 'normalize', 'msg'\ndef normalize(lineno, *, digit=None):\n    \
         class C: msg: 'filename' = 300\n    return C.msg, lookup(lineno), 2.5, 1j, ..., 10 ** 30, b'', b'c', x[1:2]\n",
    ),
];

/// Installs a wheel with these files, and returns its byte code by path.
fn byte_code<'a>(
    python: &'static Python,
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> BTreeMap<String, Vec<u8>> {
    let world = World::with_python(python);
    let wheel = Wheel::new("some", "1").compressed();
    let add = |wheel: Wheel, (path, content)| wheel.file(path, content);
    world.wheel(&files.into_iter().fold(wheel, add));
    world.write("vpython.toml", "dependencies = ['some']\n");
    world.install(["-c", ""]);
    let [environment] = &world.environments()[..] else {
        panic!("there is one environment");
    };
    let compared = world
        .vpython(["-c", COMPARE])
        .env("PYTHONWARNINGS", "ignore")
        .run();
    assert_eq!(compared.code, Some(0), "{}: {compared}", python.version);
    let site = environment.join(format!("lib/{}/site-packages", python.name()));
    let found = walkdir::WalkDir::new(&site).into_iter().map(Result::unwrap);
    let code = found
        .filter(|entry| entry.path().extension() == Some("pyc".as_ref()))
        .map(|entry| {
            let path = entry.path().strip_prefix(&site).unwrap();
            let content = std::fs::read(entry.path()).unwrap();
            (path.to_str().unwrap().to_owned(), content)
        });
    code.collect()
}

/// Compares the byte code of each source with what python compiles.
const COMPARE: &str = r#"
import glob, marshal, os, sys, sysconfig

def parts(code):
    constants = [parts(one) if hasattr(one, "co_code") else
        (type(one), sorted(map(repr, one)) if isinstance(one, frozenset) else repr(one)) for one in code.co_consts]
    lines = list(code.co_positions()) if hasattr(code, "co_positions") else code.co_lnotab
    return (code, code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_flags, code.co_stacksize,
        code.co_firstlineno, code.co_code, getattr(code, "co_exceptiontable", None), lines, constants, code.co_filename)

site = sysconfig.get_path("purelib")
count = 0
for path in glob.glob(site + "/*/__pycache__/*.pyc"):
    with open(path, "rb") as file:
        code = marshal.loads(file.read()[16:])
    source = path.replace("__pycache__/", "").replace("." + sys.implementation.cache_tag + ".pyc", ".py")
    with open(source, "rb") as file:
        expected = compile(file.read(), os.path.relpath(source, site), "exec", dont_inherit=True)
    assert parts(code) == parts(expected), path
    count += 1
assert count, site
"#;

/// The directory of the standard library.
fn library(python: &Python) -> PathBuf {
    let program = "import os; print(os.path.dirname(os.__file__))";
    let output = Command::new(&python.path)
        .args(["-I", "-c", program])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

fn pythons() -> impl Iterator<Item = &'static Python> {
    let all = Python::each_build().into_iter();
    all.filter(|python| python.minor > 6)
}

#[test]
fn the_byte_code_of_a_source_does_not_depend_on_other_sources() {
    let after = AFTER.map(|(path, text)| (path, text.as_bytes()));
    for python in pythons() {
        let together = byte_code(python, BEFORE.into_iter().chain(after));
        let alone = byte_code(python, after);
        assert_eq!(alone.len(), AFTER.len(), "{}", python.version);
        for (path, code) in alone {
            assert!(together[&path] == code, "{path} with {}", python.version);
        }
    }
}

#[test]
fn the_byte_code_of_the_standard_library_is_that_of_python() {
    const PACKAGES: [&str; 5] = ["asyncio", "email", "encodings", "json", "unittest"];
    for python in pythons() {
        let library = library(python);
        let mut files = BTreeMap::new();
        for package in PACKAGES {
            // A minimal python of a distribution has not all of them.
            let entries = std::fs::read_dir(library.join(package));
            for entry in entries.into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.extension() == Some("py".as_ref()) {
                    let name = path.strip_prefix(&library).unwrap().to_str().unwrap();
                    files.insert(format!("copy_of_{name}"), std::fs::read(&path).unwrap());
                }
            }
        }
        let code = byte_code(python, files.iter().map(|(name, text)| (&**name, &**text)));
        assert!(code.len() > 100, "{}: {}", python.version, code.len());
    }
}
