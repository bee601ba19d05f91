//! Interpreters that are shell scripts: of any version, the same on every machine, with a counter
//! of their probes.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::World;

/// A script that answers the probe like a CPython on x86-64 Linux with glibc 2.36. Run otherwise,
/// it prints its arguments and a part of its environment.
#[derive(Debug)]
pub struct Fake {
    /// The script.
    pub path: PathBuf,
    log: PathBuf,
}

const SCRIPT: &str = r#"#!/bin/sh
here=@HERE@
if [ "$1 $2 $3" = "-I -S -c" ]; then
    echo asked >>"$here/log"
    cat "$here/answer.json"
    exit 0
fi
echo run >>"$here/log"
for word in "$@"; do
    printf '<%s>\n' "$word"
done
env | grep -E '^(PYTHON|VIRTUAL_ENV|__PYVENV|PATH=)' | sort
"#;

impl Fake {
    /// A fake of that version, as in `3.11.7`, or `3.13.7t` for a free-threaded build, in its own
    /// directory.
    pub fn new(world: &World, version: &str) -> Self {
        let directory = world.outside(&format!("fakes/{version}"));
        std::fs::create_dir_all(&directory).unwrap();
        let fake = Self {
            path: directory.join("python3"),
            log: directory.join("log"),
        };
        let script = SCRIPT.replace("@HERE@", directory.to_str().unwrap());
        super::world::write_with_mode(&fake.path, script.as_bytes(), 0o755);
        fake.answer(version);
        fake
    }

    /// Changes the version that it reports.
    pub fn answer(&self, version: &str) {
        let directory = self.path.parent().unwrap();
        std::fs::write(
            directory.join("answer.json"),
            answer(&self.path, version).to_string(),
        )
        .unwrap();
    }

    /// The directory from which its `ensurepip` would install; a test has to create it.
    pub fn bundle(&self) -> PathBuf {
        self.path.with_file_name("bundled")
    }

    /// Replaces the content of the script.
    pub fn rewrite(&self, script: &[u8]) {
        super::world::write_with_mode(&self.path, script, 0o755);
    }

    /// The number of probes.
    pub fn probe_count(&self) -> usize {
        std::fs::read_to_string(&self.log)
            .unwrap_or_default()
            .lines()
            .filter(|line| *line == "asked")
            .count()
    }
}

/// The output of the probe `src/interpreter/probe.py`.
fn answer(path: &Path, version: &str) -> serde_json::Value {
    let (version, threads) = match version.strip_suffix('t') {
        Some(version) => (version, "t"),
        None => (version, ""),
    };
    let release: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    let (major, minor) = (release[0], release[1]);
    json!({
        "executable": path,
        "release": release,
        "build": format!("{version} (fake)"),
        "cache_tag": format!("cpython-{major}{minor}"),
        "site_packages": format!("lib/python{major}.{minor}{threads}/site-packages"),
        "platform": "linux-x86_64",
        "abi": {"debug": false, "pymalloc": true, "free_threaded": !threads.is_empty(), "pointer_bits": 64},
        "libc": {"Glibc": {"major": 2, "minor": 36}},
        "libc_path": null,
        "bundled": [path.with_file_name("bundled")],
        "markers": {
            "implementation_name": "cpython",
            "implementation_version": version,
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "6.1",
            "platform_system": "Linux",
            "platform_version": "1",
            "python_full_version": version,
            "python_version": format!("{major}.{minor}"),
            "sys_platform": "linux",
        },
    })
}
