//! Built wheels in registries, and wheels that are compiled while others are on their way.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::module;
use super::servers::{LOGGED, blob, install, launch, lock, world};
use crate::support::OciRegistry;
use crate::support::http_server::Reply;

/// `install` compiles `a` before the registry has sent `b`.
#[test]
fn a_wheel_is_compiled_while_another_is_on_its_way() {
    let awaited: Arc<OnceLock<PathBuf>> = Arc::default();
    let (seen, held_back) = (Arc::clone(&awaited), blob(&module("b", "2").1));
    let registry = OciRegistry::start(move |request| {
        let is_held_back = request.method == "GET" && request.path == held_back;
        let byte_code = seen.get().filter(|_| is_held_back)?;
        let begin = Instant::now();
        while !byte_code.exists() && begin.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        (!byte_code.exists()).then(|| Reply::new(404, ""))
    });
    let world = world(&registry);
    let version = format!("byte-code-3.{}", world.python.minor);
    let byte_code = world.store("wheels").join(module("a", "1").1).join(version);
    awaited.set(byte_code).unwrap();
    let install = install(&world, &registry, &[]);
    assert_eq!(install.code, Some(0), "{install}");
    let check = world.vpython(["-vpython-tool", "check", "--all"]).run();
    assert_eq!(check.code, Some(0), "{check}");
}

#[test]
fn built_wheels_come_from_a_registry() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    lock(&world, &["--built"]);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    let logged = || install(&world, &registry, &LOGGED);
    let outcome = logged();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(!outcome.stderr.contains("compiling the wheel"), "{outcome}");
    let wheels = [module("a", "1").1, module("b", "2").1].map(|digest| blob(&digest));
    let paths = registry.paths("GET");
    assert!(
        paths.len() == 2 && !wheels.iter().any(|wheel| paths.contains(wheel)),
        "{paths:?}"
    );
    // Where the registry has damaged ones, it is asked for the wheels, with one warning.
    for path in &paths {
        registry.damage("team/wheels", path.rsplit('/').next().unwrap());
    }
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    let outcome = logged();
    assert!(
        outcome.code == Some(0) && outcome.stderr.contains("compiling the wheel"),
        "{outcome}"
    );
    for wheel in wheels {
        assert!(registry.paths("GET").contains(&wheel));
    }
    let warnings: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.contains(" warning: "))
        .collect();
    assert!(
        warnings.len() == 1
            && warnings[0].contains("its SHA-256 digest is")
            && warnings[0].ends_with("-py3-none-any.whl` is unpacked instead"),
        "{outcome}"
    );
    // One that is missing is not worth a word.
    for path in &paths {
        registry.remove("team/wheels", path.rsplit('/').next().unwrap());
    }
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    let outcome = install(&world, &registry, &[]);
    assert!(
        outcome.code == Some(0) && !outcome.stderr.contains("warning"),
        "{outcome}"
    );
}

#[test]
fn a_lock_gets_the_pins_of_built_wheels_in_a_registry() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    lock(&world, &["--built"]);
    let path = world.path("pylock.tool.toml");
    let of_layout = std::fs::read_to_string(&path).unwrap();
    for repository in ["team/wheels", "team/wheels:v1"] {
        std::fs::remove_file(&path).unwrap();
        let reference = registry.reference(repository);
        let words = [
            "-vpython-wheels",
            &reference,
            "-vpython-tool",
            "lock",
            "--built",
            "tool.py",
        ];
        let run = launch(&world, &words).env("PIP_NO_INDEX", "1").run();
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{run}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), of_layout);
    }
    // Without permission, the registry is not read.
    let asked = registry.paths("GET").len();
    let reference = registry.reference("team/wheels");
    let words = [
        "-vpython-wheels",
        "oci:layout",
        "-vpython-wheels",
        &reference,
    ];
    let words = [&words[..], &["-vpython-tool", "lock", "--built", "tool.py"]].concat();
    std::fs::rename(world.path("layout"), world.path("with-built")).unwrap();
    std::fs::rename(world.outside("wheels-before"), world.path("wheels")).unwrap();
    let push = ["-vpython-tool", "push", "oci:layout", "tool.py"];
    assert_eq!(world.vpython(push).run().code, Some(0));
    world.vpython(words).run().expect(
        0,
        "pylock.tool.toml: written\n  `a-1-py3-none-any.whl`: gets the path `wheels/a-1-py3-none-any.whl`\n  \
         `b-2-py3-none-any.whl`: gets the path `wheels/b-2-py3-none-any.whl`\n  built wheels: 0 are pinned, 2 were\n",
        "vpython: warning: no image layout or registry among the wheelhouses has built wheels; \
         `push --built` puts them into one; a registry is only read with `-vpython-fetch`\n",
    );
    assert_eq!(registry.paths("GET").len(), asked);
}
