//! Administrators who are signed in: their session in the place of a token (X6). At the public listener, where `admin.by_session` is on, and nowhere else.
//!
//! The cookie alone says who it is, and a token is good for nothing there, so that what a token opens stays behind the admin listener. A browser sends the
//! cookie whoever has it ask, so a change must come from a page of this server and in a form that no page of another can have sent; and it takes a sign-in
//! that is not long ago, since by it somebody gives others access, or takes it.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use jiff::SignedDuration;

use super::ask::is_json;
use super::endpoint::Admission;
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::metrics::Rejected;
use crate::http::problem::Problem;
use crate::http::signin::browser::must_be_ours;
use crate::http::signin::{X_ROSTERD_LOGIN, visit};
use crate::roster::Caller;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Finds out who is signed in, and lets them in to what they ask for as far as that is not for their permissions to say.
pub(super) fn caller(
    edge: &Edge,
    fresh_within: SignedDuration,
    arrival: &Arrival,
    parts: &Parts,
) -> Result<Caller, Problem> {
    if parts.headers.contains_key(AUTHORIZATION) {
        let says = "expected a session and no Authorization field, since tokens are for the administrators' listener";
        return Err(nobody(edge, arrival, says));
    }
    must_be_meant(edge, parts)?;
    let Some((_, live)) = visit::find(edge, parts)? else {
        return Err(nobody(edge, arrival, "nobody is signed in in this browser, or not any more"));
    };
    let Some(caller) = edge.roster().as_administrator(&live, arrival.request_id)? else {
        return Err(nobody(edge, arrival, "the person who is signed in is kept out"));
    };
    if parts.method.is_safe() || live.session.is_fresh(fresh_within, caller.now()) {
        return Ok(caller);
    }
    Err(stale(edge, &caller, live.session.provider.as_deref(), fresh_within)?)
}

/// Refuses what another site has a browser send: to change something, as any form can, or to look what there is.
fn must_be_meant(edge: &Edge, parts: &Parts) -> Result<(), Problem> {
    if parts.method.is_safe() {
        let site = parts.headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        return match site {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(Problem::forbidden(
                "expected a request from a page of this server, found one from another site",
            )),
        };
    }
    must_be_ours(edge.desk(), &parts.headers)?;
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    // A form sends POST only, and JSON never.
    if parts.method == Method::DELETE || kind.is_some_and(is_json) {
        return Ok(());
    }
    Err(Problem::unsupported_media(
        "expected Content-Type: application/json, which no form of another site can send",
    ))
}

fn nobody(edge: &Edge, arrival: &Arrival, says: &'static str) -> Problem {
    arrival.metrics().reject(Rejected::Unauthorized);
    Problem::new(StatusCode::UNAUTHORIZED, format!("{says}; sign in at {}/login", edge.desk().public_url))
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Cookie realm=\"rosterd\""))
}

/// The session is good, and too old for this: 401 with where to sign in anew, in the words of RFC 9470 §3.
fn stale(
    edge: &Edge,
    caller: &Caller,
    provider: Option<&str>,
    fresh_within: SignedDuration,
) -> Result<Problem, Problem> {
    let (seconds, public_url) = (fresh_within.as_secs(), &edge.desk().public_url);
    // At the provider by which they came, which must ask them, or by the firm's own means.
    let place = match provider {
        Some(provider) => format!("{public_url}/sso/{provider}/start?prompt=login&max_age={seconds}"),
        None => format!("{public_url}/login?tenant={}", edge.roster().tenant_name(caller)?),
    };
    let field = |text: String| {
        HeaderValue::from_maybe_shared(text.into_bytes())
            .map_err(|_| Problem::internal("a place to sign in at that no header field can hold"))
    };
    let challenge = format!(
        "Cookie realm=\"rosterd\", error=\"insufficient_user_authentication\", max_age=\"{seconds}\""
    );
    let says = format!(
        "expected a sign-in within the last {} minutes, as this changes something; sign in afresh at {place} and send it again",
        fresh_within.as_mins()
    );
    Ok(Problem::new(StatusCode::UNAUTHORIZED, says)
        .with(WWW_AUTHENTICATE, field(challenge)?)
        .with(X_ROSTERD_LOGIN, field(place)?))
}

/// Refuses a token what takes a fresh sign-in (X6), as far as the settings do not let it: who has it may have stolen it, and what it made would outlive it.
pub(super) fn refuse_tokens_that_make_tokens(
    edge: &Edge,
    admission: Admission,
    caller: &Caller,
) -> Result<(), Problem> {
    let by_session = admission.fresh_within.is_some();
    let acts_as_person = caller.person().is_some();
    if admission.tokens_make_tokens && !(by_session && acts_as_person) {
        return Ok(());
    }
    let found = if acts_as_person { "the token of a person" } else { "a token" };
    let public_url = &edge.desk().public_url;
    let sign_in = if by_session {
        format!("sign in at {public_url}/login and send it to {public_url}/admin/v1")
    } else {
        "turn on admin.by_session and sign in".to_owned()
    };
    Err(Problem::forbidden(format!(
        "tokens, clients and secrets are made after a fresh sign-in, found {found}; {sign_in}, or use the command line on the machine of the daemon \
         (rosterd token create, rosterd client create)"
    )))
}
