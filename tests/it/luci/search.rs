//! The search for LUCI specs.

use std::os::unix::fs::symlink;
use std::path::Path;

use expect_test::expect;

use super::{PROGRAM, launch, remove, script, spec, world};

#[test]
fn a_partner_of_the_link_comes_before_one_of_the_real_file() {
    let world = world();
    world.write("real/tool.py", script(4));
    std::fs::create_dir(world.path("links")).unwrap();
    symlink("../real/tool.py", world.path("links/tool")).unwrap();
    launch(&world, &["links/tool"]).run().prints("4\n");
    world.write("real/tool.py.vpython3", spec(1));
    launch(&world, &["links/tool"]).run().prints("1\n");
    world.write("real/tool.py.vpython", spec(2));
    launch(&world, &["links/tool"]).run().prints("2\n");
    world.write("links/tool.vpython3", spec(3));
    launch(&world, &["links/tool"]).run().prints("3\n");
    world.write("links/tool.vpython", spec(5));
    launch(&world, &["links/tool"]).run().prints("5\n");
    launch(&world, &["real/tool.py"]).run().prints("2\n");
}

#[test]
fn inside_a_script_a_pep_723_block_comes_first_and_the_walk_last() {
    let world = world();
    world.write(".vpython3", spec(1));
    world.write("plain.py", PROGRAM);
    world.write("block.py", script(2));
    let pep723 = "# /// script\n# dependencies = ['which==3']\n# ///\n";
    world.write("both.py", format!("{}{pep723}", script(2)));
    launch(&world, &["plain.py"]).run().prints("1\n");
    launch(&world, &["block.py"]).run().prints("2\n");
    launch(&world, &["both.py"]).run().prints("3\n");
    let command = script(2).replace("#!/usr/bin/env vpython3\n", "");
    launch(&world, &["-c", &command]).run().prints("1\n");
}

#[test]
fn a_directory_has_the_partner_of_the_package_that_it_is_a_part_of() {
    let world = world();
    world.write(".vpython3", spec(1));
    world.write("top/part/__main__.py", PROGRAM);
    world.write("top.vpython3", spec(2));
    launch(&world, &["top/part"]).run().prints("1\n");
    world.write("top/part/__init__.py", "");
    launch(&world, &["top/part"]).run().prints("1\n");
    world.write("top/__init__.py", "");
    launch(&world, &["top/part"]).run().prints("2\n");
    launch(&world, &["top/part/"]).run().prints("2\n");
    world.write("top/part.vpython3", spec(3));
    launch(&world, &["top/part"]).run().prints("3\n");
    symlink("top/part", world.path("link")).unwrap();
    launch(&world, &["link"]).run().prints("3\n");
    world.write("link.vpython3", spec(4));
    launch(&world, &["link"]).run().prints("4\n");
}

#[test]
fn a_directory_has_the_spec_inside_its_main_module() {
    let world = world();
    world.write(".vpython3", spec(1));
    world.write("directory/__main__.py", script(2));
    launch(&world, &["directory"]).run().prints("2\n");
    world.write("directory/.vpython3", spec(3));
    launch(&world, &["directory"]).run().prints("2\n");
    world.write("directory/__main__.py", PROGRAM);
    launch(&world, &["directory"]).run().prints("3\n");
}

#[test]
fn the_walk_takes_the_nearest_directory_and_in_it_the_native_form_first() {
    let world = world();
    world.write("a/b/plain.py", PROGRAM);
    world.write("which_one.py", PROGRAM);
    world.write(".vpython3", spec(1));
    launch(&world, &["a/b/plain.py"]).run().prints("1\n");
    launch(&world, &["-m", "which_one"]).run().prints("1\n");
    world.write(".vpython", spec(2));
    launch(&world, &["a/b/plain.py"]).run().prints("2\n");
    world.write("vpython.toml", "dependencies = ['which==3']\n");
    launch(&world, &["a/b/plain.py"]).run().prints("3\n");
    world.write("a/.vpython", spec(4));
    launch(&world, &["a/b/plain.py"]).run().prints("4\n");
    world.write("a/b/.gclient", "");
    launch(&world, &["a/b/plain.py"]).run().prints("none\n");
    world.write("a/b/.vpython3", spec(5));
    launch(&world, &["a/b/plain.py"]).run().prints("5\n");
}

#[test]
fn a_directory_with_the_name_of_a_spec_is_skipped() {
    let world = world();
    world.write(".vpython", spec(1));
    world.write("a/plain.py", PROGRAM);
    for name in [
        ".vpython3",
        "vpython.toml",
        "a/.vpython3",
        "a/plain.py.vpython3",
    ] {
        std::fs::create_dir(world.path(name)).unwrap();
    }
    symlink(".vpython3", world.path("a/.vpython")).unwrap();
    launch(&world, &["a/plain.py"]).run().prints("1\n");
}

#[test]
fn a_pipe_with_the_name_of_a_spec_is_read_only_when_it_is_named() {
    let world = world();
    world.write(".vpython3", spec(1));
    world.write("a/plain.py", PROGRAM);
    for name in ["a/.vpython3", "a/plain.py.vpython3"] {
        nix::unistd::mkfifo(&world.path(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    launch(&world, &["a/plain.py"]).run().prints("1\n");
    let pipe = world.path("a/.vpython3");
    // vpython reads no more than a page at once from a small pipe, so the text arrives in pieces,
    // as it may from `<(…)` of a shell.
    let author = std::thread::spawn(move || {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(pipe).unwrap();
        nix::fcntl::fcntl(&pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let text = format!("#{}\n{}", " ".repeat(10_000), spec(2));
        std::io::Write::write_all(&mut pipe, text.as_bytes()).unwrap();
    });
    launch(&world, &["-vpython-spec", "a/.vpython3", "a/plain.py"])
        .run()
        .prints("2\n");
    author.join().unwrap();
}

#[test]
fn a_broken_spec_of_a_script_is_an_error_and_never_skipped() {
    let world = world();
    world.write(".vpython3", spec(1));
    world.write("tool.py", PROGRAM);
    world.write("tool.py.vpython3", "wheel: <\n");
    launch(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/tool.py.vpython3`
              caused by: `[WORLD]/work/tool.py.vpython3`, line 2, column 1: expected a field or `>`, but found the end of the file; `<` was opened on the previous line
        "#]],
    );
    remove(&world, "tool.py.vpython3");
    symlink("nowhere", world.path("tool.py.vpython3")).unwrap();
    launch(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot open `[WORLD]/work/tool.py.vpython3`
              caused by: No such file or directory (os error 2)
        "#]],
    );
    remove(&world, "tool.py.vpython3");
    world.write(
        "tool.py",
        "if True:\n    # [VPYTHON:BEGIN]\n    # wheels: <>\n    # [VPYTHON:END]\n    pass\n",
    );
    launch(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/tool.py`
              caused by: `[WORLD]/work/tool.py`, line 3, column 7: a spec has no field `wheels`; did you mean `wheel`?
        "#]],
    );
    world.write(
        "tool.py",
        "# [VPYTHON:BEGIN]\n# wheel: <>\n#[VPYTHON:END]\n",
    );
    launch(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: the guards of the spec that begins in `[WORLD]/work/tool.py`, line 1 have different prefixes
              caused by: `# ` precedes `[VPYTHON:BEGIN]`, but `#` precedes `[VPYTHON:END]` on line 3
              hint: use the same prefix before both guards and on each line in between
        "#]],
    );
}

#[test]
fn a_spec_of_another_user_in_a_shared_directory_is_skipped() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
    const OTHER_USER: u32 = 54321;
    let world = world();
    let open_to_all = |path: &Path, is_open: bool| {
        std::fs::set_permissions(
            path,
            std::fs::Permissions::from_mode(if is_open { 0o777 } else { 0o755 }),
        )
        .unwrap();
    };
    let script = world.write("shared/deep/tool.py", PROGRAM);
    let planted = world.write("shared/.vpython3", spec(2));
    world.write(".vpython3", spec(1));
    let shared = world.path("shared");
    open_to_all(&shared, true);
    launch(&world, &["shared/deep/tool.py"]).run().prints("2\n");
    if chown(&planted, Some(OTHER_USER), None).is_err() {
        not_tested!("only the superuser can give a file to another user");
        return;
    }
    let warning = expect![[r#"
        vpython: warning: the spec `[WORLD]/work/shared/.vpython3` belongs to user 54321, and every user can write to `[WORLD]/work/shared`; it is skipped
    "#]];
    launch(&world, &["shared/deep/tool.py"])
        .run()
        .expect(0, "1\n", &warning);
    launch(&world, &["shared/deep/tool.py"])
        .run()
        .expect(0, "1\n", &warning);
    open_to_all(&shared, false);
    launch(&world, &["shared/deep/tool.py"]).run().prints("2\n");
    open_to_all(&shared, true);
    let owner = std::fs::metadata(&script).unwrap().uid();
    chown(&script, Some(OTHER_USER), None).unwrap();
    launch(&world, &["shared/deep/tool.py"]).run().prints("2\n");
    chown(&script, Some(owner), None).unwrap();
    // A link of another user to a spec of the caller is skipped too.
    remove(&world, "shared/.vpython3");
    let mine = world.write("mine", spec(3));
    symlink(&mine, &planted).unwrap();
    launch(&world, &["shared/deep/tool.py"]).run().prints("3\n");
    lchown(&planted, Some(OTHER_USER), None).unwrap();
    launch(&world, &["shared/deep/tool.py"])
        .run()
        .expect(0, "1\n", &warning);
    // So is a partner file of another user there.
    remove(&world, "shared/.vpython3");
    world.write("shared/job.py", PROGRAM);
    chown(
        world.write("shared/job.py.vpython3", spec(2)),
        Some(OTHER_USER),
        None,
    )
    .unwrap();
    launch(&world, &["shared/job.py"])
        .run()
        .expect(0, "1\n", expect![[r#"
            vpython: warning: the spec `[WORLD]/work/shared/job.py.vpython3` belongs to user 54321, and every user can write to `[WORLD]/work/shared`; it is skipped
        "#]]);
}
