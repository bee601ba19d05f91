//! The table of `verify`: a line for each requirement, a column for each system.

use std::path::Path;

use crate::plan::{Cell, Column, Row, RowOrigin};
use crate::spec::Place;

/// How many blanks stand between columns.
const GAP: usize = 2;

/// Lays out the table, its header first.
pub(super) fn render(columns: &[Column], rows: &[Row]) -> String {
    let in_one_file = is_in_one_file(rows);
    let header = ["requirement", "asked for"].into_iter().chain(columns.iter().map(|column| column.title.as_str()));
    let mut lines: Vec<Vec<String>> = vec![header.map(str::to_owned).collect()];
    for row in rows {
        let (title, origin) = match &row.origin {
            RowOrigin::Spec(place) => (row.title.clone(), where_asked(place, in_one_file)),
            RowOrigin::Wheels(projects) => {
                let projects: Vec<&str> = projects.iter().map(AsRef::as_ref).collect();
                (format!("  {}", row.title), format!("by {}", projects.join(", ")))
            }
        };
        lines.push([title, origin].into_iter().chain(row.cells.iter().map(word)).collect());
    }
    align(&lines)
}

/// What a cell says.
fn word(cell: &Cell) -> String {
    match cell {
        Cell::Fits(version) => version.to_string(),
        Cell::Unwanted => "-".into(),
        Cell::Missing => "missing".into(),
        Cell::WrongHash => "wrong hash".into(),
        Cell::Conflict => "conflict".into(),
        Cell::Unknown => "?".into(),
    }
}

fn is_in_one_file(rows: &[Row]) -> bool {
    let mut files = rows.iter().filter_map(|row| match &row.origin {
        RowOrigin::Spec(place) => Some(&place.file),
        RowOrigin::Wheels(_) => None,
    });
    let first = files.next();
    files.all(|file| Some(file) == first)
}

fn where_asked(place: &Place, in_one_file: bool) -> String {
    let name = place.file.as_deref().and_then(Path::file_name).filter(|_| !in_one_file);
    let line = format!("line {}", place.line);
    name.map_or(line.clone(), |name| format!("{}, {line}", name.to_string_lossy()))
}

/// Lines whose columns begin under each other.
fn align(lines: &[Vec<String>]) -> String {
    let length = |text: &String| text.chars().count();
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().filter_map(|line| line.get(column)).map(length).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for line in lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:0$}", width + GAP));
        text.push_str(padded.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}
