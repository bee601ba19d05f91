//! The seeds of fuzzing: for each reader a few texts that it accepts, and tokens of its format.
#![allow(clippy::format_collect, reason = "the texts are short")]

use std::io::{Cursor, Write};

use sha2::{Digest, Sha256};

use super::read::{layout, wheel_with};

/// The facts of an interpreter, as stored in a memo.
pub const FACTS: &str = r##"{"executable":"/usr/bin/python3.11","release":[3,11,7],"build":"3.11.7 (main) [GCC 12.2.0]",
"cache_tag":"cpython-311","site_packages":"lib/python3.11/site-packages","platform":"linux-x86_64",
"abi":{"debug":false,"pymalloc":true,"free_threaded":false,"wide_unicode":false,"pointer_bits":64},
"libc":{"Glibc":{"major":2,"minor":36}},"libc_path":"/lib/libc.so.6","bundled":["/usr/lib/python3.11/ensurepip/_bundled"],
"markers":{"implementation_name":"cpython","implementation_version":"3.11.7","os_name":"posix","platform_machine":"x86_64",
"platform_python_implementation":"CPython","platform_release":"6.1.0","platform_system":"Linux","platform_version":"#1 SMP",
"python_full_version":"3.11.7","python_version":"3.11","sys_platform":"linux"}}"##;

/// The files in the `.dist-info` of a wheel.
pub const DIST_INFO: [(&str, &str); 4] = [
    (
        "METADATA",
        "Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Python: >=3.8\nRequires-Dist: b[y] (>=1,!=1.5) ; extra == 'x' and \
         (os_name == 'posix' or python_version < '3.9')\nRequires-Dist: c~=1.0; sys_platform in 'linux darwin'\nProvides-Extra: x\n \
         more\n\nA text: with a colon\n",
    ),
    (
        "WHEEL",
        "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    ),
    (
        "entry_points.txt",
        "[console_scripts]\nrun = a.b:main\nother=a : D.run [extra]\n# x\n\n[gui_scripts]\nwin=a:w\n[other]\nz=1\n",
    ),
    (
        "RECORD",
        "a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\"b,\"\"c.py\",,\n./d\\e.py,md5=0,many\na-1.dist-info/RECORD,,\n",
    ),
];

const VPYTHON_TOML: &str = "requires-python = '>=3.9,<4'\ndependencies = [\n  'a[x,y]>=1,!=1.5; python_version < \"3.12\" and (os_name == \
     \"posix\" or extra == \"z\")',\n  'b==1.0.*', 'd===1+local.1', 'e~=1.0a1',\n]\n[tool.vpython]\nwheels = \
     ['wheels', '../x']\npython-path = ['lib']\nno-deps = true\nstrict = false\nseed = true\nunlocked = false\nplatforms = \
     ['macosx_11_0_arm64', 'win_amd64', 'manylinux_2_17_x86_64']\nsystem-site-packages = false\n";

const PYPROJECT: &str = "[project]\nname = 'me'\nrequires-python = '>=3.9'\ndependencies = ['a', 'me[x]']\ndynamic = ['version']\n\
     [project.optional-dependencies]\nx = ['b>=1', 'me[y]']\ny = ['c']\n[dependency-groups]\ng = ['d', {include-group = 'h'}]\nh = \
     ['e; sys_platform == \"win32\"']\n[tool.vpython]\nextras = ['x']\ngroups = ['g']\nwheels = ['wheels']\n";

const LUCI: &str = "# a comment\npython_version: \"3.\\x31\\061\"\nwheel: <\n  name: \"infra/python/wheels/six-py2_py3\"\n  version: \
     \"version:1.15.0\"\n>\nwheel {\n  name: 'infra/python/wheels/cffi/${vpython_platform}'\n  version: 'version:1.14.5.chromium.7'\n  \
     match_tag < platform: \"manylinux1_x86_64\" python: 'cp311' abi: \"abi3\" >\n  not_match_tag: [{ platform: \"win32\" }, < abi: 'x' >]\n}\n\
     wheel < name: \"infra/python/wheels/b/${os=linux,mac}-${arch}\" version: \"version:2@1.0\" >;\nverify_pep425_tag: \
     [{python: \"cp38\", abi: \"cp38\", platform: \"manylinux1_x86_64\"}, {platform: 'win_amd64'}],\n# vpython: no-seed\n";

const REQUIREMENTS: &str = "# tools\n--find-links wheels\n-r more.txt\n-c more.txt\n--pre\n--index-url https://x.invalid/${NAME}\n\
     a[x,y]>=1,!=1.5 ; python_version < \"3.12\" and os_name == 'posix'  # why\nb==1.0 \\\n    \
     --hash=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 \\\n    --hash=sha512:x\n--no-binary :all:\n";

const PYLOCK: &str = "lock-version = '1.0'\ncreated-by = 'x'\nrequires-python = '>=3.9'\nenvironments = [\"sys_platform == \
     'linux'\"]\nextras = ['x']\ndependency-groups = ['g']\ndefault-groups = ['g']\n[[packages]]\nname = 'a'\nversion = '1'\nmarker = \"os_name == \
     'posix' and 'g' in dependency_groups\"\nrequires-python = '>=3.8'\ndependencies = [{name = 'b'}]\nwheels = [\n    {name = \
     'a-1-py3-none-any.whl', path = 'w/a-1-py3-none-any.whl', size = 3, upload-time = 2024-01-02T03:04:05Z, hashes = {sha256 = \
     'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}},\n    {url = \
     'https://x.invalid/a-1-cp311-cp311-manylinux_2_17_x86_64.whl#x%20y', hashes = {sha256 = \
     'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}},\n]\n[[packages]]\nname = 'b'\nvcs = {type = 'git', url = \
     'x', commit-id = 'y'}\n[tool.vpython]\nspec = 'x.py'\ndependencies = ['a']\nplatforms = ['win_amd64']\nno-deps = true\n";

const UV_LOCK: &str = "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\nresolution-markers = [\"python_full_version >= \
     '3.12'\", \"python_full_version < '3.12'\"]\n[manifest]\nrequirements = [{ name = \"a\" }, { name = \"b\", extras = [\"x\"], specifier = \
     \">=1\" }]\noverrides = [{ name = \"c\", specifier = \"==2\" }]\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { registry = \"https://x.invalid\" }\n\
     dependencies = [{ name = \"b\", version = \"1\", source = { registry = \"https://x.invalid\" }, extra = [\"x\"], marker = \"os_name == \
     'posix'\" }]\nwheels = [{ url = \"https://x.invalid/a-1-py3-none-any.whl\", hash = \
     \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\", size = 3 }]\n[[package]]\nname = \"b\"\nversion = \"1\"\nsource = { \
     registry = \"https://x.invalid\" }\ndependencies = [{ name = \"a\" }]\nresolution-markers = [\"python_full_version < '3.12'\"]\n\
     [package.optional-dependencies]\nx = [{ name = \"a\" }]\n[package.metadata]\nrequires-dist = [{ name = \"a\", extras = [\"x\"], \
     specifier = \">=1\" }]\n";

const UV_REQUIREMENTS: &str = "# a lock\na==1 \\\n    --hash=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nb[x]==1 ; \
     os_name == 'posix'\n";

const CONF: &str = "root = \"/scratch/vpython-root.{uid}\"\nwheels = [\"wheels\", \"~/w\"]\ndefault-spec = \"default.toml\"\nbypass = \
     'x'\n[python]\nvpython = \"3.11\"\nvpython3 = [\"3.12\", \"3\"]\n[prune]\nolder-than = \"14d\"\nmax-size = \"20GiB\"\n[fetch]\nallow = \
     false\nindex-url = \"https://x.invalid/simple\"\npip-options = ['--no-cache']\n";

const PYVENV_CFG: &str = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.7\nexecutable = \
     /usr/bin/python3.11\ncommand = /usr/bin/python3 -m venv --prompt='x y' /old/env\nprompt = 'x'\nbase-prefix=/usr\n";

const MEMO: &str = "{\"key\":\"3b8c2f0a9d5e41768c0b27e4f19a6d3c5b80e7f2\",\"site\":{\"folder\":\"lib/python3.11/site-packages\",\
     \"seconds\":1,\"nanoseconds\":2,\"configuration\":3},\"stamps\":[{\"path\":\"/w\",\"stamp\":null}],\"missing\":[],\"variables\":{\"A\":null},\
     \"others_seen\":1,\"warnings\":[\"w\"],\"python_path\":[\"/lib\"]}";

const MANIFEST: &str = "{\"key\":\"3b8c2f0a9d5e41768c0b27e4f19a6d3c5b80e7f2\",\"interpreter\":\"/usr/bin/python3.11\",\"python\":\
     \"3.11.7\",\"wheels\":[{\"name\":\"a\",\"version\":\"1\",\"file_name\":\"a-1-py3-none-any.whl\",\"sha256\":\
     \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}],\"site\":{\"folder\":\"lib/python3.11/site-packages\",\
     \"seconds\":1,\"nanoseconds\":2}}";

const INDEX_JSON: &str = "{\"meta\":{\"api-version\":\"1.1\",\"_last-serial\":7},\"name\":\"a\",\"versions\":[\"1\"],\"project-status\":\
     {\"status\":\"archived\"},\"files\":[{\"filename\":\"a-1-py3-none-any.whl\",\"url\":\"../../f/a-1-py3-none-any.whl\",\"hashes\":{\"sha256\":\
     \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"md5\":\"00\"},\"size\":3,\"requires-python\":\">=3.8\",\"yanked\":\
     \"why\",\"upload-time\":\"2024-01-02T03:04:05.678901Z\",\"core-metadata\":{\"sha256\":\
     \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}},{\"filename\":\"a-1.tar.gz\",\"url\":\"https://x.invalid/a-1.tar.gz\",\
     \"hashes\":{},\"requires-python\":null,\"yanked\":false,\"dist-info-metadata\":true}]}";

const INDEX_HTML: &str = "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"1.0\"><base \
     href=\"https://x.invalid/f/\"></head><body><!-- x --><script>'<a href=x.whl>'</script>\n<a href=\"a-1-py3-none-any.whl#sha256=\
     e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\" data-requires-python=\"&gt;=3.8\" data-yanked=\"&quot;why&quot;\" \
     data-core-metadata=\"sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\">a-1-py3-none-any.whl</a><br/>\n\
     <a href='http://u:p@x.invalid/a-1%2Bx-py3-none-any.whl' data-yanked data-dist-info-metadata=true>x</a>\n<a href=a-1.zip>y</a></body></html>";

const PIP_CONF: &str = "# of the site\n[global]\nindex-url = https://u:correct-horse@x.invalid/simple\nextra-index-url =\n    https://y.invalid/s\n    \
     https://z.invalid/s\n; more\ntrusted-host: y.invalid z.invalid:8080\ntimeout = 15\nno-index = false\n[install]\nretries = 3\nproxy = \
     http://u:correct-horse@proxy:3128\nfind-links = wheels ~/w https://x.invalid/l\ncert = ca.pem\n[list]\nformat = columns\n";

/// The seed texts of a reader.
pub fn seeds(reader: &str) -> Vec<Vec<u8>> {
    let commented = |text: &str| {
        text.lines()
            .map(|line| format!("# {line}\n"))
            .collect::<String>()
    };
    let dist_info = |name: &str| {
        DIST_INFO
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, text)| (*text).to_owned())
            .collect()
    };
    let texts: Vec<String> = match reader {
        "vpython-toml" => vec![VPYTHON_TOML.into()],
        "pyproject" => vec![PYPROJECT.into()],
        "pep723" => vec![format!(
            "#!/usr/bin/env vpython\n# /// script\n{}# ///\nimport a\n",
            commented(VPYTHON_TOML)
        )],
        "luci" => vec![LUCI.into()],
        "luci-inline" => vec![format!(
            "x = 1\n# [VPYTHON:BEGIN]\n{}# [VPYTHON:END]\nimport a\n",
            commented(LUCI)
        )],
        "requirements" => vec![REQUIREMENTS.into()],
        "pylock" => vec![PYLOCK.into()],
        "uv-lock" => vec![UV_LOCK.into(), UV_REQUIREMENTS.into()],
        "conf" => vec![CONF.into()],
        "metadata" => dist_info("METADATA"),
        "wheel-file" => dist_info("WHEEL"),
        "record" => dist_info("RECORD"),
        "entry-points" => dist_info("entry_points.txt"),
        "pyvenv-cfg" => vec![PYVENV_CFG.into()],
        "listing" => vec![listing()],
        "memo" => vec![MEMO.into(), MANIFEST.into()],
        "facts" => vec![FACTS.into()],
        "index-json" => vec![INDEX_JSON.into()],
        "index-html" => vec![INDEX_HTML.into()],
        "pip-conf" => vec![PIP_CONF.into()],
        "wheel" | "remote-wheel" => return vec![wheel_with(&[]).expect("a wheel")],
        "archive" => return vec![tar(), zip()],
        "oci-index" => vec![layout::list_text(manifest().as_bytes())],
        "oci-manifest" => vec![manifest()],
        unknown => panic!("there is no reader `{unknown}`"),
    };
    texts.into_iter().map(String::into_bytes).collect()
}

fn manifest() -> String {
    layout::manifest_text().expect("a wheel in memory")
}

/// The files of an environment in an archive.
const FILES: [(&str, &str); 2] = [
    ("bin/tool", "#!/bin/sh\n"),
    ("pyvenv.cfg", "home = /usr/bin\n"),
];

/// The manifest of an archive: a directory, files and a link.
fn listing() -> String {
    let file = |(path, content): (&str, &str)| {
        let digest: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!(
            "{{\"kind\":\"file\",\"path\":\"{path}\",\"mode\":\"0644\",\"size\":{},\"sha256\":\"{digest}\"}}",
            content.len()
        )
    };
    format!(
        "{{\"version\":1,\"key\":\"k\",\"python\":\"3.11.7\",\"interpreter\":\"/usr/bin/python3.11\",\"wheels\":[],\"prefix\":null,\
         \"members\":[{{\"kind\":\"folder\",\"path\":\"bin\"}},{{\"kind\":\"link\",\"path\":\"bin/python3\",\"target\":\
         \"/usr/bin/python3.11\"}},{},{}]}}\n",
        file(FILES[0]),
        file(FILES[1])
    )
}

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind, content: &str| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(if kind == tar::EntryType::Directory {
            0o755
        } else {
            0o644
        });
        let is_link = kind == tar::EntryType::Symlink;
        if is_link {
            header.set_link_name(content).expect("a short name");
        }
        let content = if is_link { "" } else { content };
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, name, content.as_bytes())
            .expect("an archive in memory");
    };
    add("vpython-pack.json", tar::EntryType::Regular, &listing());
    add("bin/", tar::EntryType::Directory, "");
    add(
        "bin/python3",
        tar::EntryType::Symlink,
        "/usr/bin/python3.11",
    );
    for (name, content) in FILES {
        add(name, tar::EntryType::Regular, content);
    }
    builder.into_inner().expect("an archive in memory")
}

fn zip() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::DEFAULT
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o644);
    let mut add = |name: &str, content: &str| {
        writer
            .start_file(name, options)
            .expect("an archive in memory");
        writer
            .write_all(content.as_bytes())
            .expect("an archive in memory");
    };
    add("vpython-pack.json", &listing());
    for (name, content) in FILES {
        add(name, content);
    }
    writer
        .add_symlink("bin/python3", "/usr/bin/python3.11", options)
        .expect("an archive in memory");
    writer
        .add_directory("bin", options.unix_permissions(0o755))
        .expect("an archive in memory");
    writer.finish().expect("an archive in memory").into_inner()
}
