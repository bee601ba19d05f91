//! What was typed: vpython's own options, and python's command line with the target that it names.
//!
//! Nothing is looked up here. The words for python stay as they were typed, and are read only to
//! find the target.

mod chosen;
mod conf;
mod documents;
mod flags;
mod options;
mod python;
mod root;
mod settings;
mod split;
mod tools;
mod wheels;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

pub use chosen::Chosen;
pub use conf::Conf;
pub use documents::{completions, manual};
pub use flags::{LogLevel, help};
pub use options::{
    Additions, Check, Explain, Export, Fetch, List, Lock, Pack, Prune, Relocate, Unpack, Upgrade,
};
pub use python::Target;
pub use settings::Setting;
pub use tools::Tool;
pub use wheels::{Wheels, WheelsSource};

use crate::fs;
use crate::process::{Process, variable};
use crate::report::{self, Failure, shell_word};
use flags::Flags;

/// One command line of vpython's, with the variables that stand for flags that were not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// What is to be done.
    pub action: Action,
    /// Where the store is, if told.
    pub root: Option<PathBuf>,
    /// Whether the store is to be removed when the run ends. Its root is not known before it is
    /// made.
    pub is_throw_away: bool,
    /// The one spec to use, if told.
    pub spec: Option<PathBuf>,
    /// The spec of a program that has none, as it was named: a relative path may be one from the
    /// program's directory on.
    pub default_spec: Option<PathBuf>,
    /// The interpreter, if told: an executable, a bundle's directory, or a version. A word without
    /// a slash stays as it was typed.
    pub interpreter: Option<PathBuf>,
    /// Wheelhouses beside those of the spec.
    pub wheels: Wheels,
    /// Whether a link to the environment is kept beside the spec.
    pub local_venv: bool,
    /// What is chosen of a `pyproject.toml`.
    pub chosen: Chosen,
    /// Whether what is sloppy about wheels is an error.
    pub strict: bool,
    /// Our own flags as they were typed, each in one word, without the one that names a tool.
    pub own_words: Vec<OsString>,
    /// What `vpython.conf` says.
    pub conf: Conf,
    /// How much is logged, if told.
    pub log_level: Option<LogLevel>,
    /// The file for a trace of the run, if told.
    pub trace: Option<PathBuf>,
    /// Python's command line, behind the program's name, word by word.
    pub words: Vec<OsString>,
    /// What these words make python run.
    pub target: Target,
    /// The effective user id.
    pub user: u32,
}

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run python.
    Run,
    /// Print vpython's help, then python's.
    Help,
    /// Print vpython's version.
    Version,
    /// Print this help of a tool, or this list of the tools.
    ToolHelp(String),
    /// Do this with the environment.
    Tool(Tool),
}

impl Invocation {
    /// Reads a command line.
    ///
    /// # Errors
    /// An unknown flag of ours, a missing or bad value, an unknown tool.
    pub fn read(process: &Process) -> Result<Self> {
        let conf = Conf::read(process)?;
        let mut split = split::split(&process.arguments)?;
        let mut flags = Flags::parse(&split.own)?;
        let mut action = match flags.tool.as_deref().filter(|name| !name.is_empty()) {
            _ if split.names_no_tool => Action::ToolHelp(tools::list()),
            Some(help) if tools::is_help(help) => Action::ToolHelp(match split.python.first() {
                Some(tool) => tools::help(tool)?,
                None => tools::list(),
            }),
            Some(tool) if flags.help => Action::ToolHelp(tools::help(tool)?),
            _ if flags.help => Action::Help,
            _ if flags.version => Action::Version,
            Some(tool) => Action::Tool(Tool::parse(tool, &split.tool, split.stray.as_ref())?),
            None => Action::Run,
        };
        if let Action::Tool(Tool::Fetch(fetch)) = &mut action
            && let Some(dashes) = split.python.iter().position(|word| word == "--")
        {
            fetch.pip_options = split.python.split_off(dashes).split_off(1);
        }
        if let Action::Tool(Tool::Upgrade(upgrade)) = &mut action {
            upgrade.keep_legacy |= flags.keep_legacy;
        }
        if let Action::Tool(Tool::Export(export)) = &mut action {
            let directory = tools::directory(OsStr::new("export"), &mut split.python)?;
            export.directory = fs::plain_place(process.absolute(Path::new(&directory)));
        }
        if let Action::Tool(tool) = &action
            && tool.takes_command_line()
            && flags.spec.as_ref().is_none_or(|spec| spec.is_empty())
            && split.python.first().is_some_and(|word| names_spec(word))
        {
            let spec = split.python.remove(0);
            let mut word = OsString::from("--vpython-spec=");
            word.push(&spec);
            split.own.push(word);
            flags.spec = Some(spec);
        }
        let of_tool = ["--vpython-tool=", "--vpython-keep-legacy"].map(str::as_bytes);
        let is_of_tool = |word: &OsString| {
            of_tool
                .iter()
                .any(|name| word.as_encoded_bytes().starts_with(name))
        };
        let own_words = split
            .own
            .into_iter()
            .filter(|word| !is_of_tool(word))
            .collect();
        Ok(Self {
            own_words,
            ..Self::with_variables(action, flags, split.python, conf, process)?
        })
    }

    /// Joins flags, variables and `vpython.conf`; a flag beats its variable, which beats the file,
    /// and an empty value is none, except that of the root.
    ///
    /// # Errors
    /// A directory whose name begins with `~`.
    fn with_variables(
        action: Action,
        flags: Flags,
        words: Vec<OsString>,
        conf: Conf,
        process: &Process,
    ) -> Result<Self> {
        let given = |flag: Option<OsString>, name: &str| {
            flag.filter(|value| !value.is_empty())
                .or_else(|| process.setting(name).map(OsStr::to_owned))
        };
        let path = |flag: Option<OsString>, name: &str| {
            Some(process.absolute(given(flag, name)?.as_ref()))
        };
        let interpreter = |flag: Option<OsString>| {
            let given = given(flag, variable::INTERPRETER)?;
            Some(if given.as_encoded_bytes().contains(&b'/') {
                process.absolute(given.as_ref())
            } else {
                given.into()
            })
        };
        let debug = process
            .setting(variable::LOG_TRACE)
            .map(|_| LogLevel::Debug);
        let (root, is_throw_away) = root::read(flags.root.as_deref(), process)?;
        Ok(Self {
            target: match &action {
                Action::Help => Target::None,
                Action::Tool(tool) if !tool.takes_command_line() => Target::None,
                _ => Target::of(&words),
            },
            action,
            root: root.or_else(|| {
                conf.root
                    .as_ref()
                    .filter(|_| !is_throw_away)
                    .map(|root| root.value.clone())
            }),
            is_throw_away,
            spec: flags
                .spec
                .filter(|spec| !spec.is_empty())
                .map(|spec| process.absolute(spec.as_ref())),
            default_spec: given(None, variable::DEFAULT_SPEC)
                .map(PathBuf::from)
                .or_else(|| conf.default_spec.as_ref().map(|spec| spec.value.clone())),
            interpreter: interpreter(flags.interpreter),
            wheels: Wheels::read(&flags.wheels, &conf, process)?,
            local_venv: flags.local_venv,
            chosen: Chosen {
                extras: flags.extras,
                groups: flags.groups,
                unlocked: flags.unlocked,
            },
            strict: flags.strict,
            own_words: Vec::new(),
            conf,
            log_level: flags.log_level.or(debug),
            trace: path(flags.trace, variable::TRACE),
            words,
            user: process.user,
        })
    }
}

/// Refuses a directory in the user's home that the shell has not put in its place.
fn refuse_tilde(directory: &OsStr, named_by: &str) -> Result<()> {
    if !directory.as_encoded_bytes().starts_with(b"~") {
        return Ok(());
    }
    let directory = directory.to_string_lossy();
    let failure = Failure::new(format!("cannot use the directory `{directory}`"));
    let why = format!(
        "`{named_by}` names it, and the shell leaves a `~` as it is where it is quoted or behind a flag's `=`"
    );
    let hint = match directory.strip_prefix("~/") {
        Some(rest) => format!("write `$HOME/{rest}`, or `./{directory}` if it is called so"),
        None => format!("write its whole path, or `./{directory}` if it is called so"),
    };
    Err(failure.because(why).hint(hint).into())
}

impl Invocation {
    /// Prints what the caller should know, unless he wants to hear of errors alone.
    pub fn warn<'a>(&self, warnings: impl IntoIterator<Item = &'a String>) {
        if self
            .log_level
            .is_none_or(|level| level >= LogLevel::Warning)
        {
            report::warnings(warnings);
        }
    }

    /// Prints a remark, unless only errors are wanted.
    pub fn notice(&self, text: impl FnOnce() -> String) {
        if self
            .log_level
            .is_none_or(|level| level >= LogLevel::Warning)
        {
            report::notice(&text());
        }
    }

    /// Whether the program is what stands on standard input, unless that is a terminal. A tool
    /// reads it only where it is named: it may be called where nobody will ever close that.
    #[must_use]
    pub fn runs_input(&self) -> bool {
        match (&self.action, &self.target) {
            (Action::Run, Target::Stdin | Target::None) | (Action::Tool(_), Target::Stdin) => {
                python::runs_input(&self.words)
            }
            _ => false,
        }
    }

    /// What to type to have a tool work on the environment of this command line.
    #[must_use]
    pub fn command_of_tool(&self, tool: &str) -> String {
        let own = self
            .own_words
            .iter()
            .map(|word| word.to_string_lossy().replacen("--vpython", "-vpython", 1));
        let target = match &self.target {
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

/// Whether a word in place of a script names a spec, by the file's name: requirements, a `.toml`
/// file, or LUCI's form.
fn names_spec(word: &OsStr) -> bool {
    let name = Path::new(word)
        .file_name()
        .unwrap_or_default()
        .as_encoded_bytes();
    let endings: [&[u8]; 5] = [b".txt", b".in", b".toml", b".vpython", b".vpython3"];
    !word.as_encoded_bytes().starts_with(b"-")
        && endings.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Invocation> {
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
    fn a_flag_beats_its_variable() {
        let environment = [
            (variable::ROOT, "/root-v"),
            (variable::INTERPRETER, "/python-v"),
            (variable::WHEELS, "/one::two"),
            (variable::LOG_TRACE, "1"),
        ];
        let by_variables = read(&["x.py"], &environment).unwrap();
        assert_eq!(by_variables.root.unwrap(), PathBuf::from("/root-v"));
        assert_eq!(
            by_variables.interpreter.unwrap(),
            PathBuf::from("/python-v")
        );
        assert_eq!(
            by_variables.wheels.directories,
            [PathBuf::from("/one"), PathBuf::from("/here/two")]
        );
        assert_eq!(by_variables.wheels.source, WheelsSource::Variable);
        assert_eq!(by_variables.log_level, Some(LogLevel::Debug));
        let arguments = [
            "-vpython-root",
            "r",
            "--vpython-wheels=w",
            "-vpython-wheels",
            "/x",
            "-vpython-log-level=error",
            "x.py",
        ];
        let by_flags = read(&arguments, &environment).unwrap();
        assert_eq!(by_flags.root.unwrap(), PathBuf::from("/here/r"));
        assert_eq!(
            by_flags.wheels.directories,
            [PathBuf::from("/here/w"), PathBuf::from("/x")]
        );
        assert_eq!(by_flags.wheels.source, WheelsSource::Flag);
        assert_eq!(by_flags.log_level, Some(LogLevel::Error));
    }

    #[test]
    fn a_tilde_that_the_shell_has_left_is_refused() {
        let why = "names it, and the shell leaves a `~` as it is where it is quoted or behind a flag's `=`";
        let rows: [(&[&str], &[(&str, &str)], String); 4] = [
            (
                &["x.py"],
                &[(variable::WHEELS, "/one:~/wheels")],
                format!(
                    "`~/wheels`\n  caused by: `VPYTHON_WHEELS` {why}\n  hint: write `$HOME/wheels`, or `./~/wheels`"
                ),
            ),
            (
                &["-vpython-wheels=~", "x.py"],
                &[],
                format!(
                    "`~`\n  caused by: `-vpython-wheels` {why}\n  hint: write its whole path, or `./~`"
                ),
            ),
            (
                &["x.py"],
                &[(variable::ROOT, "~/root")],
                format!(
                    "`~/root`\n  caused by: `VPYTHON_VIRTUALENV_ROOT` {why}\n  hint: write `$HOME/root`, or `./~/root`"
                ),
            ),
            (
                &["-vpython-root=~me/root", "x.py"],
                &[(variable::ROOT, "/root")],
                format!(
                    "`~me/root`\n  caused by: `-vpython-root` {why}\n  hint: write its whole path, or `./~me/root`"
                ),
            ),
        ];
        for (arguments, environment, rest) in rows {
            let message =
                format!("vpython: error: cannot use the directory {rest} if it is called so\n");
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
    fn an_empty_value_is_none() {
        let invocation = read(
            &["-vpython-spec", "", "x.py"],
            &[(variable::DEFAULT_SPEC, "")],
        )
        .unwrap();
        assert_eq!((invocation.spec, invocation.default_spec), (None, None));
    }

    #[test]
    fn a_tool_is_an_action() {
        let invocation = read(
            &["-vpython-tool", "install", "-vpython-root=/r", "x.py", "-x"],
            &[],
        )
        .unwrap();
        assert_eq!(
            (invocation.action, invocation.root),
            (Action::Tool(Tool::Install), Some("/r".into()))
        );
        assert_eq!(invocation.words, ["x.py", "-x"]);
        assert_eq!(
            read(&["-vpython-tool", "", "x.py"], &[]).unwrap().action,
            Action::Run,
            "an empty name is none"
        );
    }

    #[test]
    fn a_spec_may_stand_in_place_of_a_script_of_a_tool() {
        let specs = [
            "requirements.txt",
            "a/pylock.toml",
            "pylock.x.toml",
            "vpython.toml",
            ".vpython3",
            "x.vpython",
            "pyproject.toml",
        ];
        for spec in specs {
            for tool in [
                "install", "check", "fetch", "verify", "explain", "lock", "pack",
            ] {
                let short = read(&["-vpython-tool", tool, spec, "-x", "y"], &[]).unwrap();
                let long = read(
                    &["-vpython-tool", tool, "-vpython-spec", spec, "-x", "y"],
                    &[],
                )
                .unwrap();
                assert_eq!(short, long);
            }
            let short = read(&["-vpython-tool", "export", "e", spec], &[]).unwrap();
            assert_eq!(
                short,
                read(
                    &["-vpython-spec", spec, "-vpython-tool", "export", "e"],
                    &[]
                )
                .unwrap()
            );
            for words in [
                &["-vpython-tool", "exec", spec][..],
                &["-vpython-tool", "upgrade", spec],
                &[spec],
            ] {
                assert_eq!(
                    read(words, &[]).unwrap().spec,
                    None,
                    "it is no script there"
                );
            }
        }
        let other = read(
            &["-vpython-spec=a.toml", "-vpython-tool", "install", "b.toml"],
            &[],
        )
        .unwrap();
        assert_eq!(
            (other.spec, other.target),
            (Some("/here/a.toml".into()), Target::Script("b.toml".into()))
        );
        let behind = read(&["-vpython-tool", "install", "x.py", "b.toml"], &[]).unwrap();
        assert_eq!(
            (behind.spec, behind.target),
            (None, Target::Script("x.py".into()))
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

    #[test]
    fn help_looks_for_the_spec_of_an_interactive_run() {
        let invocation = read(&["-h", "x.py"], &[]).unwrap();
        assert_eq!(
            (invocation.action, invocation.target),
            (Action::Help, Target::None)
        );
    }
}
