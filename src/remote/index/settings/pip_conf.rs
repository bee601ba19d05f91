//! pip's configuration files, read as pip reads them:
//! <https://pip.pypa.io/en/stable/topics/configuration/>.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use configparser::ini::{Ini, IniDefault};

use super::layer::Layer;
use super::named::NamedBy;
use crate::fs::{self, Trust};
use crate::process::Process;
use crate::report::Failure;

/// pip's variable that names one more file, and with `/dev/null` disables all.
const CONFIG_FILE: &str = "PIP_CONFIG_FILE";
const NO_FILE: &str = "/dev/null";
/// The sections that count, in increasing order of precedence, whatever file they are in. `fetch`
/// does what `pip download` does; most users only write `[install]`.
const SECTIONS: [&str; 3] = ["global", "install", "download"];

/// Sets the options of all files, and returns the reasons for skipping files.
///
/// # Errors
/// All files that cannot be read or parsed, and all invalid values, each with file and line.
pub(super) fn read(layer: &mut Layer, process: &Process) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    let mut problems = Vec::new();
    // The last file that sets a key in a section counts.
    let mut values: BTreeMap<(usize, String), (String, NamedBy)> = BTreeMap::new();
    for (path, trust) in files(process) {
        if let Trusted::IfOwn = trust
            && let Some(stranger) =
                Trust::of_user(process.user).stranger_on_way(&path, Path::new("/"))
        {
            warnings.push(format!("`{}` is ignored: {stranger}", path.display()));
            continue;
        }
        match values_of(&path) {
            Ok(found) => values.extend(found),
            Err(error) => problems.push(crate::report::one_line(&error)),
        }
    }
    for ((_, key), (value, by)) in &values {
        if let Err(error) = layer.set(key, value, by, process) {
            problems.push(format!("{by}: {error}"));
        }
    }
    if problems.is_empty() {
        return Ok(warnings);
    }
    Err(Failure::new("invalid settings of pip")
        .because_of(problems)
        .hint("`PIP_CONFIG_FILE=/dev/null` disables pip's configuration files")
        .into())
}

/// Whose files count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trusted {
    /// The file's, whatever its owner: the caller names it.
    Always,
    /// Only those that no other user may have written.
    IfOwn,
}

/// Returns the files that may exist, in increasing order of precedence.
fn files(process: &Process) -> Vec<(PathBuf, Trusted)> {
    let named = process.setting(CONFIG_FILE).map(Path::new);
    if named == Some(Path::new(NO_FILE)) {
        return Vec::new();
    }
    let named = named.map(|path| process.absolute(path));
    // Global files: those of XDG, then `/etc`.
    let global = process
        .setting("XDG_CONFIG_DIRS")
        .unwrap_or("/etc/xdg".as_ref());
    let global = std::env::split_paths(global)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("pip/pip.conf"));
    let mut files: Vec<PathBuf> = global.chain([PathBuf::from("/etc/pip.conf")]).collect();
    // The user's, unless the variable names an existing file.
    if !named.as_deref().is_some_and(fs::exists) {
        let home = process.home();
        files.extend(home.map(|home| home.join(".pip/pip.conf")));
        let of_xdg = process
            .setting("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|directory| directory.is_absolute());
        let directory = of_xdg.or_else(|| Some(home?.join(".config")));
        files.extend(directory.map(|directory| directory.join("pip/pip.conf")));
    }
    // That of the active environment, then the one that the variable names.
    let environment = process.setting("VIRTUAL_ENV").map(Path::new);
    let environment = environment.filter(|directory| directory.is_absolute());
    files.extend(environment.map(|directory| directory.join("pip.conf")));
    let files = files.into_iter().map(|path| (path, Trusted::IfOwn));
    files
        .chain(named.map(|path| (path, Trusted::Always)))
        .collect()
}

/// Returns the values of one file, by the index of their section and their key.
///
/// # Errors
/// It exists and cannot be read, or is not an INI file.
fn values_of(path: &Path) -> Result<Vec<((usize, String), (String, NamedBy))>> {
    let content = fs::ok_if_hidden(fs::open_if_there(path))?.flatten();
    if content.is_none() {
        return Ok(Vec::new());
    }
    let content = fs::read_text(path, fs::limits::SETTINGS)?;
    let bad = || Failure::new(format!("cannot parse `{}`", path.display()));
    let text = String::from_utf8(content).map_err(|_| bad().because("it is not UTF-8"))?;
    let mut ini = Ini::new_from_defaults(dialect());
    let sections = ini.read(text.clone()).map_err(|why| bad().because(why))?;
    let mut values = Vec::new();
    for (index, section) in SECTIONS.into_iter().enumerate() {
        for (key, value) in sections.get(section).into_iter().flatten() {
            let by = NamedBy::File {
                path: path.to_path_buf(),
                line: line_of(&text, section, key),
            };
            let value = value.clone().unwrap_or_default();
            values.push(((index, option_name(key)), (value, by)));
        }
    }
    Ok(values)
}

/// Returns the options of pip's `PIP_*` variables, with the variables, in the order of their names.
pub(super) fn variables(process: &Process) -> Vec<(String, String, NamedBy)> {
    let mut variables = Vec::new();
    for (name, _) in &process.environment {
        let Some(name) = name.to_str() else { continue };
        let (Some(option), Some(value)) = (name.strip_prefix("PIP_"), process.setting(name)) else {
            continue;
        };
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let by = NamedBy::Variable(name.to_owned());
        variables.push((option_name(option), value, by));
    }
    // `PIP_DEFAULT_TIMEOUT` comes before `PIP_TIMEOUT`, which is the more usual name.
    variables.sort_by(|one, other| one.0.cmp(&other.0));
    variables
}

/// Returns pip's name of an option from its name in a file or variable.
fn option_name(key: &str) -> String {
    let name = key.trim().to_ascii_lowercase().replace('_', "-");
    name.strip_prefix("--").unwrap_or(&name).to_owned()
}

/// Returns the line of a key, counted from 1; the first line if it is not found.
fn line_of(text: &str, section: &str, key: &str) -> usize {
    let header = format!("[{section}]");
    let mut is_inside = false;
    let mut found = 1;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with('[') {
            is_inside = line == header;
        } else if is_inside && line.split(['=', ':']).next().map(str::trim) == Some(key) {
            found = number;
        }
    }
    found
}

/// The dialect of Python's `RawConfigParser`: comments on lines of their own, and values that go on
/// in indented lines.
fn dialect() -> IniDefault {
    let mut dialect = IniDefault::default();
    dialect.case_sensitive = true;
    dialect.multiline = true;
    dialect.comment_symbols = vec!['#', ';'];
    dialect.inline_comment_symbols = Some(Vec::new());
    dialect
}
