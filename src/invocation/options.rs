//! The options of each tool behind `-vpython-tool`, declared once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{ArgAction, Args};

/// The options of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// Take what is damaged out of the way, and build the environment anew
    #[arg(long)]
    pub repair: bool,
    /// Check all environments in the store; damaged ones are built anew by their next launch
    #[arg(long)]
    pub all: bool,
}

/// The options of `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Explain {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Print what requires what, as a tree
    #[arg(long)]
    pub tree: bool,
    /// Print what requires what, as a graph for graphviz
    #[arg(long)]
    pub dot: bool,
}

/// What `fetch` is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Fetch {
    /// The words behind `--`, for pip.
    #[arg(skip)]
    pub pip_options: Vec<OsString>,
    /// Fetch the newest versions that the spec permits, of these projects or of all; the words
    /// behind it that can be names of projects are
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, action = ArgAction::Append, value_delimiter = ',',
          default_missing_value = "")]
    pub upgrade: Vec<String>,
    /// Fetch for this platform alone, and not for the others that the spec names
    #[arg(long)]
    pub here: bool,
    /// Fetch nothing, and remove the wheels that no spec or lock in the spec's directory needs;
    /// asks first
    #[arg(long)]
    pub prune: bool,
    /// With --prune, remove without asking
    #[arg(long)]
    pub yes: bool,
}

/// What `export` is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Export {
    /// The first word: where the environment is to be.
    #[arg(skip)]
    pub directory: PathBuf,
    /// Make files of its own, which share nothing with the store
    #[arg(long)]
    pub copy: bool,
    /// Put pip into the environment, from the directories of wheels or from what the interpreter
    /// brings
    #[arg(long)]
    pub with_pip: bool,
    /// What goes with the environment.
    #[command(flatten)]
    pub additions: Additions,
}

/// What goes with an environment that leaves the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Additions {
    /// Put a copy of this directory of your own code into the environment, where it can be imported
    /// from; may be given again
    #[arg(long, value_name = "DIR", action = ArgAction::Append)]
    pub include: Vec<PathBuf>,
    /// Put a copy of the interpreter into the environment, so that both move together
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
    /// The file to write; its name says its form
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where the environment will stand, as in `/opt/app/env`; of an archive all members lie below
    /// it
    #[arg(long, value_name = "PATH")]
    pub prefix: Option<PathBuf>,
    /// The name of a package
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The version of a package
    #[arg(long, value_name = "VERSION")]
    pub package_version: Option<String>,
    /// The release of an rpm [default: 1]
    #[arg(long, value_name = "RELEASE")]
    pub release: Option<String>,
    /// The architecture of a package, if not the interpreter's
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// What a package needs, as its form writes it: `python3 >= 3.11` in an rpm,
    /// `python3 (>= 3.11)` in a deb; may be given again
    #[arg(long, value_name = "DEPENDENCY", action = ArgAction::Append)]
    pub depends: Vec<String>,
    /// Who looks after a package, as in `Ada Lovelace <ada@example.org>`
    #[arg(long, value_name = "NAME")]
    pub maintainer: Option<String>,
    /// What a package is; behind the first line, at length
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// The licence of an rpm, in SPDX's words
    #[arg(long, value_name = "LICENCE")]
    pub license: Option<String>,
    /// Have run paths of libraries and programs lead into the environment wherever it is, and
    /// nowhere else
    #[arg(long)]
    pub fix_rpath: bool,
    /// What goes with the environment.
    #[command(flatten)]
    pub additions: Additions,
}

/// The options of `prune`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Prune {
    /// Remove what was not used for this long [default: 30d]
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub older_than: Option<Duration>,
    /// Remove what was not used for longest, until the store takes no more than this [env:
    /// `VPYTHON_MAX_CACHE`]
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<ByteSize>,
    /// Remove everything that no program uses
    #[arg(long)]
    pub all: bool,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// The options of `relocate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Relocate {
    /// Where the environment will stand, if not where it stands now
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
    /// The interpreter that it is to get, of the same minor version and ABI
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Only say what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The options of `lock`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Lock {
    /// Only say what would change; the exit code is 1 if anything would
    #[arg(long)]
    pub check: bool,
    /// Take the highest versions that will do, of these projects or of all; the words behind it
    /// that can be names of projects are
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, action = ArgAction::Append, value_delimiter = ',',
          default_missing_value = "")]
    pub upgrade: Vec<String>,
}

/// The options of `unpack`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Unpack {
    /// Have this link lead to the environment in the end; a name without a directory is one beside
    /// it
    #[arg(long, value_name = "NAME")]
    pub link: Option<PathBuf>,
    /// The interpreter to run on, of the same minor version and ABI, if not the one that the
    /// environment was packed for
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Have an environment that brings its interpreter name its place, so that `python -m venv`
    /// works in it; it cannot be moved then
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
    /// Only say what would be done; the exit code is 1 if that is anything
    #[arg(long)]
    pub check: bool,
    /// Write LUCI's specs in the native form; as without it, unless `--all` is given
    #[arg(long)]
    pub legacy: bool,
    /// Make the locks of native specs anew that are there, where they would change
    #[arg(long)]
    pub all: bool,
    /// Keep the files of the old form
    #[arg(long = "vpython-keep-legacy", visible_alias = "keep-legacy")]
    pub keep_legacy: bool,
}
