//! Memberships: from what a request asks to the edges that change.
//!
//! Only edges that really change are written, each on the fact that the member exists, so that a membership costs what it
//! changes and never what the group holds. A full list is the exception: it is compared with the edges as a whole.
//!
//! Whom the caller does not know of (X19) it neither adds nor removes: a full list says nothing of them, and they stay.

use std::collections::BTreeSet;

use serde_json::json;

use super::edges::known_members;
use super::error::RosterError;
use super::known::knows;
use super::remaining::Moved;
use super::rules::refuse_closed_group;
use super::{Caller, commit::Plan, power, remaining};
use crate::idp::profile::UnknownMember;
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::filter::eval::element_matches;
use crate::scim::note::Rule;
use crate::scim::patch::{MemberChange, MemberRef};
use crate::scim::{Filter, Kind, Refusal, Why};
use crate::store::{Change, Given, Seq, Snapshot, Write};

/// What the history calls members that do not exist, and that a lenient profile left out (S131).
const UNKNOWN_LEFT_OUT: &str = Rule::UnknownMembersLeftOut.as_str();

/// The edges that a request changes, in the making.
pub(super) struct Memberships<'a> {
    snapshot: &'a dyn Snapshot,
    caller: &'a Caller,
    kind: &'a Kind,
    group: ResourceId,
    /// The edges as the changes so far would leave them, where they differ from the store.
    added: BTreeSet<Address>,
    removed: BTreeSet<Address>,
    /// Set when the whole list was looked at, so that it must not change meanwhile.
    whole: bool,
    unknown: Vec<String>,
}

impl<'a> Memberships<'a> {
    pub(super) const fn new(
        snapshot: &'a dyn Snapshot,
        caller: &'a Caller,
        kind: &'a Kind,
        group: ResourceId,
    ) -> Self {
        Self {
            snapshot,
            caller,
            kind,
            group,
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
            whole: false,
            unknown: Vec::new(),
        }
    }

    /// Applies one change to what the ones before it left.
    pub(super) fn apply(&mut self, change: &MemberChange) -> Result<(), RosterError> {
        match change {
            MemberChange::Add(members) => self.add(members),
            MemberChange::Remove(members) => self.remove(members),
            MemberChange::Replace(members) => {
                let wanted = self.resolve(members)?;
                self.keep_only(|member| wanted.contains(&member))?;
                wanted.iter().try_for_each(|member| self.link(*member))
            }
            MemberChange::RemoveAll => self.keep_only(|_| false),
            MemberChange::RemoveWhere(filter) => self.remove_where(filter),
        }
    }

    fn remove_where(&mut self, filter: &Filter) -> Result<(), RosterError> {
        // The usual form names one member: `members[value eq "…"]` costs one look-up, whatever the group holds.
        if let Some((path, value)) = filter.as_text_equality()
            && path.name == "value"
        {
            return self.remove(&[MemberRef { value: value.to_owned(), kind: None }]);
        }
        let Some(attribute) = self.kind.core.attribute("members") else { return Ok(()) };
        self.keep_only(|member| {
            let element = json!({ "value": member.id.to_string(), "type": kind_name(member.kind) });
            !element_matches(filter, &element, attribute)
        })
    }

    fn add(&mut self, members: &[MemberRef]) -> Result<(), RosterError> {
        for member in self.resolve(members)? {
            self.link(member)?;
        }
        Ok(())
    }

    fn link(&mut self, member: Address) -> Result<(), RosterError> {
        if !self.removed.remove(&member)
            && !self.snapshot.is_member(self.caller.tenant, self.group, member)?
        {
            self.added.insert(member);
        }
        Ok(())
    }

    fn remove(&mut self, members: &[MemberRef]) -> Result<(), RosterError> {
        for member in members {
            let Ok(id) = ResourceId::parse(&member.value) else { continue };
            for at in [Address::user(id), Address::group(id)] {
                self.unlink(at)?;
            }
        }
        Ok(())
    }

    fn unlink(&mut self, member: Address) -> Result<(), RosterError> {
        if !self.added.remove(&member)
            && self.snapshot.is_member(self.caller.tenant, self.group, member)?
            && knows(self.snapshot, self.caller, member)?
        {
            self.removed.insert(member);
        }
        Ok(())
    }

    fn keep_only(&mut self, stays: impl Fn(Address) -> bool) -> Result<(), RosterError> {
        self.whole = true;
        self.added.retain(|member| stays(*member));
        for member in known_members(self.snapshot, self.caller, self.group)? {
            if !stays(member) {
                self.removed.insert(member);
            }
        }
        Ok(())
    }

    /// Finds out what the references mean. Unknown ones are refused or set aside, as the profile says (S131).
    fn resolve(&mut self, members: &[MemberRef]) -> Result<BTreeSet<Address>, RosterError> {
        let mut known = BTreeSet::new();
        let mut unknown = Vec::new();
        for member in members {
            match self.find(&member.value)? {
                Some(at) => {
                    known.insert(at);
                }
                None => unknown.push(member.value.chars().take(64).collect()),
            }
        }
        if !unknown.is_empty() && self.caller.profile.unknown_member == UnknownMember::Refuse {
            let detail = format!("members: no user or group has the id {}", listed(&unknown));
            return Err(Refusal::new(Why::InvalidValue, detail).into());
        }
        self.unknown.extend(unknown);
        Ok(known)
    }

    fn find(&self, value: &str) -> Result<Option<Address>, RosterError> {
        let Ok(id) = ResourceId::parse(value) else { return Ok(None) };
        if id == self.group {
            return Err(Refusal::new(
                Why::InvalidValue,
                "members: a group cannot be a member of itself".to_owned(),
            )
            .into());
        }
        for at in [Address::user(id), Address::group(id)] {
            let known = if self.caller.sees_all() {
                self.snapshot.exists(self.caller.tenant, at)?
            } else {
                self.snapshot.get(self.caller.tenant, at)?.is_some_and(|stored| self.caller.sees(&stored))
            };
            if known {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Adds what changes to a plan; tells whether there is anything to write or to tell.
    pub(super) fn finish(self, plan: &mut Plan) -> Result<bool, RosterError> {
        if !self.unknown.is_empty() {
            // Who was meant may be a name, so it stands among the values, which can be erased, and not in the facts.
            plan.notes.turn_to(None, "members");
            plan.notes.add(Rule::UnknownMembersLeftOut);
            let meant = self.unknown.iter().map(String::as_str).collect();
            plan.changes.push(Change::of(UNKNOWN_LEFT_OUT, None, Some(meant)));
        }
        if self.added.is_empty() && self.removed.is_empty() {
            // Leaving somebody out is told to the history also when nothing else happens.
            return Ok(!self.unknown.is_empty());
        }
        refuse_closed_group(self.snapshot, self.caller, self.group)?;
        power::check_members(self.snapshot, self.caller)?;
        if !self.removed.is_empty() {
            let gone = |member| self.removed.contains(&member);
            let moved = Moved { gone: &gone, come: &self.added };
            plan.given.extend(remaining::guard_group(self.snapshot, self.caller, self.group, &moved)?);
        }
        if self.whole {
            plan.given.push(as_read(self.snapshot, self.caller, self.group)?);
        }
        let ids = |members: &BTreeSet<Address>| -> Option<serde_json::Value> {
            (!members.is_empty()).then(|| members.iter().map(|member| member.id.to_string()).collect())
        };
        plan.changes.push(Change::of("members", ids(&self.removed), ids(&self.added)));
        plan.given.extend(self.added.iter().map(|member| Given::Exists(*member)));
        let edge = |member: &Address, add| Write::Edge { group: self.group, member: *member, add };
        plan.writes.extend(self.removed.iter().map(|member| edge(member, false)));
        plan.writes.extend(self.added.iter().map(|member| edge(member, true)));
        Ok(true)
    }
}

/// The fact that a group's edges are as they were read.
pub(super) fn as_read(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    group: ResourceId,
) -> Result<Given, RosterError> {
    let touched = snapshot.touched(caller.tenant, group)?;
    Ok(Given::Members(group, touched.map_or(Seq::ZERO, |touched| touched.seq)))
}

const fn kind_name(kind: KindId) -> &'static str {
    match kind {
        KindId::GROUP => "Group",
        _ => "User",
    }
}

fn listed(values: &[String]) -> String {
    const SHOWN_MAX: usize = 20;
    let shown = values
        .iter()
        .take(SHOWN_MAX)
        .map(|value| value.escape_debug().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    match values.len().checked_sub(SHOWN_MAX) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::ids::{Address, KindId};
    use crate::roster::{Edges, Precondition, Roster};
    use crate::store::Seq;
    use crate::store::memory::MemoryStore;

    #[test]
    fn s131_members_left_out_are_told_to_the_history_and_change_no_version() {
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        let roster = Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)));
        roster.create_tenant("acme", roster.request_id()).unwrap();
        let caller = roster.operator("acme", roster.request_id()).unwrap();
        let kind = Arc::clone(roster.kinds().by_id(KindId::GROUP).unwrap());
        let group = roster.create(&caller, &kind, json!({"displayName": "A"}), Edges::NONE).unwrap();
        let at = Address::group(group.stored.at().id);
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "path": "members", "value": [{"value": "ada@acme.test"}]}],
        });
        let patched = roster.patch(&caller, &kind, at, &Precondition::None, body, Edges::NONE).unwrap();

        assert_eq!(patched.version, group.version);
        let rows = roster.store().snapshot().unwrap().changes(caller.tenant(), Seq::ZERO, 10).unwrap();
        let last = rows.last().unwrap();
        assert!(String::from_utf8_lossy(&last.facts).contains("unknown-members"));
        assert!(!String::from_utf8_lossy(&last.facts).contains("ada@acme.test"));
        assert!(String::from_utf8_lossy(&last.values).contains("ada@acme.test"));
    }
}
