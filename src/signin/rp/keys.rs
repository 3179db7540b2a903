//! A key of the keyring as `openidconnect` wants one: so ID tokens are checked by the keys and the code that check every other token, and the crate's
//! own arithmetic (RSA among it) is used for nothing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKeyType, CoreJsonWebKeyUse, CoreJwsSigningAlgorithm};
use openidconnect::{
    JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyId, JwsSigningAlgorithm, SignatureVerificationError,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::jwt::{Algorithm, Key};

/// The key that one token says it was signed by.
#[derive(Clone)]
pub(super) struct TokenKey {
    key: Option<Key>,
    id: Option<JsonWebKeyId>,
    algorithm: CoreJwsSigningAlgorithm,
    kind: CoreJsonWebKeyType,
}

impl TokenKey {
    /// Takes the key that was found for a token.
    pub(super) fn new(key: Key, kid: Option<&str>, algorithm: Algorithm) -> Option<Self> {
        let algorithm = of(algorithm)?;
        let kind = algorithm.key_type()?;
        Some(Self { key: Some(key), id: kid.map(|kid| JsonWebKeyId::new(kid.to_owned())), algorithm, kind })
    }
}

/// Returns the crate's name of an algorithm that may be taken.
pub(super) const fn of(algorithm: Algorithm) -> Option<CoreJwsSigningAlgorithm> {
    Some(match algorithm {
        Algorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::Ps256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        Algorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::Es384 => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        Algorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
        Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps384 | Algorithm::Ps512 => return None,
    })
}

fn ours(algorithm: &CoreJwsSigningAlgorithm) -> Option<Algorithm> {
    super::settings::ALGORITHMS.into_iter().find(|one| of(*one).as_ref() == Some(algorithm))
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl JsonWebKey for TokenKey {
    type KeyUse = CoreJsonWebKeyUse;
    type SigningAlgorithm = CoreJwsSigningAlgorithm;

    fn key_id(&self) -> Option<&JsonWebKeyId> {
        self.id.as_ref()
    }

    fn key_type(&self) -> &CoreJsonWebKeyType {
        &self.kind
    }

    fn key_use(&self) -> Option<&CoreJsonWebKeyUse> {
        None
    }

    fn signing_alg(&self) -> JsonWebKeyAlgorithm<&CoreJwsSigningAlgorithm> {
        JsonWebKeyAlgorithm::Algorithm(&self.algorithm)
    }

    /// A key that proves nothing: shared secrets sign no token here.
    fn new_symmetric(_: Vec<u8>) -> Self {
        Self {
            key: None,
            id: None,
            algorithm: CoreJwsSigningAlgorithm::None,
            kind: CoreJsonWebKeyType::Symmetric,
        }
    }

    fn verify_signature(
        &self,
        algorithm: &CoreJwsSigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureVerificationError> {
        let proven = || {
            let message = std::str::from_utf8(message).ok()?;
            let key = self.key.as_ref()?;
            Some(key.proves(ours(algorithm)?, message, &URL_SAFE_NO_PAD.encode(signature)))
        };
        if proven() == Some(true) {
            return Ok(());
        }
        Err(SignatureVerificationError::CryptoError("the signature does not fit".to_owned()))
    }

    fn hash_bytes(&self, bytes: &[u8], algorithm: &CoreJwsSigningAlgorithm) -> Result<Vec<u8>, String> {
        match ours(algorithm) {
            Some(Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256) => {
                Ok(Sha256::digest(bytes).to_vec())
            }
            Some(Algorithm::Es384) => Ok(Sha384::digest(bytes).to_vec()),
            // That of Ed25519 itself (RFC 8032).
            Some(Algorithm::EdDsa) => Ok(Sha512::digest(bytes).to_vec()),
            _ => Err("no digest belongs to the algorithm".to_owned()),
        }
    }
}

// The crate wants its keys to be documents as well. Ours never are: what was a document was read by the keyring.
impl Serialize for TokenKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for TokenKey {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("keys come from the keyring"))
    }
}
