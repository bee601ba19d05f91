//! `entry_points.txt`: which scripts a distribution wants made.
//!
//! <https://packaging.python.org/en/latest/specifications/entry-points/>

use anyhow::Result;
use configparser::ini::{Ini, IniDefault};

use crate::report::Failure;

/// A script to be made: its name, and the object that it calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryPoint {
    pub name: String,
    /// The module to import.
    pub module: String,
    /// The attribute of the module to call, dots included.
    pub attribute: String,
}

/// Reads the `console_scripts` and `gui_scripts`, sorted by name.
///
/// # Errors
/// The file cannot be read as the specification says, or a name or an object is none.
pub(super) fn parse(text: &str) -> Result<Vec<EntryPoint>> {
    let mut ini = Ini::new_from_defaults(dialect());
    let groups = ini
        .read(text.to_owned())
        .map_err(|why| Failure::new("bad `entry_points.txt`").because(why))?;
    let scripts = ["console_scripts", "gui_scripts"]
        .into_iter()
        .filter_map(|group| groups.get(group))
        .flatten();
    let mut points = scripts
        .map(|(name, value)| entry_point(name, value.as_deref().unwrap_or_default()))
        .collect::<Result<Vec<_>>>()?;
    points.sort();
    points.dedup();
    Ok(points)
}

/// Names are case-sensitive, only `=` ends one, and a comment has its own line.
fn dialect() -> IniDefault {
    let mut dialect = IniDefault::default();
    dialect.case_sensitive = true;
    dialect.delimiters = vec!['='];
    dialect.inline_comment_symbols = Some(Vec::new());
    dialect
}

fn entry_point(name: &str, value: &str) -> Result<EntryPoint> {
    let refuse =
        |why: &str| Failure::new(format!("bad entry point `{name} = {value}`")).because(why);
    if !is_file_name(name) {
        return Err(refuse("its name is no file name").into());
    }
    // Extras at the end are a leftover of old tools, and mean nothing.
    let object = value.split('[').next().unwrap_or_default();
    let (module, attribute) = object
        .split_once(':')
        .ok_or_else(|| refuse("it names no function, as in `module:function`"))?;
    let (module, attribute) = (module.trim(), attribute.trim());
    if !is_dotted_name(module) || !is_dotted_name(attribute) {
        return Err(refuse("it is not of the form `module:function`").into());
    }
    Ok(EntryPoint {
        name: name.to_owned(),
        module: module.to_owned(),
        attribute: attribute.to_owned(),
    })
}

fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && !name.contains(|character: char| {
            character == '/' || character == '\\' || character.is_control()
        })
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|name| {
        let mut characters = name.chars();
        characters
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_')
            && characters.all(|character| character.is_alphanumeric() || character == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_both_groups_are_read() {
        let text = "[console_scripts]\nB-run = a.b:main\nc = a : D.run [extra]\n# e = x:y\n\n[gui_scripts]\nwin=a:w\n[other]\nz=1\n";
        let points = parse(text).unwrap();
        let texts: Vec<String> = points
            .iter()
            .map(|point| format!("{}={}:{}", point.name, point.module, point.attribute))
            .collect();
        assert_eq!(texts, ["B-run=a.b:main", "c=a:D.run", "win=a:w"]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_no_entry_point_is_refused() {
        let rows = [
            ("a/b = m:f", "its name is no file name"),
            (".. = m:f", "its name is no file name"),
            ("a = m", "it names no function, as in `module:function`"),
            (
                "a = m:f; import os",
                "it is not of the form `module:function`",
            ),
            ("a = m:", "it is not of the form `module:function`"),
            ("a = 1m:f", "it is not of the form `module:function`"),
        ];
        for (line, why) in rows {
            let error = parse(&format!("[console_scripts]\n{line}\n")).unwrap_err();
            let text = format!("vpython: error: bad entry point `{line}`\n  caused by: {why}\n");
            assert_eq!(crate::report::render(&error), text);
        }
    }
}
