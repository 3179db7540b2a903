//! What rosterd knows of a firm that sells people's time, as values and functions of values.
//!
//! Read in this order: [`money`], [`calendar`], [`history`] (what held from which day on), [`schedule`] (who is let in from which day on),
//! [`locks`] (who keeps a person out).
//!
//! Pure: no clock, no store, no HTTP.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod calendar;
pub mod history;
pub mod locks;
pub mod money;
pub mod schedule;
