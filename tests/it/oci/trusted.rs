//! Built wheels of sources that `vpython.conf` trusts by name, without pins in a lock.

use std::os::unix::fs::{PermissionsExt, chown};

use expect_test::expect;
use serde_json::Value;

use super::servers::{self, LOGGED, blob, launch, redacted, world};
use super::{OTHER_USER, module};
use crate::support::http_server::Reply;
use crate::support::{OciRegistry, Outcome, World};

/// Writes a `vpython.conf` that trusts these sources, which the launches of [`launch`] read.
pub(super) fn trust(world: &World, sources: &[&str]) {
    let text = format!("trusted-built-wheels = {sources:?}\n");
    std::fs::write(world.outside("vpython.conf"), text).unwrap();
}

/// Installs the script with a registry as its wheelhouse, in an empty store, with a log.
fn install(world: &World, registry: &OciRegistry) -> Outcome {
    let _ = std::fs::remove_dir_all(world.outside("root"));
    let outcome = servers::install(world, registry, &LOGGED);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
}

/// Returns whether the wheels were compiled here.
fn is_compiled(outcome: &Outcome) -> bool {
    outcome.stderr.contains("compiling the wheel")
}

/// Returns the warnings, without the digests and the address of the registry.
fn warnings(outcome: Outcome, registry: &OciRegistry) -> String {
    let outcome = redacted(outcome, &[(&registry.server, "REGISTRY")]);
    let lines = outcome.stderr.lines();
    let warnings: Vec<&str> = lines.filter(|line| line.contains(" warning: ")).collect();
    warnings.join("\n")
}

fn wheels() -> [String; 2] {
    [module("a", "1").1, module("b", "2").1].map(|digest| blob(&digest))
}

#[test]
fn a_trusted_registry_has_the_built_wheels_of_a_lock_without_pins() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    let text = std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    assert!(!text.contains("built"), "{text}");
    trust(&world, &[&registry.reference("team/wheels:v1")]);
    let outcome = install(&world, &registry);
    assert!(!is_compiled(&outcome), "{outcome}");
    // One manifest, and the archives in place of the wheels.
    let paths = registry.paths("GET");
    assert_eq!(paths[0], "/v2/team/wheels/manifests/v1");
    assert!(
        paths.len() == 3 && !wheels().iter().any(|wheel| paths.contains(wheel)),
        "{paths:?}"
    );
    // The environment works and is complete, and a warm launch asks nothing.
    let reference = registry.reference("team/wheels");
    let words = ["-vpython-wheels", &reference, "tool.py"];
    launch(&world, &words).run().expect(0, "1 2\n", "");
    let check = [
        "-vpython-wheels",
        &reference,
        "-vpython-tool",
        "check",
        "tool.py",
    ];
    assert_eq!(launch(&world, &check).run().code, Some(0));
    assert_eq!(registry.paths("GET").len(), 3);
}

#[test]
fn only_the_source_that_is_named_is_trusted() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    let is_manifest = |path: &String| path.contains("/manifests/") || path.contains("/tags/");
    // A wheelhouse is not trusted, whatever the beginning of its name; nor is a part of a
    // repository, a tag of it, or the same name in another registry.
    for other in [
        "team",
        "team/wheel",
        "team/wheels-evil",
        "team/wheels/more",
        "team/wheels:v2",
    ] {
        let before = registry.paths("GET").len();
        trust(&world, &[&registry.reference(other)]);
        let outcome = install(&world, &registry);
        assert!(is_compiled(&outcome), "{other}: {outcome}");
        let repository = other.split(':').next().unwrap();
        let asked = &registry.paths("GET")[before..];
        let of_others = asked.iter().filter(|path| is_manifest(path));
        let of_others = of_others.filter(|path| !path.starts_with(&format!("/v2/{repository}/")));
        assert_eq!(of_others.count(), 0, "{asked:?}");
        let expected = format!(
            "vpython: warning: cannot use `oci://REGISTRY/{other}`, a trusted source of built wheels: the registry does not have it"
        );
        assert_eq!(warnings(outcome, &registry), expected);
    }
    // A spec cannot trust one.
    trust(&world, &[]);
    let before = registry.paths("GET").len();
    let reference = registry.reference("team/wheels:v1");
    let script = std::fs::read_to_string(world.path("tool.py")).unwrap();
    let key = format!("# [tool.vpython]\n# trusted-built-wheels = ['{reference}']\n# ///\nimport");
    world.write("tool.py", script.replace("# ///\nimport", &key));
    let outcome = install(&world, &registry);
    assert!(
        is_compiled(&outcome) && outcome.stderr.contains("trusted-built-wheels"),
        "{outcome}"
    );
    assert!(!registry.paths("GET")[before..].iter().any(is_manifest));
}

#[test]
fn without_permission_only_trusted_layouts_are_read() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    std::fs::rename(world.outside("wheels-before"), world.path("wheels")).unwrap();
    let layout = world.path("layout").display().to_string();
    let (registry_of_all, layout) = (registry.reference("team/wheels"), format!("oci:{layout}"));
    let install = |is_permitted: bool| {
        let _ = std::fs::remove_dir_all(world.outside("root"));
        let words = [
            "-vpython-log-level",
            "debug",
            "-vpython-tool",
            "install",
            "tool.py",
        ];
        let run = world
            .vpython(words)
            .env("VPYTHON_CONF", world.outside("vpython.conf"));
        let run = if is_permitted {
            run.env("VPYTHON_FETCH", "1")
        } else {
            run
        };
        let outcome = run.run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome
    };
    // The wheels are at hand: with permission, the archives come from the registry all the same.
    trust(&world, &[&registry_of_all]);
    let outcome = install(false);
    assert!(is_compiled(&outcome), "{outcome}");
    assert_eq!(registry.paths("GET"), [""; 0]);
    let outcome = install(true);
    assert!(!is_compiled(&outcome), "{outcome}");
    let asked = registry.paths("GET").len();
    trust(&world, &[&registry_of_all, &layout]);
    let outcome = install(false);
    assert!(!is_compiled(&outcome), "{outcome}");
    assert_eq!(registry.paths("GET").len(), asked);
    // The wheel itself is not needed then, but still without its built form.
    std::fs::rename(world.path("wheels"), world.outside("away")).unwrap();
    assert!(!is_compiled(&install(false)));
}

#[test]
fn a_layout_that_others_can_write_to_is_not_trusted() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    let layout = world.path("layout");
    trust(&world, &[&format!("oci:{}", layout.display())]);
    assert!(!is_compiled(&install(&world, &registry)));
    for (name, mode, good) in [
        ("", 0o777, 0o755),
        ("blobs", 0o775, 0o755),
        ("index.json", 0o666, 0o644),
    ] {
        let path = layout.join(name);
        let set = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(mode);
        let outcome = install(&world, &registry);
        set(good);
        assert!(is_compiled(&outcome), "{outcome}");
        let warnings = warnings(outcome, &registry);
        let start = "vpython: warning: cannot use `oci:[WORLD]/work/layout`, a trusted source of built wheels: ";
        assert!(
            warnings.starts_with(start) && warnings.lines().count() == 1,
            "{warnings}"
        );
    }
    if chown(layout.join("index.json"), Some(OTHER_USER), None).is_err() {
        return not_tested!("only the superuser can give files away");
    }
    let outcome = install(&world, &registry);
    assert!(is_compiled(&outcome), "{outcome}");
    expect![[r#"vpython: warning: cannot use `oci:[WORLD]/work/layout`, a trusted source of built wheels: other users can write to `[WORLD]/work/layout/index.json`"#]]
        .assert_eq(&warnings(outcome, &registry));
}

/// Changes the manifest of the trusted tag.
fn change(registry: &OciRegistry, change: impl Fn(&mut Value)) {
    let manifest = registry.bytes("team/wheels", "v1");
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for layer in manifest["layers"].as_array_mut().unwrap() {
        if layer["annotations"]["vpython.python"].is_string() {
            change(layer);
        }
    }
    let bytes = manifest.to_string().into_bytes();
    registry.put("team/wheels", Some("changed"), super::MANIFEST, &bytes);
}

#[test]
fn an_archive_must_be_for_the_wheel_the_python_and_the_form() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    trust(&world, &[&registry.reference("team/wheels:changed")]);
    let zeros = format!("sha256:{}", "0".repeat(64));
    for (name, value) in [
        ("vpython.python", "3.99"),
        ("vpython.built.form", "0"),
        ("vpython.wheel.digest", &zeros),
    ] {
        change(&registry, |layer| layer["annotations"][name] = value.into());
        let outcome = install(&world, &registry);
        assert!(is_compiled(&outcome), "{name}: {outcome}");
        assert_eq!(warnings(outcome, &registry), "");
    }
    // The archive of another wheel says so itself.
    let [of_a, of_b] = [module("a", "1").1, module("b", "2").1].map(|it| format!("sha256:{it}"));
    change(&registry, |layer| {
        let wheel = &mut layer["annotations"]["vpython.wheel.digest"];
        *wheel = if *wheel == *of_a { &*of_b } else { &*of_a }.into();
    });
    let outcome = install(&world, &registry);
    assert!(is_compiled(&outcome), "{outcome}");
    let warnings = warnings(outcome, &registry);
    assert!(
        warnings.lines().count() == 1
            && warnings.ends_with("-py3-none-any.whl` is unpacked instead"),
        "{warnings}"
    );
}

#[test]
fn a_trusted_registry_that_fails_is_a_warning() {
    let registry = OciRegistry::start(|request| {
        let is_closed = request.path.starts_with("/v2/closed/");
        is_closed.then(|| Reply::new(403, ""))
    });
    let world = world(&registry);
    trust(&world, &[&registry.reference("closed/wheels:v1")]);
    let outcome = install(&world, &registry);
    assert!(is_compiled(&outcome), "{outcome}");
    expect![[r#"vpython: warning: cannot use `oci://REGISTRY/closed/wheels:v1`, a trusted source of built wheels: cannot fetch `[INDEX]/v2/closed/wheels/manifests/v1`: the server answered 403 Forbidden"#]]
        .assert_eq(&warnings(outcome, &registry));
}
