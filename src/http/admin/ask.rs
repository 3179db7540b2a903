//! One request to the admin API, once it is known who asks and that they may.
//!
//! An [`Ask`] is made by the frame before a handler runs: the door and the credential say for whom it is, `roster::may` says whether, the
//! query is read by the endpoint's own list of parameters. Only then is anything of the body read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::by_session;
use super::endpoint::Frame;
use super::query::{self, Parameter};
use crate::doctor::Doctor;
use crate::http::arrival::Arrival;
use crate::http::auth::{self, Hold};
use crate::http::body::read_body;
use crate::http::drain::Drain;
use crate::http::edge::Edge;
use crate::http::metrics::Door;
use crate::http::problem::Problem;
use crate::outbox::Feed;
use crate::roster::{Caller, Deed, Permit, Roster, RosterError};
use crate::scim::error::quoted;

/// Items of a page, where nothing else is asked for.
pub const LIMIT_DEFAULT: usize = 50;
/// The most.
pub const LIMIT_MAX: usize = 200;

/// A request that may be answered.
pub struct Ask {
    frame: Frame,
    /// Who asks, and for which tenant.
    pub caller: Caller,
    /// The proof that they may.
    pub permit: Permit,
    /// What is held until the answer is sent.
    pub hold: Hold,
    query: BTreeMap<&'static str, String>,
    at: Vec<(String, String)>,
}

impl Ask {
    /// Finds out who asks for what, and whether they may.
    pub(super) async fn of(
        frame: Frame,
        parts: &mut Parts,
        deed: Deed,
        parameters: &[Parameter],
    ) -> Result<Self, Problem> {
        let arrival = Arrival::from_request_parts(parts, &()).await?;
        let (edge, asked) = (&frame.edge, parts.uri.query());
        let caller = match (arrival.door, frame.admission.fresh_within) {
            (Door::Socket, _) => operator(edge.roster(), deed, asked, &arrival)?,
            (Door::Admin, _) => auth::caller(edge, &parts.headers, &arrival)?,
            (Door::Public, Some(within)) => by_session::caller(edge, within, &arrival, parts)?,
            (Door::Public, None) => return Err(Problem::not_found()),
        };
        let place = arrival.enter(caller.tenant(), caller.connection())?;
        let hold = Hold::new(arrival.request_id, arrival.handler_time(), place);
        let permit = edge.read(&caller, |roster, caller| roster.may(caller, deed))?;
        if arrival.door == Door::Admin && deed == Deed::MakeCredentials {
            by_session::refuse_tokens_that_make_tokens(edge, frame.admission, &caller)?;
        }
        let query = query::read(asked, parameters, arrival.door == Door::Socket)?;
        let at = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| {
            Problem::bad_request("the path holds bytes that are no UTF-8; expected percent-encoded UTF-8")
        })?;
        let at = at.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { frame, caller, permit, hold, query, at })
    }

    /// Returns what hands work to the roster.
    pub fn edge(&self) -> &Edge {
        &self.frame.edge
    }

    /// Returns who answers questions about connections.
    pub fn doctor(&self) -> Arc<Doctor> {
        Arc::clone(&self.frame.doctor)
    }

    /// Returns who reads the feed of changes, and what says that the daemon stops.
    pub fn feed(&self) -> (Arc<Feed>, Drain) {
        (Arc::clone(&self.frame.feed), self.frame.drain.clone())
    }

    /// Returns the description of the API behind this door.
    pub fn document(&self) -> Bytes {
        self.frame.document.bytes()
    }

    /// Returns the part of the path that a template calls `name`.
    pub fn at(&self, name: &str) -> &str {
        self.at.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Returns the text of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Returns the number of a parameter, which was found to be one.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Returns the instant of a parameter, which was found to be one.
    pub fn instant(&self, name: &str) -> Option<Timestamp> {
        self.text(name)?.parse().ok()
    }

    /// Tells whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Returns how many items are wanted.
    pub fn limit(&self) -> usize {
        self.number("limit")
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(LIMIT_DEFAULT)
            .min(LIMIT_MAX)
    }

    /// Does what may wait for the disk, as the caller.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Roster, &Caller, Permit) -> Result<T, RosterError> + Send + 'static,
    {
        let permit = self.permit;
        self.frame.edge.run(self.caller.clone(), move |roster, caller| work(roster, caller, permit)).await
    }
}

/// The operator, for the tenant that the query names, or the only one there is.
fn operator(roster: &Roster, deed: Deed, query: Option<&str>, arrival: &Arrival) -> Result<Caller, Problem> {
    if deed == Deed::RunInstallation {
        return Ok(roster.operator_above_tenants(arrival.request_id));
    }
    let mut names = query::values(query, query::TENANT);
    let name = match (names.next(), names.next()) {
        (Some(name), None) => name,
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("expected ?tenant= once, found it several times"));
        }
        (None, _) => {
            let tenants = roster.tenants()?;
            match tenants.as_slice() {
                [only] => only.name.clone(),
                [] => {
                    return Err(Problem::new(
                        StatusCode::NOT_FOUND,
                        "there is no tenant yet; POST /admin/v1/tenants makes one",
                    ));
                }
                _ => {
                    return Err(Problem::bad_request(
                        "there are several tenants; say which by ?tenant=NAME (GET /admin/v1/tenants lists them)",
                    ));
                }
            }
        }
    };
    Ok(roster.operator(&name, arrival.request_id)?)
}

/// Reads a body that must be a JSON object of a certain form.
pub(super) async fn body<T: DeserializeOwned>(
    edge: &Edge,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    if let Some(kind) = kind.filter(|kind| !is_json(kind)) {
        return Err(Problem::unsupported_media(format!(
            "expected Content-Type: application/json, found {}",
            quoted(kind)
        )));
    }
    let bytes = read_body(body, edge.body_sizes().usual, edge.bodies()).await?;
    if bytes.is_empty() {
        return Err(Problem::bad_request(
            "expected a JSON object in the body, found nothing; GET /admin/v1/openapi.json describes it",
        ));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!(
            "the body is not what is expected here: {error}; GET /admin/v1/openapi.json describes it"
        ))
    })
}

/// Tells whether a media type is JSON's, whatever its parameters.
pub(super) fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}
