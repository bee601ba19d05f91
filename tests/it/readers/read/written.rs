//! The readers of what vpython and other tools have written: environments, archives, memos and facts.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vpython::testing::fs::{self};
use vpython::testing::interpreter::Facts;
use vpython::testing::invocation::{Invocation, Relocate};
use vpython::testing::memo::Memo;
use vpython::testing::portable::{PackManifest, extract};
use vpython::testing::store::Manifest;
use vpython::testing::tool::relocate;

use super::{process, promised};

/// Relocates an environment with this `pyvenv.cfg`, twice: the second time, nothing changes. The
/// tests use a separate process, since the tool prints on standard output what it has done.
#[allow(
    clippy::single_match_else,
    reason = "both methods give the same result"
)]
pub(super) fn pyvenv_cfg(directory: &Path, bytes: &[u8]) -> Result<()> {
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
pub(super) fn archive(directory: &Path, bytes: &[u8]) -> Result<()> {
    let (file, to) = (directory.join("a.tar"), directory.join("to"));
    std::fs::write(&file, bytes)?;
    std::fs::create_dir(&to)?;
    let result = extract(&file, &to);
    promised(std::fs::read_dir(directory)?.count() == 2, || {
        "a file was written outside the directory".to_owned()
    })?;
    result.map(drop)
}

pub(super) fn listing(_: &Path, bytes: &[u8]) -> Result<()> {
    let read = PackManifest::parse(bytes)?;
    let again = PackManifest::parse(&read.text()?)
        .context("BROKEN PROMISE: the written text cannot be read")?;
    promised(read == again, || format!("{read:?} reads as {again:?}"))
}

/// The memo files of launches and of environments, with and without a valid checksum.
pub(super) fn memo(directory: &Path, bytes: &[u8]) -> Result<()> {
    kept::<Memo>(directory, bytes)?;
    if serde_json::from_slice::<Memo>(bytes).is_ok() {
        return Ok(());
    }
    let path = directory.join("vpython.json");
    std::fs::write(&path, bytes)?;
    fs::read_own_json::<Manifest>(&path).map(drop)
}

pub(super) fn facts_file(directory: &Path, bytes: &[u8]) -> Result<()> {
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
