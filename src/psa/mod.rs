//! What rosterd knows about a firm's people beyond SCIM: pure rules about values, without stores, requests, or a clock.
//!
//! [`policy`]: what a tenant has decided. [`catalogue`]: which permissions there are. [`permission`]: who may do what, and why.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod catalogue;
pub mod permission;
pub mod policy;
