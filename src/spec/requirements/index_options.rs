//! The options of a line that are about package indexes.

use super::options::Options;
use super::{Located, Location, Reader};
use crate::spec::{IndexRole, IndexUrl};

impl Reader<'_> {
    /// Keeps the options of a line that are about package indexes. As for pip, the last
    /// `--index-url` of all files counts.
    pub(super) fn index_options(&mut self, options: &Options, place: &Location) {
        let named = [
            ("--index-url", &options.index_url, IndexRole::Default),
            (
                "--extra-index-url",
                &options.extra_index_url,
                IndexRole::Extra,
            ),
        ];
        for (option, urls, role) in named {
            for url in urls {
                match IndexUrl::parse(url) {
                    Ok(value) => {
                        let place = place.clone();
                        self.spec.indexes.add(Located { value, place }, role);
                    }
                    Err(why) => {
                        let url = IndexUrl::hide_secrets(url);
                        let problem = format!("{place}: `{option} {url}`: {why}");
                        self.spec.indexes.unusable.push(problem);
                    }
                }
            }
        }
        let hosts = options.trusted_host.iter().map(|host| Located {
            value: host.clone(),
            place: place.clone(),
        });
        self.spec.indexes.trusted_hosts.extend(hosts);
        if options.no_index > 0 {
            self.spec.indexes.no_index = Some(place.clone());
        }
    }

    /// Returns the URL of a page of links; none, with a warning, if vpython cannot use it.
    pub(super) fn page_of_links(
        &mut self,
        text: &str,
        place: &Location,
    ) -> Option<Located<IndexUrl>> {
        match IndexUrl::parse(text) {
            Ok(value) => Some(Located {
                value,
                place: place.clone(),
            }),
            Err(why) => {
                let text = IndexUrl::hide_secrets(text);
                self.spec
                    .indexes
                    .warnings
                    .push(format!("{place}: `--find-links {text}` is ignored: {why}"));
                None
            }
        }
    }
}
