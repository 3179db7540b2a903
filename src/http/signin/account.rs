//! `/me` and `/session`: what somebody sees and does of their own (T13, H08).

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::browser::{Form, must_be_ours};
use super::login::{HOME, parameter};
use super::pages::{self, Account, Reached, Seen};
use super::visit::Visit;
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::roster::{Contact, RosterError, SessionView, SignInMethod};
use crate::scim::Document;

/// Where somebody signs in who wanted their own page.
pub(super) const WAY_IN: &str = "/login?return_to=/me";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Who is signed in, for programs of ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whoami<'a> {
    id: String,
    user_name: Option<&'a str>,
    display_name: Option<String>,
    email: Option<String>,
    session: &'a SessionView,
}

/// Sends whoever asks for nothing to their own page.
pub async fn front() -> Result<Response, Problem> {
    pages::see_other(HOME)
}

/// Says who is signed in.
pub async fn whoami(visit: Visit) -> Result<Response, Problem> {
    answer(&Whoami {
        id: visit.live.person.to_string(),
        user_name: visit.live.document.user_name(),
        display_name: visit.live.name(),
        email: visit.live.email(),
        session: &visit.live.session,
    })
}

/// Lists where somebody is signed in.
pub async fn list(State(edge): State<Edge>, visit: Visit) -> Result<Response, Problem> {
    let this = visit.live.session.id.clone();
    let sessions = sessions(&edge, &visit).await?;
    answer(&json!({ "items": sessions, "current": this }))
}

/// Ends one of one's own sessions.
pub async fn end(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    visit: Visit,
    request: Request,
) -> Result<Response, Problem> {
    must_be_ours(edge.desk(), request.headers())?;
    let person = visit.live.person;
    edge.run(visit.caller, move |roster, caller| roster.end_session_named(caller, person, &id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The same from the page.
pub async fn end_from_page(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let Some(visit) = Visit::of(&edge, &arrival, &parts)? else { return pages::see_other(WAY_IN) };
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let id = form.get("id").ok_or_else(|| Problem::bad_request("expected the field id"))?.to_owned();
    let person = visit.live.person;
    let ended =
        edge.run(visit.caller, move |roster, caller| match roster.end_session_named(caller, person, &id) {
            // It ended meanwhile: what was wished is so.
            Err(RosterError::NotFound) => Ok(()),
            done => done,
        });
    ended.await?;
    pages::see_other("/me?done=ended")
}

/// Changes how somebody is reached.
pub async fn change_contact(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let Some(visit) = Visit::of(&edge, &arrival, &parts)? else { return pages::see_other(WAY_IN) };
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let line = |name: &str| form.get(name).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
    let contact = Contact {
        work_phone: line("work_phone"),
        mobile_phone: line("mobile_phone"),
        street: line("street"),
        postal_code: line("postal_code"),
        locality: line("locality"),
        country: line("country").map(|country| country.to_ascii_uppercase()),
    };
    let changed =
        edge.run(visit.caller, move |roster, caller| roster.change_own_contact(caller, &contact).map(|_| ()));
    changed.await?;
    pages::see_other("/me?done=saved")
}

/// Shows My Account, or the way to sign in.
pub async fn show(State(edge): State<Edge>, arrival: Arrival, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let Some(visit) = Visit::of(&edge, &arrival, &parts)? else { return pages::see_other(WAY_IN) };
    let all = sessions(&edge, &visit).await?;
    let live = &visit.live;
    let notice = match parameter(parts.uri.query(), "done").as_deref() {
        Some("saved") => Some("Your details are saved."),
        Some("ended") => Some("The session is ended."),
        _ => None,
    };
    let provider = live.session.provider.as_deref();
    let title = provider.and_then(|name| edge.desk().provider(name)).map(|opened| opened.title.clone());
    let (name, email) = (live.name().unwrap_or_default(), live.email());
    let account = Account {
        notice,
        name: &name,
        login: live.document.user_name().unwrap_or_default(),
        email: email.as_deref(),
        contact: reached(&live.document),
        sessions: all.iter().map(|one| seen(&edge, one, &live.session.id)).collect(),
        provider: title,
        own: live.session.method != SignInMethod::Oidc,
    };
    pages::page(StatusCode::OK, &account)
}

async fn sessions(edge: &Edge, visit: &Visit) -> Result<Vec<SessionView>, Problem> {
    let (person, desk) = (visit.live.person, edge.clone());
    let lifetimes = edge.roster().lifetimes(visit.live.tenant)?;
    let listed = edge.run(visit.caller.clone(), move |roster, caller| {
        roster.sessions(caller, person, lifetimes, &|provider| desk.desk().is_open(provider))
    });
    listed.await
}

fn seen(edge: &Edge, session: &SessionView, this: &str) -> Seen {
    let way = match (session.method, session.provider.as_deref()) {
        (SignInMethod::Oidc, Some(name)) => {
            let title =
                edge.desk().provider(name).map_or_else(|| name.to_owned(), |opened| opened.title.clone());
            format!("by {title}")
        }
        (SignInMethod::Oidc, None) => "by a provider".to_owned(),
        (SignInMethod::MagicLink, _) => "by a mailed link".to_owned(),
        (SignInMethod::Password, _) => "by password".to_owned(),
    };
    let minute = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    Seen {
        id: session.id.clone(),
        agent: if session.agent.is_empty() { "A browser".to_owned() } else { session.agent.clone() },
        way,
        address: if session.address.is_empty() {
            "an unknown address".to_owned()
        } else {
            session.address.clone()
        },
        created: minute(session.created),
        seen: minute(session.seen),
        is_this: session.id == this,
    }
}

fn answer(what: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(what).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    Ok(response)
}

/// Reads how somebody is reached.
fn reached(document: &Document) -> Reached {
    let part = |list: &str, of: &str, name: &str| {
        let elements = document.get(list).and_then(Value::as_array).into_iter().flatten();
        let mut fits = elements.filter(|one| one.get("type").and_then(Value::as_str) == Some(of));
        fits.find_map(|one| one.get(name)?.as_str()).unwrap_or_default().to_owned()
    };
    Reached {
        work_phone: part("phoneNumbers", "work", "value"),
        mobile_phone: part("phoneNumbers", "mobile", "value"),
        street: part("addresses", "work", "streetAddress"),
        postal_code: part("addresses", "work", "postalCode"),
        locality: part("addresses", "work", "locality"),
        country: part("addresses", "work", "country"),
    }
}
