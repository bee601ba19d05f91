//! The wheelhouses beside those of the spec: which the caller, the site and the program bring.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Result;

use super::conf::Conf;
use super::refuse_tilde;
use crate::process::{Process, variable};

/// Wheelhouses that the caller names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wheels {
    /// Their paths, in the caller's order.
    pub directories: Vec<PathBuf>,
    /// What named them.
    pub source: WheelsSource,
    /// Those that `vpython.conf` names, after those of the spec; none where the caller names some.
    pub of_site: Vec<PathBuf>,
    /// `wheels` beside the program's own binary, after all others: as bundles, whoever installs the
    /// program may bring them with it.
    pub of_program: Option<PathBuf>,
}

/// What named the caller's wheelhouses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WheelsSource {
    /// The flag, for this one launch: a directory that is not there is a mistake.
    Flag,
    /// The variable, for all launches: a directory that is not there is passed over.
    #[default]
    Variable,
}

impl Wheels {
    /// Reads flags, or else the variable, or else `vpython.conf`.
    ///
    /// # Errors
    /// A directory whose name begins with `~`.
    pub(super) fn read(flags: &[OsString], conf: &Conf, process: &Process) -> Result<Self> {
        let list = process.setting(variable::WHEELS).unwrap_or_default();
        let wheels = Self::named(flags, list, process);
        if wheels.source == WheelsSource::Flag {
            flags
                .iter()
                .try_for_each(|directory| refuse_tilde(directory, "-vpython-wheels"))?;
        } else {
            std::env::split_paths(list)
                .try_for_each(|directory| refuse_tilde(directory.as_os_str(), variable::WHEELS))?;
        }
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
