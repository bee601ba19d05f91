//! The readers of external input, each as a function of bytes, with the invariants of each for any
//! bytes. The fuzz targets of `fuzz/` include this file too.
//!
//! No reader panics, overflows or ends by a signal. An error has at most 200 lines and no control
//! characters. Where vpython also writes a format, writing what was read and reading it again gives
//! the same value.

// Named by its path, since the fuzz targets name this file by its path.
#[path = "read/index.rs"]
mod index;
#[path = "read/layout.rs"]
pub mod layout;
#[path = "read/written.rs"]
mod written;

use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Result, ensure};
use vpython::testing::fs::Digest;
use vpython::testing::interpreter::Facts;
use vpython::testing::invocation::Invocation;
use vpython::testing::plan::{Evidence, PlannedWheel, choose_wheels};
use vpython::testing::process::Process;
use vpython::testing::spec::upgrade::{Legacy, Planned};
use vpython::testing::spec::{Packages, Spec, SpecKind, SpecText};

use written::{archive, facts_file, listing, memo, pyvenv_cfg};

/// A reader. It reads the bytes as its format, in an empty directory.
pub struct Reader {
    /// The name of the fuzz target.
    pub name: &'static str,
    read: fn(&Path, &[u8]) -> Result<()>,
}

/// All readers.
pub const READERS: [Reader; 25] = [
    Reader {
        name: "vpython-toml",
        read: |directory, bytes| spec(directory, "vpython.toml", bytes).map(drop),
    },
    Reader {
        name: "pyproject",
        read: pyproject,
    },
    Reader {
        name: "pep723",
        read: |directory, bytes| script(directory, bytes).map(drop),
    },
    Reader {
        name: "luci",
        read: luci,
    },
    Reader {
        name: "luci-inline",
        read: luci_inline,
    },
    Reader {
        name: "requirements",
        read: requirements,
    },
    Reader {
        name: "pylock",
        read: pylock,
    },
    Reader {
        name: "uv-lock",
        read: uv_lock,
    },
    Reader {
        name: "conf",
        read: conf,
    },
    Reader {
        name: "wheel",
        read: wheel,
    },
    Reader {
        name: "metadata",
        read: metadata,
    },
    Reader {
        name: "wheel-file",
        read: |directory, bytes| unpacked(directory, [("WHEEL", bytes)]),
    },
    Reader {
        name: "record",
        read: |directory, bytes| unpacked(directory, [("RECORD", bytes)]),
    },
    Reader {
        name: "entry-points",
        read: |directory, bytes| unpacked(directory, [("entry_points.txt", bytes)]),
    },
    Reader {
        name: "pyvenv-cfg",
        read: pyvenv_cfg,
    },
    Reader {
        name: "archive",
        read: archive,
    },
    Reader {
        name: "listing",
        read: listing,
    },
    Reader {
        name: "memo",
        read: memo,
    },
    Reader {
        name: "facts",
        read: facts_file,
    },
    Reader {
        name: "index-json",
        read: index::json,
    },
    Reader {
        name: "index-html",
        read: index::html,
    },
    Reader {
        name: "pip-conf",
        read: index::pip_conf,
    },
    Reader {
        name: "remote-wheel",
        read: index::remote_wheel,
    },
    Reader {
        name: "oci-index",
        read: layout::list,
    },
    Reader {
        name: "oci-manifest",
        read: layout::manifest,
    },
];

impl Reader {
    /// Reads bytes in an empty directory, and checks the invariants of all readers.
    ///
    /// # Errors
    /// The error of the reader if it refuses the bytes.
    ///
    /// # Panics
    /// If an invariant is broken.
    pub fn take(&self, directory: &Path, bytes: &[u8]) -> Result<(), String> {
        let Err(error) = (self.read)(directory, bytes) else {
            return Ok(());
        };
        let said = vpython::testing::report::render(&error);
        assert!(
            said.lines().count() <= 200,
            "an error of {} lines",
            said.lines().count()
        );
        assert!(
            !said.contains(|c: char| c.is_control() && c != '\n'),
            "control characters in {said:?}"
        );
        assert!(!said.contains("BROKEN PROMISE"), "{said}");
        Err(said)
    }
}

/// A broken invariant: an error that no reader may return.
fn promised(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    ensure!(holds, "BROKEN PROMISE: {}", what());
    Ok(())
}

/// A process with these arguments, in its own directory.
fn process(directory: &Path, words: &[&str]) -> Process {
    use std::os::unix::fs::MetadataExt;
    let user = std::fs::metadata(directory).map_or(0, |metadata| metadata.uid());
    let arguments = words.iter().map(Into::into).collect();
    Process {
        arguments,
        directory: Some(directory.to_path_buf()),
        user,
        ..Process::default()
    }
}

/// The spec of this command line, read as far as a launch reads it, with an empty list of wheels.
fn spec_by(directory: &Path, words: &[&str]) -> Result<(SpecText, Spec)> {
    let process = process(directory, words);
    let invocation = Invocation::read(&process)?;
    let text = vpython::testing::spec::find(&invocation, &process)?;
    let _ = text.source();
    let spec = text.parse(&invocation, &process)?;
    let _ = spec.targets();
    let interpreter: Facts = serde_json::from_str(super::seeds::FACTS)?;
    let chosen = choose_wheels(
        &spec,
        &interpreter,
        &invocation,
        &directory.join("memo"),
        &mut Evidence::default(),
    );
    if let Err(error) = chosen {
        let lines = vpython::testing::report::render(&error).lines().count();
        promised(lines <= 200, || format!("an error of {lines} lines"))?;
    }
    Ok((text, spec))
}

fn spec(directory: &Path, name: &str, bytes: &[u8]) -> Result<(SpecText, Spec)> {
    std::fs::write(directory.join(name), bytes)?;
    spec_by(directory, &["-vpython-spec", name, "x.py"])
}

fn pyproject(directory: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(directory.join("pyproject.toml"), bytes)?;
    let words = [
        "-vpython-spec",
        "pyproject.toml",
        "-vpython-extra",
        "x",
        "-vpython-group",
        "g",
        "x.py",
    ];
    let _ = spec_by(directory, &words);
    spec_by(directory, &["-vpython-spec", "pyproject.toml", "x.py"]).map(drop)
}

fn script(directory: &Path, bytes: &[u8]) -> Result<(SpecText, Spec)> {
    std::fs::write(directory.join("x.py"), bytes)?;
    std::fs::write(directory.join(".gclient"), "")?;
    spec_by(directory, &["x.py"])
}

/// A LUCI spec, and its native form, which must be valid.
fn luci(directory: &Path, bytes: &[u8]) -> Result<()> {
    let (_, read) = spec(directory, ".vpython3", bytes)?;
    native(&directory.join(".vpython3"), directory, &read)
}

fn luci_inline(directory: &Path, bytes: &[u8]) -> Result<()> {
    let (text, read) = script(directory, bytes)?;
    if text.kind == SpecKind::Luci {
        native(&directory.join("x.py"), directory, &read)
    } else {
        Ok(())
    }
}

/// Checks that the output of `upgrade` is a spec with the same requirements.
fn native(path: &Path, directory: &Path, spec: &Spec) -> Result<()> {
    let Some(legacy) = Legacy::read(path)? else {
        return Ok(());
    };
    // The native form cannot express everything that LUCI's form can.
    let Ok(native) = legacy.to_native(&Planned::default()) else {
        return Ok(());
    };
    let again = native.text.parse_without_lock(&process(directory, &[]));
    let again = again
        .map_err(|error| error.context("BROKEN PROMISE: what `upgrade` writes does not read"))?;
    let (Packages::Listed(listed), Packages::Required(required)) =
        (&spec.packages, &again.packages)
    else {
        return promised(false, || "not of the native form".to_owned());
    };
    let asked = |project| {
        required
            .asked
            .iter()
            .any(|asked| asked.value.requirement.name == project)
    };
    let lost = listed
        .iter()
        .find(|wheel| !asked(wheel.value.project.clone()));
    // A wheel that applies to no platform is not written.
    let is_wanted = lost.is_none_or(|lost| {
        !lost.value.conditions.is_empty()
            || !lost.value.match_tags.is_empty()
            || !lost.value.not_match_tags.is_empty()
    });
    promised(is_wanted, || format!("`upgrade` loses {lost:?}"))
}

fn requirements(directory: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(directory.join("more.txt"), "a==1\n")?;
    spec(directory, "requirements.txt", bytes).map(drop)
}

/// A lock in the standard form: the lock that vpython writes from it reads the same.
fn pylock(directory: &Path, bytes: &[u8]) -> Result<()> {
    let (_, read) = spec(directory, "pylock.toml", bytes)?;
    let Packages::Locked(lock) = read.packages else {
        return promised(false, || "not a lock".to_owned());
    };
    // vpython writes no package without wheels.
    if lock
        .packages
        .iter()
        .any(|package| package.value.wheels.is_empty())
    {
        return Ok(());
    }
    let written = lock.to_text();
    let again = spec(directory, "pylock.toml", written.as_bytes());
    let (_, again) = again.map_err(|error| {
        error.context(format!(
            "BROKEN PROMISE: the written text cannot be read: {written}"
        ))
    })?;
    let Packages::Locked(again) = again.packages else {
        return promised(false, || "not a lock".to_owned());
    };
    promised(again.to_text() == written, || {
        format!("{written} reads as {}", again.to_text())
    })
}

/// A lock next to a spec, in either of uv's forms.
fn uv_lock(directory: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(directory.join("vpython.toml.uv.lock"), bytes)?;
    spec(
        directory,
        "vpython.toml",
        b"requires-python = '>=3.9'\ndependencies = ['a', 'b[x]>=1']\n",
    )
    .map(drop)
}

fn conf(directory: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(directory.join("vpython.conf"), bytes)?;
    let mut process = process(directory, &["x.py"]);
    process
        .environment
        .push(("VPYTHON_CONF".into(), directory.join("vpython.conf").into()));
    process.environment.push(("HOME".into(), directory.into()));
    Invocation::read(&process).map(drop)
}

/// Unpacks a wheel, and checks that nothing is written next to the target directory.
fn wheel(directory: &Path, bytes: &[u8]) -> Result<()> {
    let (path, to) = (directory.join("a-1-py3-none-any.whl"), directory.join("to"));
    std::fs::write(&path, bytes)?;
    std::fs::create_dir(&to)?;
    let (name, version) = ("a".parse()?, "1".parse()?);
    let sha256 = Digest::of(bytes);
    let wheel = PlannedWheel {
        name,
        version,
        path,
        in_layout: None,
        built: None,
        to_fetch: None,
        size: bytes.len() as u64,
        sha256,
        required_by: Vec::new(),
    };
    let result = vpython::testing::build::unpack(&wheel, &to);
    promised(std::fs::read_dir(directory)?.count() == 2, || {
        "a file was written outside the directory".to_owned()
    })?;
    result
}

/// Unpacks a wheel that has this file in its `.dist-info`.
fn unpacked<const N: usize>(directory: &Path, files: [(&str, &[u8]); N]) -> Result<()> {
    wheel(directory, &wheel_with(&files)?)
}

/// A wheel with these files in its `.dist-info`.
pub fn wheel_with(files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::DEFAULT.compression_method(zip::CompressionMethod::Stored);
    let mut members: Vec<(String, &[u8])> = vec![("a.py".into(), b"x = 1\n")];
    for (name, content) in super::seeds::DIST_INFO {
        let given = files.iter().find(|(given, _)| *given == name);
        members.push((
            format!("a-1.dist-info/{name}"),
            given.map_or(content.as_bytes(), |(_, content)| content),
        ));
    }
    for (name, content) in members {
        writer.start_file(name, options)?;
        writer.write_all(content)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// Resolves a spec that requires a wheel with this `METADATA`.
fn metadata(directory: &Path, bytes: &[u8]) -> Result<()> {
    let _ = vpython::testing::wheel::requires_dist(bytes);
    std::fs::create_dir(directory.join("wheels"))?;
    std::fs::write(
        directory.join("wheels/a-1-py3-none-any.whl"),
        wheel_with(&[("METADATA", bytes)])?,
    )?;
    spec(directory, "vpython.toml", b"dependencies = ['a[x]']\n").map(drop)
}
