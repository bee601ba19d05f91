//! The platforms whose wheels a system accepts, best first, in the order of pip's `packaging.tags`.

use crate::interpreter::{Facts, Libc};

/// Returns the platforms whose wheels an interpreter accepts, best first.
pub fn platforms(facts: &Facts) -> Vec<String> {
    if let Some(machine) = facts.linux_machine() {
        return linux(machine, facts);
    }
    let platform = facts.platform.replace(['-', '.', ' '], "_");
    match platform.split_once('_') {
        Some(("macosx", rest)) => macos(rest).unwrap_or_default(),
        _ => vec![platform],
    }
}

/// Returns the platforms of a Linux system: plain `linux`, for wheels built on that system, then
/// those of its C library from its own version down.
fn linux(machine: &str, facts: &Facts) -> Vec<String> {
    let machines = if machine == "armv8l" {
        vec!["armv8l", "armv7l"]
    } else {
        vec![machine]
    };
    let mut platforms: Vec<String> = machines
        .iter()
        .map(|machine| format!("linux_{machine}"))
        .collect();
    for machine in &machines {
        match facts.libc {
            Libc::Glibc { .. } if facts.abi.nonstandard => {}
            Libc::Glibc { major, minor } => platforms.extend(manylinux(machine, major, minor)),
            Libc::Musl { major, minor } => {
                platforms.extend(
                    (0..=minor)
                        .rev()
                        .map(|older| format!("musllinux_{major}_{older}_{machine}")),
                );
            }
            Libc::Other => {}
        }
    }
    // LUCI's name, such as `linux_arm64`: no wheel has it, but conditions in LUCI specs do.
    let name = facts
        .elsewhere
        .iter()
        .find(|name| name.starts_with("linux_") && !platforms.contains(name))
        .cloned();
    platforms.extend(name);
    platforms
}

/// Returns the manylinux platforms down to the oldest that PEP 600 defines for the machine, each
/// legacy name after its new one.
fn manylinux(machine: &str, major: u32, minor: u32) -> Vec<String> {
    // The machines of PEP 600.
    const MACHINES: [&str; 10] = [
        "x86_64",
        "i686",
        "aarch64",
        "armv7l",
        "armv8l",
        "ppc64",
        "ppc64le",
        "s390x",
        "loongarch64",
        "riscv64",
    ];
    if major != 2 || !MACHINES.contains(&machine) {
        return Vec::new();
    }
    // manylinux1 (glibc 2.5) exists only for x86; the other machines begin with manylinux2014.
    let oldest = if matches!(machine, "x86_64" | "i686") {
        5
    } else {
        17
    };
    let mut platforms = Vec::new();
    for older in (oldest..=minor).rev() {
        platforms.push(format!("manylinux_2_{older}_{machine}"));
        match older {
            17 => platforms.push(format!("manylinux2014_{machine}")),
            12 => platforms.push(format!("manylinux2010_{machine}")),
            5 => platforms.push(format!("manylinux1_{machine}")),
            _ => {}
        }
    }
    platforms
}

/// Returns the platforms of a macOS system, for a `text` such as `11_0_arm64`: from its own version
/// down, and for each version those of the machine alone first.
fn macos(text: &str) -> Option<Vec<String>> {
    let mut parts = text.splitn(3, '_');
    let version: (u32, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let machine = parts.next()?;
    let mut platforms = Vec::new();
    let mut add = |(major, minor): (u32, u32), formats: &[&str]| {
        platforms.extend(
            formats
                .iter()
                .map(|format| format!("macosx_{major}_{minor}_{format}")),
        );
    };
    // From 11 on only the major version counts; up to 10.16 the minor.
    for major in (11..=version.0).rev() {
        add((major, 0), mac_formats(machine));
    }
    let newest_10 = if version.0 > 10 { 16 } else { version.1 };
    for minor in (4..=newest_10).rev() {
        // A universal2 wheel may carry the minimum version of its x86_64 half, which can be below
        // 11.
        add(
            (10, minor),
            if machine == "arm64" {
                &["universal2"]
            } else {
                mac_formats(machine)
            },
        );
    }
    Some(platforms)
}

/// Returns the binary formats that a machine runs, its own first.
fn mac_formats(machine: &str) -> &'static [&'static str] {
    if machine == "arm64" {
        &["arm64", "universal2"]
    } else {
        &[
            "x86_64",
            "intel",
            "fat64",
            "fat32",
            "universal2",
            "universal",
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::tests::facts;

    #[test]
    fn platforms_follow_the_c_library() {
        let mut facts = facts([3, 11, 7]);
        facts.libc = Libc::Glibc {
            major: 2,
            minor: 17,
        };
        let all = platforms(&facts);
        assert_eq!(
            all[..4],
            [
                "linux_x86_64",
                "manylinux_2_17_x86_64",
                "manylinux2014_x86_64",
                "manylinux_2_16_x86_64"
            ]
        );
        assert_eq!(
            all[all.len() - 2..],
            ["manylinux_2_5_x86_64", "manylinux1_x86_64"]
        );
        facts.libc = Libc::Musl { major: 1, minor: 1 };
        assert_eq!(
            platforms(&facts),
            [
                "linux_x86_64",
                "musllinux_1_1_x86_64",
                "musllinux_1_0_x86_64"
            ]
        );
        facts.platform = "linux-aarch64".into();
        facts.libc = Libc::Glibc {
            major: 2,
            minor: 18,
        };
        assert_eq!(
            platforms(&facts)[1..4],
            [
                "manylinux_2_18_aarch64",
                "manylinux_2_17_aarch64",
                "manylinux2014_aarch64"
            ]
        );
    }

    #[test]
    fn each_machine_has_its_platforms() {
        let glibc = |minor| Libc::Glibc { major: 2, minor };
        let musl = Libc::Musl { major: 1, minor: 1 };
        let oldest_17 = "linux_M manylinux_2_18_M manylinux_2_17_M manylinux2014_M";
        let of_musl = "linux_M musllinux_1_1_M musllinux_1_0_M";
        let armv8l = "linux_armv8l linux_armv7l manylinux_2_17_armv8l manylinux2014_armv8l \
                      manylinux_2_17_armv7l manylinux2014_armv7l";
        // The kernel's machine, the bits of the interpreter, and its C library.
        let rows = [
            ("aarch64", 64, glibc(18), oldest_17),
            ("armv7l", 32, glibc(18), oldest_17),
            ("ppc64le", 64, glibc(18), oldest_17),
            ("riscv64", 64, glibc(18), oldest_17),
            ("s390x", 64, glibc(18), oldest_17),
            (
                "i686",
                32,
                glibc(5),
                "linux_i686 manylinux_2_5_i686 manylinux1_i686",
            ),
            (
                "x86_64",
                32,
                glibc(5),
                "linux_i686 manylinux_2_5_i686 manylinux1_i686",
            ),
            ("armv8l", 32, glibc(17), armv8l),
            ("aarch64", 32, glibc(17), armv8l),
            ("mips64", 64, glibc(18), "linux_mips64"),
            ("aarch64", 64, musl.clone(), of_musl),
            ("armv7l", 32, musl.clone(), of_musl),
            ("ppc64le", 64, musl.clone(), of_musl),
            ("riscv64", 64, musl.clone(), of_musl),
            ("s390x", 64, musl.clone(), of_musl),
            (
                "x86_64",
                32,
                musl,
                "linux_i686 musllinux_1_1_i686 musllinux_1_0_i686",
            ),
        ];
        for (machine, bits, libc, expected) in rows {
            let mut facts = facts([3, 11, 7]);
            facts.platform = format!("linux-{machine}");
            facts.abi.pointer_bits = bits;
            facts.libc = libc;
            let expected = expected.replace('M', machine);
            assert_eq!(
                platforms(&facts).join(" "),
                expected,
                "{machine}, {bits} bits"
            );
        }
    }

    #[test]
    fn no_manylinux_wheel_fits_another_calling_convention() {
        let mut facts = facts([3, 11, 7]);
        facts.platform = "linux-armv7l".into();
        facts.abi.pointer_bits = 32;
        facts.abi.nonstandard = true;
        assert_eq!(platforms(&facts), ["linux_armv7l"]);
        facts.libc = Libc::Musl { major: 1, minor: 0 };
        assert_eq!(platforms(&facts), ["linux_armv7l", "musllinux_1_0_armv7l"]);
    }

    #[test]
    fn platforms_of_macos_follow_its_version_and_machine() {
        let of = |platform: &str| {
            platforms(&Facts {
                platform: platform.into(),
                ..facts([3, 11, 7])
            })
        };
        let arm = of("macosx-12.3-arm64");
        assert_eq!(
            arm[..5],
            [
                "macosx_12_0_arm64",
                "macosx_12_0_universal2",
                "macosx_11_0_arm64",
                "macosx_11_0_universal2",
                "macosx_10_16_universal2"
            ]
        );
        assert_eq!(arm[arm.len() - 1], "macosx_10_4_universal2");
        let intel = of("macosx-10.5-x86_64");
        let formats = [
            "x86_64",
            "intel",
            "fat64",
            "fat32",
            "universal2",
            "universal",
        ];
        let expected: Vec<String> = [5, 4]
            .iter()
            .flat_map(|minor| formats.map(|format| format!("macosx_10_{minor}_{format}")))
            .collect();
        assert_eq!(intel, expected);
    }

    #[test]
    fn windows_has_one_platform() {
        let of = |platform: &str| {
            platforms(&Facts {
                platform: platform.into(),
                ..facts([3, 11, 7])
            })
        };
        assert_eq!(of("win-amd64"), ["win_amd64"]);
        assert_eq!(of("win32"), ["win32"]);
    }
}
