//! The options that a line may have, as pip declares them:
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
    /// Digests that a wheel may have.
    #[arg(long, allow_hyphen_values = true)]
    pub hash: Vec<String>,
    /// Directories of wheels.
    #[arg(long, short, allow_hyphen_values = true)]
    pub find_links: Vec<String>,
    /// Whether pre-releases count.
    #[arg(long)]
    pub pre: bool,
    /// Whether no wheel without a digest will do.
    #[arg(long)]
    pub require_hashes: bool,
    /// A project to be imported from where it is developed.
    #[arg(long, short, allow_hyphen_values = true)]
    pub editable: Vec<String>,
    #[arg(long, visible_alias = "pypi-url", short, allow_hyphen_values = true)]
    pub index_url: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    pub extra_index_url: Vec<String>,
    /// Projects to be built from source.
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
    // What follows changes nothing: there is no index, and there are wheels only.
    #[arg(long, action = ArgAction::Count)]
    no_index: u8,
    #[arg(long, allow_hyphen_values = true)]
    only_binary: Vec<String>,
    #[arg(long, action = ArgAction::Count)]
    prefer_binary: u8,
    #[arg(long, allow_hyphen_values = true)]
    trusted_host: Vec<String>,
    #[arg(long, allow_hyphen_values = true)]
    use_feature: Vec<String>,
}

impl Options {
    /// Reads the part of a line that begins with its first option. The error says what is wrong, as
    /// a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words =
            shlex::split(text).ok_or_else(|| format!("`{text}` has a quote that is not closed"))?;
        Self::try_parse_from(words).map_err(|error| refusal(&error))
    }
}

/// Cuts a line where its first option begins: at a word that begins with a dash.
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

/// The parser's error as a sentence.
fn refusal(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // An option is named with its value, as in `--hash <HASH>`.
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let option = argument.split([' ', '[']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if !argument.starts_with('-') => {
            format!("`{argument}` stands behind the options")
        }
        ErrorKind::UnknownArgument => {
            let command = Options::command();
            let known = command.get_arguments().filter_map(clap::Arg::get_long);
            let hint = nearest(argument.trim_start_matches('-'), known)
                .map(|near| format!("; did you mean `--{near}`?"));
            format!("unknown option `{argument}`{}", hint.unwrap_or_default())
        }
        // An empty value, or none.
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
            "a beginning that is no other's, and quotes"
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
            "said twice"
        );
        assert!(read("--no-index --pre --trusted-host x --only-binary :all: --prefer-binary").pre);
    }

    #[test]
    fn what_is_wrong_with_options_is_said() {
        let rows = [
            (
                "--haash=x",
                "unknown option `--haash`; did you mean `--hash`?",
            ),
            ("--zzz", "unknown option `--zzz`"),
            ("-z", "unknown option `-z`"),
            ("-r", "`--requirement` needs a value"),
            ("--pre=yes", "`--pre` takes no value"),
            ("-r a.txt b.txt", "`b.txt` stands behind the options"),
            ("-r 'a.txt", "`-r 'a.txt` has a quote that is not closed"),
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
