//! Writing of a `# /// script` block into a script: in the place of LUCI's block, or before the
//! code.

use super::pep723;

/// The UTF-8 byte order mark.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Formats the native form as a `# /// script` block with these line ends.
fn block(native: &str, line_end: &str) -> String {
    let mut block = format!("# /// script{line_end}");
    for line in native.lines() {
        block += if line.is_empty() { "#" } else { "# " };
        block += line;
        block += line_end;
    }
    block + "# ///" + line_end
}

/// Replaces LUCI's block in a script by the native one. LUCI's block has the text `content` after
/// the first `lines_before` lines, which include the guard.
pub(super) fn replace_block(
    script: &[u8],
    lines_before: usize,
    content: &str,
    native: &str,
) -> Vec<u8> {
    let lines = pep723::lines(script);
    let offset = |line: &[u8]| line.as_ptr() as usize - script.as_ptr() as usize;
    let (begin, end) = (
        lines[lines_before - 1],
        lines[lines_before + content.lines().count()],
    );
    let line_end = line_end(&script[offset(begin) + begin.len()..]);
    let block = block(native, line_end);
    let block = block.strip_suffix(line_end).unwrap_or(&block);
    [
        &script[..offset(begin)],
        block.as_bytes(),
        &script[offset(end) + end.len()..],
    ]
    .concat()
}

/// Inserts the block after the `#!` line and the encoding declaration, which apply only in the
/// first two lines (PEP 263).
pub(super) fn insert_block(script: &[u8], native: &str) -> Vec<u8> {
    let lines = pep723::lines(script);
    let is_comment = |line: &[u8]| line.trim_ascii_start().starts_with(b"#");
    let is_cookie =
        |line: &[u8]| is_comment(line) && memchr::memmem::find(line, b"coding").is_some();
    // Skip the lines that must stay first, and a byte order mark.
    let head = match (lines.first(), lines.get(1)) {
        (Some(first), Some(second)) if is_comment(first) && is_cookie(second) => 2,
        (Some(first), _) if first.starts_with(b"#!") || is_cookie(first) => 1,
        _ => 0,
    };
    let start = if script.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    let at = lines
        .get(head)
        .map_or(script.len(), |line| {
            line.as_ptr() as usize - script.as_ptr() as usize
        })
        .max(start);
    // Use the script's own line ends, and keep the block on lines of its own.
    let line_end = memchr::memchr2(b'\n', b'\r', script)
        .map_or("\n", |newline| self::line_end(&script[newline..]));
    let block = block(native, line_end);
    let before = if at > start && !script[..at].ends_with(b"\n") {
        line_end
    } else {
        ""
    };
    let after = if at < script.len() { line_end } else { "" };
    [
        &script[..at],
        before.as_bytes(),
        block.as_bytes(),
        after.as_bytes(),
        &script[at..],
    ]
    .concat()
}

/// Returns the line end at the start of this text.
fn line_end(text: &[u8]) -> &'static str {
    match text {
        [b'\r', b'\n', ..] => "\r\n",
        [b'\r', ..] => "\r",
        _ => "\n",
    }
}
