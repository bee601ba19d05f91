//! A checksum inside a JSON state file: a flipped bit may leave valid JSON with a different
//! meaning.
//!
//! It is the first member of the object, `{"crc32":"89abcdef",`, and covers everything after it. So
//! the file stays JSON, and readers that do not know the checksum still work.

/// The beginning of a sealed object.
const START: &[u8] = b"{\"crc32\":\"";
/// The number of hexadecimal digits that follow.
const DIGITS: usize = 8;
/// The separator between the digits and the rest.
const END: &[u8] = b"\",";
/// The length of everything before the rest.
const LENGTH: usize = START.len() + DIGITS + END.len();

/// The content of a file that may be sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// The JSON text of a file with a correct checksum.
    Sealed(&'a [u8]),
    /// A text without a checksum, which older versions and other programs write.
    Unsealed(&'a [u8]),
    /// A text whose checksum does not match.
    Damaged,
}

/// Adds a checksum to a JSON object that has members.
#[must_use]
pub fn seal(json: &[u8]) -> Vec<u8> {
    let rest = json.get(1..).unwrap_or_default();
    let checksum = format!("{:08x}", libdeflater::crc32(rest));
    [START, checksum.as_bytes(), END, rest].concat()
}

/// Checks the checksum of a text, and removes it in place.
pub(super) fn unseal(content: &mut [u8]) -> Content<'_> {
    let Some((seal, rest)) = content
        .split_at_checked(LENGTH)
        .filter(|(seal, _)| seal.starts_with(START))
    else {
        return Content::Unsealed(content);
    };
    let digits = seal
        .get(START.len()..START.len() + DIGITS)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    let stated = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    if !seal.ends_with(END) || stated != Some(libdeflater::crc32(rest)) {
        return Content::Damaged;
    }
    // The rest becomes an object again.
    content[LENGTH - 1] = b'{';
    Content::Sealed(&content[LENGTH - 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_sealed_text_is_noticed_or_changes_nothing() {
        let json = br#"{"key":"value","number":1}"#;
        let sealed = seal(json);
        assert_eq!(unseal(&mut sealed.clone()), Content::Sealed(json));
        serde_json::from_slice::<serde_json::Value>(&sealed).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let mut text = damaged.clone();
            match unseal(&mut text) {
                Content::Damaged => {}
                Content::Unsealed(_) => assert_eq!(
                    damaged[START.len()..],
                    sealed[START.len()..],
                    "bit {bit}: only the marker"
                ),
                // A digit of the checksum may be a capital.
                Content::Sealed(text) => assert_eq!(text, json, "bit {bit}"),
            }
        }
        for length in 0..sealed.len() {
            let mut cut = sealed[..length].to_vec();
            assert!(
                !matches!(unseal(&mut cut), Content::Sealed(_)),
                "cut to {length} bytes"
            );
        }
    }

    #[test]
    fn a_text_without_a_seal_is_as_it_is() {
        for text in [&b"{}"[..], b"", b"{\"key\":1}", b"{\"crc"] {
            assert_eq!(unseal(&mut text.to_vec()), Content::Unsealed(text));
        }
    }
}
