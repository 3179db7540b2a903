//! The edge: everything that speaks HTTP.
//!
//! Read in this order: [`serve`] (the accept loop and one connection), [`pulse`] (what a connection is doing, and when
//! it has taken too long), [`limits`] (every bound of the edge, with its default), [`layers`] (the one wrapper around
//! the router: request id, refusals, caps, time-out, panics, headers, log line), [`arrival`] (what handlers see of it),
//! [`refuse`] (what hyper lets through and we
//! do not), [`body`] (reading a request body within its limits), [`problem`] (the one file that turns errors into answers),
//! [`inventory`] (which route a path belongs to), [`metrics`], [`health`], [`tls`], [`drain`].
//!
//! What stands behind that: [`router`] (every route), [`auth`] (who is asking), [`edge`] (how a handler hands work to the
//! roster), [`scim`] (the handlers of RFC 7644), [`oauth`] (access tokens for clients), [`admin`] (the command line's socket).
//!
//! Types of this room never enter the roster, and the roster carries no status code.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod access;
pub mod admin;
pub mod arrival;
mod aside;
pub mod auth;
pub mod body;
pub mod drain;
pub mod edge;
pub mod health;
pub mod inventory;
pub mod layers;
pub mod limits;
pub mod metrics;
pub mod oauth;
pub mod panics;
pub mod problem;
pub mod pulse;
mod rates;
pub mod refuse;
pub mod router;
pub mod scim;
pub mod serve;
pub mod signin;
pub mod throttle;
pub mod tls;
mod turns;
