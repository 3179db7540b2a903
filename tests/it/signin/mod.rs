//! Signing in at providers (X43 to X46, X50 to X52, R24, R30), against a provider in this process that can be made to fail in every way.
//!
//! `op` is that provider, `world` what the tests stand on. `flow`: from begin to finish. `tokens`: ID tokens, forged in every way. `claims`: what they
//! say of somebody. `discovery`: metadata and where it may lead. `keys`: the provider's keys, and how often it is asked for them. `logout`: what a
//! provider orders. `settings`: what an operator can get wrong. `interop`: somebody else's provider (`certified`). Names of modules of the OpenID conformance
//! suite stand beside what plays them here.

pub mod certified;
mod claims;
mod discovery;
mod flow;
mod interop;
mod keys;
mod logout;
pub mod op;
mod settings;
mod tokens;
pub mod world;
