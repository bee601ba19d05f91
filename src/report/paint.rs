//! The colours of the prefixes `error:`, `warning:` and `hint:`.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Whether the prefixes are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    None,
    Ansi,
}

impl Paint {
    /// Selects colours for stderr: on a terminal that supports them unless `NO_COLOR` is set, and
    /// always if `CLICOLOR_FORCE` is set.
    pub fn of_stderr() -> Self {
        match AutoStream::choice(&std::io::stderr()) {
            ColorChoice::Never => Self::None,
            _ => Self::Ansi,
        }
    }

    pub fn error(self) -> String {
        self.word("error:", AnsiColor::Red)
    }

    pub fn warning(self) -> String {
        self.word("warning:", AnsiColor::Yellow)
    }

    pub fn hint(self) -> String {
        self.word("hint:", AnsiColor::Cyan)
    }

    fn word(self, word: &str, colour: AnsiColor) -> String {
        let style = Style::new().bold().fg_color(Some(colour.into()));
        match self {
            Self::None => word.to_owned(),
            Self::Ansi => format!("{style}{word}{style:#}"),
        }
    }
}
