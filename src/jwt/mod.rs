//! Tokens that others sign: what is read of one, the keys it is checked with, and the check (RFC 7519, 7523; rows X44, X50).
//!
//! Read in this order: [`algorithm`] (which signatures are known at all), [`keys`] (a JWKS, without what is weak or not for
//! signatures), [`signed`] (any signed token, as it was written), [`assertion`] (a client's assertion against what its connection pins), [`keyring`] (where keys come from, and how often).
//!
//! Keys come from the source that an operator configured. Whatever a token says of keys of its own (`jku`, `jwk`, `x5u`, `x5c`) is
//! not looked at. All but `keyring` is pure: the moment is an argument.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod algorithm;
pub mod assertion;
#[cfg(any(test, feature = "testing"))]
pub mod hostile;
pub mod keyring;
pub mod keys;
pub mod signed;

pub use algorithm::Algorithm;
pub use assertion::{Assertion, Claimed, Flaw, Pinned};
pub use keyring::{Keyring, Source};
pub use keys::{Key, KeySet, KeysError, Missing};
pub use signed::Signed;
