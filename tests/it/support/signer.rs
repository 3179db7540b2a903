//! Keys that sign tokens, good and forged, and how a set shows them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::EncodingKey;
use rcgen::{KeyPair, RsaKeySize, SigningKey as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// What stands before the key itself in an RSA key of 2048 bits as rcgen writes it.
const PKCS8_HEAD_BYTES: usize = 26;

/// A key pair for signing.
pub struct Signer {
    pub kid: &'static str,
    pub algorithm: &'static str,
    pair: KeyPair,
}

impl Signer {
    /// Makes an RSA key.
    pub fn rsa(kid: &'static str) -> Self {
        let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        Self { kid, algorithm: "RS256", pair }
    }

    /// Makes a key on P-256.
    pub fn ec(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self { kid, algorithm: "ES256", pair }
    }

    /// Makes an RSA key that signs by PSS.
    pub fn pss(kid: &'static str) -> Self {
        Self { algorithm: "PS256", ..Self::rsa(kid) }
    }

    /// Makes a key on P-384.
    pub fn ec384(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        Self { kid, algorithm: "ES384", pair }
    }

    /// Makes a key on Ed25519.
    pub fn ed(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        Self { kid, algorithm: "EdDSA", pair }
    }

    fn is_rsa(&self) -> bool {
        ["RS256", "PS256"].contains(&self.algorithm)
    }

    /// The bytes of the modulus, or of the point.
    pub fn public(&self) -> Vec<u8> {
        let raw = self.pair.public_key_raw();
        // SEQUENCE, INTEGER of 257 bytes of which the first is zero; the exponent after it is 65537.
        if self.is_rsa() { raw[9..9 + 256].to_vec() } else { raw.to_vec() }
    }

    /// The key as a set shows it.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = self.public();
        let kid = self.kid;
        if self.is_rsa() {
            return json!({ "kty": "RSA", "use": "sig", "kid": kid, "n": text(&public), "e": "AQAB" });
        }
        if self.algorithm == "EdDSA" {
            return json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": text(&public) });
        }
        let curve = if self.algorithm == "ES256" { "P-256" } else { "P-384" };
        let (x, y) = public[1..].split_at(public.len() / 2);
        json!({ "kty": "EC", "crv": curve, "use": "sig", "kid": kid, "x": text(x), "y": text(y) })
    }

    fn signature(&self, message: &str) -> String {
        use jsonwebtoken::Algorithm;
        let der = self.pair.serialize_der();
        let (key, algorithm) = match self.algorithm {
            "PS256" => (EncodingKey::from_rsa_der(&der[PKCS8_HEAD_BYTES..]), Algorithm::PS256),
            "ES256" => (EncodingKey::from_ec_der(&der), Algorithm::ES256),
            "ES384" => (EncodingKey::from_ec_der(&der), Algorithm::ES384),
            _ => return URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()).unwrap()),
        };
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap()
    }

    /// Signs claims under a header.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        format!("{message}.{}", self.signature(&message))
    }

    /// Signs claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": self.algorithm, "typ": "JWT", "kid": self.kid }), claims)
    }
}

/// Writes header and claims as they are signed.
pub fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Signs with a shared secret, which is what the confusion of algorithms needs.
pub fn hmac_sign(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
