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
    } else if word.contains(char::is_control) {
        quoted_with_escapes(word)
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Quotes a word that has control characters, which a terminal must not get, for bash, zsh and ksh.
fn quoted_with_escapes(word: &str) -> String {
    let escape = |character: char| match character {
        '\n' => r"\n".to_owned(),
        '\t' => r"\t".to_owned(),
        '\\' | '\'' => format!("\\{character}"),
        _ if character.is_control() => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    };
    format!("$'{}'", word.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        let words = [
            "a",
            "",
            "a b",
            "it's",
            "a\nb",
            "it's\t\\ \u{1b}[31m\n\u{e9}",
        ];
        for word in words {
            let script = format!("printf %s {}", shell_word(word));
            let said = std::process::Command::new("bash")
                .args(["-c", &script])
                .env("LC_ALL", "C.UTF-8")
                .output();
            let Ok(said) = said else { return };
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word, "{script}");
        }
        assert!(!shell_word("a\nb").contains(char::is_control));
    }
}
