//! The extras and dependency groups of a `pyproject.toml`, which include each other.

use std::collections::{HashMap, HashSet};

use pep508_rs::{ExtraName, MarkerTree, PackageName};
use toml::de::{DeTable, DeValue};

use super::toml_reader::{Reader, Value};
use super::{Located, Requested, marker_tree};

/// Upper bound for the nesting of extras and groups that include each other.
const MAX_DEPTH: usize = 64;
/// Upper bound for the number of extras and groups that are read, each for a different marker: a
/// project's requirements on itself, each with its own marker, can double the number at each step.
const MAX_READS: usize = 100_000;

/// Tables of requirements by name, which refer to each other.
pub(super) struct Tables<'r, 'v, 'a> {
    own_name: Option<PackageName>,
    extras: Table<'v, 'a>,
    groups: Table<'v, 'a>,
    pub(super) reader: &'r mut Reader<'a>,
    /// The requirements that have been read so far.
    pub(super) asked: Vec<Located<Requested>>,
    /// The stack of extras and groups that are being read, each included by the previous one.
    open: Vec<String>,
    /// The extras and groups that have been read, with their markers. Reading one again would yield
    /// the same requirements.
    read: HashSet<(String, MarkerTree)>,
}

/// The values of a table by normalized name.
struct Table<'v, 'a> {
    table: Option<&'v DeTable<'a>>,
    by_name: HashMap<String, &'v Value<'a>>,
}

impl<'v, 'a> Table<'v, 'a> {
    fn of(table: Option<&'v DeTable<'a>>) -> Self {
        let mut by_name = HashMap::new();
        for (key, value) in table.into_iter().flatten() {
            by_name.entry(normalised(key.get_ref())).or_insert(value);
        }
        Self { table, by_name }
    }
}

impl<'r, 'v, 'a> Tables<'r, 'v, 'a> {
    pub(super) fn new(
        own_name: Option<PackageName>,
        extras: Option<&'v DeTable<'a>>,
        groups: Option<&'v DeTable<'a>>,
        reader: &'r mut Reader<'a>,
    ) -> Self {
        let (extras, groups) = (Table::of(extras), Table::of(groups));
        Self {
            own_name,
            extras,
            groups,
            reader,
            asked: Vec::new(),
            open: Vec::new(),
            read: HashSet::new(),
        }
    }

    /// Reads the requirements of one of the project's extras, for environments where `marker`
    /// holds.
    pub(super) fn extra(&mut self, name: &str, start: usize, marker: MarkerTree) {
        let normal = normalised(name);
        let Some(value) = self.extras.by_name.get(&normal).copied() else {
            let known = known(self.extras.table);
            return self.reader.problem(
                start,
                &format!("there is no `{name}` in `[project.optional-dependencies]`{known}"),
            );
        };
        self.enter(
            format!("the extra `{normal}`"),
            start,
            marker,
            |tables, marker| {
                tables.strings(
                    Some(value),
                    &format!("project.optional-dependencies.{name}"),
                    &marker,
                );
            },
        );
    }

    /// Reads the requirements of a group and of the groups that it includes, for environments where
    /// `marker` holds.
    pub(super) fn group(&mut self, name: &str, start: usize, marker: MarkerTree) {
        let normal = normalised(name);
        // Group names are compared in normalized form (PEP 735).
        let Some(value) = self.groups.by_name.get(&normal).copied() else {
            let known = known(self.groups.table);
            return self.reader.problem(
                start,
                &format!("there is no `{name}` in `[dependency-groups]`{known}"),
            );
        };
        let key = format!("dependency-groups.{name}");
        let DeValue::Array(items) = value.get_ref() else {
            return self.reader.wrong_type(&key, "an array", value);
        };
        // An item is a requirement, or a table that includes another group.
        self.enter(
            format!("the group `{normal}`"),
            start,
            marker,
            |tables, marker| {
                for item in items {
                    let start = item.span().start;
                    match item.get_ref() {
                        DeValue::String(text) => tables.requirement(text, start, marker.clone()),
                        DeValue::Table(table) => {
                            match table.get("include-group").map(toml::Spanned::get_ref) {
                                Some(DeValue::String(included)) if table.len() == 1 => {
                                    tables.group(included, start, marker.clone());
                                }
                                _ => tables.reader.problem(
                                    start,
                                    &format!("a table in `{key}` must have `include-group` as its only key"),
                                ),
                            }
                        }
                        _ => tables.reader.wrong_type(
                            &format!("an item of {key}"),
                            "a string or a table",
                            item,
                        ),
                    }
                }
            },
        );
    }

    /// Enters an extra or a group, unless it is already open or was already read for the same
    /// marker.
    fn enter(
        &mut self,
        title: String,
        start: usize,
        marker: MarkerTree,
        read: impl FnOnce(&mut Self, MarkerTree),
    ) {
        // A cycle is an error.
        if self.open.contains(&title) {
            return self
                .reader
                .problem(start, &format!("{title} includes itself"));
        }
        // Bound the recursion depth, and the total work.
        if self.open.len() == MAX_DEPTH {
            let what = format!(
                "{title} is not read: extras and groups include each other more than {MAX_DEPTH} levels deep"
            );
            return self.reader.problem(start, &what);
        }
        if self.read.len() == MAX_READS || !self.read.insert((title.clone(), marker.clone())) {
            return;
        }
        if self.read.len() == MAX_READS {
            self.reader.problem(
                start,
                &format!(
                    "{title} is not read: the extras and groups expand to more than {MAX_READS}"
                ),
            );
        }
        self.open.push(title);
        read(self, marker);
        self.open.pop();
    }

    pub(super) fn strings(&mut self, value: Option<&'v Value<'a>>, key: &str, marker: &MarkerTree) {
        for (text, start) in self.reader.strings(value, key) {
            self.requirement(text, start, marker.clone());
        }
    }

    /// Reads a requirement. One on the project itself is replaced by the requirements of its
    /// extras, since there is no wheel of the project here.
    fn requirement(&mut self, text: &str, start: usize, marker: MarkerTree) {
        let Some(mut asked) = self.reader.requirement(text, start) else {
            return;
        };
        let requirement = &mut asked.value.requirement;
        if let Err(why) = marker_tree::and(&mut requirement.marker, marker) {
            return self.reader.problem(
                start,
                &format!("`{text}` is not a valid requirement: {why}"),
            );
        }
        if self.own_name.as_ref() != Some(&requirement.name) {
            return self.asked.push(asked);
        }
        for extra in &requirement.extras {
            self.extra(extra.as_ref(), start, requirement.marker.clone());
        }
    }
}

/// Lists the names in a table, for a message about an unknown name.
fn known(table: Option<&DeTable<'_>>) -> String {
    let names: Vec<String> = table
        .into_iter()
        .flat_map(|table| table.keys().map(|key| format!("`{}`", key.get_ref())))
        .collect();
    if names.is_empty() {
        ", which is empty".to_owned()
    } else {
        format!(", which has {}", names.join(", "))
    }
}

/// Normalizes the name of an extra or a group.
fn normalised(name: &str) -> String {
    name.parse::<ExtraName>()
        .map_or_else(|_| name.to_owned(), |name| name.to_string())
}
