//! [`Words`]: what follows the name of a tool on the command line.

/// The words that follow a tool's name, apart from its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    None,
    /// A program's name and its arguments, none of which is an option of the tool.
    Program,
    /// Files and directories; before `--`, none begins with a dash.
    Operands,
    /// Files and directories, with a leading `-` or not.
    Paths,
    /// Python's command line.
    CommandLine,
    /// A directory, then python's command line.
    DirectoryThenCommandLine,
}

impl Words {
    /// Checks whether they contain a python command line.
    pub(super) fn are_pythons(self) -> bool {
        matches!(self, Self::CommandLine | Self::DirectoryThenCommandLine)
    }
}
