//! `push --built`: the wheels of specs with byte code, each in an archive of its own.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::build::BuiltWheel;
use crate::fs::Digest;
use crate::invocation::Invocation;
use crate::oci::{self, Descriptor, GrowingLayout, media_type};
use crate::plan;
use crate::portable::Standalone;
use crate::process::Process;

/// A built wheel with the name of its wheel file, without `.whl`.
pub(super) struct Named {
    stem: String,
    wheel: BuiltWheel,
}

/// Builds the wheels of command lines for their interpreters. Returns them by wheel and version of
/// python.
///
/// # Errors
/// A command line has no plan here, or a wheel cannot be unpacked or compiled.
pub(super) fn build(
    command_lines: &[Invocation],
    process: &Process,
) -> Result<BTreeMap<(Digest, String), Named>> {
    let mut built = BTreeMap::new();
    for invocation in command_lines {
        let environment = Standalone::decide(invocation, process)?;
        let names: BTreeMap<Digest, String> = environment
            .plan
            .wheels
            .iter()
            .map(|wheel| (wheel.sha256, wheel.file_name()))
            .collect();
        for wheel in environment.built_wheels()? {
            let name = names.get(&wheel.sha256()).map_or("", String::as_str);
            let stem = name.strip_suffix(".whl").unwrap_or(name).to_owned();
            let key = (wheel.sha256(), wheel.python().to_owned());
            built.insert(key, Named { stem, wheel });
        }
    }
    Ok(built)
}

/// Adds a built wheel. Returns its descriptor, and whether the layout lacked it.
pub(super) fn add(named: &Named, layout: &GrowingLayout) -> Result<(Descriptor, bool)> {
    let Named { stem, wheel } = named;
    let (mut layer, is_new) = layout.add_by(media_type::BUILT, |to| wheel.write(to))?;
    let python = wheel.python();
    let annotations = [
        (oci::TITLE, format!("{stem}.built-{python}.tar.zst")),
        (plan::WHEEL, format!("sha256:{}", wheel.sha256())),
        (plan::PYTHON, python.to_owned()),
        (plan::FORM, plan::BUILT_FORM.to_string()),
    ];
    let annotations = annotations.map(|(name, value)| (name.to_owned(), value));
    layer.annotations.extend(annotations);
    Ok((layer, is_new))
}
