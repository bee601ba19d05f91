//! Tests of [`Index`] with answers from a table: which requests it makes, and what it makes of the
//! answers. `tests/it` has the same with a server.

mod cached;
mod listings;
mod metadata;
mod served;
mod table;

use super::project::{Hashes, Sidecar};

use super::*;
use crate::spec::IndexUrl;
use table::{Answer, Table, html};

/// Settings with these indexes and pages of links.
fn settings(indexes: &[&str], links: &[&str]) -> IndexSettings {
    let url = |url: &&str| IndexUrl::parse(url).unwrap();
    let index = |text: &&str| ConfiguredIndex {
        url: url(text),
        name: None,
        by: NamedBy::Option("--index-url"),
        ignored_statuses: Vec::new(),
    };
    let links = links.iter().map(|text| Named {
        value: url(text),
        by: NamedBy::Variable("PIP_FIND_LINKS".into()),
    });
    IndexSettings {
        indexes: indexes.iter().map(index).collect(),
        find_links: links.collect(),
        ..IndexSettings::default()
    }
}

fn name(name: &str) -> PackageName {
    name.parse().unwrap()
}

fn names(listing: &Listing) -> Vec<&str> {
    let wheels = listing.project.wheels.iter();
    wheels.map(|file| file.file_name.as_str()).collect()
}

const A: &str = "https://one.example/simple/a/";
const WHEEL: &str = "a-1-py3-none-any.whl";
