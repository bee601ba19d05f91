//! Platforms other than the current one, by their names in wheel tags:
//! <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/#platform-tag>.
//!
//! A name consists of a system and a machine. The plan decides which wheels are compatible with it.

use crate::report::nearest;

/// A platform that a spec names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The name, as the spec writes it.
    pub name: String,
    /// The system.
    pub system: System,
    /// The machine, as `platform.machine()` returns it on that platform.
    pub machine: String,
}

/// An operating system, as far as wheel compatibility depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux with the GNU C library.
    Glibc {
        /// The major version of the library.
        major: u32,
        /// The minor version of the library.
        minor: u32,
    },
    /// Linux with musl.
    Musl {
        /// The major version of the library.
        major: u32,
        /// The minor version of the library.
        minor: u32,
    },
    /// Linux with any version of the GNU C library: `linux_x86_64` names no version.
    Linux,
    /// macOS.
    MacOs {
        /// The major version of the system.
        major: u32,
        /// The minor version of the system.
        minor: u32,
    },
    /// Windows.
    Windows,
}

/// A platform to plan for, with its Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The platform.
    pub platform: Platform,
    /// The platform's Python; `None` if it has the same version and build as the local one.
    pub python: Option<TargetPython>,
}

/// The CPython of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetPython {
    /// The major version.
    pub major: u32,
    /// The minor version.
    pub minor: u32,
    /// Whether it was built without the global interpreter lock.
    pub free_threaded: bool,
}

/// The machines in the names of Linux wheels.
const LINUX_MACHINES: [&str; 15] = [
    "x86_64",
    "aarch64",
    "i686",
    "armv6l",
    "armv7l",
    "armv8l",
    "ppc64",
    "ppc64le",
    "s390x",
    "riscv64",
    "loongarch64",
    "mips",
    "mipsel",
    "mips64",
    "mips64el",
];
const MAC_MACHINES: [&str; 2] = ["x86_64", "arm64"];
/// The machine for each Windows platform name.
const WINDOWS: [(&str, &str); 3] = [
    ("win_amd64", "AMD64"),
    ("win32", "x86"),
    ("win_arm64", "ARM64"),
];
/// The minor glibc version of the platform names from before PEP 600.
const LEGACY: [(&str, u32); 3] = [
    ("manylinux1", 5),
    ("manylinux2010", 12),
    ("manylinux2014", 17),
];
/// Alternative names, at the end of a platform name, with the names that wheel tags use.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("intel", "x86_64"),
    ("universal2", "x86_64"),
    ("arm64", "aarch64"),
    ("aarch64", "arm64"),
    ("i386", "i686"),
    ("win64", "win_amd64"),
    ("win_x86_64", "win_amd64"),
];

impl Platform {
    /// Parses a platform name.
    ///
    /// # Errors
    /// The name is not a platform; the error is the rest of a sentence, with a suggestion.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::read(name).ok_or_else(|| refusal(name))
    }

    fn read(name: &str) -> Option<Self> {
        // Windows tags have no separate system and version.
        if let Some((_, machine)) = WINDOWS.iter().find(|(known, _)| *known == name) {
            return Some(Self {
                name: name.into(),
                system: System::Windows,
                machine: (*machine).into(),
            });
        }
        // All others: a family, often with a version, and a machine.
        let (family, rest) = name.split_once('_')?;
        let of_version = |system: fn(u32, u32) -> System| {
            versioned(rest).map(|(major, minor, machine)| (system(major, minor), machine))
        };
        let (system, machine) = match family {
            "linux" => (System::Linux, rest),
            "manylinux" => of_version(|major, minor| System::Glibc { major, minor })?,
            "musllinux" => of_version(|major, minor| System::Musl { major, minor })?,
            "macosx" => of_version(|major, minor| System::MacOs { major, minor })?,
            legacy => {
                let (_, minor) = LEGACY.iter().find(|(known, _)| *known == legacy)?;
                (
                    System::Glibc {
                        major: 2,
                        minor: *minor,
                    },
                    rest,
                )
            }
        };
        system.runs_on(machine).then(|| Self {
            name: name.into(),
            system,
            machine: machine.into(),
        })
    }
}

impl System {
    /// Checks whether the system runs on a machine.
    fn runs_on(self, machine: &str) -> bool {
        match self {
            Self::Glibc { major, .. } => major == 2 && LINUX_MACHINES.contains(&machine),
            Self::Musl { .. } | Self::Linux => LINUX_MACHINES.contains(&machine),
            // macOS 11.0 was the first release for these machines.
            Self::MacOs { major, .. } if machine == "arm64" => major >= 11,
            Self::MacOs { .. } => MAC_MACHINES.contains(&machine),
            Self::Windows => WINDOWS.iter().any(|(_, known)| *known == machine),
        }
    }
}

/// Splits `2_17_x86_64` into its parts.
fn versioned(text: &str) -> Option<(u32, u32, &str)> {
    let mut parts = text.splitn(3, '_');
    let mut number = || {
        let text = parts.next()?;
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    let (major, minor) = (number()?, number()?);
    Some((major, minor, parts.next()?))
}

fn refusal(name: &str) -> String {
    match suggestion(name) {
        Some(near) => format!("`{name}` is not a platform; did you mean `{near}`?"),
        None => format!(
            "`{name}` is not a platform; use a platform tag of wheels, such as `manylinux_2_17_x86_64`, `musllinux_1_2_x86_64`, \
             `macosx_11_0_arm64`, `win_amd64`"
        ),
    }
}

/// Suggests the same name with another machine name or other separators, or else the nearest of the
/// usual names.
fn suggestion(name: &str) -> Option<String> {
    let plain = name.to_lowercase().replace(['-', '.'], "_");
    let renamed = OTHER_NAMES
        .iter()
        .filter_map(|(other, own)| Some(format!("{}{own}", plain.strip_suffix(other)?)));
    // The same platform, spelled differently.
    if let Some(near) = [plain.clone()]
        .into_iter()
        .chain(renamed)
        .find(|name| Platform::read(name).is_some())
    {
        return Some(near);
    }
    // A typo in one of the usual names.
    let linux = [
        "manylinux_2_17",
        "manylinux_2_28",
        "manylinux2014",
        "manylinux2010",
        "manylinux1",
        "musllinux_1_2",
        "linux",
    ];
    let usual = linux.iter().flat_map(|family| {
        ["x86_64", "aarch64", "i686"].map(|machine| format!("{family}_{machine}"))
    });
    let others = [
        "macosx_11_0_arm64",
        "macosx_10_13_x86_64",
        "macosx_10_9_x86_64",
        "win_amd64",
        "win32",
        "win_arm64",
    ];
    let usual: Vec<String> = usual.chain(others.map(str::to_owned)).collect();
    nearest(&plain, usual.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_system_and_a_machine() {
        let rows = [
            (
                "manylinux_2_17_x86_64",
                System::Glibc {
                    major: 2,
                    minor: 17,
                },
                "x86_64",
            ),
            (
                "manylinux2014_aarch64",
                System::Glibc {
                    major: 2,
                    minor: 17,
                },
                "aarch64",
            ),
            (
                "manylinux2010_i686",
                System::Glibc {
                    major: 2,
                    minor: 12,
                },
                "i686",
            ),
            (
                "manylinux1_x86_64",
                System::Glibc { major: 2, minor: 5 },
                "x86_64",
            ),
            (
                "musllinux_1_2_aarch64",
                System::Musl { major: 1, minor: 2 },
                "aarch64",
            ),
            ("linux_armv7l", System::Linux, "armv7l"),
            (
                "macosx_11_0_arm64",
                System::MacOs {
                    major: 11,
                    minor: 0,
                },
                "arm64",
            ),
            (
                "macosx_10_9_x86_64",
                System::MacOs {
                    major: 10,
                    minor: 9,
                },
                "x86_64",
            ),
            ("win_amd64", System::Windows, "AMD64"),
            ("win32", System::Windows, "x86"),
            ("win_arm64", System::Windows, "ARM64"),
        ];
        for (name, system, machine) in rows {
            let expected = Platform {
                name: name.into(),
                system,
                machine: machine.into(),
            };
            assert_eq!(Platform::parse(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn an_unknown_platform_is_refused_with_a_suggestion() {
        let rows = [
            ("manylinux_2_17_amd64", "manylinux_2_17_x86_64"),
            ("manylinux_2_17_arm64", "manylinux_2_17_aarch64"),
            ("macosx_11_0_aarch64", "macosx_11_0_arm64"),
            ("macosx-11.0-arm64", "macosx_11_0_arm64"),
            ("linux-x86_64", "linux_x86_64"),
            ("manylinux_2014_x86_64", "manylinux2014_x86_64"),
            ("manylinux_3_17_x86_64", "manylinux_2_17_x86_64"),
            ("manylinux_2_17_", "manylinux_2_17_i686"),
            ("macosx_10_9_arm64", "macosx_11_0_arm64"),
            ("macosx_10_9_universal2", "macosx_10_9_x86_64"),
            ("macos_11_0_arm64", "macosx_11_0_arm64"),
            ("win64", "win_amd64"),
            ("Win32", "win32"),
        ];
        for (name, near) in rows {
            assert_eq!(
                Platform::parse(name),
                Err(format!(
                    "`{name}` is not a platform; did you mean `{near}`?"
                )),
                "{name}"
            );
        }
        for name in ["", "any", "x86_64-unknown-linux-gnu", "solaris_2_11_sparc"] {
            let forms = "use a platform tag of wheels, such as `manylinux_2_17_x86_64`, `musllinux_1_2_x86_64`, `macosx_11_0_arm64`, \
                         `win_amd64`";
            assert_eq!(
                Platform::parse(name),
                Err(format!("`{name}` is not a platform; {forms}")),
                "{name}"
            );
        }
    }
}
