//! Commands for users to type: the program's name as it was typed, and words quoted for a shell.

use std::ffi::OsStr;
use std::sync::OnceLock;

/// The value of [`program`].
static PROGRAM: OnceLock<String> = OnceLock::new();

/// Sets the name by which hints and help call the program: the one that was typed. Call it once, in
/// `main`.
pub fn set_program(name: &OsStr) {
    let _ = PROGRAM.set(shell_word(&name.to_string_lossy()));
}

/// Returns the program's name, quoted for a shell.
#[must_use]
pub fn program() -> &'static str {
    PROGRAM.get().map_or("vpython", String::as_str)
}

/// Quotes a word for a shell, if necessary.
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
