//! What the tools say about environments in shared roots.

use expect_test::expect;
use serde_json::Value;

use super::{IN_SHARED, fill, launch, run, world};
use crate::support::tree;

#[test]
fn explain_says_where_the_environment_is() {
    let world = world();
    let environment = fill(&world);
    let end = |outcome: &crate::support::Outcome| {
        let from = outcome.stdout.find("entry ").unwrap();
        outcome.stdout[from..].to_owned()
    };
    let explain = ["-vpython-tool", "explain", "tool.py"];
    let cold = launch(&world, &explain).run();
    expect![[r#"
        entry         [WORLD]/shared/v1/envs/[KEY]
        shared root   [WORLD]/shared
        launch        cold: there is no store yet in `[WORLD]/root`
                            its environment exists and will be used
    "#]]
    .assert_eq(&end(&cold));
    run(&world).prints(IN_SHARED);
    let warm = launch(&world, &explain).run();
    expect![[r#"
        entry         [WORLD]/shared/v1/envs/[KEY]
        shared root   [WORLD]/shared
        launch        warm: nothing has changed since the last launch, and its environment exists
    "#]]
    .assert_eq(&end(&warm));
    let json = launch(&world, &["-vpython-tool", "explain", "--json", "tool.py"]).run();
    let document: Value = serde_json::from_str(&json.raw_stdout).unwrap();
    assert_eq!(document["entry"], environment.to_str().unwrap());
    assert_eq!(
        document["shared_root"],
        world.outside("shared").to_str().unwrap()
    );
    assert_eq!(document["hit"], true);
}

#[test]
fn list_shows_the_environments_of_shared_roots() {
    let world = world();
    let environment = fill(&world);
    run(&world).prints(IN_SHARED);
    let key = environment.file_name().unwrap().to_str().unwrap();
    let before = tree(&world.outside("shared"));
    // The widths of the columns depend on the paths of this machine.
    let outcome = launch(&world, &["-vpython-tool", "list"])
        .run()
        .replacing(key, "[KEY]");
    let text = outcome
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(
        text,
        "0 environments in [WORLD]/root: 0 B spec python key [WORLD]/work/tool.py [VERSION] [KEY] \
         1 environment in the shared root [WORLD]/shared",
        "{outcome}"
    );
    let json = launch(&world, &["-vpython-tool", "list", "--json"]).run();
    let listing: Value = serde_json::from_str(&json.raw_stdout).unwrap();
    let shared = &listing["shared_roots"][0];
    assert_eq!(shared["root"], world.outside("shared").to_str().unwrap());
    assert_eq!(
        shared["environments"][0]["path"],
        environment.to_str().unwrap()
    );
    assert_eq!(listing["environments"], serde_json::json!([]));
    assert_eq!(tree(&world.outside("shared")), before);
}

#[test]
fn prune_leaves_shared_roots_alone_and_keeps_the_memos_about_them() {
    let world = world();
    fill(&world);
    run(&world).prints(IN_SHARED);
    let before = tree(&world.outside("shared"));
    let prune = ["-vpython-tool", "prune", "--all"];
    launch(&world, &prune).run().prints(
        "removed 0 environments, 0 unpacked wheels and 0 leftovers of builds and launches: 0 B\n",
    );
    assert_eq!(tree(&world.outside("shared")), before);
    let log = ["-vpython-log-level", "info", "tool.py"];
    let outcome = launch(&world, &log).run();
    assert!(
        outcome
            .stderr
            .contains("nothing has changed since the last launch"),
        "{outcome}"
    );
}

#[test]
fn check_reads_shared_roots_and_repairs_nothing_there() {
    let world = world();
    let environment = fill(&world);
    let check = ["-vpython-tool", "check", "tool.py"];
    let repair = ["-vpython-tool", "check", "--repair", "tool.py"];
    launch(&world, &check)
        .run()
        .prints("1 environment and 1 unpacked wheel: all files are intact\n");
    let script = environment.join("bin/activate");
    super::set_mode(&script, 0o644);
    std::fs::write(script, "changed").unwrap();
    let before = tree(&world.outside("shared"));
    launch(&world, &repair)
        .run()
        .expect(1, expect![[r#"
            changed  [WORLD]/shared/v1/envs/[KEY]/bin/activate
            1 environment and 1 unpacked wheel: 1 file damaged
        "#]], expect![[r#"
            vpython: warning: vpython does not change the shared root `[WORLD]/shared`; its owner can repair it with `-vpython-root [WORLD]/shared`
        "#]]);
    assert_eq!(tree(&world.outside("shared")), before);
    // Of all environments, only those of the own store.
    launch(&world, &["-vpython-tool", "check", "--all"])
        .run()
        .prints("0 environments and 0 unpacked wheels: all files are intact\n");
}
