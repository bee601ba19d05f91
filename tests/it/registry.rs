//! The client of registries against Debian's `docker-registry`, with `skopeo` as the witness of what
//! it stores.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vpython::testing::fs::Digest;
use vpython::testing::oci::{RegistryReference, Version};
use vpython::testing::process::Process;
use vpython::testing::remote::registry::{Pushed, Registry};
use vpython::testing::remote::{Client, Content, Range, Settings};
use vpython::testing::report;

/// `me:geheim`, as `htpasswd -nbB` writes it.
const PASSWORDS: &str = "me:$2y$04$kdzKA.BYhLE7J3M47604fuTMI5P4uBRNGWCxPan0JaRDkjPHQ1dRS\n";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A running registry, which keeps its blobs in a directory.
struct Server {
    child: Child,
    address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Server {
    /// Starts a registry, which may require a login. None if the program is not installed.
    fn start(requires_login: bool) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let (path, passwords) = (directory.path(), directory.path().join("htpasswd"));
        fs::write(&passwords, PASSWORDS).unwrap();
        // The port is free again when the listener is dropped.
        let address = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = address.local_addr().unwrap();
        let mut settings = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n",
            path.join("data").display()
        );
        if requires_login {
            let passwords = passwords.display();
            writeln!(
                settings,
                "auth: {{htpasswd: {{realm: x, path: {passwords}}}}}"
            )
            .unwrap();
        }
        fs::write(path.join("settings.yml"), settings).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(path.join("settings.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            not_tested!("`docker-registry` is not installed");
            return None;
        };
        let server = Self {
            child,
            address,
            directory,
        };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                start.elapsed() < Duration::from_mins(1),
                "it does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    fn reference(&self, repository: &str) -> RegistryReference {
        RegistryReference {
            host: self.address.to_string(),
            repository: repository.to_owned(),
            version: None,
        }
    }

    /// The file in which the registry keeps a blob.
    fn blob(&self, digest: &Digest) -> std::path::PathBuf {
        let digest = digest.to_string();
        let blobs = "data/docker/registry/v2/blobs/sha256";
        let directory = self.directory.path().join(blobs);
        directory.join(&digest[..2]).join(&digest).join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(home: &Path) -> Arc<Client> {
    let process = Process {
        environment: vec![("HOME".into(), home.into())],
        ..Process::default()
    };
    Arc::new(Client::new(&process, Settings::default()).unwrap())
}

/// Stores an image of one layer under a tag, and returns its manifest.
fn push(registry: &Registry, layer: &[u8], tag: &str) -> Vec<u8> {
    let config = br#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(layer).unwrap();
    let layers = [
        (Digest::of(config), Content::of_bytes(config)),
        (
            Digest::of(layer),
            Content::of_file(&file, layer.len() as u64),
        ),
    ];
    for (digest, content) in &layers {
        registry.upload_blob(digest, content, None).unwrap();
        assert!(registry.has_blob(digest).unwrap());
        let again = registry.upload_blob(digest, content, None).unwrap();
        assert_eq!(again, Pushed::Existed);
    }
    let [(config, config_content), (layer, layer_content)] = &layers;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{config}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:{layer}","size":{}}}]}}"#,
        config_content.size(),
        layer_content.size()
    );
    let version = Version::Tag(tag.to_owned());
    let digest = registry
        .put_manifest(&version, MANIFEST, manifest.as_bytes())
        .unwrap();
    assert_eq!(digest, Digest::of(manifest.as_bytes()));
    manifest.into_bytes()
}

#[test]
fn a_registry_returns_what_was_sent() {
    let Some(server) = Server::start(false) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let client = client(home.path());
    let registry = Registry::new(&client, &server.reference("team/app")).unwrap();
    let layer: Vec<u8> = (0..3_000_000_u32)
        .map(|number| number.to_be_bytes()[2])
        .collect();
    let digest = Digest::of(&layer);
    let absent = registry.manifest(&Version::Tag("1.0".to_owned())).unwrap();
    assert_eq!(absent, None);
    let manifest = push(&registry, &layer, "1.0");
    for version in [
        Version::Tag("1.0".to_owned()),
        Version::Digest(Digest::of(&manifest)),
    ] {
        let found = registry.manifest(&version).unwrap().unwrap();
        assert_eq!(
            (found.bytes, &*found.media_type),
            (manifest.clone(), MANIFEST)
        );
    }
    let mut sink = Vec::new();
    registry
        .download_blob(&digest, Some(3_000_000), &mut sink, None)
        .unwrap();
    assert!(sink == layer);
    let part = registry.blob_part(&digest, Range::Last(100), 100).unwrap();
    assert_eq!((part.status, part.body), (206, layer[2_999_900..].to_vec()));
    // Another repository takes the layer from this one.
    let other = Registry::new(&client, &server.reference("other")).unwrap();
    assert!(!other.has_blob(&digest).unwrap());
    assert!(!other.mount_blob(&digest, "nowhere").unwrap());
    assert!(other.mount_blob(&digest, "team/app").unwrap());
    assert!(other.has_blob(&digest).unwrap());
    // Debian's registry serves a damaged blob without a complaint.
    let mut damaged = layer;
    damaged[1_000_000] ^= 1;
    fs::write(server.blob(&digest), &damaged).unwrap();
    let error = registry
        .download_blob(&digest, Some(3_000_000), &mut Vec::new(), None)
        .unwrap_err();
    assert_eq!(
        report::one_line(&error),
        format!(
            "cannot fetch `http://{}/v2/team/app/blobs/sha256:{digest}`: its SHA-256 digest is {}, and {digest} is expected",
            server.address,
            Digest::of(&damaged)
        )
    );
    let skopeo = Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", "--format={{.Digest}}"])
        .arg(format!("docker://{}/team/app:1.0", server.address))
        .output();
    match skopeo {
        Ok(output) => {
            let expected = format!("sha256:{}\n", Digest::of(&manifest));
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        }
        Err(_) => not_tested!("`skopeo` is not installed"),
    }
}

#[test]
fn a_registry_with_passwords_takes_that_of_docker() {
    let Some(server) = Server::start(true) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let closed = client(home.path());
    let registry = Registry::new(&closed, &server.reference("app")).unwrap();
    let error = registry.has_blob(&Digest::of(b"")).unwrap_err();
    let shown = report::render(&error);
    assert!(
        shown.contains("the server answered 401 Unauthorized"),
        "{shown}"
    );
    let host = server.address;
    let directory = home.path().join(".docker");
    fs::create_dir(&directory).unwrap();
    let config = format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6Z2VoZWlt"}}}}}}"#);
    fs::write(directory.join("config.json"), config).unwrap();
    let open = client(home.path());
    let registry = Registry::new(&open, &server.reference("app")).unwrap();
    push(&registry, b"layer", "latest");
}
