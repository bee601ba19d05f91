//! Tests of the precedence of sources, and of pip's files and variables.

use super::*;
use crate::fs;
use crate::invocation::Set;
use crate::spec::Location;

/// A process with this environment, whose home is a directory of its own.
struct World {
    directory: tempfile::TempDir,
    process: Process,
    conf: Conf,
    spec: Indexes,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        fs::create_dir_all(&home, 0o755).unwrap();
        let mut world = Self {
            process: Process {
                directory: Some(directory.path().into()),
                user: nix::unistd::geteuid().as_raw(),
                ..Process::default()
            },
            directory,
            conf: Conf::default(),
            spec: Indexes::default(),
        };
        world.set("HOME", home.to_str().unwrap());
        // The machine's own files do not count.
        world.set("XDG_CONFIG_DIRS", "/nowhere");
        world
    }

    fn set(&mut self, name: &str, value: &str) {
        let environment = &mut self.process.environment;
        environment.retain(|(known, _)| known != name);
        environment.push((name.into(), value.into()));
    }

    /// Writes a file below the world's directory, and returns its path.
    fn write(&self, path: &str, content: &str) -> String {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap(), 0o755).unwrap();
        fs::write_atomically(&path, content.as_bytes()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn read(&self, options: &[&str]) -> Result<IndexSettings> {
        let options: Vec<String> = options.iter().map(|&word| word.to_owned()).collect();
        IndexSettings::read(&options, &self.spec, &self.conf, &self.process)
    }

    /// The indexes as `URL by SOURCE`, with the path of the world replaced.
    fn indexes(&self, options: &[&str]) -> Vec<String> {
        let settings = self.read(options).unwrap();
        let row = |index: &ConfiguredIndex| format!("{} by {}", index.url.reveal(), index.by);
        let rows = settings.indexes.iter().map(row);
        let world = self.directory.path().to_str().unwrap().to_owned();
        rows.map(|row| row.replace(&world, "[WORLD]")).collect()
    }

    fn message(&self, options: &[&str]) -> String {
        let message = crate::report::render(&self.read(options).unwrap_err());
        message.replace(self.directory.path().to_str().unwrap(), "[WORLD]")
    }
}

fn place(line: usize) -> Location {
    Location {
        file: Some("/s".into()),
        line,
        column: 1,
    }
}

fn spec_index(url: &str, name: Option<&str>, role: IndexRole, line: usize) -> SpecIndex {
    SpecIndex {
        url: Located {
            value: IndexUrl::parse(url).unwrap(),
            place: place(line),
        },
        name: name.map(str::to_owned),
        role,
        ignored_statuses: None,
    }
}

#[test]
fn pypi_is_the_index_if_nothing_names_one() {
    assert_eq!(
        World::new().indexes(&[]),
        ["https://pypi.org/simple by vpython's default"]
    );
}

#[test]
fn the_highest_source_names_the_default_and_all_name_extra_ones() {
    let mut world = World::new();
    world.write(
        "home/.config/pip/pip.conf",
        "[global]\nindex-url = https://file/s\nextra-index-url =\n  https://file/1\n  https://file/2\n",
    );
    let extra = [
        "https://file/1 by `[WORLD]/home/.config/pip/pip.conf`, line 3",
        "https://file/2 by `[WORLD]/home/.config/pip/pip.conf`, line 3",
    ];
    let with = |default: &str| -> Vec<String> {
        extra
            .iter()
            .map(|&row| row.to_owned())
            .chain([default.to_owned()])
            .collect()
    };
    let in_file = "https://file/s by `[WORLD]/home/.config/pip/pip.conf`, line 2";
    assert_eq!(world.indexes(&[]), with(in_file));
    // vpython.conf, variables, the spec, the command line: each precedes those before.
    world.conf = Conf {
        file: Some("/etc/vpython.conf".into()),
        fetch_index_url: Some(Set {
            value: "https://conf/s".into(),
            line: 7,
        }),
        ..Conf::default()
    };
    assert_eq!(
        world.indexes(&[]),
        with("https://conf/s by `/etc/vpython.conf`, line 7")
    );
    world.set("PIP_INDEX_URL", "https://variable/s");
    assert_eq!(
        world.indexes(&[]),
        with("https://variable/s by `PIP_INDEX_URL`")
    );
    world.spec.named = vec![
        spec_index("https://spec/1", None, IndexRole::Extra, 3),
        spec_index("https://spec/s", None, IndexRole::Default, 4),
    ];
    // A variable replaces the list of the files, as for pip.
    world.set("PIP_EXTRA_INDEX_URL", "https://variable/1 https://file/2/");
    let expected = [
        "https://spec/1 by `/s`, line 3",
        "https://variable/1 by `PIP_EXTRA_INDEX_URL`",
        "https://file/2/ by `PIP_EXTRA_INDEX_URL`",
        "https://spec/s by `/s`, line 4",
    ];
    assert_eq!(world.indexes(&[]), expected);
    let options = [
        "-i",
        "https://option/s",
        "--extra-index-url=https://option/1",
        "--extra",
        "https://file/2",
    ];
    let expected = [
        "https://option/1 by `--extra-index-url`",
        "https://file/2 by `--extra-index-url`",
        "https://spec/1 by `/s`, line 3",
        "https://variable/1 by `PIP_EXTRA_INDEX_URL`",
        "https://option/s by `--index-url`",
    ];
    assert_eq!(world.indexes(&options), expected);
}

#[test]
fn the_files_of_pip_are_read_in_its_order() {
    let mut world = World::new();
    let rows = [
        ("xdg/pip/pip.conf", "global"),
        ("home/.pip/pip.conf", "legacy"),
        ("home/.config/pip/pip.conf", "user"),
        ("venv/pip.conf", "venv"),
        ("named.conf", "named"),
    ];
    let directory = world.directory.path().to_str().unwrap().to_owned();
    world.set("XDG_CONFIG_DIRS", &format!("{directory}/xdg"));
    world.set("VIRTUAL_ENV", &format!("{directory}/venv"));
    for (path, host) in rows {
        if host == "named" {
            world.set("PIP_CONFIG_FILE", &format!("{directory}/named.conf"));
        }
        let content = format!("# {host}\n; x\n[global]\nindex_url: https://{host}/s\n");
        world.write(path, &content);
        let expected = format!("https://{host}/s by `[WORLD]/{path}`, line 4");
        assert_eq!(world.indexes(&[]), [expected]);
    }
    // The section of the command precedes the general one, whatever file it is in.
    world.write(
        "xdg/pip/pip.conf",
        "[install]\nindex-url = https://install/s\n",
    );
    let install = "https://install/s by `[WORLD]/xdg/pip/pip.conf`, line 2";
    assert_eq!(world.indexes(&[]), [install]);
    world.set("PIP_CONFIG_FILE", "/dev/null");
    assert_eq!(
        world.indexes(&[]),
        ["https://pypi.org/simple by vpython's default"]
    );
}

#[test]
fn the_settings_of_connections_are_read() {
    let mut world = World::new();
    world.write(
        "home/.config/pip/pip.conf",
        "[global]\ntimeout = 60\ntrusted-host = a.example\n    b.example:8080\nproxy = http://u:secret@proxy:3128\n\
         cert = ~/ca.pem\nno-cache-dir = yes\nkeyring-provider = subprocess\nfind-links = wheels https://links/x/\n",
    );
    world.set("PIP_DEFAULT_TIMEOUT", "30");
    world.set("PIP_TIMEOUT", "15.5");
    world.set("PIP_RETRIES", "7");
    world.set("PIP_CLIENT_CERT", "client.pem");
    world.set("PIP_INDEX_URL", "");
    world.spec.trusted_hosts = vec![Located {
        value: "c.example".into(),
        place: place(1),
    }];
    let settings = world.read(&[]).unwrap();
    let value = |named: &Option<Named<PathBuf>>| named.as_ref().unwrap().value.clone();
    let home = world.directory.path().join("home");
    assert_eq!(
        settings.timeout.as_ref().unwrap().value,
        Duration::from_millis(15_500)
    );
    assert_eq!(
        settings.timeout.as_ref().unwrap().by.to_string(),
        "`PIP_TIMEOUT`"
    );
    assert_eq!(settings.retries.as_ref().unwrap().value, 7);
    assert_eq!(value(&settings.cert), home.join("ca.pem"));
    assert_eq!(
        value(&settings.client_cert),
        world.directory.path().join("client.pem")
    );
    let hosts: Vec<_> = settings
        .trusted_hosts
        .iter()
        .map(|host| host.value.as_str())
        .collect();
    assert_eq!(hosts, ["c.example", "a.example", "b.example:8080"]);
    let provider = settings.keyring_provider.as_ref().unwrap().value;
    assert_eq!(provider, KeyringProvider::Subprocess);
    assert_eq!(settings.find_links[0].value.reveal(), "https://links/x/");
    assert_eq!(
        settings.directories[0].value,
        world.directory.path().join("wheels")
    );
    assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
    assert!(settings.proxy.unwrap().value.reveal().contains("secret"));
}

#[test]
fn no_index_leaves_links_only() {
    let mut world = World::new();
    world.set("PIP_NO_INDEX", "1");
    let settings = world
        .read(&["--index-url", "https://x/s", "--find-links=https://links/"])
        .unwrap();
    assert_eq!(settings.indexes, []);
    assert_eq!(settings.find_links.len(), 1);
    assert_eq!(settings.no_index.unwrap().to_string(), "`PIP_NO_INDEX`");
    world.set("PIP_NO_INDEX", "0");
    assert_eq!(world.indexes(&[]).len(), 1);
}

#[test]
fn a_pinned_project_comes_from_its_index_only() {
    let mut world = World::new();
    world.spec.named = vec![
        spec_index("https://a/s", Some("a"), IndexRole::Extra, 1),
        spec_index("https://b/s", Some("b"), IndexRole::Explicit, 2),
        spec_index("https://d/s", Some("d"), IndexRole::Default, 3),
    ];
    let pin = |name: &str| Located {
        value: name.to_owned(),
        place: place(9),
    };
    let project = |name: &str| name.parse::<PackageName>().unwrap();
    world.spec.pins = [(project("torch"), pin("b")), (project("x"), pin("d"))].into();
    let settings = world.read(&[]).unwrap();
    let urls = |name: &str| -> Vec<String> {
        let indexes = settings.indexes_for(&project(name)).into_iter();
        indexes.map(|index| index.url.to_string()).collect()
    };
    assert_eq!(urls("torch"), ["https://b/s"]);
    assert_eq!(urls("x"), ["https://d/s"]);
    assert_eq!(urls("other"), ["https://a/s", "https://d/s"]);
    world.spec.pins = [(project("torch"), pin("c"))].into();
    let message = "vpython: error: unknown package index\n  caused by: `/s`, line 9: `torch` comes from the index `c`, which \
                   nothing names\n  hint: name it in a table `[[tool.uv.index]]`\n";
    assert_eq!(world.message(&[]), message);
}

#[test]
fn all_mistakes_of_a_source_are_reported_without_secrets() {
    let mut world = World::new();
    let message = "vpython: error: invalid options of the index\n  caused by: `--index-url`: `ftp://x/` is not the URL of \
                   an index: its scheme is `ftp`, not `https`\n  caused by: `--timeout`: `-1` is not a number of seconds\n";
    let options = ["--index-url=ftp://user:secret@x/", "--timeout=-1"];
    assert_eq!(world.message(&options), message);
    world.write(
        "home/.config/pip/pip.conf",
        "[global]\nretries = many\nno-index = perhaps\n[other]\nretries = x\n",
    );
    let message = "vpython: error: invalid settings of pip\n  caused by: `[WORLD]/home/.config/pip/pip.conf`, line 3: `perhaps` \
                   is neither `true` nor `false`\n  caused by: `[WORLD]/home/.config/pip/pip.conf`, line 2: `many` is not a \
                   number of retries\n  hint: `PIP_CONFIG_FILE=/dev/null` disables pip's configuration files\n";
    assert_eq!(world.message(&[]), message);
    world.set("PIP_CONFIG_FILE", "/dev/null");
    world.set("PIP_KEYRING_PROVIDER", "magic");
    let message = "vpython: error: invalid settings of the package index\n  caused by: `PIP_KEYRING_PROVIDER`: `magic` is not \
                   one of `auto`, `disabled`, `import` and `subprocess`\n";
    assert_eq!(world.message(&[]), message);
}
