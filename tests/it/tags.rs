//! Compares the tags of other platforms with those of pip's `packaging.tags`, in the same order.

use std::process::{Command, Stdio};

use serde_json::json;
use vpython::testing::interpreter::{Facts, Tags};
use vpython::testing::spec::{Platform, Target, TargetPython};

use crate::support::{Python, start};

/// The platforms, with the minor version and the ABI of their python.
const TARGETS: [(&str, u32, &str); 22] = [
    ("manylinux_2_17_x86_64", 11, "cp311"),
    ("manylinux_2_39_x86_64", 12, "cp312"),
    ("manylinux1_x86_64", 8, "cp38"),
    ("manylinux2010_i686", 8, "cp38"),
    ("manylinux2014_aarch64", 13, "cp313t"),
    ("manylinux_2_31_armv7l", 11, "cp311"),
    ("manylinux_2_31_armv8l", 11, "cp311"),
    ("manylinux_2_28_s390x", 9, "cp39"),
    ("manylinux_2_28_ppc64le", 12, "cp312"),
    ("manylinux_2_39_riscv64", 14, "cp314t"),
    ("musllinux_1_2_armv7l", 13, "cp313"),
    ("musllinux_1_2_i686", 13, "cp313"),
    ("musllinux_1_2_riscv64", 14, "cp314"),
    ("musllinux_1_2_aarch64", 11, "cp311"),
    ("musllinux_1_1_x86_64", 6, "cp36m"),
    ("macosx_11_0_arm64", 11, "cp311"),
    ("macosx_14_5_arm64", 13, "cp313"),
    ("macosx_10_9_x86_64", 8, "cp38"),
    ("macosx_12_0_x86_64", 10, "cp310"),
    ("win_amd64", 11, "cp311"),
    ("win32", 7, "cp37m"),
    ("win_arm64", 13, "cp313t"),
];

/// Prints, for each line `NAME MINOR ABI`, the tags of a CPython on that platform in one line.
const PROGRAM: &str = r#"
import inspect, re, sys
try:
    from pip._vendor.packaging import _manylinux, _musllinux, tags
    if "archs" not in inspect.signature(_manylinux.platform_tags).parameters:
        raise ImportError("an old one")
except ImportError:
    sys.exit(3)

LEGACY = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}

def platforms(name):
    if name.startswith("win"):
        return [name]
    family, rest = name.split("_", 1)
    if family not in LEGACY:
        major, minor, machine = re.match(r"(\d+)_(\d+)_(.+)$", rest).groups()
        version = int(major), int(minor)
    if family == "macosx":
        return list(tags.mac_platforms(version, machine))
    if family in LEGACY:
        version, machine = (2, LEGACY[family]), rest
    machines = ["armv8l", "armv7l"] if machine == "armv8l" else [machine]
    linux = ["linux_" + machine for machine in machines]
    if family == "musllinux":
        _musllinux._get_musl_version = lambda executable: _musllinux._MuslVersion(*version)
        return linux + list(_musllinux.platform_tags(machines))
    _manylinux._get_glibc_version = lambda: version
    _manylinux._have_compatible_abi = lambda executable, machines: True
    return linux + list(_manylinux.platform_tags(machines))

for line in sys.stdin:
    name, minor, abi = line.split()
    version = (3, int(minor))
    there = platforms(name)
    own = tags.cpython_tags(version, [abi], there)
    generic = tags.compatible_tags(version, "cp3" + minor, there)
    print(" ".join(map(str, [*own, *generic])))
"#;

/// The tags that `packaging` gives for the targets, a line each; `None` if no python has a recent
/// enough pip.
fn expected(python: &Python) -> Option<String> {
    let mut command = Command::new(&python.path);
    command
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut child = start(&mut command);
    let lines: Vec<String> = TARGETS
        .iter()
        .map(|(name, minor, abi)| format!("{name} {minor} {abi}"))
        .collect();
    let lines = lines.join("\n") + "\n";
    // A python without pip does not read its input to the end.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes());
    let output = child.wait_with_output().unwrap();
    let knows = output.status.code() != Some(3);
    assert!(output.status.success() || !knows, "{output:?}");
    knows.then(|| String::from_utf8(output.stdout).unwrap())
}

/// An interpreter on this machine, of which only the assumed properties of the target matter.
fn here() -> Facts {
    let answer = json!({
        "executable": "/usr/bin/python3.11",
        "release": [3, 11, 7],
        "build": "3.11.7",
        "cache_tag": "cpython-311",
        "site_packages": "lib/python3.11/site-packages",
        "platform": "linux-x86_64",
        "abi": {"debug": false, "pymalloc": true, "free_threaded": false, "pointer_bits": 64},
        "libc": {"Glibc": {"major": 2, "minor": 36}},
        "libc_path": null,
        "markers": {
            "implementation_name": "cpython",
            "implementation_version": "3.11.7",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "6.1",
            "platform_system": "Linux",
            "platform_version": "1",
            "python_full_version": "3.11.7",
            "python_version": "3.11",
            "sys_platform": "linux",
        },
    });
    serde_json::from_value(answer).unwrap()
}

#[test]
fn another_platform_has_the_tags_that_pip_gives_it() {
    let Some(expected) = Python::all().iter().rev().find_map(expected) else {
        not_tested!("no python has a pip of 2024 or later");
        return;
    };
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(expected.len(), TARGETS.len());
    let mut tags = 0;
    for ((name, minor, abi), expected) in TARGETS.into_iter().zip(expected) {
        let python = TargetPython {
            major: 3,
            minor,
            free_threaded: abi.ends_with('t'),
        };
        let target = Target {
            platform: Platform::parse(name).unwrap(),
            python: Some(python),
        };
        // Versions of pip before 26.1 do not know the stable ABI of free-threaded builds.
        let is_known = |tag: &String| !tag.contains("-abi3t-") || expected.contains("-abi3t-");
        let ours: Vec<String> = Tags::of(&here().for_target(&target))
            .in_order()
            .iter()
            .map(ToString::to_string)
            .filter(is_known)
            .collect();
        let theirs: Vec<&str> = expected.split(' ').collect();
        tags += theirs.len();
        if let Some(index) = (0..ours.len().max(theirs.len()))
            .find(|index| ours.get(*index).map(String::as_str) != theirs.get(*index).copied())
        {
            panic!(
                "{name}: tag {index} is {:?}, and pip's is {:?}",
                ours.get(index),
                theirs.get(index)
            );
        }
    }
    assert!(tags > 5000, "only {tags} tags were compared");
}
