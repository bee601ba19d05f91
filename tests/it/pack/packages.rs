//! Packages, installed by their package managers under a separate root, which requires the
//! superuser.

use std::path::Path;

use super::{files, has, is_alive, listing, output, packed, run, world};

/// The directory to which the package installs the environment.
const ENVIRONMENT: &str = "opt/app/env";

fn is_superuser() -> bool {
    let is_superuser = nix::unistd::geteuid().is_root();
    if !is_superuser {
        not_tested!("only the superuser can install under another root");
    }
    is_superuser
}

/// The paths in the manifest, except directories, relative to the root.
fn listed(root: &Path) -> Vec<String> {
    let listing = listing(&root.join(ENVIRONMENT));
    assert_eq!(
        (listing["name"].as_str(), listing["prefix"].as_str()),
        (Some("app"), Some("/opt/app/env"))
    );
    let members = listing["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|member| member["kind"] != "folder");
    let mut paths: Vec<String> = members
        .map(|member| member["path"].as_str().unwrap().to_owned())
        .collect();
    paths.push("vpython-pack.json".into());
    paths.sort();
    paths
}

/// Checks that the environment works, and that running it has not changed the installed files.
fn works(root: &Path) {
    let environment = root.join(ENVIRONMENT);
    is_alive(&environment);
    assert_eq!(files(&environment), listed(root));
}

#[test]
fn rpm_installs_verifies_and_removes_it() {
    if !has("rpm") {
        return;
    }
    let world = world();
    let file = packed(&world, "app.rpm");
    let file = file.to_str().unwrap();
    assert_eq!(
        output("rpm", &["-K", file]),
        format!("{file}: digests OK\n")
    );
    // The header: paths, owners and reproducible times.
    let names = output("rpm", &["-qlp", file]);
    assert!(
        names.starts_with("/opt/app\n/opt/app/env\n/opt/app/env/bin\n"),
        "the system's own directories are not its: {names}"
    );
    let said = output(
        "rpm",
        &[
            "-qp",
            "--qf",
            "%{NEVRA} %{BUILDTIME} %{BUILDHOST}\n[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]",
            file,
        ],
    );
    let machine = world.program("/bin/uname", ["-m"]).run().raw_stdout;
    let (first, owners) = said.split_once('\n').unwrap();
    assert_eq!(
        first,
        format!("app-1.0-1.{} 315532800 localhost", machine.trim_end())
    );
    assert!(owners.lines().all(|owner| owner == "root:root"));
    // The payload works without an installation.
    if has("rpm2cpio") && has("bsdtar") {
        let directory = world.outside("payload");
        std::fs::create_dir(&directory).unwrap();
        output(
            "/bin/sh",
            &[
                "-c",
                "rpm2cpio \"$0\" | bsdtar -C \"$1\" -xf -",
                file,
                directory.to_str().unwrap(),
            ],
        );
        works(&directory);
    }
    if !is_superuser() {
        return;
    }
    // Installation, verification and removal under a separate root.
    let root = world.outside("root of rpm");
    std::fs::create_dir(&root).unwrap();
    let rpm = |words: &[&str]| {
        output(
            "rpm",
            &[&["--root", root.to_str().unwrap()], words].concat(),
        )
    };
    rpm(&["--install", "--nodeps", file]);
    assert_eq!(rpm(&["-V", "app"]), "");
    works(&root);
    assert_eq!(rpm(&["-V", "app"]), "", "when every script has run");
    // rpm detects a change.
    let module = root.join(ENVIRONMENT).join(format!(
        "lib/python3.{}/site-packages/other.py",
        world.python.minor
    ));
    std::fs::write(&module, "x").unwrap();
    let changed =
        String::from_utf8(run("rpm", &["--root", root.to_str().unwrap(), "-V", "app"]).stdout)
            .unwrap();
    assert!(
        changed.starts_with("S.5....T.") && changed.lines().count() == 1,
        "a change is detected: {changed}"
    );
    rpm(&["--erase", "app"]);
    assert_eq!(
        std::fs::read_dir(root.join("opt")).unwrap().count(),
        0,
        "nothing is left"
    );
}

#[test]
fn dpkg_installs_verifies_and_removes_it() {
    if !has("dpkg") {
        return;
    }
    let world = world();
    let file = packed(&world, "app.deb");
    let file = file.to_str().unwrap();
    // The members: parent directories first, with reproducible owners and times.
    let members = output("dpkg-deb", &["-c", file]);
    let mut lines = members
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    for name in [
        "./",
        "./opt/",
        "./opt/app/",
        "./opt/app/env/",
        "./opt/app/env/bin/",
    ] {
        let line = lines.next().unwrap();
        assert_eq!(
            (line[0], line[1], line[5]),
            ("drwxr-xr-x", "root/root", name)
        );
    }
    assert!(
        lines.all(|line| line[1] == "root/root" && line[3] == "1980-01-01"),
        "{members}"
    );
    // The control files.
    let said = output("dpkg-deb", &["-I", file]);
    assert!(
        said.contains(" Package: app\n") && said.contains("md5sums"),
        "{said}"
    );
    assert_eq!(
        output("dpkg-deb", &["-f", file, "Architecture"]),
        output("dpkg", &["--print-architecture"])
    );
    let control = world.outside("control");
    output("dpkg-deb", &["-e", file, control.to_str().unwrap()]);
    assert_eq!(files(&control), ["control", "md5sums"]);
    if !is_superuser() {
        return;
    }
    // Installation, verification and removal under a separate root.
    let root = world.outside("root of dpkg");
    let status = root.join("var/lib/dpkg/status");
    std::fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    std::fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    std::fs::write(&status, "").unwrap();
    let option = format!("--root={}", root.display());
    let dpkg = |words: &[&str]| output("dpkg", &[&[option.as_str()], words].concat());
    dpkg(&["--install", file]);
    assert_eq!(dpkg(&["--verify", "app"]), "");
    works(&root);
    assert_eq!(dpkg(&["--verify", "app"]), "", "when every script has run");
    output(
        "/bin/sh",
        &[
            "-c",
            "cd \"$0\" && md5sum --quiet -c var/lib/dpkg/info/app.md5sums",
            root.to_str().unwrap(),
        ],
    );
    dpkg(&["--remove", "app"]);
    assert!(!root.join("opt").exists(), "nothing is left");
}

#[test]
fn lintian_finds_no_odd_owner_mode_or_time() {
    if !has("lintian") {
        return;
    }
    let world = world();
    let file = packed(&world, "app.deb");
    // Debian's rules for the location and contents of its own packages do not apply to a
    // third-party package.
    let own = "dir-or-file-in-opt,no-changelog,no-copyright-file,package-installs-python-pycache-dir,unusual-interpreter";
    let said = output(
        "lintian",
        &[
            "--allow-root",
            "--suppress-tags",
            own,
            file.to_str().unwrap(),
        ],
    );
    assert_eq!(said, "");
}
