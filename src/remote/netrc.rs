//! The file `.netrc`: logins by host, as ftp, curl and pip read it.
//!
//! The crates for it are not maintained, or give up at a file that Python reads; the format is a
//! few words.

use super::{Login, Secret};

/// The logins of a `.netrc`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Netrc {
    /// The host, and its login; the host is none in the entry `default`.
    entries: Vec<(Option<String>, Login)>,
}

impl Netrc {
    /// Parses the file. Words that are not understood are skipped, as ftp does.
    pub(super) fn parse(text: &str) -> Self {
        let mut words = Words { rest: text };
        let mut entries: Vec<(Option<String>, Login)> = Vec::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "machine" => entries.extend(words.next().map(|host| (Some(host), no_login()))),
                "default" => entries.push((None, no_login())),
                comment if comment.starts_with('#') => words.skip_line(),
                "macdef" => words.skip_macro(),
                "login" | "user" | "password" | "account" => {
                    let value = Secret::from(words.next().unwrap_or_default());
                    // It belongs to the last machine; before the first one, it belongs to none.
                    match (word.as_str(), entries.last_mut()) {
                        ("login" | "user", Some((_, login))) => login.username = value,
                        ("password", Some((_, login))) => login.password = value,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Self { entries }
    }

    /// Returns the login for a host: the first with its name, or else the one of `default`.
    pub(super) fn login(&self, host: &str) -> Option<&Login> {
        let of = |wanted: Option<&str>| {
            let mut entries = self.entries.iter();
            entries.find(|(name, _)| name.as_deref() == wanted)
        };
        of(Some(host)).or_else(|| of(None)).map(|(_, login)| login)
    }
}

fn no_login() -> Login {
    Login {
        username: Secret::default(),
        password: Secret::default(),
    }
}

/// The words of the file: separated by white space, or in quotation marks with `\` before a
/// character.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    /// Returns the next word without its quotation marks.
    fn next(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let is_quoted = self.rest.starts_with('"');
        let mut word = String::new();
        let mut characters = self.rest.char_indices().skip(usize::from(is_quoted));
        let mut end = self.rest.len();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' if is_quoted => {
                    end = index + 1;
                    break;
                }
                _ if !is_quoted && character.is_whitespace() => {
                    end = index;
                    break;
                }
                '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => word.push(character),
            }
        }
        let was_empty = self.rest.is_empty();
        self.rest = &self.rest[end..];
        (!was_empty).then_some(word)
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// Skips a macro: everything to the next empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.split_once("\n\n").map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_found_by_host() {
        let netrc = Netrc::parse(
            "# comment machine x\nmachine a.example login me password geheim\n\
             machine b.example\n\tlogin \"a b\"\n\taccount x\n\tpassword \"q\\\"\\\\\"\n\
             macdef init\nmachine c.example login no\n\n\
             machine d.example user d password #1\nmachine a.example login late password late\n\
             default login anonymous password me@\nmachine",
        );
        let of = |host| {
            let login = netrc.login(host).unwrap();
            [
                login.username.reveal().to_owned(),
                login.password.reveal().to_owned(),
            ]
        };
        assert_eq!(of("a.example"), ["me", "geheim"]);
        assert_eq!(of("b.example"), ["a b", "q\"\\"]);
        assert_eq!(of("d.example"), ["d", "#1"]);
        assert_eq!(of("c.example"), ["anonymous", "me@"]);
    }

    #[test]
    fn any_text_is_read() {
        for text in [
            "",
            " ",
            "\"",
            "\\",
            "machine",
            "machine a login",
            "login a",
            "macdef x",
            "#",
            "\"\" \"a",
        ] {
            assert!(Netrc::parse(text).login("b").is_none(), "{text}");
        }
    }
}
