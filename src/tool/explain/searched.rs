//! The places where vpython searched for a spec, as text: one by one for programs, and grouped for
//! people.

use std::ffi::OsStr;
use std::mem::discriminant;
use std::path::Path;

use crate::spec::{Block, Finding, Probe, Probed};

/// Returns the place of a probe.
pub(super) fn place(probe: &Probe) -> String {
    match &probe.place {
        Probed::Flag(None) => "-vpython-spec".to_owned(),
        Probed::Flag(Some(path)) => format!("-vpython-spec {}", path.display()),
        Probed::Variable(None) => "VPYTHON_DEFAULT_SPEC".to_owned(),
        Probed::Variable(Some(path)) => format!("VPYTHON_DEFAULT_SPEC={}", path.display()),
        Probed::Conf(conf, path) => {
            format!("default-spec of {}: {}", conf.display(), path.display())
        }
        Probed::Block(block, file) => format!("{}, {}", program(file.as_deref()), title(*block)),
        Probed::Program(path)
        | Probed::Partner(path)
        | Probed::Walk(path)
        | Probed::Barrier(path) => path.display().to_string(),
    }
}

/// Returns the result of a probe in a word or two, or `None` if it found nothing.
pub(super) fn found(probe: &Probe) -> Option<&'static str> {
    Some(match probe.found {
        Finding::Nothing => return None,
        Finding::Spec => "spec",
        Finding::Broken => "broken",
        Finding::NoFile => "no file",
        Finding::Stranger(_) => "another user's",
        Finding::Python2 => "for Python 2",
        Finding::Archive => "archive",
        Finding::Barrier => "barrier",
    })
}

/// Returns the program that may contain a block.
fn program(file: Option<&Path>) -> String {
    file.map_or_else(
        || "the text of -c".to_owned(),
        |file| file.display().to_string(),
    )
}

fn title(block: Block) -> &'static str {
    match block {
        Block::Pep723 => "# /// script",
        Block::Luci => "[VPYTHON:BEGIN]",
    }
}

/// Returns the places and the results, one row each. A result in a directory or program hides the
/// empty probes before it there. Consecutive places of one kind without a result share a row. A
/// flag that is not given has no row.
pub(super) fn summary(probes: &[Probe]) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    let mut groups = probes
        .chunk_by(|one, next| is_nothing(one) && is_nothing(next) && is_same_kind(one, next))
        .peekable();
    while let Some(group) = groups.next() {
        let next = groups.peek().and_then(|group| group.first());
        let is_covered = |probe: &Probe| {
            is_nothing(probe)
                && next.is_some_and(|next| {
                    subject(next) == subject(probe) && is_same_kind(probe, next)
                })
        };
        let group: Vec<&Probe> = group.iter().filter(|probe| !is_covered(probe)).collect();
        rows.extend(row(&group));
    }
    rows
}

fn is_nothing(probe: &Probe) -> bool {
    probe.found == Finding::Nothing
}

/// Checks whether two probes are of one kind: partner files or blocks of one program, or files of
/// the directory walk.
fn is_same_kind(one: &Probe, other: &Probe) -> bool {
    let is_walk = matches!(one.place, Probed::Walk(_));
    discriminant(&one.place) == discriminant(&other.place)
        && (is_walk || subject(one) == subject(other))
}

/// Returns the program or directory of a probe.
fn subject(probe: &Probe) -> String {
    match &probe.place {
        Probed::Partner(path) => path.with_extension("").display().to_string(),
        Probed::Block(_, file) => program(file.as_deref()),
        Probed::Walk(path) => path.parent().unwrap_or(path).display().to_string(),
        _ => place(probe),
    }
}

/// Returns the file names or extensions of probes of one kind, each once and in order, as in
/// `a, b or c`.
fn endings(group: &[&Probe], ending: impl Fn(&Path) -> Option<&OsStr>) -> String {
    let mut endings: Vec<String> = Vec::new();
    for probe in group {
        if let Probed::Partner(path) | Probed::Walk(path) = &probe.place
            && let Some(ending) = ending(path).map(|ending| ending.to_string_lossy().into_owned())
            && !endings.contains(&ending)
        {
            endings.push(ending);
        }
    }
    match endings.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => endings.concat(),
    }
}

/// Returns the row for probes of one kind.
fn row(group: &[&Probe]) -> Option<[String; 2]> {
    let (first, last) = (group.first()?, group.last()?);
    let (partners, names) = (
        endings(group, Path::extension),
        endings(group, Path::file_name),
    );
    let (from, to) = (subject(first), subject(last));
    let (place, found) = match (&first.place, first.found) {
        // Places that depend on the kind of probe.
        (Probed::Flag(None), _) => return None,
        (Probed::Variable(None), _) => (place(first), "not set".to_owned()),
        (Probed::Partner(_), Finding::Nothing) => (
            from,
            format!("no partner file, .{}", partners.replace(" or ", " or .")),
        ),
        (Probed::Block(..), Finding::Nothing) => (from, "no block".to_owned()),
        (Probed::Walk(_), Finding::Nothing) => {
            let directories = if from == to {
                from
            } else {
                format!("{from} up to {to}")
            };
            (directories, format!("no {names}"))
        }
        (Probed::Program(_), Finding::Nothing) => {
            (from, "no such file; python will report it".to_owned())
        }
        (Probed::Program(_), Finding::Broken) => {
            (from, "cannot be opened; python will report it".to_owned())
        }
        (Probed::Program(_), Finding::NoFile) => (from, "not a file; not searched".to_owned()),
        // All other probes are described by their result alone.
        (_, Finding::Nothing) => (place(first), "nothing".to_owned()),
        (_, Finding::Spec) => (place(first), "the spec".to_owned()),
        (_, Finding::Broken) => (place(first), "cannot be read".to_owned()),
        (_, Finding::NoFile) => (place(first), "not a file; skipped".to_owned()),
        (_, Finding::Stranger(user)) => (place(first), format!("owned by user {user}; skipped")),
        (_, Finding::Python2) => (
            place(first),
            "for Python 2, not for vpython3; skipped".to_owned(),
        ),
        (_, Finding::Archive) => (place(first), "a zip archive; not searched".to_owned()),
        (_, Finding::Barrier) => (place(first), "ends the search".to_owned()),
    };
    Some([place, found])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_groups_probes() {
        let probe = |place, found| Probe { place, found };
        let partner = |path: &str, found| probe(Probed::Partner(path.into()), found);
        let walk = |path: &str, found| probe(Probed::Walk(path.into()), found);
        let block = |block, found| probe(Probed::Block(block, Some("/a/b/x.py".into())), found);
        let names = |directory: &str| {
            ["vpython.toml", ".vpython3", ".vpython"].map(|name| format!("{directory}/{name}"))
        };
        let empty = |directory: &str| names(directory).map(|path| walk(&path, Finding::Nothing));
        let flag = probe(Probed::Flag(None), Finding::Nothing);
        let no_partner = [".vpython3", ".vpython"]
            .map(|suffix| partner(&format!("/a/b/x.py{suffix}"), Finding::Nothing));
        let no_block = [Block::Pep723, Block::Luci].map(|kind| block(kind, Finding::Nothing));
        let row = |place: &str, found: &str| [place.to_owned(), found.to_owned()];
        let no_partner_row = row("/a/b/x.py", "no partner file, .vpython3 or .vpython");

        let mut probes = [
            &[flag.clone()][..],
            &no_partner,
            &no_block,
            &empty("/a/b"),
            &empty("/a"),
        ]
        .concat();
        probes.push(walk("/vpython.toml", Finding::NoFile));
        probes.push(walk("/.vpython3", Finding::Spec));
        let expected = [
            no_partner_row.clone(),
            row("/a/b/x.py", "no block"),
            row("/a/b up to /a", "no vpython.toml, .vpython3 or .vpython"),
            row("/vpython.toml", "not a file; skipped"),
            row("/.vpython3", "the spec"),
        ];
        assert_eq!(summary(&probes), expected, "a walk");

        let probes = [
            &[flag.clone()][..],
            &no_partner,
            &no_block[..1],
            &[block(Block::Luci, Finding::Spec)],
        ]
        .concat();
        assert_eq!(
            summary(&probes),
            [
                no_partner_row,
                row("/a/b/x.py, [VPYTHON:BEGIN]", "the spec")
            ],
            "a block"
        );

        let probes = [
            &[flag][..],
            &[
                no_partner[0].clone(),
                partner("/a/b/x.py.vpython", Finding::Stranger(7)),
            ],
        ]
        .concat();
        assert_eq!(
            summary(&probes),
            [row("/a/b/x.py.vpython", "owned by user 7; skipped")],
            "a partner"
        );

        let probes = [
            walk("/a/vpython.toml", Finding::Nothing),
            walk("/a/.vpython3", Finding::Spec),
        ];
        assert_eq!(
            summary(&probes),
            [row("/a/.vpython3", "the spec")],
            "a result in a directory hides the empty probes before it"
        );
    }
}
