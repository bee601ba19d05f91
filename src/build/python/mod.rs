//! Interpreters from images: the copy of an interpreter that `push --python` has put into an image
//! layout or a registry, in the store.
//!
//! On a machine with the loader that the interpreter names, the copy uses the C library of this
//! machine, and only the layer of the interpreter is read. On another machine, such as an empty root
//! file system, the layer with the C library is added, and the binary gets the absolute path of that
//! loader and of those libraries: then it needs neither a system nor `/proc`.

mod binary;
mod check;
mod elf_form;
mod image;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tracing::{debug, info_span};

use crate::fs::{self, Digest, TextPath};
use crate::invocation::Invocation;
use crate::oci::{PinnedReference, Reference};
use crate::packed::manifest::PackManifest;
use crate::plan;
use crate::process::{Process, no_input, no_output};
use crate::remote::registry::Registry;
use crate::report::{Failure, progress};
use crate::store::{CLibrary, PYTHON_RECORD, Python, PythonRecord, Store};
use binary::Binary;
use image::{PythonImage, Registries};

pub use binary::loader_of;
pub use check::check_python;

/// The directory of the C library in a copy.
const LIBRARIES: &str = "libc";

/// An interpreter that is needed.
pub struct WantedPython<'a> {
    /// Its image.
    pub image: &'a PinnedReference,
    /// Whether a registry may be asked for it.
    pub may_fetch: bool,
}

/// Returns the copy of an interpreter in the store, or in a shared root. Copies it if it is in
/// neither.
///
/// # Errors
/// The image cannot be read, is not one of an interpreter for this machine, or differs from its
/// digest; or it is in a registry, which this launch may not ask.
pub fn python(
    wanted: &WantedPython<'_>,
    store: &Store,
    invocation: &Invocation,
    process: &Process,
) -> Result<Python> {
    let image = wanted.image;
    if let Some(python) = store.find_python(&image.digest) {
        return Ok(python);
    }
    let cannot = || Failure::new(format!("cannot use the interpreter from `{image}`"));
    if store.is_read_only() {
        let why = format!("it is not in the store `{}` yet", store.root().display());
        let hint = format!(
            "`{}` copies it there",
            invocation.command_of_tool("install")
        );
        return Err(cannot().because(why).hint(hint).into());
    }
    if matches!(image.reference, Reference::Registry(_)) && !wanted.may_fetch {
        let why = "it is in a registry, and this launch may not use the network";
        let hint = "fetch at launch: `-vpython-fetch`, `VPYTHON_FETCH=1`, or `fetch = true` under \
                    `[tool.vpython]`; or copy it into an image layout on disk, by `skopeo copy`";
        return Err(cannot().because(why).hint(hint).into());
    }
    store.prepare()?;
    progress::phase("fetching the interpreter");
    let _fetching = info_span!("fetch the interpreter", image = %image).entered();
    let directory = store.python_path(&image.digest);
    let inputs = Digest::of(image.to_string().as_bytes());
    let copied = store.python(&image.digest, inputs, |staging| {
        let _umask = fs::PlainUmask::set();
        let connect = || registries(image, invocation, process);
        let copy = Copy {
            image: PythonImage::open(image, connect)?,
            staging,
            directory: &directory,
        };
        copy.make(image)
    });
    copied.with_context(|| cannot().to_string())
}

/// Returns the repositories that may have an image: that of `VPYTHON_REGISTRY`, and its own.
fn registries(
    image: &PinnedReference,
    invocation: &Invocation,
    process: &Process,
) -> Result<Registries> {
    let client = plan::registry_client(invocation, process)?;
    let own = match &image.reference {
        Reference::Registry(own) => Some(own.clone()),
        Reference::Layout(_) => None,
    };
    let references = plan::registry_of_site(process)?.into_iter().chain(own);
    let registries = references.map(|reference| Registry::new(&client, &reference));
    registries.collect::<Result<_>>().map(Registries)
}

/// A copy of an interpreter that is being made.
struct Copy<'a> {
    image: PythonImage,
    /// The empty directory that it is made in.
    staging: &'a Path,
    /// Its final path.
    directory: &'a Path,
}

impl Copy<'_> {
    fn make(mut self, image: &PinnedReference) -> Result<PythonRecord> {
        let layer = self.image.interpreter.clone();
        let manifest = self.image.extract(&layer, self.staging)?;
        let executable = self.executable(&manifest)?;
        let libraries = self.libraries(&executable)?;
        let reference = image.to_string();
        let record = PythonRecord::new(
            image.digest,
            reference,
            manifest.python,
            executable,
            libraries,
        );
        // The record comes last: it makes the copy complete.
        let text = fs::seal(&serde_json::to_vec_pretty(&record)?);
        fs::write_new(&self.staging.join(PYTHON_RECORD), &text, 0o444)?;
        Ok(record)
    }

    /// Returns the path of the binary in the copy, which a link leads to.
    fn executable(&self, manifest: &PackManifest) -> Result<String> {
        let name = if manifest.python.starts_with("2.") {
            "bin/python2.7"
        } else {
            "bin/python3"
        };
        let link = self.staging.join(name);
        let real = fs::canonicalize(&link).context("it contains no interpreter")?;
        let staging = fs::canonicalize(self.staging)?;
        let relative = real.strip_prefix(&staging)?;
        let text = relative.to_str();
        Ok(text
            .context("the name of its binary is not UTF-8")?
            .to_owned())
    }

    /// Decides how the copy finds the C library, and adds it if this machine has none that fits.
    fn libraries(&mut self, executable: &str) -> Result<CLibrary> {
        let path = self.staging.join(executable);
        let Some(binary) = Binary::parse(fs::read(&path)?)? else {
            return Ok(CLibrary::Machine { loader: None });
        };
        let loader = binary.loader().to_path_buf();
        let is_here = fs::exists(&loader);
        let of_machine = CLibrary::Machine {
            loader: Some(TextPath(loader.clone())),
        };
        let Some(layer) = self.image.c_library.clone() else {
            if is_here {
                return Ok(of_machine);
            }
            let loader = loader.display();
            let failure = Failure::new(format!(
                "it needs the loader `{loader}`, which does not exist, and the image has no C library"
            ));
            return Err(failure
                .hint("push it again with this version of vpython")
                .into());
        };
        // The C library of this machine may be older than the one that it was built with.
        if is_here && starts(&path) {
            return Ok(of_machine);
        }
        debug!(loader = %loader.display(), "the interpreter gets its own C library");
        let libraries = self.staging.join(LIBRARIES);
        fs::create_dir(&libraries, 0o755)?;
        self.image.extract(&layer, &libraries)?;
        let name = loader.file_name().unwrap_or_default();
        if !fs::is_file(&libraries.join(name)) {
            let name = name.to_string_lossy();
            return Err(Failure::new(format!("its C library has no loader `{name}`")).into());
        }
        let at = self.directory.join(LIBRARIES);
        let run_path = |old: &[u8]| run_path(&at, &self.directory.join(executable), old);
        let content = binary.with(&at.join(name), run_path)?;
        fs::replace(&path, &content, 0o555)?;
        Ok(CLibrary::Own {
            place: TextPath(self.directory.to_path_buf()),
            executable: Digest::of(&content),
        })
    }
}

/// Returns the run path of the binary at `executable`: that of the C library, and its old one
/// without `$ORIGIN`, which needs `/proc`.
fn run_path(libraries: &Path, executable: &Path, old: &[u8]) -> Vec<u8> {
    let origin = executable.parent().unwrap_or(executable);
    let origin = origin.to_string_lossy();
    let old = String::from_utf8_lossy(old);
    let old = old.split(':').filter(|entry| !entry.is_empty());
    let old = old.map(|entry| entry.replace("${ORIGIN}", &origin));
    let old = old.map(|entry| entry.replace("$ORIGIN", &origin));
    let own = libraries.to_string_lossy().into_owned();
    let entries: Vec<String> = std::iter::once(own).chain(old).collect();
    entries.join(":").into_bytes()
}

/// Returns whether an interpreter starts.
fn starts(executable: &Path) -> bool {
    let mut command = Command::new(executable);
    let command = command.args(["-S", "-c", ""]).env_clear();
    let command = command.stdin(no_input()).stdout(no_output());
    let status = command.stderr(no_output()).status();
    debug!(?status, "started the copied interpreter");
    status.is_ok_and(|status| status.success())
}

/// Returns whether the interpreter at a path is a copy with its own C library.
pub(super) fn has_own_library(executable: &Path) -> bool {
    let copy = executable.parent().and_then(Path::parent);
    let record = copy.map(|copy| copy.join(PYTHON_RECORD));
    let record: Option<PythonRecord> = record.and_then(|record| fs::read_json(&record));
    record.is_some_and(|record| matches!(record.libraries, CLibrary::Own { .. }))
}

/// Returns the path of the C library's list of members in a copy.
fn libraries_of(python: &Python) -> Option<PathBuf> {
    matches!(python.record.libraries, CLibrary::Own { .. })
        .then(|| python.directory.join(LIBRARIES))
}
