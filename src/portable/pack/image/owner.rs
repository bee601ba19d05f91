//! [`Owners`]: what each member of an environment belongs to, as the RECORD files say.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use pep508_rs::PackageName;

use super::Contents;
use crate::fs;
use crate::packed::member::Member;
use crate::portable::{include, interpreter_copy};
use crate::wheel::record::{self, Row};

/// What a member belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// The copied interpreter.
    Interpreter,
    /// The wheels with these numbers in the manifest: those that have this very file.
    Wheels(Vec<usize>),
    /// The environment as a whole.
    Skeleton,
    /// The included directories.
    Application,
}

/// The rows of each path, with the number of the wheel whose RECORD has it.
type Listings = HashMap<String, Vec<(usize, Row)>>;

/// The owners of the members of an environment.
pub(super) struct Owners<'a> {
    /// The wheels of each path that a RECORD lists.
    wheels: HashMap<String, Vec<usize>>,
    /// The RECORD files that list a REQUESTED, by path, without that row.
    pub records: HashMap<&'a str, Vec<u8>>,
}

impl<'a> Owners<'a> {
    /// Reads the RECORD files of the environment. `site_packages` is relative to the environment.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn find(contents: &'a Contents, site_packages: &str) -> Result<Self> {
        let mut owners = Self {
            wheels: HashMap::new(),
            records: HashMap::new(),
        };
        let mut listings = Listings::new();
        let wheels = &contents.manifest.wheels;
        let names = wheels.iter().map(|wheel| wheel.name.as_str());
        let numbers: HashMap<&str, usize> = names.zip(0..).collect();
        for member in &contents.manifest.members {
            let Some(number) = project(member.path(), site_packages)
                .and_then(|project| numbers.get(project.as_ref()).copied())
            else {
                continue;
            };
            let path = member.path();
            let text = fs::read_text(&contents.directory().join(path), fs::limits::LIST)?;
            owners.read(path, &text, number, site_packages, &mut listings)?;
        }
        for member in &contents.manifest.members {
            if let Some(of_path) = listings.get(member.path()) {
                let wheels = those_that_have(member, of_path);
                owners.wheels.insert(member.path().to_owned(), wheels);
            }
        }
        Ok(owners)
    }

    fn read(
        &mut self,
        path: &'a str,
        text: &[u8],
        number: usize,
        site_packages: &str,
        listings: &mut Listings,
    ) -> Result<()> {
        let site = Path::new(site_packages);
        let requested = path.replace("/RECORD", "/REQUESTED");
        let (rows, _) = record::parse(text)?;
        for (name, row) in &rows {
            let listed = record::path_in_environment(site, Path::new(name));
            if let Some(listed) = listed.to_str() {
                let of_path = listings.entry(listed.to_owned()).or_default();
                of_path.push((number, row.clone()));
            }
        }
        // Whether a wheel is requested depends on the spec, not on the wheel.
        if listings.remove(&requested).is_some() {
            let mut rows: std::collections::BTreeMap<_, _> = rows.into_iter().collect();
            let in_site = |path: &str| path[site_packages.len() + 1..].to_owned();
            rows.remove(&in_site(&requested));
            let text = record::render(rows, &in_site(path))?;
            self.records.insert(path, text);
        }
        Ok(())
    }

    /// Returns the owner of a file or link.
    pub fn of(&self, member: &Member) -> Owner {
        let path = member.path();
        let wheels = self.wheels.get(path).or_else(|| self.of_byte_code(path));
        if let Some(numbers) = wheels {
            return Owner::Wheels(numbers.clone());
        }
        if interpreter_copy::contains(Path::new(path)) {
            Owner::Interpreter
        } else if Path::new(path).starts_with(include::DIRECTORY) {
            Owner::Application
        } else {
            Owner::Skeleton
        }
    }

    /// Returns the wheels of the source of a byte code file: `D/__pycache__/M.TAG.pyc` or `D/M.pyc`
    /// of `D/M.py` (PEP 3147).
    fn of_byte_code(&self, path: &str) -> Option<&Vec<usize>> {
        let stem = path.strip_suffix(".pyc")?;
        let (directory, mut name) = stem.rsplit_once('/')?;
        let source_directory = directory.strip_suffix("/__pycache__").unwrap_or(directory);
        // The name of a module may contain dots, as the tag may.
        loop {
            let source = format!("{source_directory}/{name}.py");
            if let Some(wheels) = self.wheels.get(&source) {
                return Some(wheels);
            }
            name = name.rsplit_once('.')?.0;
        }
    }
}

/// Returns the wheels that have a file, by the digests in their RECORD files. Of several with other
/// files, that is the one whose file is installed.
fn those_that_have(member: &Member, listings: &[(usize, Row)]) -> Vec<usize> {
    let numbers = listings.iter().map(|(number, _)| *number);
    let (Member::File { sha256, .. }, [_, _, ..]) = (member, listings) else {
        return numbers.collect();
    };
    let digest = Some(record::sha256_column(sha256.as_bytes()));
    let has_it = |(_, row): &&(usize, Row)| row.digest == digest;
    let found: Vec<usize> = listings
        .iter()
        .filter(has_it)
        .map(|(number, _)| *number)
        .collect();
    if found.is_empty() {
        numbers.collect()
    } else {
        found
    }
}

/// Returns the project whose RECORD is at a path, by the name of its `.dist-info` directory.
fn project(path: &str, site_packages: &str) -> Option<PackageName> {
    let in_site = path.strip_prefix(site_packages)?.strip_prefix('/')?;
    let name = in_site.strip_suffix(".dist-info/RECORD")?;
    let (project, _) = name.rsplit_once('-')?;
    project.parse().ok()
}
