//! The name of an environment: a digest of exactly those parts of the plan that determine its
//! contents.

use std::fmt;
use std::os::unix::ffi::OsStrExt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Plan, PlannedWheel};
use crate::interpreter::Facts;
use crate::process::KEY_LENGTH;

/// The version of the layout and the build. Increment it with each change to the files that a plan
/// produces, so that an environment of another version is never reused.
pub const LAYOUT: u32 = 2;

/// The key of an environment: 160 bits in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// Returns the key of a plan: the first 160 bits of SHA-256 over the layout version, the
    /// interpreter and the wheels.
    ///
    /// Each part is preceded by its length, so that no two plans have the same encoding. Structs
    /// are destructured completely: a new field does not compile until it is included or excluded
    /// here.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let Plan {
            interpreter,
            wheels,
            unavailable: _,
            strict,
            system_packages,
        } = plan;
        let mut canonical = Canonical(Sha256::new());
        canonical.part(b"vpython environment");
        canonical.part(&LAYOUT.to_le_bytes());
        canonical.interpreter(interpreter);
        let mut wheels: Vec<&PlannedWheel> = wheels.iter().collect();
        wheels.sort_by_key(|wheel| wheel.sha256);
        canonical.part(&(wheels.len() as u64).to_le_bytes());
        for wheel in wheels {
            canonical.wheel(wheel);
        }
        // The contents are the same, but an environment built without it has not been checked.
        if *strict {
            canonical.part(b"strict");
        }
        if !system_packages.are_hidden() {
            canonical.part(b"system-site-packages");
        }
        Self(hex::encode(&canonical.0.finalize()[..KEY_LENGTH / 2]))
    }

    /// Returns the key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The canonical encoding, fed directly to the hash.
struct Canonical(Sha256);

impl Canonical {
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn interpreter(&mut self, facts: &Facts) {
        // The tags cover platform, ABI and C library. `libc_path` is only stamped, and the wheels
        // used from `bundled` are among the wheels.
        let Facts {
            executable,
            release: _,
            build,
            cache_tag,
            site_packages,
            platform: _,
            abi: _,
            libc: _,
            libc_path: _,
            bundled: _,
            markers,
            elsewhere: _,
            image,
        } = facts;
        match image {
            // The copy of an image is the same in each store.
            Some(digest) => {
                self.part(b"image");
                self.part(digest.as_bytes());
            }
            None => self.part(executable.as_os_str().as_bytes()),
        }
        self.part(markers.python_full_version().string.as_bytes());
        self.part(build.as_bytes());
        self.part(cache_tag.as_bytes());
        self.part(site_packages.as_bytes());
        let tags = crate::interpreter::Tags::of(facts);
        self.part(&(tags.in_order().len() as u64).to_le_bytes());
        // Only the set of tags matters, not their order: plain `linux` tags have always been hashed
        // last.
        for alike in tags
            .in_order()
            .chunk_by(|one, next| (&one.python, &one.abi) == (&next.python, &next.abi))
        {
            let (plain, others): (Vec<_>, Vec<_>) = alike
                .iter()
                .partition(|tag| tag.platform.starts_with("linux_"));
            for tag in others.into_iter().chain(plain) {
                self.part(tag.to_string().as_bytes());
            }
        }
    }

    fn wheel(&mut self, wheel: &PlannedWheel) {
        // Name and version are in the wheel; the file's location does not matter.
        let PlannedWheel {
            name: _,
            version: _,
            path: _,
            in_layout: _,
            built: _,
            to_fetch: _,
            size: _,
            sha256,
            required_by: _,
        } = wheel;
        self.part(sha256.as_bytes());
        // Of the origins, only `REQUESTED` is part of the environment.
        self.part(&[u8::from(wheel.is_requested())]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::RequiredBy;
    use super::*;
    use crate::fs::Digest;
    use crate::interpreter::Libc;
    use crate::interpreter::tests::facts;
    use crate::spec::{Location, SystemPackages};

    fn wheel(name: &str, sha256: &[u8]) -> PlannedWheel {
        PlannedWheel {
            name: name.parse().unwrap(),
            version: "1.0".parse().unwrap(),
            path: format!("/wheels/{name}-1.0-py3-none-any.whl").into(),
            in_layout: None,
            built: None,
            to_fetch: None,
            size: 7,
            sha256: Digest::of(sha256),
            required_by: vec![RequiredBy::Spec(Location {
                file: None,
                line: 1,
                column: 1,
            })],
        }
    }

    fn plan() -> Plan {
        let wheels = vec![wheel("one", b"1"), wheel("two", b"2")];
        Plan {
            interpreter: facts([3, 11, 7]),
            wheels,
            unavailable: None,
            strict: false,
            system_packages: SystemPackages::Hidden,
        }
    }

    /// Returns the key of the plan after a change.
    fn changed(change: impl FnOnce(&mut Plan)) -> Key {
        let mut plan = plan();
        change(&mut plan);
        Key::of(&plan)
    }

    #[test]
    fn keys_are_stable() {
        // A change of these rebuilds every environment on every machine: increment `LAYOUT` with
        // it.
        assert_eq!(
            Key::of(&plan()).as_str(),
            "4e85c564d836c9e13889e69681f6b51ad244cb57"
        );
        assert_eq!(
            changed(|plan| plan.wheels.clear()).as_str(),
            "818eb79862db438241aedea8ddd631c49c25554d"
        );
    }

    #[test]
    fn a_key_covers_what_determines_the_contents() {
        let key = Key::of(&plan());
        assert_ne!(
            changed(|plan| plan.interpreter.executable = "/opt/python3".into()),
            key,
            "another interpreter"
        );
        let image = |bytes: &[u8]| {
            let digest = Digest::of(bytes);
            changed(|plan| plan.interpreter.image = Some(digest))
        };
        assert_ne!(image(b"1"), key, "an interpreter from an image");
        assert_ne!(image(b"1"), image(b"2"), "another image");
        assert_ne!(
            changed(|plan| plan.interpreter = facts([3, 11, 8])),
            key,
            "another version"
        );
        assert_ne!(
            changed(|plan| plan.interpreter.build.push('x')),
            key,
            "another build"
        );
        assert_ne!(
            changed(|plan| plan.interpreter.cache_tag.push('x')),
            key,
            "other byte code"
        );
        assert_ne!(
            changed(|plan| plan.interpreter.site_packages.push('x')),
            key,
            "another directory for packages"
        );
        assert_ne!(
            changed(|plan| plan.interpreter.libc = Libc::Glibc {
                major: 2,
                minor: 17
            }),
            key,
            "other tags"
        );
        assert_ne!(
            changed(|plan| plan.wheels[0].sha256 = Digest::of(b"3")),
            key,
            "another wheel"
        );
        assert_ne!(
            changed(|plan| plan.wheels[0].required_by.clear()),
            key,
            "REQUESTED is a file of the environment"
        );
        assert_ne!(
            changed(|plan| drop(plan.wheels.pop())),
            key,
            "one wheel fewer"
        );
        assert_ne!(
            changed(|plan| plan.strict = true),
            key,
            "an environment that was not checked"
        );
        let system = changed(|plan| plan.system_packages = SystemPackages::Visible);
        assert_ne!(system, key, "another `pyvenv.cfg`");
        assert_ne!(
            system,
            changed(|plan| plan.strict = true),
            "which of the two is set"
        );
    }

    #[test]
    fn a_key_covers_nothing_else() {
        let key = Key::of(&plan());
        let of_image = |path: &str| {
            changed(|plan| {
                plan.interpreter.image = Some(Digest::of(b"1"));
                plan.interpreter.executable = path.into();
            })
        };
        assert_eq!(
            of_image("/store/bin/python3"),
            of_image("/other/bin/python3"),
            "the location of the copy of an image"
        );
        assert_eq!(
            changed(|plan| plan.wheels.reverse()),
            key,
            "the order of the wheels"
        );
        assert_eq!(
            changed(|plan| plan.wheels[0].path = "/elsewhere/x.whl".into()),
            key,
            "the location of a wheel"
        );
        assert_eq!(
            changed(|plan| plan.interpreter.libc_path = None),
            key,
            "the location of the C library"
        );
        assert_eq!(
            changed(|plan| plan.interpreter.bundled.clear()),
            key,
            "the location of the wheels of `ensurepip`"
        );
        let elsewhere = RequiredBy::Spec(Location {
            file: Some("/x.py".into()),
            line: 7,
            column: 1,
        });
        assert_eq!(
            changed(|plan| plan.wheels[0].required_by.push(elsewhere)),
            key,
            "the location of a requirement"
        );
    }
}
