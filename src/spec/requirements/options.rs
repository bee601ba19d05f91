//! The options that a line may have, as declared by pip:
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options>.

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, Parser};

use crate::report::nearest;

/// The options of one line.
#[derive(Debug, Default, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    infer_long_args = true,
    args_override_self = true
)]
pub(super) struct Options {
    /// Another file of requirements.
    #[arg(long, short, allow_hyphen_values = true)]
    pub requirement: Vec<String>,
    /// Another file of constraints.
    #[arg(long, short, allow_hyphen_values = true)]
    pub constraint: Vec<String>,
    /// The accepted digests of the wheel.
    #[arg(long, allow_hyphen_values = true)]
    pub hash: Vec<String>,
    /// Wheel directories, or pages of links.
    #[arg(long, short, allow_hyphen_values = true)]
    pub find_links: Vec<String>,
    /// Whether pre-releases are candidates.
    #[arg(long)]
    pub pre: bool,
    /// Whether each wheel must have one of the given digests.
    #[arg(long)]
    pub require_hashes: bool,
    /// Projects to import from their source directories.
    #[arg(long, short, allow_hyphen_values = true)]
    pub editable: Vec<String>,
    /// The index instead of PyPI.
    #[arg(long, visible_alias = "pypi-url", short, allow_hyphen_values = true)]
    pub index_url: Vec<String>,
    /// Further indexes.
    #[arg(long, allow_hyphen_values = true)]
    pub extra_index_url: Vec<String>,
    /// Projects to build from source.
    #[arg(long, allow_hyphen_values = true)]
    pub no_binary: Vec<String>,
    #[arg(
        long,
        visible_alias = "config-setting",
        short = 'C',
        allow_hyphen_values = true
    )]
    pub config_settings: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    pub global_option: Vec<String>,
    /// Whether indexes are not used.
    #[arg(long, action = ArgAction::Count)]
    pub no_index: u8,
    /// Hosts that may be reached by plain HTTP.
    #[arg(long, allow_hyphen_values = true)]
    pub trusted_host: Vec<String>,
    // The following options have no effect: vpython installs only wheels.
    #[arg(long, allow_hyphen_values = true)]
    only_binary: Vec<String>,
    #[arg(long, action = ArgAction::Count)]
    prefer_binary: u8,
    #[arg(long, allow_hyphen_values = true)]
    use_feature: Vec<String>,
}

impl Options {
    /// Parses the part of a line that begins with its first option. The error is a whole sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Most lines have none, and the declaration of the options is built for each parse.
        if text.is_empty() {
            return Ok(Self::default());
        }
        let words = shlex::split(text).ok_or_else(|| format!("`{text}` has an unclosed quote"))?;
        Self::try_parse_from(words).map_err(|error| refusal(&error))
    }
}

/// Splits a line before its first option: the first word that begins with a dash.
pub(super) fn split(line: &str) -> (&str, &str) {
    let mut start = 0;
    for word in line.split(' ') {
        if word.starts_with('-') {
            return (line[..start].trim_end(), &line[start..]);
        }
        start += word.len() + 1;
    }
    (line, "")
}

/// Converts the parser's error to a sentence.
fn refusal(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // The parser reports an option with its value, as in `--hash <HASH>`.
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let option = argument.split([' ', '[']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if !argument.starts_with('-') => {
            format!("`{argument}` must precede the options")
        }
        ErrorKind::UnknownArgument => {
            let command = Options::command();
            let known = command.get_arguments().filter_map(clap::Arg::get_long);
            let hint = nearest(argument.trim_start_matches('-'), known)
                .map(|near| format!("; did you mean `--{near}`?"));
            format!("unknown option `{argument}`{}", hint.unwrap_or_default())
        }
        // An empty or missing value.
        ErrorKind::InvalidValue => format!("`{option}` needs a value"),
        ErrorKind::TooManyValues => format!("`{option}` takes no value"),
        _ => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_line_is_cut_at_its_first_option() {
        let rows = [
            ("a==1", ("a==1", "")),
            ("a==1 --hash=x -y", ("a==1", "--hash=x -y")),
            ("-r b.txt", ("", "-r b.txt")),
            (
                "a ; python_version < '3' --pre",
                ("a ; python_version < '3'", "--pre"),
            ),
            ("my-project  -c x", ("my-project", "-c x")),
        ];
        for (line, expected) in rows {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn options_are_read_as_pip_reads_them() {
        let read = |text| Options::parse(text).unwrap();
        assert_eq!(read("-r a.txt").requirement, ["a.txt"]);
        assert_eq!(read("-ra.txt").requirement, ["a.txt"]);
        assert_eq!(read("--requirement=a.txt").requirement, ["a.txt"]);
        assert_eq!(
            read("--requirem 'a b.txt'").requirement,
            ["a b.txt"],
            "an unambiguous prefix, and quotes"
        );
        assert_eq!(
            read("--hash=sha256:a --hash sha256:b").hash,
            ["sha256:a", "sha256:b"]
        );
        assert_eq!(
            read("-f -house --find-links --x").find_links,
            ["-house", "--x"],
            "values with dashes"
        );
        assert_eq!(
            read("-Ca=b -C --x=y --config-setting c=d").config_settings,
            ["a=b", "--x=y", "c=d"]
        );
        assert!(
            read("--pre --pre").pre && read("--require-hashes --require-hashes").require_hashes,
            "given twice"
        );
        assert!(read("--no-index --pre --trusted-host x --only-binary :all: --prefer-binary").pre);
    }

    #[test]
    fn mistakes_in_options_are_reported() {
        let rows = [
            (
                "--haash=x",
                "unknown option `--haash`; did you mean `--hash`?",
            ),
            ("--zzz", "unknown option `--zzz`"),
            ("-z", "unknown option `-z`"),
            ("-r", "`--requirement` needs a value"),
            ("--pre=yes", "`--pre` takes no value"),
            ("-r a.txt b.txt", "`b.txt` must precede the options"),
            ("-r 'a.txt", "`-r 'a.txt` has an unclosed quote"),
        ];
        for (text, expected) in rows {
            assert_eq!(
                Options::parse(text).map(drop),
                Err(expected.to_owned()),
                "{text}"
            );
        }
    }
}
