//! Shell completions and manual pages, generated from the declarations of the flags and tools.

use std::str::FromStr;

use anyhow::{Context, Result};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;

use super::{flags, tool_help, tools};
use crate::report::{Failure, nearest, program};

/// The shells with completions.
const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

/// Returns the completion script for a shell, for the name under which vpython was started.
///
/// # Errors
/// The shell is not supported.
pub fn completions(shell: &str) -> Result<String> {
    let Some(known) = SHELLS
        .contains(&shell)
        .then(|| Shell::from_str(shell).ok())
        .flatten()
    else {
        let hint = match nearest(shell, SHELLS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the shells are: {}",
                SHELLS.map(|name| format!("`{name}`")).join(", ")
            ),
        };
        return Err(
            Failure::new(format!("no completions for the shell `{shell}`"))
                .hint(hint)
                .into(),
        );
    };
    // Only the completions for bash need the flags with one dash added.
    let mut text = Vec::new();
    clap_complete::generate(known, &mut completed(), program(), &mut text);
    let text = String::from_utf8(text).context("cannot generate the completions")?;
    Ok(if known == Shell::Bash {
        with_one_dash(&text)
    } else {
        text
    })
}

/// Returns the flags and the options of all tools as one command: to a shell, the value of a flag
/// cannot be a subcommand.
fn completed() -> Command {
    let tools = tools::declared();
    let values = tools.iter().map(|tool| {
        let about = tool
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        PossibleValue::new(tool.get_name().to_owned()).help(about)
    });
    let values = PossibleValuesParser::new(values);
    let mut command = flags::shown().mut_arg("tool", |argument| argument.value_parser(values));
    command = command.mut_args(|argument| match argument.get_id().as_str() {
        "root" | "wheels" => argument.value_hint(ValueHint::DirPath),
        "spec" | "trace" => argument.value_hint(ValueHint::FilePath),
        "interpreter" => argument.value_hint(ValueHint::ExecutablePath),
        _ => argument,
    });
    // Each option is added once, with the names of the tools that have it.
    for option in tools.iter().flat_map(Command::get_arguments) {
        let is_known = |known: &Arg| known.get_long() == option.get_long();
        if option.get_long().is_some() && !command.get_arguments().any(is_known) {
            let of = tools.iter().filter(|tool| {
                tool.get_arguments()
                    .any(|other| other.get_long() == option.get_long())
            });
            let of: Vec<&str> = of.map(Command::get_name).collect();
            let help = option
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let (id, help) = (
                format!("tool-{}", option.get_id()),
                format!("{}: {help}", of.join(", ")),
            );
            let option = match option.get_long() {
                // Not all shells support an optional value.
                Some(name) if option.is_require_equals_set() => Arg::new(id)
                    .long(name.to_owned())
                    .help(help)
                    .action(ArgAction::SetTrue),
                _ => option.clone().id(id).help(help),
            };
            command = command.arg(option);
        }
    }
    command.arg(
        Arg::new("words")
            .num_args(0..)
            .value_hint(ValueHint::FilePath),
    )
}

/// Extends the completions for bash to flags that begin with one dash.
fn with_one_dash(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let (one, two) = (
            format!("-{}", flags::PREFIX),
            format!("--{}", flags::PREFIX),
        );
        let code = line.trim_start();
        // The words that bash completes: put the form with one dash before each flag.
        if let Some(words) = code.strip_prefix("opts=\"") {
            let words = words
                .split(' ')
                .filter_map(|word| Some(word.strip_prefix(&*two)?.trim_end_matches('"')));
            let more: Vec<String> = words.map(|name| format!("{one}{name}")).collect();
            lines.push(line.replacen("opts=\"", &format!("opts=\"{} ", more.join(" ")), 1));
        // A `case` label, as `--vpython-root)`: accept the form with one dash there too.
        } else if code.starts_with(&*two) && code.ends_with(')') {
            lines.push(line.replacen(
                code,
                &format!("{code_or}{code}", code_or = code[1..].replace(')', "|")),
                1,
            ));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

/// Returns the manual pages with their file names: vpython's, and one for each tool.
///
/// # Errors
/// A page cannot be rendered.
pub fn manual() -> Result<Vec<(String, Vec<u8>)>> {
    let mut pages = vec![page(flags::shown(), "vpython".to_owned())?];
    for tool in tools::declared() {
        let name = tool.get_name().to_owned();
        pages.push(page(tool_help::shown(tool), format!("vpython-{name}"))?);
    }
    Ok(pages)
}

fn page(command: Command, name: String) -> Result<(String, Vec<u8>)> {
    let file = format!("{name}.1");
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.name(name));
    page.render(&mut text)
        .context("cannot generate the manual page")?;
    Ok((file, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_completions() {
        for shell in SHELLS {
            let text = completions(shell).unwrap();
            for word in ["vpython-root", "vpython-tool", "install", "with-python"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
        let rows = [
            ("basch", "did you mean `bash`?"),
            (
                "tcl",
                "the shells are: `bash`, `zsh`, `fish`, `elvish`, `powershell`",
            ),
        ];
        for (shell, hint) in rows {
            let expected =
                format!("vpython: error: no completions for the shell `{shell}`\n  hint: {hint}\n");
            assert_eq!(
                crate::report::render(&completions(shell).unwrap_err()),
                expected
            );
        }
    }

    #[test]
    fn there_is_a_page_for_each_tool() {
        let pages = manual().unwrap();
        assert_eq!(pages.len(), 1 + tools::declared().len());
        for (name, text) in pages {
            let text = String::from_utf8(text).unwrap();
            let title = name.trim_end_matches(".1");
            assert!(
                text.contains(&format!(".TH {title} 1")) && text.contains(".SH SYNOPSIS"),
                "{text}"
            );
        }
    }
}
