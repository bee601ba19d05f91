//! What a person is to type: the program by the name that was typed, and words that a shell reads
//! as they are.

use std::ffi::OsStr;
use std::sync::OnceLock;

/// What [`program`] gives.
static PROGRAM: OnceLock<String> = OnceLock::new();

/// Sets the name by which hints and help call the program: the one that was typed. To be called
/// once, at the edge.
pub fn set_program(name: &OsStr) {
    let _ = PROGRAM.set(shell_word(&name.to_string_lossy()));
}

/// What to type to call the program.
#[must_use]
pub fn program() -> &'static str {
    PROGRAM.get().map_or("vpython", String::as_str)
}

/// A word that a person can paste into a shell.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_-./+=:,@%".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
