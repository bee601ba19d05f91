//! Checks that no file in an environment contains its path, the path where it was built, or the
//! home of the user. The table of forms calls this.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use memchr::memmem;

use super::{Form, world};
use crate::support::{Python, World};

/// The files and links below a directory whose content or target contains another path.
fn naming(environment: &Path, named: &Path) -> Vec<String> {
    let named = named.as_os_str().as_bytes();
    let entries = walkdir::WalkDir::new(environment)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    let names_it = |entry: &walkdir::DirEntry| {
        let relative = entry.path().strip_prefix(environment).unwrap();
        let content = match entry.file_type() {
            kind if kind.is_file() => std::fs::read(entry.path()).unwrap(),
            kind if kind.is_symlink() => std::fs::read_link(entry.path())
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec(),
            _ => Vec::new(),
        };
        memmem::find(&content, named).is_some()
            || memmem::find(relative.as_os_str().as_bytes(), named).is_some()
    };
    entries
        .filter(names_it)
        .map(|entry| entry.path().display().to_string())
        .collect()
}

/// The environment, the store, the staging directories and the home are all in the world, and no
/// file of the environment contains its path. The interpreter is outside the world.
#[track_caller]
pub fn assert_nothing_names(world: &World, environment: &Path) {
    let named = naming(environment, world.outside("work").parent().unwrap());
    assert!(
        named.is_empty(),
        "these name `{}`: {named:?}",
        world.redact(environment.to_str().unwrap())
    );
}

#[test]
fn the_interpreter_is_named_where_python_and_we_look_for_it() {
    let python = Python::any();
    let world = world(python);
    let environment = Form::Copy.make(&world);
    // Scripts may name other programs in its directory, which can be `/usr/bin`.
    let line = format!("{}\n", python.path.parent().unwrap().display());
    let mut named = [&python.path, Path::new(&line)]
        .map(|text| naming(&environment, text))
        .concat();
    named.sort();
    let expected = ["bin/python3", "pyvenv.cfg", "vpython.json"]
        .map(|path| environment.join(path).display().to_string());
    assert_eq!(named, expected);
}
