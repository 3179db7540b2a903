//! Where a browser comes from: its address, whether a form is one of ours, and what a form holds (X38, X43).

use std::collections::HashMap;
use std::net::IpAddr;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ORIGIN, USER_AGENT};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::desk::Desk;
use crate::http::arrival::Arrival;
use crate::http::body::read_body;
use crate::http::problem::Problem;

/// Largest form.
pub const FORM_BYTES_MAX: u64 = 16 * 1024;
/// Most fields of a form.
const FIELDS_MAX: usize = 32;
/// Most addresses of a chain of proxies that are looked at.
const HOPS_MAX: usize = 32;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Finds out from where a request came: the peer, or, where that is a proxy of ours, whom it names, back to the first that is none of ours.
pub fn address(desk: &Desk, arrival: &Arrival, headers: &HeaderMap) -> Option<IpAddr> {
    let mut at = arrival.peer?.ip().to_canonical();
    let offer = desk.offer();
    let is_ours = |address: IpAddr| offer.proxies.include(address);
    let fields = headers.get_all(X_FORWARDED_FOR).iter().rev().filter_map(|field| field.to_str().ok());
    let hops = fields.flat_map(|field| field.rsplit(',')).take(HOPS_MAX);
    for hop in hops {
        if !is_ours(at) {
            break;
        }
        let Ok(named) = hop.trim().parse::<IpAddr>() else { break };
        at = named.to_canonical();
    }
    Some(at)
}

/// Returns what a browser calls itself.
pub fn agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default()
}

/// Refuses what another site has a browser send: a request that changes something must say that it comes from one of our pages.
pub fn must_be_ours(desk: &Desk, headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes() == b"same-origin");
    let origin = headers.get(ORIGIN).map(|origin| origin.as_bytes() == desk.public_url.as_bytes());
    match (site, origin) {
        (Some(true), Some(true) | None) | (None, Some(true)) => Ok(()),
        _ => Err(Problem::forbidden(
            "expected a request from a page of this server, found one from elsewhere, or from a program that does not send Origin",
        )),
    }
}

/// A form that was sent.
pub struct Form(HashMap<String, Zeroizing<String>>);

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form(***)")
    }
}

impl Form {
    /// Reads a form: no field twice, and no more than a form of ours has.
    pub async fn read(arrival: &Arrival, headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        let bytes = bytes(arrival, headers, body).await?;
        let mut fields = HashMap::new();
        for (name, value) in form_urlencoded::parse(&bytes) {
            let twice = fields.insert(name.into_owned(), Zeroizing::new(value.into_owned())).is_some();
            if twice || fields.len() > FIELDS_MAX {
                return Err(Problem::bad_request(
                    "expected a form of this server's pages: each field once, and few",
                ));
            }
        }
        Ok(Self(fields))
    }

    /// Returns a field; nothing where it is left out or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Reads the bytes of a form.
pub async fn bytes(arrival: &Arrival, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let mime = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = mime.split(';').next().unwrap_or_default().trim();
    if !mime.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::unsupported_media(
            "expected the Content-Type application/x-www-form-urlencoded",
        ));
    }
    Ok(read_body(body, FORM_BYTES_MAX, arrival.bodies()).await?)
}
