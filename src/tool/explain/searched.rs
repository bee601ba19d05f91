//! The places where a spec was looked for, in words: each by itself for programs, and drawn
//! together for a reader.

use std::ffi::OsStr;
use std::mem::discriminant;
use std::path::Path;

use crate::spec::{Block, Finding, Probe, Probed};

/// Where a look went.
pub(super) fn place(look: &Probe) -> String {
    match &look.place {
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

/// What a look found, in a word; none for nothing.
pub(super) fn found(look: &Probe) -> Option<&'static str> {
    Some(match look.found {
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

/// The program that a block would stand in.
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

/// The places and what was found, a row each. What was found in a directory or program stands for
/// it; places of one kind with nothing in them are one row; a flag that is not given is none.
pub(super) fn summary(looks: &[Probe]) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    let mut groups = looks
        .chunk_by(|one, next| is_nothing(one) && is_nothing(next) && is_alike(one, next))
        .peekable();
    while let Some(group) = groups.next() {
        let next = groups.peek().and_then(|group| group.first());
        let is_covered = |look: &Probe| {
            is_nothing(look)
                && next.is_some_and(|next| subject(next) == subject(look) && is_alike(look, next))
        };
        let group: Vec<&Probe> = group.iter().filter(|look| !is_covered(look)).collect();
        rows.extend(row(&group));
    }
    rows
}

fn is_nothing(look: &Probe) -> bool {
    look.found == Finding::Nothing
}

/// Whether two looks went to places of one kind: partners and blocks of one program, or files on
/// the walk.
fn is_alike(one: &Probe, other: &Probe) -> bool {
    let is_walk = matches!(one.place, Probed::Walk(_));
    discriminant(&one.place) == discriminant(&other.place)
        && (is_walk || subject(one) == subject(other))
}

/// The program or directory that a look was for.
fn subject(look: &Probe) -> String {
    match &look.place {
        Probed::Partner(path) => path.with_extension("").display().to_string(),
        Probed::Block(_, file) => program(file.as_deref()),
        Probed::Walk(path) => path.parent().unwrap_or(path).display().to_string(),
        _ => place(look),
    }
}

/// The names that looks of one kind were for, or the endings of these, each once, in order:
/// `a, b or c`.
fn endings(group: &[&Probe], ending: impl Fn(&Path) -> Option<&OsStr>) -> String {
    let mut endings: Vec<String> = Vec::new();
    for look in group {
        if let Probed::Partner(path) | Probed::Walk(path) = &look.place
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

/// The row of looks of one kind.
fn row(group: &[&Probe]) -> Option<[String; 2]> {
    let (first, last) = (group.first()?, group.last()?);
    let (partners, names) = (
        endings(group, Path::extension),
        endings(group, Path::file_name),
    );
    let (from, to) = (subject(first), subject(last));
    let (place, found) = match (&first.place, first.found) {
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
            (from, "no such file; python will say so".to_owned())
        }
        (Probed::Program(_), Finding::Broken) => {
            (from, "cannot be opened; python will say so".to_owned())
        }
        (Probed::Program(_), Finding::NoFile) => (from, "no file; not looked into".to_owned()),
        (_, Finding::Nothing) => (place(first), "nothing".to_owned()),
        (_, Finding::Spec) => (place(first), "the spec".to_owned()),
        (_, Finding::Broken) => (place(first), "cannot be read".to_owned()),
        (_, Finding::NoFile) => (place(first), "no file; stepped over".to_owned()),
        (_, Finding::Stranger(user)) => (place(first), format!("user {user}'s; passed over")),
        (_, Finding::Python2) => (
            place(first),
            "for Python 2, and not for vpython3; passed over".to_owned(),
        ),
        (_, Finding::Archive) => (place(first), "a zip archive; not looked into".to_owned()),
        (_, Finding::Barrier) => (place(first), "ends the walk".to_owned()),
    };
    Some([place, found])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_what_matters() {
        let look = |place, found| Probe { place, found };
        let partner = |path: &str, found| look(Probed::Partner(path.into()), found);
        let walk = |path: &str, found| look(Probed::Walk(path.into()), found);
        let block = |block, found| look(Probed::Block(block, Some("/a/b/x.py".into())), found);
        let names = |directory: &str| {
            ["vpython.toml", ".vpython3", ".vpython"].map(|name| format!("{directory}/{name}"))
        };
        let empty = |directory: &str| names(directory).map(|path| walk(&path, Finding::Nothing));
        let flag = look(Probed::Flag(None), Finding::Nothing);
        let no_partner = [".vpython3", ".vpython"]
            .map(|suffix| partner(&format!("/a/b/x.py{suffix}"), Finding::Nothing));
        let no_block = [Block::Pep723, Block::Luci].map(|kind| block(kind, Finding::Nothing));
        let row = |place: &str, found: &str| [place.to_owned(), found.to_owned()];
        let no_partner_row = row("/a/b/x.py", "no partner file, .vpython3 or .vpython");

        let mut looks = [
            &[flag.clone()][..],
            &no_partner,
            &no_block,
            &empty("/a/b"),
            &empty("/a"),
        ]
        .concat();
        looks.push(walk("/vpython.toml", Finding::NoFile));
        looks.push(walk("/.vpython3", Finding::Spec));
        let expected = [
            no_partner_row.clone(),
            row("/a/b/x.py", "no block"),
            row("/a/b up to /a", "no vpython.toml, .vpython3 or .vpython"),
            row("/vpython.toml", "no file; stepped over"),
            row("/.vpython3", "the spec"),
        ];
        assert_eq!(summary(&looks), expected, "a walk");

        let looks = [
            &[flag.clone()][..],
            &no_partner,
            &no_block[..1],
            &[block(Block::Luci, Finding::Spec)],
        ]
        .concat();
        assert_eq!(
            summary(&looks),
            [
                no_partner_row,
                row("/a/b/x.py, [VPYTHON:BEGIN]", "the spec")
            ],
            "a block"
        );

        let looks = [
            &[flag][..],
            &[
                no_partner[0].clone(),
                partner("/a/b/x.py.vpython", Finding::Stranger(7)),
            ],
        ]
        .concat();
        assert_eq!(
            summary(&looks),
            [row("/a/b/x.py.vpython", "user 7's; passed over")],
            "a partner"
        );

        let looks = [
            walk("/a/vpython.toml", Finding::Nothing),
            walk("/a/.vpython3", Finding::Spec),
        ];
        assert_eq!(
            summary(&looks),
            [row("/a/.vpython3", "the spec")],
            "what is found in a directory stands for it"
        );
    }
}
