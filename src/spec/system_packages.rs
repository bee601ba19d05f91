//! `system-site-packages`: whether the packages that are installed for the interpreter itself can
//! be imported.

use serde::{Deserialize, Serialize};

/// Whether an environment's python finds the packages that are installed for its base interpreter,
/// behind those of the environment.
///
/// They take no part in the choice of wheels, since what is installed there may change from one
/// launch to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemPackages {
    /// It does not; this is the default.
    #[default]
    Hidden,
    /// It does.
    Visible,
}

impl SystemPackages {
    /// Whether they are hidden.
    #[must_use]
    pub fn are_hidden(&self) -> bool {
        *self == Self::Hidden
    }

    /// The value of `include-system-site-packages` in `pyvenv.cfg`.
    #[must_use]
    pub fn setting(self) -> &'static str {
        if self.are_hidden() { "false" } else { "true" }
    }
}
