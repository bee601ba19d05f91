//! A generator of LUCI specs for tests: one for each seed, some with mistakes.

/// A generator of specs, one for each seed: valid ones in every form, and some with mistakes.
pub(super) struct Author {
    state: u64,
    out: String,
}

const TEXT_FIELDS: [&[&str]; 3] = [
    &["python_version"],
    &["name", "version"],
    &["python", "abi", "platform"],
];

const BLANKS: [&str; 8] = [
    " ",
    "",
    "\n",
    "\r\n",
    "\t",
    " # a 'comment' <\n",
    "#\n",
    "\u{c}\u{b}",
];

const PIECES: [&str; 26] = [
    "x",
    "cp38",
    "infra/python/wheels/six-py2_py3",
    "version:1.0",
    "${os}",
    "é",
    "😀",
    "#",
    "\\n",
    "\\\\",
    "\\'",
    "\\\"",
    "\\?",
    "\\x41",
    "\\X4",
    "\\101",
    "\\0",
    "\\u00e9",
    "\\U0001F600",
    "\\303\\251",
    "\\a\\v",
    "<",
    "]",
    ",",
    "\t",
    "\r",
];

const BAD_PIECES: [&str; 8] = [
    "\\q", "\\400", "\\xff", "\\ud800", "\\u12", "\n", "\0", "\\x",
];

const OTHER_NAMES: [&str; 7] = [
    "name",
    "python",
    "wheel",
    "match_tag",
    "python_version",
    "virtualenv",
    "Wheel",
];

const JUNK: [&str; 22] = [
    "<",
    ">",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    ";",
    "'",
    "\"",
    "#",
    "\n",
    "3.8",
    "-",
    "=======",
    "true",
    "virtualenv",
    "wheel",
    "name: 'x'",
    "\\",
    "[a.b]",
];

impl Author {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d,
            out: String::new(),
        }
    }

    /// Returns a number below `bound` (Marsaglia's xorshift).
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap() % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn any<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    pub(super) fn spec(mut self) -> String {
        self.fields(0);
        let mistakes = if self.one_in(2) { 1 + self.below(2) } else { 0 };
        for _ in 0..mistakes {
            self.spoil();
        }
        // Only LUCI's extension has this form.
        self.out.replace("<<", "< <")
    }

    fn blank(&mut self) {
        for _ in 0..self.below(3) {
            let blank = self.any(&BLANKS);
            self.out.push_str(blank);
        }
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.blank();
    }

    /// Writes the fields of a message: 0 is the spec, 1 a package, 2 a tag.
    fn fields(&mut self, depth: usize) {
        self.blank();
        for name in TEXT_FIELDS[depth] {
            if !self.one_in(3) {
                self.name(name);
                if !self.one_in(80) {
                    self.write(":");
                }
                self.text();
                self.end();
            }
        }
        let messages: &[(&str, usize)] = match depth {
            0 => &[("wheel", 1), ("verify_pep425_tag", 2), ("wheel", 1)],
            1 => &[("match_tag", 2), ("not_match_tag", 2)],
            _ => &[],
        };
        for (name, depth) in messages {
            if self.one_in(2) {
                self.name(name);
                self.messages(*depth);
                self.end();
            }
        }
    }

    /// Writes a field's name, and occasionally that of another field.
    fn name(&mut self, name: &str) {
        let name = if self.one_in(80) {
            self.any(&OTHER_NAMES)
        } else {
            name
        };
        self.write(name);
    }

    fn end(&mut self) {
        let end = self.any(&["", "", ",", ";"]);
        // Keep two words apart.
        self.write(if end.is_empty() { " " } else { end });
    }

    fn messages(&mut self, depth: usize) {
        if self.one_in(3) {
            if self.one_in(2) {
                self.write(":");
            }
            self.write("[");
            let count = self.below(3);
            for index in 0..count {
                if index > 0 {
                    let separator = if self.one_in(20) {
                        self.any(&[";", "", ",,"])
                    } else {
                        ","
                    };
                    self.write(separator);
                }
                self.message(depth);
            }
            self.write("]");
        } else {
            if self.one_in(2) {
                self.write(":");
            }
            self.message(depth);
        }
    }

    fn message(&mut self, depth: usize) {
        let (open, close) = if self.one_in(2) {
            ("<", ">")
        } else {
            ("{", "}")
        };
        self.write(open);
        self.fields(depth);
        self.write(close);
    }

    fn text(&mut self) {
        for _ in 0..=self.below(2) {
            let quote = self.any(&["'", "\""]);
            let mut content = String::new();
            for _ in 0..self.below(4) {
                let piece = if self.one_in(60) {
                    self.any(&BAD_PIECES)
                } else {
                    self.any(&PIECES)
                };
                content.push_str(piece);
            }
            self.write(&format!("{quote}{content}{quote}"));
        }
    }

    /// Removes, inserts or duplicates some text, truncates the rest, or replaces a punctuation
    /// character.
    fn spoil(&mut self) {
        let places: Vec<usize> = self
            .out
            .char_indices()
            .map(|(place, _)| place)
            .chain([self.out.len()])
            .collect();
        let from = places[self.below(places.len())];
        let length = self.below(12);
        let to = self
            .out
            .floor_char_boundary(self.out.len().min(from + length));
        match self.below(6) {
            0 => drop(self.out.drain(from..to)),
            1 => {
                let again = self.out[from..to].to_owned();
                self.out.insert_str(from, &again);
            }
            2 => self.out.truncate(from),
            3 => {
                let junk = self.any(&JUNK);
                self.out.insert_str(from, junk);
            }
            _ => {
                let signs: Vec<usize> = self
                    .out
                    .match_indices(|sign| "<>{}[]:,;'\"".contains(sign))
                    .map(|(at, _)| at)
                    .collect();
                if let Some(at) = signs.get(self.below(signs.len().max(1))).copied() {
                    let other =
                        self.any(&["<", ">", "{", "}", "[", "]", ":", ",", ";", "'", "\"", ""]);
                    self.out.replace_range(at..=at, other);
                }
            }
        }
    }
}
