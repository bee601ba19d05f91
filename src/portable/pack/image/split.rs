//! The layers of an image, lowest first: interpreter, one wheel each, other wheels, skeleton,
//! included directories.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::owner::{Owner, Owners};
use super::{Contents, LAYER, SKELETON, WHEEL};
use crate::packed::manifest::ListedWheel;
use crate::packed::member::Member;
use crate::portable::pack::contents::Item;

/// A layer.
pub(super) struct Layer<'a> {
    /// What it contains, for people.
    pub title: String,
    pub annotations: Vec<(&'static str, String)>,
    /// Its members in the order of the archive, with the directories that contain them.
    pub items: Vec<Item<'a>>,
}

/// Splits an environment. The largest `count` wheels get a layer each.
pub(super) fn layers<'a>(
    contents: &'a Contents,
    owners: &'a Owners<'_>,
    count: usize,
) -> Vec<Layer<'a>> {
    let mut parts: BTreeMap<Part, Vec<&Member>> = BTreeMap::new();
    let wheels = &contents.manifest.wheels;
    let members = &contents.manifest.members;
    let is_file = |member: &&Member| !matches!(member, Member::Directory { .. });
    // The size of each wheel decides which of them get a layer.
    let mut sizes = vec![0_u64; wheels.len()];
    for member in members.iter().filter(is_file) {
        if let Owner::Wheels(numbers) = owners.of(member) {
            for number in numbers {
                sizes[number] += member.size();
            }
        }
    }
    let mut by_size: Vec<usize> = (0..wheels.len()).collect();
    by_size.sort_by_key(|number| (Reverse(sizes[*number]), *number));
    let largest: HashSet<usize> = by_size.into_iter().take(count).collect();
    for member in members.iter().filter(is_file) {
        let of_wheel = |number: usize| {
            if largest.contains(&number) {
                Part::Wheel(number)
            } else {
                Part::OtherWheels
            }
        };
        let places: BTreeSet<Part> = match owners.of(member) {
            Owner::Interpreter => [Part::Interpreter].into(),
            Owner::Wheels(numbers) => numbers.into_iter().map(of_wheel).collect(),
            Owner::Skeleton => [Part::Skeleton].into(),
            Owner::Application => [Part::Application].into(),
        };
        for part in places {
            parts.entry(part).or_default().push(member);
        }
        // The row of REQUESTED is in the skeleton's copy of RECORD, which replaces the wheel's.
        if owners.records.contains_key(member.path()) {
            parts.entry(Part::Skeleton).or_default().push(member);
        }
    }
    // A directory without files belongs to the environment.
    let used: HashSet<&str> = members
        .iter()
        .filter(is_file)
        .flat_map(|member| ancestors(member.path()))
        .collect();
    let empty = members
        .iter()
        .filter(|member| !is_file(member) && !used.contains(member.path()));
    parts.entry(Part::Skeleton).or_default().extend(empty);
    let layer = |(part, members): (Part, Vec<&'a Member>)| {
        let wheel = |number: usize| &wheels[number];
        Layer {
            title: part.title(wheel),
            annotations: part.annotations(wheel),
            items: items(contents, owners, part, &members),
        }
    };
    parts.into_iter().map(layer).collect()
}

/// Returns the members of a layer with the directories that contain them.
fn items<'a>(
    contents: &'a Contents,
    owners: &'a Owners<'_>,
    part: Part,
    members: &[&'a Member],
) -> Vec<Item<'a>> {
    let directories: HashSet<&str> = members
        .iter()
        .flat_map(|member| ancestors(member.path()))
        .collect();
    let is_above = |member: &&Member| {
        matches!(member, Member::Directory { .. }) && directories.contains(member.path())
    };
    let above = contents.manifest.members.iter().filter(is_above);
    let mut all: Vec<&Member> = above.chain(members.iter().copied()).collect();
    all.sort_by_key(|member| member.path());
    let item = |member: &'a Member| {
        let text = owners.records.get(member.path());
        match text.filter(|_| part != Part::Skeleton) {
            Some(text) => contents.text_item(member.path(), text),
            None => contents.item(member),
        }
    };
    let mut items = contents.down_to_prefix();
    // The manifest is the first file of its layer, as in other archives.
    items.extend((part == Part::Skeleton).then(|| contents.manifest_item()));
    items.extend(all.into_iter().map(item));
    items
}

/// Returns the directories that contain a path, from the top.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// A layer, in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Interpreter,
    /// The wheel with this number in the manifest.
    Wheel(usize),
    OtherWheels,
    Skeleton,
    Application,
}

impl Part {
    fn title<'a>(self, wheel: impl FnOnce(usize) -> &'a ListedWheel) -> String {
        match self {
            Self::Interpreter => "the interpreter".to_owned(),
            Self::Wheel(number) => {
                let wheel = wheel(number);
                format!("{} {}", wheel.name, wheel.version)
            }
            Self::OtherWheels => "the other wheels".to_owned(),
            Self::Skeleton => "the environment".to_owned(),
            Self::Application => "the included directories".to_owned(),
        }
    }

    fn annotations<'a>(
        self,
        wheel: impl FnOnce(usize) -> &'a ListedWheel,
    ) -> Vec<(&'static str, String)> {
        let kind = match self {
            Self::Interpreter => "interpreter",
            Self::Wheel(_) => "wheel",
            Self::OtherWheels => "wheels",
            Self::Skeleton => SKELETON,
            Self::Application => "application",
        };
        let mut annotations = vec![(LAYER, kind.to_owned())];
        if let Self::Wheel(number) = self {
            let ListedWheel {
                name,
                version,
                sha256,
                ..
            } = wheel(number);
            annotations.push((WHEEL, format!("{name} {version} sha256:{sha256}")));
        }
        annotations
    }
}
