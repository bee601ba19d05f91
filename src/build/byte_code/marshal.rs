//! Byte code in a form that depends on nothing but the source.
//!
//! What python's `marshal` writes depends on what else the process has compiled. It numbers each object
//! that anything refers to, such as an interned string, although the byte code itself has it once. Here
//! an object only keeps a number if the byte code refers to it again.
//!
//! The format is that of `Python/marshal.c`. The parts of a code object differ between versions of
//! python.

/// The size of the header: the magic number, the form, and what the form needs (PEP 552).
const HEADER: usize = 16;
/// The depth to which objects may be nested (`MAX_MARSHAL_STACK_DEPTH`).
const MAX_DEPTH: usize = 2_000;
/// The bit of a kind that gives the object the next number.
const NUMBERED: u8 = 0x80;
/// The count of a code object's parts between its numbers and the number of its first line.
const PARTS: usize = 8;

/// Changes the byte code of a `.pyc` file to the form that depends on nothing but the source. Returns
/// whether its version of python is known here; otherwise the byte code stays as it is.
pub(super) fn make_canonical(code: &mut [u8]) -> bool {
    let Some(found) = Reader::search(code) else {
        return false;
    };
    let mut next = 0_u32;
    let mut numbers = Vec::with_capacity(found.numbered.len());
    for object in &found.numbered {
        numbers.push(next);
        if object.is_used {
            next += 1;
        } else {
            code[object.place] &= !NUMBERED;
        }
    }
    for (place, number) in found.references {
        code[place..place + 4].copy_from_slice(&numbers[number].to_le_bytes());
    }
    for (place, kind) in found.characters {
        code[place] = code[place] & NUMBERED | kind;
    }
    true
}

/// What may differ between processes, by place.
#[derive(Default)]
struct Found {
    numbered: Vec<Numbered>,
    /// The references: the place of each number, and the number.
    references: Vec<(usize, usize)>,
    /// The strings of one character that may be interned: the place of each kind, and the kind of one
    /// that is not.
    characters: Vec<(usize, u8)>,
}

/// An object that has a number.
struct Numbered {
    /// The place of its kind.
    place: usize,
    /// Whether there is a reference to it.
    is_used: bool,
}

struct Reader<'a> {
    code: &'a [u8],
    /// The place up to which it is read.
    end: usize,
    layout: Layout,
    found: Found,
}

impl<'a> Reader<'a> {
    /// Searches byte code. Returns none if it has anything that is not known here.
    fn search(code: &'a [u8]) -> Option<Found> {
        let magic = u16::from_le_bytes(*code.first_chunk()?);
        let mut reader = Self {
            code,
            end: HEADER,
            layout: Layout::of(magic)?,
            found: Found::default(),
        };
        reader.object(0)?;
        (reader.end == code.len()).then_some(reader.found)
    }

    /// Reads an object with its parts.
    fn object(&mut self, depth: usize) -> Option<()> {
        let place = self.end;
        let byte = *self.take(1)?.first()?;
        if depth > MAX_DEPTH {
            return None;
        }
        if byte & NUMBERED != 0 {
            let is_used = false;
            self.found.numbered.push(Numbered { place, is_used });
        }
        let parts = match byte & !NUMBERED {
            b'r' => {
                let place = self.end;
                let number = self.length()?;
                self.found.numbered.get_mut(number)?.is_used = true;
                self.found.references.push((place, number));
                0
            }
            // None, False, True, Ellipsis.
            b'N' | b'F' | b'T' | b'.' => 0,
            // An integer, a floating-point and a complex number.
            b'i' => self.skip(4)?,
            b'g' => self.skip(8)?,
            b'y' => self.skip(16)?,
            // A larger integer: the count of its digits of two bytes, with its sign.
            b'l' => {
                let count = self.number()?.unsigned_abs();
                self.skip(usize::try_from(count).ok()?.checked_mul(2)?)?
            }
            // Bytes, and strings: not ASCII, and ASCII. Capitals and `t` are interned.
            kind @ (b's' | b'u' | b't' | b'a' | b'A') => {
                let length = self.length()?;
                let text = self.take(length)?;
                if let (b't', [0xc2 | 0xc3, _]) = (kind, text) {
                    self.found.characters.push((place, b'u'));
                }
                0
            }
            kind @ (b'z' | b'Z') => {
                let length = self.short_length()?;
                let text = self.take(length)?;
                if let (b'Z', [character]) = (kind, text)
                    && !is_of_names(*character)
                {
                    self.found.characters.push((place, b'z'));
                }
                0
            }
            // Tuples, a frozen set and a slice.
            b')' => self.short_length()?,
            b'(' | b'>' => self.length()?,
            b':' => 3,
            b'c' => {
                self.skip(4 * self.layout.numbers)?;
                for _ in 0..PARTS {
                    self.object(depth + 1)?;
                }
                // The first line.
                self.skip(4)?;
                self.layout.tables
            }
            _ => return None,
        };
        (0..parts).try_for_each(|_| self.object(depth + 1))
    }

    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let taken = self.code.get(self.end..)?.get(..size)?;
        self.end += size;
        Some(taken)
    }

    /// Skips bytes of an object that has no parts.
    fn skip(&mut self, size: usize) -> Option<usize> {
        self.take(size).map(|_| 0)
    }

    fn number(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn short_length(&mut self) -> Option<usize> {
        Some(usize::from(*self.take(1)?.first()?))
    }
}

/// Checks whether python interns each constant of this character (`all_name_chars` in
/// `Objects/codeobject.c`). Of any other Latin-1 character, python has one string too, which is
/// interned from when a source has it as a name.
fn is_of_names(character: u8) -> bool {
    character.is_ascii_alphanumeric() || character == b'_'
}

/// The parts of a code object that differ between versions.
#[derive(Clone, Copy)]
struct Layout {
    /// The count of numbers before the other parts.
    numbers: usize,
    /// The count of tables after them: of lines, and of exceptions.
    tables: usize,
}

impl Layout {
    /// Returns the layout of the version with this magic number (`importlib.util.MAGIC_NUMBER`).
    fn of(magic: u16) -> Option<Self> {
        let (numbers, tables) = match magic {
            // CPython 3.7.
            3394 => (5, 1),
            // 3.8, 3.9, 3.10: the count of arguments that are positional only is new.
            3413 | 3425 | 3439 => (6, 1),
            // 3.11, 3.12, 3.13, 3.14: the count of local variables is gone.
            3495 | 3531 | 3571 | 3627 => (5, 2),
            _ => return None,
        };
        Some(Self { numbers, tables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns byte code of the version with this magic number.
    fn code(magic: u16, objects: &[u8]) -> Vec<u8> {
        [&magic.to_le_bytes(), &b"\r\n"[..], &[0; 12], objects].concat()
    }

    /// Returns the canonical form of objects, if they are known.
    fn canonical(magic: u16, objects: &[u8]) -> Option<Vec<u8>> {
        let mut code = code(magic, objects);
        make_canonical(&mut code).then(|| code.split_off(HEADER))
    }

    #[test]
    fn only_what_is_used_again_has_a_number() {
        let rows: [(&[u8], &[u8]); 5] = [
            (b"N", b"N"),
            // Two strings, of which the second is used again, and its tuple.
            (
                b"\xa9\x04\xda\x02ab\xda\x02cdr\x02\0\0\0)\0",
                b")\x04Z\x02ab\xda\x02cdr\0\0\0\0)\0",
            ),
            // A tuple in which it is referred to has a number before its parts.
            (
                b"\xa9\x02\xa9\x01\xfa\x02ab(\x02\0\0\0r\x01\0\0\0r\x02\0\0\0",
                b")\x02\xa9\x01\xfa\x02ab(\x02\0\0\0r\0\0\0\0r\x01\0\0\0",
            ),
            // Characters that need not be interned.
            (
                b")\x04Z\x01-Z\x01a\xf4\x02\0\0\0\xc3\xa9t\x02\0\0\0\xd0\xb0",
                b")\x04z\x01-Z\x01au\x02\0\0\0\xc3\xa9t\x02\0\0\0\xd0\xb0",
            ),
            // All other kinds.
            (
                b"(\x0b\0\0\0FT.i1234g12345678\xf91234567812345678l\xfe\xff\xff\xff1234s\0\0\0\0a\x01\0\0\0bA\x01\0\0\0c>\0\0\0\0",
                b"(\x0b\0\0\0FT.i1234g12345678y1234567812345678l\xfe\xff\xff\xff1234s\0\0\0\0a\x01\0\0\0bA\x01\0\0\0c>\0\0\0\0",
            ),
        ];
        for (objects, expected) in rows {
            let found = canonical(3495, objects);
            assert_eq!(found.as_deref(), Some(expected));
        }
        assert_eq!(canonical(3627, b":NNN").unwrap(), b":NNN");
    }

    #[test]
    fn a_code_object_has_the_parts_of_its_version() {
        for (magics, numbers, tables) in [
            (&[3394][..], 5, 1),
            (&[3413, 3425, 3439], 6, 1),
            (&[3495, 3531, 3571, 3627], 5, 2),
        ] {
            let parts = |kind: u8| {
                [
                    &[kind][..],
                    &[1; 24][..4 * numbers],
                    &[b'N'; 8],
                    &[2; 4],
                    &[b'N'; 2][..tables],
                ]
                .concat()
            };
            for &magic in magics {
                assert_eq!(canonical(magic, &parts(b'c' | NUMBERED)), Some(parts(b'c')));
            }
        }
        let others = [0, 3393, 3412, 3440, 3494, 3628];
        assert!(others.iter().all(|&other| canonical(other, b"N").is_none()));
    }

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        let deep = [&b")\x01".repeat(MAX_DEPTH + 1)[..], b"N"].concat();
        let rows: [&[u8]; 12] = [
            b"",
            b"NN",
            b"?",
            b"{N0",
            b"\xfa\x02a",
            b"\xfa",
            b"s\xff\xff\xff\xff",
            b"l\0\0\0\x80",
            b"(\xff\xff\xff\x7fN",
            b"r\0\0\0\0",
            b"\xa9\x02\xda\x01-r\x05\0\0\0",
            &deep,
        ];
        for objects in rows {
            let before = code(3495, objects);
            let mut after = before.clone();
            assert!(!make_canonical(&mut after), "{}", objects.escape_ascii());
            assert_eq!(before, after);
        }
        assert!(!make_canonical(&mut []));
        assert!(!make_canonical(&mut [0xa7, 0x0d]));
    }
}
