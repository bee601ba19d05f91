//! The search next to the program and inside it, before the walk: a script, a directory with a
//! `__main__.py`, the text of `-c`, or the program on standard input.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Finding, Probed, Search, SearchLog, inside, long_path, partner};
use crate::fs;
use crate::invocation::{Invocation, Target};
use crate::process::Process;
use crate::spec::{Origin, STANDARD_INPUT};

pub(super) fn search_target<'t>(
    invocation: &Invocation,
    process: &Process,
    log: &'t mut SearchLog,
) -> Result<Search<'t>> {
    match &invocation.target {
        Target::Script(typed) => {
            let path = process.absolute(typed);
            long_path::refuse_script(typed, &path)?;
            search_script(&path, process, log)
        }
        Target::Command(text) => {
            let origin = Origin {
                file: None,
                lines_before: 0,
                columns_before: 0,
            };
            search_text(text.as_bytes(), origin, process, log)
        }
        // A program on standard input is read only if Python would run it.
        Target::Stdin | Target::None if invocation.runs_input() => {
            match process.program_on_input()? {
                Some(text) => search_text(&text, Origin::file(STANDARD_INPUT.into()), process, log),
                None => Ok(Search::directory(process.directory.clone(), process, log)),
            }
        }
        Target::Module(_) | Target::Stdin | Target::None | Target::Information => {
            Ok(Search::directory(process.directory.clone(), process, log))
        }
    }
}

/// Searches a program that is not a file, and so belongs to the current directory.
fn search_text<'t>(
    text: &[u8],
    origin: Origin,
    process: &Process,
    log: &'t mut SearchLog,
) -> Result<Search<'t>> {
    let inside = inside::command(text, origin, process.directory.clone(), log)?;
    Ok(Search::directory(process.directory.clone(), process, log).with(inside))
}

/// Searches a script. One that does not exist or cannot be opened contains no spec: Python reports
/// the error. One that is not a regular file (`/dev/stdin`, a named pipe) has no spec inside or
/// next to it: only Python may consume its bytes, and it may be standard input, which has no
/// directory.
fn search_script<'t>(path: &Path, process: &Process, log: &'t mut SearchLog) -> Result<Search<'t>> {
    let mut search = Search::directory(path.parent().map(Path::to_path_buf), process, log);
    let mut found = fs::ok_if_hidden(fs::link_metadata(path))?.flatten();
    let is_link = matches!(&found, Some(found) if found.is_symlink());
    if is_link {
        found = fs::ok_if_hidden(fs::metadata(path))?.flatten();
    }
    // The system's path of the current directory contains no symlinks.
    let is_real = !is_link && path.parent() == process.directory.as_deref();
    // A missing script: Python reports it.
    let Some(metadata) = found else {
        search
            .log
            .note(Finding::Nothing, || Probed::Program(path.to_path_buf()));
        return Ok(search);
    };
    if !metadata.is_file() && !metadata.is_dir() {
        search
            .log
            .note(Finding::NoFile, || Probed::Program(path.to_path_buf()));
        return Ok(Search {
            directory: process.directory.clone(),
            ..search
        });
    }
    // The script's owner is trusted; a directory runs by its `__main__.py`.
    search.trust = search.trust.and(metadata.uid());
    if metadata.is_dir() {
        return search_directory(path, search);
    }
    // The partner by the given path comes before the script's content.
    if let Some(spec) = partner::partner_of_file(path, &mut search)? {
        return Ok(Search {
            spec: Some(spec),
            ..search
        });
    }
    let Some(file) = fs::ok_if_hidden(fs::open_without_waiting(path))? else {
        search
            .log
            .note(Finding::Broken, || Probed::Program(path.to_path_buf()));
        return Ok(search);
    };
    let real = if is_real {
        path.to_path_buf()
    } else {
        fs::real_path(&file, path)?
    };
    search_file(file, real, path, search)
}

/// Searches a regular file that has just been opened.
fn search_file<'t>(
    mut file: File,
    real: PathBuf,
    path: &Path,
    search: Search<'t>,
) -> Result<Search<'t>> {
    let mut search = Search {
        directory: real.parent().map(Path::to_path_buf),
        ..search
    };
    let spec = if real == path {
        None
    } else {
        partner::partner_of_file(&real, &mut search)?
    };
    if spec.is_some() {
        return Ok(Search { spec, ..search });
    }
    let inside = inside::script(&mut file, real, search.log)?;
    fs::leave_open(file);
    Ok(search.with(inside))
}

/// Searches a directory that Python runs by its `__main__.py`.
fn search_directory<'t>(path: &Path, mut search: Search<'t>) -> Result<Search<'t>> {
    if let Some(spec) = partner::partner_of_directory(path, &mut search)? {
        return Ok(Search {
            spec: Some(spec),
            ..search
        });
    }
    // Then the partner by the real path, then the text of `__main__.py`.
    let real = fs::canonicalize(path)?;
    let spec = if real == path {
        None
    } else {
        partner::partner_of_directory(&real, &mut search)?
    };
    let main = real.join("__main__.py");
    let search = Search {
        directory: Some(real),
        ..search
    };
    if spec.is_some() {
        return Ok(Search { spec, ..search });
    }
    let Some(mut file) = fs::ok_if_hidden(fs::open_without_waiting(&main))? else {
        search.log.note(Finding::Nothing, || Probed::Program(main));
        return Ok(search);
    };
    let inside = inside::script(&mut file, main, search.log)?;
    Ok(search.with(inside))
}
