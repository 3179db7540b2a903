//! Reading memberships: a group's members a page at a time, somebody's groups at once.
//!
//! A group may have any number of members, so whoever shows them asks for one page after the other, and no more than one is ever in memory.
//! All pages are of one moment: a snapshot is held from the first to the last. Holding one keeps the engine from using pages of its file
//! again, so a reader that takes long lets go of it ([`Members::let_go`]) and goes on with a fresh one, if the group's edges are
//! still those that it began with.

use std::sync::Arc;

use super::error::RosterError;
use super::known::only_known_members;
use super::{Caller, Roster, Scope};
use crate::ids::{Address, ResourceId};
use crate::store::{PAGE_ROWS_MAX, Seq, Snapshot};

/// Most members that are read at once to be shown: about 60 KB of an answer.
pub const MEMBERS_PAGE_ROWS: usize = 400;

/// What of the edges a reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edges {
    /// A group's `members`.
    pub members: bool,
    /// The names of those members, which cost a look at each.
    pub names: bool,
    /// A user's `groups`.
    pub groups: bool,
}

impl Edges {
    /// Both ends; not the names of members.
    pub const ALL: Self = Self { members: true, names: false, groups: true };
    /// Neither.
    pub const NONE: Self = Self { members: false, names: false, groups: false };
}

/// A group as its member shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFace {
    /// Which group.
    pub id: ResourceId,
    /// Its display name.
    pub display: String,
}

/// A member as its group shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which user or group.
    pub at: Address,
    /// Its name for people; `None` where it was not asked for, or is none of the caller's business.
    pub display: Option<String>,
}

/// The members of a group as they were at one moment, to be read a page at a time.
pub struct Members {
    /// `None` after it was let go.
    snapshot: Option<Arc<dyn Snapshot>>,
    caller: Caller,
    group: ResourceId,
    /// The unit that last changed the edges, at that moment.
    touched: Seq,
    edges: u64,
    names: bool,
    after: Option<Address>,
    done: bool,
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members")
            .field("group", &self.group)
            .field("edges", &self.edges)
            .finish_non_exhaustive()
    }
}

impl Members {
    /// Stands before the first page.
    pub(super) fn of(
        snapshot: &Arc<dyn Snapshot>,
        caller: &Caller,
        group: ResourceId,
        edges: Edges,
    ) -> Result<Self, RosterError> {
        let touched = snapshot.touched(caller.tenant, group)?;
        Ok(Self {
            snapshot: Some(Arc::clone(snapshot)),
            caller: caller.clone(),
            group,
            touched: touched.map_or(Seq::ZERO, |touched| touched.seq),
            edges: touched.map_or(0, |touched| touched.count),
            names: edges.names,
            after: None,
            done: false,
        })
    }

    /// Returns how many edges will be read: as many as there are members, or more where the caller does not know of each.
    pub(super) const fn edges(&self) -> u64 {
        self.edges
    }

    /// Reads the next page, of those that the caller knows of (X19); `None` after the last one.
    ///
    /// # Errors
    /// [`RosterError::Moved`] when the moment was let go and the edges have changed since.
    pub fn next_page(&mut self, roster: &Roster) -> Result<Option<Vec<Member>>, RosterError> {
        if self.done {
            return Ok(None);
        }
        let snapshot = self.look(roster)?;
        let page = snapshot.members(self.caller.tenant, self.group, self.after, MEMBERS_PAGE_ROWS)?;
        self.done = page.len() < MEMBERS_PAGE_ROWS;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(*last);
        let page = only_known_members(snapshot.as_ref(), &self.caller, page)?;
        let shown = |at: Address| Ok(Member { at, display: self.name_of(snapshot.as_ref(), at)? });
        page.into_iter().map(shown).collect::<Result<_, RosterError>>().map(Some)
    }

    /// Tells whether the last page is known to have been read.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Lets go of the moment. The next page is read from a later one, if nothing has changed.
    pub fn let_go(&mut self) {
        self.snapshot = None;
    }

    fn look(&mut self, roster: &Roster) -> Result<Arc<dyn Snapshot>, RosterError> {
        if let Some(snapshot) = &self.snapshot {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = roster.store.snapshot()?;
        let touched = snapshot.touched(self.caller.tenant, self.group)?;
        if touched.map_or(Seq::ZERO, |touched| touched.seq) != self.touched {
            return Err(RosterError::Moved);
        }
        self.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    fn name_of(&self, snapshot: &dyn Snapshot, at: Address) -> Result<Option<String>, RosterError> {
        if !self.names || !self.caller.may(Scope::reads(at.kind)) {
            return Ok(None);
        }
        let named = snapshot.get(self.caller.tenant, at)?.map(|record| record.display().to_owned());
        Ok(named.filter(|name| !name.is_empty()))
    }
}

/// Reads all of a group's edges, whoever knows of them, for those who need them all at once.
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

/// Reads those of them that lead to whom the caller knows of (X19).
pub(super) fn known_members(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    group: ResourceId,
) -> Result<Vec<Address>, RosterError> {
    only_known_members(snapshot, caller, all_members(snapshot, caller, group)?)
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

/// Reads them with their names.
pub(super) fn groups_of(
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

/// So few groups of one member are read together with those of others. Fewer in tests, whose worlds are small.
const FEW: usize = if cfg!(test) { 3 } else { 64 };
/// Groups whose names are read at once.
const NAMES_AT_ONCE: usize = 256;

/// Reads the groups of several members with their names, each group once. `None` for a member who has so many that they are read alone.
pub(super) fn groups_of_each(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    members: &[Address],
) -> Result<Vec<Option<Vec<MemberFace>>>, RosterError> {
    let of_each = snapshot.groups_of_each(caller.tenant, members, FEW)?;
    let mut groups: Vec<ResourceId> =
        of_each.iter().filter(|ids| ids.len() < FEW).flatten().copied().collect();
    groups.sort_unstable();
    groups.dedup();
    let mut names: Vec<(ResourceId, String)> = Vec::with_capacity(groups.len());
    for some in groups.chunks(NAMES_AT_ONCE) {
        let at: Vec<Address> = some.iter().map(|id| Address::group(*id)).collect();
        let seen = snapshot.get_each(caller.tenant, &at)?.into_iter().flatten();
        let seen = seen.filter(|group| caller.sees(group));
        names.extend(seen.map(|group| (group.at().id, group.display().to_owned())));
    }
    let face = |id: ResourceId| {
        let at = names.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        names.get(at).map(|(id, display)| MemberFace { id: *id, display: display.clone() })
    };
    let faces = |ids: Vec<ResourceId>| (ids.len() < FEW).then(|| ids.into_iter().filter_map(face).collect());
    Ok(of_each.into_iter().map(faces).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::ids::KindId;
    use crate::roster::{Precondition, Scopes};
    use crate::store::memory::MemoryStore;

    struct World {
        roster: Roster,
        caller: Caller,
        group: Address,
        people: Vec<Address>,
    }

    /// A group of two with a third person beside it, seen by a token with these scopes.
    fn world(scopes: &[Scope]) -> World {
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        let roster = Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)));
        let request = roster.request_id();
        roster.create_tenant("acme", request).unwrap();
        let operator = roster.operator("acme", request).unwrap();
        let scopes = Scopes::of(scopes.iter().copied());
        let token = roster.create_token(&operator, "local", scopes, None, None).unwrap();
        let caller = roster.authenticate(&token.secret, request).unwrap().unwrap();
        let kind = |id| Arc::clone(roster.kinds().by_id(id).unwrap());
        let make = |name: &str| {
            let body = json!({ "userName": name, "displayName": name.to_uppercase() });
            roster.create(&operator, &kind(KindId::USER), body, Edges::NONE).unwrap().stored.at()
        };
        let people: Vec<Address> = ["ada", "bob", "eve"].map(make).into();
        let members: Vec<_> = people[..2].iter().map(|at| json!({ "value": at.id.to_string() })).collect();
        let body = json!({ "displayName": "Crew", "members": members });
        let group = roster.create(&operator, &kind(KindId::GROUP), body, Edges::NONE).unwrap().stored.at();
        World { roster, caller, group, people }
    }

    impl World {
        fn members(&self, edges: Edges) -> Members {
            self.roster.read(&self.caller, self.group, edges).unwrap().members.unwrap()
        }

        fn patch(&self, operation: &serde_json::Value) {
            let kind = self.roster.kinds().by_id(KindId::GROUP).unwrap();
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation],
            });
            let operator = self.roster.operator("acme", self.roster.request_id()).unwrap();
            let given = Precondition::None;
            self.roster.patch(&operator, kind, self.group, &given, body, Edges::NONE).unwrap();
        }

        fn add_the_third(&self) {
            let id = self.people[2].id.to_string();
            self.patch(&json!({ "op": "add", "path": "members", "value": [{ "value": id }] }));
        }
    }

    #[test]
    fn perf11_who_lets_go_of_the_moment_goes_on_only_if_the_members_are_the_same() {
        let world = world(&[Scope::GroupsRead]);
        let count = |members: &mut Members| {
            members.next_page(&world.roster).map(|page| page.map_or(0, |page| page.len()))
        };
        let (mut held, mut same, mut moved) =
            (world.members(Edges::ALL), world.members(Edges::ALL), world.members(Edges::ALL));
        assert_eq!(held.edges(), 2);
        // What changes the document changes no edge.
        same.let_go();
        world.patch(&json!({ "op": "replace", "path": "displayName", "value": "Band" }));
        assert_eq!(count(&mut same).unwrap(), 2);
        world.add_the_third();
        assert_eq!(count(&mut held).unwrap(), 2, "a moment that is held is that of the beginning");
        moved.let_go();
        assert!(matches!(count(&mut moved), Err(RosterError::Moved)));
        assert_eq!(count(&mut world.members(Edges::ALL)).unwrap(), 3);
    }

    #[test]
    fn s49_members_are_named_to_those_who_may_read_them() {
        let named = Edges { names: true, ..Edges::ALL };
        for (scopes, edges, names) in [
            (&[Scope::GroupsRead, Scope::UsersRead][..], named, [Some("ADA"), Some("BOB")]),
            (&[Scope::GroupsRead, Scope::UsersRead][..], Edges::ALL, [None, None]),
            (&[Scope::GroupsRead][..], named, [None, None]),
        ] {
            let world = world(scopes);
            let page = world.members(edges).next_page(&world.roster).unwrap().unwrap();
            let mut found: Vec<Option<&str>> = page.iter().map(|member| member.display.as_deref()).collect();
            found.sort_unstable();
            assert_eq!(found, names);
        }
    }
}
