//! Signing in: who somebody is, by the word of a provider that the firm trusts.
//!
//! [`rp`] is the relying party of OpenID Connect; [`assertion`] is what programs downstream can check by themselves of who is signed in; [`vault`] seals what the store must hold and nobody may read there. What becomes of whom it found (links, sessions, pages) is not told here: sign-in knows neither the
//! roster nor HTTP's server side. It takes settings and a moment, asks the provider through `net`, and returns values.

pub mod assertion;
pub mod rp;
pub mod vault;
