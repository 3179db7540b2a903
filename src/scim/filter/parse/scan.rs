//! The characters of a filter: names, words, literals, blanks. Knows no attribute.

use serde_json::{Number, Value};

use super::super::Literal;
use super::refusal;
use crate::scim::error::Refusal;

/// Where the parser stands in the text.
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns what has not been read.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// Takes a byte if it is the next one.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    /// Says what was expected and where it was missing; the input is not repeated (X31).
    pub(super) fn unexpected(&self, expected: &str) -> Refusal {
        if self.is_at_end() {
            refusal(format!("expected {expected}, found the end of the filter"))
        } else {
            refusal(format!("expected {expected} at byte {}", self.at))
        }
    }

    /// Takes what looks like a name, with URN and sub-attribute, up to a blank, bracket, parenthesis or quote.
    pub(super) fn name(&mut self) -> Result<&'t str, Refusal> {
        self.blanks();
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'$' | b'-' | b'_' | b'.' | b':')
        ) {
            self.at = self.at.saturating_add(1);
        }
        match self.text.get(start..self.at) {
            Some(name) if !name.is_empty() => Ok(name),
            _ => Err(self.unexpected("the name of an attribute")),
        }
    }

    /// Takes a word of letters.
    pub(super) fn word(&mut self) -> Result<&'t str, Refusal> {
        self.blanks();
        let start = self.at;
        while matches!(self.peek(), Some(b'a'..=b'z' | b'A'..=b'Z')) {
            self.at = self.at.saturating_add(1);
        }
        match self.text.get(start..self.at) {
            Some(word) if !word.is_empty() => Ok(word),
            _ => Err(self.unexpected("an operator")),
        }
    }

    /// Takes `and` or `or` if it is the next word.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.word().is_ok_and(|found| found.eq_ignore_ascii_case(word))
            && matches!(self.peek(), Some(b' ' | b'\t' | b'('))
        {
            return true;
        }
        self.at = before;
        false
    }

    /// Takes `not` with the parenthesis behind it, with or without blanks between them.
    pub(super) fn take_not(&mut self) -> bool {
        let before = self.at;
        if self.word().is_ok_and(|word| word.eq_ignore_ascii_case("not")) {
            self.blanks();
            if self.take(b'(') {
                return true;
            }
        }
        self.at = before;
        false
    }

    /// Takes a literal: a JSON string, number, `true`, `false` or `null`, or a bare word (D-E6).
    /// Tells whether a quote is what was read last.
    pub(super) fn is_behind_a_quote(&self) -> bool {
        let last = self.at.checked_sub(1).and_then(|last| self.text.as_bytes().get(last));
        last == Some(&b'"')
    }

    pub(super) fn literal(&mut self) -> Result<Literal, Refusal> {
        self.blanks();
        if self.peek() == Some(b'"') { self.quoted() } else { self.bare() }
    }

    fn quoted(&mut self) -> Result<Literal, Refusal> {
        let start = self.at;
        self.at = self.at.saturating_add(1);
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at = self.at.saturating_add(2),
                Some(_) => self.at = self.at.saturating_add(1),
                None => return Err(self.unexpected("a closing quote")),
            }
        }
        self.at = self.at.saturating_add(1);
        // The strict JSON reader refuses what must not be in a string: NUL, lone surrogates, control characters.
        let json = self.text.get(start..self.at).unwrap_or("");
        match crate::scim::json::parse(json.as_bytes()) {
            Ok(Value::String(text)) => Ok(Literal::Text(text)),
            _ => Err(refusal(format!("expected a JSON string at byte {start}"))),
        }
    }

    fn bare(&mut self) -> Result<Literal, Refusal> {
        let start = self.at;
        // NUL and other control characters are in no word, as they are in no JSON string (X34).
        while self.peek().is_some_and(|byte| !matches!(byte, 0..=b' ' | b'(' | b')' | b'[' | b']' | b'"')) {
            self.at = self.at.saturating_add(1);
        }
        let word = self.text.get(start..self.at).unwrap_or("");
        if word.is_empty() {
            return Err(self.unexpected("a value"));
        }
        Ok(match word {
            "null" => Literal::Null,
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            _ => number(word).map_or_else(|| Literal::Text(word.to_owned()), Literal::Number),
        })
    }
}

/// Tells whether a filter that makes sense has its blanks as the grammar has them (RFC 7644 §3.4.2.2): one space around operators and before
/// values, none elsewhere. A space between `not` and its parenthesis is neither here nor there.
pub(super) fn is_spaced_by_the_grammar(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut before: Option<u8> = None;
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        let next = bytes.get(at.saturating_add(1)).copied();
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            if !quoted && !matches!(next, None | Some(b' ' | b')' | b']')) {
                return false;
            }
        } else {
            let is_sound = match byte {
                b'\t' => false,
                b' ' => {
                    !matches!(before, None | Some(b' ' | b'(' | b'['))
                        && !matches!(next, None | Some(b')' | b']'))
                }
                b'"' => before == Some(b' '),
                b')' | b']' => matches!(next, None | Some(b' ' | b')' | b']' | b'.')),
                b'(' => match before {
                    None | Some(b' ' | b'(' | b'[') => true,
                    Some(_) => text.get(..at).is_some_and(ends_with_not),
                },
                _ => true,
            };
            if !is_sound {
                return false;
            }
            quoted = byte == b'"';
        }
        before = Some(byte);
    }
    true
}

fn ends_with_not(text: &str) -> bool {
    let word = text.rsplit(|byte: char| !byte.is_ascii_alphabetic()).next();
    word.is_some_and(|word| word.eq_ignore_ascii_case("not"))
}

/// Reads a JSON number.
fn number(word: &str) -> Option<Number> {
    if !word.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    match crate::scim::json::parse(word.as_bytes()) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s71_blanks_are_where_the_grammar_has_them_or_they_are_not() {
        for sound in [
            r#"userName eq "a  b\t""#,
            r#"title pr and not (userName eq "a")"#,
            r#"not(title pr) or (userName eq "x" and title pr)"#,
            "((title pr))",
            r#"emails[type eq "work" and value co "(\"x"].value eq "x""#,
            r#"emails[not(type eq "work")]"#,
            "externalId eq jyoung",
        ] {
            assert!(is_spaced_by_the_grammar(sound), "{sound}");
        }
        for loose in [
            " title pr",
            "title pr ",
            "title  pr",
            "title\tpr",
            r#"userName eq"a""#,
            r#"userName eq "a"and title pr"#,
            "( title pr)",
            "(title pr )",
            "(title pr)and(name.givenName pr)",
            "title pr and(name.givenName pr)",
            r#"emails[ type eq "work"]"#,
            r#"emails[type eq "work" ]"#,
            "not  (title pr)",
        ] {
            assert!(!is_spaced_by_the_grammar(loose), "{loose}");
        }
    }
}
