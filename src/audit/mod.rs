//! The audit trail outside the store: proven link by link, and written out for whoever wants to prove it elsewhere.
//!
//! The entries themselves are made by the roster and chained by the store; this room only reads.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod verify;

pub use verify::{Break, Proof};
