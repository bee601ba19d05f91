//! `-vpython-tool list`: lists the environments in the store.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bytesize::ByteSize;
use serde::Serialize;

use crate::interpreter::title_of_version;
use crate::invocation::{Invocation, List};
use crate::memo::KnownSpec;
use crate::process::Process;
use crate::report;
use crate::report::table::{self, Cell};
use crate::spec::SpecKind;
use crate::store::{CLibrary, Processes, Python, Space, Store, Stored, Usage, Use};

/// The version of the JSON format. It increases when the meaning of a field changes.
const VERSION: u32 = 1;

/// The column titles.
const HEADER: [&str; 6] = ["used", "size", "shared", "spec", "python", "key"];
/// The column titles for interpreters from images.
const PYTHON_HEADER: [&str; 3] = ["size", "python", "interpreter from"];
/// The column titles for a shared root.
const SHARED_HEADER: [&str; 3] = ["spec", "python", "key"];

/// The output of `--json`.
#[derive(Serialize)]
struct Listing {
    version: u32,
    root: String,
    /// The size of the store, in bytes.
    total: u64,
    environments: Vec<Listed>,
    /// The interpreters from images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interpreters: Vec<Copied>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shared_roots: Vec<SharedListing>,
}

/// An interpreter from an image.
#[derive(Serialize)]
struct Copied {
    path: String,
    image: String,
    python: String,
    /// Whether it has its own C library.
    has_c_library: bool,
    /// The size in bytes.
    own: u64,
}

/// A shared root. Its files are not measured, which takes long on a network file system, and who
/// uses them is not recorded.
#[derive(Serialize)]
struct SharedListing {
    root: String,
    environments: Vec<Contents>,
}

/// An environment in the store.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    contents: Contents,
    /// The size in bytes, without the files that it shares with unpacked wheels.
    own: u64,
    /// The size of the shared files, in bytes.
    shared: u64,
    /// The time of the last use, in seconds since 1970.
    last_use: u64,
    /// `None` if the file system has no locks.
    in_use: Option<bool>,
}

/// The contents of an environment.
#[derive(Serialize)]
struct Contents {
    key: String,
    path: String,
    /// The specs that resolved to this environment in their last cold launch.
    specs: Vec<Spec>,
    interpreter: String,
    python: String,
    free_threaded: bool,
    wheels: Vec<Wheel>,
}

#[derive(Serialize)]
struct Spec {
    kind: String,
    file: Option<String>,
}

#[derive(Serialize)]
struct Wheel {
    name: String,
    version: String,
    file: String,
    sha256: String,
}

/// Prints the environments, least recently used first. Returns the exit code.
///
/// # Errors
/// The store cannot be read; standard output cannot be written.
pub fn run(options: &List, invocation: &Invocation, process: &Process) -> Result<i32> {
    // Collect the disk usage, the running programs and the known specs.
    let store = Store::look(invocation, process)?;
    let usage = store.usage()?;
    let programs = Processes::look();
    let specs = KnownSpec::of_environments(&store)?;
    let specs_of = |stored: &Stored| specs.get(&stored.manifest.key).cloned().unwrap_or_default();
    let mut environments = Vec::new();
    for stored in store.stored()? {
        let space = usage
            .entries
            .get(stored.manifest.key.as_str())
            .copied()
            .unwrap_or_default();
        let contents = Contents::of(&stored, specs_of(&stored));
        environments.push(Listed::of(
            &stored,
            contents,
            space,
            stored.use_of(&programs)?,
        ));
    }
    invocation.warn(store.warnings_of_shared_roots());
    let mut shared_roots = Vec::new();
    for root in store.shared_roots() {
        let stored = store.of_shared_root(root).stored()?;
        let contents = stored
            .iter()
            .map(|stored| Contents::of(stored, specs_of(stored)));
        shared_roots.push(SharedListing {
            root: root.path.display().to_string(),
            environments: contents.collect(),
        });
    }
    let listing = Listing {
        version: VERSION,
        root: store.root().display().to_string(),
        total: usage.total(),
        environments,
        interpreters: store
            .pythons_in_store()?
            .iter()
            .map(|python| Copied::of(python, &usage))
            .collect(),
        shared_roots,
    };
    let text = if options.json {
        serde_json::to_string_pretty(&listing)? + "\n"
    } else {
        listing.text()
    };
    report::print(text.as_bytes())?;
    Ok(0)
}

impl Copied {
    fn of(python: &Python, usage: &Usage) -> Self {
        let record = &python.record;
        Self {
            path: python.directory.display().to_string(),
            image: record.reference.clone(),
            python: record.python.clone(),
            has_c_library: matches!(record.libraries, CLibrary::Own { .. }),
            own: usage
                .pythons
                .get(&record.image)
                .copied()
                .unwrap_or_default(),
        }
    }

    /// Returns its line in a table.
    fn line(&self) -> Vec<Cell> {
        let size = ByteSize::b(self.own).to_string();
        vec![
            Cell::Text(size),
            Cell::text(&self.python),
            Cell::text(&self.image),
        ]
    }
}

impl Contents {
    fn of(stored: &Stored, specs: BTreeSet<KnownSpec>) -> Self {
        let manifest = &stored.manifest;
        let wheels = manifest.wheels.iter().map(|wheel| Wheel {
            name: wheel.name.clone(),
            version: wheel.version.clone(),
            file: wheel.file_name.clone(),
            sha256: wheel.sha256.to_string(),
        });
        let spec = |spec: KnownSpec| Spec {
            kind: spec.kind,
            file: spec.file.map(|file| file.display().to_string()),
        };
        Self {
            key: manifest.key.to_string(),
            path: stored.path.display().to_string(),
            specs: specs.into_iter().map(spec).collect(),
            interpreter: manifest.interpreter.display().to_string(),
            python: manifest.python.clone(),
            free_threaded: manifest.is_free_threaded(),
            wheels: wheels.collect(),
        }
    }

    /// Returns the last columns of the environment's line in a table. The key, which is long, comes
    /// last.
    fn cells(&self) -> [Cell; 3] {
        [
            Cell::Paths(self.specs.iter().map(Spec::text).collect()),
            Cell::text(title_of_version(&self.python, self.free_threaded)),
            Cell::Digest(self.key.clone()),
        ]
    }
}

impl Listed {
    fn of(stored: &Stored, contents: Contents, space: Space, found: Use) -> Self {
        Self {
            contents,
            own: space.own,
            shared: space.shared,
            last_use: stored
                .last_use
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
            // Without locks this is unknown, and the field absent.
            in_use: (found != Use::Unknown).then_some(found == Use::Busy),
        }
    }

    /// Returns the environment's line in the table: the columns of most interest come first.
    fn line(&self, now: u64) -> Vec<Cell> {
        let used = if self.in_use == Some(true) {
            "in use".to_owned()
        } else {
            ago(now.saturating_sub(self.last_use))
        };
        let [own, shared] =
            [self.own, self.shared].map(|bytes| Cell::Text(ByteSize::b(bytes).to_string()));
        let first = vec![Cell::Text(used), own, shared];
        first.into_iter().chain(self.contents.cells()).collect()
    }
}

impl Spec {
    fn text(&self) -> String {
        match (&self.file, self.kind.as_str()) {
            (Some(file), _) => file.clone(),
            (None, kind) if kind == SpecKind::None.name() => "programs without a spec".to_owned(),
            (None, _) => "the text of -c".to_owned(),
        }
    }
}

impl Listing {
    fn text(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let lines = self.environments.iter().map(|listed| listed.line(now));
        let own = format!(
            "{}{} in {}: {}\n",
            drawn(&HEADER, lines.collect()),
            counted(self.environments.len()),
            report::printable(&self.root),
            ByteSize::b(self.total)
        );
        let shared = self.shared_roots.iter().map(SharedListing::text);
        let pythons = self.interpreters.iter().map(Copied::line);
        let pythons = drawn(&PYTHON_HEADER, pythons.collect());
        let count = match self.interpreters.len() {
            1 => "1 interpreter".to_owned(),
            count => format!("{count} interpreters"),
        };
        std::iter::once(own)
            .chain((!pythons.is_empty()).then(|| format!("{pythons}{count} from images\n")))
            .chain(shared)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl SharedListing {
    fn text(&self) -> String {
        let lines = self.environments.iter();
        let lines = lines.map(|contents| contents.cells().to_vec());
        format!(
            "{}{} in the shared root {}\n",
            drawn(&SHARED_HEADER, lines.collect()),
            counted(self.environments.len()),
            report::printable(&self.root)
        )
    }
}

/// Draws a table with a header; nothing if it has no lines.
fn drawn(header: &[&str], lines: Vec<Vec<Cell>>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let header = header.iter().copied().map(Cell::text).collect();
    table::draw(&[vec![header], lines].concat(), table::width_of_output()) + "\n"
}

/// Formats a number of environments.
fn counted(environments: usize) -> String {
    match environments {
        1 => "1 environment".to_owned(),
        count => format!("{count} environments"),
    }
}

/// Formats an elapsed time in its largest unit.
fn ago(seconds: u64) -> String {
    let units = [("day", 24 * 60 * 60), ("hour", 60 * 60), ("minute", 60)];
    match units.iter().find(|(_, length)| seconds >= *length) {
        Some((unit, length)) => {
            let count = seconds / length;
            format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
        }
        None => "just now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_formatted_in_its_largest_unit() {
        let rows = [
            (3, "just now"),
            (60, "1 minute ago"),
            (7200, "2 hours ago"),
            (86400 * 41, "41 days ago"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(ago(seconds), expected);
        }
    }
}
