//! Every integration test of rosterd, in one binary; each module mirrors a route, a room or a row.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected fails; clippy knows #[test] functions, but not the helpers beside them"
)]

mod access;
mod admin;
mod architecture;
mod asked;
mod browser;
mod cli;
mod config;
mod conformance;
mod coverage;
mod edge;
mod gates;
mod gateway;
mod lists;
mod oauth;
mod outbox;
mod own;
mod people;
#[cfg(feature = "plugins")]
mod plugins;
mod process;
mod psa;
#[cfg(feature = "postgres")]
mod replicas;
mod rights;
mod roster;
mod rows;
mod schemas;
mod seeds;
mod sessions;
#[cfg(feature = "plugins")]
mod shipped;
mod signin;
mod simulation;
mod support;
