//! Squashfs images: an environment as one file, which runs from wherever it is mounted. A cluster
//! with a parallel file system reads one large file much faster than thousands of small ones.
//!
//! `mksquashfs` writes the image from the same tar archive as [`super::tar`] writes, so members,
//! owners, times and permission bits are the same. The image is the same for any number of
//! processors; another version of `mksquashfs` or of its zlib may write other bytes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contents::Contents;
use super::tar;
use crate::fs;
use crate::process::{Process, variable};
use crate::report::Failure;

/// The oldest version that reads tar archives.
const NEEDED: &str = "squashfs-tools 4.5 or later";

/// The program that writes images.
#[derive(Debug, Default)]
pub(super) struct Mksquashfs {
    path: PathBuf,
}

impl Mksquashfs {
    /// Finds the program, or adds to `problems` that it is missing.
    pub fn find(&mut self, process: &Process, problems: &mut Vec<String>) {
        match process.find_program("mksquashfs") {
            Some(path) => self.path = path,
            None => problems.push(format!(
                "there is no `mksquashfs` on `PATH`; install {NEEDED}"
            )),
        }
    }

    /// Runs the program, which reads a tar archive and writes the image at `image`.
    fn run(&self, archive: File, time: u32, image: &Path) -> Result<()> {
        let time = time.to_string();
        let mut command = Command::new(&self.path);
        // The root directory, which is not in the archive, gets fixed properties here. An image
        // needs neither the table for NFS exports nor extended attributes.
        command.arg("-").arg(image);
        command.args(["-tar", "-noappend", "-comp", "gzip", "-no-xattrs"]);
        command.args(["-no-exports", "-quiet", "-no-progress"]);
        command.args(["-all-root", "-root-mode", "755"]);
        for option in ["-mkfs-time", "-all-time"] {
            command.args([option, &time]);
        }
        let output = command
            // It refuses a time from two sources.
            .env_remove(variable::SOURCE_DATE_EPOCH)
            .stdin(archive)
            .output()
            .with_context(|| format!("cannot start `{}`", self.path.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let messages = String::from_utf8_lossy(&output.stderr);
        let first = messages.lines().find(|line| !line.trim().is_empty());
        let failure = Failure::new(format!("`{}` failed", self.path.display()));
        Err(failure
            .because_of(first.map(|line| line.trim().to_owned()))
            .hint(format!("the image needs {NEEDED}"))
            .into())
    }
}

/// Writes the image. Archive and image are first written next to the members of the environment: the
/// program can only write to a path, and an archive in a pipe would end this process by a signal if
/// the program fails early.
pub(super) fn write(contents: &Contents, mksquashfs: &Mksquashfs, to: &mut File) -> Result<()> {
    let directory = tempfile::tempdir_in(&contents.directory)
        .with_context(|| format!("cannot write to `{}`", contents.directory.display()))?;
    let [archive, image] = ["archive", "image"].map(|name| directory.path().join(name));
    super::buffered(&mut fs::create(&archive)?, |file| {
        tar::write_installed(contents, file)
    })?;
    mksquashfs.run(fs::open(&archive)?, contents.time, &image)?;
    std::io::copy(&mut fs::open(&image)?, to).context("cannot write to the disk")?;
    Ok(())
}
