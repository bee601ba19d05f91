//! The colours of the words that say what a line is.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Whether these words are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    None,
    Ansi,
}

impl Paint {
    /// What stderr is to get: colours on a terminal that has them, unless `NO_COLOR` is set, and
    /// wherever `CLICOLOR_FORCE` is.
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
