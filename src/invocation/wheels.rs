//! The wheelhouses in addition to those of the spec: from the caller, the site and the
//! installation.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Result;

use super::conf::Conf;
use super::refuse_tilde;
use crate::process::{Process, variable};

/// The additional wheelhouses of a launch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wheels {
    /// The caller's directories, in the caller's order.
    pub directories: Vec<PathBuf>,
    /// The source of the caller's directories.
    pub source: WheelsSource,
    /// The directories from `vpython.conf`, searched after those of the spec; empty if the caller
    /// names any.
    pub of_site: Vec<PathBuf>,
    /// `wheels` next to vpython's own binary, searched last: like bundles, wheels can be installed
    /// with the program.
    pub of_program: Option<PathBuf>,
}

/// The source of the caller's wheelhouses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WheelsSource {
    /// The flag, for this launch only: a missing directory is an error.
    Flag,
    /// The variable, for all launches: a missing directory is skipped.
    #[default]
    Variable,
}

impl Wheels {
    /// Reads the flags, or else the variable, or else `vpython.conf`.
    ///
    /// # Errors
    /// A directory name begins with `~`.
    pub(super) fn read(flags: &[OsString], conf: &Conf, process: &Process) -> Result<Self> {
        let list = process.setting(variable::WHEELS).unwrap_or_default();
        let wheels = Self::named(flags, list, process);
        // The shell expands `~` only at the beginning of a word; elsewhere it would name a
        // directory `~`.
        if wheels.source == WheelsSource::Flag {
            flags
                .iter()
                .try_for_each(|directory| refuse_tilde(directory, "-vpython-wheels"))?;
        } else {
            std::env::split_paths(list)
                .try_for_each(|directory| refuse_tilde(directory.as_os_str(), variable::WHEELS))?;
        }
        // The site's directories are a default for callers who name none.
        let of_site = conf
            .wheels
            .as_ref()
            .filter(|_| wheels.directories.is_empty())
            .map(|wheels| wheels.value.clone());
        let of_program = process
            .executable
            .as_ref()
            .map(|program| program.with_file_name("wheels"));
        Ok(Self {
            of_site: of_site.unwrap_or_default(),
            of_program,
            ..wheels
        })
    }

    fn named(flags: &[OsString], list: &OsStr, process: &Process) -> Self {
        let given = |directory: &OsStr| {
            (!directory.is_empty()).then(|| process.absolute(directory.as_ref()))
        };
        let from_flags: Vec<PathBuf> = flags
            .iter()
            .filter_map(|directory| given(directory))
            .collect();
        // Flags replace the variable. The two are not merged.
        if !from_flags.is_empty() {
            return Self {
                directories: from_flags,
                source: WheelsSource::Flag,
                ..Self::default()
            };
        }
        let directories = std::env::split_paths(list)
            .filter_map(|directory| given(directory.as_os_str()))
            .collect();
        Self {
            directories,
            source: WheelsSource::Variable,
            ..Self::default()
        }
    }
}
