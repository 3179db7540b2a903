//! Global token revocation, as Okta's Universal Logout sends it: a signed JWT that says who asks, and a body that says about whom. It ends sessions; it is
//! no lock. What is ended is told; ending it, and remembering ids, is the caller's.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::claims::{SUBJECT_BYTES_MAX, is_for};
use super::logout::{ORDER_BYTES_MAX, in_time, jti};
use super::party::RelyingParty;
use super::refusal::{Refusal, TokenFlaw};
use super::settings::Provider;

/// The type that such a token's header names.
const TYPE: &str = "global-token-revocation+jwt";
/// Longest address.
const EMAIL_BYTES_MAX: usize = 320;

/// About whom.
#[derive(Clone, PartialEq, Eq)]
pub enum RevocationSubject {
    /// An identity at this provider.
    Identity {
        /// The issuer.
        issuer: String,
        /// Who it is there.
        subject: String,
    },
    /// An address. Good only where the provider's policy of addresses is on.
    Email(String),
}

impl fmt::Debug for RevocationSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity { .. } => "Identity(***)",
            Self::Email(_) => "Email(***)",
        })
    }
}

/// What is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// About whom.
    pub subject: RevocationSubject,
    /// The token's own id: good once.
    pub jti: String,
    /// Until when the id must be remembered.
    pub remember_until: Timestamp,
}

#[derive(Deserialize)]
struct Body {
    sub_id: SubjectId,
}

/// RFC 9493 §3.2.
#[derive(Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
enum SubjectId {
    IssSub { iss: String, sub: String },
    Email { email: String },
}

impl RelyingParty {
    /// Checks an order to revoke. `audience` is the URL at which it came in, of the configuration.
    pub async fn revocation(
        &self,
        provider: &Provider,
        token: &str,
        body: &[u8],
        audience: &str,
        now: Timestamp,
    ) -> Result<Revocation, Refusal> {
        let endpoints = self.endpoints(provider).await?;
        let refused = Refusal::Revocation;
        // Without its type it might be any token of this provider for us.
        let (claims, _) = self.ordered(provider, &endpoints, token, &[TYPE], false).await.map_err(refused)?;
        let remember_until = in_time(provider, &claims, now).map_err(refused)?;
        if !is_for(&claims, audience) {
            return Err(refused(TokenFlaw::Audience));
        }
        if claims.get("sub").and_then(Value::as_str) != Some(provider.client_id()) {
            return Err(refused(TokenFlaw::Subject));
        }
        let jti = jti(&claims).ok_or(refused(TokenFlaw::Jti))?;
        // The body is read last: nobody who has not proven who they are learns what is in order with it.
        Ok(Revocation { subject: about(provider, body)?, jti, remember_until })
    }
}

fn about(provider: &Provider, body: &[u8]) -> Result<RevocationSubject, Refusal> {
    if body.len() > ORDER_BYTES_MAX {
        return Err(Refusal::OrderBody("expected at most 16 KiB"));
    }
    let shape = "expected JSON with sub_id of the format iss_sub or email";
    let Body { sub_id } = serde_json::from_slice(body).map_err(|_| Refusal::OrderBody(shape))?;
    match sub_id {
        SubjectId::IssSub { iss, .. } if !provider.is_issuer(&iss) => {
            Err(Refusal::OrderBody("sub_id names another issuer than this provider's"))
        }
        SubjectId::IssSub { iss, sub } if (1..=SUBJECT_BYTES_MAX).contains(&sub.len()) => {
            Ok(RevocationSubject::Identity { issuer: iss, subject: sub })
        }
        SubjectId::Email { email } if (3..=EMAIL_BYTES_MAX).contains(&email.len()) => {
            Ok(RevocationSubject::Email(email))
        }
        _ => Err(Refusal::OrderBody("sub_id is empty or too long")),
    }
}
