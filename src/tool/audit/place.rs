//! Places of this machine, and the text of files that names one.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memchr::{memchr, memmem};

/// The home of the superuser.
const SUPERUSERS: &str = "/root";
/// How much of what is named is shown.
const SHOWN: usize = 100;

/// Places that no file should name.
#[derive(Debug)]
pub(super) struct Places {
    places: Vec<PathBuf>,
    /// One that may be named all the same.
    but: Option<PathBuf>,
}

impl Places {
    /// Places that tell one machine from another: such as every system has are left out.
    pub fn new<'a>(places: impl IntoIterator<Item = &'a Path>, but: Option<&Path>) -> Self {
        let places = places
            .into_iter()
            .filter(|place| is_telling(place))
            .map(Path::to_path_buf)
            .collect();
        Self {
            places,
            but: but.map(Path::to_path_buf),
        }
    }

    /// The first path in a content that is one of the places or within it.
    pub fn find(&self, content: &[u8], form: Form) -> Option<String> {
        let starts = self.places.iter().filter_map(|place| {
            let found = memmem::find_iter(content, place.as_os_str().as_bytes());
            found.into_iter().find(|start| {
                is_whole(content, *start, place, form) && !self.may_be(content, *start, form)
            })
        });
        let found = &content[starts.min()?..];
        Some(shown(found, self.longest_at(found), form))
    }

    /// Whether what is named from here on is the one that may be.
    fn may_be(&self, content: &[u8], start: usize, form: Form) -> bool {
        let named = |but: &PathBuf| {
            content[start..].starts_with(but.as_os_str().as_bytes())
                && is_whole(content, start, but, form)
        };
        self.but.as_ref().is_some_and(named)
    }

    fn longest_at(&self, content: &[u8]) -> usize {
        let lengths = self.places.iter().map(|place| place.as_os_str().as_bytes());
        lengths
            .filter(|place| content.starts_with(place))
            .map(<[u8]>::len)
            .max()
            .unwrap_or_default()
    }
}

/// What a content is, by which names in it are told from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// Texts end with a zero, or stand between others.
    Binary,
    /// Texts have their length in front, which may look like a letter, and no end.
    ByteCode,
}

impl Form {
    pub fn of(path: &Path, content: &[u8]) -> Self {
        if path
            .extension()
            .is_some_and(|extension| extension == "pyc" || extension == "pyo")
        {
            return Self::ByteCode;
        }
        if memchr(0, content).is_some() {
            Self::Binary
        } else {
            Self::Text
        }
    }
}

/// Whether the place is one of a machine and not of every system, and more than a word.
fn is_telling(place: &Path) -> bool {
    place.is_absolute()
        && !place.starts_with("/usr")
        && (place.components().count() > 2 || place == Path::new(SUPERUSERS))
}

/// Whether the name begins and ends where it is found, and is no part of a longer one: `/home/me`
/// is not in `/home/melanie`.
fn is_whole(content: &[u8], start: usize, place: &Path, form: Form) -> bool {
    let behind = content.get(start + place.as_os_str().len());
    // The name of the superuser's home is an XPath too, and stands as such in many a file.
    let ends = if place == Path::new(SUPERUSERS) {
        behind == Some(&b'/')
    } else {
        behind.is_none_or(|byte| !is_of_a_name(*byte))
    };
    let begins = start
        .checked_sub(1)
        .is_none_or(|before| !is_of_a_name(content[before]));
    match form {
        Form::Text => begins && ends,
        Form::Binary => ends,
        Form::ByteCode => ends || place != Path::new(SUPERUSERS),
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+~".contains(&byte) || !byte.is_ascii()
}

/// The path at the beginning of a content, of which this much is known; the rest goes on as long as
/// it can be told.
fn shown(content: &[u8], known: usize, form: Form) -> String {
    let ends = |byte: &u8| !byte.is_ascii_graphic() || b"\"'`:;,<>()[]{}|*\\".contains(byte);
    let shown = if form == Form::ByteCode { 0 } else { SHOWN };
    let rest = content[known..]
        .iter()
        .take(shown)
        .position(ends)
        .unwrap_or(shown.min(content.len() - known));
    String::from_utf8_lossy(&content[..known + rest]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_where_its_whole_name_stands() {
        let places = Places::new(
            [
                "/home/me",
                "/home/me/store",
                "/root",
                "/src",
                "/usr/src",
                "/",
            ]
            .map(Path::new),
            None,
        );
        let rows: [(&[u8], Form, Option<&str>); 18] = [
            (b"x = '/home/me/a.py'", Form::Text, Some("/home/me/a.py")),
            (b"file:///home/me", Form::Text, Some("/home/me")),
            (
                b"#!/home/me/store/bin/python -s",
                Form::Text,
                Some("/home/me/store/bin/python"),
            ),
            (b"/home/melanie", Form::Text, None),
            (b"/home/melanie /home/me/x", Form::Text, Some("/home/me/x")),
            (b"/rootfs", Form::Text, None),
            (b"/x/root/y", Form::Text, None),
            (b"../root/y", Form::Text, None),
            (b"xpath('/root')", Form::Text, None),
            (b"\xda\x05/roots", Form::ByteCode, None),
            (b"/root/y", Form::Text, Some("/root/y")),
            (b"/src/x /usr/src/x", Form::Text, None),
            (b"\0x/root/y\0", Form::Binary, Some("/root/y")),
            (b"\0/rootfs\0", Form::Binary, None),
            (b"\xdaA/home/me/xr", Form::ByteCode, Some("/home/me")),
            (b"/home/me\0", Form::Binary, Some("/home/me")),
            (b"/home/me and more", Form::Text, Some("/home/me")),
            (b"", Form::Text, None),
        ];
        for (content, form, expected) in rows {
            assert_eq!(
                places.find(content, form).as_deref(),
                expected,
                "{}",
                String::from_utf8_lossy(content)
            );
        }
    }

    #[test]
    fn one_place_may_be_named() {
        let places = Places::new([Path::new("/home/me")], Some(Path::new("/home/me/python")));
        let find = |text: &str| places.find(text.as_bytes(), Form::Text);
        assert_eq!(find("home = /home/me/python/bin"), None);
        assert_eq!(
            find("/home/me/python /home/me/x").as_deref(),
            Some("/home/me/x")
        );
        assert_eq!(
            find("/home/me/python3").as_deref(),
            Some("/home/me/python3")
        );
    }
}
