//! The parts of the environment that determine which interpreters the search inspects.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::binary::search_path;
use super::pyenv;
use super::version::NamedVersion;
use crate::process::Process;

/// Returns the parts of the environment that determine what [`super::find()`] inspects, for the
/// name of a launch memo, each with its title in messages. `interpreter` is the one that the caller
/// names. Does not access the disk.
#[must_use]
pub fn search_settings(
    interpreter: Option<&Path>,
    process: &Process,
) -> Vec<(&'static str, OsString)> {
    let names = [
        ("HOME", "`HOME`"),
        ("PYENV_ROOT", "`PYENV_ROOT`"),
        ("PYENV_VERSION", "`PYENV_VERSION`"),
        ("UV_PYTHON_INSTALL_DIR", "`UV_PYTHON_INSTALL_DIR`"),
        ("XDG_DATA_HOME", "`XDG_DATA_HOME`"),
    ];
    // The variables by which pyenv and uv find their installations.
    let mut settings: Vec<(&str, OsString)> = names
        .iter()
        .filter_map(|(name, title)| Some((*title, process.setting(name)?.to_owned())))
        .collect();
    // The directories that are searched: that of a named interpreter, and those of `PATH` without a
    // name or with a mere version such as `3.11`.
    let mut path: Vec<PathBuf> = interpreter
        .and_then(|path| Some(process.absolute(path).parent()?.to_path_buf()))
        .into_iter()
        .collect();
    if interpreter.is_none_or(|path| NamedVersion::of(path).is_some()) {
        path.extend(search_path(process));
    }
    settings.extend(interpreter.map(|path| ("the requested interpreter", path.into())));
    settings.extend(path.iter().map(|directory| ("`PATH`", directory.into())));
    settings.extend(
        process
            .executable
            .as_ref()
            .map(|path| ("the path of vpython", path.into())),
    );
    // Only pyenv's choice and a relative path depend on the current directory.
    if interpreter.is_some_and(Path::is_relative)
        || path
            .iter()
            .any(|directory| pyenv::is_shims_directory(directory))
    {
        settings.extend(
            process
                .directory
                .as_ref()
                .map(|directory| (DIRECTORY, directory.into())),
        );
    }
    settings
}

/// The title of the current directory as a setting.
const DIRECTORY: &str = "the current directory";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pyenv_depends_on_the_current_directory() {
        let process = |path: &str| Process {
            environment: vec![
                ("PATH".into(), path.into()),
                ("HOME".into(), "/home/me".into()),
            ],
            directory: Some("/here".into()),
            ..Process::default()
        };
        let names = |path| {
            search_settings(None, &process(path))
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        let with_shim = search_settings(
            Some(Path::new("/home/me/.pyenv/shims/python3")),
            &process("/bin"),
        );
        assert!(
            with_shim.iter().any(|(name, _)| *name == DIRECTORY),
            "also if a shim is named"
        );
        assert_eq!(names("/usr/bin"), ["`HOME`", "`PATH`"]);
        assert_eq!(
            names("/home/me/.pyenv/shims:/usr/bin"),
            ["`HOME`", "`PATH`", "`PATH`", DIRECTORY]
        );
    }
}
