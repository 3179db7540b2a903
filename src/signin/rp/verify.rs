//! An ID token against everything that was asked. The crate `openidconnect` checks signature, issuer, audience, end, nonce, type and critical headers;
//! what it leaves to its caller is checked here: `nbf`, the range of `iat`, `azp`, `at_hash`, the subject's length, tenant, domain, `auth_time` and `acr`.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use openidconnect::core::CoreIdToken;
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, IdTokenVerifier, IssuerUrl,
    JsonWebKeySet, Nonce, SignatureVerificationError,
};
use serde_json::{Map, Value};

use super::claims::{moment, subject, text};
use super::keys::{TokenKey, of};
use super::pending::{Demand, Prompt};
use super::refusal::TokenFlaw;
use super::settings::Provider;
use crate::jwt::{Algorithm, Flaw, Key, Signed};

/// Longest ID token.
pub(super) const ID_TOKEN_BYTES_MAX: usize = 64 * 1024;
/// How old a token may be that is made while we wait for it.
const AGE_SECONDS_MAX: i64 = 600;

/// What was asked, and what came with the token.
pub(super) struct Expected<'a> {
    pub(super) nonce: &'a str,
    pub(super) access_token: &'a str,
    pub(super) demand: &'a Demand,
    pub(super) begun: Timestamp,
}

/// A token that holds.
pub(super) struct Proven {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) claims: Map<String, Value>,
}

/// A token of the provider as it was read, believed in nothing yet.
pub(super) struct Read<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) claims: Map<String, Value>,
    pub(super) issuer: String,
}

/// Reads a token of the provider and finds its issuer.
pub(super) fn read<'a>(provider: &Provider, token: &'a str, bytes_max: usize) -> Result<Read<'a>, TokenFlaw> {
    if token.len() <= bytes_max && token.bytes().filter(|byte| *byte == b'.').count() == 4 {
        return Err(TokenFlaw::Encrypted);
    }
    let signed = Signed::read(token, bytes_max).map_err(TokenFlaw::Unreadable)?;
    if !provider.algorithms.contains(&signed.algorithm) {
        return Err(TokenFlaw::Algorithm(signed.algorithm.name()));
    }
    let claims = signed.all_claims().map_err(TokenFlaw::Unreadable)?;
    let tenant = text(&claims, "tid");
    let issuer = provider.issuer_for(tenant.as_deref()).ok_or(TokenFlaw::Tenant)?;
    // Before its key is looked for, so that nobody who writes any issuer has the provider asked.
    if claims.get("iss").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(TokenFlaw::Issuer);
    }
    Ok(Read { signed, claims, issuer })
}

/// Checks an ID token with the key that it names. Pure.
pub(super) fn id_token(
    provider: &Provider,
    token: &str,
    read: Read<'_>,
    key: Key,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Proven, TokenFlaw> {
    let Read { signed, claims, issuer } = read;
    let key = TokenKey::new(key, signed.kid.as_deref(), signed.algorithm)
        .ok_or(TokenFlaw::Algorithm(signed.algorithm.name()))?;
    by_the_crate(provider, &issuer, token, &key, signed.algorithm, expected, now)?;
    let subject = subject(&claims).ok_or(TokenFlaw::Subject)?;
    by_hand(provider, &claims, expected, now.as_second())?;
    Ok(Proven { issuer, subject, claims })
}

/// What the crate checks, and `at_hash` by its help.
fn by_the_crate(
    provider: &Provider,
    issuer: &str,
    token: &str,
    key: &TokenKey,
    algorithm: Algorithm,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(), TokenFlaw> {
    let token = CoreIdToken::from_str(token).map_err(|_| TokenFlaw::Claims)?;
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| TokenFlaw::Issuer)?;
    let algorithm = of(algorithm).ok_or(TokenFlaw::Algorithm(algorithm.name()))?;
    let (moment, leeway) = (now.as_second(), provider.leeway());
    let at = |seconds: i64| DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let latest = moment.saturating_add(leeway);
    let earliest = moment.saturating_sub(leeway).saturating_sub(AGE_SECONDS_MAX);
    let client_id = ClientId::new(provider.client_id().to_owned());
    let verifier =
        IdTokenVerifier::new_public_client(client_id, issuer, JsonWebKeySet::new(vec![key.clone()]))
            .set_allowed_algs([algorithm.clone()])
            .set_time_fn(move || at(moment.saturating_sub(leeway)))
            .set_issue_time_verifier_fn(move |issued| {
                let issued = issued.timestamp();
                if (earliest..=latest).contains(&issued) { Ok(()) } else { Err(IAT.to_owned()) }
            });
    let nonce = Nonce::new(expected.nonce.to_owned());
    let claims = token.claims(&verifier, &nonce).map_err(flaw)?;
    if let Some(hash) = claims.access_token_hash() {
        let access_token = AccessToken::new(expected.access_token.to_owned());
        let made = AccessTokenHash::from_token(&access_token, &algorithm, key)
            .map_err(|_| TokenFlaw::AccessToken)?;
        if made != *hash {
            return Err(TokenFlaw::AccessToken);
        }
    }
    Ok(())
}

/// What the function above says of `iat`, told apart from what else the crate has no name for.
const IAT: &str = "iat";

fn flaw(error: ClaimsVerificationError) -> TokenFlaw {
    match error {
        ClaimsVerificationError::Expired(said) if said == IAT => TokenFlaw::IssuedAt,
        ClaimsVerificationError::Expired(_) => TokenFlaw::Expired,
        ClaimsVerificationError::InvalidAudience(_) => TokenFlaw::Audience,
        ClaimsVerificationError::InvalidAuthContext(_) => TokenFlaw::Acr,
        ClaimsVerificationError::InvalidAuthTime(_) => TokenFlaw::AuthTime,
        ClaimsVerificationError::InvalidIssuer(_) => TokenFlaw::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => TokenFlaw::Nonce,
        ClaimsVerificationError::InvalidSubject(_) => TokenFlaw::Subject,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::DisallowedAlg(_)) => {
            TokenFlaw::Unreadable(Flaw::UnknownAlgorithm)
        }
        ClaimsVerificationError::SignatureVerification(_) => TokenFlaw::Signature,
        ClaimsVerificationError::Unsupported(_) => TokenFlaw::Type,
        // What is left, and what a later version of the crate may tell apart: not taken in any case.
        _ => TokenFlaw::Claims,
    }
}

/// What the crate leaves to its caller.
fn by_hand(
    provider: &Provider,
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: i64,
) -> Result<(), TokenFlaw> {
    let latest = now.saturating_add(provider.leeway());
    if moment(claims, "nbf")?.is_some_and(|start| start > latest) {
        return Err(TokenFlaw::NotYet);
    }
    if claims.get("azp").is_some_and(|party| *party != provider.client_id()) {
        return Err(TokenFlaw::AuthorizedParty);
    }
    let domains = &provider.settings.hosted_domains;
    let domain = text(claims, "hd").map(|domain| domain.to_ascii_lowercase());
    if !domains.is_empty() && !domain.is_some_and(|domain| domains.contains(&domain)) {
        return Err(TokenFlaw::HostedDomain);
    }
    let Demand { max_age, acr_values, prompt } = expected.demand;
    let proven = moment(claims, "auth_time")?;
    // Nobody has proven anything in the future.
    if proven.is_some_and(|proven| proven > latest) {
        return Err(TokenFlaw::AuthTime);
    }
    if let Some(max_age) = max_age {
        let oldest = now.saturating_sub(i64::from(*max_age)).saturating_sub(provider.leeway());
        if proven.is_none_or(|proven| proven < oldest) {
            return Err(TokenFlaw::AuthTime);
        }
    }
    // Asked to sign in anew, the provider must not answer with an earlier proof.
    let begun = expected.begun.as_second().saturating_sub(provider.leeway());
    if *prompt == Some(Prompt::Login) && proven.is_some_and(|proven| proven < begun) {
        return Err(TokenFlaw::AuthTime);
    }
    let acr = text(claims, "acr");
    if !acr_values.is_empty() && !acr.is_some_and(|acr| acr_values.contains(&acr)) {
        return Err(TokenFlaw::Acr);
    }
    Ok(())
}
