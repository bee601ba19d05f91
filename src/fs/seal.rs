//! A checksum inside a JSON file of our own making: a flipped bit may leave text that can be read,
//! and says something else.
//!
//! It is the first member of the object, `{"crc32":"89abcdef",`, over all that follows it. So the
//! file stays JSON, and whoever knows nothing of checksums reads it as before.

/// How a sealed object begins.
const START: &[u8] = b"{\"crc32\":\"";
/// How many hexadecimal digits follow.
const DIGITS: usize = 8;
/// What stands between the digits and the rest.
const END: &[u8] = b"\",";
/// The length of all that stands before the rest.
const LENGTH: usize = START.len() + DIGITS + END.len();

/// What is found in a file that may be sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// The JSON text under a seal that is right.
    Sealed(&'a [u8]),
    /// A text without a seal, as older versions and other programs write it.
    Unsealed(&'a [u8]),
    /// A text under the seal of another one.
    Damaged,
}

/// Seals a JSON object that has members.
#[must_use]
pub fn seal(json: &[u8]) -> Vec<u8> {
    let rest = json.get(1..).unwrap_or_default();
    let checksum = format!("{:08x}", libdeflater::crc32(rest));
    [START, checksum.as_bytes(), END, rest].concat()
}

/// Looks at the seal of a text, and takes it off, in place.
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
                    "bit {bit}: only the mark"
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
