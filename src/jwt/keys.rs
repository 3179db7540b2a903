//! A set of public keys (RFC 7517): what in it is fit to check a signature, and nothing else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::{Algorithm, KeyKind};

/// Largest set (X50).
pub const SET_BYTES_MAX: usize = 256 * 1024;
/// Most keys in a set (X50).
pub const SET_KEYS_MAX: usize = 100;
/// Longest name of a key.
pub const KID_BYTES_MAX: usize = 256;
/// A public key of Ed25519 (RFC 8032 §5.1.5).
const ED25519_BYTES: usize = 32;
/// Fewest and most bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a set was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It is no JSON object with a list `keys`.
    #[error("expected a JSON object with a list of keys: {0}")]
    Shape(String),
    /// It has more keys than anybody rotates through.
    #[error("expected at most {SET_KEYS_MAX} keys, found {0}")]
    TooMany(usize),
    /// It is larger than a set may be.
    #[error("expected at most {SET_BYTES_MAX} bytes")]
    TooLarge,
}

/// Why a set has no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No key of that name is for that algorithm.
    #[error("the issuer has no such key")]
    Unknown,
    /// The token names no key, and several are for its algorithm.
    #[error("the token names no key, and the issuer has several for its algorithm")]
    Ambiguous,
    /// The issuer's keys could not be fetched, and none are remembered.
    #[error("the issuer's keys cannot be had")]
    Unreachable,
}

/// A public key that checks signatures.
#[derive(Clone)]
pub struct Key {
    name: Option<String>,
    kind: KeyKind,
    /// The one algorithm it is for, where the set says so.
    only: Option<Algorithm>,
    public: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Key {
    /// Tells whether the key is for an algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.key_kind() && self.only.is_none_or(|only| only == algorithm)
    }

    /// Checks a signature over a message. `signature` is base64url, as it stands in the token.
    pub fn proves(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        self.fits(algorithm)
            && jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.public, algorithm.engine())
                .unwrap_or(false)
    }

    /// A key that nobody has the other half of, to spend the time of a check on what is refused in any case.
    pub(super) fn decoy(kind: KeyKind) -> Self {
        let public = match kind {
            KeyKind::Rsa => DecodingKey::from_rsa_raw_components(&[0xff; 256], &[1, 0, 1]),
            KeyKind::P256 => decoy_point(32),
            KeyKind::P384 => decoy_point(48),
            KeyKind::Ed25519 => DecodingKey::from_ed_der(&[0x17; 32]),
        };
        Self { name: None, kind, only: None, public }
    }
}

fn decoy_point(bytes: usize) -> DecodingKey {
    let mut point = vec![0x04];
    point.resize(bytes.saturating_mul(2).saturating_add(1), 0x17);
    DecodingKey::from_ec_der(&point)
}

/// The usable keys of one issuer.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Key>);

/// What a set says of a key; unknown members are left out.
#[derive(Debug, Deserialize)]
struct Written {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that are not for signatures, weak, or of a kind that is not known are left out (RFC 7517 §5).
    pub fn parse(bytes: &[u8]) -> Result<Self, KeysError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if bytes.len() > SET_BYTES_MAX {
            return Err(KeysError::TooLarge);
        }
        let set: Set = serde_json::from_slice(bytes).map_err(|error| KeysError::Shape(error.to_string()))?;
        if set.keys.len() > SET_KEYS_MAX {
            return Err(KeysError::TooMany(set.keys.len()));
        }
        let read = |value: Value| usable(serde_json::from_value(value).ok()?);
        Ok(Self(set.keys.into_iter().filter_map(read).collect()))
    }

    /// Returns how many keys are usable.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether no key is usable.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds the key that a token names. One without a name is found only where one key alone is for the algorithm: nobody tries keys in turn.
    pub fn find(&self, name: Option<&str>, algorithm: Algorithm) -> Result<&Key, Missing> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.fits(algorithm) && (name.is_none() || key.name.as_deref() == name));
        let first = fitting.next().ok_or(Missing::Unknown)?;
        if name.is_none() && fitting.next().is_some() {
            return Err(Missing::Ambiguous);
        }
        Ok(first)
    }
}

fn usable(written: Written) -> Option<Key> {
    let for_signatures = written.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && written.key_ops.is_none_or(|uses| uses.iter().any(|purpose| purpose == "verify"));
    if !for_signatures || written.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
        return None;
    }
    let only = match written.alg.as_deref() {
        Some(name) => Some(Algorithm::parse(name)?),
        None => None,
    };
    let decode = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
    let (kind, public) = match (written.kty.as_str(), written.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (decode(written.n)?, decode(written.e)?);
            let exponent_is_sound =
                (1..=8).contains(&e.len()) && e.last().is_some_and(|last| last & 1 == 1) && e != [1];
            if !RSA_BITS.contains(&bits(&n)) || !exponent_is_sound {
                return None;
            }
            (KeyKind::Rsa, DecodingKey::from_rsa_raw_components(&n, &e))
        }
        ("EC", Some("P-256")) => (KeyKind::P256, point(&decode(written.x)?, &decode(written.y)?, 32)?),
        ("EC", Some("P-384")) => (KeyKind::P384, point(&decode(written.x)?, &decode(written.y)?, 48)?),
        ("OKP", Some("Ed25519")) => {
            let x = decode(written.x)?;
            if x.len() != ED25519_BYTES {
                return None;
            }
            (KeyKind::Ed25519, DecodingKey::from_ed_der(&x))
        }
        _ => return None,
    };
    let key = Key { name: written.kid, kind, only, public };
    // An algorithm of another kind of key: a contradiction, not a key.
    only.is_none_or(|algorithm| algorithm.key_kind() == kind).then_some(key)
}

fn bits(number: &[u8]) -> usize {
    let mut significant = number.iter().skip_while(|byte| **byte == 0);
    let Some(first) = significant.next() else { return 0 };
    let leading = usize::try_from(first.leading_zeros()).unwrap_or(0);
    significant.count().saturating_add(1).saturating_mul(8).saturating_sub(leading)
}

fn point(x: &[u8], y: &[u8], bytes: usize) -> Option<DecodingKey> {
    if x.len() != bytes || y.len() != bytes {
        return None;
    }
    Some(DecodingKey::from_ec_der(&[&[0x04], x, y].concat()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rsa(bytes: usize) -> Value {
        json!({ "kty": "RSA", "kid": "k", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bytes]), "e": "AQAB" })
    }

    fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
        key[name] = value.into();
        key
    }

    fn set(keys: &[Value]) -> Result<KeySet, KeysError> {
        KeySet::parse(&serde_json::to_vec(&json!({ "keys": keys })).unwrap())
    }

    #[test]
    fn x50_keys_that_are_weak_or_not_for_signatures_are_left_out() {
        let coordinate = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![7; bytes]);
        let ec = json!({ "kty": "EC", "crv": "P-256", "x": coordinate(32), "y": coordinate(32) });
        for (fit, key) in [
            (true, rsa(256)),
            (true, with(rsa(256), "use", "sig")),
            (true, with(rsa(256), "key_ops", json!(["verify"]))),
            (true, with(rsa(256), "alg", "PS256")),
            (true, with(rsa(256), "x5c", json!(["anything"]))),
            (true, ec.clone()),
            (true, json!({ "kty": "OKP", "crv": "Ed25519", "x": coordinate(32) })),
            (false, json!({ "kty": "OKP", "crv": "Ed25519", "x": coordinate(31) })),
            (false, json!({ "kty": "OKP", "crv": "Ed448", "x": coordinate(57) })),
            (false, rsa(255)),
            (false, rsa(128)),
            (false, rsa(1025)),
            (false, rsa(0)),
            (false, with(rsa(256), "use", "enc")),
            (false, with(rsa(256), "key_ops", json!(["encrypt"]))),
            (false, with(rsa(256), "alg", "HS256")),
            (false, with(rsa(256), "alg", "none")),
            (false, with(rsa(256), "alg", "RSA-OAEP")),
            (false, with(rsa(256), "alg", "ES256")),
            (false, with(rsa(256), "e", "AQ")),
            (false, with(rsa(256), "e", "AAAC")),
            (false, with(rsa(256), "kid", "k".repeat(KID_BYTES_MAX + 1))),
            (false, with(rsa(256), "kty", "oct")),
            (false, json!({ "kty": "oct", "k": "c2VjcmV0" })),
            (false, with(ec.clone(), "crv", "P-521")),
            (false, with(ec.clone(), "x", coordinate(31))),
            (false, json!("a text")),
            (false, Value::Null),
        ] {
            // What is not fit does not spoil what stands beside it.
            let beside = with(rsa(256), "kid", "beside");
            let read = set(&[key.clone(), beside]).unwrap();
            assert_eq!(read.len(), 1 + usize::from(fit), "{key}");
        }
    }

    #[test]
    fn x50_a_set_has_a_hundred_keys_and_256_kib_at_most() {
        assert_eq!(set(&vec![rsa(256); SET_KEYS_MAX]).unwrap().len(), SET_KEYS_MAX);
        assert_eq!(set(&vec![rsa(256); SET_KEYS_MAX + 1]).unwrap_err(), KeysError::TooMany(101));
        assert_eq!(KeySet::parse(&vec![b' '; SET_BYTES_MAX + 1]).unwrap_err(), KeysError::TooLarge);
        for wrong in ["", "[]", "{}", "{\"keys\": {}}", "{\"keys\": [], \"keys\": []}"] {
            assert!(matches!(KeySet::parse(wrong.as_bytes()), Err(KeysError::Shape(_))), "{wrong}");
        }
    }

    #[test]
    fn x50_a_token_without_a_kid_is_checked_only_where_one_key_alone_fits() {
        let [one, two] = ["one", "two"].map(|kid| with(rsa(256), "kid", kid));
        let both = set(&[one.clone(), two.clone()]).unwrap();
        assert!(both.find(Some("two"), Algorithm::Rs256).is_ok());
        assert_eq!(both.find(Some("three"), Algorithm::Rs256).unwrap_err(), Missing::Unknown);
        assert_eq!(both.find(None, Algorithm::Rs256).unwrap_err(), Missing::Ambiguous);
        assert_eq!(both.find(Some("two"), Algorithm::Es256).unwrap_err(), Missing::Unknown);
        let apart = set(&[with(one, "alg", "RS256"), with(two, "alg", "PS256")]).unwrap();
        assert!(apart.find(None, Algorithm::Rs256).is_ok());
        assert_eq!(apart.find(Some("two"), Algorithm::Rs256).unwrap_err(), Missing::Unknown);
    }
}
