//! Compares an answer with what a transcript expects, member by member, and captures what it names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// What was captured so far.
#[derive(Debug, Default)]
pub struct Captured(BTreeMap<String, Value>);

/// Says in a line of its own what is not as expected.
pub type Differences = Vec<String>;

/// Members that may be present beside the listed ones, and elements that may follow them.
const OTHERS: &str = "...";

impl Captured {
    /// Knows a name from the start.
    pub fn knowing(name: &str, value: &str) -> Self {
        Self(BTreeMap::from([(name.to_owned(), Value::from(value))]))
    }

    /// Puts captured values in the place of their names; says which name is unknown.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, name, after)) = next_name(rest) {
            filled.push_str(before);
            match self.0.get(name) {
                Some(Value::String(value)) => filled.push_str(value),
                Some(value) => filled.push_str(&value.to_string()),
                None => return Err(format!("{{{{{name}}}}} is sent, but no answer has shown it yet")),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Compares two values.
    pub fn compare(&mut self, place: &str, expected: &Value, found: &Value, differences: &mut Differences) {
        match (expected, found) {
            (Value::String(pattern), _) if pattern.contains("{{") => {
                if let Err(what) = self.matches(pattern, found) {
                    differences.push(format!("{place}: {what}"));
                }
            }
            (Value::Object(expected), Value::Object(found)) => {
                let others = expected.contains_key(OTHERS);
                for (name, expected) in expected.iter().filter(|(name, _)| *name != OTHERS) {
                    let place = format!("{place}.{name}");
                    match found.get(name) {
                        Some(_) if expected == "{{absent}}" => {
                            differences.push(format!("{place}: should be absent"));
                        }
                        Some(found) => self.compare(&place, expected, found, differences),
                        None if expected == "{{absent}}" => {}
                        None => differences.push(format!("{place}: is missing; expected {expected}")),
                    }
                }
                for (name, value) in found.iter().filter(|(name, _)| !others && !expected.contains_key(*name))
                {
                    differences.push(format!("{place}.{name}: was not expected; found {value}"));
                }
            }
            (Value::Array(expected), Value::Array(found)) => {
                let (expected, others) = match expected.split_last() {
                    Some((last, listed)) if last == OTHERS => (listed, true),
                    _ => (expected.as_slice(), false),
                };
                if found.len() < expected.len() || (found.len() > expected.len() && !others) {
                    differences.push(format!(
                        "{place}: expected {} elements, found {}: {}",
                        expected.len(),
                        found.len(),
                        Value::from(found.clone())
                    ));
                    return;
                }
                for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
                    self.compare(&format!("{place}[{at}]"), expected, found, differences);
                }
            }
            _ if expected == found => {}
            _ => differences.push(format!("{place}: expected {expected}, found {found}")),
        }
    }

    /// Compares a text that may hold names and matchers.
    pub fn matches(&mut self, pattern: &str, found: &Value) -> Result<(), String> {
        let whole = pattern.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(name) = whole.filter(|name| !name.contains('{')) {
            return self.matches_one(name, found);
        }
        let Some(text) = found.as_str() else { return Err(format!("expected {pattern:?}, found {found}")) };
        let mut rest_of_pattern = pattern;
        let mut rest = text;
        let differs = || format!("expected {pattern:?}, found {text:?}");
        while let Some((before, name, after)) = next_name(rest_of_pattern) {
            rest = rest.strip_prefix(before).ok_or_else(differs)?;
            let end = match next_name(after).map_or(after, |(between, ..)| between) {
                "" => rest.len(),
                between => rest.find(between).ok_or_else(differs)?,
            };
            let end = match self.0.get(name) {
                Some(Value::String(known)) if rest.starts_with(known.as_str()) => known.len(),
                _ => end,
            };
            let (shown, left) = rest.split_at(end);
            self.matches_one(name, &Value::from(shown)).map_err(|what| format!("{}: {what}", differs()))?;
            rest = left;
            rest_of_pattern = after;
        }
        if rest == rest_of_pattern { Ok(()) } else { Err(differs()) }
    }

    /// Compares a value with a name: a matcher, a captured value, `!` and a captured value, or a new name.
    fn matches_one(&mut self, name: &str, found: &Value) -> Result<(), String> {
        let fits = |fits: bool, what: &str| {
            if fits { Ok(()) } else { Err(format!("expected {what}, found {found}")) }
        };
        let text = found.as_str();
        match name {
            "any" => Ok(()),
            "text" => fits(text.is_some_and(|text| !text.is_empty()), "a text"),
            "time" => {
                fits(text.is_some_and(|text| text.parse::<Timestamp>().is_ok()), "a time with an offset")
            }
            "etag" => fits(
                text.and_then(|text| text.strip_prefix("W/\""))
                    .and_then(|text| text.strip_suffix('"'))
                    .is_some(),
                "a weak entity tag",
            ),
            _ => match (name.strip_prefix('!'), self.0.get(name.trim_start_matches('!'))) {
                (Some(_), Some(known)) => fits(known != found, &format!("anything but {known}")),
                (Some(name), None) => Err(format!("{name} was not captured yet")),
                (None, Some(known)) => fits(known == found, &format!("{known} ({name})")),
                (None, None) => {
                    self.0.insert(name.to_owned(), found.clone());
                    Ok(())
                }
            },
        }
    }
}

/// Splits a text at its first `{{name}}`.
fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(expected: Value, found: Value) -> Differences {
        let mut all = vec![];
        Captured::knowing("ada", "7").compare("$", &expected, &found, &mut all);
        all
    }

    #[test]
    fn every_difference_is_named_with_its_place() {
        let expected =
            json!({"id": "{{ada}}", "a": {"b": 1}, "c": [1, 2], "gone": "{{absent}}", "at": "{{time}}"});
        let found = json!({"id": "8", "a": {"b": 2, "d": 3}, "c": [1], "gone": 0, "at": "today"});
        assert_eq!(
            differences(expected, found),
            [
                "$.id: expected \"7\" (ada), found \"8\"",
                "$.a.b: expected 1, found 2",
                "$.a.d: was not expected; found 3",
                "$.c: expected 2 elements, found 1: [1]",
                "$.gone: should be absent",
                "$.at: expected a time with an offset, found \"today\"",
            ]
        );
    }

    #[test]
    fn others_may_be_present_where_the_transcript_says_so() {
        assert_eq!(differences(json!({"a": 1, "...": "..."}), json!({"a": 1, "b": 2})), Vec::<String>::new());
        assert_eq!(differences(json!([1, "..."]), json!([1, 2, 3])), Vec::<String>::new());
        assert_eq!(differences(json!([1, "..."]), json!([])).len(), 1);
    }

    #[test]
    fn a_name_is_captured_once_and_compared_from_then_on() {
        let mut captured = Captured::default();
        assert_eq!(captured.matches("x/{{id}}/{{tail}}", &json!("x/12/z")), Ok(()));
        assert_eq!(captured.fill("{{tail}}-{{id}}"), Ok("z-12".to_owned()));
        assert!(captured.matches("{{id}}", &json!("13")).is_err());
        assert_eq!(captured.matches("{{!id}}", &json!("13")), Ok(()));
        assert!(captured.fill("{{other}}").is_err());
    }
}
