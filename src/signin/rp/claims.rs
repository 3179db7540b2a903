//! What a provider says of somebody, read leniently: a claim of an odd shape is left alone, and spoils nothing. Only `verify` makes these of tokens.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::refusal::TokenFlaw;
use super::return_to::ReturnTo;
use super::settings::Secret;
use crate::jwt::signed::seconds;

/// Longest subject (OpenID Connect Core §2).
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Longest name of a session, a tenant or an object.
const NAME_BYTES_MAX: usize = 512;
/// Longest address (RFC 5321 §4.5.3.1, and what stands around it).
const EMAIL_BYTES_MAX: usize = 320;
/// Most ways of proof.
const AMR_MAX: usize = 20;

/// Claims by which the token itself is checked; userinfo has no say in them.
pub(super) const TOKENS_OWN: [&str; 19] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "azp",
    "at_hash",
    "c_hash",
    "auth_time",
    "acr",
    "amr",
    "sid",
    "tid",
    "oid",
    "hd",
    "events",
];
/// Claims about an address, which are taken together or not at all.
pub(super) const ABOUT_EMAIL: [&str; 3] = ["email", "email_verified", "xms_edov"];

/// An e-mail address as the provider states it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// Whether the provider says that it has been verified. Never true by silence.
    pub verified: bool,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("verified", &self.verified).finish_non_exhaustive()
    }
}

/// The ID token itself, which ends the provider's session later. Prints as `***`.
pub type IdTokenHint = Secret;

/// Who signed in, by the word of a provider.
#[derive(Clone)]
pub struct Verified {
    /// Our name of the provider.
    pub idp: String,
    /// The issuer, its tenant filled in. With `subject` the key of whoever it is (X45).
    pub issuer: String,
    /// Who it is, there and for us alone.
    pub subject: String,
    /// The provider's session.
    pub sid: Option<String>,
    /// The tenant (Entra).
    pub tid: Option<String>,
    /// Who it is within the tenant, for every application (Entra).
    pub oid: Option<String>,
    /// The address. No key of anything.
    pub email: Option<Email>,
    /// When somebody last proved who they are.
    pub auth_time: Option<Timestamp>,
    /// In which class of ways.
    pub acr: Option<String>,
    /// In which ways.
    pub amr: Vec<String>,
    /// All claims. Bounded by what a token may have.
    pub claims: Map<String, Value>,
    /// For the provider, when somebody signs out.
    pub id_token: IdTokenHint,
    /// Whether the provider ends its own session when it is asked to: without that the token is of no further use.
    pub signs_out: bool,
    /// Where the browser goes.
    pub return_to: ReturnTo,
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("idp", &self.idp)
            .field("issuer", &self.issuer)
            .field("acr", &self.acr)
            .finish_non_exhaustive()
    }
}

/// Reads a text that is not empty and no longer than it may be.
pub(super) fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    (!text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control))
        .then(|| text.to_owned())
}

/// Reads a moment, as whole seconds.
pub(super) fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, TokenFlaw> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_f64().ok_or(TokenFlaw::Claims)?;
            seconds(number).map(Some).map_err(TokenFlaw::Unreadable)
        }
    }
}

/// Tells whether a token is for somebody.
pub(super) fn is_for(claims: &Map<String, Value>, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one == audience),
        _ => false,
    }
}

/// Reads the ways of proof.
pub(super) fn amr(claims: &Map<String, Value>) -> Vec<String> {
    let all = claims.get("amr").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter_map(Value::as_str)
        .filter(|way| way.len() <= 64)
        .take(AMR_MAX)
        .map(str::to_owned)
        .collect()
}

/// Reads the subject.
pub(super) fn subject(claims: &Map<String, Value>) -> Option<String> {
    text(claims, "sub").filter(|subject| subject.len() <= SUBJECT_BYTES_MAX)
}

/// Reads the address, and whether it is verified: `email_verified` where it is there, whatever it says; else Entra's `xms_edov`.
pub(super) fn email(claims: &Map<String, Value>) -> Option<Email> {
    let address = text(claims, "email").filter(|address| address.len() <= EMAIL_BYTES_MAX)?;
    let verified = match claims.get("email_verified") {
        None | Some(Value::Null) => {
            claims.get("xms_edov").is_some_and(|edov| is_yes(edov) || *edov == 1 || *edov == "1")
        }
        Some(said) => is_yes(said),
    };
    Some(Email { address, verified })
}

fn is_yes(value: &Value) -> bool {
    *value == true || *value == "true"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn x45_an_address_is_verified_only_where_the_provider_says_so() {
        for (said, verified) in [
            (json!({}), false),
            (json!({ "email_verified": true }), true),
            (json!({ "email_verified": "true" }), true),
            (json!({ "email_verified": false }), false),
            (json!({ "email_verified": "false" }), false),
            (json!({ "email_verified": 1 }), false),
            (json!({ "email_verified": ["true"] }), false),
            (json!({ "email_verified": "True" }), false),
            (json!({ "xms_edov": true }), true),
            (json!({ "xms_edov": "1" }), true),
            (json!({ "xms_edov": 1 }), true),
            (json!({ "xms_edov": "0" }), false),
            (json!({ "email_verified": null, "xms_edov": true }), true),
            (json!({ "email_verified": false, "xms_edov": true }), false),
            (json!({ "email_verified": "no", "xms_edov": true }), false),
        ] {
            let mut claims = said.as_object().unwrap().clone();
            claims.insert("email".to_owned(), "ada@firm.example".into());
            assert_eq!(email(&claims).unwrap().verified, verified, "{said}");
        }
    }
}
