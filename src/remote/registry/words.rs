//! What a registry says about a refusal: a JSON document with a list of errors, each with a code and
//! a message (distribution specification, section "Error Codes").

use serde::Deserialize;

use crate::remote::Client;
use crate::remote::attempt::Answer;
use crate::report;

/// The maximum size of the document in bytes.
const LIMIT: u64 = 64 * 1024;
/// The number of characters that are shown.
const SHOWN: usize = 200;

#[derive(Deserialize)]
struct Document {
    errors: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    code: String,
    message: String,
}

/// Returns the first error in the body of an answer.
pub(super) fn of_answer(client: &Client, answer: &mut Answer) -> Option<String> {
    first_error(&client.read_body(answer, LIMIT).ok()?)
}

/// Returns the first error of a document, as `CODE: message`. Returns none if the body is not such a
/// document.
fn first_error(body: &[u8]) -> Option<String> {
    let document: Document = serde_json::from_slice(body).ok()?;
    let Entry { code, message } = document.errors.into_iter().next()?;
    let parts = [code, message];
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .collect();
    let words = report::printable(&parts.join(": ").replace('`', "'"));
    let cut = words.char_indices().nth(SHOWN).map(|(index, _)| index);
    match cut {
        _ if words.is_empty() => None,
        Some(index) => Some(format!("{}...", &words[..index])),
        None => Some(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_shown() {
        let long = format!(
            r#"{{"errors":[{{"code":"X","message":"{}"}}]}}"#,
            "é".repeat(300)
        );
        let cut = format!("X: {}...", "é".repeat(197));
        let rows = [
            (
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such `repository`","detail":{"a":1}},{"code":"Y"}]}"#,
                Some("NAME_UNKNOWN: no such 'repository'"),
            ),
            (
                r#"{"errors":[{"code":"DENIED","message":""}]}"#,
                Some("DENIED"),
            ),
            (
                r#"{"errors":[{"message":"a\u001b[31m\nb"}]}"#,
                Some("a\\u{1b}[31m\\nb"),
            ),
            (&long, Some(cut.as_str())),
            (r#"{"errors":[{}]}"#, None),
            (r#"{"errors":[]}"#, None),
            (r#"{"errors":[{"code":1}]}"#, None),
            ("<html>", None),
            ("", None),
        ];
        for (body, expected) in rows {
            assert_eq!(first_error(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
