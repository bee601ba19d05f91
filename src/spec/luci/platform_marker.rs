//! The markers for platforms: for platform tags, and for CIPD's names.

use pep508_rs::MarkerTree;

use super::marker::marker;

/// Returns the marker for the system and machine of a platform tag, regardless of the system's
/// version.
pub(super) fn of_platform(platform: &str) -> Result<MarkerTree, String> {
    let machines = |system: &str, machines: &[&str]| {
        let mut any = MarkerTree::FALSE;
        for machine in machines {
            any.or(marker(&format!(
                "sys_platform == '{system}' and platform_machine == '{machine}'"
            )));
        }
        any
    };
    let unknown = || format!("the platform `{platform}` has no equivalent marker");
    let known = match platform {
        "any" => MarkerTree::TRUE,
        // Windows: `platform_machine` has names of its own.
        "win32" => machines("win32", &["x86"]),
        "win_amd64" => machines("win32", &["AMD64"]),
        "win_arm64" => machines("win32", &["ARM64"]),
        // macOS: drop the version, and expand multi-architecture names.
        _ if platform.starts_with("macosx_") => {
            let numbers = |rest: &str| {
                rest.trim_start_matches(|character: char| {
                    character.is_ascii_digit() || character == '_'
                })
                .to_owned()
            };
            match &*numbers(platform.strip_prefix("macosx_").unwrap_or_default()) {
                "universal2" | "universal" => marker("sys_platform == 'darwin'"),
                "intel" | "fat64" | "fat" => machines("darwin", &["x86_64"]),
                machine @ ("x86_64" | "arm64") => machines("darwin", &[machine]),
                _ => return Err(unknown()),
            }
        }
        // Linux: drop the C library.
        _ if platform.starts_with("manylinux")
            || platform.starts_with("musllinux_")
            || platform.starts_with("linux_") =>
        {
            machines("linux", &[linux_machine(platform).ok_or_else(unknown)?])
        }
        _ => return Err(unknown()),
    };
    Ok(known)
}

/// Returns the machine at the end of a Linux platform tag.
fn linux_machine(platform: &str) -> Option<&'static str> {
    const MACHINES: [&str; 11] = [
        "x86_64",
        "i686",
        "aarch64",
        "arm64",
        "armv6l",
        "armv7l",
        "armv8l",
        "ppc64le",
        "riscv64",
        "s390x",
        "loongarch64",
    ];
    MACHINES.into_iter().find(|machine| {
        platform
            .strip_suffix(machine)
            .is_some_and(|rest| rest.ends_with('_'))
    })
}

pub(super) fn of_cipd_platform(value: &str) -> Option<MarkerTree> {
    let (system, machine) = value.split_once('-')?;
    let mut marker = of_system(system)?;
    marker.and(of_machine(machine)?);
    Some(marker)
}

/// Translates CIPD's name of an operating system.
pub(super) fn of_system(name: &str) -> Option<MarkerTree> {
    let system = match name {
        "linux" => "linux",
        "mac" => "darwin",
        "windows" => "win32",
        _ => return None,
    };
    Some(marker(&format!("sys_platform == '{system}'")))
}

/// Translates CIPD's name of a machine to the names that the systems use.
pub(super) fn of_machine(name: &str) -> Option<MarkerTree> {
    let names: &[&str] = match name {
        "amd64" => &["x86_64", "AMD64"],
        "386" => &["i686", "x86"],
        "arm64" => &["aarch64", "arm64", "ARM64"],
        "armv6l" => &["armv6l", "armv7l", "armv8l"],
        "riscv64" => &["riscv64"],
        _ => return None,
    };
    let mut any = MarkerTree::FALSE;
    for name in names {
        any.or(marker(&format!("platform_machine == '{name}'")));
    }
    Some(any)
}
