//! When two strings are the same although their letters differ in case: for every attribute that is not `caseExact`.
//!
//! `userName` has its own rule in [`super::precis`].

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Folds a string for comparison: lower case by character, composed (NFC). Borrows when there is nothing to fold.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        }
    } else {
        // Character by character, so that a prefix of a string folds to a prefix of what the string folds to. The final
        // sigma is the one letter with two lower-case forms.
        let lower = text.chars().flat_map(char::to_lowercase);
        Cow::Owned(lower.map(|letter| if letter == 'ς' { 'σ' } else { letter }).nfc().collect())
    }
}

/// Compares two strings by what they fold to, without allocating in the common case.
pub fn same(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        left.eq_ignore_ascii_case(right)
    } else {
        fold(left) == fold(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s43_case_and_composition_do_not_matter() {
        for (left, right) in [("ADA", "ada"), ("É", "e\u{301}"), ("ΣΟΦΟΣ", "σοφος"), ("Straße", "STRAẞE")]
        {
            assert!(same(left, right), "{left} {right}");
        }
        assert!(!same("ada", "adb"));
    }
}
