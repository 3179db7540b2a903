//! Signing in by the firm's own means: `/password/…`, `/magic-link…`, `/invite/…`, and `/me/second-factor` (rows T02, T03, T07, P05, H10, H11, X10, X11, X43).
//!
//! Read in this order: [`means`] (what every handler shares, and how somebody is let in), `forms` (what is shown), `password` (coming in by one, and changing it),
//! `links` (coming in by a mailed link), `reset`, `second` (setting up a second factor).
//!
//! Whoever is not let in sees the same bytes after the same work, whatever the reason (X11): each sign-in by password costs one hash, and what is mailed is mailed
//! after the answer.

mod forms;
mod links;
pub mod means;
mod password;
mod reset;
mod second;

use axum::Router;
use axum::routing::{get, post};

use crate::http::edge::Edge;
pub use means::Own;

/// Serves the firm's own means.
pub fn router() -> Router<Edge> {
    Router::new()
        .route("/invite/{token}", get(links::show_invitation).post(links::accept))
        .route("/magic-link", get(links::ask_page).post(links::ask))
        .route("/magic-link/{token}", get(links::show).post(links::follow))
        .route("/me/second-factor", get(second::show).post(second::change))
        .route("/password/change", get(password::change_page).post(password::change))
        .route("/password/login", get(password::page).post(password::login))
        .route("/password/reset", get(reset::ask_page).post(reset::ask))
        .route("/password/reset/{token}", get(reset::show).post(reset::reset))
        .route("/password/second-factor", post(password::second_factor))
}
