//! The options of each `-vpython-tool`, declared once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{ArgAction, Args, ValueEnum};

/// The options of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// Remove damaged files and rebuild the environment
    #[arg(long)]
    pub repair: bool,
    /// Check all environments in the store; a damaged one is rebuilt by its next launch
    #[arg(long)]
    pub all: bool,
}

/// The options of `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Explain {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the dependencies as a tree
    #[arg(long)]
    pub tree: bool,
    /// Print the dependencies as a graph for graphviz
    #[arg(long)]
    pub dot: bool,
}

/// The options of `fetch`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct Fetch {
    /// The words after `--`, for pip.
    #[arg(skip)]
    pub pip_options: Vec<OsString>,
    /// Fetch the newest versions that the spec allows, of these projects or of all; the following
    /// words that can be project names count as NAMEs
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, action = ArgAction::Append, value_delimiter = ',',
          default_missing_value = "")]
    pub upgrade: Vec<String>,
    /// Let the interpreter's pip fetch, which also builds wheels for projects that have none
    #[arg(long)]
    pub build: bool,
    /// Ask the index again about what is cached
    #[arg(long)]
    pub refresh: bool,
    /// Fetch only files that were uploaded up to this date, such as 2026-01-31, or before this time
    #[arg(long, value_name = "DATE")]
    pub exclude_newer: Option<String>,
    /// Fetch for this platform only, not for the others that the spec names
    #[arg(long)]
    pub here: bool,
    /// Fetch nothing; remove the wheels that no spec or lock in the spec's directory needs, after
    /// confirmation
    #[arg(long)]
    pub prune: bool,
    /// With --prune, do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

/// The options of `export`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Export {
    /// The first word: the path of the environment.
    #[arg(skip)]
    pub directory: PathBuf,
    /// Copy all files, and share none with the store
    #[arg(long)]
    pub copy: bool,
    /// Install pip into the environment, from the wheel directories or from the interpreter's
    /// ensurepip
    #[arg(long)]
    pub with_pip: bool,
    /// Additional contents of the environment.
    #[command(flatten)]
    pub additions: Additions,
}

/// Additional contents of an environment outside the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Additions {
    /// Copy this directory of your own code into the environment's import path; may be repeated
    #[arg(long, value_name = "DIR", action = ArgAction::Append)]
    pub include: Vec<PathBuf>,
    /// Copy the interpreter into the environment, so that both can be moved together
    #[arg(long)]
    pub with_python: bool,
}

/// The options of `list`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The options of `pack`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Pack {
    /// The file to write, whose extension selects the format, or `oci://HOST/REPO[:TAG]` to send an
    /// image to a registry
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The install path of the environment, such as `/opt/app/env`; archive members lie below it
    #[arg(long, value_name = "PATH")]
    pub prefix: Option<PathBuf>,
    /// The name of the package
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The version of the package
    #[arg(long, value_name = "VERSION")]
    pub package_version: Option<String>,
    /// The release of the rpm [default: 1]
    #[arg(long, value_name = "RELEASE")]
    pub release: Option<String>,
    /// The architecture of the package [default: the interpreter's]
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// A dependency of the package, in the package format's syntax: `python3 >= 3.11` in an rpm,
    /// `python3 (>= 3.11)` in a deb; may be repeated
    #[arg(long, value_name = "DEPENDENCY", action = ArgAction::Append)]
    pub depends: Vec<String>,
    /// The maintainer of the package, such as `Ada Lovelace <ada@example.org>`
    #[arg(long, value_name = "NAME")]
    pub maintainer: Option<String>,
    /// The description of the package: the first line is the summary, the rest the long description
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// The license of the rpm, as an SPDX expression
    #[arg(long, value_name = "LICENCE")]
    pub license: Option<String>,
    /// Rewrite the run paths of libraries and programs relative to the environment, and drop those
    /// that point outside it
    #[arg(long)]
    pub fix_rpath: bool,
    /// The options of an image.
    #[command(flatten)]
    pub image: ImageOptions,
    /// Additional contents of the environment.
    #[command(flatten)]
    pub additions: Additions,
}

/// The options of `pack` for an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ImageOptions {
    /// The image to add the environment to: `oci:DIR[:TAG]`, `oci:FILE.tar` or
    /// `oci://HOST/REPO[:TAG]` [default: an empty image]
    #[arg(long, value_name = "IMAGE")]
    pub base: Option<String>,
    /// The number of wheels that get a layer each, the largest ones; the others share one [default:
    /// 40]
    #[arg(long, value_name = "N")]
    pub layers: Option<usize>,
    /// The program that a container of the image runs, with its first arguments [default:
    /// the environment's python]
    #[arg(long, value_name = "WORDS")]
    pub entrypoint: Option<String>,
    /// The user that a container of the image runs as: `UID` or `UID:GID` [default: the base's]
    #[arg(long, value_name = "UID")]
    pub user: Option<String>,
    /// A label of the image; may be repeated
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub label: Vec<String>,
    /// The compression of the layers: `gzip`, which all tools read, or `zstd` [default: gzip]
    #[arg(long, value_name = "METHOD")]
    pub compression: Option<Compression>,
}

/// The compression of the layers of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// gzip.
    #[default]
    Gzip,
    /// Zstandard.
    Zstd,
}

/// The options of `prune`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Prune {
    /// Remove environments that have not been used for this long [default: 30d]
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub older_than: Option<Duration>,
    /// Remove the least recently used environments until the store is no larger than this [env:
    /// `VPYTHON_MAX_CACHE`]
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<ByteSize>,
    /// Remove everything that no running program uses
    #[arg(long)]
    pub all: bool,
    /// Only print what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// The options of `push`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Push {
    /// Also copy each wheel unpacked and with byte code for the interpreter, for `lock --built`
    #[arg(long)]
    pub built: bool,
    /// Copy the interpreter of the command line in place of wheels, as an image for
    /// `-vpython-interpreter`, and print its reference
    #[arg(long)]
    pub python: bool,
}

/// The options of `relocate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Relocate {
    /// The path that the environment will have, if it is not in its final location yet
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
    /// The new interpreter of the environment, of the same minor version and ABI
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Only print what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The options of `lock`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Lock {
    /// Only print what would change; the exit code is 1 if anything would
    #[arg(long)]
    pub check: bool,
    /// Lock the highest versions that the spec allows, of these projects or of all; the following
    /// words that can be project names count as NAMEs
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, action = ArgAction::Append, value_delimiter = ',',
          default_missing_value = "")]
    pub upgrade: Vec<String>,
    /// Pin the built wheels in the spec's image layouts, which launches then use in place of
    /// unpacking and compiling the wheels
    #[arg(long)]
    pub built: bool,
}

/// The options of `unpack`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Unpack {
    /// Point this symlink at the environment when it is complete; a name without a directory is
    /// created next to the environment
    #[arg(long, value_name = "NAME")]
    pub link: Option<PathBuf>,
    /// The interpreter to use, of the same minor version and ABI, instead of the one that the
    /// environment was packed for
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Record the absolute install path of an environment that contains its interpreter, so that
    /// `python -m venv` works in it; the environment can no longer be moved
    #[arg(long)]
    pub settle: bool,
}

/// The options of `upgrade`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub struct Upgrade {
    /// Only print what would be done; the exit code is 1 if there is anything to do
    #[arg(long)]
    pub check: bool,
    /// Convert LUCI specs to the native format; the default, unless `--all` is given
    #[arg(long)]
    pub legacy: bool,
    /// Update the existing locks of native specs that are out of date
    #[arg(long)]
    pub all: bool,
    /// Keep the files in LUCI's format
    #[arg(long = "vpython-keep-legacy", visible_alias = "keep-legacy")]
    pub keep_legacy: bool,
}
