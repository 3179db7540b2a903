//! What `rosterd demo` plays and shows: a firm's first synchronisation, through real HTTP, against the real daemon.
//!
//! [`client`] speaks HTTP, [`play`] is the identity provider's side of the story, [`show`] prints what the roster then holds. Knows the daemon
//! only from outside: by its address and a token.

pub mod client;
pub mod play;
pub mod show;
