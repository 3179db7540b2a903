//! The reliability and security checklist over HTTP: one test or more per row, named after the row.
//!
//! In this process: `concurrency`, `idempotence`, `tokens`, `routes`, `tenants`, `ownership`, `attributes`, `dialects`, `discovery`, `names`,
//! `nesting`, `laws`, `wire`, `mutations`, `audit`, `base_path`, `bulk`, `large`, `failing`. As a process of its own: `durability`, `crashes`, `full`,
//! `power`, `register`, `stopping`, `folder`, `tampering`.

mod attributes;
mod audit;
mod base_path;
mod bulk;
pub mod concurrency;
pub mod crashes;
mod dialects;
mod discovery;
mod durability;
mod failing;
mod folder;
mod full;
pub mod idempotence;
mod large;
mod laws;
mod leniencies;
mod mutations;
mod names;
mod nesting;
mod ownership;
mod power;
pub mod register;
mod routes;
mod stopping;
mod tampering;
mod tenants;
mod tokens;
mod wire;
