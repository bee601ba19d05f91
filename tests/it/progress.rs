//! The progress line, as a terminal of 24 rows and 80 columns gets it.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

use crate::support::{Fake, Launch, Wheel, World};

const COLUMNS: usize = 80;
/// The time limit for a line. It normally appears within half a second, but a busy machine takes
/// longer.
const SOON: Duration = Duration::from_secs(5);

/// A terminal on the standard error of a launch.
struct Terminal {
    child: Child,
    side: File,
    raw: String,
}

impl Terminal {
    fn open(launch: Launch) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: COLUMNS.try_into().unwrap(),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = openpty(Some(&size), None).unwrap();
        let child = launch
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stderr(Stdio::from(terminal.slave))
            .spawn();
        Self {
            child,
            side: terminal.master.into(),
            raw: String::new(),
        }
    }

    /// Reads more output; returns false when the other side is closed.
    fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        let length = self.side.read(&mut piece).unwrap_or(0);
        self.raw.push_str(str::from_utf8(&piece[..length]).unwrap());
        length > 0
    }

    /// Reads until one line of the screen matches.
    fn wait_for(&mut self, is_it: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        while !pieces(&self.raw).iter().any(|piece| is_it(piece)) {
            assert!(self.read(), "it ended instead: {:?}", self.raw);
            assert!(
                begin.elapsed() < SOON,
                "nothing was drawn in time: {:?}",
                self.raw
            );
        }
    }

    /// Reads to the end. Returns the exit code, the standard output, and the text on the screen.
    fn finish(mut self) -> (Option<i32>, String, String) {
        while self.read() {}
        let output = self.child.wait_with_output().unwrap();
        // Messages are not cut to the width.
        let is_said = |piece: &&str| {
            ["error: ", "fetching into "]
                .iter()
                .any(|said| piece.starts_with(&format!("vpython: {said}")))
        };
        let is_drawn = |piece: &&str| piece.starts_with("vpython: ") && !is_said(piece);
        for piece in pieces(&self.raw).into_iter().filter(is_drawn) {
            assert!(piece.chars().count() <= COLUMNS, "{piece:?} is too wide");
        }
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            screen(&self.raw),
        )
    }
}

/// The texts that were drawn from the beginning of a line.
fn pieces(raw: &str) -> Vec<&str> {
    raw.split(['\r', '\n'])
        .map(|piece| piece.strip_prefix("\x1b[2K").unwrap_or(piece))
        .collect()
}

/// The text on a screen after all output was written; the only control sequences are those that
/// clear a line and those that move up.
fn screen(raw: &str) -> String {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0, 0);
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        match character {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => {
                let sequence: String = rest
                    .by_ref()
                    .take_while(|character| !"KA".contains(*character))
                    .collect();
                match &*sequence {
                    "[2" => lines[row].clear(),
                    "[1" => row -= 1,
                    other => panic!("unknown sequence {other:?} in {raw:?}"),
                }
            }
            character => {
                let line: &mut Vec<char> = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = character;
                column += 1;
            }
        }
        if row == lines.len() {
            lines.push(Vec::new());
        }
    }
    let lines = lines
        .iter()
        .map(|line| line.iter().collect::<String>().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// An interpreter that waits for the file `gate` of the world: before it answers the probe, or, as
/// a compiler, after the first of two sources.
fn slow(world: &World, at: &str) -> Fake {
    let fake = Fake::new(world, "3.11.99");
    let script = std::fs::read_to_string(&fake.path).unwrap();
    let wait = format!(
        "until [ -e '{}' ]; do sleep 0.05; done",
        world.outside("gate").display()
    );
    let code = r"printf '\002\000\000\000ab'";
    let script = match at {
        "probe" => script.replace("    echo asked", &format!("    {wait}\n    echo asked")).replace(
            "echo run",
            "case \"$*\" in *'-m pip '*' wheel '*) echo 'pip speaks' >&2; sleep 0.7; exit 1;; *'-m pip '*) echo pip 24.0; exit;; esac\necho run",
        ),
        _ => script.replace(
            "echo run",
            &format!("case \"$*\" in *'byte code'*) echo 'byte code of x-1'; {code}; {wait}; {code}; exit;; esac\necho run"),
        ),
    };
    fake.rewrite(script.as_bytes());
    fake
}

fn open_gate(world: &World) {
    std::fs::write(world.outside("gate"), "").unwrap();
}

#[test]
fn a_launch_that_waits_for_the_interpreter_says_so_and_clears_the_line() {
    let world = World::new();
    let fake = slow(&world, "probe");
    let launch = || {
        world
            .vpython(["-c", "x"])
            .env("VPYTHON_INTERPRETER", &fake.path)
    };
    let mut terminal = Terminal::open(launch());
    terminal.wait_for(|piece| piece.starts_with("vpython: finding the interpreter | "));
    // The timer advances it.
    terminal.wait_for(|piece| piece.starts_with("vpython: finding the interpreter / "));
    open_gate(&world);
    let (code, output, screen) = terminal.finish();
    assert_eq!(
        (code, output.starts_with("<-s>\n<-c>\n<x>\n"), &*screen),
        (Some(0), true, ""),
        "{output}"
    );
    let mut warm = Terminal::open(launch());
    while warm.read() {}
    assert_eq!(warm.raw, "", "a warm launch draws nothing");
    assert_eq!(warm.finish().0, Some(0));
}

#[test]
fn an_error_leaves_no_progress_on_the_screen() {
    let world = World::new();
    let fake = slow(&world, "probe");
    world.write("vpython.toml", "dependencies = ['absent']\n");
    std::fs::create_dir(world.path("wheels")).unwrap();
    let mut terminal = Terminal::open(
        world
            .vpython(["-c", ""])
            .env("VPYTHON_INTERPRETER", &fake.path),
    );
    terminal.wait_for(|piece| piece.starts_with("vpython: finding the interpreter "));
    open_gate(&world);
    let (code, _, screen) = terminal.finish();
    assert_eq!(code, Some(125));
    assert!(
        screen.starts_with("vpython: error: ") && !screen.contains("finding"),
        "{screen}"
    );
}

#[test]
fn pip_has_the_terminal_for_itself() {
    let world = World::new();
    let fake = slow(&world, "probe");
    world.write("vpython.toml", "dependencies = ['absent']\n");
    let fetch = world
        .vpython(["-vpython-tool", "fetch", "--build"])
        .env("VPYTHON_INTERPRETER", &fake.path);
    let mut terminal = Terminal::open(fetch);
    terminal.wait_for(|piece| piece.starts_with("vpython: finding the interpreter "));
    open_gate(&world);
    while terminal.read() {}
    let (_, while_pip_runs) = terminal.raw.split_once("pip speaks").expect("pip is run");
    let (while_pip_runs, _) = while_pip_runs
        .split_once("vpython: error: ")
        .expect("it cannot fetch");
    assert_eq!(while_pip_runs, "\r\n");
    let (code, _, screen) = terminal.finish();
    let is_shown = |text: &str| screen.lines().any(|line| line.starts_with(text));
    assert_eq!(
        (
            code,
            is_shown("pip speaks"),
            is_shown("vpython: fetching into ")
        ),
        (Some(125), true, true),
        "{screen}"
    );
    assert!(
        !screen.contains("finding") && !screen.contains("choosing"),
        "{screen}"
    );
}

#[test]
fn a_bar_moves_with_each_file() {
    let world = World::new();
    let fake = slow(&world, "compiler");
    let source = "x = 1\n".repeat(100);
    world.wheel(
        &Wheel::new("two", "1")
            .file("two/a.py", &source)
            .file("two/b.py", &source),
    );
    world.write("vpython.toml", "dependencies = ['two']\n");
    let install = || {
        world
            .vpython(["-vpython-tool", "install"])
            .env("VPYTHON_INTERPRETER", &fake.path)
    };
    let mut terminal = Terminal::open(install());
    terminal
        .wait_for(|piece| piece.starts_with("vpython: compiling [") && piece.ends_with("]  50%"));
    open_gate(&world);
    let (code, output, screen) = terminal.finish();
    assert_eq!(code, Some(0));
    assert!(
        screen.starts_with("vpython: 1 wheel, ") && screen.lines().count() == 1,
        "{screen}"
    );
    let environment = world.path(output.trim_end());
    assert!(
        environment
            .join("lib/python3.11/site-packages/two/__pycache__/b.x-1.pyc")
            .is_file()
    );
}
