//! A signed token as it was written (RFC 7515 §3.1, 7519): read, and not believed yet.
//!
//! Of the header only what is named here is read: whatever it says of keys of its own is not looked at.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::assertion::Flaw;
use super::keys::{KID_BYTES_MAX, Key};

/// A signed token.
#[derive(Clone)]
pub struct Signed<'a> {
    message: &'a str,
    signature: &'a str,
    /// How it says it was signed.
    pub algorithm: Algorithm,
    /// By which key.
    pub kid: Option<String>,
    /// Of which type it says it is, as it stands in the header.
    pub typ: Option<String>,
    claims: Vec<u8>,
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
    b64: Option<Value>,
}

impl<'a> Signed<'a> {
    /// Reads a token of at most so many bytes.
    pub fn read(text: &'a str, bytes_max: usize) -> Result<Self, Flaw> {
        if text.len() > bytes_max {
            return Err(Flaw::Shape);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(Flaw::Shape)?;
        let (header, claims) = message.split_once('.').ok_or(Flaw::Shape)?;
        if claims.contains('.') {
            return Err(Flaw::Shape);
        }
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Flaw::Shape)?;
        if header.crit.is_some() || header.b64.is_some() {
            return Err(Flaw::Critical);
        }
        let algorithm = Algorithm::parse(&header.alg).ok_or(Flaw::UnknownAlgorithm)?;
        if header.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return Err(Flaw::UnknownKey);
        }
        let claims = decode(claims)?;
        Ok(Self { message, signature, algorithm, kid: header.kid, typ: header.typ, claims })
    }

    /// Reads the claims. A struct refuses members that stand twice (RFC 7519 §4).
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, Flaw> {
        serde_json::from_slice(&self.claims).map_err(|_| Flaw::Shape)
    }

    /// Reads all claims, whatever their shape; those that stand twice are refused as well.
    pub fn all_claims(&self) -> Result<Map<String, Value>, Flaw> {
        self.claims().map(|Once(claims)| claims)
    }

    /// Tells whether a key proves the signature.
    pub fn is_proven_by(&self, key: &Key) -> bool {
        key.proves(self.algorithm, self.message, self.signature)
    }
}

/// An object of which no member stands twice.
struct Once(Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Once, A::Error> {
                let mut read = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if read.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Once(read))
            }
        }
        from.deserialize_map(Reader)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Shape)
}

/// Reads a NumericDate (RFC 7519 §2), which may have a fraction, as whole seconds.
pub fn seconds(date: f64) -> Result<i64, Flaw> {
    const LAST: f64 = 253_402_300_799.0;
    if !(0.0..=LAST).contains(&date) {
        return Err(Flaw::Shape);
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the calendar")]
    Ok(date.trunc() as i64)
}
