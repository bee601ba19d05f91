//! Images: layers, configuration, base, and `unpack`.

mod base;
mod refused;
mod registry;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{is_alive, pack, world};
use crate::support::{Wheel, World, files};

/// A blob of a layout in a directory.
fn blob(layout: &Path, digest: &Value) -> Vec<u8> {
    let digest = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = std::fs::read(layout.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(sha256(&bytes), digest);
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The manifest and the configuration of a layout's only image.
fn documents(layout: &Path) -> (Value, Value) {
    let index = parse(&std::fs::read(layout.join("index.json")).unwrap());
    let [descriptor] = &index["manifests"].as_array().unwrap()[..] else {
        panic!("{index}")
    };
    let manifest = parse(&blob(layout, &descriptor["digest"]));
    let config = parse(&blob(layout, &manifest["config"]["digest"]));
    (manifest, config)
}

/// The names in a layer with the content of each file.
fn members(layer: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(layer);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (name, content)
        })
        .collect()
}

/// The layers of an image by what they contain: digest, and members.
fn layers(layout: &Path) -> BTreeMap<String, (Value, Vec<(String, Vec<u8>)>)> {
    let (manifest, config) = documents(layout);
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), diff_ids.len());
    assert_eq!(layers.len(), config["history"].as_array().unwrap().len());
    let layer = |(layer, diff_id): (&Value, &Value)| {
        let mut content = Vec::new();
        let bytes = blob(layout, &layer["digest"]);
        assert_eq!(layer["size"], bytes.len());
        GzDecoder::new(&bytes[..])
            .read_to_end(&mut content)
            .unwrap();
        assert_eq!(*diff_id, format!("sha256:{}", sha256(&content)));
        let annotations = &layer["annotations"];
        let name = annotations["vpython.wheel"]
            .as_str()
            .and_then(|wheel| wheel.split(" sha256:").next())
            .or(annotations["vpython.layer"].as_str());
        (
            name.unwrap().to_owned(),
            (layer["digest"].clone(), members(&content)),
        )
    };
    layers.iter().zip(diff_ids).map(layer).collect()
}

fn names(members: &[(String, Vec<u8>)]) -> Vec<&str> {
    members.iter().map(|(name, _)| name.as_str()).collect()
}

/// Packs an image into a directory, and returns its path.
fn packed(world: &World, file: &str, options: &[&str]) -> std::path::PathBuf {
    pack(world, file, options).expect(0, "", &world.interpreter_warning());
    world.path(file)
}

#[test]
fn an_image_has_a_layer_for_each_wheel_and_for_the_environment() {
    let world = world();
    world.write("code/first.py", "y = 1\n");
    let options = ["--prefix", "/opt/app", "--include", "code", "--layers", "1"];
    let layout = packed(&world, "app.oci", &options);
    let layers = layers(&layout);
    let kinds: Vec<&str> = layers.keys().map(String::as_str).collect();
    // The larger wheel has a layer of its own.
    assert_eq!(kinds, ["application", "skeleton", "some 1", "wheels"]);
    let site = format!("opt/app/lib/python3.{}/site-packages", world.python.minor);
    let other = names(&layers["wheels"].1);
    assert_eq!(other[..3], ["opt/", "opt/app/", "opt/app/lib/"]);
    assert!(other.contains(&&*format!("{site}/other.py")), "{other:?}");
    let byte_code = format!(
        "{site}/__pycache__/other.cpython-3{}.pyc",
        world.python.minor
    );
    assert!(other.contains(&&*byte_code), "{other:?}");
    let own = names(&layers["some 1"].1);
    assert!(own.contains(&"opt/app/bin/run-some"), "{own:?}");
    assert!(
        own.contains(&&*format!("{site}/some-1.dist-info/RECORD")),
        "{own:?}"
    );
    let skeleton = names(&layers["skeleton"].1);
    assert_eq!(skeleton[2], "opt/app/vpython-pack.json");
    for name in ["opt/app/pyvenv.cfg", "opt/app/bin/activate"] {
        assert!(skeleton.contains(&name), "{skeleton:?}");
    }
    let application = names(&layers["application"].1);
    assert!(
        application.contains(&"opt/app/app/code/first.py"),
        "{application:?}"
    );
    let in_tar = packed(&world, "app.oci.tar", &options);
    let mut in_tar = members(&std::fs::read(in_tar).unwrap());
    in_tar.retain(|(name, _)| !name.ends_with('/'));
    assert_eq!(in_tar.len(), 4 + 2 + 3, "blobs and documents");
    for (name, content) in in_tar {
        assert_eq!(
            content,
            std::fs::read(layout.join(&name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn the_configuration_names_program_path_user_and_labels() {
    let world = world();
    let options = [
        "--prefix",
        "/opt/app",
        "--entrypoint",
        "run-some 'a b'",
        "--user",
        "1000:100",
        "--label",
        "team=x=y",
    ];
    let (manifest, config) = documents(&packed(&world, "app.oci", &options));
    let key = &manifest["annotations"]["vpython.key"];
    assert_eq!(
        config["config"],
        json!({
            "User": "1000:100",
            "Env": ["PATH=/opt/app/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": ["run-some", "a b"],
            "Labels": {"team": "x=y", "vpython.key": key, "vpython.python": world.python.version},
        })
    );
    assert_eq!(config["created"], "1980-01-01T00:00:00Z");
    assert_eq!(config["os"], "linux");
    // Without a prefix, the environment is the whole image.
    let (_, config) = documents(&packed(&world, "app.oci", &[]));
    assert_eq!(config["config"]["Entrypoint"], json!(["/bin/python3"]));
}

#[test]
fn images_share_the_layer_of_a_wheel() {
    let world = World::new();
    let options = ["--prefix", "/opt/app"];
    world.wheel(&Wheel::module("shared", "1"));
    world.wheel(&Wheel::module("one", "1").requires("shared"));
    world.wheel(&Wheel::module("two", "1"));
    world.write("vpython.toml", "dependencies = ['one']\n");
    let first = layers(&packed(&world, "one.oci", &options));
    world.write("vpython.toml", "dependencies = ['shared', 'two']\n");
    let second = layers(&packed(&world, "two.oci", &options));
    // One environment has it as a dependency, and the other by name.
    assert_eq!(first["shared 1"].0, second["shared 1"].0);
    let requested = "shared-1.dist-info/REQUESTED";
    let of = |layer: &[(String, Vec<u8>)], end: &str| {
        let found = layer.iter().find(|(name, _)| name.ends_with(end));
        found.map(|(_, content)| String::from_utf8(content.clone()).unwrap())
    };
    let record = "shared-1.dist-info/RECORD";
    assert_eq!(of(&first["skeleton"].1, requested), None);
    assert_eq!(of(&second["skeleton"].1, requested).as_deref(), Some(""));
    assert!(
        of(&second["skeleton"].1, record)
            .unwrap()
            .contains(requested)
    );
    assert!(
        !of(&second["shared 1"].1, record)
            .unwrap()
            .contains(requested)
    );
    // Another prefix gives other layers.
    let third = layers(&packed(&world, "three.oci", &["--prefix", "/srv/app"]));
    assert_ne!(second["shared 1"].0, third["shared 1"].0);
}

#[test]
fn a_file_of_two_wheels_is_in_the_layer_of_each() {
    let world = World::new();
    let options = ["--prefix", "/opt/app"];
    for name in ["one", "two"] {
        let wheel = Wheel::new(name, "1")
            .file("ns/__init__.py", "x = 1\n")
            .file(&format!("ns/{name}.py"), "y = 1\n");
        world.wheel(&wheel);
    }
    world.write("vpython.toml", "dependencies = ['one', 'two']\n");
    let both = packed(&world, "both.oci", &options);
    for name in ["one", "two"] {
        world.write("vpython.toml", format!("dependencies = ['{name}']\n"));
        let alone = layers(&packed(&world, &format!("{name}.oci"), &options));
        let title = format!("{name} 1");
        assert_eq!(layers(&both)[&title].0, alone[&title].0, "{name}");
    }
    let unpacked = |source: &str, to: &str| {
        let outcome = world.vpython(["-vpython-tool", "unpack", source, to]).run();
        outcome.prints(&*format!("[WORLD]/work/{to}\n"));
        files(&world.path(to))
    };
    world.write("vpython.toml", "dependencies = ['one', 'two']\n");
    packed(&world, "both.tar", &options);
    assert_eq!(
        unpacked("oci:both.oci", "from-image"),
        unpacked("both.tar", "from-tar")
    );
}

#[test]
fn unpack_creates_the_environment_of_an_image() {
    let world = world();
    let options = ["--prefix", "/opt/app"];
    packed(&world, "app.tar", &options);
    let unpack = |source: &str, to: &str| {
        let outcome = world.vpython(["-vpython-tool", "unpack", source, to]).run();
        outcome.expect(0, &format!("[WORLD]/work/{to}\n"), "");
        files(&world.path(to))
    };
    let expected = unpack("app.tar", "from-tar");
    is_alive(&world.path("from-tar"));
    for (file, compression) in [
        ("app.oci", "gzip"),
        ("app.oci.tar", "gzip"),
        ("other.oci", "zstd"),
    ] {
        packed(
            &world,
            file,
            &["--prefix", "/opt/app", "--compression", compression],
        );
        assert_eq!(
            unpack(&format!("oci:{file}"), file.split('.').next().unwrap()),
            expected
        );
        assert_eq!(unpack(&format!("oci:{file}:latest"), "again"), expected);
        assert_eq!(unpack(file, "by its name"), expected);
    }
}

#[test]
fn the_interpreter_is_a_layer() {
    let world = World::new();
    world.write("vpython.toml", "");
    let outcome = pack(
        &world,
        "app.oci",
        &["--with-python", "--prefix", "/opt/app"],
    );
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let layers = layers(&world.path("app.oci"));
    let kinds: Vec<&str> = layers.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["interpreter", "skeleton"]);
    let interpreter = names(&layers["interpreter"].1);
    assert!(interpreter.iter().all(|name| {
        ["opt/", "opt/app/"].contains(name) || name.starts_with("opt/app/python/")
    }));
}
