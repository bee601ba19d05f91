//! `-vpython-tool list`: what it prints.

use super::{age, build, prune, sum, world};
use crate::support::World;

#[test]
fn list_prints_the_environments_of_the_store() {
    let world = world();
    let empty = world.vpython(["-vpython-tool", "list"]).run();
    assert_eq!(
        empty.stdout, "0 environments in [WORLD]/root: 0 B\n",
        "{empty}"
    );
    assert_eq!(
        sum(&prune(&world, &["--all"])),
        "removed 0 environments, 0 unpacked wheels and 0 leftovers of builds and launches"
    );
    assert!(
        !world.outside("root").exists(),
        "no store is created for that"
    );
    let path = build(&world, &["one", "shared"]);
    age(&path, 3);
    let text = world.vpython(["-vpython-tool", "list"]).run().stdout;
    let key = path.file_name().unwrap().to_str().unwrap();
    assert!(
        text.starts_with("used ")
            && text.contains("\n3 days ago ")
            && text.contains("  [WORLD]/work/vpython.toml  [VERSION]")
            && text.contains(&format!("  {key}\n\n1 environment in [WORLD]/root: ")),
        "{text}"
    );
    let json = world
        .vpython(["-vpython-tool", "list", "--json"])
        .run()
        .raw_stdout;
    let listing: serde_json::Value = serde_json::from_str(&json).unwrap();
    let listed = &listing["environments"][0];
    assert_eq!(
        (&listing["version"], &listed["key"], &listed["in_use"]),
        (&1.into(), &key.into(), &false.into())
    );
    assert_eq!(listed["wheels"][0]["file"], "one-1-py3-none-any.whl");
    let file = world.path("vpython.toml");
    assert_eq!(
        listed["specs"],
        serde_json::json!([{ "kind": "vpython.toml", "file": file.to_str().unwrap() }])
    );
    assert!(
        listed["shared"].as_u64().unwrap() > 100_000 && listed["own"].as_u64().unwrap() > 0,
        "{listed}"
    );
}

#[test]
fn list_prints_the_specs_of_each_environment() {
    let world = world();
    let block = "# /// script\n# dependencies = ['one']\n# [tool.vpython]\n# wheels = ['../house']\n# ///\n";
    for name in ["a.py", "b.py"] {
        world.write(name, block);
        world.install([name]);
    }
    world.install(["-c", block]);
    let specs = |world: &World| {
        let listing = world.vpython(["-vpython-tool", "list"]).run().stdout;
        let table = listing.split("\n\n").next().unwrap();
        let column = |line: &str| {
            line.split("  ")
                .filter(|cell| !cell.is_empty())
                .nth(3)
                .unwrap()
                .trim()
                .to_owned()
        };
        table.lines().skip(1).map(column).collect::<Vec<_>>()
    };
    assert_eq!(
        specs(&world),
        ["the text of -c, [WORLD]/work/a.py, [WORLD]/work/b.py"]
    );
    // Now the spec requires something else, and another spec requires nothing.
    world.write("b.py", block.replace("one", "two"));
    world.write("c.py", "");
    world.install(["b.py"]);
    world.install(["c.py"]);
    let expected = [
        "the text of -c, [WORLD]/work/a.py",
        "[WORLD]/work/b.py",
        "programs without a spec",
    ];
    assert_eq!(specs(&world), expected);
}
