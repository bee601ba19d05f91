//! The parsed request of a `pack` command line: output file, format, prefix and time. All problems
//! with it are reported at once, before anything is built.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::image::{self, ImageForm, ImageRequest};
use super::package::Package;
use super::rules::Manager;
use super::squashfs::Mksquashfs;
use crate::fs;
use crate::invocation::{Additions, Pack};
use crate::oci::{Reference, Version};
use crate::process::{Process, variable};
use crate::report::Failure;

/// The time of all members if `SOURCE_DATE_EPOCH` is not set: 1980-01-01 UTC, the earliest time
/// that a zip archive can store.
const DEFAULT_TIME: u32 = 315_532_800;
/// The supported file name suffixes with their formats.
static SUFFIXES: [(&str, Form); 10] = [
    (".tar", Form::Tar(Compression::None)),
    (".tar.gz", Form::Tar(Compression::Gzip)),
    (".tgz", Form::Tar(Compression::Gzip)),
    (".tar.zst", Form::Tar(Compression::Zstd)),
    (".zip", Form::Zip),
    (".sqfs", Form::Squashfs),
    (".rpm", Form::Package(Manager::Rpm)),
    (".deb", Form::Package(Manager::Dpkg)),
    (".oci", Form::Image(ImageForm::Directory)),
    (".oci.tar", Form::Image(ImageForm::Tar)),
];

/// A request to pack an environment into a file.
#[derive(Debug)]
pub struct Order {
    /// The file to write; an image for a registry has none, and this is its name as it was written.
    pub output: PathBuf,
    /// The future install path of the environment: a normalized absolute path.
    pub(super) prefix: Option<String>,
    /// The modification time of all members, in seconds since 1970.
    pub(super) time: u32,
    pub(super) archive: Archive,
    /// True if run paths are to be rewritten.
    pub(super) fix_rpath: bool,
    /// The directories and the interpreter to add to the environment.
    pub(super) additions: Additions,
}

/// The format of the output file, with the package metadata it needs.
#[derive(Debug)]
pub(super) enum Archive {
    Tar(Compression),
    Zip,
    Squashfs(Mksquashfs),
    Rpm(Package),
    Deb(Package),
    Image(ImageRequest),
}

impl Archive {
    /// The package metadata, if the output is a package.
    pub fn package(&self) -> Option<&Package> {
        match self {
            Self::Rpm(package) | Self::Deb(package) => Some(package),
            Self::Tar(_) | Self::Zip | Self::Squashfs(_) | Self::Image(_) => None,
        }
    }
}

/// The format that an output implies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Tar(Compression),
    Zip,
    Squashfs,
    Package(Manager),
    Image(ImageForm),
}

/// The compression of a tar archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Order {
    /// Parses the options.
    ///
    /// # Errors
    /// Returns an error if no output file is named, if its format is unknown, or if an option does
    /// not apply to that format, is missing, or has an invalid value.
    pub fn read(options: &Pack, process: &Process) -> Result<Self> {
        let Some(output) = &options.output else {
            let failure = Failure::new("`-vpython-tool pack` needs an output file");
            return Err(failure
                .hint(format!(
                    "pass `--output FILE` with a name that ends with one of {}",
                    suffixes()
                ))
                .into());
        };
        let form = Form::of(output)?;
        // Collect every problem before failing, so that one run reports them all.
        let cannot = Failure::new(format!("cannot pack `{}`", output.display()));
        let mut problems = Vec::new();
        let output = if matches!(form, Form::Image(ImageForm::Registry(_))) {
            output.clone()
        } else {
            let output = process.absolute(output);
            check_existing(&form, &output, &mut problems)?;
            output
        };
        let prefix = value_or_report(
            options.prefix.as_deref().map(prefix).transpose(),
            &mut problems,
        )
        .flatten();
        let time = value_or_report(time(process), &mut problems).unwrap_or(DEFAULT_TIME);
        let mut archive = form.archive(&output, options, &mut problems);
        match &mut archive {
            Archive::Image(ImageRequest {
                base: Some(Reference::Layout(base)),
                ..
            }) => base.path = process.absolute(&base.path),
            Archive::Squashfs(mksquashfs) => mksquashfs.find(process, &mut problems),
            _ => {}
        }
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

impl Order {
    /// Returns whether the output is sent to a registry.
    pub(super) fn is_pushed(&self) -> bool {
        match &self.archive {
            Archive::Image(request) => matches!(request.form, ImageForm::Registry(_)),
            _ => false,
        }
    }

    /// Returns the path next to which the environment for an output file is staged. That of an image
    /// in a directory is where the image itself is staged.
    pub(super) fn environment_place(&self, output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        if matches!(self.archive, Archive::Image(_)) {
            name.push(".environment");
        }
        output.with_file_name(name)
    }
}

/// Checks what has the name of an output file: nothing, a file, or an image of `pack`.
fn check_existing(form: &Form, output: &Path, problems: &mut Vec<String>) -> Result<()> {
    let found = fs::metadata(output)?;
    match (form, found.map(|found| found.is_dir())) {
        (Form::Image(ImageForm::Directory), Some(true)) => image::may_replace(output)?,
        (Form::Image(ImageForm::Directory), Some(false)) => {
            problems.push("a file of that name exists".to_owned());
        }
        (_, Some(true)) => problems.push("a directory of that name exists".to_owned()),
        _ => {}
    }
    Ok(())
}

impl Form {
    /// Derives the format from the suffix of a file name, or reads the name of an image in a registry.
    ///
    /// # Errors
    /// Returns an error if the suffix is unknown, or the name is not valid.
    fn of(file: &Path) -> Result<Self> {
        if let Some(reference) = file.to_str().and_then(Reference::parse) {
            return Self::of_reference(file, reference);
        }
        match by_suffix(file) {
            Some(form) => Ok(form.clone()),
            None => Err(Failure::new(format!("cannot pack `{}`", file.display()))
                .because("unrecognized archive format")
                .hint(format!("supported suffixes: {}", suffixes()))
                .into()),
        }
    }

    /// Reads a reference to an image that is to be written.
    fn of_reference(file: &Path, reference: Result<Reference, String>) -> Result<Self> {
        let cannot =
            |why: &str| Failure::new(format!("cannot pack `{}`", file.display())).because(why);
        match reference {
            Ok(Reference::Registry(reference)) => match reference.version {
                Some(Version::Digest(_)) => Err(cannot(
                    "the digest of an image is known when it is complete",
                )
                .hint("name a tag: `oci://HOST/REPO:TAG`")
                .into()),
                _ => Ok(Self::Image(ImageForm::Registry(reference))),
            },
            Ok(Reference::Layout(_)) => Err(cannot("`oci:` names an image layout that exists")
                .hint("name a directory `NAME.oci` or a file `NAME.oci.tar`")
                .into()),
            Err(why) => Err(cannot(&why).into()),
        }
    }

    /// Returns the archive that the options describe, and adds what is wrong with them to
    /// `problems`.
    fn archive(self, output: &Path, options: &Pack, problems: &mut Vec<String>) -> Archive {
        match self {
            Self::Image(form) => {
                reject_package_options(options, problems);
                let name = match &form {
                    ImageForm::Registry(reference) => reference.repository.clone(),
                    _ => output
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                };
                let name = name.trim_end_matches(".tar").trim_end_matches(".oci");
                let has_prefix = options.prefix.is_some();
                Archive::Image(ImageRequest::read(
                    form,
                    name,
                    &options.image,
                    has_prefix,
                    problems,
                ))
            }
            Self::Package(Manager::Rpm) => {
                reject_image_options(options, problems);
                Archive::Rpm(Package::read(options, Manager::Rpm, problems))
            }
            Self::Package(Manager::Dpkg) => {
                reject_image_options(options, problems);
                Archive::Deb(Package::read(options, Manager::Dpkg, problems))
            }
            Self::Tar(compression) => {
                reject_package_options(options, problems);
                reject_image_options(options, problems);
                Archive::Tar(compression)
            }
            Self::Zip => {
                reject_package_options(options, problems);
                reject_image_options(options, problems);
                Archive::Zip
            }
            Self::Squashfs => {
                reject_package_options(options, problems);
                reject_image_options(options, problems);
                Archive::Squashfs(Mksquashfs::default())
            }
        }
    }
}

/// The supported suffixes, for a message.
fn suffixes() -> String {
    SUFFIXES
        .iter()
        .map(|(suffix, _)| format!("`{suffix}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the format that the suffix of a file selects.
fn by_suffix(file: &Path) -> Option<&'static Form> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // `.tar` alone is a hidden file without a suffix.
    let has_suffix = |suffix: &str| {
        name.strip_suffix(suffix)
            .is_some_and(|stem| !stem.is_empty())
    };
    // `.oci.tar` ends with `.tar` too.
    let found = SUFFIXES.iter().filter(|(suffix, _)| has_suffix(suffix));
    let (_, form) = found.max_by_key(|(suffix, _)| suffix.len())?;
    Some(form)
}

/// Checks whether `pack` writes an image to a file or directory of this name.
#[must_use]
pub fn has_suffix_of_image(file: &Path) -> bool {
    matches!(by_suffix(file), Some(Form::Image(_)))
}

/// Returns the value, or adds the error to `problems`.
fn value_or_report<T>(value: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    value.map_err(|problem| problems.push(problem)).ok()
}

/// Returns the install path as a normalized absolute path.
fn prefix(path: &Path) -> Result<String, String> {
    let text = path
        .to_str()
        .filter(|text| !text.chars().any(char::is_control));
    // A path with `..` could lead elsewhere through a link, and `/` is the whole system.
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
            "`--prefix {text}` is not an absolute path such as `/opt/app/env`"
        )),
        None => Err(format!(
            "`--prefix {}` is not UTF-8 or contains a control character",
            path.display()
        )),
    }
}

/// Returns the modification time of all members.
pub(super) fn time(process: &Process) -> Result<u32, String> {
    let Some(value) = process.setting(variable::SOURCE_DATE_EPOCH) else {
        return Ok(DEFAULT_TIME);
    };
    let digits = value
        .to_str()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let value = value.to_string_lossy();
        format!(
            "`{}` is `{value}`, which is not a number of seconds between 1970 and 2106",
            variable::SOURCE_DATE_EPOCH
        )
    })
}

/// Reports each package option that was passed for an archive that is not a package.
fn reject_package_options(options: &Pack, problems: &mut Vec<String>) {
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
    problems
        .extend(given.map(|(option, _)| format!("`--{option}` applies only to `.rpm` and `.deb`")));
}

/// Reports each image option that was passed for an archive that is not an image.
fn reject_image_options(options: &Pack, problems: &mut Vec<String>) {
    let given = image::given(&options.image).into_iter();
    problems.extend(given.map(|option| format!("`--{option}` applies only to images")));
}
