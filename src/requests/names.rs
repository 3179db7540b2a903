//! What counts as a secret: attributes that the schemas show to nobody, and everything that is called like one.

use std::sync::{Arc, PoisonError, RwLock};

use crate::scim::Kinds;
use crate::scim::schema::Attribute;
use crate::scim::secret::{has_word, mentions_word, plain};

/// How the names and beginnings of secrets are told. Clones share what they learn.
#[derive(Debug, Clone, Default)]
pub struct SecretNames {
    /// What the schemas show to nobody, without what [`has_word`] knows. Never forgotten.
    attributes: Arc<RwLock<Vec<String>>>,
    /// What credentials begin with that were made here.
    prefix: &'static str,
}

impl SecretNames {
    /// Gathers what the schemas call secret. `prefix` begins every token that was made here.
    pub fn of(kinds: &Kinds, prefix: &'static str) -> Self {
        let names = Self { attributes: Arc::default(), prefix };
        names.learn(kinds);
        names
    }

    /// Adds what these schemas call secret. Of most there is nothing to add.
    pub fn learn(&self, kinds: &Kinds) {
        let mut found = Vec::new();
        for kind in kinds.iter() {
            let schemas = std::iter::once(&kind.core).chain(&kind.extensions);
            for attribute in kind.common.iter().chain(schemas.flat_map(|schema| &schema.attributes)) {
                gather(attribute, &mut found);
            }
        }
        let known = |name: &String| {
            self.attributes.read().unwrap_or_else(PoisonError::into_inner).binary_search(name).is_ok()
        };
        found.retain(|name| !known(name));
        if !found.is_empty() {
            let mut attributes = self.attributes.write().unwrap_or_else(PoisonError::into_inner);
            attributes.append(&mut found);
            attributes.sort();
            attributes.dedup();
        }
    }

    /// Tells whether a name, a path or a filter speaks of a secret, however it is spelled.
    pub fn mentioned_in(&self, text: &str) -> bool {
        if mentions_word(text) {
            return true;
        }
        // A name of the schema's is short and may stand within harmless words, so it must stand alone.
        let attributes = self.attributes.read().unwrap_or_else(PoisonError::into_inner);
        !attributes.is_empty()
            && text
                .split(|letter: char| {
                    !letter.is_alphanumeric() && letter != '_' && letter != '-' && letter != '$'
                })
                .any(|part| attributes.iter().any(|name| *name == plain(part)))
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
        let mut core = schema::Schema::clone(&user.core);
        for attribute in &mut core.attributes {
            if attribute.name == "nickName" {
                attribute.mutability = Mutability::WriteOnly;
            }
        }
        user.core = Arc::new(core);
        let names = SecretNames::of(&Kinds::standard(), "rost_");
        assert!(!names.mentioned_in("nickName"));
        names.clone().learn(&Kinds::new([user]));
        assert!(names.mentioned_in("NICKNAME") && names.mentioned_in("urn:x:User:nickname"));
        assert!(!names.mentioned_in("nickNames") && !names.mentioned_in("title"));
    }
}
