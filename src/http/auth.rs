//! Who is asking: the one `Authorization` field of a request, and nothing else (X5): a bearer token (RFC 6750 §2.1), or name and secret (RFC 7617)
//! of a client for which the operator has turned that on.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::arrival::Arrival;
use super::edge::Edge;
use super::limits::Share;
use super::metrics::Rejected;
use super::oauth::form::Basic;
use super::problem::Problem;
use crate::ids::{RequestId, TenantId};
use crate::roster::Caller;

/// A request whose credential is good. Handlers that take one cannot be reached without.
pub struct Bearer {
    /// Who it is.
    pub caller: Caller,
    /// What the request holds until its answer is sent.
    pub hold: Hold,
}

/// What a request holds until its answer is sent, and what its answer must know of it.
pub struct Hold {
    /// The request's id, for the log.
    pub request_id: RequestId,
    /// How long the handler has, or the maker of a part of a long answer.
    pub handler_time: Duration,
    /// One of the tenant's requests in flight (R23).
    _place: Share<TenantId>,
}

impl Hold {
    /// Holds a place for a request.
    pub(super) const fn new(request_id: RequestId, handler_time: Duration, place: Share<TenantId>) -> Self {
        Self { request_id, handler_time, _place: place }
    }
}

impl FromRequestParts<Edge> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let arrival = Arrival::from_request_parts(parts, edge).await?;
        let mut caller = caller(edge, &parts.headers, &arrival)?;
        if let (Some(trace), false) = (arrival.trace(), parts.method.is_safe()) {
            caller = caller.telling(trace.led());
        }
        let place = arrival.enter(caller.tenant(), caller.connection())?;
        let hold = Hold::new(arrival.request_id, arrival.handler_time(), place);
        Ok(Self { caller, hold })
    }
}

/// Finds out who is asking; the same 401 whatever is wrong with the credential.
pub fn caller(edge: &Edge, headers: &HeaderMap, arrival: &Arrival) -> Result<Caller, Problem> {
    identify(edge, headers, arrival)?.ok_or_else(|| {
        arrival.metrics().reject(Rejected::Unauthorized);
        Problem::unauthorized()
    })
}

/// Finds out who is asking, and has it noted whose request it is; `None` when the credential is good for nothing.
pub(super) fn identify(
    edge: &Edge,
    headers: &HeaderMap,
    arrival: &Arrival,
) -> Result<Option<Caller>, Problem> {
    let (roster, id) = (edge.roster(), arrival.request_id);
    let token = token(headers);
    let found = match (token, basic(headers)) {
        (Some(token), _) => roster.authenticate(token, id)?,
        (None, Some(Basic { user, password })) => roster.authenticate_basic(&user, &password, id)?,
        (None, None) => None,
    };
    if let Some(trace) = arrival.trace() {
        let whose = match (&found, token) {
            (Some(caller), _) => Some((caller.tenant(), caller.connection())),
            // For the log of that connection's requests; in the answer it changes nothing, not even when it cannot be told.
            (None, Some(token)) => roster.once_was_of(token).ok().flatten(),
            (None, None) => None,
        };
        whose.into_iter().for_each(|who| trace.is_of(who));
        if let Some(caller) = found.as_ref().filter(|caller| caller.has_schemas_of_its_own()) {
            trace.learn(caller.kinds());
        }
    }
    Ok(found)
}

/// Reads name and secret. Most requests have a token, and cost nothing here.
fn basic(headers: &HeaderMap) -> Option<Basic> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (fields.next(), fields.next()) else { return None };
    Basic::read(only.to_str().ok()?)
}

/// Reads the token. The scheme's name is compared without regard to case; exactly one space follows it.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let sound =
        scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains([' ', '\t', ',']);
    sound.then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x5_one_bearer_field_and_nothing_else_is_a_credential() {
        let read = |values: &[&str]| {
            let headers: HeaderMap =
                values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
            token(&headers).map(str::to_owned)
        };
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bEARER abc"]).as_deref(), Some("abc"));
        for wrong in [
            &[][..],
            &["abc"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer  abc"],
            &["Bearer abc "],
            &["Bearer a b"],
            &["Bearer abc, Bearer def"],
            &["Basic abc"],
            &["Bearerabc"],
            &["Bearer abc", "Bearer abc"],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
