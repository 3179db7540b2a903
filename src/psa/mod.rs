//! What a firm that sells people's time knows of them: the kinds of resource that it administers, and the PSA side of a person.
//!
//! Values first: [`money`], [`calendar`], [`history`] (what held from which day on), [`schedule`] (who is let in from which day on),
//! [`locks`] (who keeps a person out). [`policy`] is what a tenant has decided, [`authority`] which attributes a connection may write. Then [`kinds`] (schemas and what each kind knows of its own), [`person`] (the rules of the
//! PSA extension) and [`standing`] (what is kept of a person beside). [`catalogue`] says which permissions there are,
//! [`permission`] who may do what, and why.
//!
//! Pure: what is there, what is wanted and what time it is go in as values. No clock, no store, no HTTP.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod authority;
pub mod calendar;
pub mod catalogue;
pub mod history;
pub mod kinds;
pub mod locks;
pub mod mandate;
pub mod money;
pub mod permission;
pub mod person;
pub mod policy;
pub mod schedule;
pub mod standing;
pub mod urn;
