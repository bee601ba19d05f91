//! Byte code in a form that depends on nothing but the source and its name.
//!
//! What python's `marshal` writes depends on what else the process has compiled, and on addresses. It
//! numbers each object that anything refers to, such as an interned string, although the byte code
//! itself has it once; and the order of a set follows from such things, too. Here an object only keeps a
//! number if the byte code refers to it again, and the elements of a set are sorted.
//!
//! The format is that of `Python/marshal.c`. The parts of a code object differ between versions of
//! python.

use std::ops::Range;

/// The size of the header: the magic number, the form, and what the form needs (PEP 552).
const HEADER: usize = 16;
/// The depth to which objects may be nested (`MAX_MARSHAL_STACK_DEPTH`).
const MAX_DEPTH: usize = 2_000;
/// The maximum size in bytes of an element of a set.
const MAX_ELEMENT: usize = 1 << 20;
/// The bit of a kind that gives the object the next number.
const NUMBERED: u8 = 0x80;
/// The count of a code object's parts between its numbers and the number of its first line.
const PARTS: usize = 8;

/// Returns the byte code of a `.pyc` file in that form; none if it has anything that is not known here,
/// such as byte code of another version.
pub(super) fn canonical(code: &[u8]) -> Option<Vec<u8>> {
    let magic = u16::from_le_bytes(*code.first_chunk()?);
    let mut reader = Reader {
        rest: code.get(HEADER..)?,
        layout: Layout::of(magic)?,
        graph: Graph::default(),
        numbered: Vec::new(),
    };
    let root = reader.object(0)?;
    if !reader.rest.is_empty() {
        return None;
    }
    let mut graph = reader.graph;
    graph.sort_sets()?;
    let mut written = code[..HEADER].to_vec();
    written.reserve(code.len() - HEADER);
    graph.write(root, &mut 0, &mut written);
    Some(written)
}

/// An object of the byte code.
struct Object<'a> {
    /// Its kind, without [`NUMBERED`].
    kind: u8,
    /// What follows the kind, up to the first part.
    own: &'a [u8],
    /// The number of a code object's first line, which comes among its parts.
    line: &'a [u8],
    /// Its parts, as a range of those of all objects.
    parts: Range<usize>,
    /// How often the byte code has it, references included.
    uses: u32,
    /// Its number in what is written, from when it is.
    number: Option<u32>,
}

/// The objects, each once.
#[derive(Default)]
struct Graph<'a> {
    objects: Vec<Object<'a>>,
    /// The parts of all objects, by their index.
    parts: Vec<usize>,
}

struct Reader<'a> {
    rest: &'a [u8],
    layout: Layout,
    graph: Graph<'a>,
    /// The objects that have a number, by number.
    numbered: Vec<usize>,
}

impl<'a> Reader<'a> {
    /// Reads an object with its parts, or a reference to one. Returns its index.
    fn object(&mut self, depth: usize) -> Option<usize> {
        let byte = *self.take(1)?.first()?;
        let kind = byte & !NUMBERED;
        if kind == b'r' {
            let number = self.length()?;
            let known = *self.numbered.get(number)?;
            self.graph.objects[known].uses += 1;
            return Some(known);
        }
        let index = self.graph.objects.len();
        if byte & NUMBERED != 0 {
            self.numbered.push(index);
        }
        let start = self.rest;
        let (first, last) = self.counts_of_parts(kind)?;
        let own = &start[..start.len() - self.rest.len()];
        self.graph.objects.push(Object {
            kind: kind_of(kind, own),
            own,
            line: &[],
            parts: 0..0,
            uses: 1,
            number: None,
        });
        // Each part has at least a byte.
        if depth == MAX_DEPTH || first + last > self.rest.len() {
            return None;
        }
        let place = self.graph.parts.len();
        self.graph.parts.resize(place + first + last, index);
        for part in place..place + first {
            self.graph.parts[part] = self.object(depth + 1)?;
        }
        if last > 0 {
            self.graph.objects[index].line = self.take(4)?;
        }
        for part in place + first..place + first + last {
            self.graph.parts[part] = self.object(depth + 1)?;
        }
        self.graph.objects[index].parts = place..place + first + last;
        Some(index)
    }

    /// Reads what an object of this kind has itself. Returns the count of its parts, and of those after
    /// the number of the first line.
    fn counts_of_parts(&mut self, kind: u8) -> Option<(usize, usize)> {
        let size = match kind {
            // None, False, True, Ellipsis.
            b'N' | b'F' | b'T' | b'.' => 0,
            // An integer, a floating-point and a complex number.
            b'i' => 4,
            b'g' => 8,
            b'y' => 16,
            // A larger integer: the count of its digits of two bytes, with its sign.
            b'l' => {
                let count = self.number()?.unsigned_abs();
                usize::try_from(count).ok()?.checked_mul(2)?
            }
            // Bytes, and strings: not ASCII, and ASCII. Capitals and `t` are interned.
            b's' | b'u' | b't' | b'a' | b'A' => self.length()?,
            b'z' | b'Z' => self.short_length()?,
            // Tuples, a frozen set and a slice.
            b')' => return Some((self.short_length()?, 0)),
            b'(' | b'>' => return Some((self.length()?, 0)),
            b':' => return Some((3, 0)),
            b'c' => {
                self.take(4 * self.layout.numbers)?;
                return Some((PARTS, self.layout.tables));
            }
            _ => return None,
        };
        self.take(size)?;
        Some((0, 0))
    }

    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some(taken)
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

/// Returns the kind of an object. Python has only one object of each string of one Latin-1 character. It
/// interns those of names with each constant (`all_name_chars` in `Objects/codeobject.c`), and others
/// only once something has them as a name.
fn kind_of(kind: u8, own: &[u8]) -> u8 {
    match (kind, own) {
        (b'Z', [1, character]) if !character.is_ascii_alphanumeric() && *character != b'_' => b'z',
        (b't', [2, 0, 0, 0, 0xc2 | 0xc3, _]) => b'u',
        _ => kind,
    }
}

impl Graph<'_> {
    /// Sorts the elements of each set by their bytes without any numbers.
    fn sort_sets(&mut self) -> Option<()> {
        for index in 0..self.objects.len() {
            if self.objects[index].kind != b'>' {
                continue;
            }
            let place = self.objects[index].parts.clone();
            let elements = self.parts[place.clone()].iter().map(|&element| {
                let mut bytes = Vec::new();
                self.flatten(element, 0, &mut bytes)?;
                Some((bytes, element))
            });
            let mut elements = elements.collect::<Option<Vec<_>>>()?;
            elements.sort_by(|(one, _), (other, _)| one.cmp(other));
            for (place, (_, element)) in place.zip(elements) {
                self.parts[place] = element;
            }
        }
        Some(())
    }

    /// Appends an element of a set, with copies in place of references. Python makes sets of constants
    /// that a source lists, and none is an element of another.
    fn flatten(&self, index: usize, depth: usize, to: &mut Vec<u8>) -> Option<()> {
        let object = &self.objects[index];
        to.push(object.kind);
        to.extend(object.own);
        if object.kind == b'>' || to.len() > MAX_ELEMENT || depth == MAX_DEPTH {
            return None;
        }
        self.parts[object.parts.clone()]
            .iter()
            .try_for_each(|&part| self.flatten(part, depth + 1, to))
    }

    /// Appends an object, or a reference to it if it was written before.
    fn write(&mut self, index: usize, next: &mut u32, to: &mut Vec<u8>) {
        let object = &mut self.objects[index];
        if let Some(number) = object.number {
            to.push(b'r');
            to.extend(number.to_le_bytes());
            return;
        }
        if object.uses > 1 {
            to.push(object.kind | NUMBERED);
            object.number = Some(*next);
            *next += 1;
        } else {
            to.push(object.kind);
        }
        to.extend(object.own);
        let (parts, line) = (object.parts.clone(), object.line);
        let after_line = parts.start + PARTS;
        for part in parts {
            if part == after_line {
                to.extend(line);
            }
            self.write(self.parts[part], next, to);
        }
    }
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
    fn form(magic: u16, objects: &[u8]) -> Option<Vec<u8>> {
        let code = code(magic, objects);
        let mut form = canonical(&code)?;
        assert_eq!(form[..HEADER], code[..HEADER]);
        Some(form.split_off(HEADER))
    }

    #[test]
    fn only_what_is_used_again_has_a_number_and_sets_are_sorted() {
        let rows: [(&[u8], &[u8]); 7] = [
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
            // Sets in another order, so that a reference would come before its object.
            (
                b")\x02>\x02\0\0\0\xda\x02bbZ\x02aar\0\0\0\0",
                b")\x02>\x02\0\0\0Z\x02aa\xda\x02bbr\0\0\0\0",
            ),
            (
                b">\x02\0\0\0\xda\x02bb)\x01r\0\0\0\0",
                b">\x02\0\0\0)\x01\xda\x02bbr\0\0\0\0",
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
            let found = form(3495, objects);
            assert_eq!(found.as_deref(), Some(expected));
        }
        assert_eq!(form(3627, b":NNN").unwrap(), b":NNN");
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
                assert_eq!(form(magic, &parts(b'c' | NUMBERED)), Some(parts(b'c')));
            }
        }
        let others = [0, 3393, 3412, 3440, 3494, 3628];
        assert!(others.iter().all(|&other| form(other, b"N").is_none()));
    }

    #[test]
    fn what_is_not_known_has_no_form() {
        let deep = [&b")\x01".repeat(MAX_DEPTH + 1)[..], b"N"].concat();
        let rows: [&[u8]; 13] = [
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
            b">\x01\0\0\0>\0\0\0\0",
            &deep,
        ];
        for objects in rows {
            assert_eq!(form(3495, objects), None, "{}", objects.escape_ascii());
        }
        assert!(
            [&b""[..], &[0xa7, 0x0d]]
                .iter()
                .all(|code| canonical(code).is_none())
        );
    }
}
