//! Claims that an ID token lacks, asked of the userinfo endpoint (OpenID Connect Core §5.3). It must speak of the same subject.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::claims::{ABOUT_EMAIL, TOKENS_OWN};
use super::metadata::{Endpoints, MetadataFlaw};
use super::refusal::Refusal;
use super::settings::Provider;
use super::verify::Proven;
use crate::net::Client;

/// Largest answer.
const USERINFO_BYTES_MAX: usize = 64 * 1024;

/// Adds the claims that must be there, or would be of use, and are not.
pub(super) async fn complete(
    net: &Client,
    provider: &Provider,
    endpoints: &Endpoints,
    access_token: &str,
    proven: &mut Proven,
) -> Result<(), Refusal> {
    let settings = &provider.settings;
    let required = missing(&proven.claims, &settings.required_claims);
    let mut asked = required.clone();
    asked.extend(missing(&proven.claims, &settings.wanted_claims));
    // What only a token may say is not asked for.
    if asked.iter().any(|name| !TOKENS_OWN.contains(&name.as_str())) {
        match fetch(net, endpoints, access_token).await {
            Ok(answer) => add(&mut proven.claims, &proven.subject, answer, &asked)?,
            // It goes on without them.
            Err(refusal) if required.is_empty() => {
                tracing::info!(provider = provider.id(), "claims are not there, and userinfo: {refusal}");
            }
            Err(refusal) => return Err(refusal),
        }
    }
    let missing = missing(&proven.claims, &required);
    if missing.is_empty() { Ok(()) } else { Err(Refusal::ClaimMissing(missing)) }
}

/// Lists which of these claims are not there.
fn missing(claims: &Map<String, Value>, names: &[String]) -> Vec<String> {
    names.iter().filter(|name| claims.get(*name).is_none_or(Value::is_null)).cloned().collect()
}

async fn fetch(
    net: &Client,
    endpoints: &Endpoints,
    access_token: &str,
) -> Result<Map<String, Value>, Refusal> {
    let url = endpoints.userinfo.as_ref().ok_or(Refusal::Metadata(MetadataFlaw::NoUserinfo))?;
    let refused = |why: &str| Refusal::Userinfo(why.to_owned());
    // In the field, never in the URL (RFC 9700 §4.3.2).
    let mut bearer = HeaderValue::from_str(&format!("Bearer {access_token}"))
        .map_err(|_| refused("the access token cannot be sent"))?;
    bearer.set_sensitive(true);
    let fields = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    let answer = net.exchange(Method::GET, url, fields, Bytes::new(), USERINFO_BYTES_MAX).await;
    let answer = answer.map_err(|error| Refusal::Userinfo(error.to_string()))?;
    if answer.status != 200 {
        return Err(Refusal::Userinfo(format!("expected the status 200, found {}", answer.status.as_u16())));
    }
    let kind = answer.content_type.unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/jwt") {
        return Err(refused("expected plain JSON, found a signed answer"));
    }
    serde_json::from_slice(&answer.body).map_err(|_| refused("expected a JSON object, found something else"))
}

/// Takes what is wanted of an answer. What is about an address comes from one place: an answer's address is not verified by the token's word.
fn add(
    claims: &mut Map<String, Value>,
    subject: &str,
    mut answer: Map<String, Value>,
    wanted: &[String],
) -> Result<(), Refusal> {
    if answer.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(Refusal::UserinfoSubject);
    }
    let about_email = wanted.iter().any(|name| ABOUT_EMAIL.contains(&name.as_str()));
    for name in ABOUT_EMAIL.into_iter().filter(|_| about_email) {
        match answer.remove(name) {
            Some(value) => claims.insert(name.to_owned(), value),
            None => claims.remove(name),
        };
    }
    for name in wanted.iter().filter(|name| !TOKENS_OWN.contains(&name.as_str())) {
        if let Some(value) = answer.remove(name) {
            claims.insert(name.clone(), value);
        }
    }
    Ok(())
}
