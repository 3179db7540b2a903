//! Names with a star in them, as operators write them in settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name, or a part of one with `*` for anything. Capitals and small letters are the same.
///
/// ```
/// use rosterd_plugin::Pattern;
/// assert!(Pattern::new("Senior*").matches("senior consultant"));
/// assert!(Pattern::new("*consultant").matches("Senior Consultant"));
/// assert!(!Pattern::new("Consultant").matches("Senior Consultant"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(inline, with = "String")]
pub struct Pattern {
    text: String,
    lowered: String,
}

impl Pattern {
    /// A pattern of its text.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), lowered: text.to_lowercase() }
    }

    /// The text that it was made of.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether it is that name.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let mut parts = self.lowered.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        // Each part at its first place; the last must end the name. Leftmost is enough, because stars take anything.
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.split_once(part) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn stars_take_anything() {
        for (pattern, name, takes) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*b*", "abc", true),
            ("ÄRZTE*", "ärzte Nord", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), takes, "{pattern} {name}");
        }
    }
}
