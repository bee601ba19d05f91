//! `push --python`: the interpreter of a command line as an image.

use std::ffi::OsString;

use anyhow::Result;
use bytesize::ByteSize;

use super::command_lines;
use super::destination::Destination;
use crate::fs::Trust;
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::oci::{GrowingLayout, PinnedReference};
use crate::plan::{self, Evidence};
use crate::portable::PythonImage;
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec;
use crate::store::Store;

/// Copies the interpreter of a command line to `destination`, and prints the reference by which
/// specs name it. Returns the exit code.
///
/// # Errors
/// The interpreter is not relocatable, the layout cannot be written, or the registry refuses it.
pub(super) fn run(
    destination: &Destination,
    sources: &[OsString],
    invocation: &Invocation,
    process: &Process,
) -> Result<i32> {
    let interpreter = interpreter(sources, invocation, process)?;
    // To copy takes time, so a registry that refuses is noticed before.
    destination.check()?;
    let growing = GrowingLayout::open(destination.layout(), &Trust::of_user(process.user))?;
    let image = PythonImage::write(&interpreter, &growing, process)?;
    let threads = if interpreter.abi.free_threaded {
        "t"
    } else {
        ""
    };
    let own_tag = format!("{}{threads}", interpreter.version());
    let tags = [destination.tag().map_or(own_tag.clone(), str::to_owned)];
    let count = image.blobs.len();
    growing.tag(&image.manifest, &tags)?;
    let (new, bytes) = match destination.send_image(&image.manifest, image.blobs, &tags)? {
        Some(sent) => (sent.blobs, sent.bytes),
        None => (image.new, image.new_bytes),
    };
    let pinned = PinnedReference {
        reference: destination.reference(own_tag),
        digest: image.manifest.digest,
    };
    report::print(format!("{pinned}\n").as_bytes())?;
    invocation.notice(|| {
        let (title, place) = (interpreter.title(), &pinned.reference);
        let what = match new {
            0 => "nothing new".to_owned(),
            new => format!("{new} of {count} blobs new, {}", ByteSize::b(bytes)),
        };
        format!("{title} in `{place}`: {what}")
    });
    Ok(0)
}

/// Returns the interpreter of a command line, or of the script or spec that it names.
fn interpreter(sources: &[OsString], invocation: &Invocation, process: &Process) -> Result<Facts> {
    if sources.len() > 1 {
        let failure = Failure::new("`push --python` takes one script or spec");
        let why = "each has an interpreter of its own";
        return Err(failure.because(why).into());
    }
    let command_lines = command_lines(sources, invocation, process)?;
    let invocation = command_lines.first().unwrap_or(invocation);
    let store = Store::open(invocation, process)?;
    store.prepare()?;
    let text = spec::find(invocation, process)?;
    let spec = text.parse(invocation, process)?;
    invocation.warn(text.warnings.iter().chain(&spec.warnings));
    let is_named = invocation.interpreter.is_some();
    let of_spec = spec.interpreter.as_ref().filter(|_| !is_named);
    let of_spec = of_spec.map(|image| &image.value);
    if let Some(image) = invocation.interpreter_image.as_ref().or(of_spec) {
        let failure = Failure::new(format!("the interpreter is in the image `{image}` already"));
        return Err(failure
            .hint("copy the image with `skopeo copy`, or name an interpreter of this machine with `-vpython-interpreter`")
            .into());
    }
    let memo = store.memo_directory();
    let mut evidence = Evidence::default();
    plan::find_interpreter(invocation, &spec, process, Some(&memo), &mut evidence)
}
