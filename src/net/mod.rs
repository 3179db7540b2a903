//! Requests to the world outside: one client, with limits, that goes nowhere it must not (rows R24, X52).
//!
//! Read in this order: [`address`] (which addresses may be spoken to), [`resolve`] (from a name to addresses), [`client`] (one
//! request: resolve once, check every address, connect to one of those, TLS, read within a bound), [`pace`] (how often a place is asked).
//!
//! Knows nothing of what is fetched, or why.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod address;
pub mod client;
pub mod pace;
pub mod resolve;

pub use client::{
    AT_ONCE_MAX, Answered, Client, Delivered, DeliveryUrl, HttpsUrl, NetError, Options, RootsError,
    read_roots,
};
pub use pace::Pace;
pub use resolve::{Resolver, SystemResolver};
