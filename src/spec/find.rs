//! Which text is the spec: the places are looked at in order, and the first that has one is the only one used.
//!
//! 1. `-vpython-spec`; 2. inside the script, or in the text of `-c`; 3. walking up from the real script's folder, or from the
//!    current directory where there is no script, to a folder with `.gclient` or to the root; 4. `VPYTHON_DEFAULT_SPEC`; 5. none.
//!
//! This is on the warm path: each place is looked at once, and the script is read once.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tracing::debug;

use super::{Origin, SpecKind, SpecText, pep723};
use crate::fs;
use crate::invocation::{Invocation, Target};
use crate::process::Process;
use crate::report::Failure;

/// The native spec's file name.
const VPYTHON_TOML: &str = "vpython.toml";
/// The walk ends after the folder that holds this.
const BARRIER: &str = ".gclient";

/// Finds the spec of a command line.
///
/// # Errors
/// A spec that is named and cannot be read, two inline blocks, a script that cannot be read.
pub fn find(invocation: &Invocation, process: &Process) -> Result<SpecText> {
    if let Some(path) = &invocation.spec {
        return load(path, "the spec that `-vpython-spec` names");
    }
    let around = look_inside(&invocation.target, process)?;
    if let Some(spec) = around.spec {
        return Ok(spec);
    }
    let walked = match &around.folder {
        Some(folder) => walk_up(folder)?,
        None => None,
    };
    let found = match (walked, &invocation.default_spec) {
        (Some(spec), _) => spec,
        (None, Some(path)) => load(path, "the spec that `VPYTHON_DEFAULT_SPEC` names")?,
        (None, None) => SpecText::none(),
    };
    let warnings = around.warnings.into_iter().chain(found.warnings).collect();
    Ok(SpecText { warnings, ..found })
}

/// What the target itself tells.
#[derive(Default)]
struct Around {
    /// The spec inside it.
    spec: Option<SpecText>,
    /// Where the walk begins.
    folder: Option<PathBuf>,
    /// What looks like a spec and is none.
    warnings: Vec<String>,
}

fn look_inside(target: &Target, process: &Process) -> Result<Around> {
    match target {
        Target::Script(path) => look_inside_script(&process.absolute(path), process),
        Target::Command(text) => {
            let origin = Origin { file: None, lines_before: 0, columns_before: 0 };
            inline(text.as_bytes(), origin, process.directory.clone())
        }
        Target::Module(_) | Target::Stdin | Target::None | Target::Information => {
            Ok(Around { folder: process.directory.clone(), ..Around::default() })
        }
    }
}

/// A script that is not there or cannot be opened has nothing inside: python will say what there is to say. Nor has one that is no
/// file (`/dev/stdin`, a named pipe): its bytes are python's alone, and it stands for standard input, which has no folder.
fn look_inside_script(path: &Path, process: &Process) -> Result<Around> {
    let around = |folder: Option<&Path>| Around { folder: folder.map(Path::to_path_buf), ..Around::default() };
    match fs::metadata(path) {
        Ok(Some(metadata)) if metadata.is_dir() => {
            let folder = fs::canonicalize(path)?;
            let main = folder.join("__main__.py");
            let inside = fs::open(&main).ok().map(|file| look_inside_file(file, &main)).transpose()?;
            Ok(Around { folder: Some(folder), ..inside.unwrap_or_default() })
        }
        Ok(Some(metadata)) if metadata.is_file() => match fs::open(path) {
            Ok(file) => look_inside_file(file, path),
            Err(_) => Ok(around(path.parent())),
        },
        Ok(Some(_)) => Ok(around(process.directory.as_deref())),
        Ok(None) | Err(_) => Ok(around(path.parent())),
    }
}

fn look_inside_file(mut file: File, path: &Path) -> Result<Around> {
    let real = fs::real_path(&file, path)?;
    let folder = real.parent().map(Path::to_path_buf);
    let beginning = fs::read_beginning(&mut file, path)?;
    if is_zip_application(&beginning) {
        return Ok(Around { folder, ..Around::default() });
    }
    inline(&fs::read_rest(&mut file, beginning, path)?, Origin::file(real), folder)
}

/// Whether a file that begins so is a zip archive, behind at most one `#!` line. No text is looked for in it.
fn is_zip_application(beginning: &[u8]) -> bool {
    let body = match memchr::memchr(b'\n', beginning) {
        Some(newline) if beginning.starts_with(b"#!") => &beginning[newline + 1..],
        _ => beginning,
    };
    body.starts_with(b"PK\x03\x04")
}

fn inline(text: &[u8], origin: Origin, folder: Option<PathBuf>) -> Result<Around> {
    let reading = pep723::read(text, &origin)?;
    let Some(block) = reading.block else {
        return Ok(Around { spec: None, folder, warnings: reading.warnings });
    };
    debug!(line = block.lines_before, "found a `script` block");
    let spec = SpecText {
        kind: SpecKind::Pep723,
        origin: Origin { lines_before: block.lines_before, columns_before: pep723::COLUMNS_BEFORE, ..origin },
        base: folder,
        content: block.content,
        warnings: reading.warnings,
    };
    Ok(Around { spec: Some(spec), ..Around::default() })
}

/// The nearest `vpython.toml` from `folder` upwards. A folder of that name is stepped over.
fn walk_up(folder: &Path) -> Result<Option<SpecText>> {
    for folder in folder.ancestors() {
        let path = folder.join(VPYTHON_TOML);
        if fs::is_file(&path) {
            debug!(path = %path.display(), "found a spec");
            return toml_text(&path, fs::read_regular(&path)?).map(Some);
        }
        if fs::exists(&folder.join(BARRIER)) {
            break;
        }
    }
    Ok(None)
}

/// Reads a spec that was named; its kind is told by its name and content.
fn load(path: &Path, what: &str) -> Result<SpecText> {
    let context = || format!("cannot use {what}");
    if path.extension().is_some_and(|extension| extension == "toml") {
        return fs::read(path).and_then(|content| toml_text(path, content)).with_context(context);
    }
    let origin = Origin::file(path.to_path_buf());
    let folder = path.parent().map(Path::to_path_buf);
    let around = inline(&fs::read(path).with_context(context)?, origin, folder)?;
    around.spec.ok_or_else(|| {
        let name = path.file_name().map(OsStr::as_bytes).map(String::from_utf8_lossy).unwrap_or_default();
        Failure::new(context())
            .because(format!("`{}` is neither a `.toml` file nor a script with a `# /// script` block", path.display()))
            .hint(format!("if it is in the form of `vpython.toml`, name it `{name}.toml`"))
            .into()
    })
}

fn toml_text(path: &Path, content: Vec<u8>) -> Result<SpecText> {
    let content = String::from_utf8(content).map_err(|error| {
        let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..error.utf8_error().valid_up_to()]).count() + 1;
        Failure::new(format!("bad spec in `{}`", path.display())).because(format!("line {line} is not UTF-8"))
    })?;
    Ok(SpecText {
        kind: SpecKind::VpythonToml,
        origin: Origin::file(path.to_path_buf()),
        base: path.parent().map(Path::to_path_buf),
        content,
        warnings: Vec::new(),
    })
}
