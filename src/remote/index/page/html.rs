//! The HTML format (PEP 503, with the additions of PEP 592, 629, 658, 714 and 792), and the pages
//! of `--find-links`, which have links only.
//!
//! A tokenizer is enough: the facts of a file are the attributes of one `a` element, wherever that
//! is. Like pip, vpython takes the file name from the URL and ignores the text of the link.

use anyhow::Result;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use url::Url;

use super::{link, version};
use crate::remote::index::project::{IndexFile, Project, Sidecar};
use crate::report::Failure;

/// Parses the page of a project, or a page of links.
///
/// # Errors
/// The page states an unknown major version. Any other text is HTML.
pub(super) fn parse(url: &Url, content: &[u8]) -> Result<Project> {
    let mut page = Page {
        project: Project::default(),
        base: Base::Page(url.clone()),
        element: Element::default(),
        version: None,
    };
    // The events of the tokenizer, as the tags and their attributes appear.
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| {
        page.event(&event);
        None::<std::convert::Infallible>
    });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(content, emitter).finish();
    let warning = match &page.version {
        Some(text) => version::check(text).map_err(|error| {
            Failure::new("invalid page of a package index").because(error.to_string())
        })?,
        None => None,
    };
    page.project.warnings.extend(warning);
    Ok(page.project)
}

/// The URL that links are resolved against.
enum Base {
    /// The URL of the page.
    Page(Url),
    /// That of the first `base` element with an `href`; later ones do not count (HTML 4.2.3).
    Element(Url),
}

/// The state of reading a page.
struct Page {
    project: Project,
    base: Base,
    /// The start tag that is being read.
    element: Element,
    /// The version of the API that the page states.
    version: Option<String>,
}

/// A start tag.
#[derive(Default)]
struct Element {
    name: Vec<u8>,
    /// The attributes of interest, by their index in [`ATTRIBUTES`]; of repeated ones, the first.
    values: [Option<Vec<u8>>; ATTRIBUTES.len()],
    /// The attribute whose value comes next.
    current: Option<usize>,
}

const HREF: usize = 0;
const REQUIRES_PYTHON: usize = 1;
const YANKED: usize = 2;
const CORE_METADATA: usize = 3;
const DIST_INFO_METADATA: usize = 4;
const NAME: usize = 5;
const CONTENT: usize = 6;
/// The attributes of interest, in the order of the constants above.
const ATTRIBUTES: [&[u8]; 7] = [
    b"href",
    b"data-requires-python",
    b"data-yanked",
    b"data-core-metadata",
    b"data-dist-info-metadata",
    b"name",
    b"content",
];

impl Page {
    fn event(&mut self, event: &CallbackEvent<'_>) {
        let element = &mut self.element;
        match event {
            CallbackEvent::OpenStartTag { name } => {
                *element = Element {
                    name: name.to_vec(),
                    ..Element::default()
                };
            }
            CallbackEvent::AttributeName { name } => {
                let known = ATTRIBUTES.iter().position(|known| known == name);
                element.current = known.filter(|index| element.values[*index].is_none());
                if let Some(index) = element.current {
                    element.values[index] = Some(Vec::new());
                }
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some(index) = element.current.take() {
                    element.values[index] = Some(value.to_vec());
                }
            }
            CallbackEvent::CloseStartTag { .. } => {
                let element = std::mem::take(element);
                self.element(&element);
            }
            CallbackEvent::EndTag { .. } => *element = Element::default(),
            _ => {}
        }
    }

    fn element(&mut self, element: &Element) {
        match element.name.as_slice() {
            b"a" => self.anchor(element),
            b"base" => {
                if let (Base::Page(url), Some(href)) = (&self.base, element.text(HREF))
                    && let Some(url) = link::resolve(url, &href)
                {
                    self.base = Base::Element(url);
                }
            }
            b"meta" => {
                let content = || element.text(CONTENT);
                match element.text(NAME).as_deref() {
                    Some("pypi:repository-version") => self.version = content(),
                    Some("pypi:project-status") => {
                        self.project.status = content().filter(|status| status != "active");
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn anchor(&mut self, element: &Element) {
        let Some(href) = element.text(HREF) else {
            return;
        };
        let (Base::Page(base) | Base::Element(base)) = &self.base;
        link::add(&mut self.project, base, &href, |file: &mut IndexFile| {
            file.requires_python = element
                .text(REQUIRES_PYTHON)
                .filter(|range| !range.is_empty());
            file.yanked = element.text(YANKED);
            file.metadata = element.sidecar();
        });
    }
}

impl Element {
    /// Returns the value of an attribute without surrounding white space; bytes that are not UTF-8
    /// are replaced.
    fn text(&self, attribute: usize) -> Option<String> {
        let value = self.values[attribute].as_deref()?;
        Some(String::from_utf8_lossy(value).trim().to_owned())
    }

    /// Returns whether there is a metadata file: the attribute of PEP 714, or else that of PEP 658.
    fn sidecar(&self) -> Sidecar {
        let stated = self
            .text(CORE_METADATA)
            .or_else(|| self.text(DIST_INFO_METADATA));
        match stated.as_deref() {
            None | Some("false") => Sidecar::Absent,
            Some(text) => text
                .split_once('=')
                .filter(|(algorithm, _)| *algorithm == "sha256")
                .and_then(|(_, digest)| digest.parse().ok())
                .map_or(Sidecar::Unhashed, Sidecar::Hashed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Project> {
        let url = Url::parse("https://index.example/simple/a/").unwrap();
        parse(&url, content.as_bytes())
    }

    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn all_facts_of_a_link_are_read() {
        let page = format!(
            "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.5\">\
             <meta name='pypi:project-status' content='deprecated'></head><body>\
             <a href=\"../../f/a-1%2Bx-py3-none-any.whl#sha256={SHA256}\" data-requires-python=\"&gt;=3.8,&lt;4\"\
              data-yanked=\"it's &quot;broken&quot;\" data-core-metadata=\"sha256={SHA256}\"\
              data-dist-info-metadata=false>a <b>bold</b> text</a><br/>\n\
             <A HREF=a-2-py3-none-any.whl data-yanked data-dist-info-metadata='true'>x</A>\
             <a href='a-2.tar.gz'>a-2.tar.gz</a><a href='../b/'>up</a><a>none</a><a name=x></a>\
             <!-- <a href='c-1-py3-none-any.whl'>commented</a> -->\
             <script>'<a href=\"d-1-py3-none-any.whl\">'</script>"
        );
        let digest: crate::fs::Digest = SHA256.parse().unwrap();
        let project = read(&page).unwrap();
        let expected = [
            IndexFile {
                file_name: "a-1+x-py3-none-any.whl".into(),
                url: "https://index.example/f/a-1%2Bx-py3-none-any.whl".into(),
                hashes: crate::remote::index::project::Hashes {
                    sha256: Some(digest),
                    ..Default::default()
                },
                requires_python: Some(">=3.8,<4".into()),
                yanked: Some("it's \"broken\"".into()),
                metadata: Sidecar::Hashed(digest),
                ..IndexFile::default()
            },
            IndexFile {
                file_name: "a-2-py3-none-any.whl".into(),
                url: "https://index.example/simple/a/a-2-py3-none-any.whl".into(),
                yanked: Some(String::new()),
                metadata: Sidecar::Unhashed,
                ..IndexFile::default()
            },
        ];
        assert_eq!(project.wheels, expected);
        assert_eq!(project.source_versions, ["2"]);
        assert_eq!(project.status.as_deref(), Some("deprecated"));
        let warning = "it has version 1.5 of the index API, and vpython knows 1.4";
        assert_eq!(project.warnings, [warning]);
    }

    #[test]
    fn links_are_relative_to_the_first_base() {
        let urls = |content: &str| {
            let wheels = read(content).unwrap().wheels;
            let urls: Vec<_> = wheels.into_iter().map(|file| file.url).collect();
            urls
        };
        let link = "<a href='a-1-py3-none-any.whl'>";
        assert_eq!(
            urls(&format!(
                "<base target=x><base href='/files/'><base href='/x/'>{link}"
            )),
            ["https://index.example/files/a-1-py3-none-any.whl"]
        );
        assert_eq!(
            urls(&format!("<base href='file:///x/'>{link}")),
            ["https://index.example/simple/a/a-1-py3-none-any.whl"],
            "a base on this machine does not count"
        );
    }

    #[test]
    fn any_other_text_is_a_page_without_links() {
        for content in [
            "",
            "{}",
            "\0\u{feff}",
            "<a href=",
            "<a <a <a href='x",
            "<<<>>",
        ] {
            assert_eq!(read(content).unwrap(), Project::default(), "{content:?}");
        }
        let error = read("<meta name='pypi:repository-version' content='2.0'>").unwrap_err();
        assert_eq!(
            crate::report::one_line(&error),
            "invalid page of a package index: it has version 2.0 of the index API, and vpython knows version 1"
        );
    }

    #[test]
    fn repeated_attributes_count_once() {
        let page = "<a href='a-1-py3-none-any.whl' href='b-1-py3-none-any.whl'></a href='c-1-py3-none-any.whl'>";
        assert_eq!(read(page).unwrap().wheels.len(), 1);
        assert_eq!(
            read(page).unwrap().wheels[0].file_name,
            "a-1-py3-none-any.whl"
        );
    }
}
