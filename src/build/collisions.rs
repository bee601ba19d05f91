//! Wheels that have different files for the same path: the choice of the installed one, and the
//! warning.
//!
//! pip and uv install such wheels over each other. vpython defines the order from the wheels alone:
//! a wheel is installed after those that it requires, for any extra or marker, and otherwise in
//! reverse order of project names, as pip does. The wheel that is installed last wins.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::Result;
use pep508_rs::PackageName;

use super::unpacked::UnpackedWheel;
use crate::fs::{self, Digest};
use crate::report::Failure;
use crate::wheel::requires_dist;
use crate::wheel::scheme::Scheme;

/// The number of paths that a warning names.
const NAMED: usize = 3;

/// A path for which two wheels have different files.
#[derive(Debug)]
pub(super) struct Collision<'a> {
    /// The path, relative to the environment.
    pub place: String,
    /// The wheel whose file is not installed.
    pub loser: &'a UnpackedWheel,
    /// The wheel whose file is installed.
    pub winner: &'a UnpackedWheel,
}

impl Collision<'_> {
    /// Returns the error for `strict`.
    pub fn refusal(&self) -> Failure {
        let (loser, winner) = (title(self.loser), title(self.winner));
        Failure::new(format!("`{loser}` and `{winner}` have different files for `{}`, and `strict` is set", self.place))
            .hint("remove one of them, or `strict`; without `strict`, the wheel that is installed last wins")
    }

    /// Returns whether a program can notice the collision: the file is a module or a script.
    fn matters(&self) -> bool {
        if self.place.starts_with("bin/") {
            return true;
        }
        let extension = Path::new(&self.place).extension().unwrap_or_default();
        let is_module = ["py", "so", "pth"].iter().any(|known| extension == *known);
        let is_test = self
            .place
            .split('/')
            .any(|name| matches!(name, "test" | "tests"));
        is_module && !is_test
    }
}

/// Returns one warning for each pair of wheels that collide in modules or scripts.
pub(super) fn warnings(collisions: &[Collision]) -> Vec<String> {
    let mut pairs: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    // One sentence names all files that a pair of wheels has in common.
    for collision in collisions.iter().filter(|collision| collision.matters()) {
        pairs
            .entry((title(collision.loser), title(collision.winner)))
            .or_default()
            .insert(&collision.place);
    }
    let warning = |((loser, winner), places): ((String, String), BTreeSet<&str>)| {
        let named: Vec<String> = places
            .iter()
            .take(NAMED)
            .map(|place| format!("`{place}`"))
            .collect();
        let more = match places.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "`{loser}` and `{winner}` both contain {}{more}; the files of `{winner}` are used",
            named.join(", ")
        )
    };
    pairs.into_iter().map(warning).collect()
}

/// Returns project and version of a wheel, as its `.dist-info` directory spells them.
fn title(wheel: &UnpackedWheel) -> String {
    wheel
        .contents
        .dist_info
        .trim_end_matches(".dist-info")
        .replacen('-', " ", 1)
}

/// Reads the METADATA of a wheel.
pub(super) type ReadMetadata<'a> = &'a dyn Fn(&UnpackedWheel) -> Result<Vec<u8>>;

/// Reads the METADATA of an unpacked wheel.
pub(super) fn unpacked_metadata(wheel: &UnpackedWheel) -> Result<Vec<u8>> {
    let path = wheel
        .directory
        .join(Scheme::Site.directory())
        .join(&wheel.contents.dist_info)
        .join("METADATA");
    fs::read_text(&path, fs::limits::METADATA)
}

/// Returns the install order of wheels: the reverse of the given order, but each wheel after those
/// that it requires, unless these require it in turn.
///
/// # Errors
/// The METADATA of a wheel cannot be read.
pub(super) fn install_order(
    wheels: &[UnpackedWheel],
    metadata: ReadMetadata,
) -> Result<Vec<Digest>> {
    let positions: HashMap<PackageName, usize> = wheels
        .iter()
        .enumerate()
        .filter_map(|(position, wheel)| Some((project(&wheel.contents.distribution)?, position)))
        .collect();
    let mut requires = Vec::with_capacity(wheels.len());
    for wheel in wheels {
        // Whatever the extra and marker.
        let written = requires_dist(&metadata(wheel)?);
        requires.push(
            written
                .iter()
                .filter_map(|text| positions.get(&project(text)?).copied())
                .collect::<BTreeSet<usize>>(),
        );
    }
    let order = dependencies_first(&requires);
    Ok(order
        .into_iter()
        .map(|index| wheels[index].sha256)
        .collect())
}

/// Returns the indexes of `requires` in reverse order, each after those that it requires. It does
/// not recurse, since a chain of requirements can have any length.
fn dependencies_first(requires: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(requires.len());
    let mut is_seen = vec![false; requires.len()];
    for start in (0..requires.len()).rev() {
        if std::mem::replace(&mut is_seen[start], true) {
            continue;
        }
        // The path from `start`, with the requirements of each wheel that are still to be visited.
        let mut path = vec![(start, requires[start].iter().rev())];
        while let Some((index, rest)) = path.last_mut() {
            match rest.next() {
                Some(next) if !is_seen[*next] => {
                    is_seen[*next] = true;
                    path.push((*next, requires[*next].iter().rev()));
                }
                Some(_) => {}
                // Everything that it requires precedes it now.
                None => {
                    order.push(*index);
                    path.pop();
                }
            }
        }
    }
    order
}

/// Returns the project name at the beginning of a requirement.
fn project(requirement: &str) -> Option<PackageName> {
    let is_name =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let requirement = requirement.trim_start();
    let end = requirement
        .find(|character| !is_name(character))
        .unwrap_or(requirement.len());
    (end > 0).then(|| requirement[..end].parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_come_first_and_cycles_end() {
        let rows: [(&[&[usize]], &[usize], &str); 5] = [
            (
                &[&[], &[]],
                &[1, 0],
                "nothing required: from the last name to the first",
            ),
            (
                &[&[], &[0]],
                &[0, 1],
                "a wheel comes after what it requires",
            ),
            (&[&[], &[0], &[1]], &[0, 1, 2], "also through others"),
            (
                &[&[1], &[0]],
                &[0, 1],
                "in a cycle, the last one comes last",
            ),
            (&[&[0]], &[0], "a wheel may require itself, for an extra"),
        ];
        for (requires, expected, why) in rows {
            let requires: Vec<BTreeSet<usize>> = requires
                .iter()
                .map(|set| set.iter().copied().collect())
                .collect();
            assert_eq!(dependencies_first(&requires), expected, "{why}");
        }
        let chain: Vec<BTreeSet<usize>> = (0..200_000)
            .map(|index| BTreeSet::from([(index + 1) % 200_000]))
            .collect();
        assert_eq!(
            dependencies_first(&chain).len(),
            200_000,
            "a long chain does not overflow the stack"
        );
    }

    #[test]
    fn a_requirement_begins_with_its_project() {
        for (requirement, expected) in [
            ("A.b_c>=1", "a-b-c"),
            ("x [y] ; z", "x"),
            (" x", "x"),
            ("x(>1)", "x"),
        ] {
            assert_eq!(project(requirement).unwrap().to_string(), expected);
        }
        assert_eq!(project(">=1"), None);
    }
}
