//! The wheelhouses in addition to those of the spec: from the caller, the site and the
//! installation.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Result;

use super::conf::Conf;
use super::wheelhouse_reference::split;
use super::{WheelhouseReference, refuse_tilde};
use crate::process::{Process, variable};
use crate::report::Failure;

/// The additional wheelhouses of a launch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wheels {
    /// The caller's wheelhouses, in the caller's order.
    pub of_caller: Vec<WheelhouseReference>,
    /// The source of the caller's wheelhouses.
    pub source: WheelsSource,
    /// The wheelhouses from `vpython.conf`, searched after those of the spec; empty if the caller
    /// names any.
    pub of_site: Vec<WheelhouseReference>,
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
    /// A wheelhouse is not valid, or its path begins with `~`.
    pub(super) fn read(flags: &[OsString], conf: &Conf, process: &Process) -> Result<Self> {
        let given = flags.iter().filter(|word| !word.is_empty());
        let of_flags: Vec<OsString> = given.cloned().collect();
        // Flags replace the variable. The two are not merged.
        let (words, source, named_by) = if of_flags.is_empty() {
            let list = process.setting(variable::WHEELS).unwrap_or_default();
            (split(list), WheelsSource::Variable, variable::WHEELS)
        } else {
            (of_flags, WheelsSource::Flag, "-vpython-wheels")
        };
        let words = words.iter();
        let of_caller = words
            .map(|word| reference(word, named_by, process))
            .collect::<Result<Vec<_>>>()?;
        // The site's wheelhouses are a default for callers who name none.
        let of_site = conf
            .wheels
            .as_ref()
            .filter(|_| of_caller.is_empty())
            .map(|wheels| wheels.value.clone());
        let of_program = process
            .executable
            .as_ref()
            .map(|program| program.with_file_name("wheels"));
        Ok(Self {
            of_caller,
            source,
            of_site: of_site.unwrap_or_default(),
            of_program,
        })
    }
}

/// Parses a wheelhouse of the caller. The shell expands `~` only at the beginning of a word;
/// elsewhere it would name a directory `~`.
fn reference(word: &OsStr, named_by: &str, process: &Process) -> Result<WheelhouseReference> {
    let mut path = OsString::new();
    let parsed = WheelhouseReference::parse(word, |written| {
        written.as_os_str().clone_into(&mut path);
        process.absolute(written)
    });
    refuse_tilde(&path, named_by)?;
    parsed.map_err(|why| {
        let word = word.to_string_lossy();
        let failure = Failure::new(format!("cannot use the wheelhouse `{word}`"));
        let named = format!("it comes from `{named_by}`");
        failure.because(why).because(named).into()
    })
}
