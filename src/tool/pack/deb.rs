//! Packages of Debian and its kin: `deb(5)`, an archive of `ar(5)` with three members.
//!
//! The data is compressed with gzip, which every dpkg reads. Scripts, which would run at
//! installation, there are none.

use std::io::{Seek, SeekFrom, Write};

use anyhow::{Context, Result, ensure};
use md5::{Digest, Md5};
use rayon::prelude::*;

use super::contents::{Contents, Item, What};
use super::package::Package;
use super::rules::Manager;
use super::tar;

/// What the names in the tar archives of a deb begin with.
const TOP: &str = "./";
/// How long the header of a member is, and where in it the size stands.
const HEADER: u64 = 60;
const SIZE: u64 = 48;

/// Writes the package for an interpreter of this platform, as in `linux-x86_64`.
pub(super) fn write(
    contents: &Contents,
    package: &Package,
    platform: &str,
    to: &mut (impl Write + Seek),
) -> Result<()> {
    let arch = package.arch(Manager::Dpkg, platform)?;
    let items = contents.as_installed();
    let control = control(contents, package, &arch, &items);
    let mut archive = Vec::new();
    tar::in_gzip(&mut archive, |to| {
        tar::directory(TOP, contents.time, to)?;
        tar::text("./control", control.as_bytes(), contents.time, to)?;
        tar::text(
            "./md5sums",
            digests(contents, &items)?.as_bytes(),
            contents.time,
            to,
        )?;
        tar::end(to)
    })?;
    to.write_all(b"!<arch>\n")
        .context("cannot write the package")?;
    member("debian-binary", contents.time, to, |to| {
        to.write_all(b"2.0\n").context("cannot write the package")
    })?;
    member("control.tar.gz", contents.time, to, |to| {
        to.write_all(&archive).context("cannot write the package")
    })?;
    member("data.tar.gz", contents.time, to, |to| {
        tar::in_gzip(to, |to| {
            tar::directory(TOP, contents.time, to)?;
            tar::members(contents, &items, TOP, to)?;
            tar::end(to)
        })
    })
}

/// Writes a member of the outer archive. Its size is filled in when it is known.
fn member<W: Write + Seek>(
    name: &str,
    time: u32,
    to: &mut W,
    write: impl FnOnce(&mut W) -> Result<()>,
) -> Result<()> {
    let cannot = || format!("cannot write `{name}`");
    let start = to.stream_position().with_context(cannot)?;
    writeln!(
        to,
        "{name:<16}{time:<12}{:<6}{:<6}{:<8}{:<10}`",
        0, 0, "100644", 0
    )
    .with_context(cannot)?;
    write(to)?;
    let end = to.stream_position().with_context(cannot)?;
    let size = format!("{:<10}", end - start - HEADER);
    ensure!(size.len() == 10, "`{name}` is larger than a deb can be");
    to.seek(SeekFrom::Start(start + SIZE))
        .with_context(cannot)?;
    to.write_all(size.as_bytes()).with_context(cannot)?;
    to.seek(SeekFrom::Start(end)).with_context(cannot)?;
    // Members begin at even places.
    to.write_all(&b"\n"[..usize::from(end % 2 == 1)])
        .with_context(cannot)
}

/// The text of `control`:
/// <https://www.debian.org/doc/debian-policy/ch-controlfields.html#binary-package-control-files-debian-control>.
fn control(contents: &Contents, package: &Package, arch: &str, items: &[Item<'_>]) -> String {
    let mut fields = vec![
        ("Package", package.name.clone()),
        ("Version", package.version.clone()),
        ("Architecture", arch.to_owned()),
        ("Maintainer", package.maintainer.clone().unwrap_or_default()),
        ("Installed-Size", installed_size(items).to_string()),
    ];
    if !package.depends.is_empty() {
        fields.push(("Depends", package.depends.join(", ")));
    }
    fields.push(("Section", "misc".to_owned()));
    fields.push(("Priority", "optional".to_owned()));
    fields.push(("Description", package.summary()));
    let mut lines: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let details = package.details(&contents.listing);
    lines.extend(details.lines().map(|line| {
        if line.trim().is_empty() {
            " .".to_owned()
        } else {
            format!(" {line}")
        }
    }));
    lines.join("\n") + "\n"
}

/// How much room the package takes, in KiB, as `dpkg-gencontrol` counts: files rounded up, and one
/// for each other thing.
fn installed_size(items: &[Item<'_>]) -> u64 {
    items
        .iter()
        .map(|item| {
            if let What::File { size, .. } = item.what {
                size.div_ceil(1024)
            } else {
                1
            }
        })
        .sum()
}

/// The text of `md5sums`, by which `dpkg --verify` goes.
fn digests(contents: &Contents, items: &[Item<'_>]) -> Result<String> {
    let line = |item: &Item<'_>| match item.what {
        What::File { source, size, .. } => {
            let mut hasher = Md5::new();
            contents.read(source, size, |piece| {
                hasher.update(piece);
                Ok(())
            })?;
            ensure!(
                !item.path.contains('\n'),
                "a deb cannot have `{}`: there is an end of line in the name",
                item.path
            );
            Ok(format!(
                "{}  {}\n",
                hex::encode(hasher.finalize()),
                item.path
            ))
        }
        What::Directory | What::Link { .. } => Ok(String::new()),
    };
    items.par_iter().map(line).collect()
}
