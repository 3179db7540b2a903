//! Reading records one by one, where the indexes do not say enough: bounded in number and in time (X32).
//!
//! One record is read at a time, and of its text only what is asked about is parsed; what is kept of it is its id, or its sort key.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Caller;
use super::candidates::Candidates;
use super::edges::{Edges, Members, known_members};
use super::error::RosterError;
use super::known::{Known, known, own_ids};
use super::query::Part;
use super::reading::Reading;
use super::view::{View, view_of};
use crate::clock::Clock;
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::attr::AttrPath;
use crate::scim::filter::{Computed, Filter};
use crate::scim::sparse::Sparse;
use crate::scim::{Kind, Refusal, SortKey, Why};
use crate::store::{Snapshot, Stored};

/// Most records that one query may read to find out which match, or in which order they come.
pub const SCAN_ROWS_MAX: usize = 20_000;
/// Longest time that one query may take for that.
pub const SCAN_SECONDS_MAX: i64 = 5;
/// Most members that a query may look at.
const MEMBERS_MAX: usize = if cfg!(test) { 5 } else { 500_000 };
/// Records between two looks at the clock.
const ROWS_BETWEEN_LOOKS: usize = 256;
/// Most comparisons that one query may make, as far as they can be told beforehand: terms of the filter times what each looks at.
pub(super) const COMPARISONS_MAX: usize = if cfg!(test) { 50_000 } else { 50_000_000 };
/// Comparisons between two looks at the clock.
const COMPARISONS_BETWEEN_LOOKS: usize = 100_000;
/// Bytes of a document in which there is room for one value to compare.
const BYTES_PER_VALUE: usize = 64;

/// What one query has left to read.
pub(super) struct Scan<'a> {
    snapshot: &'a Arc<dyn Snapshot>,
    caller: &'a Caller,
    clock: &'a dyn Clock,
    ends: Timestamp,
    rows: usize,
    members: usize,
    comparisons: usize,
    /// How many comparisons there were at the last look at the clock.
    looked_at: usize,
    /// The last record that was found to match, so that it need not be read again where it is the only one.
    found: Option<Stored>,
}

/// Records that are read at once.
const READ_AT_ONCE: usize = 64;

impl<'a> Scan<'a> {
    /// Starts counting.
    pub(super) fn begin(snapshot: &'a Arc<dyn Snapshot>, caller: &'a Caller, clock: &'a dyn Clock) -> Self {
        let ends =
            clock.now().checked_add(SignedDuration::from_secs(SCAN_SECONDS_MAX)).unwrap_or(Timestamp::MAX);
        Self { snapshot, caller, clock, ends, rows: 0, members: 0, comparisons: 0, looked_at: 0, found: None }
    }

    /// Leaves of the candidates (or of all there are) what the filter means, in order of id.
    pub(super) fn matching(
        &mut self,
        part: &Part,
        filter: &Filter,
        found: Option<Candidates>,
    ) -> Result<Vec<ResourceId>, RosterError> {
        let ids = match found {
            Some(found) if found.exact && found.known => return Ok(found.ids),
            Some(found) if found.exact => return self.known_of(part.kind.id, found.ids),
            Some(found) => Some(found.ids),
            None => self.everything(&part.kind)?,
        };
        let needs = edges(&part.kind, |name| mentions(filter, name));
        let terms = filter.terms();
        let mut matching = Vec::new();
        self.each(&part.kind, ids.as_deref(), needs, |scan, looked| {
            scan.compare(&looked, terms)?;
            if looked.may_match(&part.kind, filter)
                && looked.with_computed(&part.kind, |subject| filter.matches(subject, &part.kind))
            {
                matching.push(looked.view.stored.at().id);
                scan.found = Some(looked.view.stored);
            }
            Ok(())
        })?;
        Ok(matching)
    }

    /// Leaves of a few ids those whose records the caller knows of.
    fn known_of(&mut self, kind: KindId, ids: Vec<ResourceId>) -> Result<Vec<ResourceId>, RosterError> {
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            let stored = self.snapshot.get(self.caller.tenant, Address { kind, id })?;
            if let Some(stored) = stored.filter(|stored| self.caller.sees(stored)) {
                known.push(id);
                self.found = Some(stored);
            }
        }
        Ok(known)
    }

    /// Hands over the record of a page that shows nothing else, where it was read already.
    pub(super) fn read_already(&mut self, page: &[Address]) -> Option<Stored> {
        self.found.take().filter(|stored| page == [stored.at()])
    }

    /// Adds the sort keys of everything that a part of a query means.
    pub(super) fn keys(
        &mut self,
        part: &Part,
        found: Option<Candidates>,
        all: &mut Vec<(SortKey, Address)>,
    ) -> Result<(), RosterError> {
        let kind = &part.kind;
        let judged = part.filter.as_ref().filter(|_| found.as_ref().is_none_or(|found| !found.exact));
        let ids = match found {
            Some(found) => Some(found.ids),
            None => self.everything(kind)?,
        };
        let sorts_by = |name: &str| part.sort_by.as_ref().is_some_and(|path| is_core(path, name));
        let needs = edges(kind, |name| sorts_by(name) || judged.is_some_and(|filter| mentions(filter, name)));
        let terms = judged.map_or(0, Filter::terms);
        self.each(&part.kind, ids.as_deref(), needs, |scan, looked| {
            scan.compare(&looked, terms)?;
            if judged.is_some_and(|filter| !looked.may_match(kind, filter)) {
                return Ok(());
            }
            let key = looked.with_computed(kind, |subject| {
                let matches = judged.is_none_or(|filter| filter.matches(subject, kind));
                matches.then(|| match &part.sort_by {
                    Some(path) => SortKey::of(path, subject, kind),
                    None => SortKey::unassigned(),
                })
            });
            all.extend(key.map(|key| (key, looked.view.stored.at())));
            Ok(())
        })
    }

    /// Reads records, some at once, and shows those that are there and the caller's: of these ids, or all of a kind.
    fn each(
        &mut self,
        kind: &Kind,
        ids: Option<&[ResourceId]>,
        needs: Edges,
        mut show: impl FnMut(&mut Self, Looked) -> Result<(), RosterError>,
    ) -> Result<(), RosterError> {
        let (snapshot, tenant) = (self.snapshot, self.caller.tenant);
        let mut look = |scan: &mut Self, stored| match scan.look(stored, needs)? {
            Some(looked) => show(scan, looked),
            None => Ok(()),
        };
        let Some(ids) = ids else {
            let mut after = None;
            loop {
                let some = snapshot.records(tenant, kind.id, after, READ_AT_ONCE)?;
                after = some.last().map(|stored| stored.at().id);
                let is_last = some.len() < READ_AT_ONCE;
                some.into_iter().try_for_each(|stored| look(self, Some(stored)))?;
                if is_last {
                    return Ok(());
                }
            }
        };
        let mut reading = Reading::begin(snapshot.as_ref(), tenant, kind.id);
        for some in ids.chunks(READ_AT_ONCE) {
            reading.next(some)?.into_iter().try_for_each(|stored| look(self, stored))?;
        }
        Ok(())
    }

    /// Looks at a record that was read, if there is room left for one more.
    fn look(&mut self, stored: Option<Stored>, needs: Edges) -> Result<Option<Looked>, RosterError> {
        if self.rows >= SCAN_ROWS_MAX {
            return Err(too_many());
        }
        self.rows = self.rows.saturating_add(1);
        if self.rows.is_multiple_of(ROWS_BETWEEN_LOOKS) {
            self.in_time()?;
        }
        let Some(view) = view_of(self.snapshot, self.caller, stored, needs)? else { return Ok(None) };
        // One group is looked at whatever its size, as it is when it is read alone.
        let members = view.members.as_ref().map_or(0, Members::edges);
        self.members = self.members.saturating_add(usize::try_from(members).unwrap_or(usize::MAX));
        if self.members > MEMBERS_MAX && self.rows > 1 {
            let detail = format!(
                "the query would look at more than {MEMBERS_MAX} members; add a condition on id or displayName by eq"
            );
            return Err(Refusal::new(Why::TooMany, detail).into());
        }
        Looked::at(self.snapshot.as_ref(), self.caller, view).map(Some)
    }

    /// Counts the comparisons that a filter comes to for one record, if there is room left for them.
    fn compare(&mut self, looked: &Looked, terms: usize) -> Result<(), RosterError> {
        let bytes = looked.view.stored.text_bytes();
        let groups = looked.view.groups.as_ref().map_or(0, Vec::len);
        let edges = looked.members.len().saturating_add(groups);
        let values = bytes.div_ceil(BYTES_PER_VALUE).saturating_add(edges).saturating_add(1);
        self.comparisons = self.comparisons.saturating_add(terms.saturating_mul(values));
        if self.comparisons > COMPARISONS_MAX {
            let detail = format!(
                "the query would make more than {COMPARISONS_MAX} comparisons; ask with fewer terms at once, or {ADVICE}"
            );
            return Err(Refusal::new(Why::TooMany, detail).into());
        }
        if self.comparisons.saturating_sub(self.looked_at) > COMPARISONS_BETWEEN_LOOKS {
            self.looked_at = self.comparisons;
            self.in_time()?;
        }
        Ok(())
    }

    /// Refuses when the query's time is over.
    pub(super) fn in_time(&self) -> Result<(), RosterError> {
        if self.clock.now() <= self.ends {
            return Ok(());
        }
        let detail =
            format!("the query took longer than {SCAN_SECONDS_MAX} seconds and was given up; {ADVICE}");
        Err(Refusal::new(Why::TooMany, detail).into())
    }

    /// Says which ids of a kind are to be read where nothing narrows it, unless they are more than may be read; `None` where it is every one.
    fn everything(&self, kind: &Kind) -> Result<Option<Vec<ResourceId>>, RosterError> {
        let known = known(self.snapshot.as_ref(), self.caller, kind.id)?;
        if known.count() > SCAN_ROWS_MAX.saturating_sub(self.rows) as u64 {
            return Err(too_many());
        }
        match known {
            Known::All(_) => Ok(None),
            Known::Own(owned, _) => {
                own_ids(self.snapshot.as_ref(), self.caller, owned)?.ok_or_else(too_many).map(Some)
            }
        }
    }
}

/// What somebody whose query is refused can do about it.
const ADVICE: &str = "narrow it by an eq on id, userName, externalId, displayName, emails.value or an indexed attribute; sort, if at all, \
    people by userName, displayName, id, meta.created or meta.lastModified, and groups by displayName, id or meta.created";

fn too_many() -> RosterError {
    let detail = format!("the query would read more than {SCAN_ROWS_MAX} resources; {ADVICE}");
    Refusal::new(Why::TooMany, detail).into()
}

/// A resource with everything that a filter or an order asks about.
struct Looked {
    view: View,
    members: Vec<Address>,
}

impl Looked {
    fn at(snapshot: &dyn Snapshot, caller: &Caller, view: View) -> Result<Self, RosterError> {
        let members = match view.members {
            Some(_) => known_members(snapshot, caller, view.stored.at().id)?,
            None => Vec::new(),
        };
        Ok(Self { view, members })
    }

    fn may_match(&self, kind: &Kind, filter: &Filter) -> bool {
        filter.may_match(&Sparse::new(self.view.segments(kind)), kind)
    }

    /// Shows it as it would be answered to somebody who asks for its attributes.
    fn with_computed<T>(&self, kind: &Kind, look: impl FnOnce(&Computed<'_>) -> T) -> T {
        let Self { view, members } = self;
        let word = |kind| if kind == KindId::GROUP { "Group" } else { "User" };
        let groups = view.groups.iter().flatten();
        look(&Computed {
            document: &Sparse::new(view.segments(kind)),
            id: &view.stored.at().id.to_string(),
            resource_type: &kind.name,
            created: view.stored.created(),
            modified: view.modified,
            version: view.version.0,
            own_external_id: view.shows_external_id,
            groups: &groups
                .map(|group| json!({ "value": group.id.to_string(), "display": group.display, "type": "direct" }))
                .collect(),
            members: &members
                .iter()
                .map(|member| json!({ "value": member.id.to_string(), "type": word(member.kind) }))
                .collect(),
        })
    }
}

/// Says which edges must be read for attributes that are asked about.
fn edges(kind: &Kind, asked: impl Fn(&str) -> bool) -> Edges {
    let members = kind.has_members() && asked("members");
    Edges { members, groups: kind.has_groups() && asked("groups"), ..Edges::NONE }
}

/// Tells whether a filter speaks of an attribute of the core schema.
pub(super) fn mentions(filter: &Filter, name: &str) -> bool {
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::Element { path, .. } => {
            is_core(path, name)
        }
        Filter::And(operands) | Filter::Or(operands) => {
            operands.iter().any(|operand| mentions(operand, name))
        }
        Filter::Not(inner) => mentions(inner, name),
    }
}

pub(super) fn is_core(path: &AttrPath, name: &str) -> bool {
    path.extension.is_none() && path.name == name
}

/// Reads what a resource sorts by, with everything about it read: the second opinion on indexes of order.
#[cfg(test)]
pub(super) fn sort_key_as_shown(
    snapshot: &Arc<dyn Snapshot>,
    caller: &Caller,
    kind: &Kind,
    id: ResourceId,
    path: &AttrPath,
) -> SortKey {
    let view =
        super::view::view(snapshot, caller, Address { kind: kind.id, id }, Edges::ALL).unwrap().unwrap();
    let looked = Looked::at(snapshot.as_ref(), caller, view).unwrap();
    looked.with_computed(kind, |subject| SortKey::of(path, subject, kind))
}

/// Tells whether a resource matches, with everything about it read: the second opinion on the planner.
#[cfg(test)]
pub(super) fn matches_as_shown(
    snapshot: &Arc<dyn Snapshot>,
    caller: &Caller,
    kind: &Kind,
    id: ResourceId,
    filter: &Filter,
) -> bool {
    let Ok(Some(view)) = super::view::view(snapshot, caller, Address { kind: kind.id, id }, Edges::ALL)
    else {
        return false;
    };
    let looked = Looked::at(snapshot.as_ref(), caller, view);
    looked.is_ok_and(|looked| looked.with_computed(kind, |subject| filter.matches(subject, kind)))
}
