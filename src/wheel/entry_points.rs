//! `entry_points.txt`: the scripts that a distribution declares.
//!
//! <https://packaging.python.org/en/latest/specifications/entry-points/>

use anyhow::Result;
use configparser::ini::{Ini, IniDefault};

use crate::report::Failure;

/// A script: its name, and the object that it calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryPoint {
    pub name: String,
    /// The module to import.
    pub module: String,
    /// The attribute of the module to call, dots included.
    pub attribute: String,
}

/// Parses the groups `console_scripts` and `gui_scripts`, sorted by name.
///
/// # Errors
/// The file violates the specification, or a name or an object reference is invalid.
pub fn parse(text: &str) -> Result<Vec<EntryPoint>> {
    let mut ini = Ini::new_from_defaults(dialect());
    let groups = ini
        .read(text.to_owned())
        .map_err(|why| Failure::new("invalid `entry_points.txt`").because(why))?;
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

/// Names are case-sensitive, only `=` is a delimiter, and a comment is a line of its own.
fn dialect() -> IniDefault {
    let mut dialect = IniDefault::default();
    dialect.case_sensitive = true;
    dialect.delimiters = vec!['='];
    dialect.inline_comment_symbols = Some(Vec::new());
    dialect
}

fn entry_point(name: &str, value: &str) -> Result<EntryPoint> {
    let refuse =
        |why: &str| Failure::new(format!("invalid entry point `{name} = {value}`")).because(why);
    if !is_file_name(name) {
        return Err(refuse("its name is not a valid file name").into());
    }
    // Extras after the object are an obsolete feature without a meaning.
    let object = value.split('[').next().unwrap_or_default();
    let (module, attribute) = object
        .split_once(':')
        .ok_or_else(|| refuse("it does not name a function, as in `module:function`"))?;
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
    fn an_invalid_entry_point_is_rejected() {
        let rows = [
            ("a/b = m:f", "its name is not a valid file name"),
            (".. = m:f", "its name is not a valid file name"),
            (
                "a = m",
                "it does not name a function, as in `module:function`",
            ),
            (
                "a = m:f; import os",
                "it is not of the form `module:function`",
            ),
            ("a = m:", "it is not of the form `module:function`"),
            ("a = 1m:f", "it is not of the form `module:function`"),
        ];
        for (line, why) in rows {
            let error = parse(&format!("[console_scripts]\n{line}\n")).unwrap_err();
            let text =
                format!("vpython: error: invalid entry point `{line}`\n  caused by: {why}\n");
            assert_eq!(crate::report::render(&error), text);
        }
    }
}
