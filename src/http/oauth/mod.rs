//! `POST /oauth2/token`: an access token for a client's secret, or for an assertion that stands for it (RFC 6749 §4.4, RFC 7523; D-E20).
//!
//! [`form`] reads what was sent, [`super::throttle`] counts who fails; here both are put before the roster. Whoever fails is told
//! `invalid_client` and nothing else, whether there is such a client or not; the log line says why.

pub mod form;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;

use super::arrival::Arrival;
use super::edge::Edge;
use super::metrics::Rejected;
use super::problem::Problem;
use super::throttle::Throttle;
use crate::jwt::{Algorithm, Assertion, Claimed, Flaw, Keyring, Pinned, Source};
use crate::roster::{Candidate, Denied, Federation, Known, Once, Proven, Shown};
use form::{Form, Presented};

/// The path of the endpoint, below the public URL.
pub const TOKEN_PATH: &str = "/oauth2/token";

/// Failures of one address within a minute that are answered as such.
pub const FAILURES_PER_MINUTE_MAX: u32 = 60;

/// What the endpoint holds beside the roster.
#[derive(Debug)]
pub struct OAuth {
    keyring: Keyring,
    lifetime_minutes: AtomicU32,
    failures: Throttle,
}

impl OAuth {
    /// Gives out access tokens that live so long, and finds the keys of issuers here.
    pub fn new(keyring: Keyring, lifetime_minutes: u32) -> Self {
        Self {
            keyring,
            lifetime_minutes: AtomicU32::new(lifetime_minutes),
            failures: Throttle::up_to(FAILURES_PER_MINUTE_MAX),
        }
    }

    /// Changes how long access tokens live from now on.
    pub fn set_lifetime_minutes(&self, minutes: u32) {
        self.lifetime_minutes.store(minutes, Ordering::Relaxed);
    }

    fn lifetime(&self) -> SignedDuration {
        SignedDuration::from_mins(self.lifetime_minutes.load(Ordering::Relaxed).into())
    }
}

/// Gives a client an access token.
pub async fn token(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    let form = Form::read(request, edge.bodies()).await?;
    match form.grant_type() {
        Some("client_credentials") => {}
        Some(_) => {
            return Err(refused("unsupported_grant_type", "expected the grant_type client_credentials"));
        }
        None => return Err(refused("invalid_request", "expected a grant_type, found none")),
    }
    let (proven, once) = match form.presented()? {
        Presented::Nothing => return Err(invalid_client(&edge, &arrival, None, "nothing was shown")),
        Presented::Secret { client, secret } => match edge.roster().client_by_secret(&client, &secret)? {
            Shown::Proven(proven) => (proven, None),
            Shown::Refused(known) => {
                return Err(invalid_client(&edge, &arrival, known, "no such secret"));
            }
        },
        Presented::Assertion { client, text } => assertion(&edge, &arrival, client.as_deref(), &text).await?,
    };
    let _place = arrival.enter(proven.tenant(), proven.connection())?;
    let (lifetime, id) = (edge.oauth().lifetime(), arrival.request_id);
    let (scope, known) = (form.scope().map(str::to_owned), proven.known());
    let granted = edge
        .wait(move |roster| Ok(roster.grant(&proven, scope.as_deref(), lifetime, once.as_ref(), id)))
        .await?
        .map_err(|denied| denial(&edge, &arrival, known, denied))?;
    let body = serde_json::json!({
        "access_token": granted.token.as_str(),
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
        "scope": granted.scope,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Finds the client for which an assertion stands, and proves that it does.
async fn assertion(
    edge: &Edge,
    arrival: &Arrival,
    client: Option<&str>,
    text: &str,
) -> Result<(Proven, Option<Once>), Problem> {
    let flawed = |known: Option<Known>, flaw: Flaw| {
        invalid_client(edge, arrival, known, &format!("the assertion: {flaw}"))
    };
    let assertion = Assertion::read(text).map_err(|flaw| flawed(None, flaw))?;
    let candidate = edge.roster().client_by_federation(client, assertion.issuer(), assertion.subject())?;
    let Some(candidate) = candidate else {
        assertion.spend();
        return Err(invalid_client(edge, arrival, None, "the assertion: it stands for no client"));
    };
    match check(edge, &assertion, &candidate).await {
        Ok(claimed) => {
            let once = claimed.jti.map(|jti| Once { jti, until: claimed.until });
            Ok((candidate.proven(), once))
        }
        Err(flaw) => Err(flawed(Some(candidate.known()), flaw)),
    }
}

async fn check(edge: &Edge, assertion: &Assertion<'_>, candidate: &Candidate) -> Result<Claimed, Flaw> {
    let Federation { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max } =
        candidate.federation();
    let algorithms: Vec<Algorithm> = algorithms.iter().filter_map(|name| Algorithm::parse(name)).collect();
    let source = match keys_url {
        Some(url) => Source::Keys(url),
        None => Source::Issuer(issuer.clone()),
    };
    let key = if algorithms.contains(&assertion.algorithm()) {
        edge.oauth().keyring.find(&source, assertion.kid(), assertion.algorithm()).await
    } else {
        None
    };
    let pinned = Pinned {
        issuer: &issuer,
        subject: &subject,
        audiences: &audiences,
        algorithms: &algorithms,
        lifetime_seconds_max: i64::from(lifetime_minutes_max).saturating_mul(60),
    };
    assertion.check(key.as_ref(), &pinned, edge.roster().current_time())
}

/// 400 with one of the words of RFC 6749 §5.2.
fn refused(word: &'static str, detail: &'static str) -> Problem {
    Problem::oauth(StatusCode::BAD_REQUEST, word, detail)
}

/// 401, the same whoever asks and whatever was wrong; 429 for an address that has failed often of late. The history of a client that exists says
/// why, and nobody waits for that.
fn invalid_client(edge: &Edge, arrival: &Arrival, known: Option<Known>, why: &str) -> Problem {
    arrival.metrics().reject(Rejected::Unauthorized);
    if let Some(known) = known {
        let (edge, id, result) = (edge.clone(), arrival.request_id, format!("invalid_client: {why}"));
        tokio::spawn(async move {
            if let Err(problem) = edge.wait(move |roster| roster.client_refused(known, id, &result)).await {
                tracing::warn!(
                    status = problem.status().as_u16(),
                    "a refusal could not be written to the history"
                );
            }
        });
    }
    let address = arrival.peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let problem = match edge.oauth().failures.count(address, tokio::time::Instant::now()) {
        None => Problem::oauth(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "the client is not known, or has not proven who it is",
        )
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"rosterd\"")),
        Some(seconds) => Problem::oauth(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            "too many requests of clients that have not proven who they are; retry later",
        )
        .with(RETRY_AFTER, HeaderValue::from(seconds)),
    };
    problem.because(why)
}

fn denial(edge: &Edge, arrival: &Arrival, known: Known, denied: Denied) -> Problem {
    match denied {
        Denied::Scope => refused(
            "invalid_scope",
            "expected scim, or scopes that the client has, separated by single spaces",
        ),
        Denied::Replayed => invalid_client(edge, arrival, Some(known), "the assertion: it was taken before"),
        Denied::Gone => invalid_client(edge, arrival, Some(known), "it was revoked meanwhile"),
        Denied::NotForIt => refused(
            "unauthorized_client",
            "this client shows its secret with each request, and fetches no tokens",
        ),
        Denied::TooMany => Problem::oauth(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            "the client has shown more assertions than are remembered; use an access token until it expires",
        )
        .with(RETRY_AFTER, HeaderValue::from(60)),
        Denied::Failed(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::FEDERATION_ALGORITHMS;

    #[test]
    fn the_algorithms_that_may_be_pinned_are_those_that_can_be_checked() {
        assert_eq!(FEDERATION_ALGORITHMS, Algorithm::ALL.map(Algorithm::name));
    }
}
