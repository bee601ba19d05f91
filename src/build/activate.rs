//! Activation scripts, which put an environment first on `PATH`, as in every virtual environment.
//!
//! They contain no absolute path: each finds its environment when it is sourced.

use std::path::Path;

use anyhow::Result;

use crate::fs;

/// The scripts: their paths in the environment, and their contents.
pub(super) const SCRIPTS: [(&str, &str); 3] = [
    ("bin/activate", include_str!("activate/activate.sh")),
    ("bin/activate.csh", include_str!("activate/activate.csh")),
    ("bin/activate.fish", include_str!("activate/activate.fish")),
];

/// Writes the scripts into the environment at `root`.
pub(super) fn write(root: &Path) -> Result<()> {
    SCRIPTS
        .iter()
        .try_for_each(|(path, content)| fs::write_new(&root.join(path), content.as_bytes(), 0o444))
}
