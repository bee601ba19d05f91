//! Whether a launch may fetch missing wheels: `-vpython-fetch`, `-vpython-offline`, and their
//! variables.

use anyhow::Result;

use crate::process::{Process, variable};
use crate::report::Failure;

/// What the caller says about the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fetching {
    /// Nothing: the spec decides.
    #[default]
    Unasked,
    /// A launch may fetch missing wheels.
    Asked,
    /// No launch may fetch, whatever the spec says. `fetch` still may.
    Declined,
    /// Nothing may use the network.
    Offline,
}

/// Why nothing uses the network where [`Fetching::Offline`] holds.
pub const WHY_OFFLINE: &str = "`-vpython-offline` or `VPYTHON_OFFLINE` is set";

impl Fetching {
    /// Reads the flags and, where a flag is missing, its variable.
    ///
    /// # Errors
    /// A variable is neither true nor false.
    pub(super) fn read(
        fetch: Option<bool>,
        offline: Option<bool>,
        process: &Process,
    ) -> Result<Self> {
        let or_variable = |flag: Option<bool>, name| match flag {
            Some(flag) => Ok(Some(flag)),
            None => boolean(name, process),
        };
        let offline = or_variable(offline, variable::OFFLINE)?.unwrap_or(false);
        let fetch = or_variable(fetch, variable::FETCH)?;
        Ok(match (offline, fetch) {
            (true, _) => Self::Offline,
            (false, Some(true)) => Self::Asked,
            (false, Some(false)) => Self::Declined,
            (false, None) => Self::Unasked,
        })
    }
}

/// Returns the value of a variable that is true or false; `None` if it is unset or empty.
fn boolean(name: &str, process: &Process) -> Result<Option<bool>> {
    let Some(value) = process.setting(name) else {
        return Ok(None);
    };
    match value.to_string_lossy().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(Some(true)),
        "0" | "false" | "no" | "off" => Ok(Some(false)),
        other => Err(Failure::new(format!(
            "`{name}` is `{other}`, which is neither true nor false"
        ))
        .hint(format!("set it to 1 or 0, or unset it: `unset {name}`"))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_override_variables_and_offline_overrides_fetch() {
        #[rustfmt::skip]
        let rows = [
            (None, None, "", "", Fetching::Unasked),
            (None, None, "1", "", Fetching::Asked),
            (None, None, "true", "0", Fetching::Asked),
            (None, None, "1", "1", Fetching::Offline),
            (None, None, "0", "", Fetching::Declined),
            (Some(true), None, "0", "", Fetching::Asked),
            (Some(true), None, "", "yes", Fetching::Offline),
            (Some(true), Some(false), "", "yes", Fetching::Asked),
            (Some(false), None, "1", "", Fetching::Declined),
        ];
        for (fetch, offline, fetch_variable, offline_variable, expected) in rows {
            let process = Process {
                environment: vec![
                    (variable::FETCH.into(), fetch_variable.into()),
                    (variable::OFFLINE.into(), offline_variable.into()),
                ],
                ..Process::default()
            };
            let read = Fetching::read(fetch, offline, &process).unwrap();
            assert_eq!(
                read, expected,
                "{fetch:?} {offline:?} {fetch_variable} {offline_variable}"
            );
        }
    }

    #[test]
    fn a_variable_that_is_neither_true_nor_false_is_an_error() {
        let process = Process {
            environment: vec![(variable::FETCH.into(), "maybe".into())],
            ..Process::default()
        };
        let error = Fetching::read(None, None, &process).unwrap_err();
        let expected = "`VPYTHON_FETCH` is `maybe`, which is neither true nor false";
        assert_eq!(error.to_string(), expected);
    }
}
