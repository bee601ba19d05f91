//! Debian packages: `deb(5)`, an `ar(5)` archive with three members.
//!
//! The data is compressed with gzip, which every dpkg reads. The package contains no maintainer
//! scripts, so installing it runs no code.

use std::io::{Seek, SeekFrom, Write};

use anyhow::{Context, Result, ensure};
use md5::{Digest, Md5};
use rayon::prelude::*;

use super::contents::{Contents, Item, ItemKind};
use super::package::Package;
use super::rules::Manager;
use super::tar;

/// The prefix of all names in the tar archives of a deb.
const TOP: &str = "./";
/// The length of a member's header, and the offset of the size field in it.
const HEADER: u64 = 60;
const SIZE: u64 = 48;

/// Writes the package for an interpreter of this machine, for example `x86_64`.
pub(super) fn write(
    contents: &Contents,
    package: &Package,
    machine: &str,
    to: &mut (impl Write + Seek),
) -> Result<()> {
    let arch = package.arch(Manager::Dpkg, machine)?;
    let items = contents.as_installed();
    let control = control(contents, package, &arch, &items);
    // `control.tar.gz` is small, so it is built in memory.
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
    // The three members, in the order that `deb(5)` requires.
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

/// Writes a member of the outer archive. The size field is filled in afterwards, when the size is
/// known.
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
    ensure!(size.len() == 10, "`{name}` is too large for a deb");
    to.seek(SeekFrom::Start(start + SIZE))
        .with_context(cannot)?;
    to.write_all(size.as_bytes()).with_context(cannot)?;
    to.seek(SeekFrom::Start(end)).with_context(cannot)?;
    // Members start at even offsets.
    to.write_all(&b"\n"[..usize::from(end % 2 == 1)])
        .with_context(cannot)
}

/// The text of the `control` file:
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
    // Continuation lines begin with a space; an empty line is written as ` .`.
    let details = package.details(&contents.manifest);
    lines.extend(details.lines().map(|line| {
        if line.trim().is_empty() {
            " .".to_owned()
        } else {
            format!(" {line}")
        }
    }));
    lines.join("\n") + "\n"
}

/// The installed size of the package in KiB, as `dpkg-gencontrol` counts it: files rounded up, and
/// 1 for each other entry.
fn installed_size(items: &[Item<'_>]) -> u64 {
    items
        .iter()
        .map(|item| {
            if let ItemKind::File { size, .. } = item.kind {
                size.div_ceil(1024)
            } else {
                1
            }
        })
        .sum()
}

/// The text of the `md5sums` file, which `dpkg --verify` checks.
fn digests(contents: &Contents, items: &[Item<'_>]) -> Result<String> {
    let line = |item: &Item<'_>| match item.kind {
        ItemKind::File { source, size, .. } => {
            let mut hasher = Md5::new();
            contents.read(source, size, |piece| {
                hasher.update(piece);
                Ok(())
            })?;
            // The format has a file on each line, and no way to quote a line break.
            ensure!(
                !item.path.contains('\n'),
                "a deb cannot contain `{}`: its name contains a line break",
                item.path
            );
            Ok(format!(
                "{}  {}\n",
                hex::encode(hasher.finalize()),
                item.path
            ))
        }
        ItemKind::Directory | ItemKind::Link { .. } => Ok(String::new()),
    };
    items.par_iter().map(line).collect()
}
