//! Reading of an [`Invocation`]: the action that the command line requests, and the flags merged
//! with environment variables and `vpython.conf`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::flags::Flags;
use super::{Action, Chosen, Conf, Fetching, Invocation, LogLevel, Target, Tool, Wheels};
use super::{interpreter, root, split, tool_help, tools};
use crate::fs;
use crate::process::{Process, variable};

impl Invocation {
    /// Parses a command line.
    ///
    /// # Errors
    /// An unknown vpython flag, a missing or invalid value, or an unknown tool.
    pub fn read(process: &Process) -> Result<Self> {
        let conf = Conf::read(process)?;
        let mut split = split::split(&process.arguments)?;
        let mut flags = Flags::parse(&split.own)?;
        // Choose the action. Help wins over a tool, and a tool over a run.
        let mut action = match flags.tool.as_deref().filter(|name| !name.is_empty()) {
            _ if split.names_no_tool => Action::ToolHelp(tool_help::list()),
            Some(help) if tool_help::is_help(help) => {
                Action::ToolHelp(match split.python.first() {
                    Some(tool) => tool_help::help(tool)?,
                    None => tool_help::list(),
                })
            }
            Some(tool) if flags.help => Action::ToolHelp(tool_help::help(tool)?),
            _ if flags.help => Action::Help,
            _ if flags.version => Action::Version,
            Some(tool) => Action::Tool(Tool::parse(tool, &split.tool, split.stray.as_ref())?),
            None => Action::Run,
        };
        // Some tools take arguments of their own from python's command line.
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
        // `-vpython-tool lock requirements.txt` is short for `-vpython-spec requirements.txt`.
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
        // The flags that belong to the tool are not repeated in suggested commands.
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

    /// Merges flags, variables and `vpython.conf`. A flag overrides its variable, which overrides
    /// the file; an empty value counts as not given, except for the store's root.
    ///
    /// # Errors
    /// A directory name begins with `~`.
    fn with_variables(
        action: Action,
        flags: Flags,
        words: Vec<OsString>,
        conf: Conf,
        process: &Process,
    ) -> Result<Self> {
        // An empty flag or variable counts as not given.
        let given = |flag: Option<OsString>, name: &str| {
            flag.filter(|value| !value.is_empty())
                .or_else(|| process.setting(name).map(OsStr::to_owned))
        };
        let path = |flag: Option<OsString>, name: &str| {
            Some(process.absolute(given(flag, name)?.as_ref()))
        };
        let named = given(flags.interpreter, variable::INTERPRETER);
        let (interpreter, interpreter_image) = match named {
            Some(named) => interpreter::read(named, process)?,
            None => (None, None),
        };
        // LUCI's variable for logging has no level.
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
            shared_roots: root::read_shared(&conf, process)?,
            spec: flags
                .spec
                .filter(|spec| !spec.is_empty())
                .map(|spec| process.absolute(spec.as_ref())),
            default_spec: given(None, variable::DEFAULT_SPEC)
                .map(PathBuf::from)
                .or_else(|| conf.default_spec.as_ref().map(|spec| spec.value.clone())),
            interpreter,
            interpreter_image,
            wheels: Wheels::read(&flags.wheels, &conf, process)?,
            fetching: Fetching::read(flags.fetch, flags.offline, process)?,
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

/// Checks whether the file name of the first word is that of a spec: requirements, a `.toml` file,
/// or LUCI's format.
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
    use super::super::WheelsSource;
    use super::super::tests::read;
    use super::*;

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
            by_variables.wheels.of_caller,
            [PathBuf::from("/one"), PathBuf::from("/here/two")].map(Into::into)
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
            by_flags.wheels.of_caller,
            [PathBuf::from("/here/w"), PathBuf::from("/x")].map(Into::into)
        );
        assert_eq!(by_flags.wheels.source, WheelsSource::Flag);
        assert_eq!(by_flags.log_level, Some(LogLevel::Error));
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
    fn a_tool_accepts_a_spec_in_place_of_a_script() {
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
                    "the word is not taken as a spec there"
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
        let later = read(&["-vpython-tool", "install", "x.py", "b.toml"], &[]).unwrap();
        assert_eq!(
            (later.spec, later.target),
            (None, Target::Script("x.py".into()))
        );
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
