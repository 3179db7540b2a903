//! Names that mean a secret, whoever uses them: what is called so is shown to nobody and kept nowhere.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Tells whether letters hold a part of a name that means a secret, whoever uses it. Better one value too few in the log than one too
/// many. Asked for every query, so the letters are looked at once: few pairs of them begin such a word.
pub fn has_word(letters: &str) -> bool {
    let bytes = letters.as_bytes();
    bytes.windows(2).enumerate().any(|(at, pair)| {
        let words: &[&str] = match pair {
            b"pa" => &["password", "passwd", "passphrase", "passcode"],
            b"pw" => &["pwd"],
            b"pr" => &["privatekey"],
            b"se" => &["secret"],
            b"to" => &["token"],
            b"cr" => &["credential"],
            b"co" => &["cookie"],
            b"ap" => &["apikey"],
            b"au" => &["authorization"],
            b"be" => &["bearer"],
            b"as" => &["assertion"],
            b"on" => &["onetimecode"],
            _ => return false,
        };
        let rest = bytes.get(at..).unwrap_or_default();
        words.iter().any(|word| rest.starts_with(word.as_bytes()))
    })
}

/// Letters and digits only, folded: `Pass_Word`, `PASSWORD` and full-width letters are all `password`.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        return letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect::<String>().into();
    }
    let composed = text.nfkc().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric());
    composed.collect::<String>().into()
}
