//! What is remembered of somebody who was sent to a provider, until the callback. A row of the caller's; good once.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::return_to::ReturnTo;
use crate::chance::Chance;

/// How long somebody may take at the provider.
pub const PENDING_SECONDS_MAX: i64 = 600;

/// What is asked of the provider beside who somebody is: that they show it anew, or in a stronger way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Demand {
    /// Seconds for which an earlier proof is good enough.
    pub max_age: Option<u32>,
    /// Ways of proof, of which the answer must name one.
    pub acr_values: Vec<String>,
    /// What the provider shall show.
    pub prompt: Option<Prompt>,
}

/// What a provider shall show (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Nothing: an error where that does not do.
    None,
    /// Its sign-in, whether or not somebody is signed in there.
    Login,
    /// The choice among accounts.
    SelectAccount,
}

/// What is remembered between start and callback. Whoever keeps it takes it away at the first callback, before anything else is done.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// To which provider somebody was sent.
    pub idp: String,
    /// The digest of `state`, by which the row is found.
    pub state_digest: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Where the browser goes afterwards.
    pub return_to: ReturnTo,
    /// When it began.
    pub begun: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
    /// What else was asked.
    pub demand: Demand,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("idp", &self.idp)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Pending {
    /// Tells whether a state is the one with which somebody was sent away.
    pub fn is_of(&self, state: &str) -> bool {
        digest(state).as_bytes().ct_eq(self.state_digest.as_bytes()).into()
    }
}

/// Returns the digest under which a row is kept: who reads the store cannot answer for a browser.
pub fn digest(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state.as_bytes()))
}

/// Makes 256 bits that nobody can guess, as text.
pub(super) fn secret(chance: &dyn Chance) -> String {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
