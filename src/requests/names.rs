//! What counts as a secret: attributes that the schemas show to nobody, and everything that is called like one.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use crate::scim::Kinds;
use crate::scim::schema::Attribute;

/// Tells whether letters hold a part of a name that means a secret, whoever uses it. Better one value too few in the log than one too
/// many. Asked for every query, so the letters are looked at once: few pairs of them begin such a word.
fn has_word(letters: &str) -> bool {
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

/// How the names and beginnings of secrets are told.
#[derive(Debug, Clone, Default)]
pub struct SecretNames {
    /// What the schemas show to nobody, without what [`has_word`] knows.
    attributes: Vec<String>,
    /// What credentials begin with that were made here.
    prefix: &'static str,
}

impl SecretNames {
    /// Gathers what the schemas call secret. `prefix` begins every token that was made here.
    pub fn of(kinds: &Kinds, prefix: &'static str) -> Self {
        let mut attributes = Vec::new();
        for kind in kinds.iter() {
            let schemas = std::iter::once(&kind.core).chain(&kind.extensions);
            for attribute in kind.common.iter().chain(schemas.flat_map(|schema| &schema.attributes)) {
                gather(attribute, &mut attributes);
            }
        }
        attributes.sort();
        attributes.dedup();
        Self { attributes, prefix }
    }

    /// Tells whether a name, a path or a filter speaks of a secret, however it is spelled.
    pub fn mentioned_in(&self, text: &str) -> bool {
        if has_word(&plain(text)) {
            return true;
        }
        // A name of the schema's is short and may stand within harmless words, so it must stand alone.
        !self.attributes.is_empty()
            && text
                .split(|letter: char| {
                    !letter.is_alphanumeric() && letter != '_' && letter != '-' && letter != '$'
                })
                .any(|part| self.attributes.iter().any(|name| *name == plain(part)))
    }

    /// Tells whether a value is a credential by its looks: a token made here, or a signed one of anybody's.
    pub fn is_credential(&self, value: &str) -> bool {
        (!self.prefix.is_empty() && value.contains(self.prefix))
            || (value.contains("eyJ") && value.matches('.').count() >= 2)
    }

    /// Tells whether a text that could not be read surely holds no secret: no name of one, no way to spell one differently.
    pub fn surely_none_in(&self, text: &str) -> bool {
        !text.contains("\\u")
            && !text.contains('\u{fffd}')
            && !text.contains('\0')
            && !self.mentioned_in(text)
            && !self.is_credential(text)
    }
}

fn gather(attribute: &Attribute, into: &mut Vec<String>) {
    let name = plain(&attribute.name);
    if attribute.is_secret() && !has_word(&name) {
        into.push(name.into_owned());
    }
    attribute.sub_attributes.iter().for_each(|sub| gather(sub, into));
}

/// Letters and digits only, folded: `Pass_Word`, `PASSWORD` and full-width letters are all `password`.
fn plain(text: &str) -> Cow<'_, str> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::{self, Mutability};

    #[test]
    fn x25_a_secret_is_known_by_its_name_however_that_is_spelled() {
        let names = SecretNames::of(&Kinds::standard(), "rost_");
        for secret in [
            "password",
            "PassWord",
            "pass_word",
            "ｐａｓｓｗｏｒｄ",
            "urn:ietf:params:scim:schemas:core:2.0:User:password",
            "clientSecret",
            "refresh-token",
            "emails[password eq \"x\"]",
            "to\u{212a}en",
        ] {
            assert!(names.mentioned_in(secret), "{secret}");
        }
        for harmless in ["userName", "displayName", "passport", "value", "emails[type eq \"work\"].value"] {
            assert!(!names.mentioned_in(harmless), "{harmless}");
        }
        assert!(names.is_credential("rost_00ff") && names.is_credential("eyJhbGciOiJub25lIn0.e30.x"));
        assert!(!names.is_credential("ada@acme.test"));
    }

    #[test]
    fn x25_what_the_schema_shows_to_nobody_is_a_secret_whatever_its_name() {
        let mut user = schema::user();
        for attribute in &mut user.core.attributes {
            if attribute.name == "nickName" {
                attribute.mutability = Mutability::WriteOnly;
            }
        }
        let names = SecretNames::of(&Kinds::new([user]), "rost_");
        assert!(names.mentioned_in("NICKNAME") && names.mentioned_in("urn:x:User:nickname"));
        assert!(!names.mentioned_in("nickNames") && !names.mentioned_in("title"));
    }
}
