//! What the command line chooses of a spec that has parts.

/// What the command line says of how a spec is read: which parts of a `pyproject.toml` count,
/// beside those of its `[tool.vpython]`, and whether digests do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Names of `[project.optional-dependencies]`, as they were typed.
    pub extras: Vec<String>,
    /// Names of `[dependency-groups]`, as they were typed.
    pub groups: Vec<String>,
    /// Whether digests that are pinned do not count.
    pub unlocked: bool,
}

impl Chosen {
    /// Whether no part is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.extras.is_empty() && self.groups.is_empty()
    }
}
