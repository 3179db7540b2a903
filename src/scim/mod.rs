//! RFC 7643 and 7644 as functions: from text to values, from a document and a change to the next document, from a
//! document to the bytes of an answer.
//!
//! Read in this order: [`urn`], [`schema`] (what there is) and [`custom`] (what operators add to it), [`error`], [`note`], [`policy`] (how it may go), [`json`], [`doc`]
//! (what is held), [`precis`] and [`fold`] (when two strings are one), [`attr`], [`filter`], [`path`], [`sort`] (what a client points at),
//! [`patch`], [`validate`] (what becomes of a document), [`bulk`] (many requests in one), [`project`], [`wire`],
//! [`discovery`] (what is answered).
//!
//! Pure: no clock, no chance, no store, no HTTP. Knows no vendor: what differs between identity providers arrives as a
//! [`policy::Policy`].

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod attr;
pub mod bulk;
pub mod custom;
pub mod discovery;
pub mod doc;
pub mod error;
pub mod filter;
pub mod fold;
pub mod json;
pub mod note;
pub mod patch;
pub mod path;
pub mod policy;
pub mod precis;
pub mod project;
pub mod schema;
pub mod secret;
pub mod sort;
pub mod sparse;
pub mod urn;
pub mod validate;
pub mod wire;

pub use doc::Document;
pub use error::{Refusal, Why};
pub use filter::Filter;
pub use note::{Note, Notes, Rule};
pub use project::Projection;
pub use schema::{Kind, Kinds};
pub use sort::{SortKey, SortOrder};
