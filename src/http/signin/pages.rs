//! What is shown: templates that escape what is put into them, and the one way in which a page is answered (X43).
//!
//! No script anywhere, no style but our own sheet, no frame around. `Referrer-Policy: same-origin` and not `no-referrer`, because browsers then send
//! `Origin: null` with our own forms; to other sites nothing is sent either way.

use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_FRAME_OPTIONS,
};
use axum::http::response::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::http::problem::Problem;
use crate::ids::RequestId;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Where somebody says who they are.
#[derive(Template)]
#[template(path = "login.html")]
pub struct Login<'a> {
    /// What is to be said first.
    pub notice: Option<&'a str>,
    /// Whether there is a field for an address.
    pub by_address: bool,
    /// Where the browser goes afterwards.
    pub return_to: &'a str,
    /// Whose people sign in here, where the link said so.
    pub tenant: Option<&'a str>,
    /// The providers' buttons.
    pub providers: Vec<Way<'a>>,
    /// The firm's own means.
    pub own: Vec<Way<'a>>,
}

/// A provider's button.
#[derive(Debug)]
pub struct Way<'a> {
    /// What it says.
    pub title: &'a str,
    /// Where it leads.
    pub href: String,
}

/// A page that leads elsewhere by itself: what a form leads to on another site must not be a redirect, which `form-action` would stop.
#[derive(Template)]
#[template(path = "onward.html")]
struct Onward<'a> {
    title: &'a str,
    url: &'a str,
}

/// A sentence, and perhaps a link.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// Heading.
    pub title: &'a str,
    /// What is said.
    pub text: &'a str,
    /// What an administrator finds the reason by.
    pub reference: Option<String>,
    /// Where to go on.
    pub link: Option<(&'a str, &'a str)>,
}

/// My Account.
#[derive(Template)]
#[template(path = "account.html")]
pub struct Account<'a> {
    /// What is to be said first.
    pub notice: Option<&'a str>,
    /// The person's name.
    pub name: &'a str,
    /// Their login.
    pub login: &'a str,
    /// Their address.
    pub email: Option<&'a str>,
    /// How they are reached.
    pub contact: Reached,
    /// Where they are signed in.
    pub sessions: Vec<Seen>,
    /// The provider by which this session began.
    pub provider: Option<String>,
    /// Whether they came in by the firm's own means.
    pub own: bool,
}

/// For whom somebody acts.
#[derive(Template)]
#[template(path = "acting.html")]
pub struct ActingFor {
    /// Whether they act for somebody now.
    pub acting: bool,
    /// For whom they may today.
    pub all: Vec<ForWhom>,
}

/// Somebody for whom another may act.
#[derive(Debug)]
pub struct ForWhom {
    /// Their id.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// The last day of it.
    pub until: Option<String>,
    /// Whether the person who looks acts for them now.
    pub is_now: bool,
}

/// How somebody is reached, as a form holds it.
#[derive(Debug, Default)]
pub struct Reached {
    /// Telephone at work.
    pub work_phone: String,
    /// Mobile telephone.
    pub mobile_phone: String,
    /// Street and number.
    pub street: String,
    /// Postal code.
    pub postal_code: String,
    /// Town.
    pub locality: String,
    /// Country.
    pub country: String,
}

/// A session in the list.
#[derive(Debug)]
pub struct Seen {
    /// Its name.
    pub id: String,
    /// The browser.
    pub agent: String,
    /// How it began.
    pub way: String,
    /// From where.
    pub address: String,
    /// Since when.
    pub created: String,
    /// When it was last used.
    pub seen: String,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// Answers a page.
pub fn page(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let html = template.render().map_err(|error| Problem::internal(format!("a page: {error}")))?;
    Ok(dressed(status, html))
}

fn dressed(status: StatusCode, html: String) -> Response {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, DENY);
    headers.insert(REFERRER_POLICY, SAME_ORIGIN);
    response
}

/// Sends a browser on, by GET whatever it came by.
pub fn see_other(to: &str) -> Result<Response, Problem> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to =
        HeaderValue::from_str(to).map_err(|_| Problem::internal("a redirect that no header can hold"))?;
    response.headers_mut().insert(LOCATION, to);
    response.headers_mut().insert(REFERRER_POLICY, NO_REFERRER);
    Ok(response)
}

/// Sends a browser to another site after a form of ours. Where to is said in the page and not in a header: it may be longer than a proxy lets a header be.
pub fn onward(title: &str, url: &str) -> Result<Response, Problem> {
    let mut response = page(StatusCode::OK, &Onward { title, url })?;
    response.headers_mut().insert(REFERRER_POLICY, NO_REFERRER);
    Ok(response)
}

/// Adds a cookie to an answer.
pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// The one page for whoever is not let in, whatever the reason: the same words and the same status.
pub fn refused(request: RequestId) -> Result<Response, Problem> {
    let message = Message {
        title: "Signing in did not work",
        text: crate::signin::rp::FOR_THE_PERSON,
        reference: Some(request.to_string()),
        link: Some(("/login", "Try again")),
    };
    page(StatusCode::FORBIDDEN, &message)
}

/// The page for whoever came while a provider could not be reached.
pub fn unreachable(request: RequestId) -> Result<Response, Problem> {
    let message = Message {
        title: "Your identity provider does not answer",
        text: "Nobody can be signed in by it at the moment. Try again in a few minutes.",
        reference: Some(request.to_string()),
        link: Some(("/login", "Try again")),
    };
    page(StatusCode::SERVICE_UNAVAILABLE, &message)
}

/// Puts a page in the place of an error's body: for people who meet it in a browser.
pub fn instead_of(response: &mut Response, detail: &str) {
    let reference = None;
    let message =
        Message { title: "That did not work", text: detail, reference, link: Some(("/me", "My account")) };
    // What cannot be rendered is a page without words; the status says enough.
    let html = message.render().unwrap_or_default();
    let Parts { headers, .. } = dressed(response.status(), String::new()).into_parts().0;
    *response.body_mut() = Body::from(html);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().extend(headers);
}

/// The style sheet.
pub async fn stylesheet() -> Response {
    let mut response = Response::new(Body::from(include_str!("pages/rosterd.css")));
    response.headers_mut().insert(CONTENT_TYPE, CSS);
    response
}
