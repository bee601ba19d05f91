//! `fetch` with an old pip.

use super::{NO_SEED, came, launch, listed, module, put};
use crate::support::World;

/// A world with a stub for pip that reports this version, records its arguments, and copies the
/// content of the index.
fn stub(version: &str, has_wheel: bool) -> World {
    let world = World::new();
    let index = world.outside("index");
    let init = format!("__version__ = '{version}'\n");
    let main = format!(
        "import os, shutil, sys\nopen('{words}', 'a').write(' '.join(sys.argv[1:]) + '\\n')\n\
         to = sys.argv[sys.argv.index('--wheel-dir' if 'wheel' in sys.argv else '--dest') + 1]\n\
         if not set(os.environ.get('STUB', 'pip').split()) <= set(sys.argv + ['pip']): sys.exit(1)\n\
         for name in os.listdir('{index}'): shutil.copy('{index}/' + name, to)\n",
        words = world.outside("words").display(),
        index = index.display(),
    );
    std::fs::create_dir_all(&index).unwrap();
    std::fs::create_dir_all(world.outside("stub/pip")).unwrap();
    std::fs::write(world.outside("stub/pip/__init__.py"), init).unwrap();
    std::fs::write(world.outside("stub/pip/__main__.py"), main).unwrap();
    let wheel = if has_wheel { "" } else { "raise ImportError\n" };
    std::fs::write(world.outside("stub/wheel.py"), wheel).unwrap();
    world
}

/// The arguments of each call of the stub.
fn called(world: &World) -> Vec<Vec<String>> {
    let words = std::fs::read_to_string(world.outside("words")).unwrap();
    words
        .lines()
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect()
}

#[test]
fn an_old_pip_without_wheel_builds_by_the_method_that_works() {
    let rows = [
        ("18.1", false, false),
        ("19.2.3", false, true),
        ("23.0.1", false, true),
        ("23.0.1", true, false),
        ("23.1", false, false),
    ];
    for (version, has_wheel, expected) in rows {
        let world = stub(version, has_wheel);
        put(&world, &[module("a", "1")]);
        world.write("vpython.toml", "dependencies = ['a']\n");
        let outcome = launch(&world, &["-vpython-tool", "fetch", "--build"])
            .env("PYTHONPATH", world.outside("stub"))
            .run();
        assert_eq!(came(&outcome), ["a-1-py3-none-any.whl"], "{outcome}");
        let has = called(&world)[0].contains(&"--use-pep517".to_owned());
        assert_eq!(has, expected, "pip {version}, wheel: {has_wheel}");
    }
}

#[test]
fn a_pip_that_takes_one_platform_is_called_for_each() {
    let spec = listed("a/${vpython_platform}", "1")
        + "python_version: '3'\nverify_pep425_tag: < python: 'cp37' abi: 'cp37m' platform: 'manylinux1_x86_64' >\n"
        + NO_SEED;
    let run = |version: &str, python: &str| {
        let world = stub(version, true);
        put(
            &world,
            &[module("a", "1").tag("cp37-cp37m-manylinux2010_x86_64")],
        );
        world.write(".vpython3", &spec);
        // There is no wheel for this machine; for other platforms there are those with such a name.
        let launch = launch(&world, &["-vpython-tool", "fetch", "--build"])
            .env("PYTHONPATH", world.outside("stub"));
        let outcome = launch
            .env(
                "STUB",
                format!("--python-version={python} --platform=manylinux2010_x86_64"),
            )
            .run();
        assert_eq!(
            came(&outcome),
            ["a-1-cp37-cp37m-manylinux2010_x86_64.whl"],
            "{outcome}"
        );
        let options = |words: &Vec<String>| {
            let named = words.iter().filter(|word| {
                word.starts_with("--platform=") || word.starts_with("--python-version=")
            });
            named
                .map(|word| word.split_once('=').unwrap().1.to_owned())
                .collect::<Vec<_>>()
        };
        called(&world)
            .iter()
            .map(options)
            .filter(|words| words.iter().any(|word| word == python))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        run("18.1", "37"),
        [
            ["37", "manylinux2014_x86_64"],
            ["37", "manylinux2010_x86_64"]
        ]
    );
    assert_eq!(
        run("20.2", "3.7.99"),
        [
            ["3.7.99", "manylinux2014_x86_64"],
            ["3.7.99", "manylinux2010_x86_64"]
        ]
    );
    let [words] = &run("20.3", "3.7.99")[..] else {
        panic!("one call")
    };
    for level in [
        "linux_x86_64",
        "manylinux_2_39_x86_64",
        "manylinux_2_28_x86_64",
        "manylinux2014_x86_64",
        "manylinux1_x86_64",
    ] {
        assert!(words.iter().any(|word| word == level), "{level}: {words:?}");
    }
}
