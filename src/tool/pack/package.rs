//! What a package says of itself, by the rules of its package manager.
//!
//! Debian's are those of its policy (<https://www.debian.org/doc/debian-policy/ch-controlfields.html>), rpm's those that `rpmbuild` holds a
//! spec file to (<https://rpm-software-management.github.io/rpm/manual/spec.html>).

use super::depends;
use crate::invocation::Pack;
use crate::report::Failure;
use crate::tool::listing::Listing;

/// Who installs a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Rpm,
    Dpkg,
}

/// What a package says of itself. Each value keeps the rules of the package manager.
#[derive(Debug)]
pub(super) struct Package {
    pub name: String,
    pub version: String,
    /// Of an rpm.
    pub release: String,
    /// None where it is the interpreter's.
    arch: Option<String>,
    pub depends: Vec<String>,
    pub maintainer: Option<String>,
    description: Option<String>,
    /// Of an rpm.
    pub license: String,
}

/// The words for machines: Linux's as `sysconfig.get_platform()` says them, rpm's, and Debian's.
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
    /// Its word for a package, with an article.
    fn title(self) -> &'static str {
        match self {
            Self::Rpm => "an rpm",
            Self::Dpkg => "a deb",
        }
    }

    /// Its place in a row of [`MACHINES`].
    fn column(self) -> usize {
        match self {
            Self::Rpm => 1,
            Self::Dpkg => 2,
        }
    }

    /// Its word for a package that fits any machine.
    fn any_machine(self) -> &'static str {
        match self {
            Self::Rpm => "noarch",
            Self::Dpkg => "all",
        }
    }

    /// What is wrong with the name of a package.
    fn about_name(self, name: &str) -> Option<&'static str> {
        let of = |others: &str| name.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter));
        let begins_well = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        match self {
            Self::Rpm if begins_well && of("-._+") => None,
            Self::Rpm => Some("a name is of letters, digits, `-`, `.`, `_` and `+`, and begins with a letter or digit"),
            Self::Dpkg
                if begins_well && of("-.+") && name.len() > 1 && !name.contains(|letter: char| letter.is_ascii_uppercase()) =>
            {
                None
            }
            Self::Dpkg => {
                Some("a name is of two or more lower-case letters, digits, `-`, `.` and `+`, and begins with a letter or digit")
            }
        }
    }

    /// What is wrong with the version of a package.
    fn about_version(self, version: &str) -> Option<&'static str> {
        match self {
            Self::Rpm if is_rpm_version(version) => None,
            Self::Rpm => Some("a version is of letters, digits, `.`, `_`, `+`, `~` and `^`; what is behind `-` is the release"),
            Self::Dpkg if is_deb_version(version) => None,
            Self::Dpkg => Some(
                "a version is of letters, digits, `.`, `+`, `~` and `-`, begins with a digit, and may have a number and `:` in front",
            ),
        }
    }

    /// What is wrong with the word for a machine.
    fn about_machine(self, arch: &str) -> Option<String> {
        let known: Vec<&str> = MACHINES.iter().map(|row| row[self.column()]).chain([self.any_machine()]).collect();
        if known.contains(&arch) {
            return None;
        }
        let meant = MACHINES.iter().find(|row| row.contains(&arch)).map(|row| row[self.column()]);
        let meant = meant.or(["noarch", "all"].contains(&arch).then(|| self.any_machine()));
        Some(match meant {
            Some(word) => format!("{} calls it `{word}`", self.title()),
            None => format!("{} knows: {}", self.title(), known.join(", ")),
        })
    }
}

impl Package {
    /// Reads the options that packages have. What is wrong is noted.
    pub fn read(options: &Pack, manager: Manager, problems: &mut Vec<String>) -> Self {
        note_missing(options, manager, problems);
        let mut bad = |option: &str, value: &str, why: Option<String>| {
            problems.extend(why.map(|why| format!("`--{option} {value}`: {why}")));
        };
        let name = options.name.clone().unwrap_or_default();
        let version = options.package_version.clone().unwrap_or_default();
        if options.name.is_some() {
            bad("name", &name, manager.about_name(&name).map(str::to_owned));
        }
        if options.package_version.is_some() {
            bad("package-version", &version, manager.about_version(&version).map(str::to_owned));
        }
        if let Some(arch) = &options.arch {
            bad("arch", arch, manager.about_machine(arch));
        }
        if let Some(release) = &options.release {
            bad("release", release, about_release(release, manager));
        }
        if let Some(license) = &options.license {
            bad("license", license, about_license(license, manager));
        }
        if let Some(maintainer) = &options.maintainer {
            bad("maintainer", maintainer, about_maintainer(maintainer));
        }
        if let Some(description) = &options.description {
            bad("description", description, about_description(description));
        }
        for depends in &options.depends {
            bad("depends", depends, depends::about(depends, manager));
        }
        Self {
            name,
            version,
            release: options.release.clone().unwrap_or_else(|| "1".to_owned()),
            arch: options.arch.clone(),
            depends: options.depends.clone(),
            maintainer: options.maintainer.clone(),
            description: options.description.clone(),
            license: options.license.clone().unwrap_or_else(|| "NOASSERTION".to_owned()),
        }
    }

    /// The architecture, for an interpreter of this platform, as in `linux-x86_64`.
    ///
    /// # Errors
    /// There is no word for it.
    pub fn arch(&self, manager: Manager, platform: &str) -> Result<String, Failure> {
        let machine = platform.rsplit_once('-').map_or(platform, |(_, machine)| machine);
        let row = MACHINES.iter().find(|row| row[0] == machine);
        self.arch.clone().or_else(|| row.map(|row| row[manager.column()].to_owned())).ok_or_else(|| {
            let failure = Failure::new(format!("cannot tell what {} for `{platform}` is called", manager.title()));
            failure.hint("name the architecture by `--arch`")
        })
    }

    /// One line that says what it is.
    pub fn summary(&self) -> String {
        let first = self.description.as_deref().and_then(|text| text.trim().lines().next());
        first.map_or_else(|| format!("Python environment {}", self.name), |line| line.trim().to_owned())
    }

    /// What it is, at length: what stands behind the first line, or else what the environment is made of.
    pub fn details(&self, listing: &Listing) -> String {
        let rest = self.description.as_deref().and_then(|text| text.trim().split_once('\n'));
        rest.map_or_else(|| made_of(listing), |(_, rest)| rest.trim_matches('\n').to_owned())
    }
}

/// What an environment is made of, a line for each wheel.
fn made_of(listing: &Listing) -> String {
    let with = if listing.wheels.is_empty() { "with no wheels." } else { "with these wheels:" };
    let prefix = listing.prefix.as_deref().unwrap_or_default();
    let first = format!("A virtual environment for CPython {} in {prefix}, {with}", listing.python);
    let wheels = listing.wheels.iter().map(|wheel| format!("  {} {}", wheel.name, wheel.version));
    std::iter::once(first).chain(wheels).collect::<Vec<_>>().join("\n")
}

/// Notes the options that a package cannot do without.
fn note_missing(options: &Pack, manager: Manager, problems: &mut Vec<String>) {
    let needed = [
        ("--name NAME", options.name.is_none()),
        ("--package-version VERSION", options.package_version.is_none()),
        ("--prefix /opt/NAME", options.prefix.is_none()),
        ("--maintainer 'NAME <ADDRESS>'", manager == Manager::Dpkg && options.maintainer.is_none()),
    ];
    let missing: Vec<String> =
        needed.iter().filter(|(_, is_missing)| *is_missing).map(|(option, _)| format!("`{option}`")).collect();
    if !missing.is_empty() {
        problems.push(format!("{} needs {}", manager.title(), missing.join(", ")));
    }
}

/// Whether a version or release is one of rpm's.
pub(super) fn is_rpm_version(version: &str) -> bool {
    !version.is_empty() && version.chars().all(|letter| letter.is_ascii_alphanumeric() || "._+~^".contains(letter))
}

/// Whether a version is one of Debian's, with epoch and revision.
pub(super) fn is_deb_version(version: &str) -> bool {
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = version.rsplit_once('-').unwrap_or((version, "0"));
    let of = |text: &str, others: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
    };
    epoch.parse::<i32>().is_ok_and(|epoch| epoch >= 0)
        && epoch.bytes().all(|byte| byte.is_ascii_digit())
        && upstream.starts_with(|letter: char| letter.is_ascii_digit())
        && of(upstream, ".+~-")
        && of(revision, ".+~")
}

fn about_release(release: &str, manager: Manager) -> Option<String> {
    match manager {
        Manager::Rpm if is_rpm_version(release) => None,
        Manager::Rpm => Some("a release is of letters, digits, `.`, `_`, `+`, `~` and `^`".to_owned()),
        Manager::Dpkg => Some("in a deb it is a part of the version, as in `--package-version 1.0-1`".to_owned()),
    }
}

fn about_license(license: &str, manager: Manager) -> Option<String> {
    match manager {
        Manager::Rpm => about_line(license),
        Manager::Dpkg => Some("a deb has no room for it but in a file of the environment".to_owned()),
    }
}

fn about_maintainer(maintainer: &str) -> Option<String> {
    let address = maintainer.strip_suffix('>').and_then(|text| text.split_once(" <"));
    let is_right = address.is_some_and(|(name, address)| {
        let (user, host) = address.split_once('@').unwrap_or_default();
        !name.trim().is_empty() && !user.is_empty() && !host.is_empty() && !address.contains([' ', '<', '>', ','])
    });
    if is_right {
        about_line(maintainer)
    } else {
        Some("write a name and an address, as in `Ada Lovelace <ada@example.org>`".to_owned())
    }
}

fn about_description(description: &str) -> Option<String> {
    let is_text = description.chars().all(|letter| !letter.is_control() || letter == '\n');
    match description.trim() {
        "" => Some("there is no text in it".to_owned()),
        _ if is_text => None,
        _ => Some("there is a control character in it".to_owned()),
    }
}

/// What is wrong with a text of one line.
fn about_line(text: &str) -> Option<String> {
    match text.trim() {
        "" => Some("there is no text in it".to_owned()),
        _ => text.chars().any(char::is_control).then(|| "there is a control character in it".to_owned()),
    }
}
