//! What activation changes in a shell, and that it changes nothing where it fails.

use super::{Kind, Shell, inside, outside};
use crate::movable::{Form, world};
use crate::support::Python;

#[test]
fn a_second_environment_takes_the_place_of_the_first() {
    let world = world(Python::any());
    let first = Form::Copy.make(&world);
    let second = Form::Entry.make(&world);
    for shell in Shell::all() {
        let scripts = [&first, &second].map(|environment| environment.join(shell.kind.script()));
        let said = shell.run(
            &world,
            "SOURCE 1\nSOURCE 2\nSTATE\nSOURCE 1\nSTATE\ndeactivate\nSTATE\n",
            &scripts,
        );
        let [one, other] = [
            inside(&world, &first, "(exported) "),
            inside(&world, &second, "(vpython) "),
        ];
        let expected = format!("{other}{one}{}", outside(&world));
        assert_eq!(
            (said.code, &*said.raw_stdout, &*said.stderr),
            (Some(0), &*expected, ""),
            "{:?}: {said}",
            shell.words
        );
    }
}

#[test]
fn activating_replaces_the_environment_of_another_tool_and_vice_versa() {
    let world = world(Python::any());
    let ours = Form::Copy.make(&world);
    let venv = world.path("venv");
    let words = ["-m", "venv", "--without-pip", venv.to_str().unwrap()];
    assert_eq!(world.program(&world.python.path, words).run().code, Some(0));
    for shell in Shell::all()
        .iter()
        .filter(|shell| ["bash", "fish", "tcsh", "zsh"].contains(&shell.words[0]))
    {
        let scripts = [&venv, &ours].map(|environment| environment.join(shell.kind.script()));
        let said = shell.run(
            &world,
            "SOURCE 1\nSOURCE 2\nSTATE\nSOURCE 1\nSOURCE 2\nSTATE\ndeactivate\nSTATE\n",
            &scripts,
        );
        let state = inside(&world, &ours, "(exported) ");
        let expected = format!("{state}{state}{}", outside(&world));
        // The script of `venv` for csh does not change PYTHONHOME.
        assert_eq!(
            (said.code, &*said.raw_stdout, &*said.stderr),
            (Some(0), &*expected, ""),
            "{:?}: {said}",
            shell.words
        );
    }
}

#[test]
fn where_activation_fails_the_shell_stays_as_it_is() {
    let world = world(Python::any());
    let first = Form::Copy.make(&world);
    let entry = Form::Entry.make(&world);
    for name in ["without", "co:lon"] {
        world
            .program(
                "/bin/cp",
                [entry.as_os_str(), "-r".as_ref(), world.path(name).as_ref()],
            )
            .run()
            .prints("");
    }
    // One environment has no python, and the name of the other cannot be on `PATH`.
    std::fs::remove_file(world.path("without/bin/python")).unwrap();
    for shell in Shell::all() {
        for (name, message, of_csh) in [
            (
                "without",
                "there is no python in `[WORLD]/work/without/bin`",
                "there is no python beside the file",
            ),
            (
                "co:lon",
                "a directory on PATH cannot have a `:` in its name, as `[WORLD]/work/co:lon/bin` has",
                "a directory on PATH cannot have a colon in its name, as that of the file has",
            ),
        ] {
            let script = shell.kind.script();
            let message = if shell.kind == Kind::Csh {
                of_csh
            } else {
                message
            };
            // Another environment is active before, and stays active.
            let said = shell.run(
                &world,
                "FORGIVE\nSOURCE 1\nSOURCE 2\nSTATE\ndeactivate\nSTATE\n",
                &[first.join(script), world.path(name).join(script)],
            );
            let expected = format!(
                "{}{}",
                inside(&world, &first, "(exported) "),
                outside(&world)
            );
            let message = format!("{}: {message}\n", script.trim_start_matches("bin/"));
            assert_eq!(
                (&*said.raw_stdout, &*said.stderr),
                (&*expected, &*message),
                "{:?}: {said}",
                shell.words
            );
        }
    }
}

#[test]
fn a_shell_that_cannot_find_the_path_of_the_file_reports_it() {
    let world = world(Python::any());
    let environment = Form::Copy.make(&world);
    for shell in Shell::all() {
        let script = shell.kind.script();
        let launch = world
            .program("/usr/bin/env", shell.words)
            .input(std::fs::read(environment.join(script)).unwrap());
        let said = launch.env("TERM", "dumb").run();
        let message = format!(
            "{}: this shell does not tell where the file is; put the directory that it is in first on PATH instead\n",
            script.trim_start_matches("bin/")
        );
        assert_eq!(
            (&*said.stdout, &*said.stderr),
            ("", &*message),
            "{:?}: {said}",
            shell.words
        );
    }
}

#[test]
fn no_prompt_runs_what_a_directory_is_named_after() {
    let world = world(Python::any());
    let environment = world.path("$(touch ran)%!`touch ran`");
    std::fs::rename(Form::Copy.make(&world), &environment).unwrap();
    for shell in Shell::all() {
        let said = shell.run(
            &world,
            "SOURCE 1\nSTATE\n",
            &[environment.join(shell.kind.script())],
        );
        let prompt = if shell.kind == Kind::Fish {
            "($(touch ran)%!`touch ran`) "
        } else {
            "(environment) "
        };
        let expected = inside(&world, &environment, prompt);
        assert_eq!(
            (said.code, &*said.raw_stdout, &*said.stderr),
            (Some(0), &*expected, ""),
            "{:?}: {said}",
            shell.words
        );
    }
    assert!(!world.path("ran").exists());
}

#[test]
fn the_prompt_is_unchanged_on_request() {
    let world = world(Python::any());
    let environment = Form::Copy.make(&world);
    for shell in Shell::all() {
        let launch = world
            .program("/usr/bin/env", [""; 0])
            .env("VIRTUAL_ENV_DISABLE_PROMPT", "1");
        let script = environment.join(shell.kind.script());
        let said = shell
            .lines(
                launch,
                &world,
                "SOURCE 1\nSTATE\ndeactivate\nSTATE\n",
                &[script],
            )
            .run();
        let expected = format!("{}{}", inside(&world, &environment, ""), outside(&world));
        assert_eq!(
            (said.code, &*said.raw_stdout, &*said.stderr),
            (Some(0), &*expected, ""),
            "{:?}: {said}",
            shell.words
        );
    }
}
