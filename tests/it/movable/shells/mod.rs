//! Activation by each installed shell: it finds its environment wherever it is sourced, and
//! deactivation restores the previous state.

mod state;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Form, Place, Relocated, tour, world};
use crate::support::{Launch, Outcome, Python, World, has_strace, write_with_mode};

/// A shell, and the options with which it reads a file and none of the user's own.
struct Shell {
    words: &'static [&'static str],
    kind: Kind,
}

/// The activation script that a shell reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sh,
    Fish,
    Csh,
}

const SHELLS: [Shell; 10] = [
    Shell {
        words: &["bash", "--norc"],
        kind: Kind::Sh,
    },
    Shell {
        words: &["bash", "--posix"],
        kind: Kind::Sh,
    },
    Shell {
        words: &["busybox", "sh"],
        kind: Kind::Sh,
    },
    Shell {
        words: &["dash"],
        kind: Kind::Sh,
    },
    Shell {
        words: &["ksh"],
        kind: Kind::Sh,
    },
    Shell {
        words: &["mksh"],
        kind: Kind::Sh,
    },
    Shell {
        words: &["zsh", "-f"],
        kind: Kind::Sh,
    },
    Shell {
        words: &["fish"],
        kind: Kind::Fish,
    },
    Shell {
        words: &["bsd-csh", "-f"],
        kind: Kind::Csh,
    },
    Shell {
        words: &["tcsh", "-f"],
        kind: Kind::Csh,
    },
];

impl Shell {
    /// The installed shells.
    fn all() -> &'static [&'static Self] {
        static FOUND: OnceLock<Vec<&Shell>> = OnceLock::new();
        let is_there = |shell: &&'static Self| {
            let is_there = ["/usr/bin", "/bin"]
                .iter()
                .any(|directory| Path::new(directory).join(shell.words[0]).exists());
            if !is_there {
                not_tested!("there is no {}", shell.words[0]);
            }
            is_there
        };
        FOUND.get_or_init(|| SHELLS.iter().filter(is_there).collect())
    }

    /// This shell, to run lines (see [`Kind::translate`]) whose arguments are these paths. `PYTHONHOME`
    /// is set.
    fn lines<'a>(
        &self,
        launch: Launch<'a>,
        world: &World,
        lines: &str,
        paths: &[PathBuf],
    ) -> Launch<'a> {
        let text = self.kind.translate(lines);
        let file = world.outside(&format!(
            "lines/{}",
            vpython::testing::fs::Digest::of(text.as_bytes())
        ));
        if !file.exists() {
            write_with_mode(&file, text.as_bytes(), 0o644);
        }
        let launch = launch
            .arguments(self.words)
            .arguments([file])
            .arguments(paths);
        launch.env("TERM", "dumb").env("PYTHONHOME", "/nowhere")
    }

    fn run(&self, world: &World, lines: &str, paths: &[PathBuf]) -> Outcome {
        self.lines(world.program("/usr/bin/env", [""; 0]), world, lines, paths)
            .run()
    }
}

impl Kind {
    fn script(self) -> &'static str {
        match self {
            Self::Sh => "bin/activate",
            Self::Fish => "bin/activate.fish",
            Self::Csh => "bin/activate.csh",
        }
    }

    /// Lines in the language of the shell: `SOURCE 1` reads the file that the first argument names,
    /// `STATE` prints what activation changes, `FORGIVE` makes the shell continue after a failure.
    /// Other lines are the same in each shell.
    fn translate(self, lines: &str) -> String {
        let variables =
            "/usr/bin/env | grep -E '^(VIRTUAL_ENV|VIRTUAL_ENV_PROMPT|PYTHONHOME|PATH)=' | sort\n";
        let [begin, prompt, forgive] = match self {
            Self::Sh => [
                "set -eu\nPS1='> '\n",
                "printf '%s\\n' \"$PS1\"\n",
                "set +e\n",
            ],
            Self::Fish => [
                "function fish_prompt; echo -n '> '; end\n",
                "fish_prompt; echo\n",
                "",
            ],
            Self::Csh => ["set prompt = '> '\n", "printf '%s\\n' \"$prompt:q\"\n", ""],
        };
        let translate = |line: &str| match (line.strip_prefix("SOURCE "), self) {
            (Some(number), Self::Sh) => format!(". \"${number}\"\n"),
            (Some(number), Self::Fish) => format!("source \"$argv[{number}]\"\n"),
            (Some(number), Self::Csh) => format!("source \"${number}\"\n"),
            _ if line == "STATE" => format!("{variables}{prompt}"),
            _ if line == "FORGIVE" => forgive.to_owned(),
            _ => format!("{line}\n"),
        };
        begin.to_owned() + &lines.lines().map(translate).collect::<String>()
    }
}

/// The output of `STATE` in an environment.
fn inside(world: &World, environment: &Path, prompt: &str) -> String {
    let name = environment.file_name().unwrap().to_str().unwrap();
    let name = if environment.starts_with(world.store("envs")) {
        "vpython"
    } else {
        name
    };
    let environment = environment.display();
    let outer = world.search_path();
    format!(
        "PATH={environment}/bin:{outer}\nVIRTUAL_ENV={environment}\nVIRTUAL_ENV_PROMPT={name}\n{prompt}> \n"
    )
}

/// The output of `STATE` before activation and after deactivation.
fn outside(world: &World) -> String {
    format!("PATH={}\nPYTHONHOME=/nowhere\n> \n", world.search_path())
}

/// Checks that the environment is found, used and deactivated when its script is sourced by this
/// path from that directory.
#[track_caller]
fn works(moved: &Relocated, shell: &Shell, script: PathBuf, within: &Path) {
    let lines =
        "SOURCE 1\nSTATE\npython -c 'import movable; movable.main()'\nmovable\ndeactivate\nSTATE\n";
    let launch = shell.lines(moved.program("/usr/bin/env"), moved.world, lines, &[script]);
    let said = launch.within(within).run();
    let named = said
        .raw_stdout
        .lines()
        .find_map(|line| line.strip_prefix("VIRTUAL_ENV="))
        .unwrap_or_default()
        .to_owned();
    // A shell that does not report the path of the sourced file leads to the real path.
    let is_right = Path::new(&named) == moved.environment
        || std::fs::canonicalize(&moved.environment).is_ok_and(|real| real == Path::new(&named));
    assert!(is_right, "{:?}: {said}", shell.words);
    let environment = Path::new(&named);
    let name = if moved.place == Place::Made {
        "vpython"
    } else {
        environment.file_name().unwrap().to_str().unwrap()
    };
    let prompt = format!("({name}) ");
    let expected = format!(
        "{}{named}\n{named}\n{}",
        inside(moved.world, environment, &prompt),
        outside(moved.world)
    );
    assert_eq!(
        (said.code, &*said.raw_stdout, &*said.stderr),
        (Some(0), &*expected, ""),
        "{:?}: {said}",
        shell.words
    );
}

#[test]
fn each_shell_finds_the_environment_at_each_path() {
    let world = world(Python::any());
    let places = [Place::Made, Place::Long, Place::Linked, Place::ReadOnly];
    tour(&world, &Form::Entry.make(&world), &places, |moved| {
        for shell in Shell::all() {
            works(
                moved,
                shell,
                moved.path(shell.kind.script()),
                &world.path(""),
            );
        }
    });
}

#[test]
fn each_shell_finds_the_environment_however_its_script_is_called() {
    let world = world(Python::any());
    tour(&world, &Form::Copy.make(&world), &[Place::Odd], |moved| {
        let [links, bin] = [world.outside("some links"), moved.path("bin")];
        std::fs::create_dir_all(links.join("deep")).unwrap();
        std::os::unix::fs::symlink(&bin, links.join("bin")).unwrap();
        std::os::unix::fs::symlink(bin.join("python3"), links.join("python")).unwrap();
        for shell in Shell::all() {
            let script = shell.kind.script();
            let name = script.trim_start_matches("bin/");
            let link = links.join(format!("to-{name}"));
            if !link.exists() {
                std::os::unix::fs::symlink(moved.path(script), &link).unwrap();
            }
            let up = Path::new("..")
                .join(moved.environment.file_name().unwrap())
                .join(script);
            #[rustfmt::skip]
            let rows: [(PathBuf, &Path); 6] = [
                (moved.path(script), Path::new("/")),
                (script.into(), &moved.environment),
                (Path::new(".").join(name), &bin),
                (up, &moved.environment),
                (link, Path::new("/")),
                (links.join(script), Path::new("/")),
            ];
            for (script, within) in rows {
                works(moved, shell, script, within);
            }
        }
    });
}

#[test]
fn the_documented_example_is_what_is_printed() {
    let page = include_str!("../../../../docs/environments.md");
    let example = page
        .split_once("<!-- activated -->\n```console\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let world = world(Python::any());
    std::fs::rename(Form::Copy.make(&world), world.path("env")).unwrap();
    let commands = example.lines().filter_map(|line| line.split_once("$ "));
    let show = |(_, command): (&str, &str)| {
        format!(
            "printf '%s\\n' \"$PS1\"{}\n{command}\n",
            shlex::try_quote(command).unwrap()
        )
    };
    let lines: String = commands.map(show).collect();
    let lines = format!("PS1='$ '\n{lines}echo \"${{PS1% }}\"\n")
        .replace("/srv", world.outside("work").to_str().unwrap());
    let said = world.program("/bin/bash", ["-c", &lines]).run();
    said.prints(&example.replace("/srv", "[WORLD]/work"));
}

#[test]
fn bash_zsh_and_fish_start_no_process_for_it() {
    if !has_strace() {
        return;
    }
    let world = world(Python::any());
    let environment = Form::Copy.make(&world);
    for shell in Shell::all()
        .iter()
        .filter(|shell| ["bash", "zsh", "fish"].contains(&shell.words[0]))
    {
        let words = [
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=fork,vfork,clone,clone3",
            "-e",
            "signal=none",
        ];
        let launch = world.program("/usr/bin/env", words);
        let said = shell
            .lines(
                launch,
                &world,
                "SOURCE 1\ndeactivate\n",
                &[environment.join(shell.kind.script())],
            )
            .run();
        let calls = said
            .stderr
            .lines()
            .filter(|line| !line.contains("CLONE_THREAD"));
        assert_eq!(
            (said.code, calls.collect::<Vec<_>>()),
            (Some(0), vec![]),
            "{said}"
        );
    }
}
