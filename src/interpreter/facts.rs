//! The facts about an interpreter: what determines which wheels it can use, and how it is run.

use std::fmt::Display;
use std::path::PathBuf;

use pep440_rs::Version;
use pep508_rs::MarkerEnvironment;
use serde::{Deserialize, Serialize};

use super::probe;
use crate::fs::Digest;

/// The facts that an interpreter reports about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The real path of its binary. For a virtual environment, that of the base interpreter.
    #[serde(with = "crate::fs::path_text")]
    pub executable: PathBuf,
    /// Major, minor and micro version.
    pub release: [u32; 3],
    /// `sys.version`: version, build and compiler.
    pub build: String,
    /// `sys.implementation.cache_tag`, such as `cpython-311`; empty if it writes no byte code.
    pub cache_tag: String,
    /// The path of site-packages relative to an environment.
    pub site_packages: String,
    /// `sysconfig.get_platform()`, such as `linux-x86_64`.
    pub platform: String,
    /// The build options that determine which binary modules are compatible.
    pub abi: Abi,
    /// The C library that it uses.
    pub libc: Libc,
    /// The file of the C library, if known: a system upgrade changes which wheels are compatible.
    #[serde(with = "optional_path")]
    pub libc_path: Option<PathBuf>,
    /// The directories of wheels from which its `ensurepip` installs pip and setuptools, in that
    /// order. They may not exist.
    #[serde(default, with = "paths")]
    pub bundled: Vec<PathBuf>,
    /// The values of environment markers (PEP 508).
    pub markers: MarkerEnvironment,
    /// The platform for which these facts were derived, by its name in wheel tags; `None` for an
    /// interpreter that was probed.
    #[serde(skip)]
    pub elsewhere: Option<String>,
    /// The digest of the image that it was copied from; `None` for one of this machine.
    #[serde(skip)]
    pub image: Option<Digest>,
}

/// The build options that determine which binary modules are compatible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are independent flags of one build"
)]
pub struct Abi {
    /// Built with `--with-pydebug`.
    pub debug: bool,
    /// Built with the small-object allocator; part of the ABI before 3.8.
    pub pymalloc: bool,
    /// Built without the global interpreter lock.
    pub free_threaded: bool,
    /// Python 2 only: built with four-byte characters; part of its ABI.
    #[serde(default)]
    pub wide_unicode: bool,
    /// A 32-bit build that no manylinux wheel fits: these are for i386, and for ARM with hard
    /// floating point.
    #[serde(default)]
    pub nonstandard: bool,
    /// 32 or 64.
    pub pointer_bits: u32,
}

/// A C library and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Libc {
    /// The GNU C library.
    Glibc {
        /// The major version.
        major: u32,
        /// The minor version.
        minor: u32,
    },
    /// musl.
    Musl {
        /// The major version.
        major: u32,
        /// The minor version.
        minor: u32,
    },
    /// Another, or an unknown one.
    Other,
}

impl Facts {
    /// Returns the full version, including pre-release markers.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.markers.python_full_version().version
    }

    /// Returns the implementation for messages: `CPython`, or `free-threaded CPython`.
    pub(super) fn implementation_title(&self) -> String {
        let threads = if self.abi.free_threaded {
            "free-threaded "
        } else {
            ""
        };
        format!("{threads}{}", self.markers.platform_python_implementation())
    }

    /// Returns the title for messages: `CPython 3.11.7 on linux x86_64`.
    #[must_use]
    pub fn title(&self) -> String {
        let here = || match self.linux_machine() {
            Some(machine) => format!("linux {machine}"),
            None => self.platform.replacen('-', " ", 1),
        };
        let platform = self.elsewhere.clone().unwrap_or_else(here);
        format!(
            "{} {} on {platform}",
            self.implementation_title(),
            self.version_title()
        )
    }

    /// Returns the machine that it is built for, by its name in wheel tags; `None` on another system
    /// than Linux. A 32-bit build may run on a 64-bit kernel, of which its platform is.
    #[must_use]
    pub fn linux_machine(&self) -> Option<&str> {
        let machine = self.platform.strip_prefix("linux-")?;
        Some(match (machine, self.abi.pointer_bits) {
            ("x86_64", 32) => "i686",
            ("aarch64", 32) => "armv8l",
            _ => machine,
        })
    }

    /// Returns the name of its byte code, as [`byte_code_version`] does.
    #[must_use]
    pub fn byte_code_version(&self) -> Option<String> {
        byte_code_version(&self.version().to_string())
    }

    /// Checks whether it is a Python 2.
    #[must_use]
    pub fn is_python2(&self) -> bool {
        self.release[0] == 2
    }

    /// Returns the reason why vpython does not support it, if so.
    pub(super) fn unsupported(&self) -> Option<String> {
        let is_known = matches!((self.release[0], self.release[1]), (2, 7) | (3, 6..));
        let name = self.markers.platform_python_implementation();
        (!is_known || name != "CPython")
            .then(|| format!("it is {name} {}, but {}", self.version(), probe::SUPPORTED))
    }
}

/// A list of paths in JSON.
mod paths {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::fs::TextPath;

    pub fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().cloned().map(TextPath))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        Ok(Vec::<TextPath>::deserialize(deserializer)?
            .into_iter()
            .map(|TextPath(path)| path)
            .collect())
    }
}

/// An optional path in JSON.
mod optional_path {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::fs::TextPath;

    #[allow(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.clone().map(TextPath).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<TextPath>::deserialize(deserializer)?.map(|TextPath(path)| path))
    }
}

/// Returns the name of the directory of the standard library under `lib`, which is also a name of
/// the interpreter in `bin`: `python3.13`, or `python3.13t` for a free-threaded build.
#[must_use]
pub fn library_name(major: impl Display, minor: impl Display, free_threaded: bool) -> String {
    format!(
        "python{}",
        title_of_version(format!("{major}.{minor}"), free_threaded)
    )
}

/// Returns a version of python, followed by `t` if it is free-threaded, as in `3.13.2t`.
#[must_use]
pub fn title_of_version(version: impl Display, free_threaded: bool) -> String {
    format!("{version}{}", if free_threaded { "t" } else { "" })
}

/// Returns a name for the byte code of a version of python, such as `3.11`: all final releases of a
/// minor version share it. Returns none if the version does not support unchecked byte code.
#[must_use]
pub fn byte_code_version(python: &str) -> Option<String> {
    let version: pep440_rs::Version = python.parse().ok()?;
    let [major, minor, ..] = *version.release() else {
        return None;
    };
    if (major, minor) < (3, 7) {
        return None;
    }
    Some(if version.is_stable() {
        format!("{major}.{minor}")
    } else {
        version.to_string()
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns the facts of a standard CPython on x86-64 Linux.
    pub(crate) fn facts(release: [u32; 3]) -> Facts {
        let [major, minor, micro] = release;
        let version = format!("{major}.{minor}.{micro}");
        let markers = serde_json::json!({
            "implementation_name": "cpython",
            "implementation_version": version,
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "6.1.0",
            "platform_system": "Linux",
            "platform_version": "#1 SMP",
            "python_full_version": version,
            "python_version": format!("{major}.{minor}"),
            "sys_platform": "linux",
        });
        Facts {
            executable: format!("/usr/bin/python{major}.{minor}").into(),
            release,
            build: format!("{version} (main) [GCC 12.2.0]"),
            cache_tag: format!("cpython-{major}{minor}"),
            site_packages: format!("lib/python{major}.{minor}/site-packages"),
            platform: "linux-x86_64".into(),
            abi: Abi {
                debug: false,
                pymalloc: true,
                free_threaded: false,
                wide_unicode: major == 2,
                nonstandard: false,
                pointer_bits: 64,
            },
            libc: Libc::Glibc {
                major: 2,
                minor: 36,
            },
            libc_path: Some("/lib/libc.so.6".into()),
            bundled: vec![format!("/usr/lib/python{major}.{minor}/ensurepip/_bundled").into()],
            markers: serde_json::from_value(markers).unwrap(),
            elsewhere: None,
            image: None,
        }
    }

    #[test]
    fn facts_survive_json() {
        for libc_path in [None, Some("/lib/libc.so.6".into())] {
            let facts = Facts {
                libc_path,
                ..facts([3, 11, 7])
            };
            assert_eq!(
                serde_json::from_slice::<Facts>(&serde_json::to_vec(&facts).unwrap()).unwrap(),
                facts
            );
        }
    }

    #[test]
    fn only_cpython_2_7_and_from_3_6_on_is_supported() {
        assert_eq!(facts([2, 7, 18]).unsupported(), None);
        assert_eq!(facts([3, 6, 0]).unsupported(), None);
        assert_eq!(facts([3, 15, 0]).unsupported(), None);
        let why = "it is CPython 3.5.10, but vpython supports CPython 2.7, and 3.6 and later";
        assert_eq!(facts([3, 5, 10]).unsupported().as_deref(), Some(why));
        let mut pypy = facts([3, 10, 14]);
        let markers = pypy.markers.clone();
        pypy.markers = markers.with_platform_python_implementation("PyPy");
        let why = "it is PyPy 3.10.14, but vpython supports CPython 2.7, and 3.6 and later";
        assert_eq!(pypy.unsupported().as_deref(), Some(why));
    }

    #[test]
    fn the_title_has_version_and_platform() {
        assert_eq!(facts([3, 12, 1]).title(), "CPython 3.12.1 on linux x86_64");
        let mut facts = facts([3, 13, 1]);
        facts.abi.free_threaded = true;
        facts.abi.pointer_bits = 32;
        let title = "free-threaded CPython 3.13.1 on linux i686";
        assert_eq!(facts.title(), title);
    }
}
