//! [`Modules`]: the modules that a program probably imports, as far as their sources are there already.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::program::Program;
use super::statements::{Import, Role, imports};
use super::wheel::sources;
use crate::build::unpacked::UnpackedWheel;
use crate::fs::{self, limits};
use crate::wheel::scheme::Scheme;

/// The maximum number of names that are looked up.
const MAX_NAMES: usize = 100_000;
/// The length of a name, in bytes, up to which it is looked up.
const MAX_NAME: usize = 256;
/// The size of all sources, in bytes, from which no more are compiled.
const MAX_SIZE: u64 = 256 << 20;
/// The number of source bytes that a process compiles at once.
const PART: u64 = 128 << 10;
/// The number of bytes as which a smaller source counts.
const MIN_SIZE: u64 = 1 << 10;

/// A module whose source is to be searched for imports.
pub(super) struct Module {
    /// Its name, with dots.
    name: String,
    is_package: bool,
    /// Its source.
    pub source: PathBuf,
}

/// A source in a wheel.
#[derive(Clone, Copy)]
struct Source {
    /// The number of the wheel, in the order of arrival.
    wheel: usize,
    /// The size in bytes.
    size: u64,
}

/// The modules that can be found, and the names of those that were looked up.
pub(super) struct Modules {
    /// The directories in which python searches before site-packages, with the names in each.
    directories: Vec<(PathBuf, HashSet<OsString>)>,
    /// The site-packages of each wheel, in the order of arrival.
    wheels: Vec<PathBuf>,
    /// The sources of the wheels by path.
    sources: HashMap<String, Source>,
    /// The paths that more than one wheel has.
    ambiguous: HashSet<String>,
    /// The names that were looked up.
    seen: HashSet<String>,
    /// Those of them that were not found, by their first part.
    missing: HashMap<String, Vec<String>>,
    /// The modules that were found, and are to be searched for imports.
    pub found: Vec<Module>,
    /// The sources that were found in each wheel, and are to be compiled.
    found_sources: BTreeMap<usize, Vec<(String, u64)>>,
    /// The size of all sources that were found in wheels, in bytes.
    pub size: u64,
}

impl Modules {
    /// Looks up what the program itself imports.
    pub fn of(program: Program) -> Self {
        let list = |directory: PathBuf| {
            let names = fs::list(&directory).ok()??;
            Some((directory, names.into_iter().collect()))
        };
        let mut modules = Self {
            directories: program.directories.into_iter().filter_map(list).collect(),
            wheels: Vec::new(),
            sources: HashMap::new(),
            ambiguous: HashSet::new(),
            seen: HashSet::new(),
            missing: HashMap::new(),
            found: Vec::new(),
            found_sources: BTreeMap::new(),
            size: 0,
        };
        let main = program.module.iter();
        let main = main.flat_map(|module| [module.clone(), format!("{module}.__main__")]);
        modules.look_up(main.chain(imports_of("", false, &program.text)));
        modules
    }

    /// Checks whether nothing is imported.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Adds a wheel, and looks up in it what was missing.
    pub fn add(&mut self, wheel: &UnpackedWheel) {
        let number = self.wheels.len();
        self.wheels
            .push(wheel.directory.join(Scheme::Site.directory()));
        let mut first = HashSet::new();
        for (path, size) in sources(wheel).filter(|(_, size)| *size <= limits::SOURCE.bytes) {
            first.extend(path.split(['/', '.']).next());
            let source = Source {
                wheel: number,
                size,
            };
            if self.sources.insert(path.to_owned(), source).is_some() {
                self.ambiguous.insert(path.to_owned());
            }
        }
        for first in first {
            for name in self.missing.remove(first).unwrap_or_default() {
                self.find(&name);
            }
        }
    }

    /// Looks up names that were not looked up before.
    pub fn look_up(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names.into_iter().filter(|name| name.len() <= MAX_NAME) {
            // The packages that contain a module are imported with it.
            for (end, _) in name.match_indices('.').chain([(name.len(), "")]) {
                if self.seen.len() < MAX_NAMES && self.seen.insert(name[..end].to_owned()) {
                    self.find(&name[..end]);
                }
            }
        }
    }

    /// Checks whether there are sources to compile.
    pub fn has_sources(&self) -> bool {
        !self.found_sources.is_empty()
    }

    /// Takes sources of one wheel to compile, by their paths in a directory.
    pub fn take_sources(&mut self) -> (PathBuf, Vec<String>) {
        let mut taken = Vec::new();
        let Some(mut of_wheel) = self.found_sources.first_entry() else {
            return (PathBuf::new(), taken);
        };
        let wheel = *of_wheel.key();
        let mut room = PART;
        while room > 0
            && let Some((path, size)) = of_wheel.get_mut().pop()
        {
            room = room.saturating_sub(size.max(MIN_SIZE));
            taken.push(path);
        }
        if of_wheel.get().is_empty() {
            of_wheel.remove();
        }
        (self.site_of(wheel), taken)
    }

    /// Checks whether only one wheel has a source.
    pub fn is_unique(&self, path: &str) -> bool {
        !self.ambiguous.contains(path)
    }

    /// Returns the site-packages of a wheel.
    fn site_of(&self, wheel: usize) -> PathBuf {
        self.wheels.get(wheel).cloned().unwrap_or_default()
    }

    /// Finds the source of a module, as python would, or notes that it is missing.
    fn find(&mut self, name: &str) {
        let path = name.replace('.', "/");
        let first = path.split('/').next().unwrap_or_default();
        let forms = [
            (format!("{path}/__init__.py"), true),
            (format!("{path}.py"), false),
        ];
        let names = [OsString::from(first), OsString::from(format!("{first}.py"))];
        let module = |directory: &Path, (source, is_package): &(String, bool)| Module {
            name: name.to_owned(),
            is_package: *is_package,
            source: directory.join(source),
        };
        for (directory, known) in &self.directories {
            if names.iter().any(|name| known.contains(name))
                && let Some(form) = forms
                    .iter()
                    .find(|(source, _)| fs::is_file(&directory.join(source)))
            {
                self.found.push(module(directory, form));
                return;
            }
        }
        let in_wheel = |form: &&(String, bool)| self.sources.contains_key(&form.0);
        if let Some(form) = forms.iter().find(in_wheel)
            && let Some(source) = self.sources.get(&form.0)
        {
            let source = *source;
            self.found.push(module(&self.site_of(source.wheel), form));
            if self.size < MAX_SIZE {
                self.size += source.size;
                let of_wheel = self.found_sources.entry(source.wheel).or_default();
                of_wheel.push((form.0.clone(), source.size));
            }
        } else {
            let missing = self.missing.entry(first.to_owned()).or_default();
            missing.push(name.to_owned());
        }
    }
}

impl Module {
    /// Returns the names of what the module may import, given its text.
    pub fn imports(&self, text: &str) -> Vec<String> {
        imports_of(&self.name, self.is_package, text)
    }
}

/// Returns the names of what a module with this text may import. The program itself has no name.
fn imports_of(module: &str, is_package: bool, text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let is_program = module.is_empty() || module.ends_with(".__main__");
    let role = if is_program {
        Role::Program
    } else {
        Role::Module
    };
    for import in imports(text, role) {
        let from = imported_from(&import, module, is_package);
        // Names that are too long are not looked up, nor repeated for each name after `import`.
        if let Some(from) = from.filter(|from| from.len() <= MAX_NAME) {
            names.extend(import.names.iter().map(|name| format!("{from}.{name}")));
            names.push(from);
        }
    }
    names
}

/// Returns the absolute name of the module that a statement names first; none if that is above all
/// packages.
fn imported_from(import: &Import, module: &str, is_package: bool) -> Option<String> {
    if import.level == 0 {
        return Some(import.module.to_owned());
    }
    // One dot is the package of the module, which may be the module itself.
    let mut package = module;
    for _ in usize::from(is_package)..import.level {
        package = package.rsplit_once('.')?.0;
    }
    Some(match import.module {
        "" => package.to_owned(),
        name => format!("{package}.{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_absolute() {
        let text = "import a.b\nfrom .c import d\nfrom . import e\nfrom ... import f";
        let rows: [(&str, bool, &[&str]); 4] = [
            ("", false, &["a.b"]),
            ("p", true, &["a.b", "p.c.d", "p.c", "p.e", "p"]),
            ("p.m", false, &["a.b", "p.c.d", "p.c", "p.e", "p"]),
            (
                "p.q.r",
                true,
                &[
                    "a.b",
                    "p.q.r.c.d",
                    "p.q.r.c",
                    "p.q.r.e",
                    "p.q.r",
                    "p.f",
                    "p",
                ],
            ),
        ];
        for (module, is_package, expected) in rows {
            assert_eq!(imports_of(module, is_package, text), expected, "{module}");
        }
        let long = format!("a{}", ".a".repeat(100_000));
        let names = "b, ".repeat(1_000_000);
        for text in [
            format!("import {long}"),
            format!("from {long} import {names}"),
        ] {
            assert!(imports_of("", false, &text).is_empty());
        }
    }
}
