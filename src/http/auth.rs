//! Who is asking: the one `Authorization: Bearer` field of a request (RFC 6750 §2.1), and nothing else (X5).

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::arrival::Arrival;
use super::edge::Edge;
use super::limits::Share;
use super::metrics::Rejected;
use super::problem::Problem;
use crate::ids::TenantId;
use crate::roster::Caller;

/// A request whose credential is good. Handlers that take one cannot be reached without.
pub struct Bearer {
    /// Who it is.
    pub caller: Caller,
    /// One of the tenant's requests in flight (R23).
    _place: Share<TenantId>,
}

impl FromRequestParts<Edge> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let arrival = Arrival::from_request_parts(parts, edge).await?;
        let mut caller = caller(edge, &parts.headers, &arrival)?;
        if let (Some(trace), false) = (arrival.trace(), parts.method.is_safe()) {
            caller = caller.telling(trace.led());
        }
        let place = arrival.enter(caller.tenant())?;
        Ok(Self { caller, _place: place })
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
    let Some(token) = token(headers) else { return Ok(None) };
    let found = edge.roster().authenticate(token, arrival.request_id)?;
    if let Some(trace) = arrival.trace() {
        let whose = match &found {
            Some(caller) => Some((caller.tenant(), caller.connection())),
            // For the log of that connection's requests; in the answer it changes nothing, not even when it cannot be told.
            None => edge.roster().once_was_of(token).ok().flatten(),
        };
        whose.into_iter().for_each(|who| trace.is_of(who));
    }
    Ok(found)
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
