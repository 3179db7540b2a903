//! The passwords that everybody tries first: written down from common knowledge, in the bare form in which they are compared.
//!
//! Short on purpose. With fifteen characters by default hardly any of the great lists is left; what is here is what firms that ask for eight meet.

/// Words that make a password by themselves, or with digits and years before or behind.
const WORDS: &str = include_str!("common.txt");

/// Fewest letters of a word for it to be looked for with digits around it.
const STEM_CHARACTERS_MIN: usize = 4;

/// Tells whether a bare password is one of them, or one with digits around it.
pub(super) fn is_common(bare: &str) -> bool {
    let plain: String = bare.chars().map(unleet).collect();
    // The digits that everybody adds are taken off before others are read as letters.
    let trimmed = bare.trim_matches(|c: char| c.is_ascii_digit());
    let stem: String = trimmed.chars().map(unleet).collect();
    let listed = |text: &str| !text.is_empty() && WORDS.lines().any(|word| word == text);
    listed(bare)
        || listed(&plain)
        || (trimmed.chars().count() >= STEM_CHARACTERS_MIN && (listed(trimmed) || listed(&stem)))
        || is_twice(bare).is_some_and(listed)
}

/// Puts back the letter for which a digit stands.
const fn unleet(character: char) -> char {
    match character {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        other => other,
    }
}

/// Returns the half of a text that is the same twice.
fn is_twice(text: &str) -> Option<&str> {
    let (one, other) = text.split_at_checked(text.len() / 2)?;
    (one == other).then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bare_sorted_and_without_doubles() {
        let words: Vec<&str> = WORDS.lines().collect();
        let mut sorted = words.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(words, sorted);
        assert!(words.len() > 200, "{}", words.len());
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())));
    }
}
