//! A store, and environments, in a lower layer of overlayfs.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use expect_test::expect;

use super::{
    Layers, all_works, environment_works, in_own_namespace, prune_works, site_packages, tool,
};

#[test]
fn a_store_in_a_lower_layer_of_overlayfs_is_like_any_other() {
    in_own_namespace(|world| {
        world.install(["tool.py"]);
        world.install(["other.py"]);
        let Some(mut layers) = Layers::over(world, "root") else {
            return;
        };
        all_works(world);
        assert!(layers.reset());
        prune_works(world);
        all_works(world);
    });
}

#[test]
fn a_changed_environment_in_a_lower_layer_is_rebuilt_while_a_program_runs_in_it() {
    in_own_namespace(|world| {
        let environment = world.install(["tool.py"]);
        let Some(_layers) = Layers::over(world, "root") else {
            return;
        };
        let block = "# /// script\n# dependencies = ['a', 'b']\n# ///\n";
        world.write(
            "wait.py",
            format!("{block}print('ready', flush=True)\ninput()\nimport b\nprint('imported')\n"),
        );
        let mut running = world.vpython(["wait.py"]).stdin(Stdio::piped()).spawn();
        let mut lines = BufReader::new(running.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("ready"));
        let site = environment.join(site_packages(world));
        std::fs::write(site.join("new.py"), "").unwrap();
        world.vpython(["tool.py"]).run().expect(0, "1 2\n", expect![[r#"
            vpython: warning: `[WORLD]/root/v1/envs/[KEY]` was changed after it was built; vpython rebuilds it
        "#]]);
        assert!(!site.join("new.py").exists());
        world.vpython(["tool.py"]).run().prints("1 2\n");
        running.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert_eq!(lines.next().as_deref(), Some("imported"));
        assert!(running.wait().unwrap().success());
        prune_works(world);
    });
}

#[test]
fn a_damaged_wheel_in_a_lower_layer_is_unpacked_again() {
    in_own_namespace(|world| {
        world.install(["other.py"]);
        let wheel = std::fs::read_dir(world.store("wheels"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let Some(_layers) = Layers::over(world, "root") else {
            return;
        };
        std::fs::remove_file(wheel.join("wheel.json")).unwrap();
        let outcome = world.vpython(["tool.py"]).run();
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(0), "1 2\n"),
            "{outcome}"
        );
        assert!(
            outcome.stderr.contains("is damaged") && wheel.join("wheel.json").exists(),
            "{outcome}"
        );
        world.vpython(["tool.py"]).run().prints("1 2\n");
    });
}

#[test]
fn what_was_exported_and_unpacked_in_a_lower_layer_is_replaced() {
    in_own_namespace(|world| {
        for script in ["other.py", "tool.py"] {
            tool(
                world,
                &["pack", "--output", &format!("{script}.tar"), script],
            );
        }
        tool(world, &["export", "exported", "tool.py"]);
        tool(world, &["unpack", "tool.py.tar", "unpacked"]);
        let Some(_layers) = Layers::over(world, "work") else {
            return;
        };
        tool(world, &["export", "exported", "other.py"]);
        tool(world, &["unpack", "other.py.tar", "unpacked"]);
        for directory in ["exported", "unpacked"] {
            environment_works(world, directory, "other.py");
        }
    });
}
