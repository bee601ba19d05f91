//! Tables on standard output, as wide as the terminal at most. Elsewhere they are as wide as what
//! is in them.

use super::printable;

/// How many blanks stand between columns.
const GAP: usize = 2;
/// As much of a path as is worth showing.
const LEAST_OF_PATH: usize = 10;
/// As much of a digest as is worth showing.
const LEAST_OF_DIGEST: usize = 10;
/// What stands for what is cut.
const CUT: &str = "...";

/// What stands in a column of a line, and how it is cut where there is no room for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A text that is never cut.
    Text(String),
    /// Names behind a word; the last ones become a number, as in `by a and 3 more`.
    Names(&'static str, Vec<String>),
    /// Paths; the last ones become a number, and of a long one the end is kept.
    Paths(Vec<String>),
    /// A digest, of which the beginning is kept.
    Digest(String),
}

impl Cell {
    /// A text that is never cut.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The whole of it.
    fn whole(&self) -> String {
        match self {
            Self::Text(text) | Self::Digest(text) => printable(text),
            Self::Names(lead, names) => printable(&format!("{lead}{}", names.join(", "))),
            Self::Paths(paths) => printable(&paths.join(", ")),
        }
    }

    /// As short as it can be.
    fn least(&self) -> usize {
        length(&self.within(0))
    }

    /// As much of it as `width` has room for, or its least.
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

/// As many items as fit, at least one, and how many more there are.
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
    // What says how many more there are may be longer than they are.
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

/// How wide the terminal is that standard output is; none where it is something else.
#[must_use]
pub fn width_of_output() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Draws lines of as many cells each, so that columns begin under each other. Where they do not fit
/// into `width`, cells are cut, from the last column on; columns for which there is still no room
/// follow below, behind the first one again.
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
    let blocks = blocks(&widths, width);
    blocks
        .iter()
        .map(|block| draw_block(&texts, &widths, block))
        .collect::<Vec<_>>()
        .join("\n")
}

/// How wide columns are with the gaps between them.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Which columns stand beside each other: all of them if there is room, or else the first and some
/// others each.
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
    fn a_cell_is_cut_by_its_kind() {
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
    fn a_table_is_cut_from_its_last_column_on_and_goes_on_below() {
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
