//! Which passwords are taken: long enough, and not one of those that are tried first (X10, T04). No rules about kinds of characters, nothing cut off.
//!
//! A password is brought into one spelling before it is counted, hashed or tried (RFC 8265 §4.2, OpaqueString), so that the same keys on another machine are
//! the same password.

use std::fmt;

use precis_core::profile::Profile;
use precis_profiles::OpaqueString;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::common;

/// Most characters of a password.
pub const CHARACTERS_MAX: usize = 128;
/// Most bytes that are looked at at all: what 128 characters can have.
const BYTES_MAX: usize = CHARACTERS_MAX * 4 * 3;
/// Fewest characters for who has a second factor.
pub const CHARACTERS_MIN_WITH_SECOND_FACTOR: usize = 8;
/// Words about the person that are shorter say nothing: nearly every password holds them.
const WORD_CHARACTERS_MIN: usize = 4;

/// A password in the one spelling. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is wrong with a password, for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFlaw {
    /// Not enough characters.
    #[error("A password has at least {0} characters. Several words in a row are good.")]
    Short(usize),
    /// Too many.
    #[error("A password has {CHARACTERS_MAX} characters at most.")]
    Long,
    /// Characters that cannot be typed alike everywhere.
    #[error("The password holds a character that cannot be used, such as a tab or a line end.")]
    Characters,
    /// It is one of those that are tried first.
    #[error("This password is one of those that are tried first. Choose another one.")]
    Common,
    /// It is made of what everybody knows of the person or the firm.
    #[error(
        "The password is made of a name, an address or the firm. Choose something that nobody would connect with you."
    )]
    Known,
    /// The two fields differ.
    #[error("The two fields differ. Type the new password twice.")]
    Differs,
}

impl Password {
    /// Reads what was typed.
    pub fn read(typed: &str) -> Result<Self, PasswordFlaw> {
        if typed.len() > BYTES_MAX {
            return Err(PasswordFlaw::Long);
        }
        if typed.is_empty() {
            return Err(PasswordFlaw::Short(1));
        }
        let spelled = OpaqueString::new().enforce(typed).map_err(|_| PasswordFlaw::Characters)?;
        let spelled = Zeroizing::new(spelled.into_owned());
        if spelled.chars().count() > CHARACTERS_MAX {
            return Err(PasswordFlaw::Long);
        }
        Ok(Self(spelled))
    }

    /// Reads a new one that was typed twice.
    pub fn read_twice(typed: &str, again: &str) -> Result<Self, PasswordFlaw> {
        let [typed, again] = [Self::read(typed)?, Self::read(again)?];
        if typed == again { Ok(typed) } else { Err(PasswordFlaw::Differs) }
    }

    /// Returns the bytes that are hashed.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What a new password is held against.
#[derive(Debug, Clone, Copy)]
pub struct Strength<'a> {
    /// Fewest characters by what the firm has decided.
    pub characters_min: usize,
    /// Whether a second factor stands beside it.
    pub second_factor: bool,
    /// The firm, and the person's names, login and addresses.
    pub words: &'a [String],
}

impl Strength<'_> {
    /// Returns the fewest characters that a password has.
    pub fn characters_min(&self) -> usize {
        if self.second_factor {
            self.characters_min.min(CHARACTERS_MIN_WITH_SECOND_FACTOR)
        } else {
            self.characters_min
        }
    }

    /// Refuses a new password that is not taken.
    pub fn check(&self, password: &Password) -> Result<(), PasswordFlaw> {
        let min = self.characters_min();
        if password.0.chars().count() < min {
            return Err(PasswordFlaw::Short(min));
        }
        let bare = Zeroizing::new(bare(&password.0));
        if common::is_common(&bare) || is_a_pattern(&bare) {
            return Err(PasswordFlaw::Common);
        }
        if is_made_of(&bare, self.words) {
            return Err(PasswordFlaw::Known);
        }
        Ok(())
    }
}

/// Letters in one case, digits, and what stands in for letters put back: `P4$$w0rd` is `password`.
fn bare(text: &str) -> String {
    text.nfkc()
        .flat_map(char::to_lowercase)
        .filter_map(|character| match character {
            '@' => Some('a'),
            '$' => Some('s'),
            c if c.is_alphanumeric() => Some(c),
            _ => None,
        })
        .collect()
}

/// Tells whether a text is one short piece again and again, or a run of neighbours: `abcabcabcabc`, `12345678`, `zyxwvuts`.
fn is_a_pattern(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let repeats = |period: usize| {
        characters.len() > period
            && characters.iter().zip(characters.iter().skip(period)).all(|(a, b)| a == b)
    };
    let runs = |step: i64| {
        characters.len() > 3
            && characters
                .iter()
                .zip(characters.iter().skip(1))
                .all(|(a, b)| i64::from(u32::from(*b)).checked_sub(i64::from(u32::from(*a))) == Some(step))
    };
    characters.is_empty() || (1..=4).any(repeats) || runs(1) || runs(-1)
}

/// Tells whether what is left of a text is little, once what everybody knows of somebody is taken out.
fn is_made_of(text: &str, words: &[String]) -> bool {
    let mut rest = Zeroizing::new(text.to_owned());
    let whole = text.chars().count();
    for word in parts(words) {
        if rest.contains(word.as_str()) {
            rest = Zeroizing::new(rest.replace(word.as_str(), ""));
        }
    }
    let left = rest.chars().filter(|c| c.is_alphabetic()).count();
    let taken = whole.saturating_sub(rest.chars().count());
    // Digits at an end are what everybody adds.
    taken > 0 && left < WORD_CHARACTERS_MIN
}

/// Names as a whole and in their parts, longest first, so that no part is taken out of the middle of a whole.
fn parts(words: &[String]) -> Vec<String> {
    let mut parts: Vec<String> = words
        .iter()
        .flat_map(|word| std::iter::once(word.as_str()).chain(word.split(|c: char| !c.is_alphanumeric())))
        .map(bare)
        .filter(|part| part.chars().count() >= WORD_CHARACTERS_MIN)
        .collect();
    parts.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    parts.dedup();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(typed: &str, characters_min: usize) -> Option<PasswordFlaw> {
        let words = ["acme", "ada.byron@acme.test", "Ada Byron-King", "Ada"].map(str::to_owned);
        let strength = Strength { characters_min, second_factor: false, words: &words };
        Password::read(typed).and_then(|password| strength.check(&password)).err()
    }

    #[test]
    fn x10_t04_a_password_has_as_many_characters_as_the_firm_wants_and_128_at_most() {
        assert_eq!(flaw("fourteen chars", 15), Some(PasswordFlaw::Short(15)));
        assert_eq!(flaw("fifteen letters", 15), None);
        assert_eq!(flaw("sev3nch", 8), Some(PasswordFlaw::Short(8)));
        assert_eq!(flaw("eightchr", 8), None);
        let long: String = (0..64).flat_map(|n| [char::from(b'a' + n % 26), ' ']).collect();
        assert_eq!(flaw(&long, 15), None, "128 characters");
        assert_eq!(flaw(&format!("{long}x"), 15), Some(PasswordFlaw::Long));
        assert_eq!(flaw(&"x".repeat(1 << 20), 15), Some(PasswordFlaw::Long));
    }

    #[test]
    fn x10_characters_are_counted_after_they_were_brought_into_one_spelling() {
        let composed = "gr\u{fc}ner tee am morgen";
        let apart = "gru\u{308}ner tee am morgen";
        assert_eq!(Password::read(composed), Password::read(apart));
        let words = Strength { characters_min: 8, second_factor: false, words: &[] };
        // Seven letters, each written as two characters.
        let seven = Password::read(&"u\u{308}o\u{308}a\u{308}".repeat(2)).unwrap();
        assert_eq!(words.check(&seven), Err(PasswordFlaw::Short(8)));
        assert_eq!(Password::read("a\tb"), Err(PasswordFlaw::Characters));
        assert_eq!(Password::read("a\u{3000}b").unwrap(), Password::read("a b").unwrap());
    }

    #[test]
    fn x10_no_kind_of_character_is_asked_for() {
        for good in ["quiet river stone", "plumtreelantern", "8213 4476 0193 55", "зима и весна летом"]
        {
            assert_eq!(flaw(good, 15), None, "{good}");
        }
    }

    #[test]
    fn x10_what_is_tried_first_is_refused_however_it_is_dressed_up() {
        for common in [
            "password123",
            "P4$$w0rd123",
            "Qwerty123456",
            "iloveyou!!",
            "letmein1234",
            "1234567890",
            "abcdefghij",
            "aaaaaaaaaa",
            "abcabcabcabc",
            "changeme!!",
            "welcome2026",
        ] {
            assert_eq!(flaw(common, 8), Some(PasswordFlaw::Common), "{common}");
        }
    }

    #[test]
    fn x10_what_is_made_of_the_firm_or_of_the_person_is_refused() {
        for known in ["acme2026!!", "ada.byron@acme.test", "Byron-King-1815", "AdaByronKing", "acme-byron-1"]
        {
            assert_eq!(flaw(known, 8), Some(PasswordFlaw::Known), "{known}");
        }
        assert_eq!(flaw("byron likes marmalade", 8), None);
    }

    #[test]
    fn x10_eight_characters_do_where_a_second_factor_stands_beside() {
        let strength = Strength { characters_min: 15, second_factor: true, words: &[] };
        assert_eq!(strength.check(&Password::read("marmalad").unwrap()), Ok(()));
        assert_eq!(strength.check(&Password::read("marmala").unwrap()), Err(PasswordFlaw::Short(8)));
    }

    #[test]
    fn h10_a_new_password_is_typed_twice() {
        assert_eq!(Password::read_twice("one of these", "one of those"), Err(PasswordFlaw::Differs));
        assert!(Password::read_twice("one of these", "one of these").is_ok());
    }

    #[test]
    fn x61_a_password_prints_as_stars() {
        assert_eq!(format!("{:?}", Password::read("hunter2hunter2").unwrap()), "***");
    }
}
