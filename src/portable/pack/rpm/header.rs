//! The header structure of rpm: an index of tags, each with type, offset and count, and a store of
//! their values.

/// Tag numbers: <https://rpm-software-management.github.io/rpm/manual/tags.html>.
pub(super) mod tag {
    pub const REGION_OF_SIGNATURE: u32 = 62;
    pub const REGION_OF_HEADER: u32 = 63;
    pub const LANGUAGES: u32 = 100;
    pub const SIGNED_SHA1: u32 = 269;
    pub const SIGNED_LONG_SIZE: u32 = 270;
    pub const SIGNED_LONG_PAYLOAD_SIZE: u32 = 271;
    pub const SIGNED_SHA256: u32 = 273;
    pub const SIGNED_SIZE: u32 = 1000;
    pub const SIGNED_MD5: u32 = 1004;
    pub const SIGNED_PAYLOAD_SIZE: u32 = 1007;
    pub const NAME: u32 = 1000;
    pub const VERSION: u32 = 1001;
    pub const RELEASE: u32 = 1002;
    pub const SUMMARY: u32 = 1004;
    pub const DESCRIPTION: u32 = 1005;
    pub const BUILD_TIME: u32 = 1006;
    pub const BUILD_HOST: u32 = 1007;
    pub const SIZE: u32 = 1009;
    pub const LICENSE: u32 = 1014;
    pub const PACKAGER: u32 = 1015;
    pub const GROUP: u32 = 1016;
    pub const OS: u32 = 1021;
    pub const ARCH: u32 = 1022;
    pub const FILE_SIZES: u32 = 1028;
    pub const FILE_MODES: u32 = 1030;
    pub const FILE_DEVICE_NUMBERS: u32 = 1033;
    pub const FILE_TIMES: u32 = 1034;
    pub const FILE_DIGESTS: u32 = 1035;
    pub const FILE_LINKS: u32 = 1036;
    pub const FILE_FLAGS: u32 = 1037;
    pub const FILE_USERS: u32 = 1039;
    pub const FILE_GROUPS: u32 = 1040;
    pub const SOURCE_RPM: u32 = 1044;
    pub const FILE_VERIFY_FLAGS: u32 = 1045;
    pub const PROVIDE_NAMES: u32 = 1047;
    pub const REQUIRE_FLAGS: u32 = 1048;
    pub const REQUIRE_NAMES: u32 = 1049;
    pub const REQUIRE_VERSIONS: u32 = 1050;
    pub const FILE_DEVICES: u32 = 1095;
    pub const FILE_INODES: u32 = 1096;
    pub const FILE_LANGUAGES: u32 = 1097;
    pub const PROVIDE_FLAGS: u32 = 1112;
    pub const PROVIDE_VERSIONS: u32 = 1113;
    pub const DIRECTORY_INDEXES: u32 = 1116;
    pub const BASE_NAMES: u32 = 1117;
    pub const DIRECTORY_NAMES: u32 = 1118;
    pub const PAYLOAD_FORMAT: u32 = 1124;
    pub const PAYLOAD_COMPRESSOR: u32 = 1125;
    pub const PAYLOAD_FLAGS: u32 = 1126;
    pub const LONG_SIZE: u32 = 5009;
    pub const FILE_DIGEST_ALGORITHM: u32 = 5011;
    pub const ENCODING: u32 = 5062;
    pub const PAYLOAD_DIGEST: u32 = 5092;
    pub const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;
}

/// Value types.
const INT16: u32 = 3;
const INT32: u32 = 4;
const INT64: u32 = 5;
const STRING: u32 = 6;
const BINARY: u32 = 7;
const STRINGS: u32 = 8;
const TRANSLATED: u32 = 9;

/// The length of an index entry in bytes.
const ENTRY: usize = 16;

/// A header under construction.
#[derive(Default)]
pub(super) struct Header {
    values: Vec<Value>,
}

/// A value in its serialized form.
struct Value {
    tag: u32,
    kind: u32,
    count: usize,
    bytes: Vec<u8>,
}

impl Header {
    /// Adds a string.
    pub fn text(&mut self, tag: u32, text: &str) {
        self.add(tag, STRING, 1, [text.as_bytes(), b"\0"].concat());
    }

    /// Adds a string that could have translations.
    pub fn translated(&mut self, tag: u32, text: &str) {
        self.add(tag, TRANSLATED, 1, [text.as_bytes(), b"\0"].concat());
    }

    /// Adds an array of strings, which must not be empty.
    pub fn texts<T: AsRef<str>>(&mut self, tag: u32, texts: &[T]) {
        let bytes = texts
            .iter()
            .flat_map(|text| text.as_ref().bytes().chain([0]))
            .collect();
        self.add(tag, STRINGS, texts.len(), bytes);
    }

    /// Adds 16-bit integers.
    pub fn short(&mut self, tag: u32, numbers: &[u16]) {
        self.add(
            tag,
            INT16,
            numbers.len(),
            numbers
                .iter()
                .flat_map(|number| number.to_be_bytes())
                .collect(),
        );
    }

    /// Adds 32-bit integers.
    pub fn numbers(&mut self, tag: u32, numbers: &[u32]) {
        self.add(
            tag,
            INT32,
            numbers.len(),
            numbers
                .iter()
                .flat_map(|number| number.to_be_bytes())
                .collect(),
        );
    }

    /// Adds 64-bit integers.
    pub fn large(&mut self, tag: u32, numbers: &[u64]) {
        self.add(
            tag,
            INT64,
            numbers.len(),
            numbers
                .iter()
                .flat_map(|number| number.to_be_bytes())
                .collect(),
        );
    }

    /// Adds binary data.
    pub fn binary(&mut self, tag: u32, bytes: &[u8]) {
        self.add(tag, BINARY, bytes.len(), bytes.to_vec());
    }

    fn add(&mut self, tag: u32, kind: u32, count: usize, bytes: Vec<u8>) {
        self.values.push(Value {
            tag,
            kind,
            count,
            bytes,
        });
    }

    /// Serializes the header: magic number, index and store, all of them in one region with the tag
    /// `region`.
    pub fn bytes(mut self, region: u32) -> Vec<u8> {
        self.values.sort_by_key(|value| value.tag);
        let entries = self.values.len() + 1;
        let mut index = Vec::new();
        let mut store = Vec::new();
        // Each value is aligned to its type; the index is sorted by tag.
        for value in &self.values {
            store.resize(store.len().next_multiple_of(alignment(value.kind)), 0);
            index.extend(entry(
                value.tag,
                value.kind,
                offset(store.len()),
                value.count,
            ));
            store.extend_from_slice(&value.bytes);
        }
        // The trailer of the region is at the end of the store. Its offset is negative: the
        // distance back to the start of the index.
        let marked = entry(region, BINARY, offset(store.len()), ENTRY);
        store.extend(entry(region, BINARY, -offset(entries * ENTRY), ENTRY));
        let mut bytes = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
        bytes.extend(offset(entries).to_be_bytes());
        bytes.extend(offset(store.len()).to_be_bytes());
        bytes.extend(marked);
        bytes.extend(index);
        bytes.extend(store);
        bytes
    }
}

/// The alignment of a value's offset.
fn alignment(kind: u32) -> usize {
    match kind {
        INT16 => 2,
        INT32 => 4,
        INT64 => 8,
        _ => 1,
    }
}

/// Converts an offset in the store. Headers are a few megabytes long at most.
fn offset(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

/// Serializes an index entry.
fn entry(tag: u32, kind: u32, offset: i32, count: usize) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    for (field, bytes) in entry.chunks_exact_mut(4).zip([
        tag.to_be_bytes(),
        kind.to_be_bytes(),
        offset.to_be_bytes(),
        count.to_be_bytes(),
    ]) {
        field.copy_from_slice(&bytes);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_and_aligned_and_the_region_is_around_them() {
        let mut header = Header::default();
        header.numbers(1006, &[7]);
        header.text(1000, "ab");
        let expected: Vec<u8> = [
            &[0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0][..],
            &[0, 0, 0, 3, 0, 0, 0, 24],
            &[0, 0, 0, 63, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 16],
            &[0, 0, 3, 0xe8, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 3, 0xee, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1],
            b"ab\0\0",
            &[0, 0, 0, 7],
            &[0, 0, 0, 63, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xd0, 0, 0, 0, 16],
        ]
        .concat();
        assert_eq!(header.bytes(63), expected);
    }
}
