//! Warns if the interpreter that a package needs is in a location that other machines may not have.

use std::path::Path;

use crate::report;

/// The system's directories, into which package managers and administrators install.
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
/// The parents of users' home directories, and the superuser's home.
const HOMES: [&str; 3] = ["/home", "/root", "/Users"];

/// Warns if other machines may not have the interpreter, and suggests what to do.
pub(super) fn warn_if_private(interpreter: &Path, home: Option<&Path>) {
    let Some(location) = private_location(interpreter, home) else {
        return;
    };
    let interpreter = interpreter.display();
    report::warning(&format!(
        "the package needs `{interpreter}`, which is {location}; other machines may not have it"
    ));
    report::notice(
        "use `-vpython-interpreter /usr/bin/python3` to pack for the system interpreter, or `--with-python` to include a copy of this one",
    );
}

/// Describes the location of an interpreter if other machines may not have it.
fn private_location(interpreter: &Path, home: Option<&Path>) -> Option<&'static str> {
    let is_below = |directory: &Path| interpreter.starts_with(directory);
    let home = home.filter(|home| home.parent().is_some());
    if HOMES.iter().map(Path::new).chain(home).any(is_below) {
        return Some("below a home directory");
    }
    let is_system = SYSTEM.iter().map(Path::new).any(is_below);
    (!is_system).then_some("outside the system's directories")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_that_other_machines_may_not_have() {
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
                private_location(Path::new(interpreter), caller.map(Path::new)),
                expected,
                "{interpreter}"
            );
        }
    }
}
