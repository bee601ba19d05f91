//! Whole images: read for a platform, and sent with their blobs.

use expect_test::expect;

use super::super::super::Content;
use super::super::super::registry::{BlobSource, BlobToPush, Sent};
use super::super::oci_registry::OciRegistry;
use super::*;
use crate::oci::{Descriptor, ImageIndex, Layout, Manifest, NewLayout, Platform, media_type};

/// An image layout with an image of three layers, and its blobs.
fn layout(directory: &Path) -> (Manifest, Vec<BlobToPush<'static>>) {
    let layout = NewLayout::begin(directory).unwrap();
    let blobs = ["{}", "one", "two", "three", "two"];
    let mut blobs = blobs.map(|text| layout.add(media_type::LAYER, text.as_bytes()).unwrap());
    blobs[0].media_type = media_type::CONFIG.to_owned();
    let to_push = blobs.iter().map(|descriptor| BlobToPush {
        descriptor: descriptor.clone(),
        source: BlobSource::File(layout.blob_path(&descriptor.digest)),
    });
    let to_push = to_push.collect();
    let manifest = Manifest::new(blobs[0].clone(), blobs[1..].to_vec());
    (manifest, to_push)
}

#[test]
fn an_image_is_sent_once_and_read_for_a_platform() {
    let kept = OciRegistry::start(|_| None);
    let server = &kept.server;
    let client = shared(&[]);
    let registry = repository(&client, server);
    let directory = tempfile::tempdir().unwrap();
    let (manifest, blobs) = layout(directory.path());
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let push = || {
        let manifest = (media_type::MANIFEST, &*bytes);
        registry.push_image(&[tag("1")], manifest, &blobs).unwrap()
    };
    let sent = push();
    assert_eq!(sent.manifest, Digest::of(&bytes));
    assert_eq!((sent.blobs, sent.bytes), (4, 13));
    // Four different blobs and a manifest. The second time, only the manifest.
    assert_eq!(kept.paths("PUT").len(), 5);
    assert_eq!(
        push(),
        Sent {
            blobs: 0,
            bytes: 0,
            ..sent
        }
    );
    assert_eq!(kept.paths("PUT").len(), 6);
    assert_eq!(server.paths().last().unwrap(), "/v2/team/app/manifests/1");
    // A list of manifests leads to that of the platform.
    let platform = Platform::linux("x86_64");
    let mut listed = Descriptor::of(media_type::MANIFEST, &bytes);
    listed.platform = Some(platform.clone());
    let list = serde_json::to_vec(&ImageIndex::new(vec![listed.clone()])).unwrap();
    registry
        .put_manifest(&tag("list"), media_type::INDEX, &list)
        .unwrap();
    for name in ["1", "list"] {
        let (image, read) = registry.image(&tag(name), &platform).unwrap();
        assert_eq!((&image.manifest, &read), (&manifest, &bytes));
        assert_eq!(image.descriptor.digest, listed.digest);
    }
    let other = registry.image(&tag("list"), &Platform::linux("s390x"));
    let absent = registry.image(&tag("2"), &platform);
    let errors = [other, absent].map(|it| text_of(&it.unwrap_err(), server));
    expect![[r#"
        vpython: error: cannot read tag `list` of `SERVER/team/app`
          caused by: it has no image for linux on s390x
        vpython: error: the registry `SERVER` has no tag `2` in `team/app`
          hint: check the repository name and the tag
    "#]]
    .assert_eq(&errors.concat());
    // The layers arrive in a layout.
    let pulled = tempfile::tempdir().unwrap();
    let layout = NewLayout::begin(pulled.path()).unwrap();
    registry.pull_blobs(&manifest.layers, &layout).unwrap();
    let added = layout.add(media_type::MANIFEST, &bytes).unwrap();
    layout.finish(added, "latest").unwrap();
    let layout = Layout::open(pulled.path()).unwrap();
    for layer in &manifest.layers {
        assert_eq!(
            layout.document(layer).unwrap(),
            registry.document(layer).unwrap()
        );
    }
}

#[test]
fn a_manifest_is_sent_only_after_all_blobs() {
    let kept = OciRegistry::start(|request| {
        let is_refused = request.path.contains("/blobs/uploads/1");
        is_refused.then(|| refusal(400, "REFUSED", "not this one"))
    });
    let server = &kept.server;
    let client = shared(&[]);
    let directory = tempfile::tempdir().unwrap();
    let (manifest, blobs) = layout(directory.path());
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let manifest = (media_type::MANIFEST, &*bytes);
    let error = repository(&client, server)
        .push_image(&[tag("1")], manifest, &blobs)
        .unwrap_err();
    let text = text_of(&error, server);
    assert!(
        text.contains("400 Bad Request (`REFUSED: not this one`)"),
        "{text}"
    );
    assert!(
        server
            .paths()
            .iter()
            .all(|path| !path.contains("manifests"))
    );
}

#[test]
fn a_blob_of_another_repository_is_mounted_or_copied() {
    let (here, there) = (OciRegistry::start(|_| None), OciRegistry::start(|_| None));
    let (server, other) = (&here.server, &there.server);
    let client = shared(&[]);
    let registry = repository(&client, server);
    let named = |server: &HttpServer, name: &str| {
        Registry::new(&client, &reference(&server.address().to_string(), name)).unwrap()
    };
    let (base, elsewhere) = (named(server, "team/base"), named(other, "team/base"));
    for (registry, text) in [(&base, "one"), (&elsewhere, "three")] {
        let content = Content::of_bytes(text.as_bytes());
        let digest = Digest::of(text.as_bytes());
        registry.upload_blob(&digest, &content, None).unwrap();
    }
    let before = server.received().len();
    for (from, text) in [(&base, "one"), (&elsewhere, "three")] {
        let blob = BlobToPush {
            descriptor: Descriptor::of(media_type::LAYER, text.as_bytes()),
            source: BlobSource::Repository(from),
        };
        registry
            .push_image(&[tag("1")], (media_type::MANIFEST, b"{}"), &[blob])
            .unwrap();
    }
    let expected = [
        "HEAD REPO/blobs/DIGEST",
        "POST REPO/blobs/uploads/?mount=DIGEST&from=team%2Fbase",
        "PUT REPO/manifests/1",
        "HEAD REPO/blobs/DIGEST",
        "HEAD REPO/blobs/DIGEST",
        "POST REPO/blobs/uploads/",
        "PUT REPO/blobs/uploads/1?digest=DIGEST",
        "PUT REPO/manifests/1",
    ];
    assert_eq!(requests(server)[before..], expected);
    assert_eq!(
        requests(other).last().unwrap(),
        "GET /v2/team/base/blobs/DIGEST"
    );
}
