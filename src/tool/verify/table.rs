//! The table of `verify`: one line for each requirement, one column for each system.

use std::path::Path;

use crate::plan::{Cell, Column, Row, RowOrigin};
use crate::report::table;
use crate::spec::Location;

/// Renders the table, starting with its header.
pub(super) fn render(columns: &[Column], rows: &[Row]) -> String {
    let in_one_file = is_in_one_file(rows);
    let header = ["requirement", "required"]
        .into_iter()
        .chain(columns.iter().map(|column| column.title.as_str()));
    let mut lines: Vec<Vec<table::Cell>> = vec![header.map(table::Cell::text).collect()];
    // The requirements of wheels and the seeds are indented.
    for row in rows {
        let (title, origin) = match &row.origin {
            RowOrigin::Spec(place) => (
                row.title.clone(),
                table::Cell::Text(location_in_spec(place, in_one_file)),
            ),
            RowOrigin::Seed => (
                format!("  {}", row.title),
                table::Cell::Text("for LUCI".to_owned()),
            ),
            RowOrigin::Wheels(projects) => {
                let projects = projects.iter().map(ToString::to_string).collect();
                (
                    format!("  {}", row.title),
                    table::Cell::Names("by ", projects),
                )
            }
        };
        let cells = row.cells.iter().map(|cell| table::Cell::Text(word(cell)));
        lines.push(
            [table::Cell::Text(title), origin]
                .into_iter()
                .chain(cells)
                .collect(),
        );
    }
    table::draw(&lines, table::width_of_output())
}

/// Returns the text of a cell.
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
        RowOrigin::Wheels(_) | RowOrigin::Seed => None,
    });
    let first = files.next();
    files.all(|file| Some(file) == first)
}

fn location_in_spec(place: &Location, in_one_file: bool) -> String {
    let name = place
        .file
        .as_deref()
        .and_then(Path::file_name)
        .filter(|_| !in_one_file);
    let line = format!("line {}", place.line);
    name.map_or(line.clone(), |name| {
        format!("{}, {line}", name.to_string_lossy())
    })
}
