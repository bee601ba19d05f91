//! The header `WWW-Authenticate`: which logins a server takes (RFC 9110, section 11.6.1).

/// A way to log in that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme in lower case, such as `bearer`.
    pub(super) scheme: String,
    /// The parameters, with names in lower case.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Returns the value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Parses the value of the header: one challenge or several, separated by commas, as the parameters
/// of each are too.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',', '"', '=']);
        if rest.is_empty() {
            return challenges;
        }
        let word;
        (word, rest) = split_word(rest);
        let word = word.to_ascii_lowercase();
        // A word before `=` is a parameter, and any other one a scheme.
        let value = rest.trim_start().strip_prefix('=');
        match (value, challenges.last_mut()) {
            (Some(value), Some(challenge)) => {
                let value = take_value(value.trim_start());
                rest = value.1;
                challenge.parameters.push((word, value.0));
            }
            _ => challenges.push(Challenge {
                scheme: word,
                parameters: Vec::new(),
            }),
        }
    }
}

/// Splits a text after its first word.
fn split_word(text: &str) -> (&str, &str) {
    let end = text.find([' ', '\t', ',', '=', '"']);
    text.split_at(end.unwrap_or(text.len()))
}

/// Splits a text after a value, which may be in quotation marks with `\` before a character.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = split_word(text);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_challenges_with_parameters() {
        let shown = |header: &str| {
            let challenges = parse(header).into_iter();
            let shown = challenges.map(|challenge| {
                let parameters = challenge.parameters.iter();
                let parameters: Vec<String> = parameters
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("{}[{}]", challenge.scheme, parameters.join(" "))
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        let rows = [
            (
                r#"Bearer realm="https://a.example/token",service="a.example",scope="repository:x/y:pull,push""#,
                "bearer[realm=https://a.example/token service=a.example scope=repository:x/y:pull,push]",
            ),
            (r#"BASIC Realm = "a \"b\" c""#, r#"basic[realm=a "b" c]"#),
            (
                r#"Basic realm="x", Bearer realm=y , service=z,Negotiate"#,
                "basic[realm=x] bearer[realm=y service=z] negotiate[]",
            ),
            (r#"Bearer realm="open"#, "bearer[realm=open]"),
            ("", ""),
            (" , = \" ", ""),
            ("=x", "x[]"),
        ];
        for (header, expected) in rows {
            assert_eq!(shown(header), expected, "{header}");
        }
        let challenge = &parse("Bearer a=1, b=2")[0];
        assert_eq!(challenge.parameter("b"), Some("2"));
        assert_eq!(challenge.parameter("c"), None);
    }
}
