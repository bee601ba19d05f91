//! Image layouts that are damaged, incomplete, or of another user.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use expect_test::expect;
use vpython::testing::fs::Digest;

use super::{Layout, OTHER_USER, blob, module, write_script};
use crate::support::{Wheel, World};

#[test]
fn a_blob_whose_bytes_differ_from_its_digest_is_an_error() {
    let world = World::new();
    let (wheel, digest) = module("a", "2");
    let rebuilt = Wheel::module("a", "2").file("more.py", "");
    let other = Digest::of(&rebuilt.bytes()).to_string();
    let layout = Layout::of(&world, &[module("a", "1").0, wheel.clone()]);
    write_script(&world, "['oci:layout']");
    let path = layout.path_of(&wheel);
    let run = || {
        let outcome = world.vpython(["tool.py"]).run();
        outcome.replacing(&digest, "[DIGEST]")
    };
    // Not a wheel any more: found when its metadata is read.
    let bytes = wheel.bytes();
    std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    run().refuses(125, expect![[r#"
        vpython: error: cannot read `[WORLD]/work/layout/blobs/sha256/[DIGEST]` as a wheel
          caused by: its sha256 is `8632132cda0bdbb217dca422b2fef5b9621c0c77c69ca0a7b7ae808dc7da6e90`, which is not the digest in the image layout
          hint: remove the blob; then `-vpython-tool push` or `skopeo copy` writes it again
    "#]]);
    // Another build of the wheel: found when it is unpacked.
    std::fs::write(&path, rebuilt.bytes()).unwrap();
    run().replacing(&other, "[OTHER]").refuses(
        125,
        expect![[r#"
            vpython: error: cannot unpack `a-2-py3-none-any.whl`, the blob `[WORLD]/work/layout/blobs/sha256/[DIGEST]`
              caused by: it differs from its digest in the image layout
              caused by: its sha256 is [OTHER], not [DIGEST]
              hint: remove the blob; then `-vpython-tool push` or `skopeo copy` writes it again
        "#]],
    );
    let outcome = world.vpython(["-vpython-tool", "verify", "tool.py"]).run();
    let outcome = outcome.replacing(&other, "[OTHER]");
    outcome
        .replacing(&digest, "[DIGEST]")
        .refuses(125, expect![[r#"
            vpython: error: wheels in image layouts differ from their digests
              caused by: `a-2-py3-none-any.whl`, the blob `[WORLD]/work/layout/blobs/sha256/[DIGEST]`, has the sha256 `[OTHER]`
              hint: remove the blob; then `-vpython-tool push` or `skopeo copy` writes it again
        "#]]);
    std::fs::write(&path, bytes).unwrap();
    run().prints("2\n");
}

#[test]
fn a_damaged_document_is_an_error() {
    let world = World::new();
    let layout = Layout::of(&world, &[module("a", "1").0]);
    write_script(&world, "['oci:layout']");
    let digest = layout.manifests[0]["digest"].as_str().unwrap();
    let digest = digest.strip_prefix("sha256:").unwrap();
    let manifest = blob(&layout.path, digest);
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("a-1-py3", "b-1-py3")).unwrap();
    let outcome = world.vpython(["tool.py"]).run();
    outcome.replacing(digest, "[DIGEST]").refuses(
        125,
        expect![[r#"
            vpython: error: cannot read `[WORLD]/work/layout/blobs/sha256/[DIGEST]`
              caused by: it differs from its digest
              hint: copy the layout again, or write it with `-vpython-tool push`
        "#]],
    );
    std::fs::write(layout.path.join("index.json"), "{").unwrap();
    world.vpython(["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot read `index.json` in `[WORLD]/work/layout`
              caused by: EOF while parsing an object at line 1 column 1
              hint: copy the layout again, or write it with `-vpython-tool push`
        "#]],
    );
}

#[test]
fn a_missing_blob_is_named_unless_another_wheelhouse_has_the_wheel() {
    let world = World::new();
    let (wheel, digest) = module("a", "1");
    let layout = Layout::of(&world, std::slice::from_ref(&wheel));
    std::fs::remove_file(layout.path_of(&wheel)).unwrap();
    write_script(&world, "['oci:layout']");
    let outcome = world.vpython(["tool.py"]).run();
    outcome
        .replacing(&digest, "[DIGEST]")
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `oci:[WORLD]/work/layout` fits `a` (required in `[WORLD]/work/tool.py`, line 2)
              caused by: `a-1-py3-none-any.whl` cannot be used: cannot open `[WORLD]/work/layout/blobs/sha256/[DIGEST]`: No such file or directory (os error 2)
              hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
        "#]]);
    // The launch after the blob is back finds it.
    std::fs::write(layout.path_of(&wheel), wheel.bytes()).unwrap();
    world.vpython(["tool.py"]).run().prints("1\n");
    std::fs::remove_file(layout.path_of(&wheel)).unwrap();
    wheel.write_to(&world.path("plain"));
    write_script(&world, "['oci:layout', 'plain']");
    world.vpython(["tool.py"]).run().prints("1\n");
}

#[test]
fn a_layout_that_cannot_be_used_is_named_with_what_to_try() {
    let world = World::new();
    Layout::of(&world, &[]);
    std::fs::create_dir(world.path("plain")).unwrap();
    world.write("layout.tar", "");
    let launch = |name: &str| {
        write_script(&world, &format!("['{name}']"));
        world.vpython(["tool.py"]).run()
    };
    launch("oci:nowhere").refuses(125, expect![[r#"
        vpython: error: the image layout `[WORLD]/work/nowhere` does not exist
          caused by: it comes from `[WORLD]/work/tool.py`, line 4
          hint: paths in a spec are relative to the spec's own directory; `-vpython-tool push` and `skopeo copy` create one
    "#]]);
    launch("oci:plain").refuses(
        125,
        expect![[r#"
        vpython: error: cannot read the image layout `[WORLD]/work/plain`
          caused by: it contains no `oci-layout`
          hint: an image layout is what `skopeo copy … oci:DIR` writes
    "#]],
    );
    launch("oci:layout:v2").refuses(
        125,
        expect![[r#"
        vpython: error: the image layout `[WORLD]/work/layout` has no tag `v2`
          hint: it has `v1`
    "#]],
    );
    launch("oci:layout.tar").refuses(125, expect![[r#"
        vpython: error: cannot use `[WORLD]/work/layout.tar` as a wheelhouse
          caused by: it is not a directory: vpython reads wheels from an image layout that is unpacked
          hint: unpack it: `mkdir DIR && tar -xf [WORLD]/work/layout.tar -C DIR`, or `skopeo copy oci-archive:[WORLD]/work/layout.tar oci:DIR`
    "#]]);
    launch("oci:layout").refuses(125, expect![[r#"
        vpython: error: no wheel in `oci:[WORLD]/work/layout` fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
    launch("oci://h/").refuses(125, expect![[r#"
        vpython: error: bad spec in `[WORLD]/work/tool.py`
          caused by: `[WORLD]/work/tool.py`, line 4, column 13: `oci://h/` is not a wheelhouse: `` is not a repository: its names consist of lower-case letters, digits and single `.`, `_` and `-`
    "#]]);
    launch("oci://localhost:1/team/wheels").refuses(125, expect![[r#"
        vpython: error: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          caused by: no wheel directory is configured, and a launch asks `oci://localhost:1/team/wheels` only if it may fetch
          hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
    launch("https://localhost:1/wheels").refuses(125, expect![[r#"
        vpython: error: bad spec in `[WORLD]/work/tool.py`
          caused by: `[WORLD]/work/tool.py`, line 4, column 13: `https://localhost:1/wheels` is not a wheelhouse: it contains no `{sha256}`, which is replaced by the digest of a wheel
    "#]]);
    launch("https://localhost:1/{sha256}").refuses(125, expect![[r#"
        vpython: error: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          caused by: no wheel directory is configured, and a launch asks `https://localhost:1/{sha256}` only if it may fetch
          hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
    let launch = world.vpython(["-vpython-wheels=oci:nowhere:v1", "tool.py"]);
    launch.run().refuses(
        125,
        expect![[r#"
        vpython: error: the image layout `[WORLD]/work/nowhere` does not exist
          caused by: it comes from `-vpython-wheels`
    "#]],
    );
    let launch = world.vpython(["tool.py"]);
    launch.env("VPYTHON_WHEELS", "oci:").run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use the wheelhouse `oci:`
              caused by: it names no directory
              caused by: it comes from `VPYTHON_WHEELS`
        "#]],
    );
}

#[test]
fn a_layout_of_another_user_where_all_can_write_is_skipped() {
    let world = World::new();
    let (wheel, digest) = module("a", "1");
    let layout = Layout::new(world.path("open/layout"));
    if chown(&layout.path, Some(OTHER_USER), None).is_err() {
        not_tested!("only the superuser can give a file to another user");
        return;
    }
    chown(&layout.path, Some(0), None).unwrap();
    drop(layout);
    let set_mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write_script(&world, "['oci:open/layout']");
    let run = || {
        world
            .vpython(["tool.py"])
            .run()
            .replacing(&digest, "[DIGEST]")
    };
    let replant = |mode: u32, theirs: &str| {
        let _ = std::fs::remove_dir_all(world.path("open"));
        let mut layout = Layout::new(world.path("open/layout"));
        layout.tag("v1", std::slice::from_ref(&wheel));
        set_mode(&layout.path, mode);
        set_mode(&layout.path.join("blobs"), mode);
        set_mode(&layout.path.join("blobs/sha256"), mode);
        chown(layout.path.join(theirs), Some(OTHER_USER), None).unwrap();
    };
    let of_blob = format!("blobs/sha256/{digest}");
    let files = ["index.json", "blobs", "blobs/sha256", &of_blob];
    for theirs in files {
        // Nobody else can write there.
        replant(0o755, theirs);
        run().prints("1\n");
        for mode in [0o1777, 0o775] {
            replant(mode, theirs);
            let outcome = run();
            assert_eq!(outcome.code, Some(125), "{theirs} {mode:o}: {outcome}");
            assert!(outcome.stderr.contains("`a-1-py3-none-any.whl` belongs to user 54321, and other users can write to its directory"), "{theirs} {mode:o}: {outcome}");
        }
    }
    run().refuses(125, expect![[r#"
        vpython: error: no wheel in `oci:[WORLD]/work/open/layout` fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          caused by: `a-1-py3-none-any.whl` belongs to user 54321, and other users can write to its directory
          hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
    // A digest that the spec pins makes the owner irrelevant.
    world.write("requirements.txt", format!("a==1 --hash=sha256:{digest}\n"));
    replant(0o1777, "index.json");
    let pinned = world.vpython([
        "-vpython-spec",
        "requirements.txt",
        "-c",
        "import a; print(a.VERSION)",
    ]);
    let outcome = pinned.env("VPYTHON_WHEELS", "oci:open/layout").run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(0), "1\n"),
        "{outcome}"
    );
    // The whole layout was planted.
    replant(0o755, "");
    set_mode(&world.path("open"), 0o1777);
    run().refuses(125, expect![[r#"
        vpython: warning: the image layout `[WORLD]/work/open/layout` is skipped: `[WORLD]/work/open/layout` belongs to user 54321, and every user can write to `[WORLD]/work/open`
        vpython: error: no wheel fits `a` (required in `[WORLD]/work/tool.py`, line 2)
          caused by: no wheel directory is configured, and there is no `wheels` next to the spec
          hint: create and fill one: `vpython -vpython-tool fetch tool.py`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
    let link = world.path("link");
    symlink(world.path("open/layout"), &link).unwrap();
}
