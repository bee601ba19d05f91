//! A root file system with nothing but vpython and the files of the program: no C library, no shell,
//! no devices, with `/proc` and without.

use std::path::Path;

use expect_test::expect;

use super::{Image, redacted, world};
use crate::support::{Outcome, VPYTHON, Wheel, World};

/// A world whose `work` becomes the root file system.
struct Root {
    world: World,
    /// The options of bubblewrap.
    options: Vec<String>,
}

impl Root {
    /// Returns a root; `None`, and says so, where it cannot be entered.
    fn new(with_proc: bool) -> Option<Self> {
        let world = world();
        let root = world.path("");
        let mut options: Vec<String> = ["bwrap", "--unshare-all", "--clearenv", "--bind"]
            .map(str::to_owned)
            .to_vec();
        let root = root.to_str().unwrap().to_owned();
        options.extend([root, "/".to_owned()]);
        options.extend(["--ro-bind", VPYTHON, "/vpython"].map(str::to_owned));
        if with_proc {
            options.extend(["--proc", "/proc"].map(str::to_owned));
        }
        options.extend(["--chdir", "/"].map(str::to_owned));
        let root = Self { world, options };
        let found = root.run(&["-vpython-version"]);
        if found.code == Some(0) {
            return Some(root);
        }
        not_tested!(
            "bubblewrap cannot enter a root file system: {}",
            found.stderr
        );
        None
    }

    fn run(&self, words: &[&str]) -> Outcome {
        let reference = Image::get().reference();
        let launch = self.world.program("/usr/bin/env", &self.options);
        let own = [
            "/vpython",
            "-vpython-root",
            "/store",
            "-vpython-interpreter",
            &reference,
        ];
        redacted(launch.arguments(own).arguments(words).run())
    }
}

const PROGRAM: &str = "\
import ctypes, sqlite3, ssl, subprocess, sys
import a
child = [sys.executable, '-c', 'import sys, a; print(a.VERSION, sys.prefix == sys.argv[1])', sys.prefix]
print(sys.base_prefix, subprocess.check_output(child).decode().strip())
";

#[test]
fn a_program_runs_with_nothing_but_vpython_cold_and_warm() {
    for with_proc in [true, false] {
        let Some(root) = Root::new(with_proc) else {
            return;
        };
        root.world.wheel(&Wheel::module("a", "1"));
        root.world.write("vpython.toml", "dependencies = ['a']\n");
        root.world.write("tool.py", PROGRAM);
        let expected = "/store/v1/pythons/[IMAGE] 1 True\n";
        root.run(&["tool.py"]).prints(expected);
        // The copy needs the layout no longer.
        std::fs::remove_dir_all(root.world.path("layout")).unwrap();
        root.run(&["tool.py"]).prints(expected);
        root.run(&["-vpython-tool", "check", "tool.py"])
            .prints(expect![[r#"
            1 environment, 1 interpreter from images and 1 unpacked wheel: all files are intact
        "#]]);
        let listed = root.run(&["-vpython-tool", "list", "--json"]).stdout;
        assert!(listed.contains("\"has_c_library\": true"), "{listed}");
        let installed = root.run(&["-vpython-tool", "install", "tool.py"]);
        assert_eq!(installed.code, Some(0), "{installed}");
        root.run(&["tool.py"]).prints(expected);
    }
}

#[test]
fn a_script_of_a_wheel_runs_without_a_shell() {
    let Some(root) = Root::new(false) else {
        return;
    };
    // A loader that cannot load the interpreter, as an older one could not, counts as none.
    root.world
        .write_with_mode("lib64/ld-linux-x86-64.so.2", "#", 0o755);
    let wheel = Wheel::new("a", "1").entry_point("hello", "a:hello");
    root.world
        .wheel(&wheel.file("a.py", "def hello():\n    print('hello')\n"));
    root.world.write("vpython.toml", "dependencies = ['a']\n");
    root.run(&["-vpython-tool", "exec", "hello"])
        .prints("hello\n");
    root.world.write(
        "tool.py",
        "import subprocess, sys, os\nprint(subprocess.check_output([os.path.dirname(sys.executable) + '/hello']).decode(), end='')\n",
    );
    root.run(&["tool.py"]).prints("hello\n");
    root.run(&["-vpython-tool", "check", "tool.py"])
        .prints(expect![[r#"
        1 environment, 1 interpreter from images and 1 unpacked wheel: all files are intact
    "#]]);
}

#[test]
fn an_image_without_a_c_library_is_refused_where_there_is_none() {
    let Some(root) = Root::new(false) else {
        return;
    };
    // The same image without that layer, as an older version would have written it.
    let layout = root.world.path("layout");
    let mut manifest = Image::get().manifest();
    manifest["layers"].as_array_mut().unwrap().pop();
    let digest = list_manifest(&layout, manifest.to_string().as_bytes());
    let reference = format!("oci:layout@sha256:{digest}");
    let launch = root.world.program("/usr/bin/env", &root.options);
    let words = [
        "/vpython",
        "-vpython-root",
        "/store",
        "-vpython-interpreter",
        &reference,
        "-c",
        "",
    ];
    let outcome = launch.arguments(words).run();
    outcome.replacing(&digest, "[DIGEST]").refuses(125, expect![[r#"
        vpython: error: cannot use the interpreter from `oci:/layout@sha256:[DIGEST]`
          caused by: it needs the loader `/lib64/ld-linux-x86-64.so.2`, which does not exist, and the image has no C library
          hint: push it again with this version of vpython
    "#]]);
}

/// Writes a manifest into a layout as the only one, and returns its digest.
fn list_manifest(layout: &Path, text: &[u8]) -> String {
    let digest = vpython::testing::fs::Digest::of(text).to_string();
    std::fs::write(super::blob(layout, &digest), text).unwrap();
    let index = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha256:{digest}"),
            "size": text.len(),
        }],
    });
    std::fs::write(layout.join("index.json"), index.to_string()).unwrap();
    digest
}
