//! What a use case gives back: a resource as it stands, with what is computed about it, ready to be rendered.

use std::sync::Arc;

use jiff::Timestamp;

use super::edges::{Edges, MemberFace, Members, groups_of};
use super::error::RosterError;
use super::face::face;
use super::{Caller, LOCAL, Roster, Scope};
use crate::ids::{Address, KindId};
use crate::scim::Kind;
use crate::store::{Seq, Snapshot, Stored};

/// A resource at one moment.
#[derive(Debug)]
pub struct View {
    /// The record as it is kept.
    pub stored: Stored,
    /// The number of the last unit that changed it: its document or, for a group, its edges.
    pub version: Seq,
    /// When that was.
    pub modified: Timestamp,
    /// A group's members, not yet read; `None` where they were not asked for.
    pub members: Option<Members>,
    /// The groups that a user is a direct member of; `None` where they were not asked for, or are none of the caller's business.
    pub groups: Option<Vec<MemberFace>>,
    /// Whether the caller is shown its `externalId`: the name that another connection gave it is none of its business (S195).
    pub shows_external_id: bool,
    /// The segments as the caller is shown them, where something is computed of the record.
    pub(super) face: Option<Vec<(String, String)>>,
}

impl View {
    /// Lists the segments that the caller is shown, the core schema's first: of what is stored, those that the kind has.
    pub fn segments(&self, kind: &Kind) -> Vec<(&str, &str)> {
        match &self.face {
            Some(face) => face.iter().map(|(id, json)| (id.as_str(), json.as_str())).collect(),
            None => kind.seen(self.stored.segments()).collect(),
        }
    }
}

/// What the caller expects of the version (RFC 7644 §3.14, RFC 9110 §13.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// `If-Match: *`: the resource must exist.
    Exists,
    /// `If-Match`: its version must be one of these, in the opaque form that was given out: `"17"` for `W/"17"`.
    AnyOf(Vec<String>),
    /// `If-None-Match: *`: it must not exist.
    Absent,
    /// `If-None-Match`: its version must be none of these.
    NoneOf(Vec<String>),
    /// Both fields were sent.
    Both(Box<Self>, Box<Self>),
}

impl Precondition {
    /// Reads a list of entity tags in every spelling seen: with or without `W/`, with or without quotes (S153).
    pub fn of_tags(list: &str) -> Self {
        let tags: Vec<String> = list.split(',').map(Self::opaque).collect();
        if tags.iter().any(|tag| tag == "*") { Self::Exists } else { Self::AnyOf(tags) }
    }

    /// Tells whether each tag of a list is spelled as it was given out, `W/"17"`, or the list is `*`.
    pub fn is_as_given_out(list: &str) -> bool {
        let as_given = |tag: &str| {
            let opaque = tag.trim().strip_prefix("W/\"").and_then(|tag| tag.strip_suffix('"'));
            opaque.is_some_and(|opaque| !opaque.contains('"'))
        };
        list.trim() == "*" || list.split(',').all(as_given)
    }

    /// Reads an entity tag down to what stands between the quotes.
    pub fn opaque(tag: &str) -> String {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
        tag.trim_matches('"').to_owned()
    }

    /// Tells whether a resource of this version is what the caller expects.
    pub fn holds(&self, version: Seq) -> bool {
        let among = |tags: &[String]| tags.contains(&version.0.to_string());
        match self {
            Self::None | Self::Exists => true,
            Self::AnyOf(tags) => among(tags),
            Self::Absent => false,
            Self::NoneOf(tags) => !among(tags),
            Self::Both(one, other) => one.holds(version) && other.holds(version),
        }
    }

    /// Refuses unless a resource of this version is what the caller expects.
    pub(super) fn check(&self, version: Seq) -> Result<(), RosterError> {
        if self.holds(version) { Ok(()) } else { Err(RosterError::Stale { current: version.0.to_string() }) }
    }
}

impl Roster {
    /// Reads one resource.
    pub fn read(&self, caller: &Caller, at: Address, edges: Edges) -> Result<View, RosterError> {
        caller.needs(Scope::reads(at.kind))?;
        let snapshot = self.store.snapshot()?;
        view(&snapshot, caller, at, edges)?.ok_or(RosterError::NotFound)
    }
}

/// Reads a resource from a moment of the store.
pub(super) fn view(
    snapshot: &Arc<dyn Snapshot>,
    caller: &Caller,
    at: Address,
    edges: Edges,
) -> Result<Option<View>, RosterError> {
    view_of(snapshot, caller, snapshot.get(caller.tenant, at)?, edges)
}

/// Shows a record that was read at that moment.
pub(super) fn view_of(
    snapshot: &Arc<dyn Snapshot>,
    caller: &Caller,
    stored: Option<Stored>,
    edges: Edges,
) -> Result<Option<View>, RosterError> {
    let Some(stored) = stored.filter(|stored| caller.sees(stored)) else { return Ok(None) };
    let at = stored.at();
    let mut view = View {
        version: stored.version(),
        modified: stored.modified(),
        members: None,
        groups: None,
        face: face(snapshot.as_ref(), caller, &stored)?,
        shows_external_id: caller.connection == LOCAL || stored.connection() == Some(caller.connection),
        stored,
    };
    if at.kind == KindId::GROUP {
        if let Some(touched) = snapshot.touched(caller.tenant, at.id)? {
            view.version = view.version.max(touched.seq);
            view.modified = view.modified.max(touched.at);
        }
        if edges.members {
            view.members = Some(Members::of(snapshot, caller, at.id, edges)?);
        }
    } else if at.kind == KindId::USER && edges.groups && caller.may(Scope::GroupsRead) {
        view.groups = Some(groups_of(snapshot.as_ref(), caller, at)?);
    }
    Ok(Some(view))
}
