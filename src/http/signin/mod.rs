//! Signing in, as browsers and providers see it: `/login`, `/sso/…`, `/session`, `/logout`, `/me` (signin.md §6; rows T05, T13, X37, X43 to X47, X51).
//!
//! Read in this order: [`desk`] (the providers that are asked, and what every handler shares), [`cookies`], [`browser`] (where a browser comes from, and
//! whether a form is its own), [`pages`] (what is shown), `login` (which provider), `sso` (there and back), `orders` (what providers order), [`visit`] (who is
//! signed in), `account` (their own page and sessions), `acting` (for whom they act), `logout`; `verify` (what a proxy asks before it lets somebody through to a program), [`gateway`] (what programs are told, and the keys that sign it), `jwks`.
//!
//! Who a token is about is for `signin::rp` to find out, whose session it becomes for the roster; here both are put together. No answer says more than
//! "that did not work": the reason is for the log, the history and the administrator.

mod account;
mod acting;
pub mod browser;
pub mod cookies;
pub mod desk;
pub mod gateway;
mod jwks;
pub mod local;
mod login;
mod logout;
mod orders;
pub mod pages;
mod sso;
mod verify;
pub mod visit;

use axum::Router;
use axum::routing::{delete, get, post};

use super::edge::Edge;
pub use desk::{Desk, Offer, Opened};
pub use gateway::Gateway;
pub use verify::X_ROSTERD_LOGIN;

/// The templates of sign-in.
pub const PATHS: [&str; 26] = [
    "/",
    "/.well-known/jwks.json",
    "/assets/rosterd.css",
    "/auth/verify",
    "/invite/{token}",
    "/login",
    "/logout",
    "/magic-link",
    "/magic-link/{token}",
    "/me",
    "/me/acting",
    "/me/contact",
    "/me/second-factor",
    "/me/sessions",
    "/me/sessions/{id}",
    "/password/change",
    "/password/login",
    "/password/reset",
    "/password/reset/{token}",
    "/password/second-factor",
    "/session",
    "/sso/{idp}/backchannel-logout",
    "/sso/{idp}/callback",
    "/sso/{idp}/global-token-revocation",
    "/sso/{idp}/initiate",
    "/sso/{idp}/start",
];

/// Serves sign-in.
pub fn router() -> Router<Edge> {
    Router::new()
        .merge(local::router())
        .route("/", get(account::front))
        .route("/assets/rosterd.css", get(pages::stylesheet))
        .route("/.well-known/jwks.json", get(jwks::show))
        .route("/auth/verify", get(verify::verify))
        .route("/login", get(login::show).post(login::choose))
        .route("/logout", get(logout::done).post(logout::leave))
        .route("/me", get(account::show))
        .route("/me/acting", get(acting::show).post(acting::change))
        .route("/me/contact", post(account::change_contact))
        .route("/me/sessions", get(account::list).post(account::end_from_page))
        .route("/me/sessions/{id}", delete(account::end))
        .route("/session", get(account::whoami))
        .route("/sso/{idp}/start", get(sso::start))
        .route("/sso/{idp}/callback", get(sso::callback).post(sso::posted))
        .route("/sso/{idp}/initiate", get(sso::initiate).post(sso::initiate))
        .route("/sso/{idp}/backchannel-logout", post(orders::backchannel_logout))
        .route("/sso/{idp}/global-token-revocation", post(orders::revoke))
}
