//! Tables on standard output, at most as wide as the terminal. If standard output is not a
//! terminal, the width is unlimited.

use super::printable;

/// The number of spaces between columns.
const GAP: usize = 2;
/// The minimum length of a truncated path.
const LEAST_OF_PATH: usize = 10;
/// The minimum length of a truncated digest.
const LEAST_OF_DIGEST: usize = 10;
/// The mark for truncated text.
const CUT: &str = "...";

/// A cell of a table, which determines how it is truncated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text that is never truncated.
    Text(String),
    /// Names after a leading word; the last ones are replaced by their number, as in `by a and 3
    /// more`.
    Names(&'static str, Vec<String>),
    /// Paths; the last ones are replaced by their number, and a long path keeps its end.
    Paths(Vec<String>),
    /// A digest, which keeps its beginning.
    Digest(String),
}

impl Cell {
    /// Returns a cell that is never truncated.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Returns the full text.
    fn whole(&self) -> String {
        match self {
            Self::Text(text) | Self::Digest(text) => printable(text),
            Self::Names(lead, names) => printable(&format!("{lead}{}", names.join(", "))),
            Self::Paths(paths) => printable(&paths.join(", ")),
        }
    }

    /// Returns the minimum width.
    fn least(&self) -> usize {
        length(&self.within(0))
    }

    /// Returns the text truncated to `width`, or to its minimum width.
    fn within(&self, width: usize) -> String {
        let whole = self.whole();
        let room = |least: usize| width.max(least) - CUT.len();
        match self {
            _ if length(&whole) <= width => whole,
            Self::Text(_) => whole,
            Self::Digest(_) if length(&whole) <= LEAST_OF_DIGEST => whole,
            Self::Digest(_) => whole
                .chars()
                .take(room(LEAST_OF_DIGEST))
                .chain(CUT.chars())
                .collect(),
            Self::Names(lead, names) => first_ones(lead, names, width),
            // If dropping paths is not enough, keep only the end of the first.
            Self::Paths(paths) => {
                let text = first_ones("", paths, width);
                let Some(first) = paths
                    .first()
                    .map(|first| printable(first))
                    .filter(|_| length(&text) > width)
                else {
                    return text;
                };
                let more = text.strip_prefix(&*first).unwrap_or_default();
                let kept = (width.saturating_sub(length(more))).max(LEAST_OF_PATH);
                if length(&first) <= kept {
                    return text;
                }
                let end = first.chars().skip(length(&first) + CUT.len() - kept);
                CUT.chars().chain(end).chain(more.chars()).collect()
            }
        }
    }
}

/// Returns as many items as fit, at least one, and the number of the others.
fn first_ones(lead: &str, items: &[String], width: usize) -> String {
    let form = |count: usize| {
        let more = match items.len() - count {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        printable(&format!("{lead}{}{more}", items[..count].join(", ")))
    };
    let fitting = (1..=items.len())
        .rev()
        .map(form)
        .find(|text| length(text) <= width);
    // "and N more" may be longer than the items it replaces.
    fitting.unwrap_or_else(|| {
        [form(items.len()), form(items.len().min(1))]
            .into_iter()
            .min_by_key(|text| length(text))
            .unwrap_or_default()
    })
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Returns the width of the terminal on standard output; `None` if it is not a terminal.
#[must_use]
pub fn width_of_output() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Draws lines of equally many cells with aligned columns. If they do not fit into `width`, cells
/// are truncated, from the last column on; columns that still do not fit are drawn below, after the
/// first column again.
#[must_use]
pub fn draw(lines: &[Vec<Cell>], width: Option<usize>) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let widest = |measure: &dyn Fn(&Cell) -> usize| -> Vec<usize> {
        (0..columns)
            .map(|column| {
                lines
                    .iter()
                    .filter_map(|line| line.get(column))
                    .map(measure)
                    .max()
                    .unwrap_or_default()
            })
            .collect()
    };
    let mut widths = widest(&|cell| length(&cell.whole()));
    let width = width.unwrap_or(usize::MAX);
    // Truncate columns to their minimum, the last one first, until the table fits.
    let mut excess = total(&widths).saturating_sub(width);
    for (column, least) in widest(&Cell::least).into_iter().enumerate().rev() {
        let given = excess.min(widths[column].saturating_sub(least));
        widths[column] -= given;
        excess -= given;
    }
    let texts: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            line.iter()
                .zip(&widths)
                .map(|(cell, width)| cell.within(*width))
                .collect()
        })
        .collect();
    // Columns that still do not fit go into further blocks.
    let blocks = blocks(&widths, width);
    blocks
        .iter()
        .map(|block| draw_block(&texts, &widths, block))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns the total width of columns with the gaps between them.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Returns the columns of each block: one block with all columns if they fit, else blocks of the
/// first column and some others.
fn blocks(widths: &[usize], width: usize) -> Vec<Vec<usize>> {
    let mut blocks: Vec<Vec<usize>> = vec![Vec::new()];
    for column in 0..widths.len() {
        let block = blocks.last().map_or(&[][..], Vec::as_slice);
        let with_it: Vec<usize> = block
            .iter()
            .chain([&column])
            .map(|column| widths[*column])
            .collect();
        if block.len() > 1 && total(&with_it) > width {
            blocks.push(vec![0]);
        }
        if let Some(block) = blocks.last_mut() {
            block.push(column);
        }
    }
    blocks
}

fn draw_block(texts: &[Vec<String>], widths: &[usize], columns: &[usize]) -> String {
    let mut drawn = String::new();
    for line in texts {
        let cells = columns
            .iter()
            .filter_map(|column| line.get(*column).map(|cell| (cell, widths[*column] + GAP)));
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        drawn.push_str(padded.concat().trim_end());
        drawn.push('\n');
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn a_cell_is_truncated_by_its_kind() {
        let names = Cell::Names("by ", owned(&["a", "bc", "d"]));
        let long = Cell::Names("by ", owned(&["alpha", "beta", "gamma", "delta"]));
        let paths = Cell::Paths(owned(&["/source/long/vpython.toml", "/b"]));
        let path = Cell::Paths(owned(&["/source/long/vpython.toml"]));
        let digest = Cell::Digest("0123456789abcdef".into());
        let rows = [
            (&names, 11, "by a, bc, d"),
            (&names, 10, "by a, bc, d"),
            (&long, 25, "by alpha, beta and 2 more"),
            (&long, 24, "by alpha and 3 more"),
            (&long, 0, "by alpha and 3 more"),
            (&paths, 100, "/source/long/vpython.toml, /b"),
            (&paths, 28, "...rce/long/vpython.toml, /b"),
            (&path, 20, "...long/vpython.toml"),
            (&path, 0, "...on.toml"),
            (&digest, 16, "0123456789abcdef"),
            (&digest, 12, "012345678..."),
            (&digest, 0, "0123456..."),
            (&Cell::text("text"), 0, "text"),
        ];
        for (cell, width, expected) in rows {
            assert_eq!(cell.within(width), expected, "{cell:?} in {width}");
        }
    }

    #[test]
    fn a_table_is_truncated_from_its_last_column_and_continues_below() {
        let line = |first: &str, names: &[&str], rest: &[&str]| {
            let mut line = vec![Cell::text(first), Cell::Names("by ", owned(names))];
            line.extend(rest.iter().map(|text| Cell::text(*text)));
            line
        };
        let lines = [
            line("é", &["a", "b", "c", "d", "e", "f"], &["here", "there"]),
            line("long", &["a"], &["1", "missing"]),
        ];
        let rows = [
            (
                None,
                "é     by a, b, c, d, e, f  here  there\nlong  by a                 1     missing\n",
            ),
            (
                Some(40),
                "é     by a, b, c, d, e, f  here  there\nlong  by a                 1     missing\n",
            ),
            (
                Some(39),
                "é     by a, b and 4 more  here  there\nlong  by a                1     missing\n",
            ),
            (
                Some(25),
                "é     by a and 5 more\nlong  by a\n\né     here  there\nlong  1     missing\n",
            ),
        ];
        for (width, expected) in rows {
            assert_eq!(draw(&lines, width), expected, "{width:?}");
        }
        assert_eq!(draw(&[], Some(80)), "");
    }
}
