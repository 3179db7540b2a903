//! SCIM over HTTP (RFC 7644): requests parsed into values, values handed to the roster, views rendered.
//!
//! [`target`] (what a path points at), [`parameters`] and [`json`] (what a request says), [`resource`], [`list`], [`bulk`] and
//! [`discovery`] (the handlers), [`reply`], `pieces`, [`flow`] and [`etag`] (what goes back). The engine itself is in `crate::scim` and `crate::roster`.

pub mod bulk;
pub mod discovery;
pub mod etag;
pub mod flow;
pub mod json;
pub mod list;
pub mod parameters;
mod pieces;
pub mod reply;
pub mod resource;
pub mod target;
