//! `GET /auth/verify?app=NAME`: a proxy asks whether somebody may come to a program, and whom it lets through (signin.md §6, forward-auth).
//!
//! The decision is by the session's cookie alone, and which program is asked about stands in the proxy's own configuration. There are no rules for
//! paths, no lists of what needs no sign-in, no exceptions for anybody's user agent: what is open to everybody is for the proxy not to ask about. Of
//! forwarded fields one is read, from a listed proxy alone, and for one thing: where a browser goes after it has signed in (X38).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::gateway::{App, IDENTITY, nobody};
use super::visit::note_use;
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::{Problem, wants_page};
use crate::signin::rp::ReturnTo;

/// The field that says in a word why somebody was not let through.
const X_ROSTERD_REASON: HeaderName = HeaderName::from_static("x-rosterd-reason");
/// The field that says where a browser can sign in, for proxies that send it there themselves.
pub const X_ROSTERD_LOGIN: HeaderName = HeaderName::from_static("x-rosterd-login");
/// Fields in which proxies say which path was asked for.
const FORWARDED_URI: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-uri"), HeaderName::from_static("x-original-uri")];

/// Decides, and always says every field that tells who somebody is.
pub async fn verify(State(edge): State<Edge>, arrival: Arrival, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let mut response = match decide(&edge, &arrival, &parts).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    for name in IDENTITY {
        response.headers_mut().entry(name).or_insert(const { HeaderValue::from_static("") });
    }
    response
}

async fn decide(edge: &Edge, arrival: &Arrival, parts: &Parts) -> Result<Response, Problem> {
    let desk = edge.desk();
    let offer = desk.offer();
    let name = app_of(parts.uri.query())?;
    let Some(app) = offer.apps.get(name.as_ref()) else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no program of this name is in the settings ([[apps]])",
        )
        .with(X_ROSTERD_REASON, HeaderValue::from_static("unknown-app")));
    };
    let roster = edge.roster();
    let Some(key) = offer.cookies.session(&parts.headers) else {
        return signed_out(edge, app, arrival, parts);
    };
    let is_open = |provider: &str| desk.is_open(provider);
    let visit = match roster.look_at_visit(&key, &app.showing, &is_open)? {
        Ok(visit) => visit,
        Err(why) => {
            tracing::debug!(%why, app = %app.showing.app, "somebody was not let through to a program");
            return match why.code() {
                Some(code) => Err(refused(code)),
                None => signed_out(edge, app, arrival, parts),
            };
        }
    };
    if visit.unseen {
        note_use(edge, &key);
    }
    let now = roster.current_time();
    let fields = match edge.gateway().told(app, &key, &visit, now) {
        Some(fields) => fields,
        None => {
            let (teller, app, id) = (edge.clone(), app.clone(), arrival.request_id);
            let told = edge.wait(move |roster| {
                Ok(teller.gateway().tell(roster, (&app, &key), &visit, &teller.desk().public_url, id))
            });
            told.await??
        }
    };
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = fields;
    Ok(response)
}

/// Reads which program is asked about: one parameter, once, and nothing beside it.
fn app_of(query: Option<&str>) -> Result<std::borrow::Cow<'_, str>, Problem> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((name, value)), None) if name == "app" => Ok(value),
        _ => Err(Problem::bad_request("expected ?app=NAME, the name of one of [[apps]], and nothing else")),
    }
}

/// Nobody is signed in: 401, or to the sign-in page where the program wants its browsers there.
fn signed_out(edge: &Edge, app: &App, arrival: &Arrival, parts: &Parts) -> Result<Response, Problem> {
    let login = login_url(edge, app, arrival, parts);
    let login = HeaderValue::from_maybe_shared(login.into_bytes())
        .map_err(|_| Problem::internal("a place to sign in at that no header field can hold"))?;
    if app.sends_to_sign_in && wants_page(&parts.headers) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        *response.headers_mut() = nobody();
        response.headers_mut().insert(LOCATION, login);
        return Ok(response);
    }
    Err(Problem::new(StatusCode::UNAUTHORIZED, "nobody is signed in")
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Cookie realm=\"rosterd\""))
        .with(X_ROSTERD_REASON, HeaderValue::from_static("signed-out"))
        .with(X_ROSTERD_LOGIN, login))
}

fn refused(code: &'static str) -> Problem {
    Problem::forbidden(format!("this program does not let you in: {code}"))
        .with(X_ROSTERD_REASON, HeaderValue::from_static(code))
}

/// Where a browser signs in and goes on from there: to the program, at the path that a listed proxy says was asked for. The program's own URL is from
/// the settings, whatever a request says of hosts (X37).
fn login_url(edge: &Edge, app: &App, arrival: &Arrival, parts: &Parts) -> String {
    let desk = edge.desk();
    let is_proxy = arrival.peer.is_some_and(|peer| desk.offer().proxies.include(peer.ip().to_canonical()));
    let path = if is_proxy { forwarded_path(parts) } else { None };
    let place = format!("{}{}", app.origin, path.as_ref().map_or("/", ReturnTo::as_str));
    let place: String = form_urlencoded::byte_serialize(place.as_bytes()).collect();
    format!("{}/login?tenant={}&return_to={place}", desk.public_url, app.showing.tenant)
}

/// Reads the path that was asked for, where one field says it once and it is one path as [`ReturnTo`] reads them.
fn forwarded_path(parts: &Parts) -> Option<ReturnTo> {
    let mut said = FORWARDED_URI.into_iter().flat_map(|name| parts.headers.get_all(name));
    let (Some(path), None) = (said.next(), said.next()) else { return None };
    ReturnTo::parse(path.to_str().ok()?, &[]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_program_is_asked_about_is_said_once_and_alone() {
        assert_eq!(app_of(Some("app=psa")).unwrap(), "psa");
        for wrong in [None, Some(""), Some("app=psa&app=other"), Some("app=psa&x=1"), Some("App=psa")] {
            assert_eq!(app_of(wrong).unwrap_err().status(), 400, "{wrong:?}");
        }
    }

    #[test]
    fn x38_a_path_is_taken_from_one_field_and_only_if_it_is_a_path() {
        let path = |fields: &[(&str, &str)]| {
            let mut request = axum::http::Request::builder();
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            forwarded_path(&request.body(()).unwrap().into_parts().0).map(|path| path.as_str().to_owned())
        };
        assert_eq!(path(&[("x-forwarded-uri", "/time?week=3")]).as_deref(), Some("/time?week=3"));
        assert_eq!(path(&[("x-original-uri", "/time")]).as_deref(), Some("/time"));
        for wrong in [
            &[][..],
            &[("x-forwarded-uri", "//evil.test/")],
            &[("x-forwarded-uri", "https://evil.test/")],
            &[("x-forwarded-uri", "@evil.test")],
            &[("x-forwarded-uri", "/\\evil.test")],
            &[("x_forwarded_uri", "/time")],
            &[("x-forwarded-uri", "/a"), ("x-forwarded-uri", "/b")],
            &[("x-forwarded-uri", "/a"), ("x-original-uri", "/b")],
        ] {
            assert_eq!(path(wrong), None, "{wrong:?}");
        }
    }
}
