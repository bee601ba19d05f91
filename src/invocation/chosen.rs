//! The parts of a spec that the command line selects.

/// The command line's options for reading a spec: the parts of a `pyproject.toml` to include in
/// addition to those of its `[tool.vpython]`, and whether digests bind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Names of `[project.optional-dependencies]`, as they were typed.
    pub extras: Vec<String>,
    /// Names of `[dependency-groups]`, as they were typed.
    pub groups: Vec<String>,
    /// `true` if pinned digests are ignored.
    pub unlocked: bool,
}

impl Chosen {
    /// Checks whether no part is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.extras.is_empty() && self.groups.is_empty()
    }
}
