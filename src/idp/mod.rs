//! From any identity provider's dialect to one canonical change.
//!
//! [`profile`] holds what differs between providers, as policies; [`normalise`] is the pipeline for bodies and for PATCH,
//! in steps: `schemas`, names, types (`coerce`), mutability, lowering of PATCH (`lower`). [`incoming`] turns a normalised
//! body into the document to write. Everything a dialect needed is noted by rule, so that an operator sees it.
//!
//! Pure, and knows no vendor by name outside [`profile`].

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod coerce;
#[cfg(any(test, feature = "testing"))]
pub mod hostile;
pub mod incoming;
mod lower;
pub mod normalise;
pub mod profile;
pub mod providers;
#[cfg(test)]
mod tests;

pub use incoming::{Incoming, IncomingPatch};
pub use lower::{ATTRIBUTE_CHANGES_MAX, OPERATIONS_MAX};
pub use profile::Profile;
