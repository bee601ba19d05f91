//! The command line: vpython's own options, and python's command line with the target it names.
//!
//! Parsing looks nothing up. Python's words stay as they were typed, and are parsed only to find
//! the target.

mod chosen;
mod conf;
mod documents;
mod fetching;
mod flags;
mod interpreter;
mod option_word;
mod options;
mod python;
mod read;
mod root;
mod settings;
mod split;
mod tool_help;
mod tools;
mod version;
mod wheelhouse_reference;
mod wheels;
mod words;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Result;

pub use chosen::Chosen;
pub use conf::Conf;
#[cfg(test)]
pub use conf::Set;
pub use documents::{completions, manual};
pub use fetching::{Fetching, WHY_OFFLINE};
pub use flags::{LogLevel, help};
pub use interpreter::HOW_TO_PIN;
pub use options::{
    Additions, Check, Compression, Explain, Export, Fetch, ImageOptions, List, Lock, Pack, Prune,
    Push, Relocate, Unpack, Upgrade,
};
pub use python::Target;
pub use settings::Setting;
pub use tools::Tool;
pub use version::split_threading;
pub use wheelhouse_reference::WheelhouseReference;
pub use wheels::{Wheels, WheelsSource};

use crate::oci::PinnedReference;
use crate::report::{self, Failure, shell_word};

/// The parsed command line, merged with environment variables and `vpython.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The action to perform.
    pub action: Action,
    /// The store's directory, if given.
    pub root: Option<PathBuf>,
    /// `true` if the store is removed when the run ends; its directory does not exist yet.
    pub is_throw_away: bool,
    /// Stores to look into before anything is built or fetched, which are never written.
    pub shared_roots: Vec<PathBuf>,
    /// The only spec to use, if given.
    pub spec: Option<PathBuf>,
    /// The spec for programs that have none, as it was written: a relative path may be relative to
    /// the program's directory.
    pub default_spec: Option<PathBuf>,
    /// The interpreter, if given: an executable, a bundle's directory, or a version. A word without
    /// a slash stays as it was typed.
    pub interpreter: Option<PathBuf>,
    /// The image that the interpreter comes from, if one is given. A launch sets `interpreter` to the
    /// copy in the store.
    pub interpreter_image: Option<PinnedReference>,
    /// Wheelhouses in addition to those of the spec.
    pub wheels: Wheels,
    /// Whether a launch may use the network.
    pub fetching: Fetching,
    /// Keep a link to the environment next to the spec.
    pub local_venv: bool,
    /// The extras and groups selected from a `pyproject.toml`.
    pub chosen: Chosen,
    /// Treat deviations of wheels from the specifications as errors.
    pub strict: bool,
    /// vpython's own flags as they were typed, one word each, without `-vpython-tool`.
    pub own_words: Vec<OsString>,
    /// The contents of `vpython.conf`.
    pub conf: Conf,
    /// The log level, if given.
    pub log_level: Option<LogLevel>,
    /// The file for a trace of the run, if given.
    pub trace: Option<PathBuf>,
    /// Python's command line without the program's name.
    pub words: Vec<OsString>,
    /// The target that these words name.
    pub target: Target,
    /// The effective user id.
    pub user: u32,
}

/// The action that a command line requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run python.
    Run,
    /// Print vpython's help, then python's.
    Help,
    /// Print vpython's version.
    Version,
    /// Print this help of a tool, or this list of tools.
    ToolHelp(String),
    /// Run a tool on the environment.
    Tool(Tool),
}

/// Rejects a directory that begins with a `~` that the shell has not expanded.
fn refuse_tilde(directory: &OsStr, named_by: &str) -> Result<()> {
    if !directory.as_encoded_bytes().starts_with(b"~") {
        return Ok(());
    }
    let directory = directory.to_string_lossy();
    let failure = Failure::new(format!("cannot use the directory `{directory}`"));
    let why = format!(
        "it comes from `{named_by}`, and the shell does not expand `~` in quotes or after a flag's `=`"
    );
    let hint = match directory.strip_prefix("~/") {
        Some(rest) => format!("write `$HOME/{rest}`, or `./{directory}` if that is its name"),
        None => format!("write the full path, or `./{directory}` if that is its name"),
    };
    Err(failure.because(why).hint(hint).into())
}

impl Invocation {
    /// Prints warnings, unless the log level is `error`.
    pub fn warn<'a>(&self, warnings: impl IntoIterator<Item = &'a String>) {
        if self
            .log_level
            .is_none_or(|level| level >= LogLevel::Warning)
        {
            report::warnings(warnings);
        }
    }

    /// Prints a notice, unless the log level is `error`.
    pub fn notice(&self, text: impl FnOnce() -> String) {
        if self
            .log_level
            .is_none_or(|level| level >= LogLevel::Warning)
        {
            report::notice(&text());
        }
    }

    /// Checks whether the program comes from standard input and this is not a terminal. A tool
    /// reads standard input only if the command line names it, because its caller may never close
    /// it.
    #[must_use]
    pub fn runs_input(&self) -> bool {
        match (&self.action, &self.target) {
            (Action::Run, Target::Stdin | Target::None) | (Action::Tool(_), Target::Stdin) => {
                python::runs_input(&self.words)
            }
            _ => false,
        }
    }

    /// Checks whether python writes byte code without optimisation next to the sources that it imports.
    #[must_use]
    pub fn writes_byte_code(&self) -> bool {
        python::writes_byte_code(&self.words)
    }

    /// Returns the invocation for another spec or program with the same settings, whose hints name
    /// that. The extras and groups of this command line do not apply to it.
    #[must_use]
    pub fn for_other(&self, spec: Option<PathBuf>, target: Target) -> Self {
        let of_spec =
            ["--vpython-spec=", "--vpython-extra=", "--vpython-group="].map(str::as_bytes);
        let stays = |word: &&OsString| {
            !of_spec
                .iter()
                .any(|name| word.as_encoded_bytes().starts_with(name))
        };
        let mut own_words: Vec<OsString> = self.own_words.iter().filter(stays).cloned().collect();
        own_words.extend(spec.iter().map(|spec| {
            let mut word = OsString::from("--vpython-spec=");
            word.push(spec);
            word
        }));
        Self {
            spec,
            target,
            words: Vec::new(),
            chosen: Chosen {
                unlocked: self.chosen.unlocked,
                ..Chosen::default()
            },
            own_words,
            ..self.clone()
        }
    }

    /// Returns why no run may fetch wheels, a sentence; `None` if `fetch` may.
    #[must_use]
    pub fn why_nothing_is_fetched(&self) -> Option<String> {
        if self.fetching == Fetching::Offline {
            return Some(WHY_OFFLINE.to_owned());
        }
        let refusal = self.conf.refusal_of_fetch()?;
        Some(refusal.causes.join("; "))
    }

    /// Returns the command that runs a tool on the environment of this command line.
    #[must_use]
    pub fn command_of_tool(&self, tool: &str) -> String {
        self.command_for(tool, &self.target)
    }

    /// Returns the command that rebuilds the lock file of this command line's spec. A lock file is
    /// never that of a spec in the text of `-c` or on standard input, so neither is repeated.
    #[must_use]
    pub fn command_of_lock(&self) -> String {
        let target = match &self.target {
            Target::Command(_) | Target::Stdin => &Target::None,
            target => target,
        };
        self.command_for("lock", target)
    }

    fn command_for(&self, tool: &str, target: &Target) -> String {
        let own = self
            .own_words
            .iter()
            .map(|word| word.to_string_lossy().replacen("--vpython", "-vpython", 1));
        let target = match target {
            Target::Script(path) => vec![path.to_string_lossy().into_owned()],
            Target::Module(name) => vec!["-m".into(), name.to_string_lossy().into_owned()],
            Target::Command(text) => vec!["-c".into(), text.to_string_lossy().into_owned()],
            Target::Stdin => vec!["-".into()],
            Target::Information | Target::None => Vec::new(),
        };
        let tool = ["-vpython-tool".to_owned(), tool.to_owned()];
        let words = own.chain(tool).chain(target).map(|word| shell_word(&word));
        [report::program().to_owned()]
            .into_iter()
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Process, variable};

    pub(super) fn read(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Invocation> {
        Invocation::read(&Process {
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: environment
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            directory: Some("/here".into()),
            ..Process::default()
        })
    }

    #[test]
    fn a_tilde_that_the_shell_has_not_expanded_is_an_error() {
        let why = ", and the shell does not expand `~` in quotes or after a flag's `=`";
        let rows: [(&[&str], &[(&str, &str)], String); 4] = [
            (
                &["x.py"],
                &[(variable::WHEELS, "/one:~/wheels")],
                format!(
                    "`~/wheels`\n  caused by: it comes from `VPYTHON_WHEELS`{why}\n  hint: write `$HOME/wheels`, or `./~/wheels`"
                ),
            ),
            (
                &["-vpython-wheels=~", "x.py"],
                &[],
                format!(
                    "`~`\n  caused by: it comes from `-vpython-wheels`{why}\n  hint: write the full path, or `./~`"
                ),
            ),
            (
                &["x.py"],
                &[(variable::ROOT, "~/root")],
                format!(
                    "`~/root`\n  caused by: it comes from `VPYTHON_VIRTUALENV_ROOT`{why}\n  hint: write `$HOME/root`, or `./~/root`"
                ),
            ),
            (
                &["-vpython-root=~me/root", "x.py"],
                &[(variable::ROOT, "/root")],
                format!(
                    "`~me/root`\n  caused by: it comes from `-vpython-root`{why}\n  hint: write the full path, or `./~me/root`"
                ),
            ),
        ];
        for (arguments, environment, rest) in rows {
            let message =
                format!("vpython: error: cannot use the directory {rest} if that is its name\n");
            assert_eq!(
                report::render(&read(arguments, environment).unwrap_err()),
                message
            );
        }
        assert!(
            read(
                &["-vpython-wheels=./~/wheels", "-vpython-root=/a/~", "x.py"],
                &[(variable::WHEELS, "~")]
            )
            .is_ok()
        );
    }

    #[test]
    fn a_tool_works_on_the_same_environment_by_the_same_words() {
        let rows: &[(&[&str], &str)] = &[
            (&[], "vpython -vpython-tool fetch"),
            (
                &["a tool.py", "--x"],
                "vpython -vpython-tool fetch 'a tool.py'",
            ),
            (
                &["-vpython-spec", "x.toml", "-u", "-m", "mod", "y"],
                "vpython -vpython-spec=x.toml -vpython-tool fetch -m mod",
            ),
            (
                &["-vpython-tool", "verify", "-c", "import x"],
                "vpython -vpython-tool fetch -c 'import x'",
            ),
            (&["-"], "vpython -vpython-tool fetch -"),
        ];
        for (words, expected) in rows {
            assert_eq!(
                read(words, &[]).unwrap().command_of_tool("fetch"),
                *expected
            );
        }
    }
}
