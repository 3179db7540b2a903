//! PATCH (RFC 7644 §3.5.2): operations in canonical form, applied to a document, all or nothing.
//!
//! The dialects are gone when an [`Operation`] exists: `idp::normalise` has lowered objects without a path, coerced values by
//! their types and dropped what cannot be written. Members are not part of a document: operations on them come out as
//! [`MemberChange`]s, in order, and cost what they change, not what the group holds (S130, S132).

mod elements;
mod members;
mod step;

use serde_json::Value;

use super::doc::Document;
use super::error::Refusal;
use super::filter::Filter;
use super::note::Notes;
use super::path::Path;
use super::policy::Policy;
use super::schema::Kind;
use super::validate;
use crate::ids::KindId;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Adds values.
    Add,
    /// Replaces values.
    Replace,
    /// Removes values.
    Remove,
}

/// One change, in canonical form.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Which operation of the request it comes from, counted from 0.
    pub index: usize,
    /// What to do.
    pub op: Op,
    /// To what.
    pub path: Path,
    /// With which value, typed by the schema; `None` means unassigned.
    pub value: Option<Value>,
}

/// A member as a client names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberRef {
    /// The member's id, as sent: it may name nothing (S131).
    pub value: String,
    /// The member's kind, when the client said it; a missing type means User (S49).
    pub kind: Option<KindId>,
}

/// A change of a group's members.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberChange {
    /// These become members; those that are already stay.
    Add(Vec<MemberRef>),
    /// These are members no longer; those that were not stay away.
    Remove(Vec<MemberRef>),
    /// Members that match are members no longer. Paths in the filter are names of sub-attributes of `members`.
    RemoveWhere(Filter),
    /// These are the members, and nobody else.
    Replace(Vec<MemberRef>),
    /// Nobody is a member.
    RemoveAll,
}

/// What a PATCH makes of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    /// The document afterwards; equal to the one before when nothing changed (S105, S118).
    pub document: Document,
    /// What becomes of the members, in order.
    pub members: Vec<MemberChange>,
    /// The leniencies that applying needed.
    pub notes: Notes,
}

impl Op {
    /// Reads an operation's word, whatever the case of letters (D-X1).
    pub fn parse(word: &str) -> Option<Self> {
        [(Self::Add, "add"), (Self::Replace, "replace"), (Self::Remove, "remove")]
            .into_iter()
            .find_map(|(op, name)| word.eq_ignore_ascii_case(name).then_some(op))
    }
}

pub use members::member_refs;

/// Applies operations in order to a copy of a document and validates the outcome (S111, S112).
pub fn apply(
    before: &Document,
    operations: &[Operation],
    kind: &Kind,
    policy: &Policy,
) -> Result<Patched, Refusal> {
    let mut work =
        step::Work { document: before.clone(), members: Vec::new(), notes: Notes::new(), kind, policy };
    for operation in operations {
        work.step(operation)
            .map_err(|refusal| refusal.within(&format!("Operations[{}]", operation.index)))?;
    }
    let step::Work { mut document, members, mut notes, .. } = work;
    document.drop_empty_extensions();
    notes.merge(&validate::finish(&mut document, Some(before), kind, policy)?);
    Ok(Patched { document, members, notes })
}
