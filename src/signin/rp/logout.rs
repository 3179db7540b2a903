//! Signing out: logout tokens by which a provider ends sessions here (OpenID Connect Back-Channel Logout 1.0), and the URL that ends its own session
//! (RP-Initiated Logout 1.0). What is ended is told; ending it, and remembering ids, is the caller's.

use std::fmt;
use std::str::FromStr as _;

use jiff::Timestamp;
use openidconnect::core::CoreIdToken;
use openidconnect::{ClientId, CsrfToken, EndSessionUrl, LogoutRequest, PostLogoutRedirectUrl};
use serde_json::{Map, Value};

use super::claims::{is_for, moment, subject, text};
use super::metadata::{Endpoints, MetadataFlaw};
use super::party::{RelyingParty, keys_of};
use super::pending::secret;
use super::refusal::{Refusal, TokenFlaw};
use super::settings::{Provider, Secret};
use super::verify::{Read, read};
use crate::chance::Chance;
use crate::jwt::{Flaw, Signed};

/// Longest body of such a request.
pub const ORDER_BYTES_MAX: usize = 16 * 1024;
/// How old a token of a provider's own accord may be.
const AGE_SECONDS_MAX: i64 = 600;
/// Longest `jti`.
const JTI_BYTES_MAX: usize = 512;
/// The event that makes a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whose sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The sessions of one session at the provider.
    Session {
        /// Its name.
        sid: String,
        /// Whose it is, where the token says so.
        subject: Option<String>,
    },
    /// All sessions of one identity at this provider.
    Subject(String),
}

/// What a logout token orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutOrder {
    /// The issuer. With a subject the key of an identity.
    pub issuer: String,
    /// Whose sessions end.
    pub whose: Whose,
    /// Its own id: good once.
    pub jti: String,
    /// Until when the id must be remembered.
    pub remember_until: Timestamp,
}

/// Where a browser is sent to sign out at the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct LogoutUrl {
    /// The URL. It may hold the ID token.
    pub url: String,
    /// What the browser brings back, where it is sent back.
    pub state: Option<String>,
}

impl fmt::Debug for LogoutUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogoutUrl(***)")
    }
}

/// Reads the form of a back-channel logout: one logout token.
pub fn logout_form(body: &[u8]) -> Result<String, Refusal> {
    if body.len() > ORDER_BYTES_MAX {
        return Err(Refusal::OrderBody("expected at most 16 KiB"));
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) if !token.is_empty() => Ok(token.into_owned()),
        _ => Err(Refusal::OrderBody("expected a form with one logout_token")),
    }
}

impl RelyingParty {
    /// Checks a logout token.
    pub async fn logout(
        &self,
        provider: &Provider,
        token: &str,
        now: Timestamp,
    ) -> Result<LogoutOrder, Refusal> {
        let endpoints = self.endpoints(provider).await?;
        let types = ["jwt", "logout+jwt"];
        let (claims, issuer) =
            self.ordered(provider, &endpoints, token, &types, true).await.map_err(Refusal::LogoutToken)?;
        let until = in_time(provider, &claims, now).map_err(Refusal::LogoutToken)?;
        order(provider, &claims, issuer, until).map_err(Refusal::LogoutToken)
    }

    /// Reads a token that a provider sends of its own accord, and checks type, algorithm, issuer and signature.
    pub(super) async fn ordered(
        &self,
        provider: &Provider,
        endpoints: &Endpoints,
        token: &str,
        types: &[&str],
        untyped: bool,
    ) -> Result<(Map<String, Value>, String), TokenFlaw> {
        let Read { signed, claims, issuer } = read(provider, token, ORDER_BYTES_MAX)?;
        if !is_of_type(&signed, types, untyped) {
            return Err(TokenFlaw::Type);
        }
        let kid = signed.kid.as_deref();
        let key =
            self.keyring.seek(&keys_of(endpoints), kid, signed.algorithm).await.map_err(TokenFlaw::Key)?;
        if !signed.is_proven_by(&key) {
            return Err(TokenFlaw::Signature);
        }
        Ok((claims, issuer))
    }

    /// Makes the URL that ends the provider's session.
    pub async fn logout_url(
        &self,
        provider: &Provider,
        id_token: Option<&Secret>,
        chance: &dyn Chance,
    ) -> Result<LogoutUrl, Refusal> {
        let endpoints = self.endpoints(provider).await?;
        let odd = |_| Refusal::Metadata(MetadataFlaw::NoEndSession);
        let url = endpoints.end_session.as_ref().ok_or(Refusal::Metadata(MetadataFlaw::NoEndSession))?;
        let url = EndSessionUrl::new(url.clone()).map_err(odd)?;
        let mut request =
            LogoutRequest::from(url).set_client_id(ClientId::new(provider.client_id().to_owned()));
        // One that cannot be read any more is no hint.
        if let Some(token) = id_token.and_then(|token| CoreIdToken::from_str(token.expose()).ok()) {
            request = request.set_id_token_hint(&token);
        }
        let mut state = None;
        if let Some(back) = &provider.settings.post_logout_redirect_uri {
            let made = secret(chance);
            request = request
                .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(back.clone()).map_err(odd)?)
                .set_state(CsrfToken::new(made.clone()));
            state = Some(made);
        }
        Ok(LogoutUrl { url: request.http_get_url().to_string(), state })
    }
}

/// Tells whether a token's header says that it is of one of these types (RFC 8725 §3.11).
fn is_of_type(signed: &Signed<'_>, types: &[&str], untyped: bool) -> bool {
    let Some(typ) = &signed.typ else { return untyped };
    let typ = typ.to_ascii_lowercase();
    types.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
}

/// Checks a token's place in time, and says until when its id must be remembered: as long as it would be taken once more.
pub(super) fn in_time(
    provider: &Provider,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<Timestamp, TokenFlaw> {
    let (now, leeway) = (now.as_second(), provider.leeway());
    let issued = moment(claims, "iat")?.ok_or(TokenFlaw::IssuedAt)?;
    let latest = now.saturating_add(leeway);
    let last = issued.saturating_add(AGE_SECONDS_MAX).saturating_add(leeway);
    if issued > latest || now > last {
        return Err(TokenFlaw::IssuedAt);
    }
    let end = moment(claims, "exp")?.ok_or(TokenFlaw::Expired)?;
    if now >= end.saturating_add(leeway) {
        return Err(TokenFlaw::Expired);
    }
    if moment(claims, "nbf")?.is_some_and(|start| start > latest) {
        return Err(TokenFlaw::NotYet);
    }
    Timestamp::from_second(last.saturating_add(1)).map_err(|_| TokenFlaw::Unreadable(Flaw::Shape))
}

/// Reads a token's own id.
pub(super) fn jti(claims: &Map<String, Value>) -> Option<String> {
    let jti = claims.get("jti")?.as_str()?;
    (!jti.is_empty() && jti.len() <= JTI_BYTES_MAX).then(|| jti.to_owned())
}

fn order(
    provider: &Provider,
    claims: &Map<String, Value>,
    issuer: String,
    remember_until: Timestamp,
) -> Result<LogoutOrder, TokenFlaw> {
    if !is_for(claims, provider.client_id()) {
        return Err(TokenFlaw::Audience);
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(TokenFlaw::Events);
    }
    if claims.contains_key("nonce") {
        return Err(TokenFlaw::UnwantedNonce);
    }
    let jti = jti(claims).ok_or(TokenFlaw::Jti)?;
    let named = match claims.get("sub") {
        None => None,
        Some(_) => Some(subject(claims).ok_or(TokenFlaw::Subject)?),
    };
    let whose = match (claims.get("sid"), named) {
        (Some(_), subject) => Whose::Session { sid: text(claims, "sid").ok_or(TokenFlaw::Nobody)?, subject },
        (None, Some(subject)) => Whose::Subject(subject),
        (None, None) => return Err(TokenFlaw::Nobody),
    };
    Ok(LogoutOrder { issuer, whose, jti, remember_until })
}
