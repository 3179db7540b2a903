//! What `rosterd demo` plays and shows: a firm's first synchronisations, through real HTTP, against the real daemon.
//!
//! [`client`] speaks HTTP, [`play`] is what both identity providers' sides of the story have in common, [`okta`] and [`entra`] are the two
//! stories, `mapping` the operator's plugins beside them, [`firm`] is what the firm adds to them, [`provider`] somebody to sign in with, [`show`] prints what the roster then holds. Knows the daemon only from outside: by its address and a token for each connection.

pub mod client;
pub mod entra;
pub mod firm;
#[cfg(feature = "plugins")]
pub mod mapping;
pub mod okta;
pub mod play;
pub mod provider;
pub mod show;
