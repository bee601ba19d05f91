//! The pages of the simple repository API: one parser for each of its two formats.
//!
//! <https://packaging.python.org/en/latest/specifications/simple-repository-api/>

mod html;
mod json;
mod link;
mod version;

use anyhow::Result;
use url::Url;

use super::project::Project;
use crate::report::Failure;

/// The `Accept` header of a request for a page, with pip's quality values: JSON (PEP 691) if the
/// index has it, otherwise HTML.
pub const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
                          application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";

/// The largest accepted page, in bytes after decompression. The largest ones of PyPI have about
/// 50 MB; the parsed form of a page is smaller than the page.
pub const LIMIT: u64 = 256 << 20;

/// The format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON (PEP 691).
    Json,
    /// HTML (PEP 503).
    Html,
}

impl Format {
    /// Returns the format that a `Content-Type` header states, without regard to its parameters.
    ///
    /// # Errors
    /// It is another type, or a later major version of the API.
    pub fn of(content_type: Option<&str>) -> Result<Self> {
        let written = content_type.unwrap_or_default();
        let kind = written.split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        match kind.as_str() {
            "application/vnd.pypi.simple.v1+json" => return Ok(Self::Json),
            "application/vnd.pypi.simple.v1+html" | "text/html" => return Ok(Self::Html),
            _ => {}
        }
        let why = if kind.is_empty() {
            "the answer states no content type".to_owned()
        } else if kind.starts_with("application/vnd.pypi.simple.") {
            format!("`{kind}` is a version of the index API that vpython does not know")
        } else {
            format!("its content type is `{kind}`, and an index has HTML or JSON")
        };
        Err(Failure::new("not a page of a package index")
            .because(why)
            .into())
    }
}

/// Parses the page of a project, or a page of links to files of any project.
///
/// `url` is the final URL of the page, after redirects, against which links are resolved.
///
/// # Errors
/// The text does not have the format, or states an unknown major version of the API.
pub fn parse(format: Format, url: &Url, content: &[u8]) -> Result<Project> {
    match format {
        Format::Json => json::parse(url, content),
        Format::Html => html::parse(url, content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_decides_on_the_format() {
        let format = |header| Format::of(header).map_err(|error| crate::report::one_line(&error));
        let rows = [
            ("application/vnd.pypi.simple.v1+json", Format::Json),
            ("Application/VND.pypi.simple.v1+HTML", Format::Html),
            ("text/html; charset=utf-8", Format::Html),
        ];
        for (header, expected) in rows {
            assert_eq!(format(Some(header)), Ok(expected), "{header}");
        }
        let rows = [
            (None, "the answer states no content type"),
            (
                Some("application/vnd.pypi.simple.v2+json"),
                "`application/vnd.pypi.simple.v2+json` is a version of the index API that vpython does not know",
            ),
            (
                Some("text/plain"),
                "its content type is `text/plain`, and an index has HTML or JSON",
            ),
        ];
        for (header, why) in rows {
            let message = format!("not a page of a package index: {why}");
            assert_eq!(format(header), Err(message), "{header:?}");
        }
    }
}
