//! The facts of an interpreter on another platform, as far as they determine which wheels are
//! compatible there.
//!
//! Unknown values are omitted: the markers `platform_release` and `platform_version` are empty.
//! Values that only an environment on that platform needs, such as the executable's path, are this
//! machine's.

use super::{Abi, Facts, Libc};
use crate::interpreter::tags::platforms;
use crate::spec::{System, Target};

/// The assumed patch level for the newest of a minor version. No CPython release has reached half
/// of it.
const NEWEST: u32 = 99;
/// The assumed minor version of the newest glibc, which accepts all manylinux wheels;
/// `packaging.tags` assumes the same.
const NEWEST_GLIBC: u32 = 50;
/// The 32-bit machines.
const NARROW: [&str; 7] = [
    "i686", "armv6l", "armv7l", "armv8l", "mips", "mipsel", "x86",
];

impl Facts {
    /// Returns the facts of this interpreter on another platform. A target with its own python gets
    /// the newest patch level of that minor version.
    #[must_use]
    pub fn for_target(&self, target: &Target) -> Self {
        let platform = &target.platform;
        let machine = platform.machine.as_str();
        let [own_major, own_minor, _] = self.release;
        let (major, minor) = target.python.map_or((own_major, own_minor), |python| {
            (python.major, python.minor)
        });
        let mut facts = Self {
            platform: platform_of(platform.system, machine),
            abi: Abi {
                debug: false,
                // The default; only a custom build there could lack it.
                pymalloc: true,
                free_threaded: target
                    .python
                    .map_or(self.abi.free_threaded, |python| python.free_threaded),
                // The default of Linux builds, and of no others.
                wide_unicode: major == 2
                    && !matches!(platform.system, System::MacOs { .. } | System::Windows),
                nonstandard: false,
                pointer_bits: if NARROW.contains(&machine) { 32 } else { 64 },
            },
            libc: match platform.system {
                System::Glibc { major, minor } => Libc::Glibc { major, minor },
                System::Linux => Libc::Glibc {
                    major: 2,
                    minor: NEWEST_GLIBC,
                },
                System::Musl { major, minor } => Libc::Musl { major, minor },
                System::MacOs { .. } | System::Windows => Libc::Other,
            },
            image: None,
            libc_path: None,
            elsewhere: Some(platform.name.clone()),
            ..self.clone()
        };
        if target.python.is_some() {
            facts.assume_version(major, minor);
        }
        facts.assume_system(platform.system, machine);
        facts
    }

    /// Returns the version for messages, without an assumed patch level.
    pub(crate) fn version_title(&self) -> String {
        match self.release {
            [major, minor, NEWEST] if self.elsewhere.is_some() => format!("{major}.{minor}"),
            _ => self.version().to_string(),
        }
    }

    /// Checks whether these are the facts of a system other than this machine.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Returns the platforms to pass to pip, best first: all compatible ones, except the older ones
    /// of macOS, which pip adds itself. Of manylinux, pip knows the compatibility of the legacy
    /// names only.
    #[must_use]
    pub fn pip_platforms(&self) -> Vec<String> {
        let mut platforms = platforms(self);
        if self.platform.starts_with("macosx") {
            platforms.truncate(1);
        }
        platforms
    }

    /// Returns the options that pass ABIs to pip, if its default for the version differs.
    #[must_use]
    pub fn pip_abi_options(&self) -> Vec<String> {
        let [major, minor, _] = self.release;
        let abis = match major {
            2 if self.abi.wide_unicode => vec![format!("cp{major}{minor}mu")],
            2 => vec![format!("cp{major}{minor}m")],
            _ if self.abi.free_threaded => vec![format!("cp{major}{minor}t")],
            _ => Vec::new(),
        };
        let implementation = (!abis.is_empty()).then(|| "--implementation=cp".to_owned());
        let none = (!abis.is_empty()).then(|| "none".to_owned());
        implementation
            .into_iter()
            .chain(
                abis.into_iter()
                    .chain(none)
                    .map(|abi| format!("--abi={abi}")),
            )
            .collect()
    }

    fn assume_version(&mut self, major: u32, minor: u32) {
        let full = pep440_rs::Version::new([major, minor, NEWEST].map(u64::from));
        let short = pep440_rs::Version::new([major, minor].map(u64::from));
        self.release = [major, minor, NEWEST];
        self.cache_tag = if major == 2 {
            String::new()
        } else {
            format!("cpython-{major}{minor}")
        };
        let markers = self
            .markers
            .clone()
            .with_python_full_version(full.clone())
            .with_implementation_version(full);
        self.markers = markers.with_python_version(short);
    }

    fn assume_system(&mut self, system: System, machine: &str) {
        let (os_name, sys_platform, platform_system) = match system {
            System::Glibc { .. } | System::Musl { .. } | System::Linux => {
                ("posix", "linux", "Linux")
            }
            System::MacOs { .. } => ("posix", "darwin", "Darwin"),
            System::Windows => ("nt", "win32", "Windows"),
        };
        let markers = self
            .markers
            .clone()
            .with_os_name(os_name)
            .with_sys_platform(sys_platform);
        let markers = markers
            .with_platform_system(platform_system)
            .with_platform_machine(machine);
        self.markers = markers.with_platform_release("").with_platform_version("");
    }
}

/// Returns the value of `sysconfig.get_platform()` there.
fn platform_of(system: System, machine: &str) -> String {
    match system {
        System::Glibc { .. } | System::Musl { .. } | System::Linux => format!("linux-{machine}"),
        System::MacOs { major, minor } => format!("macosx-{major}.{minor}-{machine}"),
        System::Windows if machine == "x86" => "win32".into(),
        System::Windows => format!("win-{}", machine.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::facts;
    use super::*;
    use crate::interpreter::Tags;
    use crate::spec::{Platform, TargetPython};

    fn target(name: &str, python: Option<TargetPython>) -> Target {
        Target {
            platform: Platform::parse(name).unwrap(),
            python,
        }
    }

    /// Returns the values of the markers that the test compares.
    fn markers(facts: &Facts) -> [&str; 4] {
        let markers = &facts.markers;
        [
            markers.os_name(),
            markers.sys_platform(),
            markers.platform_system(),
            markers.platform_machine(),
        ]
    }

    #[test]
    fn a_platform_has_its_markers_and_its_best_tag() {
        let rows = [
            (
                "manylinux_2_17_x86_64",
                ["posix", "linux", "Linux", "x86_64"],
                "cp311-cp311-manylinux_2_17_x86_64",
            ),
            (
                "manylinux1_i686",
                ["posix", "linux", "Linux", "i686"],
                "cp311-cp311-manylinux_2_5_i686",
            ),
            (
                "musllinux_1_2_aarch64",
                ["posix", "linux", "Linux", "aarch64"],
                "cp311-cp311-musllinux_1_2_aarch64",
            ),
            (
                "linux_armv7l",
                ["posix", "linux", "Linux", "armv7l"],
                "cp311-cp311-manylinux_2_50_armv7l",
            ),
            (
                "macosx_11_0_arm64",
                ["posix", "darwin", "Darwin", "arm64"],
                "cp311-cp311-macosx_11_0_arm64",
            ),
            (
                "macosx_10_9_x86_64",
                ["posix", "darwin", "Darwin", "x86_64"],
                "cp311-cp311-macosx_10_9_x86_64",
            ),
            (
                "win_amd64",
                ["nt", "win32", "Windows", "AMD64"],
                "cp311-cp311-win_amd64",
            ),
            (
                "win32",
                ["nt", "win32", "Windows", "x86"],
                "cp311-cp311-win32",
            ),
            (
                "win_arm64",
                ["nt", "win32", "Windows", "ARM64"],
                "cp311-cp311-win_arm64",
            ),
        ];
        for (name, expected, best) in rows {
            let there = facts([3, 11, 7]).for_target(&target(name, None));
            assert_eq!(markers(&there), expected, "{name}");
            // Plain `linux` comes before the others.
            let tags = Tags::of(&there).in_order().to_vec();
            let plain = usize::from(tags[0].platform == format!("linux_{}", expected[3]));
            assert_eq!(plain == 1, expected[1] == "linux", "{name}");
            assert_eq!(tags[plain].to_string(), best, "{name}");
            assert_eq!(there.title(), format!("CPython 3.11.7 on {name}"));
        }
    }

    #[test]
    fn a_python_of_its_own_is_the_newest_of_its_minor_version() {
        let python = TargetPython {
            major: 3,
            minor: 7,
            free_threaded: false,
        };
        let there = facts([3, 11, 7]).for_target(&target("win_amd64", Some(python)));
        assert_eq!(there.title(), "CPython 3.7 on win_amd64");
        assert_eq!(
            Tags::of(&there).in_order()[0].to_string(),
            "cp37-cp37m-win_amd64"
        );
        assert!(
            ">=3.7.17"
                .parse::<pep440_rs::VersionSpecifiers>()
                .unwrap()
                .contains(there.version())
        );
        assert_eq!(there.markers.python_version().to_string(), "3.7");
        let python = TargetPython {
            major: 3,
            minor: 13,
            free_threaded: true,
        };
        let there = facts([3, 11, 7]).for_target(&target("win_amd64", Some(python)));
        assert_eq!(
            Tags::of(&there).in_order()[0].to_string(),
            "cp313-cp313t-win_amd64"
        );
    }

    #[test]
    fn pip_gets_all_compatible_platforms() {
        let rows = [
            ("win_amd64", "win_amd64"),
            ("macosx_11_0_arm64", "macosx_11_0_arm64"),
            (
                "manylinux_2_18_aarch64",
                "linux_aarch64 manylinux_2_18_aarch64 manylinux_2_17_aarch64 manylinux2014_aarch64",
            ),
            (
                "manylinux1_i686",
                "linux_i686 manylinux_2_5_i686 manylinux1_i686",
            ),
            (
                "manylinux_2_17_armv7l",
                "linux_armv7l manylinux_2_17_armv7l manylinux2014_armv7l",
            ),
            (
                "manylinux_2_17_ppc64le",
                "linux_ppc64le manylinux_2_17_ppc64le manylinux2014_ppc64le",
            ),
            (
                "manylinux2014_s390x",
                "linux_s390x manylinux_2_17_s390x manylinux2014_s390x",
            ),
            (
                "musllinux_1_0_riscv64",
                "linux_riscv64 musllinux_1_0_riscv64",
            ),
            (
                "musllinux_1_1_x86_64",
                "linux_x86_64 musllinux_1_1_x86_64 musllinux_1_0_x86_64",
            ),
        ];
        let here = facts([3, 11, 7]);
        for (name, expected) in rows {
            let there = here.for_target(&target(name, None));
            assert_eq!(there.pip_platforms().join(" "), expected, "{name}");
            assert_eq!(there.pip_abi_options(), [""; 0], "{name}");
        }
        let any_linux = here
            .for_target(&target("linux_x86_64", None))
            .pip_platforms();
        for level in [
            "manylinux_2_39_x86_64",
            "manylinux_2_28_x86_64",
            "manylinux2014_x86_64",
            "manylinux1_x86_64",
        ] {
            assert!(
                any_linux.iter().any(|platform| platform == level),
                "{level}"
            );
        }
    }

    #[test]
    fn pip_gets_abis_that_the_version_does_not_imply() {
        let python = |major, minor, free_threaded| {
            Some(TargetPython {
                major,
                minor,
                free_threaded,
            })
        };
        let rows = [
            (
                "linux_x86_64",
                python(2, 7, false),
                "--implementation=cp --abi=cp27mu --abi=none",
            ),
            (
                "win_amd64",
                python(2, 7, false),
                "--implementation=cp --abi=cp27m --abi=none",
            ),
            (
                "win_amd64",
                python(3, 13, true),
                "--implementation=cp --abi=cp313t --abi=none",
            ),
            ("win_amd64", python(3, 8, false), ""),
        ];
        for (name, python, expected) in rows {
            assert_eq!(
                facts([3, 11, 7])
                    .for_target(&target(name, python))
                    .pip_abi_options()
                    .join(" "),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_of_lucis_is_a_tag_too() {
        let platform = Platform {
            name: "linux_arm64".into(),
            ..Platform::parse("linux_aarch64").unwrap()
        };
        let tags = Tags::of(&facts([3, 11, 7]).for_target(&Target {
            platform,
            python: None,
        }));
        let has = |platform: &str| tags.in_order().iter().any(|tag| tag.platform == platform);
        assert!(has("linux_aarch64") && has("manylinux2014_aarch64") && has("linux_arm64"));
    }
}
