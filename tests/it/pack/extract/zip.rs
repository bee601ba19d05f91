//! The reader of zip archives refuses those that were changed.

use std::io::{Cursor, Write};

use expect_test::expect;

use super::{extracted, refuses};
use crate::pack::{packed, world};

/// The new name and the new content of a member; `None` instead of a content leaves it as it is, and
/// instead of both removes the member.
type Change<'a> = &'a dyn Fn(&str) -> Option<(String, Option<Vec<u8>>)>;

/// Rewrites an archive with changed, removed and added members.
fn rewritten(whole: &[u8], change: Change<'_>, more: &[(&str, &str)]) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::DEFAULT.unix_permissions(0o644);
    let mut archive = zip::ZipArchive::new(Cursor::new(whole)).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let before = String::from_utf8(member.name_raw().to_vec()).unwrap();
        let Some((name, content)) = change(&before) else {
            continue;
        };
        if content.is_none() && name == before {
            writer.raw_copy_file(member).unwrap();
            continue;
        }
        let content = content.unwrap_or_else(|| {
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut member, &mut content).unwrap();
            content
        });
        writer.start_file(name, options).unwrap();
        writer.write_all(&content).unwrap();
    }
    for (name, content) in more {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_zip_that_was_changed_is_refused() {
    let world = world();
    let whole = std::fs::read(packed(&world, "app.zip")).unwrap();
    let file = world.outside("changed.zip");
    let top = "opt/app/env";
    let module = format!(
        "{top}/lib/python3.{}/site-packages/other.py",
        world.python.minor
    );
    let rewrite = |change: Change<'_>, more: &[(&str, &str)]| {
        std::fs::write(&file, rewritten(&whole, change, more)).unwrap();
    };
    let same = |name: &str| Some((name.to_owned(), None));
    // An unchanged archive is accepted.
    rewrite(&same, &[]);
    extracted(&world, &file).unwrap();
    rewrite(
        // A member is missing.
        &|name| (name != module).then(|| (name.to_owned(), None)),
        &[],
    );
    refuses(
        &world,
        &file,
        expect![
            "cannot unpack `[FILE]`: `opt/app/env/lib/[PYTHON]/site-packages/other.py` is in the pack manifest but missing"
        ],
    );
    rewrite(
        &|name| {
            Some((
                name.to_owned(),
                // A member has other content of the same length.
                (name == module).then(|| b"VERSION = '3'\n".to_vec()),
            ))
        },
        &[],
    );
    refuses(
        &world,
        &file,
        expect![
            "cannot unpack `[FILE]`: `opt/app/env/lib/[PYTHON]/site-packages/other.py` differs from what was packed: its digest is `[DIGEST]`"
        ],
    );
    rewrite(
        &|name| {
            Some((
                name.to_owned(),
                // A member is longer.
                (name == module).then(|| b"VERSION = \"3\"\n\n".to_vec()),
            ))
        },
        &[],
    );
    refuses(
        &world,
        &file,
        expect![
            "cannot unpack `[FILE]`: `opt/app/env/lib/[PYTHON]/site-packages/other.py` is 15 bytes long, but the pack manifest lists 14"
        ],
    );
    // An added member, whatever its path.
    for (name, message) in [
        (
            "more",
            expect!["cannot unpack `[FILE]`: `more` is not in the pack manifest or occurs twice"],
        ),
        (
            "../escaped",
            expect![
                "cannot unpack `[FILE]`: `../escaped` is not in the pack manifest or occurs twice"
            ],
        ),
        (
            "opt/app/env/../../../../escaped",
            expect![
                "cannot unpack `[FILE]`: `opt/app/env/../../../../escaped` is not in the pack manifest or occurs twice"
            ],
        ),
        (
            "/escaped",
            expect![
                "cannot unpack `[FILE]`: `/escaped` is not in the pack manifest or occurs twice"
            ],
        ),
        (
            "opt/app/env/more",
            expect![
                "cannot unpack `[FILE]`: `opt/app/env/more` is not in the pack manifest or occurs twice"
            ],
        ),
    ] {
        rewrite(&same, &[(name, "x")]);
        refuses(&world, &file, message);
    }
}
