//! What a use case gives back: a resource as it stands, with what is computed about it, ready to be rendered.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::RosterError;
use super::{Caller, Roster, Scope};
use crate::ids::{Address, KindId, ResourceId};
use crate::store::{PAGE_ROWS_MAX, Seq, Snapshot, Stored};

/// A resource at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The record as it is kept.
    pub stored: Stored,
    /// The number of the last unit that changed it: its document or, for a group, its edges.
    pub version: Seq,
    /// When that was.
    pub modified: Timestamp,
    /// A group's members; `None` where they were not asked for.
    pub members: Option<Vec<Address>>,
    /// The groups that a user is a direct member of; `None` where they were not asked for, or are none of the caller's business.
    pub groups: Option<Vec<MemberFace>>,
}

/// A group as its member shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFace {
    /// Which group.
    pub id: ResourceId,
    /// Its display name.
    pub display: String,
}

/// Which version the caller expects (`If-Match`, RFC 7644 §3.14).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Any.
    #[default]
    None,
    /// The resource must exist.
    Exists,
    /// Its version must be one of these, in the opaque form that was given out: `"17"` for `W/"17"`.
    AnyOf(Vec<String>),
}

impl Precondition {
    /// Reads a list of entity tags in every spelling seen: with or without `W/`, with or without quotes (S153).
    pub fn of_tags(list: &str) -> Self {
        let tags: Vec<String> = list.split(',').map(Self::opaque).collect();
        if tags.iter().any(|tag| tag == "*") { Self::Exists } else { Self::AnyOf(tags) }
    }

    /// Reads an entity tag down to what stands between the quotes.
    pub fn opaque(tag: &str) -> String {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
        tag.trim_matches('"').to_owned()
    }

    /// Refuses unless the version is one the caller expects.
    pub(super) fn check(&self, version: Seq) -> Result<(), RosterError> {
        match self {
            Self::AnyOf(expected) if !expected.contains(&version.0.to_string()) => {
                Err(RosterError::Stale { current: version.0.to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// What of the edges a reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edges {
    /// A group's `members`.
    pub members: bool,
    /// A user's `groups`.
    pub groups: bool,
}

impl Edges {
    /// Both.
    pub const ALL: Self = Self { members: true, groups: true };
    /// Neither.
    pub const NONE: Self = Self { members: false, groups: false };
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
    let Some(stored) = snapshot.get(caller.tenant, at)?.filter(|stored| caller.sees(stored)) else {
        return Ok(None);
    };
    let mut view =
        View { version: stored.version(), modified: stored.modified(), stored, members: None, groups: None };
    if at.kind == KindId::GROUP {
        if let Some(touched) = snapshot.touched(caller.tenant, at.id)? {
            view.version = view.version.max(touched.seq);
            view.modified = view.modified.max(touched.at);
        }
        if edges.members {
            view.members = Some(all_members(snapshot.as_ref(), caller, at.id)?);
        }
    } else if at.kind == KindId::USER && edges.groups && caller.may(Scope::GroupsRead) {
        view.groups = Some(groups_of(snapshot.as_ref(), caller, at)?);
    }
    Ok(Some(view))
}

/// Reads all of a group's edges.
pub(super) fn all_members(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    group: ResourceId,
) -> Result<Vec<Address>, RosterError> {
    let mut members = Vec::new();
    loop {
        let page = snapshot.members(caller.tenant, group, members.last().copied(), PAGE_ROWS_MAX)?;
        let last = page.len() < PAGE_ROWS_MAX;
        members.extend(page);
        if last {
            return Ok(members);
        }
    }
}

/// Reads which groups somebody is a direct member of.
pub(super) fn groups_with(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    member: Address,
) -> Result<Vec<ResourceId>, RosterError> {
    let mut ids: Vec<ResourceId> = Vec::new();
    loop {
        let page = snapshot.groups_of(caller.tenant, member, ids.last().copied(), PAGE_ROWS_MAX)?;
        let last = page.len() < PAGE_ROWS_MAX;
        ids.extend(page);
        if last {
            return Ok(ids);
        }
    }
}

fn groups_of(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    member: Address,
) -> Result<Vec<MemberFace>, RosterError> {
    let mut faces = Vec::new();
    for id in groups_with(snapshot, caller, member)? {
        let group = snapshot.get(caller.tenant, Address::group(id))?;
        if let Some(group) = group.filter(|group| caller.sees(group)) {
            faces.push(MemberFace { id, display: group.display().to_owned() });
        }
    }
    Ok(faces)
}
