//! `/login`: which provider (home-realm discovery). Whether an address leads anywhere is not told by anything but where it leads (X11).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::browser::{Form, must_be_ours};
use super::desk::Offer;
use super::pages::{self, Login, Way};
use super::sso::{self, Start};
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::signin::rp::ReturnTo;

/// Where a browser goes that was not sent for anything.
pub const HOME: &str = "/me";
/// Longest name of a tenant.
const TENANT_CHARACTERS_MAX: usize = 63;

/// What a query says of a sign-in that is about to begin.
#[derive(Debug)]
pub struct Wish {
    /// Where the browser goes afterwards.
    pub return_to: ReturnTo,
    /// Whose people.
    pub tenant: Option<String>,
}

impl Wish {
    /// Reads a place and a tenant. What is no place of ours, nor of a program in the settings, is left out: a link that was tampered with leads home.
    pub fn of(offer: &Offer, return_to: Option<&str>, tenant: Option<&str>) -> Self {
        let home = || ReturnTo::parse(HOME, &[]).unwrap_or_else(|_| ReturnTo::root());
        let return_to = return_to.and_then(|place| offer.place(place)).unwrap_or_else(home);
        let is_name = |name: &&str| {
            name.len() <= TENANT_CHARACTERS_MAX
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        Self { return_to, tenant: tenant.filter(is_name).map(str::to_owned) }
    }

    fn of_query(offer: &Offer, query: Option<&str>) -> Self {
        Self::of(offer, parameter(query, "return_to").as_deref(), parameter(query, "tenant").as_deref())
    }
}

/// Finds a parameter of a query.
pub fn parameter(query: Option<&str>, wanted: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

/// Shows the ways in.
pub async fn show(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let offer = edge.desk().offer();
    let wish = Wish::of_query(&offer, request.uri().query());
    choice(&edge, &offer, &wish, None)
}

/// Sends an address to its provider.
pub async fn choose(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let offer = edge.desk().offer();
    let wish = Wish::of(&offer, form.get("return_to"), form.get("tenant"));
    let address = form.get("address").unwrap_or_default().trim();
    match offer.of_address(wish.tenant.as_deref(), address) {
        Some(opened) => {
            let start = Start { return_to: wish.return_to, login_hint: Some(address), ..Start::default() };
            let url = sso::begin(&edge, &arrival, &parts.headers, opened, start).await?;
            url.onward(opened)
        }
        None => {
            sso::must_not_wait(&edge, &arrival, &parts.headers)?;
            let notice = "That address leads to no sign-in of its own. Use one of the ways below, or ask your administrator.";
            choice(&edge, &offer, &wish, Some(notice))
        }
    }
}

fn choice(edge: &Edge, offer: &Offer, wish: &Wish, notice: Option<&str>) -> Result<Response, Problem> {
    let return_to = wish.return_to.as_str();
    let providers = offer.of_tenant(wish.tenant.as_deref());
    let place: String = form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
    let href = |name: &str| format!("/sso/{name}/start?return_to={place}");
    let tenant = wish.tenant.as_ref().map(|tenant| format!("&tenant={tenant}")).unwrap_or_default();
    let way = |title, path| Way { title, href: format!("{path}?return_to={place}{tenant}") };
    let mut own = Vec::new();
    if edge.roster().has_means_of_its_own(wish.tenant.as_deref()) {
        own.push(way("Sign in with a password", "/password/login"));
        if edge.desk().own().is_ok_and(|own| own.mails) {
            own.push(way("Have a sign-in link mailed to you", "/magic-link"));
        }
    }
    let login = Login {
        own,
        notice,
        by_address: offer.asks_addresses(wish.tenant.as_deref()),
        return_to,
        tenant: wish.tenant.as_deref(),
        providers: providers.iter().map(|one| Way { title: &one.title, href: href(one.name()) }).collect(),
    };
    pages::page(StatusCode::OK, &login)
}
