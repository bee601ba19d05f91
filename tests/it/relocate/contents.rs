//! The files that `relocate` rewrites, and those that it only reports.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use super::{SCRIPT, VERIFY, relocate, relocated, shift, site, venv, works};
use crate::support::{World, start, write_with_mode};

#[test]
fn an_unusual_prefix_is_quoted_as_each_file_needs_and_rewritten_back() {
    let world = World::new();
    let mut place = venv(&world, "env");
    let first = place.clone();
    for name in [
        "a b/env",
        "it's $HOME \"x\"/`env`",
        "\u{fc}\u{4e2d}/env",
        &format!("{}env", "long/".repeat(40)),
        "plain",
    ] {
        let new = world.path(name);
        shift(&place, &new);
        relocated(&world, &new);
        works(&world, &new, &[&first]);
        place = new;
    }
    let script = std::fs::read_to_string(place.join("bin/tool")).unwrap();
    assert_eq!(script, format!("#!{}/bin/python{SCRIPT}", place.display()));
}

#[test]
fn a_script_that_must_keep_its_first_lines_still_starts() {
    let world = World::new();
    let old = venv(&world, "env");
    let rest = "\"\"\"Says it.\"\"\"\nfrom __future__ import annotations\nprint(__doc__)\n";
    write_with_mode(
        &old.join("bin/doc"),
        format!("#!{}/bin/python -s\n{rest}", old.display()).as_bytes(),
        0o755,
    );
    let new = world.path("a b/env");
    shift(&old, &new);
    relocated(&world, &new);
    world
        .program(new.join("bin/doc"), [""; 0])
        .run()
        .prints("Says it.\n");
    assert!(
        std::fs::read_to_string(new.join("bin/doc"))
            .unwrap()
            .ends_with(rest)
    );
    symlink(new.join("bin/doc"), world.outside("bin/doc")).unwrap();
    world
        .program("/bin/sh", ["-c", "doc"])
        .run()
        .prints("Says it.\n");
}

#[test]
fn parts_with_different_prefixes_are_all_rewritten() {
    let world = World::new();
    let first = venv(&world, "first");
    let [second, third] = ["second", "third"].map(|name| world.path(name));
    shift(&first, &second);
    // A script that was added at the second path, and a RECORD that another tool left unchanged.
    write_with_mode(
        &second.join("bin/late"),
        format!("#!{}/bin/python\nprint('late')\n", second.display()).as_bytes(),
        0o755,
    );
    let half = format!("#!{}/bin/python{SCRIPT}", second.display());
    write_with_mode(&second.join("bin/tool"), half.as_bytes(), 0o751);
    shift(&second, &third);
    let activate = third.join("bin/activate");
    let text = std::fs::read_to_string(&activate).unwrap();
    std::fs::write(
        &activate,
        text.replace(first.to_str().unwrap(), third.to_str().unwrap()),
    )
    .unwrap();
    relocated(&world, &third);
    works(&world, &third, &[&first, &second]);
    world
        .program(third.join("bin/late"), [""; 0])
        .run()
        .prints("late\n");
}

#[test]
fn a_record_that_another_tool_left_wrong_is_corrected() {
    let world = World::new();
    let old = venv(&world, "env");
    let new = world.path("moved");
    shift(&old, &new);
    write_with_mode(
        &new.join("bin/tool"),
        format!("#!{}/bin/python{SCRIPT}", new.display()).as_bytes(),
        0o751,
    );
    relocated(&world, &new);
    works(&world, &new, &[&old]);
}

#[test]
fn editable_projects_are_found_at_their_new_path_or_reported_missing() {
    let world = World::new();
    let old = venv(&world, "old/project/.venv");
    let inside = site(&world, &old);
    for directory in [
        "old/project/src",
        "old/project/.venv/src/inner",
        "elsewhere",
        "gone",
    ] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    let path = |name: &str| world.path(name).display().to_string();
    // Path files, links and finders of editable projects, inside and outside of the moved tree.
    std::fs::write(
        inside.join("_project.pth"),
        format!("{}\n", path("old/project/src")),
    )
    .unwrap();
    std::fs::write(
        inside.join("easy-install.pth"),
        format!(
            "{}\nimport os; x = '{}'\n",
            path("old/project/.venv/src/inner"),
            path("old/project/.venv")
        ),
    )
    .unwrap();
    std::fs::write(
        inside.join("inner.egg-link"),
        format!("{}\n.", path("old/project/.venv/src/inner")),
    )
    .unwrap();
    std::fs::write(inside.join("else.pth"), path("elsewhere")).unwrap();
    std::fs::write(inside.join("gone.pth"), path("gone")).unwrap();
    let mapping = format!(
        "MAPPING: dict[str, str] = {{'a': '{}', 'b': '{}'}}\n",
        path("old/project/src"),
        path("gone")
    );
    std::fs::write(inside.join("__editable___a_1_finder.py"), mapping).unwrap();
    let origin = format!(
        "{{\"dir_info\": {{\"editable\": true}}, \"url\": \"file://{}\"}}",
        path("old/project")
    );
    std::fs::write(inside.join("tool-1.dist-info/direct_url.json"), origin).unwrap();
    // One project has disappeared, and the others move with the tree.
    std::fs::remove_dir(world.path("gone")).unwrap();
    shift(&world.path("old"), &world.path("a new"));
    let new = world.path("a new/project/.venv");
    let outcome = relocate(&world, &new).run();
    let lib = format!("lib/python3.{}/site-packages", world.python.minor);
    // Only the files that name the missing project cause a warning.
    outcome
        .replacing(&lib, "[SITE]")
        .fails_with(1, expect![[r#"
            vpython: warning: cannot fix `[SITE]/__editable___a_1_finder.py`: it imports from `[WORLD]/work/gone`, which does not exist
            vpython: warning: cannot fix `[SITE]/gone.pth`: it imports from `[WORLD]/work/gone`, which does not exist
        "#]]);
    // All other files name the new paths.
    let read = |file: &str| std::fs::read_to_string(site(&world, &new).join(file)).unwrap();
    assert_eq!(
        read("_project.pth"),
        format!("{}\n", path("a new/project/src"))
    );
    let (inner, own) = (
        path("a new/project/.venv/src/inner"),
        path("a new/project/.venv"),
    );
    assert_eq!(
        read("easy-install.pth"),
        format!("{inner}\nimport os; x = '{own}'\n")
    );
    assert_eq!(read("inner.egg-link"), format!("{inner}\n."));
    assert_eq!(read("else.pth"), path("elsewhere"));
    assert_eq!(
        read("__editable___a_1_finder.py"),
        format!(
            "MAPPING: dict[str, str] = {{'a': '{}', 'b': '{}'}}\n",
            path("a new/project/src"),
            path("gone")
        )
    );
    assert!(read("tool-1.dist-info/direct_url.json").contains(&format!(
        "\"file://{}\"",
        path("a new/project").replace(' ', "%20")
    )));
    works(&world, &new, &[]);
}

#[test]
fn files_with_the_old_prefix_that_cannot_be_rewritten_are_reported() {
    let world = World::new();
    let old = venv(&world, "env");
    std::fs::write(
        site(&world, &old).join("x.so"),
        format!("\u{7f}ELF\0{}/lib\0", old.display()),
    )
    .unwrap();
    std::fs::write(
        site(&world, &old).join("config.py"),
        format!("PREFIX = '{}'\n", old.display()),
    )
    .unwrap();
    write_with_mode(
        &old.join("bin/lost"),
        b"#!/nowhere/at/all/bin/python\n",
        0o755,
    );
    std::fs::create_dir(old.join("__pycache__")).unwrap();
    std::fs::write(old.join("__pycache__/x.pyc"), old.to_str().unwrap()).unwrap();
    let new = world.path("moved");
    shift(&old, &new);
    let lib = format!("lib/python3.{}/site-packages", world.python.minor);
    let outcome = relocate(&world, &new).run();
    outcome
        .replacing(&lib, "[SITE]")
        .fails_with(1, expect![[r#"
            vpython: warning: cannot fix `[SITE]/config.py`: it contains the old path, but relocate does not support this kind of file
            vpython: warning: cannot fix `[SITE]/x.so`: it is a binary file that contains the old path
        "#]]);
}

#[test]
fn links_and_kernels_of_the_environment_are_rewritten() {
    let world = World::new();
    let old = venv(&world, "env");
    std::fs::remove_file(old.join("lib64")).unwrap();
    symlink(old.join("lib"), old.join("lib64")).unwrap();
    std::fs::create_dir(old.join("local")).unwrap();
    symlink(old.join("bin"), old.join("local/bin")).unwrap();
    let kernel = old.join("share/jupyter/kernels/python3/kernel.json");
    let argv = |place: &Path| {
        format!(
            "{{\n \"argv\": [\n  \"{}/bin/python\",\n  \"-m\"\n ]\n}}",
            place.display()
        )
    };
    write_with_mode(&kernel, argv(&old).as_bytes(), 0o644);
    write_with_mode(
        &old.join("bin/wrap"),
        format!(
            "#!/bin/sh\nexec {}/bin/python -c 'print(1)'\n",
            old.display()
        )
        .as_bytes(),
        0o755,
    );
    let new = world.path("a b");
    shift(&old, &new);
    relocated(&world, &new);
    assert_eq!(new.join("lib64").read_link().unwrap(), Path::new("lib"));
    assert_eq!(
        new.join("local/bin").read_link().unwrap(),
        Path::new("../bin")
    );
    let kernel =
        std::fs::read_to_string(new.join("share/jupyter/kernels/python3/kernel.json")).unwrap();
    assert_eq!(kernel, argv(&new));
    world
        .program(new.join("bin/wrap"), [""; 0])
        .run()
        .prints("1\n");
    works(&world, &new, &[&old]);
}

#[test]
fn the_record_of_pip_is_correct_after_a_relocation() {
    let world = World::new();
    let old = world.path("env");
    let mut command = Command::new(&world.python.path);
    command.args(["-m", "venv"]).arg(&old).env_clear();
    if !start(&mut command).wait().unwrap().success() {
        not_tested!("this python has no ensurepip");
        return;
    }
    let new = world.path("a b/env");
    shift(&old, &new);
    relocated(&world, &new);
    world
        .program(&world.python.path, ["-c", VERIFY])
        .arguments([&new])
        .run()
        .prints("");
    let said = world.program(new.join("bin/pip"), ["--version"]).run();
    assert!(
        said.code == Some(0) && said.raw_stdout.contains(new.to_str().unwrap()),
        "{said}"
    );
}

#[test]
fn a_script_for_another_environment_or_interpreter_is_not_changed() {
    let world = World::new();
    let other = venv(&world, "other");
    let old = venv(&world, "env");
    let scripts = [
        ("foreign", other.join("bin/python")),
        ("system", world.python.path.clone()),
    ];
    for (name, interpreter) in &scripts {
        write_with_mode(
            &old.join("bin").join(name),
            format!("#!{}\nprint(1)\n", interpreter.display()).as_bytes(),
            0o755,
        );
    }
    let wrapper = format!("#!/bin/sh\nVIRTUAL_ENV={}\n", other.display());
    write_with_mode(&old.join("bin/wrapper"), wrapper.as_bytes(), 0o755);
    let new = world.path("moved");
    shift(&old, &new);
    relocated(&world, &new);
    works(&world, &new, &[&old]);
    for (name, interpreter) in &scripts {
        let text = std::fs::read_to_string(new.join("bin").join(name)).unwrap();
        assert_eq!(text, format!("#!{}\nprint(1)\n", interpreter.display()));
    }
    assert_eq!(
        std::fs::read_to_string(new.join("bin/wrapper")).unwrap(),
        wrapper
    );
}
