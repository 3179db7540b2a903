//! The reliability and security checklist over HTTP: one test or more per row, named after the row.
//!
//! In this process: `concurrency`, `idempotence`, `tokens`, `routes`, `tenants`, `attributes`, `dialects`, `discovery`, `names`, `wire`, `mutations`, `audit`, `bulk`, `failing`. As a
//! process of its own: `durability`, `crashes`, `stopping`, `folder`, `tampering`.

mod attributes;
mod audit;
mod bulk;
mod concurrency;
mod crashes;
mod dialects;
mod discovery;
mod durability;
mod failing;
mod folder;
mod idempotence;
mod mutations;
mod names;
mod routes;
mod stopping;
mod tampering;
mod tenants;
mod tokens;
mod wire;
