//! The `.dist-info` and `.data` directories of a wheel, and the version of its format.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::Archive;

/// Returns the only top-level directory of the wheel with this ending, whose name must consist of
/// the wheel's project and version.
pub fn own_directory(
    archive: &Archive,
    project: &PackageName,
    version: &Version,
    ending: &str,
) -> Result<Option<String>> {
    let tops = archive
        .members()
        .iter()
        .filter_map(|member| member.name.split_once('/'));
    let mut directories: BTreeSet<String> = tops
        .map(|(directory, _)| directory)
        .filter(|directory| directory.ends_with(ending))
        .map(str::to_owned)
        .collect();
    if directories.len() > 1 {
        bail!(
            "it has more than one `{ending}` directory: {}",
            directories.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    let Some(directory) = directories.pop_first() else {
        return Ok(None);
    };
    // Compare project and version in normalized form.
    let (of_project, of_version) = directory
        .trim_end_matches(ending)
        .split_once('-')
        .unwrap_or_default();
    let is_its_own = of_project
        .parse()
        .is_ok_and(|name: PackageName| name == *project)
        && of_version
            .replace('_', "-")
            .parse()
            .is_ok_and(|parsed: Version| parsed == *version);
    if !is_its_own {
        bail!("`{directory}` is not the directory of `{project}` {version}");
    }
    Ok(Some(directory))
}

/// Rejects an unsupported major version of the wheel format.
pub fn check_wheel_version(text: &[u8]) -> Result<()> {
    let (headers, _) =
        mailparse::parse_headers(text).context("its `WHEEL` file is not a block of headers")?;
    let version = mailparse::MailHeaderMap::get_first_value(&headers[..], "Wheel-Version")
        .unwrap_or_default();
    match version.split_once('.') {
        Some(("1", minor))
            if !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Ok(())
        }
        _ => bail!("its `Wheel-Version` is `{version}`, but only 1.x is supported"),
    }
}
