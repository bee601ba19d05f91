//! The answer to a request for byte code: a greeting, then an answer for each source, in order.

use std::io::{BufRead, ErrorKind, Read};

use anyhow::{Result, bail};

const GREETING: &str = "byte code of ";
/// The length that marks an unreadable source.
const UNREADABLE: u32 = u32::MAX;

/// Reads the first line. Returns the cache tag.
pub(super) fn greeting(answer: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    answer.take(100).read_until(b'\n', &mut line)?;
    let tag = std::str::from_utf8(&line)?
        .strip_prefix(GREETING)
        .and_then(|rest| rest.strip_suffix('\n'));
    match tag.filter(|tag| {
        !tag.is_empty()
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    }) {
        Some(tag) => Ok(tag.to_owned()),
        None => bail!("unexpected output"),
    }
}

/// A process's answer for a source.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its byte code, empty if it cannot be compiled.
    Code,
    /// The reason why it cannot be read.
    Unreadable(String),
}

pub(super) fn read_code(answer: &mut impl BufRead, code: &mut Vec<u8>) -> std::io::Result<Answer> {
    let mut length = [0; 4];
    answer.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    code.clear();
    if length == UNREADABLE {
        answer.take(1000).read_until(b'\n', code)?;
        return Ok(Answer::Unreadable(
            String::from_utf8_lossy(code.trim_ascii()).into_owned(),
        ));
    }
    answer.take(length.into()).read_to_end(code)?;
    if code.len() == length as usize {
        Ok(Answer::Code)
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}
