//! The reader of archives accepts what `pack` has written, and nothing else.

mod zip;

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use tar::{Archive, Builder, EntryType, Header};
use vpython::testing::portable::extract;

use super::{files, is_alive, listing, packed, world};
use crate::support::{Expected, World};

/// Extracts into a new directory.
fn extracted(world: &World, file: &Path) -> anyhow::Result<PathBuf> {
    let directory = world.outside("extracted");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir(&directory).unwrap();
    extract(file, &directory).map(|_| directory)
}

/// Replaces digests, which depend on the interpreter.
fn redact_digests(text: &str) -> String {
    let is_digest =
        |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = text
        .split('`')
        .map(|part| if is_digest(part) { "[DIGEST]" } else { part })
        .collect();
    parts.join("`")
}

/// Checks that the archive is refused with this message.
#[track_caller]
fn refuses(world: &World, file: &Path, message: impl Expected) {
    let error = extracted(world, file).unwrap_err();
    let said = vpython::testing::report::one_line(&error);
    let said = said.replace(file.to_str().unwrap(), "[FILE]");
    // A column in a whole manifest depends on the interpreter.
    let said = match said.rsplit_once(" column ") {
        Some((text, column)) if column.len() > 3 => format!("{text} column [COLUMN]"),
        _ => said,
    };
    let version = format!("python3.{}/", world.python.minor);
    message.check(&redact_digests(
        &world.redact(&said).replace(&version, "[PYTHON]/"),
    ));
    assert!(!world.outside("escaped").exists() && !world.path("escaped").exists());
}

#[test]
fn unpacking_gives_what_was_packed() {
    let world = world();
    for name in ["app.tar", "app.tar.gz", "app.tar.zst", "app.zip"] {
        let file = packed(&world, name);
        // The format is detected by the content.
        let renamed = world.outside("download");
        std::fs::copy(&file, &renamed).unwrap();
        let directory = extracted(&world, &renamed).unwrap();
        is_alive(&directory);
        let known = extract(&file, &{
            let other = world.outside(&format!("other {name}"));
            std::fs::create_dir(&other).unwrap();
            other
        })
        .unwrap();
        assert_eq!(
            known
                .wheels
                .iter()
                .map(|wheel| &*wheel.file_name)
                .collect::<Vec<_>>(),
            ["other-2-py3-none-any.whl", "some-1-py3-none-any.whl"]
        );
        assert!(
            !directory.join("vpython-pack.json").exists(),
            "the manifest is returned, and not a file of the environment"
        );
        let mut listed: Vec<&str> = known
            .members
            .iter()
            .map(vpython::testing::portable::Member::path)
            .collect();
        listed.retain(|path| !directory.join(path).is_dir() || directory.join(path).is_symlink());
        assert_eq!(files(&directory), listed);
    }
}

/// A member of a test archive.
#[derive(Clone)]
struct Member {
    header: Header,
    name: String,
    content: Vec<u8>,
}

/// The members of an archive.
fn members(file: &Path) -> Vec<Member> {
    let mut archive = Archive::new(std::fs::File::open(file).unwrap());
    let member = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        Member {
            header: entry.header().clone(),
            name,
            content,
        }
    };
    archive.entries().unwrap().map(member).collect()
}

/// Writes an archive.
fn write(file: &Path, members: &[Member]) {
    let mut builder = Builder::new(Vec::new());
    for Member {
        header,
        name,
        content,
    } in members
    {
        let mut header = header.clone();
        let field = &mut header.as_old_mut().name;
        field.fill(0);
        let length = name.len().min(100);
        field[..length].copy_from_slice(&name.as_bytes()[..length]);
        if name.len() > 100 {
            builder
                .append(&long(name), &[name.as_bytes(), b"\0"].concat()[..])
                .unwrap();
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, &content[..]).unwrap();
    }
    std::fs::write(file, builder.into_inner().unwrap()).unwrap();
}

fn long(name: &str) -> Header {
    let mut header = Header::new_gnu();
    header.set_path("././@LongLink").unwrap();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(name.len() as u64 + 1);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// A new member, listed in the manifest or not.
fn member(name: &str, kind: EntryType, content: &str) -> Member {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    if kind == EntryType::Symlink || kind == EntryType::Link {
        header.set_link_name(content).unwrap();
    }
    let content = if kind == EntryType::Regular {
        content.into()
    } else {
        Vec::new()
    };
    Member {
        header,
        name: name.into(),
        content,
    }
}

#[test]
fn an_archive_that_was_changed_is_refused() {
    let world = world();
    let whole = members(&packed(&world, "app.tar"));
    let file = world.outside("changed.tar");
    write(&file, &whole);
    extracted(&world, &file).unwrap();
    let at = |name: &str| whole.iter().position(|member| member.name == name).unwrap();
    let module = format!("lib/python3.{}/site-packages/other.py", world.python.minor);
    let deep = format!(
        "lib/python3.{}/site-packages/{}",
        world.python.minor,
        super::DEEP
    );
    let up = member("../escaped", EntryType::Regular, "x");
    let absolute = member(
        world.outside("escaped").to_str().unwrap(),
        EntryType::Regular,
        "x",
    );
    #[rustfmt::skip]
    let rows: Vec<(Box<dyn Fn(&mut Vec<Member>)>, Expect)> = vec![
        (Box::new(|all| drop(all.remove(at("bin/")))), expect!["cannot unpack `[FILE]`: `bin` is in the pack manifest but missing"]),
        (Box::new(|all| drop(all.remove(at(&module)))), expect!["cannot unpack `[FILE]`: `lib/[PYTHON]/site-packages/other.py` is in the pack manifest but missing"]),
        (Box::new(|all| all.truncate(1)), expect!["cannot unpack `[FILE]`: `bin` is in the pack manifest but missing"]),
        (Box::new(|all| drop(all.remove(0))), expect!["cannot unpack `[FILE]`: its first member `bin/` is not a file"]),
        (Box::new(|all| all.push(member("more", EntryType::Regular, "x"))), expect!["cannot unpack `[FILE]`: `more` is not in the pack manifest or occurs twice"]),
        (Box::new(|all| all.push(all[0].clone())), expect!["cannot unpack `[FILE]`: `vpython-pack.json` is not in the pack manifest or occurs twice"]),
        (Box::new(|all| all.push(all[at(&module)].clone())), expect!["cannot unpack `[FILE]`: `lib/[PYTHON]/site-packages/other.py` is not in the pack manifest or occurs twice"]),
        (Box::new(|all| all[at(&module)].content[0] = b'x'), expect!["cannot unpack `[FILE]`: `lib/[PYTHON]/site-packages/other.py` differs from what was packed: its digest is `[DIGEST]`"]),
        (Box::new(|all| all[at(&module)].content.push(b'x')), expect!["cannot unpack `[FILE]`: `lib/[PYTHON]/site-packages/other.py` is 15 bytes long, but the pack manifest lists 14"]),
        (Box::new(|all| all[at(&module)].header.set_mode(0o4755)), expect!["cannot unpack `[FILE]`: `lib/[PYTHON]/site-packages/other.py` has the mode 4755, but the pack manifest lists 0644"]),
        (Box::new(|all| all[at(&deep)].content.clear()), expect!["cannot unpack `[FILE]`: `lib/[PYTHON]/site-packages/some/a_directory_with_a_name_that_is_rather_long/another_directory_with_a_name_that_is_even_longer_than_that/deep.py` is 0 bytes long, but the pack manifest lists 6"]),
        (Box::new(|all| all[at("bin/python")] = member("bin/python", EntryType::Symlink, "/bin/sh")), expect!["cannot unpack `[FILE]`: `bin/python` is a link to `/bin/sh`, but the pack manifest lists `python3`"]),
        (Box::new(|all| all[at("bin/python")] = member("bin/python", EntryType::Regular, "x")), expect!["cannot unpack `[FILE]`: `bin/python` is not of the kind that the pack manifest lists"]),
        (Box::new(|all| all[at("bin/python")] = member("bin/python", EntryType::Link, "bin/python3")), expect!["cannot unpack `[FILE]`: `bin/python` is not a file, directory or symbolic link, but of the type `1`"]),
        (Box::new(|all| all.insert(1, member("bin", EntryType::Symlink, ".."))), expect!["cannot unpack `[FILE]`: `bin` is not of the kind that the pack manifest lists"]),
        (Box::new(|all| all.push(member("device", EntryType::Char, ""))), expect!["cannot unpack `[FILE]`: `device` is not a file, directory or symbolic link, but of the type `3`"]),
        (Box::new(move |all| all.push(up.clone())), expect!["cannot unpack `[FILE]`: `../escaped` is not in the pack manifest or occurs twice"]),
        (Box::new(move |all| all.push(absolute.clone())), expect!["cannot unpack `[FILE]`: `[WORLD]/escaped` is not in the pack manifest or occurs twice"]),
        (Box::new(|all| all[0].content = b"{}".to_vec()), expect!["cannot unpack `[FILE]`: cannot read the pack manifest: missing field `version` at line 1 column 2"]),
        (Box::new(|all| all[0].content = br#"{"version": 2}"#.to_vec()), expect!["cannot unpack `[FILE]`: cannot read the pack manifest: its format version is 2, but this vpython reads version 1"]),
        (Box::new(|all| all[0].name = "x/vpython-pack.json".into()), expect!["cannot unpack `[FILE]`: its first member is `x/vpython-pack.json`, which does not match its prefix"]),
    ];
    for (change, message) in &rows {
        let mut changed = whole.clone();
        change(&mut changed);
        write(&file, &changed);
        refuses(&world, &file, message);
    }
}

#[test]
fn an_invalid_manifest_is_refused() {
    let world = world();
    let mut whole = members(&packed(&world, "app.tar"));
    let file = world.outside("changed.tar");
    let extracted = extracted(&world, &world.path("app.tar")).unwrap();
    drop(extracted);
    let listed: serde_json::Value = serde_json::from_slice(&whole[0].content).unwrap();
    let digest = vpython::testing::fs::Digest::of(b"x").to_string();
    let rows = [
        (
            serde_json::json!({"kind": "file", "path": "../escaped", "mode": "0644", "size": 1, "sha256": digest}),
            expect![
                "cannot unpack `[FILE]`: cannot read the pack manifest: `../escaped` cannot be the path of a member"
            ],
        ),
        (
            serde_json::json!({"kind": "file", "path": "/escaped", "mode": "0644", "size": 1, "sha256": digest}),
            expect![
                "cannot unpack `[FILE]`: cannot read the pack manifest: `/escaped` cannot be the path of a member"
            ],
        ),
        (
            serde_json::json!({"kind": "file", "path": "zzz", "mode": "4755", "size": 1, "sha256": digest}),
            expect![
                "cannot unpack `[FILE]`: cannot read the pack manifest: unknown variant `4755`, expected `0644` or `0755` at line 1 column [COLUMN]"
            ],
        ),
        (
            serde_json::json!({"kind": "link", "path": "zzz", "target": "../escaped"}),
            expect![
                "cannot unpack `[FILE]`: cannot read the pack manifest: `zzz` is a link to `../escaped`, outside the environment"
            ],
        ),
        (
            serde_json::json!({"kind": "file", "path": "lib64/escaped", "mode": "0644", "size": 1, "sha256": digest}),
            expect![
                "cannot unpack `[FILE]`: cannot read the pack manifest: `lib64/escaped` is not in a listed directory"
            ],
        ),
    ];
    for (member, message) in rows {
        let mut changed = listed.clone();
        let members = changed["members"].as_array_mut().unwrap();
        let place = members
            .iter()
            .position(|other| other["path"].as_str() > member["path"].as_str())
            .unwrap_or(members.len());
        members.insert(place, member);
        whole[0].content = serde_json::to_vec(&changed).unwrap();
        write(&file, &whole);
        refuses(&world, &file, message);
    }
}

#[test]
fn a_truncated_or_foreign_file_is_refused() {
    let world = world();
    for name in ["app.tar", "app.tar.gz", "app.tar.zst", "app.zip"] {
        let file = packed(&world, name);
        let whole = std::fs::read(&file).unwrap();
        let cut = world.outside(name);
        for length in [0, 10, 600, whole.len() / 2, whole.len() - 2000] {
            std::fs::write(&cut, &whole[..length]).unwrap();
            assert!(extracted(&world, &cut).is_err(), "{name}, {length}");
        }
        let mut changed = whole.clone();
        let middle = whole.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&cut, &changed).unwrap();
        assert!(extracted(&world, &cut).is_err(), "{name}, a bit");
        if name.starts_with("app.tar.") {
            std::fs::write(&cut, &whole[..whole.len() - 3]).unwrap();
            assert!(extracted(&world, &cut).is_err(), "{name}, the checksum");
        }
    }
    let other = world.outside("other");
    for (content, message) in [
        (
            &b"hello"[..],
            expect!["cannot unpack `[FILE]`: it is not a tar or zip archive"],
        ),
        (b"!<arch>\n", expect!["cannot unpack `[FILE]`: it is a deb"]),
        (
            b"\xed\xab\xee\xdb",
            expect!["cannot unpack `[FILE]`: it is an rpm"],
        ),
    ] {
        std::fs::write(&other, content).unwrap();
        refuses(&world, &other, message);
    }
}

#[test]
fn the_manifest_names_what_is_needed() {
    let world = world();
    packed(&world, "app.tar");
    let directory = world.outside("listed");
    std::fs::create_dir(&directory).unwrap();
    super::output(
        "tar",
        &[
            "-C",
            directory.to_str().unwrap(),
            "-xf",
            world.path("app.tar").to_str().unwrap(),
        ],
    );
    let listing = listing(&directory);
    assert_eq!(listing["interpreter"].as_str(), world.python.path.to_str());
    assert_eq!(listing["python"].as_str(), Some(&*world.python.version));
    assert!(
        listing["prefix"].is_null() && listing.get("name").is_none() && listing["version"] == 1
    );
    assert_eq!(listing["key"].as_str().unwrap().len(), 40);
}
