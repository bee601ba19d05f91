//! The version of the index API that a page states (PEP 629).

use anyhow::{Result, bail};

/// The newest version that vpython knows: project status markers (PEP 792).
const NEWEST: (u32, u32) = (1, 4);

/// Checks the version of a page. Returns a warning if the page may contain what vpython does not
/// know.
///
/// # Errors
/// The major version is unknown, or the text is not a version.
pub(super) fn check(text: &str) -> Result<Option<String>> {
    let numbers = text
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let Some((major, minor)): Option<(u32, u32)> = numbers else {
        bail!("`{}` is not a version of the index API", shown(text));
    };
    if major != NEWEST.0 {
        bail!("it has version {text} of the index API, and vpython knows version 1");
    }
    Ok((minor > NEWEST.1).then(|| {
        format!(
            "it has version {text} of the index API, and vpython knows {}.{}",
            NEWEST.0, NEWEST.1
        )
    }))
}

/// Returns the beginning of a text from outside, without control characters.
fn shown(text: &str) -> String {
    text.chars()
        .take(40)
        .filter(|character| !character.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_minor_version_is_a_warning_and_another_major_one_an_error() {
        let check = |text| check(text).map_err(|error| error.to_string());
        assert_eq!(check("1.0"), Ok(None));
        assert_eq!(check("1.4"), Ok(None));
        let warning = "it has version 1.5 of the index API, and vpython knows 1.4";
        assert_eq!(check("1.5"), Ok(Some(warning.into())));
        let error = "it has version 2.0 of the index API, and vpython knows version 1";
        assert_eq!(check("2.0"), Err(error.into()));
        assert_eq!(
            check("one"),
            Err("`one` is not a version of the index API".into())
        );
    }
}
