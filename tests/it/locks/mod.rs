//! Standard lock files (PEP 751): as a spec, next to a spec, and written by `-vpython-tool lock`.

mod as_spec;
mod next_to_spec;
mod written;

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::support::{Launch, Wheel, World};

const SHOW: &str = "\
import importlib.metadata as m
print(' '.join(sorted(f'{d.metadata[\"Name\"]}=={d.version}' for d in m.distributions())))
";

fn sha256(wheel: &Wheel) -> String {
    hex::encode(Sha256::digest(wheel.bytes()))
}

/// A lock of these packages, as a tool that uses an index would write it.
fn foreign_lock(packages: &[(&Wheel, &str, &str, &str)]) -> String {
    let package = |(wheel, name, version, rest): &(&Wheel, &str, &str, &str)| {
        let url = format!(
            "https://files.example.org/{}",
            wheel.file_name().replace('+', "%2B")
        );
        format!(
            "\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n{rest}index = \"https://example.org/simple\"\n\
             wheels = [{{ url = \"{url}\", size = {}, hashes = {{ sha256 = \"{}\" }} }}]\n",
            wheel.bytes().len(),
            sha256(wheel)
        )
    };
    let mut lock = "lock-version = \"1.0\"\ncreated-by = \"other\"\n".to_owned();
    lock.extend(packages.iter().map(package));
    lock
}

/// A world with a spec for two platforms, and the wheels for both.
fn world_of_two_platforms() -> World {
    let world = World::new();
    let wheels = [
        Wheel::module("app", "1")
            .requires("lib")
            .requires("win ; sys_platform == 'win32'"),
        Wheel::module("app", "3").requires_python("<3"),
        Wheel::module("lib", "1")
            .requires_python(">=3.6")
            .tag("py3-none-linux_x86_64"),
        Wheel::module("lib", "1")
            .requires_python(">=3.6")
            .tag("py3-none-win_amd64"),
        Wheel::module("lib", "1")
            .requires_python(">=3.6")
            .tag("py3-none-macosx_11_0_arm64"),
        Wheel::module("win", "2"),
    ];
    for wheel in &wheels {
        world.wheel(wheel);
    }
    world.write(
        "vpython.toml",
        "dependencies = ['app >=1']\n[tool.vpython]\nplatforms = ['win_amd64']\n",
    );
    world.write("show.py", SHOW);
    world
}

/// A line for a file in a lock.
fn locked(wheel: &Wheel) -> String {
    let (name, size, sha256) = (wheel.file_name(), wheel.bytes().len(), sha256(wheel));
    format!(
        "    {{name = \"{name}\", path = \"wheels/{name}\", size = {size}, hashes = {{sha256 = \"{sha256}\"}}}},\n"
    )
}

fn lock<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world.vpython(["-vpython-tool", "lock"]).arguments(words)
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}
