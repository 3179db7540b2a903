//! What somebody may do: computed from a [`crate::psa::catalogue::Catalogue`], the tree of cost centres, and what is known of the
//! person. Never stored.
//!
//! Read in this order: `tree` (cost centres), `facts` (what is known of a person), `gather` (what each source contributes), `effective`
//! (what all of them come to, compiled so that a question costs nothing), `explain` (the same, with the sources), `permit` (a right as a
//! value that a handler demands).
//!
//! The order: the licence class, then user types, then mapped groups, then overrides that grant: each adds, none takes. Then what takes: the
//! bounds of kind, class and money, and overrides that deny, which win over every grant at their place and below.
//! The source "administrator" gives everything, and neither the class nor an override takes any of it: otherwise a licence that ran out could
//! leave a firm without an administrator.

mod effective;
mod explain;
mod facts;
mod gather;
mod permit;
mod tree;

pub use effective::{ADMINISTERS, Effective, Mark, Relation};
pub use explain::{Contribution, Explained, explain};
pub use facts::{Effect, Facts, Grant, HeldGroup, HeldType, Override};
pub use gather::Source;
pub use permit::{Asked, Permit, permits};
pub use tree::{CostCenters, NodeId};

/// Refuses a change that nobody may make to themselves: of one's own role (row T12), of one's own lock (row T11).
pub fn not_oneself(
    actor: Option<crate::ids::ResourceId>,
    target: crate::ids::ResourceId,
) -> Result<(), OneselfError> {
    if actor == Some(target) { Err(OneselfError) } else { Ok(()) }
}

/// Somebody wanted to change their own role or lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody changes their own role, user types, overrides or lock; another administrator can")]
pub struct OneselfError;

#[cfg(test)]
mod tests;
