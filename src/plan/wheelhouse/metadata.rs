//! What a wheel says of itself, in the core metadata of its `METADATA` file:
//! <https://packaging.python.org/en/latest/specifications/core-metadata/>.

use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use mailparse::MailHeaderMap;
use serde::{Deserialize, Serialize};
use zip::ZipArchive;

use super::WheelName;
use crate::fs;
use crate::report::Failure;

/// The part of the metadata that a plan depends on, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// `Requires-Dist`, a requirement each.
    pub requires_dist: Vec<String>,
    /// `Requires-Python`, a range of versions.
    pub requires_python: Option<String>,
    /// `Provides-Extra`, a name each.
    pub extras: Vec<String>,
}

/// Reads the metadata of the wheel at `path`.
///
/// # Errors
/// It is no zip archive, has no `METADATA`, or is another project's than its file name says.
pub(super) fn read(path: &Path, name: &WheelName) -> Result<Metadata> {
    let context = || format!("cannot read `{}` as a wheel", path.display());
    let mut archive = ZipArchive::new(BufReader::new(fs::open(path)?)).with_context(context)?;
    let member = metadata_member(&archive, name).ok_or_else(|| {
        Failure::new(context()).because(format!("it has no `METADATA` of `{}` {}", name.project, name.version))
    })?;
    let mut text = Vec::new();
    archive.by_name(&member).with_context(context)?.read_to_end(&mut text).with_context(context)?;
    parse(&text, name).with_context(context)
}

/// The `METADATA` in the one `.dist-info` folder that is named after the project.
fn metadata_member<R: Read + std::io::Seek>(archive: &ZipArchive<R>, name: &WheelName) -> Option<String> {
    let is_ours = |member: &str| {
        let folder = member.strip_suffix(".dist-info/METADATA").filter(|folder| !folder.contains('/'));
        let project = folder.and_then(|folder| folder.split('-').next());
        project.is_some_and(|project| project.parse().is_ok_and(|project: pep508_rs::PackageName| project == name.project))
    };
    archive.file_names().flatten().find(|member| is_ours(member)).map(std::borrow::Cow::into_owned)
}

fn parse(text: &[u8], name: &WheelName) -> Result<Metadata> {
    let (headers, _) = mailparse::parse_headers(text).context("its `METADATA` is no block of headers")?;
    let stated = headers.get_first_value("Name").unwrap_or_default();
    if stated.parse::<pep508_rs::PackageName>().ok().as_ref() != Some(&name.project) {
        return Err(Failure::new(format!("its `METADATA` is that of `{stated}`")).into());
    }
    let version = headers.get_first_value("Version").unwrap_or_default();
    if version.parse::<pep440_rs::Version>().ok().as_ref() != Some(&name.version) {
        return Err(Failure::new(format!("its `METADATA` is that of version `{version}`")).into());
    }
    Ok(Metadata {
        requires_dist: headers.get_all_values("Requires-Dist"),
        requires_python: headers.get_first_value("Requires-Python"),
        extras: headers.get_all_values("Provides-Extra"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: c (>=1)\n\
                          Requires-Dist: d ; extra == 'x'\nProvides-Extra: x\n\nA long text: with a colon.\n";

    #[test]
    fn the_headers_are_read_and_the_text_is_not() {
        let metadata = parse(TEXT, &WheelName::parse("a_b-1.0-py3-none-any.whl").unwrap()).unwrap();
        assert_eq!(metadata.requires_dist, ["c (>=1)", "d ; extra == 'x'"]);
        assert_eq!(metadata.requires_python.as_deref(), Some(">=3.8"));
        assert_eq!(metadata.extras, ["x"]);
    }

    #[test]
    fn the_metadata_of_another_project_is_refused() {
        let error = parse(TEXT, &WheelName::parse("b-1.0-py3-none-any.whl").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "its `METADATA` is that of `A.b`");
        let error = parse(TEXT, &WheelName::parse("a_b-1.1-py3-none-any.whl").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "its `METADATA` is that of version `1.0`");
    }
}
