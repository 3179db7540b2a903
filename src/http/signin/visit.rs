//! Who is signed in: the session that a browser shows, looked at by the gate at every request.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::limits::Share;
use crate::http::metrics::Rejected;
use crate::http::problem::Problem;
use crate::ids::TenantId;
use crate::roster::{Caller, Live, RosterError, SessionKey};

/// Somebody who is signed in. Handlers that take one cannot be reached without.
#[derive(Debug)]
pub struct Visit {
    /// The session.
    pub key: SessionKey,
    /// Who it is, and what is known of them.
    pub live: Live,
    /// Acts as them.
    pub caller: Caller,
    /// One of the tenant's requests in flight (R23).
    _place: Share<TenantId>,
}

impl FromRequestParts<Edge> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let arrival = Arrival::from_request_parts(parts, edge).await?;
        Self::of(edge, &arrival, parts)?.ok_or_else(|| {
            arrival.metrics().reject(Rejected::Unauthorized);
            Problem::new(StatusCode::UNAUTHORIZED, "nobody is signed in in this browser, or not any more")
        })
    }
}

impl Visit {
    /// Looks who is signed in, for a page that has something to show to nobody as well.
    pub fn of(edge: &Edge, arrival: &Arrival, parts: &Parts) -> Result<Option<Self>, Problem> {
        let Some((key, live)) = find(edge, parts)? else { return Ok(None) };
        let caller = edge.roster().as_signed_in(&live, arrival.request_id)?;
        let place = arrival.enter(caller.tenant(), caller.connection())?;
        Ok(Some(Self { key, live, caller, _place: place }))
    }
}

/// Looks who is signed in; nobody where there is no session, or a dead one.
///
/// # Errors
/// A store that cannot be read: then nobody is let in.
pub fn find(edge: &Edge, parts: &Parts) -> Result<Option<(SessionKey, Live)>, Problem> {
    let desk = edge.desk();
    let Some(key) = desk.offer().cookies.session(&parts.headers) else { return Ok(None) };
    let Some(live) = look(edge, &key)? else { return Ok(None) };
    Ok(Some((key, live)))
}

/// Asks the gate about one session, and has it written down that it was used.
pub fn look(edge: &Edge, key: &SessionKey) -> Result<Option<Live>, Problem> {
    let roster = edge.roster();
    let is_open = |provider: &str| edge.desk().is_open(provider);
    let lifetimes = roster.lifetimes(key.tenant)?;
    let live = match roster.look_at_session(key, lifetimes, &is_open)? {
        Ok(live) => live,
        Err(dead) => {
            tracing::debug!(%dead, "a session was shown that is not good");
            return Ok(None);
        }
    };
    if live.unseen {
        note_use(edge, key);
    }
    Ok(Some(live))
}

/// Has it written down that a session was used. Nobody waits for it: what is lost of it shortens the session by a minute.
pub fn note_use(edge: &Edge, key: &SessionKey) {
    let (edge, key) = (edge.clone(), *key);
    tokio::spawn(async move {
        let written = edge.wait(move |roster| roster.session_was_used(&key)).await;
        if let Err(problem) = written {
            tracing::warn!(status = problem.status().as_u16(), "the use of a session was not written down");
        }
    });
}

/// Ends a session that a browser shows, whatever it is worth: a new one takes its place, or none (X43, session fixation).
pub async fn end(edge: &Edge, key: SessionKey, tenant: &str, arrival: &Arrival) -> Result<(), Problem> {
    let (tenant, id) = (tenant.to_owned(), arrival.request_id);
    edge.wait(move |roster| {
        let door = match roster.doorkeeper(&tenant, id) {
            Ok(door) if door.tenant() == key.tenant => door,
            Ok(_) | Err(RosterError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        roster.end_session(&door, &key).map(|_| ())
    })
    .await
}
