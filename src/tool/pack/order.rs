//! What a command line orders: which file, of which form, for which place and time. All that is
//! wrong with it is told at once, before anything is built.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::package::Package;
use super::rules::Manager;
use crate::fs;
use crate::invocation::{Additions, Pack};
use crate::process::{Process, variable};
use crate::report::Failure;

/// The time of all that is packed where `SOURCE_DATE_EPOCH` says none: 1980-01-01 UTC, the first
/// that a zip archive can have.
const EARLIEST: u32 = 315_532_800;
/// The endings of names, and what they stand for.
const ENDINGS: [(&str, Form); 7] = [
    (".tar", Form::Tar(Compression::None)),
    (".tar.gz", Form::Tar(Compression::Gzip)),
    (".tgz", Form::Tar(Compression::Gzip)),
    (".tar.zst", Form::Tar(Compression::Zstd)),
    (".zip", Form::Zip),
    (".rpm", Form::Package(Manager::Rpm)),
    (".deb", Form::Package(Manager::Dpkg)),
];

/// What is to be packed into which file.
#[derive(Debug)]
pub struct Order {
    /// The file to write.
    pub output: PathBuf,
    /// Where the environment will stand: an absolute path of plain names, as text.
    pub(super) prefix: Option<String>,
    /// When all of it was last changed, in seconds since 1970.
    pub(super) time: u32,
    pub(super) archive: Archive,
    /// Whether run paths are to be mended.
    pub(super) fix_rpath: bool,
    /// What goes with the environment.
    pub(super) additions: Additions,
}

/// What the file is to be.
#[derive(Debug)]
pub(super) enum Archive {
    Tar(Compression),
    Zip,
    Rpm(Package),
    Deb(Package),
}

impl Archive {
    /// The package, where it is one.
    pub fn package(&self) -> Option<&Package> {
        match self {
            Self::Rpm(package) | Self::Deb(package) => Some(package),
            Self::Tar(_) | Self::Zip => None,
        }
    }
}

/// What the name of a file says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Tar(Compression),
    Zip,
    Package(Manager),
}

/// How a tar archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Order {
    /// Reads the options.
    ///
    /// # Errors
    /// No file is named, or one of no known form; an option does not go with that form, is missing,
    /// or has a bad value.
    pub fn read(options: &Pack, process: &Process) -> Result<Self> {
        let Some(output) = &options.output else {
            let failure = Failure::new("`-vpython-tool pack` needs the file to write");
            return Err(failure
                .hint(format!(
                    "`--output FILE`, whose name ends with one of {}",
                    endings()
                ))
                .into());
        };
        let form = Form::of(output)?;
        let cannot = Failure::new(format!("cannot pack `{}`", output.display()));
        let output = process.absolute(output);
        let mut problems = Vec::new();
        if fs::metadata(&output)?.is_some_and(|found| found.is_dir()) {
            problems.push("there is a directory of that name".to_owned());
        }
        let prefix = noted(
            options.prefix.as_deref().map(prefix).transpose(),
            &mut problems,
        )
        .flatten();
        let time = noted(time(process), &mut problems).unwrap_or(EARLIEST);
        let archive = form.archive(options, &mut problems);
        if !problems.is_empty() {
            return Err(cannot.because_of(problems).into());
        }
        Ok(Self {
            output,
            prefix,
            time,
            archive,
            fix_rpath: options.fix_rpath,
            additions: options.additions.clone(),
        })
    }
}

impl Form {
    /// What the name of a file says.
    ///
    /// # Errors
    /// It is none that is known.
    fn of(file: &Path) -> Result<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        // `.tar` alone is a hidden file without an ending.
        let has_ending = |ending: &str| {
            name.strip_suffix(ending)
                .is_some_and(|stem| !stem.is_empty())
        };
        match ENDINGS.iter().find(|(ending, _)| has_ending(ending)) {
            Some((_, form)) => Ok(*form),
            None => Err(Failure::new(format!("cannot pack `{}`", file.display()))
                .because("the name of a file says its form, and this one none that is known")
                .hint(format!("the forms are: {}", endings()))
                .into()),
        }
    }

    /// The archive that the options order. What is wrong is noted.
    fn archive(self, options: &Pack, problems: &mut Vec<String>) -> Archive {
        match self {
            Self::Package(Manager::Rpm) => {
                Archive::Rpm(Package::read(options, Manager::Rpm, problems))
            }
            Self::Package(Manager::Dpkg) => {
                Archive::Deb(Package::read(options, Manager::Dpkg, problems))
            }
            Self::Tar(compression) => {
                refuse_package(options, problems);
                Archive::Tar(compression)
            }
            Self::Zip => {
                refuse_package(options, problems);
                Archive::Zip
            }
        }
    }
}

/// The endings, for a message.
fn endings() -> String {
    ENDINGS
        .iter()
        .map(|(ending, _)| format!("`{ending}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The value, or a note of what is wrong with it.
fn noted<T>(value: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    value.map_err(|problem| problems.push(problem)).ok()
}

/// The place of the environment, as absolute text of plain names.
fn prefix(path: &Path) -> Result<String, String> {
    let text = path
        .to_str()
        .filter(|text| !text.chars().any(char::is_control));
    let is_plain = path.is_absolute()
        && !path.components().any(|part| part == Component::ParentDir)
        && path.parent().is_some();
    match text {
        Some(_) if is_plain => Ok(path
            .components()
            .collect::<PathBuf>()
            .to_string_lossy()
            .into_owned()),
        Some(text) => Err(format!(
            "`--prefix {text}` is no absolute path of a directory, as `/opt/app/env` is"
        )),
        None => Err(format!(
            "`--prefix {}` cannot be written into an archive",
            path.display()
        )),
    }
}

/// The time of all that is packed.
fn time(process: &Process) -> Result<u32, String> {
    let Some(value) = process.setting(variable::SOURCE_DATE_EPOCH) else {
        return Ok(EARLIEST);
    };
    let digits = value
        .to_str()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let value = value.to_string_lossy();
        format!(
            "`{}` is `{value}`, and no number of seconds from 1970 to 2106",
            variable::SOURCE_DATE_EPOCH
        )
    })
}

/// What only packages have is a mistake in an archive that is none.
fn refuse_package(options: &Pack, problems: &mut Vec<String>) {
    let Pack {
        name,
        package_version,
        release,
        arch,
        depends,
        maintainer,
        description,
        license,
        ..
    } = options;
    let given = [
        ("name", name.is_some()),
        ("package-version", package_version.is_some()),
        ("release", release.is_some()),
        ("arch", arch.is_some()),
        ("depends", !depends.is_empty()),
        ("maintainer", maintainer.is_some()),
        ("description", description.is_some()),
        ("license", license.is_some()),
    ];
    let given = given.iter().filter(|(_, is_given)| *is_given);
    problems.extend(given.map(|(option, _)| format!("`--{option}` is for `.rpm` and `.deb`")));
}
