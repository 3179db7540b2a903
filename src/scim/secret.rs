//! Names that mean a secret, whoever uses them: what is called so is shown to nobody and kept nowhere.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Tells whether letters hold a part of a name that means a secret, whoever uses it. Better one value too few in the log than one too
/// many. Asked for every query, so the letters are looked at once: few pairs of them begin such a word.
pub fn has_word(letters: &str) -> bool {
    let bytes = letters.as_bytes();
    bytes.windows(2).enumerate().any(|(at, pair)| {
        let rest = bytes.get(at.saturating_add(2)..).unwrap_or_default();
        ends(pair).iter().any(|end| rest.starts_with(end.as_bytes()))
    })
}

/// Tells of a text what [`has_word`] says of its letters ([`plain`]), without writing them down where it is ASCII: asked for every body.
pub fn mentions_word(text: &str) -> bool {
    if !text.is_ascii() {
        return has_word(&plain(text));
    }
    let mut before = 0_u8;
    for (at, byte) in text.bytes().enumerate() {
        let letter = match byte {
            b'a'..=b'z' | b'0'..=b'9' => byte,
            b'A'..=b'Z' => byte.to_ascii_lowercase(),
            _ => continue,
        };
        if begins(before) && goes_on(text, at.saturating_add(1), ends(&[before, letter])) {
            return true;
        }
        before = letter;
    }
    false
}

/// Tells whether the letters from a place on begin with one of these.
fn goes_on(text: &str, at: usize, ends: &[&str]) -> bool {
    let letters = || {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        rest.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
    };
    ends.iter().any(|end| letters().take(end.len()).eq(end.bytes()))
}

/// Tells whether a word that means a secret begins with a letter.
const fn begins(letter: u8) -> bool {
    matches!(letter, b'p' | b's' | b't' | b'c' | b'a' | b'b' | b'o')
}

/// How the words that mean a secret go on that begin with two letters.
const fn ends(pair: &[u8]) -> &'static [&'static str] {
    match pair {
        b"pa" => &["ssword", "sswd", "ssphrase", "sscode"],
        b"pw" => &["d"],
        b"pr" => &["ivatekey"],
        b"se" => &["cret"],
        b"to" => &["ken"],
        b"cr" => &["edential"],
        b"co" => &["okie"],
        b"ap" => &["ikey"],
        b"au" => &["thorization"],
        b"be" => &["arer"],
        b"as" => &["sertion"],
        b"on" => &["etimecode"],
        _ => &[],
    }
}

/// Letters and digits only, folded: `Pass_Word`, `PASSWORD` and full-width letters are all `password`.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        let mut letters = String::with_capacity(text.len());
        letters.extend(
            text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| char::from(byte.to_ascii_lowercase())),
        );
        return letters.into();
    }
    let composed = text.nfkc().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric());
    composed.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Read letter by letter or copied first: the same words are found, whatever stands between.
        #[test]
        fn x25_a_word_is_found_in_a_text_as_in_its_letters(
            before in "[ -~é]{0,4}",
            word in prop_oneof!["password|passwd|passphrase|passcode|pwd|privatekey|secret|token|credential|cookie|apikey|authorization|bearer|assertion|onetimecode|pass", "[a-pA-P]{0,8}"],
            between in "[ -/:-@é]{0,2}",
            at in 0_usize..12,
        ) {
            let at = at.min(word.len());
            let text = format!("{before}{}{between}{}", &word[..at], word[at..].to_uppercase());
            prop_assert_eq!(mentions_word(&text), has_word(&plain(&text)), "{}", text);
        }
    }
}
