//! `[sign_in]`: how a firm's people sign in by its own means (rows T04, H06, X10). Knows nothing of passwords themselves.

use serde::{Deserialize, Serialize};

use super::findings::Findings;

/// Signing in by the firm's own means. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// How people sign in of whom no administrator has said it.
    pub method: SignInMethod,
    /// Fewest characters of a password (row T04).
    pub password_characters_min: usize,
    /// Whether somebody who is added is mailed how to sign in (row H06).
    pub login_instructions: bool,
}

/// How people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInMethod {
    /// Who is provisioned by an identity provider through it, everybody else by password.
    ByOrigin,
    /// Through a provider.
    Sso,
    /// Also by a link that is mailed.
    MagicLink,
    /// Also by password.
    Password,
}

impl SignIn {
    /// `above` is what stands before the topic's name: nothing, or a tenant's.
    pub(super) fn check(&self, above: &str, found: &mut Findings) {
        let key = format!("{above}sign_in.password_characters_min");
        found.range(key, self.password_characters_min, 8..=128);
    }
}
