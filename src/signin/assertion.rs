//! Assertions: what a program downstream can check by itself of who is signed in, signed with ES256 (RFC 7515, 7518, 7519).
//!
//! An assertion lives a minute and is for one program, which its audience names. It is signed with keys of the installation alone, and of those the public
//! halves are published as a set (RFC 7517). Whoever gathers what a program may see hands it over as values; money is not among them.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How long an assertion lives. It cannot be recalled, so it is short (X9).
pub const ASSERTION_SECONDS: i64 = 60;
/// The type in the header, so that an assertion is taken for no other token and no other token for it (RFC 8725 §3.11).
pub const ASSERTION_TYPE: &str = "rosterd-assertion+jwt";
/// The claims that say who, by whom, for whom and until when. Nothing that is shown beside them can take their names.
pub const OWN_CLAIMS: [&str; 12] =
    ["iss", "aud", "sub", "iat", "exp", "nbf", "jti", "sid", "tenant", "auth_time", "omitted", "cnf"];
/// Bytes of a coordinate of P-256.
const COORDINATE_BYTES: usize = 32;

/// Why there is no key or no assertion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// No key could be made.
    #[error("no signing key could be made")]
    Making,
    /// What was kept is no key.
    #[error("the private half of the signing key {0} is no key of P-256")]
    Key(String),
    /// It could not be signed.
    #[error("an assertion could not be signed: {0}")]
    Signing(String),
}

/// A key that was just made.
pub struct Fresh {
    /// Its public half.
    pub public: Public,
    /// Its private half (PKCS #8), to be sealed.
    pub private: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("public", &self.public).finish_non_exhaustive()
    }
}

/// The public half of a key, as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    /// Its name: the thumbprint of RFC 7638.
    pub kid: String,
    /// A coordinate, base64url.
    pub x: String,
    /// A coordinate, base64url.
    pub y: String,
}

impl Public {
    fn of(pair: &EcdsaKeyPair) -> Option<Self> {
        // An uncompressed point (SEC 1 §2.3.3): 4, then the two coordinates.
        let point = pair.public_key().as_ref().strip_prefix(&[4])?;
        let (x, y) = point.split_at_checked(COORDINATE_BYTES)?;
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        // The members that RFC 7638 §3.2 names, in their order, and nothing else. Their values need no escaping.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Some(Self { kid: URL_SAFE_NO_PAD.encode(Sha256::digest(members)), x, y })
    }
}

impl Fresh {
    /// Makes a key. Its randomness is the library's own: nobody hands a private key in.
    pub fn make() -> Result<Self, AssertionError> {
        let random = SystemRandom::new();
        let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| AssertionError::Making)?;
        let private = Zeroizing::new(private.as_ref().to_vec());
        let pair = pair(&private).ok_or(AssertionError::Making)?;
        Ok(Self { public: Public::of(&pair).ok_or(AssertionError::Making)?, private })
    }
}

fn pair(private: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).ok()
}

/// Renders published keys as a set (RFC 7517 §5).
pub fn key_set<'a>(keys: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Value {
    let keys: Vec<Value> = keys
        .map(|(kid, x, y)| {
            json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y })
        })
        .collect();
    json!({ "keys": keys })
}

/// What an assertion says.
#[derive(Debug, Clone, Serialize)]
pub struct Assertion<'a> {
    /// By whom: our public URL.
    pub iss: &'a str,
    /// For which program.
    pub aud: &'a str,
    /// About whom: the id of a person.
    pub sub: &'a str,
    /// From when.
    pub iat: i64,
    /// Until when.
    pub exp: i64,
    /// Its own name.
    pub jti: &'a str,
    /// The name of the session in lists, which opens nothing.
    pub sid: &'a str,
    /// Whose people it is about.
    pub tenant: &'a str,
    /// When the person proved who they are.
    pub auth_time: i64,
    /// What the program may see beside that.
    #[serde(flatten)]
    pub shown: &'a Map<String, Value>,
}

impl Assertion<'_> {
    /// Returns when what is signed at a moment begins and ends.
    pub fn life(now: Timestamp) -> (i64, i64) {
        (now.as_second(), now.as_second().saturating_add(ASSERTION_SECONDS))
    }
}

/// A key that signs.
pub struct Signer {
    header: Header,
    key: EncodingKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.header.kid).finish_non_exhaustive()
    }
}

impl Signer {
    /// Takes over a private half that was opened. It must be that of the key it is called by.
    pub fn of(kid: &str, private: &[u8]) -> Result<Self, AssertionError> {
        let public = pair(private).as_ref().and_then(Public::of);
        if public.is_none_or(|public| public.kid != kid) {
            return Err(AssertionError::Key(kid.to_owned()));
        }
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(ASSERTION_TYPE.to_owned());
        header.kid = Some(kid.to_owned());
        Ok(Self { header, key: EncodingKey::from_ec_der(private) })
    }

    /// Signs an assertion.
    pub fn sign(&self, assertion: &Assertion<'_>) -> Result<String, AssertionError> {
        jsonwebtoken::encode(&self.header, assertion, &self.key)
            .map_err(|error| AssertionError::Signing(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::{Jwk, ThumbprintHash};

    use super::*;
    use crate::jwt::{KeySet, Signed};

    fn assertion(shown: &Map<String, Value>) -> Assertion<'_> {
        let (iat, exp) = Assertion::life(Timestamp::from_second(1_800_000_000).unwrap());
        Assertion {
            iss: "https://roster.test",
            aud: "psa.test",
            sub: "p",
            iat,
            exp,
            jti: "j",
            sid: "s",
            tenant: "main",
            auth_time: 1,
            shown,
        }
    }

    #[test]
    fn an_assertion_is_proven_by_the_published_key_and_by_no_other() {
        let (fresh, other) = (Fresh::make().unwrap(), Fresh::make().unwrap());
        let shown = Map::from_iter([("email".to_owned(), json!("ada@example.com"))]);
        let signer = Signer::of(&fresh.public.kid, &fresh.private).unwrap();
        let text = signer.sign(&assertion(&shown)).unwrap();
        let signed = Signed::read(&text, 8192).unwrap();
        assert_eq!(signed.typ.as_deref(), Some(ASSERTION_TYPE));
        let set = |public: &Public| {
            let published = key_set([(&*public.kid, &*public.x, &*public.y)].into_iter());
            KeySet::parse(published.to_string().as_bytes()).unwrap()
        };
        let theirs = set(&fresh.public);
        assert!(signed.is_proven_by(theirs.find(signed.kid.as_deref(), signed.algorithm).unwrap()));
        assert!(!signed.is_proven_by(set(&other.public).find(None, signed.algorithm).unwrap()));
        let claims = signed.all_claims().unwrap();
        assert_eq!(claims["email"], "ada@example.com");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), ASSERTION_SECONDS);
        let (head, signature) = text.rsplit_once('.').unwrap();
        let other_letter = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{head}.{other_letter}{}", signature.get(1..).unwrap());
        let forged = Signed::read(&forged, 8192).unwrap();
        assert!(!forged.is_proven_by(theirs.find(None, forged.algorithm).unwrap()));
    }

    #[test]
    fn the_name_of_a_key_is_its_thumbprint_as_another_library_makes_it() {
        let Public { kid, x, y } = Fresh::make().unwrap().public;
        let set = key_set([(&*kid, &*x, &*y)].into_iter());
        let key: Jwk = serde_json::from_value(set["keys"][0].clone()).unwrap();
        assert_eq!(key.thumbprint(ThumbprintHash::SHA256).unwrap(), kid);
    }

    #[test]
    fn x25_what_is_published_holds_no_private_half() {
        let Fresh { public: Public { kid, x, y }, private } = Fresh::make().unwrap();
        let set = key_set([(&*kid, &*x, &*y)].into_iter());
        let members: Vec<&String> = set["keys"][0].as_object().unwrap().keys().collect();
        assert_eq!(members, ["kty", "crv", "alg", "use", "kid", "x", "y"]);
        // The scalar stands in PKCS #8 behind the tag of its octets: 04 20.
        let at = private.windows(2).position(|two| two == [4, 32]).unwrap();
        let scalar = URL_SAFE_NO_PAD.encode(&private[at + 2..at + 34]);
        assert!(!set.to_string().contains(&scalar));
    }

    #[test]
    fn a_private_half_that_is_not_that_of_its_name_signs_nothing() {
        let (fresh, other) = (Fresh::make().unwrap(), Fresh::make().unwrap());
        assert!(Signer::of(&other.public.kid, &fresh.private).is_err());
        assert!(Signer::of(&fresh.public.kid, b"nonsense").is_err());
        let signer = Signer::of(&fresh.public.kid, &fresh.private).unwrap();
        assert!(!format!("{fresh:?} {signer:?}").contains(&URL_SAFE_NO_PAD.encode(&fresh.private[40..60])));
    }
}
