//! The `-vpython-*` flags, declared once: their names, values and help come from here.
//!
//! The parser sees only vpython's own words, each with its value after `=`, as [`super::split`]
//! leaves them. A run without such words does not enter it.

use std::ffi::OsString;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, Parser, ValueEnum};

use super::tool_help;
use crate::report::{Failure, nearest, program};

/// The maximum width of help, however wide the terminal is.
pub(super) const MAX_WIDTH: usize = 100;

/// The headings of the flags in the help; the default is [`ENVIRONMENT`].
const ENVIRONMENT: &str = "Environment";
const TOOLS: &str = "Tools";
const DIAGNOSTICS: &str = "Diagnostics";

/// The prefix of vpython's flags after the dashes.
pub(super) const PREFIX: &str = "vpython-";

/// The flags as they were typed, not looked up yet.
#[derive(Debug, Default, Parser)]
#[command(
    name = "vpython",
    bin_name = "vpython",
    about = "Runs a Python program in exactly the environment that it requires.",
    override_usage = "vpython [vpython flags] [python options] [script | -m module | -c command | -] [arguments]",
    after_help = "Flags may begin with one dash or two. They come first; the first other word begins python's own command line, which is passed on unchanged.\n\n\
                  Exit codes of vpython itself: 125 (bad flag, bad spec, no fitting wheel, cannot build), 126 (the interpreter cannot be \
                  executed), 127 (no interpreter found).",
    disable_help_flag = true,
    args_override_self = true,
    next_help_heading = ENVIRONMENT
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub(super) struct Flags {
    /// The directory of the store; empty for a throw-away store, removed when the run ends
    /// [env: `VPYTHON_VIRTUALENV_ROOT`; default: vpython-root.UID in the user's cache directory]
    #[arg(long = "vpython-root", value_name = "DIR")]
    pub root: Option<OsString>,

    /// The spec to use, instead of searching for one [env, for programs without a spec:
    /// `VPYTHON_DEFAULT_SPEC`]
    #[arg(long = "vpython-spec", value_name = "FILE")]
    pub spec: Option<OsString>,

    /// Include this extra of a `pyproject.toml`; may be repeated, after a tool also as --extra
    #[arg(long = "vpython-extra", value_name = "NAME", action = ArgAction::Append)]
    pub extras: Vec<String>,

    /// Include this dependency group of a `pyproject.toml`; may be repeated, after a tool also as
    /// --group
    #[arg(long = "vpython-group", value_name = "NAME", action = ArgAction::Append)]
    pub groups: Vec<String>,

    /// Run a tool on the environment instead of python; NAME --help prints its options
    #[arg(long = "vpython-tool", help_heading = TOOLS, value_name = "NAME")]
    pub tool: Option<OsString>,

    /// The interpreter: an executable, a directory with bin/python3, a version such as 3.12, or an
    /// image, `oci://HOST/REPO@sha256:DIGEST` [env: `VPYTHON_INTERPRETER`]
    #[arg(long = "vpython-interpreter", value_name = "PATH")]
    pub interpreter: Option<OsString>,

    /// Keep a link `.venv` to the environment next to the spec, for editors
    #[arg(long = "vpython-local-venv", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
          value_parser = boolean())]
    pub local_venv: bool,

    /// Fetch missing wheels from the package index, if the wheel directories do not have them [env:
    /// `VPYTHON_FETCH`]
    #[arg(long = "vpython-fetch", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_possible_values = true, value_parser = boolean())]
    pub fetch: Option<bool>,

    /// Do not use the network, whatever else asks for it [env: `VPYTHON_OFFLINE`]
    #[arg(long = "vpython-offline", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_possible_values = true, value_parser = boolean())]
    pub offline: Option<bool>,

    /// Reject wheels that violate the specifications, and wheels that install different files at
    /// the same path
    #[arg(long = "vpython-strict", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
          value_parser = boolean())]
    pub strict: bool,

    /// Use the locked or pinned versions, and accept wheels with any digest
    #[arg(long = "vpython-unlocked", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
          value_parser = boolean())]
    pub unlocked: bool,

    /// A directory of wheels or an image layout `oci:DIR[:TAG]`, in addition to those of the spec;
    /// may be repeated [env: `VPYTHON_WHEELS`, a path list]
    #[arg(long = "vpython-wheels", value_name = "DIR", action = ArgAction::Append)]
    pub wheels: Vec<OsString>,

    /// LUCI's flag for `upgrade`, accepted in front of the tool; ignored elsewhere, as LUCI does.
    #[arg(long = "vpython-keep-legacy", hide = true, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = boolean())]
    pub keep_legacy: bool,

    /// The amount of logging on stderr [env: `VPYTHON_LOG_TRACE`, any text for debug]
    #[arg(long = "vpython-log-level", help_heading = DIAGNOSTICS, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,

    /// Write the timing of each part of the run to FILE, in Chrome's trace format [env:
    /// `VPYTHON_TRACE`]
    #[arg(long = "vpython-trace", help_heading = DIAGNOSTICS, value_name = "FILE")]
    pub trace: Option<OsString>,

    /// Print this help, then python's
    #[arg(long, short, help_heading = DIAGNOSTICS, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false,
          default_missing_value = "true", hide_default_value = true, hide_possible_values = true, value_parser = boolean())]
    pub help: bool,

    /// Print vpython's version
    #[arg(long = "vpython-version", help_heading = DIAGNOSTICS, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
          value_parser = boolean())]
    pub version: bool,
}

/// The amount of logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    /// Only errors.
    Error,
    /// Errors and warnings; the default.
    Warning,
    /// Actions, too.
    Info,
    /// Decisions and their inputs, too.
    Debug,
}

/// Parses the words for a boolean that LUCI's flags accepted: `-vpython-version=false`.
fn boolean() -> impl clap::builder::TypedValueParser<Value = bool> {
    clap::builder::BoolishValueParser::new()
}

/// How a flag takes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    /// `-flag` or `-flag=VALUE`.
    Switch,
    /// `-flag VALUE` or `-flag=VALUE`.
    Valued,
    /// `--flag`, `--flag NAME NAME` or `--flag=NAME,NAME`: the words after the flag that can be
    /// project names count as its values.
    Names,
}

impl Flags {
    /// Parses vpython's own words, as [`super::split`] leaves them.
    pub fn parse(own: &[OsString]) -> Result<Self> {
        if own.is_empty() {
            return Ok(Self::default());
        }
        let words = std::iter::once(OsString::from("vpython")).chain(own.iter().cloned());
        Self::try_parse_from(words)
            .map_err(|error| refusal(&error, |flag| format!("`-{flag}`")).into())
    }

    /// Returns how the flag of this name, without dashes, takes its value; `None` if there is no
    /// such flag.
    pub fn arity(name: &str) -> Option<Arity> {
        let command = Self::command();
        let argument = command.get_arguments().find(|argument| {
            argument.get_long() == Some(name)
                || argument
                    .get_short()
                    .is_some_and(|short| name == short.encode_utf8(&mut [0; 4]))
        })?;
        Some(if argument.is_require_equals_set() {
            Arity::Switch
        } else {
            Arity::Valued
        })
    }

    /// Returns the error for a word with the prefix of vpython's flags that is not a flag.
    pub fn unknown(name: &str) -> Failure {
        let command = Self::command();
        // The common prefix would make any two flags look similar.
        let own_part = |flag| str::strip_prefix(flag, PREFIX);
        let known = command
            .get_arguments()
            .filter_map(clap::Arg::get_long)
            .filter_map(own_part);
        let hint = nearest(own_part(name).unwrap_or(name), known).map_or_else(
            || {
                format!(
                    "`{} -h` lists the flags; put flags for the program itself after its name",
                    program()
                )
            },
            |known| format!("did you mean `-{PREFIX}{known}`?"),
        );
        Failure::new(format!("unknown flag `-{name}`")).hint(hint)
    }
}

/// Returns vpython's help.
#[must_use]
pub fn help() -> String {
    called(shown())
        .max_term_width(MAX_WIDTH)
        .render_help()
        .to_string()
}

/// Adapts a command's usage to the name by which the program was started.
pub(super) fn called(command: clap::Command) -> clap::Command {
    match command.get_overridden_usage().map(ToString::to_string) {
        Some(usage) => command.override_usage(usage.replacen("vpython", program(), 1)),
        None => command,
    }
}

/// The flags as help shows them: switches without their optional value.
pub(super) fn shown() -> clap::Command {
    let names = tool_help::names().join(", ");
    let command = Flags::command().mut_args(|argument| {
        // clap would show the optional value, as in `--flag[=true]`.
        let is_switch = argument.is_require_equals_set();
        if is_switch {
            argument
                .require_equals(false)
                .num_args(0)
                .hide_possible_values(false)
                .hide_default_value(false)
                .action(ArgAction::SetTrue)
        } else {
            argument
        }
    });
    // clap cannot list the tools, since the flag takes any text: a misspelled name has a better
    // error later.
    command.mut_arg("tool", |argument| {
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        argument.help(format!("{help}. The tools: {names}"))
    })
}

/// Converts the parser's error to a [`Failure`]; `title` formats the name of a flag or option.
pub(super) fn refusal(error: &clap::Error, title: impl Fn(&str) -> String) -> Failure {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    // The argument is named with its value, as in `--vpython-log-level <LEVEL>`.
    let argument = context(ContextKind::InvalidArg);
    let flag = argument
        .trim_start_matches('-')
        .split([' ', '[', '='])
        .next()
        .unwrap_or_default();
    let value = context(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::InvalidValue => {
            let failure = Failure::new(format!("invalid value `{value}` for {}", title(flag)));
            match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(valid)) if !valid.is_empty() => failure.hint(format!(
                    "the values are: {}",
                    valid
                        .iter()
                        .map(|v| format!("`{v}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
                _ => failure,
            }
        }
        ErrorKind::ValueValidation => {
            let example = match flag {
                "older-than" => "write a number with a unit, such as `30d`",
                "max-size" => "write a number with a unit, such as `10GiB`",
                _ => "the values are: `true`, `false`",
            };
            Failure::new(format!("invalid value `{value}` for {}", title(flag))).hint(example)
        }
        ErrorKind::TooManyValues => Failure::new(format!("{} takes no value", title(flag))),
        _ => Failure::new("cannot read vpython's flags")
            .because(error.to_string().trim_end().replace('\n', " ")),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn clap_accepts_the_declaration() {
        Flags::command().debug_assert();
    }

    #[test]
    fn an_invalid_value_names_flag_value_and_choices() {
        let error = Flags::parse(&["--vpython-log-level=loud".into()]).unwrap_err();
        expect![[r#"
            vpython: error: invalid value `loud` for `-vpython-log-level`
              hint: the values are: `error`, `warning`, `info`, `debug`
        "#]]
        .assert_eq(&crate::report::render(&error));
        let error = Flags::parse(&["--vpython-version=perhaps".into()]).unwrap_err();
        expect![[r#"
            vpython: error: invalid value `perhaps` for `-vpython-version`
              hint: the values are: `true`, `false`
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn the_last_of_equal_flags_wins() {
        let flags = Flags::parse(&[
            "--vpython-root=a".into(),
            "--vpython-root=b".into(),
            "--help".into(),
            "--help=false".into(),
        ])
        .unwrap();
        assert_eq!(flags.root, Some("b".into()));
        assert!(!flags.help);
    }
}
