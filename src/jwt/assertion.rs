//! A client's assertion (RFC 7523 §3) against what its connection pins. Pure: keys and the moment are arguments.
//!
//! Reading and checking are two steps, because between them somebody must find out whose assertion it claims to be. Nothing
//! that was only read is believed: [`Assertion::check`] compares signature and every claim.

use jiff::Timestamp;
use serde::Deserialize;

use super::algorithm::Algorithm;
use super::keys::Key;
use super::signed::{Signed, seconds};

/// Longest assertion.
pub const ASSERTION_BYTES_MAX: usize = 16 * 1024;
/// Longest `jti`.
pub const JTI_BYTES_MAX: usize = 512;
/// By how much the issuer's clock may differ from ours (X44).
pub const LEEWAY_SECONDS: i64 = 60;

/// What is wrong with an assertion. For the log: the client is told only that it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no signed JWT.
    #[error("it is no signed JWT")]
    Shape,
    /// It demands what is not understood (RFC 7515 §4.1.11).
    #[error("its header has critical extensions")]
    Critical,
    /// Its algorithm is `none`, symmetric or unknown.
    #[error("its algorithm is none that is taken")]
    UnknownAlgorithm,
    /// Its algorithm is not among those that the connection pins.
    #[error("its algorithm is not among those of the connection")]
    Algorithm,
    /// The issuer has no such key.
    #[error("the issuer has no such key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature does not fit")]
    Signature,
    /// Another issuer.
    #[error("its issuer is not the pinned one")]
    Issuer,
    /// Another subject.
    #[error("its subject is not the pinned one")]
    Subject,
    /// Another audience.
    #[error("its audience is none of the pinned ones")]
    Audience,
    /// Without an end.
    #[error("it has no exp")]
    Endless,
    /// Its end has passed.
    #[error("it has expired")]
    Expired,
    /// Its beginning has not come, or it was made in the future.
    #[error("it is not valid yet")]
    NotYet,
    /// It lives longer than the connection takes.
    #[error("it lives longer than the connection takes")]
    TooLong,
    /// Its id is too long to be remembered.
    #[error("its jti is too long")]
    Jti,
}

/// What a connection pins.
#[derive(Debug, Clone, Copy)]
pub struct Pinned<'a> {
    /// The issuer, letter for letter.
    pub issuer: &'a str,
    /// The subject, letter for letter.
    pub subject: &'a str,
    /// The audiences, of which one must be there, letter for letter.
    pub audiences: &'a [String],
    /// The algorithms.
    pub algorithms: &'a [Algorithm],
    /// Longest life, in seconds.
    pub lifetime_seconds_max: i64,
}

/// What is kept of an assertion that was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its own id, where it has one.
    pub jti: Option<String>,
    /// When it ends, the leeway included.
    pub until: Timestamp,
}

/// An assertion as it was read, and not believed yet.
#[derive(Debug, Clone)]
pub struct Assertion<'a> {
    signed: Signed<'a>,
    claims: Claims,
}

#[derive(Debug, Clone, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Several(several) => several.iter().any(|one| one == wanted),
        }
    }
}

impl<'a> Assertion<'a> {
    /// Reads an assertion. Members that stand twice are refused (RFC 7519 §4), and of its header only algorithm and key's name are read.
    pub fn read(text: &'a str) -> Result<Self, Flaw> {
        let signed = Signed::read(text, ASSERTION_BYTES_MAX)?;
        let claims = signed.claims()?;
        Ok(Self { signed, claims })
    }

    /// Returns how it says it was signed.
    pub const fn algorithm(&self) -> Algorithm {
        self.signed.algorithm
    }

    /// Returns the name of the key by which it says it was signed.
    pub fn kid(&self) -> Option<&str> {
        self.signed.kid.as_deref()
    }

    /// Returns who it says has signed it.
    pub fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Returns whom it says it is about.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// Checks everything: signature, issuer, subject, audience, and its place in time.
    pub fn check(&self, key: Option<&Key>, pinned: &Pinned<'_>, now: Timestamp) -> Result<Claimed, Flaw> {
        let allowed = pinned.algorithms.contains(&self.signed.algorithm);
        let Some(key) = key.filter(|_| allowed) else {
            self.spend();
            return Err(if allowed { Flaw::UnknownKey } else { Flaw::Algorithm });
        };
        if !self.signed.is_proven_by(key) {
            return Err(Flaw::Signature);
        }
        let claims = &self.claims;
        if claims.iss != pinned.issuer {
            return Err(Flaw::Issuer);
        }
        if claims.sub != pinned.subject {
            return Err(Flaw::Subject);
        }
        if !pinned.audiences.iter().any(|audience| claims.aud.has(audience)) {
            return Err(Flaw::Audience);
        }
        if claims.jti.as_ref().is_some_and(|jti| jti.len() > JTI_BYTES_MAX) {
            return Err(Flaw::Jti);
        }
        self.in_time(pinned, now.as_second())
    }

    /// Takes as long as a check would, for an assertion that is nobody's (X11).
    pub fn spend(&self) {
        // Whatever it says: nobody has the other half of this key, and nobody is let in by it.
        let _ = self.signed.is_proven_by(&Key::decoy(self.signed.algorithm.key_kind()));
    }

    fn in_time(&self, pinned: &Pinned<'_>, now: i64) -> Result<Claimed, Flaw> {
        let claims = &self.claims;
        let exp = seconds(claims.exp.ok_or(Flaw::Endless)?)?;
        let (nbf, iat) = (claims.nbf.map(seconds).transpose()?, claims.iat.map(seconds).transpose()?);
        let until = exp.saturating_add(LEEWAY_SECONDS);
        if now >= until {
            return Err(Flaw::Expired);
        }
        let latest_start = nbf.into_iter().chain(iat).max();
        if latest_start.is_some_and(|start| start > now.saturating_add(LEEWAY_SECONDS)) {
            return Err(Flaw::NotYet);
        }
        // From the earliest beginning that it names, and without one from now.
        let start = iat.into_iter().chain(nbf).min().unwrap_or(now);
        let rest = exp.saturating_sub(now.saturating_add(LEEWAY_SECONDS));
        if exp.saturating_sub(start).max(rest) > pinned.lifetime_seconds_max {
            return Err(Flaw::TooLong);
        }
        let until = Timestamp::from_second(until).map_err(|_| Flaw::TooLong)?;
        Ok(Claimed { jti: claims.jti.clone(), until })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;
    use crate::jwt::KeySet;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    /// Reads and checks whatever it is; there must be an answer.
    fn try_it(text: &str) -> bool {
        let audiences = ["a".to_owned()];
        let pinned = Pinned {
            issuer: "i",
            subject: "s",
            audiences: &audiences,
            algorithms: &Algorithm::ALL,
            lifetime_seconds_max: 60,
        };
        let Ok(read) = Assertion::read(text) else { return false };
        read.spend();
        read.check(Some(&Key::decoy(read.algorithm().key_kind())), &pinned, now()).is_ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn r35_no_text_is_an_assertion_by_chance_and_none_does_harm(
            text in "\\PC{0,80}",
            header in "\\{\"alg\":\"(RS|ES|PS)(256|384|512)\"(,\"kid\":\"[a-z]{0,9}\")?\\}",
            exp in any::<f64>(),
            signature in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let claims = serde_json::json!({ "iss": "i", "sub": "s", "aud": "a", "exp": exp, "iat": -exp }).to_string();
            let signature = URL_SAFE_NO_PAD.encode(signature);
            for text in [
                text.clone(),
                format!("{text}.{text}.{text}"),
                format!("{}.{}.{text}", part(&header), part(&text)),
                format!("{}.{}.{signature}", part(&header), part(&claims)),
            ] {
                prop_assert!(!try_it(&text));
            }
        }

        #[test]
        fn r35_no_bytes_do_harm_as_a_set_of_keys(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            n in "[A-Za-z0-9_-]{0,400}",
            crv in "P-(256|384)",
        ) {
            let short: String = n.chars().take(43).collect();
            let set = serde_json::json!({ "keys": [
                { "kty": "RSA", "kid": "r", "n": n, "e": "AQAB" },
                { "kty": "EC", "kid": "e", "crv": crv, "x": short, "y": short },
            ] });
            for bytes in [bytes, serde_json::to_vec(&set).unwrap()] {
                let Ok(keys) = KeySet::parse(&bytes) else { continue };
                for algorithm in Algorithm::ALL {
                    if let Ok(key) = keys.find(None, algorithm) {
                        prop_assert!(!key.proves(algorithm, "message", "AAAA"));
                    }
                }
            }
        }
    }
}
