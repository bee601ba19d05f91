//! The readers of external input, each as a function of bytes, with the invariants of each for any
//! bytes. The fuzz targets of `fuzz/` include this file too.
//!
//! No reader panics, overflows or ends by a signal. An error has at most 200 lines and no control
//! characters. Where vpython also writes a format, writing what was read and reading it again gives
//! the same value.

use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use vpython::testing::fs::{self, Digest};
use vpython::testing::invocation::{Invocation, Relocate};
use vpython::testing::plan::{Evidence, Facts, PlannedWheel, choose_wheels};
use vpython::testing::process::Process;
use vpython::testing::spec::upgrade::{Legacy, Planned};
use vpython::testing::spec::{Packages, Spec, SpecKind, SpecText};
use vpython::testing::store::{Manifest, Memo};
use vpython::testing::tool::pack_manifest::PackManifest;
use vpython::testing::tool::{relocate, unpack};

/// A reader. It reads the bytes as its format, in an empty directory.
pub struct Reader {
    /// The name of the fuzz target.
    pub name: &'static str,
    read: fn(&Path, &[u8]) -> Result<()>,
}

/// All readers.
pub const READERS: [Reader; 19] = [
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
    let spec = text.parse(&process)?;
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
    let _ = vpython::testing::plan::requires_dist(bytes);
    std::fs::create_dir(directory.join("wheels"))?;
    std::fs::write(
        directory.join("wheels/a-1-py3-none-any.whl"),
        wheel_with(&[("METADATA", bytes)])?,
    )?;
    spec(directory, "vpython.toml", b"dependencies = ['a[x]']\n").map(drop)
}

/// Relocates an environment with this `pyvenv.cfg`, twice: the second time, nothing changes. The
/// tests use a separate process, since the tool prints on standard output what it has done.
#[allow(
    clippy::single_match_else,
    reason = "both methods give the same result"
)]
fn pyvenv_cfg(directory: &Path, bytes: &[u8]) -> Result<()> {
    let environment = directory.join("env");
    std::fs::create_dir_all(environment.join("lib/python3.11/site-packages"))?;
    std::fs::create_dir_all(environment.join("bin"))?;
    std::fs::write(environment.join("pyvenv.cfg"), bytes)?;
    std::fs::write(environment.join("bin/activate"), "VIRTUAL_ENV=/old/env\n")?;
    // The tests run the built program, and fuzz targets call the library.
    let relocated = || {
        match option_env!("CARGO_BIN_EXE_vpython") {
            Some(program) => {
                let mut command = std::process::Command::new(program);
                let output = command
                    .args(["-vpython-tool", "relocate", "env"])
                    .current_dir(directory)
                    .output()?;
                let code = output.status.code();
                let said = || {
                    format!(
                        "{:?} {}",
                        output.status,
                        String::from_utf8_lossy(&output.stderr)
                    )
                };
                promised(matches!(code, Some(0 | 1 | 125)), said)?;
                ensure!(code != Some(125), "it is refused");
            }
            None => {
                let process = process(directory, &["-vpython-tool", "relocate", "env"]);
                let invocation = Invocation::read(&process)?;
                relocate::run(&Relocate::default(), &["env".into()], &invocation, &process)?;
            }
        }
        Ok::<_, anyhow::Error>(std::fs::read(environment.join("pyvenv.cfg"))?)
    };
    // A second relocation must change nothing.
    let once = relocated()?;
    let twice =
        relocated().context("BROKEN PROMISE: a relocated environment cannot be relocated again")?;
    promised(once == twice, || {
        format!(
            "{:?} becomes {:?}",
            once.escape_ascii().to_string(),
            twice.escape_ascii().to_string()
        )
    })
}

/// Extracts an archive of `pack`, and checks that nothing is written next to the target directory.
fn archive(directory: &Path, bytes: &[u8]) -> Result<()> {
    let (file, to) = (directory.join("a.tar"), directory.join("to"));
    std::fs::write(&file, bytes)?;
    std::fs::create_dir(&to)?;
    let result = unpack::extract(&file, &to);
    promised(std::fs::read_dir(directory)?.count() == 2, || {
        "a file was written outside the directory".to_owned()
    })?;
    result.map(drop)
}

fn listing(_: &Path, bytes: &[u8]) -> Result<()> {
    let read = PackManifest::parse(bytes)?;
    let again = PackManifest::parse(&read.text()?)
        .context("BROKEN PROMISE: the written text cannot be read")?;
    promised(read == again, || format!("{read:?} reads as {again:?}"))
}

/// The memo files of launches and of environments, with and without a valid checksum.
fn memo(directory: &Path, bytes: &[u8]) -> Result<()> {
    kept::<Memo>(directory, bytes)?;
    if serde_json::from_slice::<Memo>(bytes).is_ok() {
        return Ok(());
    }
    let path = directory.join("vpython.json");
    std::fs::write(&path, bytes)?;
    fs::read_own_json::<Manifest>(&path).map(drop)
}

fn facts_file(directory: &Path, bytes: &[u8]) -> Result<()> {
    kept::<Facts>(directory, bytes)
}

fn kept<T: Serialize + DeserializeOwned + PartialEq>(directory: &Path, bytes: &[u8]) -> Result<()> {
    let path = directory.join("kept.json");
    std::fs::write(&path, bytes)?;
    let _ = fs::read_memo::<T>(&path);
    std::fs::write(&path, fs::seal(bytes))?;
    let Some(read) = fs::read_memo::<T>(&path) else {
        return Ok(());
    };
    fs::write_memo(&path, &read)?;
    promised(fs::read_memo(&path) == Some(read), || {
        "it reads differently".to_owned()
    })
}
