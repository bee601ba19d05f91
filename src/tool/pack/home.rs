//! Whether the interpreter that a package needs is where other machines may have it too.

use std::path::Path;

use crate::report;

/// The system's directories, where package managers and administrators install.
const SYSTEM: [&str; 8] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/opt",
    "/nix/store",
    "/Library",
];
/// Directories that have the home directories of users in them, and the superuser's own.
const HOMES: [&str; 3] = ["/home", "/root", "/Users"];

/// Warns where other machines may not have the interpreter, and says what helps.
pub(super) fn tell(interpreter: &Path, home: Option<&Path>) {
    let Some(place) = private_place(interpreter, home) else {
        return;
    };
    let interpreter = interpreter.display();
    report::warning(&format!(
        "the package needs `{interpreter}`, which lies {place}; other machines may not have it"
    ));
    report::notice(
        "`-vpython-interpreter /usr/bin/python3` packs for the system's interpreter, `--with-python` packs a copy of this one",
    );
}

/// What is wrong with the place of an interpreter; none where nothing is.
fn private_place(interpreter: &Path, home: Option<&Path>) -> Option<&'static str> {
    let is_below = |directory: &Path| interpreter.starts_with(directory);
    let home = home.filter(|home| home.parent().is_some());
    if HOMES.iter().map(Path::new).chain(home).any(is_below) {
        return Some("below a home directory");
    }
    let is_of_system = SYSTEM.iter().map(Path::new).any(is_below);
    (!is_of_system).then_some("outside the system's directories")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_other_machines_may_not_have() {
        let [home, outside] =
            ["below a home directory", "outside the system's directories"].map(Some);
        let rows = [
            ("/usr/bin/python3.11", Some("/home/me"), None),
            ("/usr/local/bin/python3.11", None, None),
            ("/opt/python/bin/python3.11", Some("/"), None),
            ("/opt/me/bin/python3.11", Some("/opt/me"), home),
            ("/home/me/.pyenv/versions/3.11.9/bin/python3.11", None, home),
            ("/root/bin/python3", Some("/nonexistent"), home),
            ("/homes/bin/python3", Some("/home/me"), outside),
            ("/srv/python/bin/python3", None, outside),
            ("/tmp/python3", Some("/home/me"), outside),
        ];
        for (interpreter, caller, expected) in rows {
            assert_eq!(
                private_place(Path::new(interpreter), caller.map(Path::new)),
                expected,
                "{interpreter}"
            );
        }
    }
}
