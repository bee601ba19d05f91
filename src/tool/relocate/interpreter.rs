//! `--python`: the environment gets another interpreter of the same minor version and ABI.
//!
//! What the environment needs is read from its files: its own python may be the one that is gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use walkdir::WalkDir;

use super::edits::{Edits, Replacement};
use super::environment::{Environment, settings};
use super::links::{self, is_python, leads_out};
use super::prefixes::{self, Prefixes};
use super::scripts::present;
use crate::fs;
use crate::plan::Facts;
use crate::plan::interpreter::Libc;
use crate::report::Failure;

/// Decides what is to be changed for another interpreter.
///
/// # Errors
/// It is of another version or ABI; a file cannot be read.
pub(super) fn plan_edits(environment: &Environment, facts: &Facts, work: &mut Edits) -> Result<()> {
    refuse_other(environment, facts)?;
    let base = environment.base_prefix()?.map(|base| prefixes::path(&base));
    let prefix = facts
        .executable
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new("/"));
    for link in links::links(environment)? {
        let target = fs::read_link(&environment.path.join(&link))?;
        if !leads_out(&target) || work.changes.contains_key(&link) {
            continue;
        }
        let in_base = base
            .as_deref()
            .and_then(|base| target.strip_prefix(base).ok());
        let new = if is_python(&link) {
            Some(facts.executable.clone())
        } else {
            in_base.map(|rest| prefix.join(rest))
        };
        let Some(new) = new.filter(|new| *new != target) else {
            continue;
        };
        if !fs::exists(&new) {
            work.cannot_mend(
                &link,
                format!("the new interpreter has no `{}`", new.display()),
            );
        }
        work.unfixable
            .retain(|unfixable| unfixable.path != link || !fs::exists(&new));
        work.link(&link, "interpreter", new);
    }
    mend_copies(environment, facts, work)?;
    mend_configuration(environment, facts, prefix, work);
    for site in &environment.sites {
        let path = site.with_file_name("orig-prefix.txt");
        if fs::exists(&environment.path.join(&path)) {
            let before = fs::read(&environment.path.join(&path))?;
            work.record_place(
                &path,
                "interpreter",
                &before,
                prefix.as_os_str().as_encoded_bytes().to_vec(),
            );
        }
    }
    Ok(())
}

/// Where the environment has copies of the interpreter's binary it gets copies of the new one.
fn mend_copies(environment: &Environment, facts: &Facts, work: &mut Edits) -> Result<()> {
    for file in environment.programs()? {
        let path = Path::new("bin").join(file.file_name().unwrap_or_default());
        let before = if is_python(&path) {
            fs::read(&file)?
        } else {
            continue;
        };
        if before.starts_with(b"\x7fELF") {
            work.record_place(&path, "interpreter", &before, fs::read(&facts.executable)?);
        }
    }
    Ok(())
}

/// The keys of `pyvenv.cfg` that speak of the interpreter, as `venv`, virtualenv and uv write them.
/// Other lines stay.
fn mend_configuration(environment: &Environment, facts: &Facts, prefix: &Path, work: &mut Edits) {
    let path = PathBuf::from("pyvenv.cfg");
    if environment.configuration.is_empty() {
        return;
    }
    let text = match work.changes.get(&path).map(|change| &change.new) {
        Some(Replacement::Content(content)) => content.clone(),
        _ => environment.configuration.clone(),
    };
    let version = facts.release.map(|part| part.to_string()).join(".");
    let bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
    let home = bytes(facts.executable.parent().unwrap_or(prefix));
    let mut mended = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some((name, value)) = settings(line).next() else {
            mended.extend_from_slice(line);
            continue;
        };
        let new = match name {
            b"home" => home.clone(),
            b"executable" | b"base-executable" => bytes(&facts.executable),
            b"base-prefix" | b"base-exec-prefix" => bytes(prefix),
            b"version_info" if value.ends_with(b".final.0") => {
                format!("{version}.final.0").into_bytes()
            }
            b"version" | b"version_info" => version.clone().into_bytes(),
            b"command" => with_program(value, &bytes(&facts.executable)),
            _ => value.to_vec(),
        };
        mended.extend([name, b" = ", &new, b"\n"].concat());
    }
    // Lines that stay are written as they were.
    let is_same = settings(&mended).eq(settings(&text));
    work.record_place(
        &path,
        "configuration",
        &environment.configuration,
        if is_same { text } else { mended },
    );
}

/// Notes an interpreter that is gone, by the one key that python 3.11 and later start by.
pub(super) fn note_lost(environment: &Environment, places: &Prefixes, work: &mut Edits) {
    let Some(home) = environment
        .setting("home")
        .filter(|home| home.starts_with(b"/"))
    else {
        return;
    };
    let home = places.moved(home).map_or_else(
        || prefixes::path(home),
        |home| present(environment, places, &home),
    );
    if !fs::exists(&home) {
        let why = format!(
            "its `home` is `{}`, which is not there; `--python` names another interpreter",
            home.display()
        );
        work.cannot_mend(Path::new("pyvenv.cfg"), why);
    }
}

/// The command of CPython's own `venv` begins with the interpreter; virtualenv's begins with a
/// tool's.
fn with_program(command: &[u8], program: &[u8]) -> Vec<u8> {
    match memchr::memmem::find(command, b" -m venv ") {
        Some(end) => [program, &command[end..]].concat(),
        None => command.to_vec(),
    }
}

/// Refuses an interpreter that the environment's modules were not made for.
fn refuse_other(environment: &Environment, facts: &Facts) -> Result<()> {
    let cannot = || {
        Failure::new(format!(
            "cannot move `{}` to `{}`",
            environment.path.display(),
            facts.executable.display()
        ))
    };
    let directories: BTreeSet<PathBuf> = environment
        .sites
        .iter()
        .map(|site| Path::new("lib").join(site.iter().skip(1).collect::<PathBuf>()))
        .collect();
    if !directories.contains(Path::new(&facts.site_packages)) {
        let version = environment
            .version()
            .unwrap_or_else(|| "an unknown version".to_owned());
        let why = format!(
            "the environment is for python {version}; that is {}",
            facts.title()
        );
        return Err(cannot()
            .because(why)
            .hint("an environment of another version has to be made anew")
            .into());
    }
    let others: BTreeSet<(String, PathBuf)> = modules(environment)
        .filter(|(tag, _)| *tag != tag_of(facts))
        .collect();
    match others.first() {
        None => Ok(()),
        Some((tag, module)) => {
            let why = format!(
                "`{}` is for the ABI `{tag}`; that interpreter is `{}`",
                module.display(),
                tag_of(facts)
            );
            Err(cannot()
                .because(why)
                .hint("an environment of another ABI has to be made anew")
                .into())
        }
    }
}

/// The extension modules that say which ABI they are for, as in
/// `x.cpython-311-x86_64-linux-gnu.so`.
fn modules(environment: &Environment) -> impl Iterator<Item = (String, PathBuf)> {
    let sites = environment
        .sites
        .iter()
        .map(|site| environment.path.join(site))
        .collect::<Vec<_>>();
    let files = sites.into_iter().flat_map(|site| {
        WalkDir::new(site)
            .sort_by_file_name()
            .into_iter()
            .filter_map(Result::ok)
    });
    files.filter_map(|file| {
        let name = file.file_name().to_str()?.strip_suffix(".so")?;
        let tag = &name[name.find(".cpython-")? + 1..];
        Some((tag.to_owned(), file.path().to_path_buf()))
    })
}

/// `sysconfig.get_config_var("SOABI")`.
fn tag_of(facts: &Facts) -> String {
    let ([major, minor, _], abi) = (facts.release, &facts.abi);
    let flag = |is_set: bool, letter| if is_set { letter } else { "" };
    let pymalloc = flag(minor < 8 && abi.pymalloc, "m");
    let system = match facts.libc {
        // Before 3.11 python built on musl called itself `gnu` too.
        Libc::Musl { .. } if minor >= 11 => "musl",
        _ => "gnu",
    };
    let machine = facts.markers.platform_machine();
    let flags = [flag(abi.free_threaded, "t"), flag(abi.debug, "d"), pymalloc].concat();
    format!("cpython-{major}{minor}{flags}-{machine}-linux-{system}")
}
