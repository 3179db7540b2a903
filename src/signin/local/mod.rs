//! Signing in by the firm's own means: what is worked out for it, without rows and without pages (rows X10, X11).
//!
//! Read in this order: [`strength`] (which passwords are taken), `common` (which everybody tries first), [`hashing`] (Argon2id, few at a time), [`totp`]
//! (codes that a device counts), [`throttle`] (who fails often waits).

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod common;
pub mod hashing;
pub mod strength;
pub mod throttle;
pub mod totp;

pub use hashing::{Hasher, HashingError, Tried};
pub use strength::{Password, PasswordFlaw, Strength};
pub use throttle::Throttle;
pub use totp::{RecoveryCodes, TotpSecret};
