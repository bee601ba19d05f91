//! `--python`: gives the environment another interpreter of the same minor version and ABI.
//!
//! The requirements come from the environment's files, since its own python may no longer exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use walkdir::WalkDir;

use super::edits::{Edits, Replacement};
use super::environment::{Environment, settings};
use super::links::{self, is_python, leads_out};
use super::prefixes::{self, Prefixes};
use super::scripts::current_path;
use crate::fs;
use crate::interpreter::{Facts, Libc};
use crate::report::Failure;

/// Plans the edits for another interpreter.
///
/// # Errors
/// Returns an error if the interpreter has another version or ABI, or if a file cannot be read.
pub(super) fn plan_edits(
    environment: &Environment,
    facts: &Facts,
    edits: &mut Edits,
) -> Result<()> {
    check_compatibility(environment, facts)?;
    let base = environment.base_prefix()?.map(|base| prefixes::path(&base));
    let prefix = facts
        .executable
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new("/"));
    // Redirect the links that lead to the old interpreter or its standard library.
    for link in links::links(environment)? {
        let target = fs::read_link(&environment.path.join(&link))?;
        if !leads_out(&target) || edits.changes.contains_key(&link) {
            continue;
        }
        let in_base = base
            .as_deref()
            .and_then(|base| target.strip_prefix(base).ok());
        // A link to the interpreter may have any target; one into its prefix keeps the path below
        // it.
        let new = if is_python(&link) {
            Some(facts.executable.clone())
        } else {
            in_base.map(|rest| prefix.join(rest))
        };
        let Some(new) = new.filter(|new| *new != target) else {
            continue;
        };
        if !fs::exists(&new) {
            edits.mark_unfixable(
                &link,
                format!("the new interpreter has no `{}`", new.display()),
            );
        }
        // Earlier, the link may have been reported as dangling.
        edits
            .unfixable
            .retain(|unfixable| unfixable.path != link || !fs::exists(&new));
        edits.link(&link, "interpreter", new);
    }
    fix_copies(environment, facts, edits)?;
    fix_configuration(environment, facts, prefix, edits);
    // virtualenv before 20 records the interpreter's prefix in a file for its own `site` module.
    for site in &environment.sites {
        let path = site.with_file_name("orig-prefix.txt");
        if fs::exists(&environment.path.join(&path)) {
            let before = fs::read(&environment.path.join(&path))?;
            edits.set_content(
                &path,
                "interpreter",
                &before,
                prefix.as_os_str().as_encoded_bytes().to_vec(),
            );
        }
    }
    Ok(())
}

/// Replaces each copy of the interpreter's binary with a copy of the new binary.
fn fix_copies(environment: &Environment, facts: &Facts, edits: &mut Edits) -> Result<()> {
    for file in environment.programs()? {
        let path = Path::new("bin").join(file.file_name().unwrap_or_default());
        let before = if is_python(&path) {
            fs::read(&file)?
        } else {
            continue;
        };
        if before.starts_with(b"\x7fELF") {
            edits.set_content(&path, "interpreter", &before, fs::read(&facts.executable)?);
        }
    }
    Ok(())
}

/// Rewrites the keys of `pyvenv.cfg` that describe the interpreter, as `venv`, virtualenv and uv
/// write them. All other lines are kept.
fn fix_configuration(environment: &Environment, facts: &Facts, prefix: &Path, edits: &mut Edits) {
    let path = PathBuf::from("pyvenv.cfg");
    if environment.configuration.is_empty() {
        return;
    }
    let text = match edits.changes.get(&path).map(|change| &change.new) {
        Some(Replacement::Content(content)) => content.clone(),
        _ => environment.configuration.clone(),
    };
    let version = facts.release.map(|part| part.to_string()).join(".");
    let bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
    let home = bytes(facts.executable.parent().unwrap_or(prefix));
    let mut fixed = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some((name, value)) = settings(line).next() else {
            fixed.extend_from_slice(line);
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
        fixed.extend([name, b" = ", &new, b"\n"].concat());
    }
    // If no value changes, the formatting is kept too.
    let is_same = settings(&fixed).eq(settings(&text));
    edits.set_content(
        &path,
        "configuration",
        &environment.configuration,
        if is_same { text } else { fixed },
    );
}

/// Reports an interpreter that no longer exists, by `home`, the only key that python 3.11 and later
/// read at startup.
pub(super) fn report_missing(environment: &Environment, prefixes: &Prefixes, edits: &mut Edits) {
    let Some(home) = environment
        .setting("home")
        .filter(|home| home.starts_with(b"/"))
    else {
        return;
    };
    let home = prefixes.moved(home).map_or_else(
        || prefixes::path(home),
        |home| current_path(environment, prefixes, &home),
    );
    if !fs::exists(&home) {
        let why = format!(
            "its `home` is `{}`, which does not exist; name another interpreter with `--python`",
            home.display()
        );
        edits.mark_unfixable(Path::new("pyvenv.cfg"), why);
    }
}

/// Replaces the interpreter at the start of the command that CPython's own `venv` records; that of
/// virtualenv starts with a tool instead.
fn with_program(command: &[u8], program: &[u8]) -> Vec<u8> {
    match memchr::memmem::find(command, b" -m venv ") {
        Some(end) => [program, &command[end..]].concat(),
        None => command.to_vec(),
    }
}

/// Returns an error for an interpreter that does not fit the environment's modules.
fn check_compatibility(environment: &Environment, facts: &Facts) -> Result<()> {
    let cannot = || {
        Failure::new(format!(
            "cannot switch `{}` to the interpreter `{}`",
            environment.path.display(),
            facts.executable.display()
        ))
    };
    // The minor version, by the name of site-packages. `lib64` counts as `lib`.
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
            "the environment is for python {version}, but the interpreter is {}",
            facts.title()
        );
        return Err(cannot()
            .because(why)
            .hint("create a new environment for another version")
            .into());
    }
    // The ABI, by the tags in the names of extension modules.
    let others: BTreeSet<(String, PathBuf)> = modules(environment)
        .filter(|(tag, _)| *tag != tag_of(facts))
        .collect();
    match others.first() {
        None => Ok(()),
        Some((tag, module)) => {
            let why = format!(
                "`{}` is for the ABI `{tag}`, but the interpreter has the ABI `{}`",
                module.display(),
                tag_of(facts)
            );
            Err(cannot()
                .because(why)
                .hint("create a new environment for another ABI")
                .into())
        }
    }
}

/// Returns the extension modules whose names state an ABI, for example
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

/// The machines whose name in `SOABI` differs from that in wheel tags, each with the end of the
/// system's name there.
const SOABI_MACHINES: [(&str, &str, &str); 7] = [
    ("i686", "i386", ""),
    ("armv6l", "arm", "eabihf"),
    ("armv7l", "arm", "eabihf"),
    ("armv8l", "arm", "eabihf"),
    ("ppc", "powerpc", ""),
    ("ppc64", "powerpc64", ""),
    ("ppc64le", "powerpc64le", ""),
];

/// Returns `sysconfig.get_config_var("SOABI")` of the interpreter.
fn tag_of(facts: &Facts) -> String {
    let ([major, minor, _], abi) = (facts.release, &facts.abi);
    let flag = |is_set: bool, letter| if is_set { letter } else { "" };
    let pymalloc = flag(minor < 8 && abi.pymalloc, "m");
    let system = match facts.libc {
        // Before 3.11, python built for musl used `gnu` too.
        Libc::Musl { .. } if minor >= 11 => "musl",
        _ => "gnu",
    };
    let machine = facts.linux_machine().unwrap_or_default();
    let other = SOABI_MACHINES.iter().find(|(name, ..)| *name == machine);
    let (machine, end) = other.map_or((machine, ""), |(_, machine, end)| (*machine, *end));
    let flags = [flag(abi.free_threaded, "t"), flag(abi.debug, "d"), pymalloc].concat();
    format!("cpython-{major}{minor}{flags}-{machine}-linux-{system}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::tests::facts;

    #[test]
    fn the_abi_is_that_in_the_names_of_extension_modules() {
        let rows = [
            ("linux-x86_64", 64, "x86_64-linux-gnu"),
            ("linux-x86_64", 32, "i386-linux-gnu"),
            ("linux-i686", 32, "i386-linux-gnu"),
            ("linux-aarch64", 64, "aarch64-linux-gnu"),
            ("linux-aarch64", 32, "arm-linux-gnueabihf"),
            ("linux-armv7l", 32, "arm-linux-gnueabihf"),
            ("linux-ppc64le", 64, "powerpc64le-linux-gnu"),
            ("linux-riscv64", 64, "riscv64-linux-gnu"),
            ("linux-s390x", 64, "s390x-linux-gnu"),
        ];
        for (platform, bits, triplet) in rows {
            let mut facts = facts([3, 13, 1]);
            facts.platform = platform.into();
            facts.abi.pointer_bits = bits;
            assert_eq!(
                tag_of(&facts),
                format!("cpython-313-{triplet}"),
                "{platform}"
            );
            facts.abi.free_threaded = true;
            assert_eq!(
                tag_of(&facts),
                format!("cpython-313t-{triplet}"),
                "{platform}"
            );
            facts.libc = Libc::Musl { major: 1, minor: 2 };
            let triplet = triplet.replace("gnu", "musl");
            assert_eq!(
                tag_of(&facts),
                format!("cpython-313t-{triplet}"),
                "{platform}"
            );
        }
    }
}
