//! Where the values of a JSON text stand, so that single ones can be cut out and the rest stays as it came.
//!
//! Reads as strictly as it must to be sure of the structure, and also a text that was cut off: then what was read until there is
//! whole, and what was open says so. Only for the log: requests are read by [`crate::scim::json`].

use std::ops::Range;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 64;

/// A value and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) what: What,
    /// Whether its end was seen.
    pub(super) closed: bool,
}

/// What kind of value it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A string, decoded.
    Text(String),
    /// An object: names, decoded, and values.
    Object(Vec<(String, Node)>),
    /// An array.
    Array(Vec<Node>),
    /// A number, `true`, `false` or `null`.
    Plain,
}

/// Reads a text; `cut` says that more would follow. `None` where it is no JSON.
pub(super) fn read(text: &str, cut: bool) -> Option<Node> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0 };
    reader.blanks();
    let node = reader.value().ok()?;
    reader.blanks();
    let whole = node.closed && reader.at == text.len();
    (whole || (cut && reader.at == text.len())).then_some(node)
}

/// No JSON.
struct Broken;

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
    }

    /// Reads a value. One that was cut is not closed, and nothing follows it.
    fn value(&mut self) -> Result<Node, Broken> {
        let start = self.at;
        let (what, closed) = match self.peek() {
            None => (What::Plain, false),
            Some(b'"') => {
                let (text, closed) = self.string()?;
                (What::Text(text), closed)
            }
            Some(b'{' | b'[') => {
                if self.depth >= DEPTH_MAX {
                    return Err(Broken);
                }
                self.depth = self.depth.saturating_add(1);
                let read = if self.peek() == Some(b'{') { self.object() } else { self.array() };
                self.depth = self.depth.saturating_sub(1);
                read?
            }
            Some(_) => {
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                    self.step();
                }
                let word = self.text.get(start..self.at).unwrap_or_default();
                let closed = self.at < self.bytes.len() || self.depth == 0;
                let is_number = word.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-')
                    && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
                let is_word = ["true", "false", "null"]
                    .iter()
                    .any(|known| if closed { *known == word } else { known.starts_with(word) });
                if word.is_empty() || !(is_number || is_word) {
                    return Err(Broken);
                }
                (What::Plain, closed)
            }
        };
        Ok(Node { span: start..self.at, what, closed })
    }

    fn object(&mut self) -> Result<(What, bool), Broken> {
        let mut members = Vec::new();
        self.step();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.step();
            return Ok((What::Object(members), true));
        }
        loop {
            self.blanks();
            match self.peek() {
                None => return Ok((What::Object(members), false)),
                Some(b'"') => {}
                Some(_) => return Err(Broken),
            }
            let (name, closed) = self.string()?;
            self.blanks();
            match self.peek() {
                None => return Ok((What::Object(members), false)),
                Some(b':') if closed => self.step(),
                Some(_) => return Err(Broken),
            }
            self.blanks();
            let value = self.value()?;
            let ended = !value.closed;
            members.push((name, value));
            self.blanks();
            match self.peek() {
                None => return Ok((What::Object(members), false)),
                Some(_) if ended => return Err(Broken),
                Some(b',') => self.step(),
                Some(b'}') => {
                    self.step();
                    return Ok((What::Object(members), true));
                }
                Some(_) => return Err(Broken),
            }
        }
    }

    fn array(&mut self) -> Result<(What, bool), Broken> {
        let mut elements = Vec::new();
        self.step();
        self.blanks();
        if self.peek() == Some(b']') {
            self.step();
            return Ok((What::Array(elements), true));
        }
        loop {
            self.blanks();
            if self.peek().is_none() {
                return Ok((What::Array(elements), false));
            }
            let value = self.value()?;
            let ended = !value.closed;
            elements.push(value);
            self.blanks();
            match self.peek() {
                None => return Ok((What::Array(elements), false)),
                Some(_) if ended => return Err(Broken),
                Some(b',') => self.step(),
                Some(b']') => {
                    self.step();
                    return Ok((What::Array(elements), true));
                }
                Some(_) => return Err(Broken),
            }
        }
    }

    /// Reads a string, and tells whether its end was seen.
    fn string(&mut self) -> Result<(String, bool), Broken> {
        self.step();
        let mut decoded = String::new();
        let mut start = self.at;
        loop {
            match self.peek() {
                None => {
                    decoded.push_str(self.text.get(start..self.at).unwrap_or_default());
                    return Ok((decoded, false));
                }
                Some(b'"') => {
                    decoded.push_str(self.text.get(start..self.at).unwrap_or_default());
                    self.step();
                    return Ok((decoded, true));
                }
                Some(b'\\') => {
                    decoded.push_str(self.text.get(start..self.at).unwrap_or_default());
                    self.step();
                    let Some(escape) = self.peek() else { return Ok((decoded, false)) };
                    self.step();
                    match escape {
                        b'"' | b'\\' | b'/' => decoded.push(char::from(escape)),
                        b'b' | b'f' | b'n' | b'r' | b't' => decoded.push(' '),
                        b'u' => match self.unit() {
                            Some(letter) => decoded.push(letter),
                            None if self.bytes.len().saturating_sub(self.at) < 4 => {
                                self.at = self.bytes.len();
                                return Ok((decoded, false));
                            }
                            None => return Err(Broken),
                        },
                        _ => return Err(Broken),
                    }
                    start = self.at;
                }
                Some(0..=0x1f) => return Err(Broken),
                Some(_) => self.step(),
            }
        }
    }

    /// Reads four hexadecimal digits. Halves of a pair decode to a mark: no name of a secret has one.
    fn unit(&mut self) -> Option<char> {
        let end = self.at.saturating_add(4);
        let digits =
            self.text.get(self.at..end).filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at = end;
        Some(char::from_u32(code).unwrap_or('\u{fffd}'))
    }
}
