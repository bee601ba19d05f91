//! `system-site-packages`: whether Python can import the packages that are installed for the
//! interpreter itself.

use serde::{Deserialize, Serialize};

/// Whether an environment's Python finds the packages that are installed for its base interpreter,
/// after those of the environment.
///
/// They do not affect the choice of wheels, since they may change from one launch to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemPackages {
    /// Python does not find them; this is the default.
    #[default]
    Hidden,
    /// Python finds them.
    Visible,
}

impl SystemPackages {
    /// Returns whether they are hidden.
    #[must_use]
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub fn are_hidden(&self) -> bool {
        *self == Self::Hidden
    }

    /// Returns the value of `include-system-site-packages` in `pyvenv.cfg`.
    #[must_use]
    pub fn setting(self) -> &'static str {
        if self.are_hidden() { "false" } else { "true" }
    }
}
