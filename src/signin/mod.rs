//! Signing in: who somebody is, by the word of a provider that the firm trusts, or by what the firm itself asks for.
//!
//! [`rp`] is the relying party of OpenID Connect, [`local`] the firm's own means: passwords, and codes that a device counts; [`assertion`] is what programs
//! downstream can check by themselves of who is signed in; [`vault`] seals what the store must hold and nobody may read there. What becomes of whom they found
//! (links, sessions, pages) is not told here: sign-in knows neither the roster nor HTTP's server side. It takes settings and a moment, asks providers through
//! `net`, and returns values.

pub mod assertion;
pub mod local;
pub mod rp;
pub mod vault;
