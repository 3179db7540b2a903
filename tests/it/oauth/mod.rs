//! Credentials beyond bearer tokens (D-E20): clients with secrets, assertions of issuers, Basic; and what is fetched for that (X50, X52).
//!
//! `idp` is an issuer with a real TLS server; `world` what the tests do with clients. `endpoint`: forms and secrets. `federation`:
//! assertions, forged in every way. `outbound`: where the daemon goes, and where it does not. `basic`: secrets with each request.

mod basic;
mod endpoint;
mod federation;
pub mod idp;
mod outbound;
pub mod world;
