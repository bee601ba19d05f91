//! What the command line chooses of a spec that has parts.

/// Which parts of a `pyproject.toml` the command line chooses, beside those of its `[tool.vpython]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Names of `[project.optional-dependencies]`, as they were typed.
    pub extras: Vec<String>,
    /// Names of `[dependency-groups]`, as they were typed.
    pub groups: Vec<String>,
}

impl Chosen {
    /// Whether nothing is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.extras.is_empty() && self.groups.is_empty()
    }
}
