//! Built wheels: a wheel as the store has it, unpacked and with the byte code of one minor version
//! of python, in one archive that machines share.
//!
//! To unpack and compile a wheel takes a hundred times as long as to download it. The archive has
//! `wheel.json`, the list of the byte code, and all files, as they are in the directory of the wheel
//! in the store. It depends only on the wheel, the minor version and [`BUILT_FORM`](crate::plan::BUILT_FORM), and is verified as a
//! whole by its digest, which a lock or a trusted source names; the files are compared with the
//! lists by path and size. It is a `.tar` in Zstandard: inflating that takes a third of the time of
//! gzip.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Error, Result, bail, ensure};
use pep508_rs::PackageName;
use tar::{Archive, EntryType, Header};
use tracing::debug;

use super::Unpacked;
use super::byte_code::{self, CODE_LIST, CompileContext, compile_all};
use super::link::Linker;
use super::unpacked::{Contents, MANIFEST, UnpackedFile, UnpackedWheel};
use super::venv::DIRECTORY_MODE;
use crate::fs::{self, Digest, Hashing};
use crate::plan::{BuiltLayer, Plan, PlannedWheel};
use crate::process::Process;
use crate::report;
use crate::store::Store;
use crate::wheel::scheme::is_plain;

/// The Zstandard compression level.
const LEVEL: i32 = 8;
/// The largest list in an archive, in bytes.
const MAX_LIST: u64 = fs::limits::LIST.bytes;
/// The maximum padding after the end of an archive.
const MAX_PADDING: u64 = 1 << 20;

/// A wheel in the store, with byte code.
pub struct BuiltWheel {
    wheel: UnpackedWheel,
    /// The version of python that it is built for.
    python: String,
    /// The name of the directory of its byte code, and the files in it; `None` without any.
    byte_code: Option<(String, Vec<String>)>,
}

/// Returns the wheels of a plan with the byte code for its interpreter, in the plan's order. They
/// are compiled if they are not in the store.
///
/// # Errors
/// A wheel cannot be compiled, or the interpreter has no byte code that can be shared.
pub fn built_wheels(
    plan: &Plan,
    Unpacked(wheels): Unpacked,
    store: &Store,
    process: &Process,
) -> Result<Vec<BuiltWheel>> {
    let interpreter = &plan.interpreter;
    let version = interpreter.byte_code_version().with_context(|| {
        format!(
            "{} has no byte code that machines share",
            interpreter.title()
        )
    })?;
    let context = CompileContext {
        store,
        process,
        linker: &Linker::default(),
    };
    let codes = compile_all(&wheels, &version, &interpreter.executable, &context)?;
    let mut codes: HashMap<PathBuf, Vec<String>> = codes
        .into_iter()
        .map(|(directory, code)| (directory, code.paths()))
        .collect();
    let built = |wheel: UnpackedWheel| {
        let directory = byte_code::directory_in(&wheel, &version);
        let files = codes.remove(&directory);
        let name = directory.file_name().unwrap_or_default();
        let byte_code = files.map(|files| (name.to_string_lossy().into_owned(), files));
        BuiltWheel {
            wheel,
            python: version.clone(),
            byte_code,
        }
    };
    Ok(wheels.into_iter().map(built).collect())
}

impl BuiltWheel {
    /// The digest of the wheel file.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        self.wheel.sha256
    }

    /// The version of python that it is built for, such as `3.11`.
    #[must_use]
    pub fn python(&self) -> &str {
        &self.python
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// A file cannot be read, or the archive cannot be written.
    pub fn write(&self, to: &mut dyn Write) -> Result<()> {
        let encoder = zstd::Encoder::new(to, LEVEL).context("cannot compress")?;
        let mut archive = tar::Builder::new(encoder);
        for name in self.names() {
            self.append(&name, &mut archive)
                .with_context(|| format!("cannot write `{name}` of a built wheel"))?;
        }
        let encoder = archive.into_inner().context("cannot write a built wheel")?;
        encoder.finish().map(drop).context("cannot compress")
    }

    /// Returns the members in the order of the archive: each list before the files in it.
    fn names(&self) -> Vec<String> {
        let mut names = vec![MANIFEST.to_owned()];
        names.extend(self.wheel.contents.files.iter().map(name_of));
        names[1..].sort_unstable();
        if let Some((directory, files)) = &self.byte_code {
            names.push(format!("{directory}/{CODE_LIST}"));
            names.extend(files.iter().map(|file| format!("{directory}/{file}")));
        }
        names
    }

    fn append<W: Write>(&self, name: &str, archive: &mut tar::Builder<W>) -> Result<()> {
        let file = fs::open(&self.wheel.directory.join(name))?;
        let metadata = file.metadata().context("cannot inspect it")?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        header.set_mode(if fs::mode(&metadata) & 0o111 == 0 {
            0o644
        } else {
            0o755
        });
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        Ok(archive.append_data(&mut header, name, file)?)
    }
}

/// Returns the path of a file in the directory of its wheel.
fn name_of(file: &UnpackedFile) -> String {
    let scheme = file.destination.scheme.directory();
    format!("{scheme}/{}", file.destination.path)
}

/// Extracts the built wheel in the file `path` into the empty directory `to`.
///
/// # Errors
/// The archive differs from its digest, or its members from its lists.
pub(super) fn extract(
    layer: &BuiltLayer,
    path: &Path,
    wheel: &PlannedWheel,
    to: &Path,
) -> Result<Contents> {
    let extract = || {
        let mut hashing = Hashing::new(fs::open_regular(path)?);
        let contents = extract_from(&mut hashing, &layer.python, to)?;
        std::io::copy(&mut hashing, &mut std::io::sink()).context("cannot read its end")?;
        let project = &contents.distribution;
        ensure!(
            project
                .parse()
                .is_ok_and(|project: PackageName| project == wheel.name),
            "it contains `{project}`"
        );
        let (found, _) = hashing.finish();
        ensure!(
            found == layer.digest,
            "its digest is `{found}`, but `{}` is expected",
            layer.digest
        );
        Ok(contents)
    };
    extract().with_context(|| {
        let shown = layer.path.as_ref().map(|path| path.display().to_string());
        let shown = shown.unwrap_or_else(|| format!("sha256:{}", layer.digest));
        format!("cannot use the built wheel `{shown}`")
    })
}

/// Says that a built wheel cannot be used: the first one of a run is a warning.
pub(super) fn note_unusable(error: &Error, wheel: &PlannedWheel) {
    static HAS_WARNED: AtomicBool = AtomicBool::new(false);
    let text = format!(
        "{}; `{}` is unpacked instead",
        report::one_line(error),
        wheel.file_name()
    );
    if HAS_WARNED.swap(true, Ordering::Relaxed) {
        debug!("{text}");
    } else {
        report::warning(&text);
    }
}

fn extract_from(from: impl Read, python: &str, to: &Path) -> Result<Contents> {
    let decoder = zstd::Decoder::new(from).context("cannot read it")?;
    let mut archive = Archive::new(decoder);
    let mut extraction = Extraction {
        to,
        expected: HashMap::new(),
        directory: PathBuf::new(),
    };
    let mut entries = archive.entries().context("cannot read it")?;
    let first = entries.next().context("it is empty")?;
    let contents = extraction.contents(first.context("cannot read it")?)?;
    let code = format!("{}{python}/{CODE_LIST}", byte_code::DIRECTORY_PREFIX);
    for entry in entries {
        let entry = entry.context("cannot read it")?;
        if entry.path_bytes() == code.as_bytes() {
            extraction.byte_code(entry, &code)?;
        } else {
            extraction.file(entry)?;
        }
    }
    let missing = extraction.expected.into_keys().min();
    ensure!(
        missing.is_none(),
        "it lacks `{}`",
        missing.unwrap_or_default()
    );
    // Reading to the end verifies the checksum of the compressed stream.
    let mut rest = archive.into_inner().take(MAX_PADDING);
    let padding = std::io::copy(&mut rest, &mut std::io::sink()).context("cannot read its end")?;
    ensure!(
        padding < MAX_PADDING,
        "there is trailing data after its end"
    );
    Ok(contents)
}

type Entry<'a, R> = tar::Entry<'a, R>;

/// A built wheel that is being extracted.
struct Extraction<'a> {
    to: &'a Path,
    /// The size of each file that is listed and has not been found yet.
    expected: HashMap<String, u64>,
    /// The directory that was created last.
    directory: PathBuf,
}

impl Extraction<'_> {
    /// Extracts the list of the wheel's files, which is the first member.
    fn contents<R: Read>(&mut self, entry: Entry<'_, R>) -> Result<Contents> {
        self.list(entry, MANIFEST)?;
        let contents: Contents = fs::read_own_json(&self.to.join(MANIFEST))?;
        for file in &contents.files {
            self.expect(name_of(file), file.size)?;
        }
        Ok(contents)
    }

    /// Extracts the list of the byte code.
    fn byte_code<R: Read>(&mut self, entry: Entry<'_, R>, name: &str) -> Result<()> {
        self.list(entry, name)?;
        let list = self.to.join(name);
        let directory = name.trim_end_matches(CODE_LIST);
        let code = byte_code::ByteCode::read(list.parent().unwrap_or(self.to))?;
        for file in code.files {
            self.expect(format!("{directory}{}", file.path), file.size)?;
        }
        Ok(())
    }

    fn expect(&mut self, name: String, size: u64) -> Result<()> {
        ensure!(
            is_plain(&name),
            "it lists `{name}`, which is not a plain path"
        );
        ensure!(
            self.expected.insert(name, size).is_none(),
            "it lists a file twice"
        );
        Ok(())
    }

    /// Extracts a list.
    fn list<R: Read>(&mut self, entry: Entry<'_, R>, name: &str) -> Result<()> {
        let size = entry.size();
        ensure!(
            entry.path_bytes() == name.as_bytes(),
            "its first member is `{}`, not `{name}`",
            String::from_utf8_lossy(&entry.path_bytes())
        );
        ensure!(size <= MAX_LIST, "`{name}` is {size} bytes long");
        self.expected.insert(name.to_owned(), size);
        self.file(entry)
    }

    /// Extracts a file that is listed.
    fn file<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<()> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let size = self.expected.remove(&name);
        let Some(size) = size.filter(|_| entry.header().entry_type() == EntryType::Regular) else {
            bail!("`{name}` is not a file that it lists")
        };
        ensure!(
            entry.size() == size,
            "`{name}` is {} bytes long, but it lists {size}",
            entry.size()
        );
        let path = self.to.join(&name);
        let directory = path.parent().unwrap_or(self.to);
        if self.directory != directory {
            fs::create_dir_all(directory, DIRECTORY_MODE)?;
            self.directory = directory.to_path_buf();
        }
        let mode = entry.header().mode().context("cannot read its mode")?;
        let mode = if mode & 0o111 == 0 { 0o444 } else { 0o555 };
        let mut file = fs::create_new(&path, mode)?;
        let written = std::io::copy(&mut entry, &mut file)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        ensure!(written == size, "`{name}` is truncated");
        Ok(())
    }
}
