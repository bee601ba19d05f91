//! The tools as vpython shows them: the help of each, their list, and the error for an unknown
//! name.

use std::ffi::OsStr;

use anyhow::Result;
use clap::CommandFactory;
use clap::builder::Resettable;

use super::flags;
use super::tools::{Line, command};
use crate::report::{Failure, nearest, program};

/// Returns the help of a tool.
///
/// # Errors
/// There is no such tool.
pub(super) fn help(tool: &OsStr) -> Result<String> {
    let command = command(tool).ok_or_else(|| unknown(&tool.to_string_lossy()))?;
    Ok(flags::called(shown(command))
        .bin_name(program())
        .max_term_width(flags::MAX_WIDTH)
        .render_help()
        .to_string())
}

/// The command as help shows it: the full text, in the terse layout.
pub(super) fn shown(command: clap::Command) -> clap::Command {
    let about = command
        .get_long_about()
        .or(command.get_about())
        .cloned()
        .unwrap_or_default();
    let command = command.about(about).long_about(Resettable::Reset);
    let name = command.get_name().to_owned();
    let usage =
        format!("vpython [vpython flags] -vpython-tool {name} [options] [python command line]");
    let usage = command
        .get_overridden_usage()
        .map_or(usage, ToString::to_string);
    command.override_usage(usage)
}

/// Checks whether the word in place of a tool's name requests help.
pub(super) fn is_help(name: &OsStr) -> bool {
    ["help", "--help", "-help", "-h"]
        .iter()
        .any(|help| name == *help)
}

/// Returns the list of tools, one per line.
pub(super) fn list() -> String {
    let command = Line::command();
    let width = command
        .get_subcommands()
        .map(|tool| tool.get_name().len())
        .max()
        .unwrap_or_default();
    let line = |tool: &clap::Command| {
        let about = tool
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        format!("{:width$}  {about}\n", tool.get_name())
    };
    command.get_subcommands().map(line).collect()
}

/// Returns the names of the tools, for the help of the flag.
pub(super) fn names() -> Vec<String> {
    Line::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
}

pub(super) fn unknown(name: &str) -> Failure {
    let names = names();
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(known) => format!("did you mean `-vpython-tool {known}`?"),
        None => {
            format!(
                "the tools are: {}",
                names
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
    };
    Failure::new(format!("unknown tool `{name}` for `-vpython-tool`")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_a_tool_is_its_own() {
        let text = help(OsStr::new("install")).unwrap();
        assert!(
            text.starts_with("Build the environment of the command line, and print its path\n"),
            "{text}"
        );
        assert!(
            text.contains("Usage: vpython [vpython flags] -vpython-tool install [options] [python command line]\n"),
            "{text}"
        );
        let text = help(OsStr::new("fetch")).unwrap();
        assert!(
            text.contains("Words after `--` are pip's options"),
            "{text}"
        );
        assert!(
            text.contains("\n      --upgrade[=<NAME>]      Fetch the newest versions"),
            "{text}"
        );
        assert!(
            text.ends_with("\n  -h, --help                  Print help\n"),
            "{text}"
        );
    }

    #[test]
    fn no_line_of_help_is_longer_than_a_hundred_columns() {
        let tools = names()
            .into_iter()
            .map(|name| help(OsStr::new(&name)).unwrap());
        for text in tools.chain([list(), flags::help()]) {
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
        assert!(
            !flags::help().contains("BOOL"),
            "a switch is shown without a value"
        );
    }
}
