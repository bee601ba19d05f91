//! `-vpython-tool push DESTINATION [SCRIPT...]`: copies the wheels of specs into an image layout,
//! `oci:DIR[:TAG]`, or a registry, `oci://HOST/REPO[:TAG]`.

mod built;
mod destination;
mod python;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bytesize::ByteSize;

use crate::fs::{self, Digest, Trust};
use crate::invocation::{Invocation, Push, Target};
use crate::launch;
use crate::oci::{self, Descriptor, GrowingLayout, Manifest, Reference};
use crate::plan::{self, WheelOnDisk};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::{self, SpecKind};
use crate::store::Store;
use built::Named;
use destination::Destination;

/// The media type of a wheel.
const WHEEL: &str = "application/zip";
/// The configuration of a manifest that is not an image.
const EMPTY: &[u8] = b"{}";
/// The number of hexadecimal digits in the tag that is derived from the wheels.
const TAG_DIGITS: usize = 40;

/// Copies the wheels of the specs of a command line into an image layout or a registry, and prints
/// the digest of their manifest. Returns the exit code.
///
/// # Errors
/// The layout cannot be written, the registry refuses the wheels, or a wheel is missing.
pub fn run(options: &Push, invocation: &Invocation, process: &Process) -> Result<i32> {
    if options.python && options.built {
        let what = "`--python` and `--built` of `-vpython-tool push` cannot be used together";
        let why = "`--python` copies an interpreter, and `--built` wheels";
        return Err(Failure::new(what).because(why).into());
    }
    let words = invocation.words.iter().filter(|word| *word != "--");
    let mut words = words.cloned();
    let destination = Destination::read(words.next(), invocation, process)?;
    let sources: Vec<OsString> = words.collect();
    if options.python {
        return python::run(&destination, &sources, invocation, process);
    }
    let command_lines = command_lines(&sources, invocation, process)?;
    let wheels = wheels(&command_lines, process)?;
    // To compile takes time, in which others may add to the layout.
    let built = if options.built {
        destination.check()?;
        built::build(&command_lines, process)?
    } else {
        BTreeMap::new()
    };
    let growing = GrowingLayout::open(destination.layout(), &Trust::of_user(process.user))?;
    let (layers, mut new) = add(&wheels, built.values(), &growing)?;
    let own_tag = tag(&layers);
    let mut tags = vec![own_tag.clone()];
    tags.extend(destination.tag().map(str::to_owned));
    let manifest = add_manifest(layers.clone(), &growing)?;
    let mut is_changed = growing.tag(&manifest, &tags)?;
    if let Some(sent) = destination.send(&manifest, layers, &tags)? {
        (new.wheels, new.bytes) = (sent.blobs, sent.bytes);
        is_changed = true;
    }
    report::print(format!("sha256:{}\n", manifest.digest).as_bytes())?;
    let shown = destination.reference(own_tag);
    invocation.notice(|| summary(wheels.len(), built.len(), &shown, new, is_changed));
    Ok(0)
}

/// Returns the wheels of all specs, sorted by name.
fn wheels(command_lines: &[Invocation], process: &Process) -> Result<Vec<WheelOnDisk>> {
    let mut found: BTreeMap<Digest, WheelOnDisk> = BTreeMap::new();
    for invocation in command_lines {
        let store = Store::open(invocation, process)?;
        store.prepare()?;
        let text = spec::find(invocation, process)?;
        if text.kind == SpecKind::None {
            let failure = Failure::new("there is no spec whose wheels can be pushed");
            return Err(failure
                .hint("name a script or a spec after the destination")
                .into());
        }
        let spec = text.parse(invocation, process)?;
        invocation.warn(text.warnings.iter().chain(&spec.warnings));
        let memo = store.memo_directory();
        let here = launch::with_interpreter(&spec, &store, invocation, process)?;
        found.extend(plan::on_disk(&spec, &here, process, &memo)?);
    }
    let mut wheels: Vec<WheelOnDisk> = found.into_values().collect();
    wheels.sort_by(|one, other| one.file_name.cmp(&other.file_name));
    if wheels.is_empty() {
        return Err(Failure::new("there is no wheel to push: the specs require none").into());
    }
    for pair in wheels.windows(2) {
        if let [one, other] = pair
            && one.file_name == other.file_name
        {
            let what = format!("the specs use two wheels `{}`", one.file_name);
            let files = [one, other].map(|wheel| {
                let path = wheel.path.display();
                format!("`{path}` has the sha256 `{}`", wheel.sha256)
            });
            let failure = Failure::new(what).because_of(files);
            return Err(failure.hint("push one spec after the other").into());
        }
    }
    Ok(wheels)
}

/// Returns a command line for each script or spec; without any, the one that was given.
fn command_lines(
    sources: &[OsString],
    invocation: &Invocation,
    process: &Process,
) -> Result<Vec<Invocation>> {
    if sources.is_empty() {
        return Ok(vec![Invocation {
            target: Target::None,
            ..invocation.clone()
        }]);
    }
    let of_source = |source: &OsString| {
        let path = PathBuf::from(source);
        if !fs::look_for(&process.absolute(&path))? {
            let what = format!("there is no script or spec `{}`", path.display());
            return Err(Failure::new(what).into());
        }
        let mut invocation = invocation.clone();
        if is_spec(&path) {
            // Hints name the whole command.
            let flag = format!("--vpython-spec={}", path.display());
            invocation.own_words.push(flag.into());
            invocation.spec = Some(process.absolute(&path));
            invocation.target = Target::None;
        } else {
            invocation.target = Target::Script(path);
        }
        Ok(invocation)
    };
    sources.iter().map(of_source).collect()
}

/// Checks whether a file is named like a spec, not like a script.
fn is_spec(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".toml", ".txt", ".vpython", ".vpython3"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The wheels and bytes that a layout lacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct New {
    wheels: usize,
    bytes: u64,
}

impl New {
    /// Counts a blob if it is new.
    fn count(&mut self, layer: &Descriptor, is_new: bool) {
        if is_new {
            self.wheels += 1;
            self.bytes += layer.size;
        }
    }
}

/// Adds the wheels. Returns their descriptors, those of built wheels last.
fn add<'a>(
    wheels: &[WheelOnDisk],
    built: impl Iterator<Item = &'a Named>,
    layout: &GrowingLayout,
) -> Result<(Vec<Descriptor>, New)> {
    let mut new = New::default();
    let mut layers = Vec::new();
    for wheel in wheels {
        let metadata = fs::metadata(&wheel.path)?;
        let mut layer = Descriptor {
            digest: wheel.sha256,
            size: metadata.map_or(0, |metadata| metadata.len()),
            ..Descriptor::of(WHEEL, b"")
        };
        let is_new = layout.add_copy(&layer, &wheel.path)?;
        new.count(&layer, is_new);
        let title = (oci::TITLE.to_owned(), wheel.file_name.clone());
        layer.annotations.extend([title]);
        layers.push(layer);
    }
    for named in built {
        let (layer, is_new) = built::add(named, layout)?;
        new.count(&layer, is_new);
        layers.push(layer);
    }
    Ok((layers, new))
}

/// Adds the manifest of these layers, which is not listed yet.
fn add_manifest(layers: Vec<Descriptor>, layout: &GrowingLayout) -> Result<Descriptor> {
    let (config, _) = layout.add(oci::media_type::EMPTY, EMPTY)?;
    let manifest = Manifest {
        artifact_type: Some(oci::WHEELS_TYPE.to_owned()),
        ..Manifest::new(config, layers)
    };
    let text = serde_json::to_vec(&manifest)?;
    let (descriptor, _) = layout.add(oci::media_type::MANIFEST, &text)?;
    Ok(Descriptor {
        artifact_type: Some(oci::WHEELS_TYPE.to_owned()),
        ..descriptor
    })
}

/// Returns the tag of a set of wheels: a digest of the lines with their digests, sorted.
fn tag(layers: &[Descriptor]) -> String {
    let mut lines: Vec<String> = layers
        .iter()
        .map(|layer| format!("{}\n", layer.digest))
        .collect();
    lines.sort_unstable();
    let digest = Digest::of(lines.concat().as_bytes()).to_string();
    format!("{}{}", oci::DERIVED_TAG, &digest[..TAG_DIGITS])
}

/// Describes the `count` wheels that were pushed, of which `built` are built too.
fn summary(
    count: usize,
    built: usize,
    destination: &Reference,
    new: New,
    is_changed: bool,
) -> String {
    let s = if count == 1 { "" } else { "s" };
    let also = if built == 0 {
        String::new()
    } else {
        format!(" and {built} built")
    };
    let what = match new {
        New { wheels: 0, .. } if is_changed => "none of them new".to_owned(),
        New { wheels: 0, .. } => "nothing new".to_owned(),
        New { wheels, bytes } => format!("{wheels} new, {}", ByteSize::b(bytes)),
    };
    format!("{count} wheel{s}{also} in `{destination}`: {what}")
}
