//! From bytes to JSON values, strictly: nothing that two readers could understand in two ways gets through.
//!
//! One pass over the bytes. Refused besides bad syntax: a byte order mark, invalid UTF-8, lone surrogates and NUL (X34), depth
//! beyond [`DEPTH_MAX`], numbers longer than [`NUMBER_BYTES_MAX`] or with more digits than can be kept, more than [`VALUES_MAX`] values, and two names in one
//! object that are the same but for the case of letters, however they are escaped: names of attributes are compared that
//! way (S26, S27, X24).

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::error::{Refusal, Why};

/// Deepest nesting of objects and arrays.
pub const DEPTH_MAX: usize = 64;
/// Longest number, in characters.
pub const NUMBER_BYTES_MAX: usize = 64;
/// Most values in one body: a value takes tens of bytes of memory where its text may take two, and 100,000 members with
/// all their parts must fit.
pub const VALUES_MAX: usize = 600_000;
/// From this many names on, an object's names are compared through a set.
const NAMES_COMPARED_MAX: usize = 16;

/// Parses a request body.
pub fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(refusal("expected JSON, found a byte order mark"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        refusal(format!("expected UTF-8, found something else at byte {}", error.valid_up_to()))
    })?;
    let mut parser = Parser { text, bytes, at: 0, depth: 0, values: 0 };
    let value = parser.value()?;
    parser.blanks();
    if parser.at < bytes.len() {
        return Err(parser.unexpected("the end"));
    }
    Ok(value)
}

fn refusal(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidSyntax, detail)
}

/// Where the parser stands. `bytes` are those of `text`.
struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// Takes a byte if it is the next one.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    fn unexpected(&self, expected: &str) -> Refusal {
        match self.peek() {
            None => refusal(format!("expected {expected}, found the end of the body")),
            Some(_) => refusal(format!("expected {expected} at byte {}", self.at)),
        }
    }

    /// Parses a value. Recursion ends at [`DEPTH_MAX`].
    fn value(&mut self) -> Result<Value, Refusal> {
        self.blanks();
        self.values = self.values.saturating_add(1);
        if self.values > VALUES_MAX {
            return Err(refusal(format!("expected at most {VALUES_MAX} values in one body, found more")));
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            _ => Err(self.unexpected("a JSON value")),
        }
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Result<Value, Refusal>) -> Result<Value, Refusal> {
        if self.depth == DEPTH_MAX {
            return Err(refusal(format!("expected at most {DEPTH_MAX} levels of nesting, found more")));
        }
        self.depth = self.depth.saturating_add(1);
        self.at = self.at.saturating_add(1);
        let value = parse(self);
        self.depth = self.depth.saturating_sub(1);
        value
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Refusal> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at = self.at.saturating_add(word.len());
            Ok(value)
        } else {
            Err(self.unexpected("a JSON value"))
        }
    }

    fn array(&mut self) -> Result<Value, Refusal> {
        let mut values = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value()?);
            self.blanks();
            if self.take(b']') {
                return Ok(Value::Array(values));
            }
            if !self.take(b',') {
                return Err(self.unexpected("a comma or the end of the array"));
            }
        }
    }

    fn object(&mut self) -> Result<Value, Refusal> {
        let mut members = Map::new();
        let mut many = None;
        self.blanks();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a name in quotes"));
            }
            let name = self.string()?;
            if is_taken(&members, &mut many, &name) {
                let name = super::error::quoted(&name);
                return Err(refusal(format!(
                    "the name {name} stands twice in one object; case does not matter"
                )));
            }
            self.blanks();
            if !self.take(b':') {
                return Err(self.unexpected("a colon"));
            }
            let value = self.value()?;
            members.insert(name, value);
            self.blanks();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.unexpected("a comma or the end of the object"));
            }
        }
    }

    /// Parses a string; what needs no unescaping is copied in one piece.
    fn string(&mut self) -> Result<String, Refusal> {
        self.at = self.at.saturating_add(1);
        let mut start = self.at;
        let mut parsed = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let piece = self.piece(start);
                    self.at = self.at.saturating_add(1);
                    if parsed.is_empty() {
                        return Ok(piece.to_owned());
                    }
                    parsed.push_str(piece);
                    return Ok(parsed);
                }
                Some(b'\\') => {
                    parsed.push_str(self.piece(start));
                    self.at = self.at.saturating_add(1);
                    parsed.push(self.escape()?);
                    start = self.at;
                }
                Some(0..=0x1f) => return Err(self.unexpected("no control character in a string")),
                Some(_) => self.at = self.at.saturating_add(1),
                None => return Err(self.unexpected("the end of a string")),
            }
        }
    }

    /// Returns the text from `start` to here. Both lie at ASCII bytes, hence between characters.
    fn piece(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    fn escape(&mut self) -> Result<char, Refusal> {
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at = self.at.saturating_add(1);
                return self.unicode();
            }
            _ => return Err(self.unexpected("an escape that JSON knows")),
        };
        self.at = self.at.saturating_add(1);
        Ok(escaped)
    }

    /// Parses what follows `\u`: one character, from one unit or from a pair of surrogates.
    fn unicode(&mut self) -> Result<char, Refusal> {
        let first = self.hex()?;
        let code = match first {
            0 => return Err(refusal("the character NUL is not allowed in a string")),
            0xd800..=0xdbff => {
                let second = if self.take(b'\\') && self.take(b'u') { self.hex()? } else { 0 };
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(refusal("found one half of a surrogate pair alone"));
                }
                0x1_0000_u32.saturating_add((first & 0x3ff) << 10).saturating_add(second & 0x3ff)
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| refusal("found one half of a surrogate pair alone"))
    }

    fn hex(&mut self) -> Result<u32, Refusal> {
        let digits = self
            .text
            .get(self.at..self.at.saturating_add(4))
            .filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.unexpected("four hexadecimal digits"))?;
        self.at = self.at.saturating_add(4);
        Ok(code)
    }

    fn number(&mut self) -> Result<Number, Refusal> {
        let start = self.at;
        let negative = self.take(b'-');
        let whole = self.digits();
        let leading_zero =
            whole > 1 && self.bytes.get(start.saturating_add(usize::from(negative))) == Some(&b'0');
        if whole == 0 || leading_zero {
            return Err(self.unexpected("a number without leading zeros"));
        }
        let mut integer = true;
        if self.take(b'.') {
            integer = false;
            if self.digits() == 0 {
                return Err(self.unexpected("a digit after the decimal point"));
            }
        }
        if self.take(b'e') || self.take(b'E') {
            integer = false;
            let _ = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err(self.unexpected("a digit in the exponent"));
            }
        }
        let text = self.piece(start);
        if text.len() > NUMBER_BYTES_MAX {
            return Err(refusal(format!(
                "expected numbers of at most {NUMBER_BYTES_MAX} characters, found a longer one"
            )));
        }
        let exact = if integer {
            let signed = text.parse::<i64>().ok().map(Number::from);
            signed.or_else(|| text.parse::<u64>().ok().map(Number::from))
        } else {
            None
        };
        if let Some(exact) = exact {
            return Ok(exact);
        }
        let near = text.parse::<f64>().ok().and_then(Number::from_f64);
        let near = near.ok_or_else(|| refusal("found a number that is too large"))?;
        // What is kept and given back is the nearest binary number; of one with more digits the last would be invented.
        if significant(text) != significant(&near.to_string()) {
            return Err(refusal(format!(
                "the number at byte {start} has more digits than can be kept; expected at most 15 significant ones, or a string"
            )));
        }
        Ok(near)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at = self.at.saturating_add(1);
        }
        self.at.saturating_sub(start)
    }
}

/// Reduces a number to what it is worth: its digits without zeros at either end, and the power of ten of the last one.
fn significant(text: &str) -> (Vec<u8>, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits: Vec<u8> =
        mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|&digit| digit == b'0').collect();
    let kept = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last.saturating_add(1));
    if kept == 0 {
        return (Vec::new(), 0);
    }
    // Numbers are short, so that none of these comes near the end of its type but an exponent that is nonsense already.
    let power = exponent.parse::<i64>().unwrap_or(i64::MAX);
    let dropped = digits.len().saturating_sub(kept);
    let power = power.saturating_sub_unsigned(fraction as u64).saturating_add_unsigned(dropped as u64);
    (digits.get(..kept).unwrap_or_default().to_vec(), power)
}

/// Tells whether an object has the name already, whatever the case of letters. Small objects are searched; for large ones
/// a set of folded names is kept in `many`, so that the cost stays linear.
fn is_taken(members: &Map<String, Value>, many: &mut Option<HashSet<String>>, name: &str) -> bool {
    if members.len() < NAMES_COMPARED_MAX {
        return members.keys().any(|known| known.len() == name.len() && known.eq_ignore_ascii_case(name));
    }
    let names = many.get_or_insert_with(|| members.keys().map(|known| known.to_ascii_lowercase()).collect());
    !names.insert(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> bool {
        parse(text.as_bytes()).is_err_and(|refusal| refusal.why == Why::InvalidSyntax)
    }

    #[test]
    fn a_number_comes_back_as_it_was_sent_or_is_refused() {
        for text in [
            "0.1",
            "1e-7",
            "-0.0",
            "0.30000000000000004",
            "1.50",
            "1E+2",
            "123456789012345.6",
            "5e-324",
            "100000000000000000000",
            "0e9",
            "3.141592653589793",
        ] {
            let written = parse(text.as_bytes()).unwrap().to_string();
            assert_eq!(significant(text), significant(&written), "{text} became {written}");
            // What is stored is read back by another parser.
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap().to_string(), written);
        }
        for text in [
            "12345678901234567.89",
            "999999999999999.99",
            "0.10000000000000000555",
            "100000000000000000001",
            "1e-400",
        ] {
            assert!(refused(text), "{text}");
        }
    }

    #[test]
    fn x34_every_pair_of_surrogates_is_the_character_that_serde_json_reads() {
        for code in [0x1_0000_u32, 0x1_f600, 0x2_0000, 0x2_f800, 0xe_0041, 0xf_ffff, 0x10_0000, 0x10_ffff] {
            let letter = char::from_u32(code).unwrap();
            let units: Vec<String> =
                letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect();
            let escaped = units.concat();
            let text = format!("[\"{escaped}\"]");
            assert_eq!(parse(text.as_bytes()).unwrap()[0], letter.to_string(), "{text}");
            assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        let text = r#" {"a": [1, -2.5e3, 18446744073709551615, true, false, null], "b\n\u00e9\ud83d\ude00": {"c": ""}} "#;
        let expected =
            json!({"a": [1, -2500.0, u64::MAX, true, false, null], "b\n\u{e9}\u{1f600}": {"c": ""}});
        assert_eq!(parse(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn s27_x24_names_that_fold_to_one_are_refused() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"userName":"a","USERNAME":"b"}"#,
            r#"{"userName":"a","\u0075serName":"b"}"#,
            r#"{"userName":"a","\u0055SERNAME":"b"}"#,
            r#"{"name":{"givenName":"a","GIVENNAME":"b"}}"#,
        ] {
            assert!(refused(text), "{text}");
        }
        let many: Vec<String> = (0..40).map(|number| format!("\"name{number}\":1")).collect();
        assert!(!refused(&format!("{{{}}}", many.join(","))));
        assert!(refused(&format!("{{{},\"NAME39\":1}}", many.join(","))));
    }

    #[test]
    fn s32_x34_bytes_that_two_readers_could_understand_in_two_ways_are_refused() {
        for bytes in [
            &b"\xef\xbb\xbf{}"[..],
            b"\xff\xfe{\0}\0",
            b"{\"a\":\"\xc0\x80\"}",
            b"{\"a\":\"\xed\xa0\x80\"}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\udc00x\"}",
            b"{\"a\":\"\\ud800\\u0041\"}",
            b"{\"a\":\"\\u0000\"}",
            b"{\"a\":\"\0\"}",
            b"{\"a\":\"\x1f\"}",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn x30_depth_and_length_of_numbers_end_somewhere() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!refused(&nested(DEPTH_MAX)));
        assert!(refused(&nested(DEPTH_MAX + 1)));
        assert!(refused(&"[".repeat(1_000_000)));
        assert!(!refused(&format!("1{}", "0".repeat(NUMBER_BYTES_MAX - 1))));
        assert!(refused(&"1".repeat(NUMBER_BYTES_MAX + 1)));
        assert!(refused("1e999"));
        assert!(refused(&format!("[{}]", vec!["0"; VALUES_MAX].join(","))));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "nul",
            "NaN",
            "Infinity",
            "01",
            "-",
            "1.",
            "1.e1",
            ".5",
            "+1",
            "1e",
            "'a'",
            "\"",
            "\"\\x\"",
            "\"\\u12",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "{} {}",
            "{\"a\":1 \"b\":2}",
            "[",
            "{",
            "// x\n1",
        ] {
            assert!(refused(text), "{text}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[^\\x00]*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,8}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        // The parser that reads what is stored finds the same number, to the last bit.
        #[test]
        fn a_decimal_survives_the_store(number in any::<f64>().prop_filter("JSON has no others", |number| number.is_finite())) {
            let written = Value::from(number).to_string();
            prop_assert_eq!(parse(written.as_bytes()).unwrap(), Value::from(number));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), Value::from(number));
        }

        #[test]
        fn what_serde_writes_is_read_back(value in values()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
        }

        #[test]
        fn what_serde_refuses_is_refused(text in r#"[\[\]{}:,"\\ truefalsn0-9.eE+u-]{0,24}"#) {
            if parse(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
