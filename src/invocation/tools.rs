//! The tools of `-vpython-tool NAME`, declared once, and the parser of their words;
//! [`super::options`] has the options of each.
//!
//! A tool's options follow its name, before python's command line or between its words, and begin
//! with two dashes. As with flags, the parser sees only the tool's own words, each with its value
//! after `=`, as [`super::split`] leaves them.

use std::ffi::{OsStr, OsString};

use anyhow::Result;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::flags::{self, Arity};
use super::options::{
    Check, Explain, Export, Fetch, List, Lock, Pack, Prune, Push, Relocate, Unpack, Upgrade,
};
use super::tool_help::unknown;
pub(super) use super::words::Words;
use crate::report::{Failure, nearest, program};

/// A tool with its options.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Tool {
    /// Build the environment of the command line, and print its path
    Install,
    /// Hash the environment's files, and report those that have changed
    Check(Check),
    /// Download the wheels the spec needs into the first wheel directory
    ///
    /// Fetches for this platform and for each that the spec names, from the package indexes of
    /// pip's configuration and of the spec. Words after `--` are pip's options about indexes, or,
    /// with --build, any options of pip.
    #[command(
        override_usage = "vpython [vpython flags] -vpython-tool fetch [options] [python command line] [-- pip options]"
    )]
    Fetch(Fetch),
    /// Check that there is a wheel for everything that the spec requires
    ///
    /// Checks this platform and each that the spec names, and prints a table. The exit code is 1 if
    /// something is missing. Nothing is built.
    Verify,
    /// Run a script of the environment, such as `ruff` or `pytest`
    ///
    /// Uses the spec that vpython finds from the current directory upwards, unless `-vpython-spec`
    /// names one.
    #[command(override_usage = "vpython [vpython flags] -vpython-tool exec NAME [arguments]")]
    Exec,
    /// Explain which environment the command line gets, and why
    Explain(Explain),
    /// Create the environment at DIR, outside the store
    ///
    /// An environment that vpython created there before is replaced atomically. Nothing is done if
    /// nothing has changed.
    #[command(
        override_usage = "vpython [vpython flags] -vpython-tool export DIR [options] [python command line]"
    )]
    Export(Export),
    /// List the environments in the store
    #[command(override_usage = "vpython [vpython flags] -vpython-tool list [options]")]
    List(List),
    /// Write the environment as an archive, a package or a container image
    ///
    /// The extension selects the format: `.tar`, `.tar.gz`, `.tar.zst`, `.zip`, `.sqfs`, `.rpm` or
    /// `.deb`; an OCI image is a directory `.oci`, a file `.oci.tar`, or `oci://HOST/REPO[:TAG]` in a
    /// registry, whose digest is printed. The output is reproducible: the same spec and wheels give
    /// the same bytes.
    #[command(
        override_usage = "vpython [vpython flags] -vpython-tool pack --output FILE [options] [python command line]"
    )]
    Pack(Box<Pack>),
    /// Remove environments that have not been used for a long time
    ///
    /// Removes leftovers of killed builds, too. Never removes an environment that a program runs
    /// in.
    #[command(override_usage = "vpython [vpython flags] -vpython-tool prune [options]")]
    Prune(Prune),
    /// Copy the wheels of specs into a registry or an image layout
    ///
    /// Copies the wheels of the lock, or else of the plan, of each SCRIPT or spec; the default is
    /// the spec of the current directory. DESTINATION is `oci://HOST/REPO[:TAG]` or `oci:DIR[:TAG]`.
    /// Prints the digest of their manifest, which gets TAG and a tag that is derived from the wheels.
    #[command(
        override_usage = "vpython [vpython flags] -vpython-tool push DESTINATION [options] [SCRIPT...]"
    )]
    Push(Push),
    /// Rewrite the absolute paths of an environment that has moved
    ///
    /// For environments of venv, virtualenv and uv. Rewrites scripts, activation, configuration,
    /// import paths and RECORD files. Moves nothing, and does not run the environment's python. The
    /// exit code is 1 if something cannot be rewritten.
    #[command(override_usage = "vpython [vpython flags] -vpython-tool relocate ENV [options]")]
    Relocate(Relocate),
    /// Write the spec's lock file: the exact wheels for all its platforms
    ///
    /// The lock file is `pylock.STEM.toml` next to the spec, in the standard format (PEP 751).
    /// Locked versions are kept where the spec still allows them.
    #[command(
        override_usage = "vpython [vpython flags] -vpython-tool lock [options] [script, spec or python command line]"
    )]
    Lock(Lock),
    /// Create an environment from an archive or image of `pack`
    ///
    /// SOURCE is an archive, or an image: `app.oci` or `app.oci.tar`, `oci:DIR[:TAG]`, or
    /// `oci://HOST/REPO[:TAG]` in a registry.
    /// Verifies it, and replaces an older environment atomically. Nothing is done if the same
    /// environment is already there.
    #[command(override_usage = "vpython [vpython flags] -vpython-tool unpack SOURCE DIR [options]")]
    Unpack(Unpack),
    /// Print shell completions for vpython
    ///
    /// SHELL is `bash`, `zsh`, `fish`, `elvish` or `powershell`.
    #[command(override_usage = "vpython -vpython-tool completions SHELL")]
    Completions,
    /// Print vpython's manual page, or write one for each tool
    ///
    /// With DIR, writes a page for each tool into it, too; DIR is created if it does not exist.
    #[command(override_usage = "vpython -vpython-tool man [DIR]")]
    Man,
    /// Convert LUCI specs to `vpython.toml` and `# /// script` blocks
    ///
    /// Each PATH is a spec, a script, or a directory to search; the default is the current
    /// directory. A file is written only if both formats resolve to the same plan here, as far as
    /// the available wheels allow.
    #[command(override_usage = "vpython [vpython flags] -vpython-tool upgrade [options] [PATH...]")]
    Upgrade(Upgrade),
}

/// The part of a command line that the parser sees.
#[derive(Debug, Parser)]
#[command(
    name = "vpython",
    bin_name = "vpython -vpython-tool",
    disable_help_subcommand = true,
    disable_help_flag = true
)]
pub(super) struct Line {
    #[command(subcommand)]
    tool: Tool,
}

impl Tool {
    /// Checks whether a script that its command line names must exist. `explain` reports a missing
    /// script itself, and `lock` also accepts a spec.
    #[must_use]
    pub fn needs_script(&self) -> bool {
        self.takes_command_line() && !matches!(self, Self::Explain(_) | Self::Lock(_))
    }

    /// Checks whether the words after its options are python's command line, not words of its own.
    #[must_use]
    pub fn takes_command_line(&self) -> bool {
        self.words().are_pythons()
    }

    fn words(&self) -> Words {
        match self {
            Self::Check(_)
            | Self::Explain(_)
            | Self::Fetch(_)
            | Self::Install
            | Self::Lock(_)
            | Self::Pack(_)
            | Self::Verify => Words::CommandLine,
            Self::Export(_) => Words::DirectoryThenCommandLine,
            Self::Exec => Words::Program,
            Self::List(_) | Self::Prune(_) => Words::None,
            Self::Completions | Self::Man | Self::Push(_) | Self::Relocate(_) | Self::Unpack(_) => {
                Words::Operands
            }
            Self::Upgrade(_) => Words::Paths,
        }
    }

    /// Parses a tool's name and its options, each `--name` or `--name=value`; `stray` is a word
    /// that the tool does not accept.
    ///
    /// # Errors
    /// There is no such tool, an option has an invalid value, or there is a stray word.
    pub(super) fn parse(
        name: &OsStr,
        options: &[OsString],
        stray: Option<&OsString>,
    ) -> Result<Self> {
        let command = command(name).ok_or_else(|| unknown(&name.to_string_lossy()))?;
        let line = [OsStr::new("vpython"), name]
            .into_iter()
            .chain(options.iter().map(OsString::as_os_str));
        let name = name.to_string_lossy();
        // A repeated option replaces the earlier one, as a repeated flag does.
        let parsed = Line::command()
            .mut_subcommands(|tool| tool.args_override_self(true))
            .try_get_matches_from(line);
        let tool = parsed
            .and_then(|matches| Line::from_arg_matches(&matches))
            .map_err(|error| {
                flags::refusal(&error, |option| {
                    format!("`--{option}` of `-vpython-tool {name}`")
                })
            })?
            .tool;
        // An invalid option is reported first: the stray word may be meant as its value.
        match stray {
            Some(word) => Err(surplus(&command, &word.to_string_lossy()).into()),
            None => Ok(tool),
        }
    }
}

/// Returns the kind of words that follow a tool's name; `None` if there is no such tool.
pub(super) fn words(tool: &OsStr) -> Option<Words> {
    Line::try_parse_from([OsStr::new("vpython"), tool])
        .ok()
        .map(|line| line.tool.words())
}

/// Returns the error for a word that a tool does not accept.
fn surplus(tool: &clap::Command, word: &str) -> Failure {
    let title = format!("`-vpython-tool {}`", tool.get_name());
    // A word without a dash is an argument, so no option can be suggested.
    if !word.starts_with('-') || word == "--" {
        return Failure::new(format!(
            "{title} takes only options, not the argument `{word}`"
        ));
    }
    let name = word
        .trim_start_matches('-')
        .split('=')
        .next()
        .unwrap_or_default();
    let hint = match nearest(name, tool.get_arguments().filter_map(clap::Arg::get_long)) {
        Some(known) => format!("did you mean `--{known}`?"),
        None if name.starts_with(flags::PREFIX) => "name one tool at a time".to_owned(),
        None if tool.get_name() == "fetch" => "put pip's options after `--`".to_owned(),
        None => {
            let lists = format!(
                "`{} -vpython-tool {} --help` lists the options",
                program(),
                tool.get_name()
            );
            let is_pythons = words(OsStr::new(tool.get_name())).is_some_and(Words::are_pythons);
            if is_pythons {
                lists + "; put the script's options after `--`"
            } else {
                lists
            }
        }
    };
    Failure::new(format!("{title} has no option `{word}`")).hint(hint)
}

/// Returns how an option of a tool takes its value; `None` if the tool has no such option, or there
/// is no such tool.
pub(super) fn arity(tool: &OsStr, option: &str) -> Option<Arity> {
    command(tool)?
        .get_arguments()
        .find(|argument| {
            argument
                .get_long_and_visible_aliases()
                .is_some_and(|names| names.contains(&option))
        })
        .map(|argument| match argument.get_action() {
            ArgAction::Append if argument.is_require_equals_set() => Arity::Names,
            action if action.takes_values() && !argument.is_require_equals_set() => Arity::Valued,
            _ => Arity::Switch,
        })
}

/// Takes the first word of a tool, which is the directory it works on.
///
/// # Errors
/// There is no such word.
pub(super) fn directory(tool: &OsStr, words: &mut Vec<OsString>) -> Result<OsString> {
    let name = tool.to_string_lossy();
    match (words.first(), command(tool)) {
        (Some(word), Some(command))
            if word != "--" && word.as_encoded_bytes().starts_with(b"-") =>
        {
            Err(surplus(&command, &word.to_string_lossy()).into())
        }
        (Some(word), _) if word != "--" && !word.is_empty() => Ok(words.remove(0)),
        _ => {
            let example = format!(
                "name it, as in `{} -vpython-tool {name} env script.py`",
                program()
            );
            Err(Failure::new(format!(
                "`-vpython-tool {name}` requires the directory to create"
            ))
            .hint(example)
            .into())
        }
    }
}

/// Returns the tools as they are declared.
pub(super) fn declared() -> Vec<clap::Command> {
    Line::command().get_subcommands().cloned().collect()
}

pub(super) fn command(tool: &OsStr) -> Option<clap::Command> {
    Line::command()
        .get_subcommands()
        .find(|command| tool == command.get_name())
        .cloned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;

    #[test]
    fn clap_accepts_the_declaration() {
        Line::command().debug_assert();
    }

    #[test]
    fn an_unknown_tool_is_an_error_with_the_nearest_name() {
        let error = Tool::parse(OsStr::new("instal"), &[], None).unwrap_err();
        expect![[r#"
            vpython: error: unknown tool `instal` for `-vpython-tool`
              hint: did you mean `-vpython-tool install`?
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn a_word_that_a_tool_does_not_accept_is_an_error() {
        let none = "`-vpython-tool prune` takes only options, not the argument `x`\n";
        let rows = [
            (
                "prune",
                "--dryrun",
                "`-vpython-tool prune` has no option `--dryrun`\n  hint: did you mean `--dry-run`?\n",
            ),
            (
                "prune",
                "-dry-run",
                "`-vpython-tool prune` has no option `-dry-run`\n  hint: did you mean `--dry-run`?\n",
            ),
            ("prune", "x", none),
            (
                "check",
                "--repiar",
                "`-vpython-tool check` has no option `--repiar`\n  hint: did you mean `--repair`?\n",
            ),
            (
                "install",
                "--quickly=1",
                "`-vpython-tool install` has no option `--quickly=1`\n  hint: `vpython -vpython-tool install --help` lists the options; put the script's options after `--`\n",
            ),
        ];
        for (tool, word, expected) in rows {
            let error = Tool::parse(OsStr::new(tool), &[], Some(&word.into())).unwrap_err();
            assert_eq!(
                crate::report::render(&error),
                format!("vpython: error: {expected}")
            );
        }
    }

    #[test]
    fn an_option_may_be_repeated_and_the_last_wins() {
        let words = [
            "--older-than=1d",
            "--dry-run",
            "--older-than=2d",
            "--dry-run",
        ]
        .map(OsString::from);
        let Tool::Prune(prune) = Tool::parse(OsStr::new("prune"), &words, None).unwrap() else {
            panic!()
        };
        assert_eq!(
            (prune.older_than, prune.dry_run),
            (Some(Duration::from_hours(48)), true)
        );
        let words = ["--upgrade=a", "--upgrade=b"].map(OsString::from);
        let Tool::Lock(lock) = Tool::parse(OsStr::new("lock"), &words, None).unwrap() else {
            panic!()
        };
        assert_eq!(lock.upgrade, ["a", "b"]);
        let error = Tool::parse(OsStr::new("prune"), &["--dry-run=1".into()], None).unwrap_err();
        assert_eq!(
            crate::report::render(&error),
            "vpython: error: `--dry-run` of `-vpython-tool prune` takes no value\n"
        );
    }
}
