//! Detached Ed25519 signatures (RFC 8032): whose components are loaded, where the operator says whose.
//!
//! A digest says which file is meant; a signature says who made it. It lies beside the component, `NAME.wasm.sig`, and is the 64 bytes that
//! `openssl pkeyutl -sign -rawin` writes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, UnparsedPublicKey};

use super::file::{ReadError, read_bounded};

/// A public key of Ed25519.
pub type SigningKey = [u8; ED25519_PUBLIC_KEY_LEN];

/// Bytes of a signature.
const SIGNATURE_BYTES: u64 = 64;

/// Why the signature of a component does not count.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// There is none, or it cannot be read.
    #[error(
        "{why}; since plugin_host.signing_keys names keys each component has its signature beside it: openssl pkeyutl -sign -rawin -inkey KEY.pem -in FILE.wasm -out FILE.wasm.sig"
    )]
    Read {
        /// What was wrong with the file.
        why: ReadError,
    },
    /// It was made by none of the keys, or for other bytes.
    #[error("{}: expected the signature of this component by one of the {keys} keys of plugin_host.signing_keys, found another; ask who made it, and do not load it until you know", file.display())]
    Wrong {
        /// The signature's file.
        file: PathBuf,
        /// How many keys there are.
        keys: usize,
    },
}

/// Looks whether one of the keys has signed a component; there must be one. Any component will do where there are no keys.
pub fn check(component: &Path, bytes: &[u8], keys: &[SigningKey]) -> Result<(), SignatureError> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut file = OsString::from(component);
    file.push(".sig");
    let file = PathBuf::from(file);
    let signature = read_bounded(&file, SIGNATURE_BYTES).map_err(|why| SignatureError::Read { why })?;
    let made_by = |key: &SigningKey| UnparsedPublicKey::new(&ED25519, key).verify(bytes, &signature).is_ok();
    if keys.iter().any(made_by) { Ok(()) } else { Err(SignatureError::Wrong { file, keys: keys.len() }) }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn x56_a_signature_counts_for_its_bytes_and_its_key_alone() {
        let home = tempfile::tempdir().unwrap();
        let component = home.path().join("rates.wasm");
        let place = home.path().join("rates.wasm.sig");
        let (ours, other) = (Ed25519KeyPair::generate().unwrap(), Ed25519KeyPair::generate().unwrap());
        let key = |pair: &Ed25519KeyPair| SigningKey::try_from(pair.public_key().as_ref()).unwrap();
        let keys = [key(&other), key(&ours)];
        let said =
            |bytes: &[u8], keys: &[SigningKey]| check(&component, bytes, keys).map_err(|why| why.to_string());
        assert_eq!(said(b"component", &[]), Ok(()), "nobody is asked for a signature");
        assert!(said(b"component", &keys).unwrap_err().contains("rates.wasm.sig: cannot be read"));
        std::fs::write(&place, ours.sign(b"component").as_ref()).unwrap();
        assert_eq!(said(b"component", &keys), Ok(()));
        assert!(said(b"c0mponent", &keys).unwrap_err().contains("by one of the 2 keys"));
        assert!(said(b"component", &keys[..1]).is_err());
        for wrong in [&[][..], &[0; 63], &[0; 64], &[0; 65]] {
            std::fs::write(&place, wrong).unwrap();
            assert!(said(b"component", &keys).is_err(), "{}", wrong.len());
        }
    }
}
