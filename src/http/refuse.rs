//! What hyper lets through and we do not (X5, X8, X35, X38, X39, X40).
//!
//! One pass over the head, before routing and before anybody is authenticated, so that every later reader may assume: one
//! host, at most one credential, a known method, no content coding, and a path with exactly one spelling.

use std::borrow::Cow;

use hyper::header::{self, HeaderName};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Version};

use super::limits::{HEADER_BYTES_MAX, TARGET_BYTES_MAX};
use super::problem::Problem;

/// A request that no handler sees.
#[derive(Debug)]
pub struct Refused {
    /// What the client is told.
    pub problem: Problem,
    /// Whether client and server may disagree on where the request ends, so that the connection must.
    pub close: bool,
}

impl Refused {
    fn keep(problem: Problem) -> Self {
        Self { problem, close: false }
    }

    fn close(problem: Problem) -> Self {
        Self { problem, close: true }
    }

    fn framing(detail: &'static str) -> Self {
        Self::close(Problem::bad_request(detail))
    }
}

/// Checks a head; returns its path in the one spelling that is routed. A borrowed one is the path as it was sent. `base_path` is the path below which clients find SCIM.
pub fn check<'a>(parts: &'a Parts, base_path: &str) -> Result<Cow<'a, str>, Refused> {
    method(&parts.method)?;
    let seen = headers(&parts.headers)?;
    host(parts, &seen)?;
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        let detail = format!("the request target may have at most {TARGET_BYTES_MAX} bytes");
        return Err(Refused::close(Problem::new(StatusCode::URI_TOO_LONG, detail)));
    }
    path(parts.uri.path(), base_path)
}

/// The methods that any route takes. TRACE and CONNECT are not among them, and names are case-sensitive (RFC 9110 §9.1).
fn method(method: &Method) -> Result<(), Refused> {
    match *method {
        Method::GET
        | Method::POST
        | Method::PATCH
        | Method::PUT
        | Method::DELETE
        | Method::HEAD
        | Method::OPTIONS => Ok(()),
        _ => Err(Refused::close(Problem::not_implemented(
            "expected one of the methods GET, HEAD, POST, PUT, PATCH, DELETE, in upper case",
        ))),
    }
}

/// What one pass over the fields found.
#[derive(Default)]
struct Seen {
    bytes: usize,
    hosts: usize,
    authorizations: usize,
    codings: usize,
    content_encoding: bool,
}

fn headers(headers: &HeaderMap) -> Result<Seen, Refused> {
    let mut seen = Seen::default();
    for (name, value) in headers {
        // 32 is what RFC 9113 §6.5.2 adds for each field, so that both protocols are measured alike.
        seen.bytes =
            seen.bytes.saturating_add(name.as_str().len()).saturating_add(value.len()).saturating_add(32);
        if *name == header::HOST {
            seen.hosts = seen.hosts.saturating_add(1);
        } else if *name == header::AUTHORIZATION {
            seen.authorizations = seen.authorizations.saturating_add(1);
        } else if *name == header::TRANSFER_ENCODING {
            seen.codings = seen.codings.saturating_add(1);
            if !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Refused::framing("expected Transfer-Encoding to be exactly chunked"));
            }
        } else if *name == header::CONTENT_ENCODING {
            seen.content_encoding |= !value.as_bytes().eq_ignore_ascii_case(b"identity");
        } else if name.as_str().as_bytes().contains(&b'_') {
            underscored(name, headers)?;
        }
    }
    if seen.bytes > HEADER_BYTES_MAX {
        let detail = format!("the header fields may have at most {HEADER_BYTES_MAX} bytes together");
        return Err(Refused::close(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail)));
    }
    if seen.codings > 1 {
        return Err(Refused::framing("expected one Transfer-Encoding field, found several"));
    }
    if seen.codings > 0 && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Refused::framing("expected Content-Length or Transfer-Encoding, found both"));
    }
    if seen.authorizations > 1 {
        return Err(Refused::close(Problem::bad_request("expected one Authorization field, found several")));
    }
    if seen.content_encoding {
        return Err(Refused::keep(Problem::unsupported_media(
            "expected a body without Content-Encoding; compressed bodies are not taken",
        )));
    }
    Ok(seen)
}

/// Refuses a name that some proxy or CGI reads as another one: `X_Forwarded_User` beside `X-Forwarded-User`, or in the
/// place of a field that decides about framing, identity or origin.
fn underscored(name: &HeaderName, headers: &HeaderMap) -> Result<(), Refused> {
    const DECIDING: [&str; 7] =
        ["host", "authorization", "content-length", "transfer-encoding", "connection", "cookie", "forwarded"];
    let twin = name.as_str().replace('_', "-");
    let decides = DECIDING.contains(&twin.as_str()) || twin.starts_with("x-forwarded-");
    if decides || headers.contains_key(twin.as_str()) {
        return Err(Refused::framing(
            "expected header names with hyphens, found one with underscores in its place",
        ));
    }
    Ok(())
}

fn host(parts: &Parts, seen: &Seen) -> Result<(), Refused> {
    if seen.hosts > 1 {
        return Err(Refused::framing("expected one Host field, found several"));
    }
    let host = parts.headers.get(header::HOST).map(header::HeaderValue::as_bytes);
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    if host.is_some_and(|host| !is_host(host)) || authority.is_some_and(|authority| !is_host(authority)) {
        return Err(Refused::framing("expected Host to be a name or address with an optional port"));
    }
    if parts.uri.scheme().is_some_and(|scheme| !matches!(scheme.as_str(), "http" | "https")) {
        return Err(Refused::framing("expected the target to be a path, or a URI of this server"));
    }
    match (host, authority) {
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
            Err(Refused::framing("expected Host and the target to name the same host"))
        }
        (None, None) if parts.version != Version::HTTP_10 => Err(Refused::framing("expected a Host field")),
        (None, Some(_)) if parts.version == Version::HTTP_11 => {
            Err(Refused::framing("expected a Host field"))
        }
        _ => Ok(()),
    }
}

/// Tells whether the bytes can be a host: RFC 3986's `host [":" port]`, generously, and nothing that ends it.
fn is_host(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'~' | b'%')
    })
}

/// What stands for the base path in the list of routes, and so in logs and metrics, whatever the base path is (S6).
const ROUTED: &str = "/scim/v2";
/// No route at all.
const UNROUTED: &str = "/scim";

/// Refuses every second spelling of a path, but forgives doubled and trailing slashes below SCIM's base path: IdPs glue URLs
/// together carelessly (S4).
///
/// `%` stays only in front of what has to be encoded (a colon of a schema's URN is often sent so). An encoded letter,
/// slash or dot would give one resource two names, and a proxy in front might have judged the other one.
fn path<'a>(path: &'a str, base_path: &str) -> Result<Cow<'a, str>, Refused> {
    let odd = || Refused::keep(Problem::bad_request("expected the path in its plain spelling"));
    let mut bytes = path.bytes();
    let mut slashes = false;
    let mut previous = 0_u8;
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(odd()) };
                let decoded = u8::try_from(high << 4 | low).map_err(|_| odd())?;
                let spelt_twice = decoded.is_ascii_alphanumeric()
                    || matches!(decoded, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\' | b'%' | b';')
                    || decoded.is_ascii_control();
                if spelt_twice {
                    return Err(odd());
                }
            }
            b';' | b'\\' | 0..=b' ' | 0x7f..=0xff => return Err(odd()),
            b'/' => slashes |= previous == b'/',
            _ => {}
        }
        previous = byte;
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(odd());
    }
    let trailing = previous == b'/' && path.len() > 1;
    let plain = !slashes && !trailing;
    match below(path, base_path) {
        Some(_) if plain && base_path == ROUTED => Ok(Cow::Borrowed(path)),
        Some(rest) => {
            let mut routed = String::with_capacity(ROUTED.len().saturating_add(rest.len()));
            routed.push_str(ROUTED);
            for segment in rest.split('/').filter(|segment| !segment.is_empty()) {
                routed.push('/');
                routed.push_str(segment);
            }
            Ok(Cow::Owned(routed))
        }
        None if slashes => Err(odd()),
        None if below(path, ROUTED).is_some() => Ok(Cow::Owned(UNROUTED.to_owned())),
        // A trailing slash elsewhere is simply no route.
        None => Ok(Cow::Borrowed(path)),
    }
}

/// Returns what follows a prefix that ends where a segment does.
fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x40_a_path_has_one_spelling() {
        for wrong in [
            "/scim/v2/../admin/v1",
            "/scim/v2/./Users",
            "/scim/v2/%55sers",
            "/scim/v2%2fUsers",
            "/scim/v2/Users%00",
            "/scim/v2/Users;x",
            "/scim/v2/Users%3Bx",
            "/scim/v2\\Users",
            "/scim/v2/Users%5c",
            "/scim/v2/%2e%2e/Users",
            "/scim/v2/Users%0d%0a",
            "/scim/v2/Users%",
            "/scim/v2/Users%zz",
            "//scim/v2/Users",
            "/admin//v1",
        ] {
            assert!(path(wrong, ROUTED).is_err(), "{wrong}");
            let elsewhere = wrong.replace(ROUTED, "/people");
            assert!(path(&elsewhere, "/people").is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn s4_slashes_below_the_base_path_are_forgiven() {
        for (sent, routed) in [
            ("/scim/v2//Users", "/scim/v2/Users"),
            ("/scim/v2/Users/", "/scim/v2/Users"),
            ("/scim/v2/Users//", "/scim/v2/Users"),
            ("/scim/v2/", "/scim/v2"),
            ("/scim/v2/Users", "/scim/v2/Users"),
            ("/scim/v2/Schemas/urn%3Aietf", "/scim/v2/Schemas/urn%3Aietf"),
            ("/livez/", "/livez/"),
            ("/", "/"),
        ] {
            assert_eq!(path(sent, ROUTED).unwrap(), routed, "{sent}");
        }
    }

    #[test]
    fn s6_only_what_is_below_the_base_path_is_routed_as_scim() {
        for (base, sent, routed) in [
            ("/people", "/people", "/scim/v2"),
            ("/people", "/people/", "/scim/v2"),
            ("/people", "/people//Users/", "/scim/v2/Users"),
            ("/people", "/people/scim/v2/Users", "/scim/v2/scim/v2/Users"),
            ("/people", "/peoples/Users", "/peoples/Users"),
            ("/people", "/scim/v2/Users", UNROUTED),
            ("/people", "/scim/v2", UNROUTED),
            ("/people", "/livez", "/livez"),
            ("/scim", "/scim/Users", "/scim/v2/Users"),
            ("/scim", "/scim/v2/Users", "/scim/v2/v2/Users"),
            ("/scim/v2/eu", "/scim/v2/eu/Users", "/scim/v2/Users"),
            ("/scim/v2/eu", "/scim/v2/Users", UNROUTED),
        ] {
            assert_eq!(path(sent, base).unwrap(), routed, "{sent} below {base}");
        }
        assert!(path("/scim/v2//Users", "/people").is_err());
    }
}
