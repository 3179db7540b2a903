//! Whom a change concerns that no plugin was asked about: members of a group that changed, and people whom somebody else than their connection
//! wrote, or from whom access was taken.
//!
//! The history says all of it, in the unit of the change itself, so that a change costs nothing for it and a crash loses nothing. Here it is
//! followed, a bounded number of people at a time: how far, is a row, which moves in the unit that notes whom it concerns.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Mapped, kept};
use crate::ids::{Address, ConnectionId, KindId, ResourceId, TenantId};
use crate::roster::commit::Plan;
use crate::roster::error::RosterError;
use crate::roster::rows::{self, FOLLOWED, TENANTS, TenantRow};
use crate::roster::{Caller, Roster, all_small};
use crate::store::{Action, Facts, Given, LogRow, Seq, Snapshot, Values, Write};

/// Rows of the history that are read at a time: one of a large group has megabytes.
const ROWS_AT_ONCE: usize = 8;
/// How often that is done for one unit: most entries concern nobody, and a unit each would be a flush each.
const READINGS_AT_ONCE: usize = 128;
/// People who are noted in one unit.
const PEOPLE_AT_ONCE: usize = 200;
/// Units of one tenant before the next tenant has its turn.
const UNITS_AT_ONCE: usize = 512;

/// How far the history was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Followed {
    /// Every entry up to this one is done.
    read: Seq,
    /// How many of the people of the next one are done.
    #[serde(default)]
    place: usize,
    /// Up to which member the next one's group was walked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<ResourceId>,
}

/// Whom an entry concerns.
enum Concerns {
    Nobody,
    /// These, and perhaps the members as they are now of a group.
    People {
        listed: Vec<ResourceId>,
        members_of: Option<ResourceId>,
        why: &'static str,
    },
}

impl Roster {
    /// Notes who is to be mapped again because of what happened since the last time. Returns how many were noted.
    pub fn follow_changes(&self, go_on: &dyn Fn() -> bool) -> Result<u64, RosterError> {
        let mut noted = 0_u64;
        if !self.plugins().iter().any(|plugin| plugin.hooks().map) {
            return Ok(noted);
        }
        let tenants = Self::all_tenants(self.store.snapshot()?.as_ref())?;
        for (name, number) in tenants {
            if !go_on() {
                break;
            }
            let snapshot = self.store.snapshot()?;
            let mapped = self.mapped_connections(snapshot.as_ref(), number, &name)?;
            drop(snapshot);
            if mapped.is_empty() {
                continue;
            }
            let caller = self.of_itself(&name, number, self.request_id())?;
            for _ in 0..UNITS_AT_ONCE {
                if !go_on() {
                    break;
                }
                let (more, people) = self.follow_on(&caller, &mapped)?;
                noted = noted.saturating_add(people);
                if !more {
                    break;
                }
            }
        }
        Ok(noted)
    }

    /// Has the history followed from here on, for tenants of which it was not: what was before there were plugins changes nobody by itself.
    pub(super) fn begin_to_follow(&self) -> Result<(), RosterError> {
        if !self.plugins().iter().any(|plugin| plugin.hooks().map) {
            return Ok(());
        }
        for (name, number) in Self::all_tenants(self.store.snapshot()?.as_ref())? {
            let snapshot = self.store.snapshot()?;
            let is_followed = snapshot.small(number, FOLLOWED, &[])?.is_some();
            if !is_followed && !self.mapped_connections(snapshot.as_ref(), number, &name)?.is_empty() {
                let caller = self.of_itself(&name, number, self.request_id())?;
                self.follow_on(&caller, &HashMap::new())?;
            }
        }
        Ok(())
    }

    /// Lists the tenants with their numbers.
    pub(super) fn all_tenants(snapshot: &dyn Snapshot) -> Result<Vec<(String, TenantId)>, RosterError> {
        let rows = all_small(snapshot, TenantId::SYSTEM, TENANTS)?;
        let each = rows.into_iter().map(|row| {
            let number = rows::decode::<TenantRow>(&row.value)?.number;
            Ok((String::from_utf8_lossy(&row.key).into_owned(), number))
        });
        each.collect()
    }

    /// Follows the history by one unit. Says whether there may be more, and how many people were noted.
    fn follow_on(
        &self,
        caller: &Caller,
        mapped: &HashMap<ConnectionId, Mapped>,
    ) -> Result<(bool, u64), RosterError> {
        self.carry_out(caller, Action::Remap, |snapshot| {
            let value = snapshot.small(caller.tenant, FOLLOWED, &[])?;
            let Some(bytes) = &value else {
                let now = Followed { read: snapshot.head(caller.tenant)?.seq, ..Followed::default() };
                return Ok((Some(moved(value, now, Plan::default())?), (false, 0)));
            };
            let before: Followed = rows::decode(bytes)?;
            let mut now = before;
            let mut plan = Plan::default();
            let mut people = BTreeSet::new();
            let mut more = true;
            for _ in 0..READINGS_AT_ONCE {
                let rows = snapshot.changes(caller.tenant, now.read, ROWS_AT_ONCE)?;
                more = rows.len() == ROWS_AT_ONCE;
                for row in rows {
                    let done = step(snapshot, caller, mapped, &row, &mut now, &mut plan, &mut people)?;
                    if !done || people.len() >= PEOPLE_AT_ONCE {
                        let noted = people.len() as u64;
                        return Ok((Some(moved(value, now, plan)?), (true, noted)));
                    }
                }
                if !more {
                    break;
                }
            }
            let noted = people.len() as u64;
            Ok(if now == before {
                (None, (false, 0))
            } else {
                (Some(moved(value, now, plan)?), (more, noted))
            })
        })
    }
}

fn moved(before: Option<Vec<u8>>, now: Followed, mut plan: Plan) -> Result<Plan, RosterError> {
    plan.given.push(Given::Small(FOLLOWED, Vec::new(), before));
    let value = Some(rows::encode(&now)?);
    plan.writes.push(Write::Small { space: FOLLOWED, key: Vec::new(), value });
    plan.unlogged = true;
    Ok(plan)
}

/// Notes whom one entry concerns, as far as there is room in the unit. Returns whether that was everybody.
fn step(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    mapped: &HashMap<ConnectionId, Mapped>,
    row: &LogRow,
    now: &mut Followed,
    plan: &mut Plan,
    people: &mut BTreeSet<ResourceId>,
) -> Result<bool, RosterError> {
    if let Concerns::People { listed, members_of, why } = concerns(row)? {
        let of_group = members_of.is_some() || why == OF_A_GROUP;
        let mut note = |id: ResourceId, plan: &mut Plan| -> Result<(), RosterError> {
            let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { return Ok(()) };
            let mine = stored.connection().and_then(|connection| mapped.get(&connection));
            // Whoever is noted in this unit already, is: the snapshot does not know it yet.
            if mine.is_some_and(|mine| mine.reads_groups || !of_group) && people.insert(id) {
                kept::queue(snapshot, caller, id, why, plan)?;
            }
            Ok(())
        };
        let room = PEOPLE_AT_ONCE;
        let some: Vec<_> = listed.iter().skip(now.place).take(room).copied().collect();
        for id in &some {
            note(*id, plan)?;
        }
        now.place = now.place.saturating_add(some.len());
        if now.place < listed.len() {
            return Ok(false);
        }
        if let Some(group) = members_of {
            let after = now.member.map(Address::user);
            let page = snapshot.members(caller.tenant, group, after, room)?;
            let last = page.len() < room;
            for member in page.iter().filter(|member| member.kind == KindId::USER) {
                note(member.id, plan)?;
                now.member = Some(member.id);
            }
            // Groups within it come after the people.
            if !last && page.last().is_some_and(|member| member.kind == KindId::USER) {
                return Ok(false);
            }
        }
    }
    *now = Followed { read: row.seq, ..Followed::default() };
    Ok(true)
}

const OF_A_GROUP: &str = "a group changed";
const OF_THE_PERSON: &str = "the person changed, and no plugin was asked";

/// Reads whom an entry concerns.
fn concerns(row: &LogRow) -> Result<Concerns, RosterError> {
    let broken = |error: serde_json::Error| RosterError::Broken(format!("entry {}: {error}", row.seq.0));
    let facts: Facts = serde_json::from_slice(&row.facts).map_err(broken)?;
    let Some(at) = facts.subject.filter(|_| facts.result == "ok") else { return Ok(Concerns::Nobody) };
    match at.kind {
        KindId::USER if facts.asked.is_empty() && changes_the_person(facts.action) => {
            Ok(Concerns::People { listed: vec![at.id], members_of: None, why: OF_THE_PERSON })
        }
        KindId::GROUP => {
            let renamed =
                facts.action != Action::Create && facts.attributes.iter().any(|name| name == "displayName");
            let moved = facts.attributes.iter().any(|name| name == "members");
            if !renamed && !moved {
                return Ok(Concerns::Nobody);
            }
            let erased = row.values.is_empty();
            let listed = if moved && !erased {
                let values: Values = serde_json::from_slice(&row.values).map_err(broken)?;
                let changes = values.changes.iter().filter(|change| change.attribute == "members");
                changes.flat_map(|change| ids(change.old.as_ref()).chain(ids(change.new.as_ref()))).collect()
            } else {
                Vec::new()
            };
            let members_of = (renamed || erased).then_some(at.id);
            Ok(Concerns::People { listed, members_of, why: OF_A_GROUP })
        }
        _ => Ok(Concerns::Nobody),
    }
}

/// Tells whether an entry of a person may change what follows for them. That somebody signed in, or has records, does not.
const fn changes_the_person(action: Action) -> bool {
    matches!(
        action,
        Action::Create
            | Action::Replace
            | Action::Patch
            | Action::Reclaim
            | Action::Rehire
            | Action::Lock
            | Action::Unlock
            | Action::Schedule
    )
}

fn ids(value: Option<&Value>) -> impl Iterator<Item = ResourceId> {
    let elements = value.and_then(Value::as_array).into_iter().flatten();
    elements.filter_map(|one| ResourceId::parse(one.as_str()?).ok())
}
