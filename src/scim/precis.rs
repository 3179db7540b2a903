//! When two user names are one person's: PRECIS UsernameCaseMapped (RFC 8265 §3.3), as RFC 7644 §5 asks.
//!
//! One function for uniqueness, filter and sign-in (X26). What was sent is kept and shown as it was sent (S28); the folded
//! form is for comparison only.

use std::borrow::Cow;
use std::fmt;

use precis_core::profile::Profile;
use precis_profiles::UsernameCaseMapped;
use unicode_normalization::UnicodeNormalization;

use super::error::{Refusal, Why};

/// A user name in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldedUserName(String);

impl FoldedUserName {
    /// Returns the folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the folded text out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for FoldedUserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How often a name is mapped at most until it no longer changes (RFC 8264 §7 asks for three times).
const ROUNDS_MAX: usize = 4;

/// Folds a user name: width, case and composition do not matter. Refuses what no user name may hold: nothing at all,
/// spaces at an end, control, format, bidirectional, zero-width and unassigned characters.
pub fn user_name(text: &str) -> Result<FoldedUserName, Refusal> {
    if text.trim().is_empty() {
        return Err(refusal("expected a name, found nothing but blanks"));
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(refusal("a space at the beginning or the end is not allowed"));
    }
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(FoldedUserName(text.to_ascii_lowercase()));
    }
    // A user name is one or more parts with spaces between them (RFC 8265 §3.1); the profile is about one part.
    let mut folded = String::with_capacity(text.len());
    for (place, part) in text.split(' ').enumerate() {
        if place > 0 {
            folded.push(' ');
        }
        if !part.is_empty() {
            folded.push_str(&fold_part(part)?);
        }
    }
    Ok(FoldedUserName(folded))
}

/// Applies the profile to one part until nothing changes any more.
fn fold_part(part: &str) -> Result<String, Refusal> {
    let profile = UsernameCaseMapped::new();
    // Composed first: what is canonically the same letter (the Ångström sign and Å) must not be refused in one spelling.
    let mut folded: String = part.nfc().collect();
    for _ in 0..ROUNDS_MAX {
        let next: Cow<'_, str> = profile.enforce(folded.as_str()).map_err(|_| {
            refusal("found a character that is not allowed there (RFC 8265, UsernameCaseMapped)")
        })?;
        // The profile keeps the final sigma apart; in capitals it cannot be told apart, and capitals must not matter.
        let next = next.replace('ς', "σ");
        if next == folded {
            return Ok(folded);
        }
        folded = next;
    }
    Err(refusal("the name has no stable form for comparison"))
}

fn refusal(detail: &str) -> Refusal {
    Refusal::new(Why::InvalidValue, format!("userName: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        user_name(text).unwrap_or_else(|refusal| panic!("{text:?}: {refusal}")).into_string()
    }

    #[test]
    fn x26_names_that_differ_in_case_width_or_composition_only_collide() {
        for (left, right) in [
            ("ada@acme.test", "ADA@ACME.TEST"),
            ("Ada Byron", "ada byron"),
            ("jos\u{e9}", "jose\u{301}"),
            ("JOS\u{c9}", "jose\u{301}"),
            ("\u{ff41}da", "ada"),
            ("\u{ff21}\u{ff24}\u{ff21}", "ada"),
            ("ада", "АДА"),
            ("ΣΟΦΟΣ", "σοφος"),
            ("Αλέξης.Παππάς@x", "ΑΛΈΞΗΣ.ΠΑΠΠΆΣ@x"),
            ("\u{1e9e}", "\u{df}"),
            ("\u{c5}se", "a\u{30a}se"),
            ("\u{212b}se", "\u{e5}se"),
            ("\u{ff76}\u{ff85}", "カナ"),
        ] {
            let same = match (user_name(left), user_name(right)) {
                (Ok(left), Ok(right)) => left == right,
                _ => false,
            };
            assert!(same, "{left:?} {right:?} {:?} {:?}", user_name(left), user_name(right));
        }
    }

    #[test]
    fn x26_characters_that_nobody_sees_are_refused() {
        for name in [
            "",
            " ",
            "\t",
            " ada",
            "ada ",
            "a\u{0}b",
            "a\u{7}b",
            "a\nb",
            "a\u{7f}b",
            "a\u{80}b",
            "a\u{ad}b",
            "a\u{200b}b",
            "a\u{200c}b",
            "a\u{200d}b",
            "a\u{200e}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{feff}b",
            "a\u{2028}b",
            "a\u{a0}b",
            "a\u{3000}b",
            "a\u{e000}b",
            "a\u{378}b",
            "a\u{fffe}b",
            "\u{e0041}",
            "a\u{180e}b",
            "a\u{115f}b",
        ] {
            assert_eq!(user_name(name).map_err(|refusal| refusal.why), Err(Why::InvalidValue), "{name:?}");
        }
    }

    #[test]
    fn x26_no_locale_decides_over_the_dots_of_i() {
        assert_eq!(folded("I"), "i");
        assert_eq!(folded("\u{130}"), "i\u{307}");
        assert_ne!(folded("\u{131}"), folded("i"));
    }

    #[test]
    fn x26_folding_twice_changes_nothing() {
        for name in ["Ada Byron", "ΣΟΦΟΣ", "\u{1e9e}", "\u{130}", "\u{212b}", "ada+x@acme.test", "#EXT#"]
        {
            assert_eq!(folded(&folded(name)), folded(name), "{name}");
        }
    }
}
