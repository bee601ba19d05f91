//! The rules of package managers for the metadata of a package.
//!
//! Debian's are those of its policy
//! (<https://www.debian.org/doc/debian-policy/ch-controlfields.html>), rpm's those that `rpmbuild`
//! enforces for a spec file (<https://rpm-software-management.github.io/rpm/manual/spec.html>).

/// Returns what is wrong with a value, or `None` if it is valid.
pub(super) type Rule = fn(&str, Manager) -> Option<String>;

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Rpm,
    Dpkg,
}

/// The names of architectures: in wheel tags, in rpm, and in Debian.
const MACHINES: [[&str; 3]; 8] = [
    ["x86_64", "x86_64", "amd64"],
    ["aarch64", "aarch64", "arm64"],
    ["i686", "i686", "i386"],
    ["armv7l", "armv7hl", "armhf"],
    ["ppc64le", "ppc64le", "ppc64el"],
    ["riscv64", "riscv64", "riscv64"],
    ["s390x", "s390x", "s390x"],
    ["loongarch64", "loongarch64", "loong64"],
];

impl Manager {
    /// The name of its packages, with an article.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rpm => "an rpm",
            Self::Dpkg => "a deb",
        }
    }

    /// Its column in [`MACHINES`].
    fn column(self) -> usize {
        match self {
            Self::Rpm => 1,
            Self::Dpkg => 2,
        }
    }

    /// Its name for a package that is independent of the architecture.
    fn any_machine(self) -> &'static str {
        match self {
            Self::Rpm => "noarch",
            Self::Dpkg => "all",
        }
    }

    /// Its name for the architecture of a machine such as `x86_64`, if it has one.
    pub fn machine(self, machine: &str) -> Option<&'static str> {
        // A 32-bit python on a 64-bit ARM runs the programs of `armv7l`.
        let machine = if machine == "armv8l" {
            "armv7l"
        } else {
            machine
        };
        MACHINES
            .iter()
            .find(|row| row[0] == machine)
            .map(|row| row[self.column()])
    }
}

/// Checks the name of a package.
pub(super) fn about_name(name: &str, manager: Manager) -> Option<String> {
    let of = |others: &str| {
        name.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
    };
    let starts_alphanumeric = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    let is_lower = !name.contains(|letter: char| letter.is_ascii_uppercase());
    let (is_right, rule) = match manager {
        Manager::Rpm => (
            of("-._+"),
            "a name consists of letters, digits, `-`, `.`, `_` and `+`, and starts with a letter or digit",
        ),
        Manager::Dpkg => (
            of("-.+") && name.len() > 1 && is_lower,
            "a name consists of two or more lower-case letters, digits, `-`, `.` and `+`, and starts with a letter or digit",
        ),
    };
    unless(is_right && starts_alphanumeric, rule)
}

/// Checks the version of a package.
pub(super) fn about_version(version: &str, manager: Manager) -> Option<String> {
    let (is_right, rule) = match manager {
        Manager::Rpm => (
            is_rpm_version(version),
            "a version consists of letters, digits, `.`, `_`, `+`, `~` and `^`; pass the part after `-` as `--release`",
        ),
        Manager::Dpkg => (
            is_deb_version(version),
            "a version consists of letters, digits, `.`, `+`, `~` and `-`, starts with a digit, and may have an epoch such as `1:` in front",
        ),
    };
    unless(is_right, rule)
}

/// Checks the name of an architecture.
pub(super) fn about_arch(arch: &str, manager: Manager) -> Option<String> {
    let known: Vec<&str> = MACHINES
        .iter()
        .map(|row| row[manager.column()])
        .chain([manager.any_machine()])
        .collect();
    if known.contains(&arch) {
        return None;
    }
    // The name may be that of the other package manager.
    let meant = MACHINES
        .iter()
        .find(|row| row.contains(&arch))
        .map(|row| row[manager.column()]);
    let meant = meant.or(["noarch", "all"]
        .contains(&arch)
        .then(|| manager.any_machine()));
    Some(match meant {
        Some(word) => format!("{} uses `{word}`", manager.title()),
        None => format!("{} supports only {}", manager.title(), known.join(", ")),
    })
}

/// Checks the release of a package.
pub(super) fn about_release(release: &str, manager: Manager) -> Option<String> {
    match manager {
        Manager::Rpm => unless(
            is_rpm_version(release),
            "a release consists of letters, digits, `.`, `_`, `+`, `~` and `^`",
        ),
        Manager::Dpkg => Some(
            "in a deb the release is part of the version, as in `--package-version 1.0-1`"
                .to_owned(),
        ),
    }
}

/// Checks the license of a package.
pub(super) fn about_license(license: &str, manager: Manager) -> Option<String> {
    match manager {
        Manager::Rpm => about_line(license),
        Manager::Dpkg => Some(
            "a deb has no license field; put the license into a file of the environment".to_owned(),
        ),
    }
}

/// Checks the name and address of a maintainer.
pub(super) fn about_maintainer(maintainer: &str, _: Manager) -> Option<String> {
    let address = maintainer
        .strip_suffix('>')
        .and_then(|text| text.split_once(" <"));
    let is_right = address.is_some_and(|(name, address)| {
        let (user, host) = address.split_once('@').unwrap_or_default();
        !name.trim().is_empty()
            && !user.is_empty()
            && !host.is_empty()
            && !address.contains([' ', '<', '>', ','])
    });
    about_line(maintainer).or_else(|| {
        unless(
            is_right,
            "expected a name and an address, as in `Ada Lovelace <ada@example.org>`",
        )
    })
}

/// Checks a description, which may have several lines.
pub(super) fn about_description(description: &str, _: Manager) -> Option<String> {
    about_line(&description.trim().replace('\n', " "))
}

/// Checks a text of one line.
fn about_line(text: &str) -> Option<String> {
    unless(!text.trim().is_empty(), "it is empty").or_else(|| {
        unless(
            !text.chars().any(char::is_control),
            "it contains a control character",
        )
    })
}

/// Returns the rule if it is violated.
fn unless(is_kept: bool, rule: &str) -> Option<String> {
    (!is_kept).then(|| rule.to_owned())
}

/// Returns whether a text is a valid rpm version or release.
pub(super) fn is_rpm_version(version: &str) -> bool {
    !version.is_empty()
        && version
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._+~^".contains(letter))
}

/// Returns whether a text is a valid Debian version, with an optional epoch and revision.
pub(super) fn is_deb_version(version: &str) -> bool {
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = version.rsplit_once('-').unwrap_or((version, "0"));
    let of = |text: &str, others: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
    };
    epoch.parse::<i32>().is_ok_and(|epoch| epoch >= 0)
        && epoch.bytes().all(|byte| byte.is_ascii_digit())
        && upstream.starts_with(|letter: char| letter.is_ascii_digit())
        && of(upstream, ".+~-")
        && of(revision, ".+~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_manager_has_a_name_for_each_machine() {
        let rows = [
            ("x86_64", Some("x86_64"), Some("amd64")),
            ("aarch64", Some("aarch64"), Some("arm64")),
            ("i686", Some("i686"), Some("i386")),
            ("armv7l", Some("armv7hl"), Some("armhf")),
            ("armv8l", Some("armv7hl"), Some("armhf")),
            ("ppc64le", Some("ppc64le"), Some("ppc64el")),
            ("riscv64", Some("riscv64"), Some("riscv64")),
            ("s390x", Some("s390x"), Some("s390x")),
            ("sparc64", None, None),
        ];
        for (machine, rpm, debian) in rows {
            assert_eq!(Manager::Rpm.machine(machine), rpm, "{machine}");
            assert_eq!(Manager::Dpkg.machine(machine), debian, "{machine}");
        }
    }
}
