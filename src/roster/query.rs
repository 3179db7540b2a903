//! Lists: which resources a filter means, in which order, and a page of them (RFC 7644 §3.4.2, RFC 9865).
//!
//! One use case for a kind's collection, for a search by POST and for a query across kinds. `candidates` asks the indexes, `scan` reads
//! records where they do not say enough, `cursor` names the place where a page ended. Without `sortBy` resources come kind by
//! kind in order of creation; with it, ties are broken by id.

use std::sync::Arc;

use super::candidates::candidates;
use super::cursor::{self, Binding, Position};
use super::error::RosterError;
use super::scan::{MEMBERS_MAX, Scan, is_core, mentions};
use super::scope::Scope;
use super::view::{Edges, View, view};
use super::{Caller, LOCAL, Roster};
use crate::idp::profile::GroupsOff;
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::attr::AttrPath;
use crate::scim::filter::Filter;
use crate::scim::schema::Kind;
use crate::scim::{Refusal, SortKey, SortOrder, Why};
use crate::store::Snapshot;

/// Resources in a page when the client does not say.
pub const PAGE_SIZE_DEFAULT: u64 = 100;
/// Most resources in a page.
pub const PAGE_SIZE_MAX: u64 = 1000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// What is asked of each kind; one for a collection, several for a query across kinds.
    pub parts: Vec<Part>,
    /// In which order; that of creation where `None`.
    pub order: Option<SortOrder>,
    /// Where the page begins.
    pub start: Start,
    /// How many; the default where `None`.
    pub count: Option<u64>,
}

/// What is asked of one kind.
#[derive(Debug, Clone)]
pub struct Part {
    /// The kind.
    pub kind: Arc<Kind>,
    /// Which resources; all of the kind where `None`.
    pub filter: Option<Filter>,
    /// What they sort by, where the query has an order; `None` for a kind that lacks the attribute.
    pub sort_by: Option<AttrPath>,
    /// What of the edges to read.
    pub edges: Edges,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At the resource of this number, counted from 1.
    Index(u64),
    /// Where the page ended that gave out this cursor; at the beginning where it is empty.
    Cursor(String),
}

/// A page of an answer.
#[derive(Debug)]
pub struct Page {
    /// How many resources match in all.
    pub total: u64,
    /// The index of the first resource in the page; `None` where it was asked for by cursor.
    pub start_index: Option<u64>,
    /// Where to go on; `None` on the last page and where the page was asked for by index.
    pub next: Option<String>,
    /// The resources.
    pub views: Vec<View>,
}

/// Everything that matches.
enum Found {
    /// In order of creation, one for each part of the query.
    Listed(Vec<Listed>),
    /// In the order that was asked for.
    Sorted(Vec<(SortKey, Address)>),
}

/// What matches of one kind.
enum Listed {
    /// All of this number: the store pages through them.
    All(KindId, u64),
    /// These, in order of id.
    Some(KindId, Vec<ResourceId>),
}

/// Where to begin within what matches.
enum From {
    Skip(u64),
    After(Option<Position>),
}

impl Query {
    /// Asks for a page of a kind in order of creation, by index.
    pub fn of(kind: Arc<Kind>, filter: Option<Filter>, edges: Edges) -> Self {
        let part = Part { kind, filter, sort_by: None, edges };
        Self { parts: vec![part], order: None, start: Start::Index(1), count: None }
    }

    fn limit(&self) -> u16 {
        let count = self.count.unwrap_or(PAGE_SIZE_DEFAULT).min(PAGE_SIZE_MAX);
        u16::try_from(count).unwrap_or(u16::MAX)
    }
}

impl Part {
    /// Tells whether the filter or the order speaks of an attribute of the core schema.
    fn asks_about(&self, name: &str) -> bool {
        self.filter.as_ref().is_some_and(|filter| mentions(filter, name))
            || self.sort_by.as_ref().is_some_and(|path| is_core(path, name))
    }
}

impl Roster {
    /// Tells whether a query is sure to read a few records only, so that it may be answered where it stands.
    pub fn is_quick(caller: &Caller, query: &Query) -> bool {
        const FEW: u64 = 200;
        let ([part], Start::Index(start), None) = (query.parts.as_slice(), &query.start, query.order) else {
            return false;
        };
        // A user's groups are a record each.
        let most = if part.edges.groups { FEW / 10 } else { FEW };
        let few = query.count.unwrap_or(PAGE_SIZE_DEFAULT) <= most && *start <= FEW;
        let unique = |filter: &Filter| {
            filter.conjuncts().iter().filter_map(Filter::as_text_equality).any(|(path, _)| {
                path.is("id")
                    || (caller.connection != LOCAL && path.is("externalId"))
                    || (part.kind.id == KindId::USER && path.is("userName"))
            })
        };
        !part.edges.members && !part.asks_about("members") && part.filter.as_ref().map_or(few, unique)
    }

    /// Lists resources. Refuses unless the caller may read every kind that is asked; to a connection that groups were not given to, a
    /// lenient profile answers as if there were none (D-E1).
    ///
    /// # Errors
    /// [`Why::TooMany`] when more records would have to be read than the bounds allow; [`Why::InvalidCursor`],
    /// [`Why::ExpiredCursor`] and [`Why::InvalidCount`] as RFC 9865 has them.
    pub fn query(&self, caller: &Caller, query: &Query) -> Result<Page, RosterError> {
        let off = |part: &Part| {
            let lenient = caller.profile.groups_off == GroupsOff::Empty;
            lenient && part.kind.id == KindId::GROUP && !caller.may(Scope::GroupsRead)
        };
        if query.parts.iter().any(off) && caller.may(Scope::UsersRead) {
            let start_index = match query.start {
                Start::Index(index) => Some(index),
                Start::Cursor(_) => None,
            };
            let parts: Vec<Part> = query.parts.iter().filter(|part| !off(part)).cloned().collect();
            if parts.is_empty() {
                return Ok(Page { total: 0, start_index, next: None, views: Vec::new() });
            }
            return self.query(caller, &Query { parts, ..query.clone() });
        }
        for part in &query.parts {
            caller.needs(Scope::reads(part.kind.id))?;
            if part.kind.id == KindId::USER && part.asks_about("groups") {
                caller.needs(Scope::GroupsRead)?;
            }
        }
        let limit = query.limit();
        let (from, sealing) = match &query.start {
            Start::Index(index) => (From::Skip(index.saturating_sub(1)), None),
            Start::Cursor(text) => {
                let key = self.cursor_key()?;
                let binding = Binding::of(caller, query);
                let position = match text.as_str() {
                    "" => None,
                    text => Some(cursor::open(&key, &binding, caller.now, text)?),
                };
                if position.as_ref().is_some_and(|position| position.count != limit) {
                    let detail = "count: expected what it was when the first page was asked for";
                    return Err(Refusal::new(Why::InvalidCount, detail).into());
                }
                (From::After(position), Some((key, binding)))
            }
        };
        let snapshot = self.store.snapshot()?;
        let found = self.find(&snapshot, caller, query)?;
        let by_cursor = sealing.is_some();
        // One more than the page holds says whether there is another page.
        let ask = usize::from(limit).saturating_add(usize::from(by_cursor));
        let mut page = found.cut(snapshot.as_ref(), caller, query, from, ask)?;
        let more = page.len() > usize::from(limit);
        page.truncate(usize::from(limit));
        let next = match (sealing, page.last()) {
            (Some((key, binding)), Some((sort, at))) if more => {
                let position = Position { at: *at, sort: sort.clone(), count: limit };
                Some(cursor::seal(&key, &binding, caller.now, &position))
            }
            _ => None,
        };
        let views = views(&snapshot, caller, query, page.into_iter().map(|(_, at)| at))?;
        let start_index = match query.start {
            Start::Index(index) => Some(index),
            Start::Cursor(_) => None,
        };
        Ok(Page { total: found.total(), start_index, next, views })
    }

    /// Finds everything that matches.
    fn find(
        &self,
        snapshot: &Arc<dyn Snapshot>,
        caller: &Caller,
        query: &Query,
    ) -> Result<Found, RosterError> {
        let mut scan = Scan::begin(snapshot, caller, self.clock.as_ref());
        if let Some(order) = query.order {
            let mut all = Vec::new();
            for part in &query.parts {
                scan.keys(part, &mut all)?;
            }
            all.sort_unstable_by(|left, right| placed(order, left, right));
            return Ok(Found::Sorted(all));
        }
        let mut all = Vec::with_capacity(query.parts.len());
        for part in &query.parts {
            let kind = part.kind.id;
            all.push(match &part.filter {
                None => Listed::All(kind, snapshot.count(caller.tenant, kind)?),
                Some(filter) => {
                    let found = candidates(snapshot.as_ref(), caller, &part.kind, filter)?;
                    Listed::Some(kind, scan.matching(part, filter, found)?)
                }
            });
        }
        Ok(Found::Listed(all))
    }
}

impl Found {
    fn total(&self) -> u64 {
        match self {
            Self::Sorted(all) => all.len() as u64,
            Self::Listed(parts) => parts.iter().map(Listed::total).sum(),
        }
    }

    /// Cuts a page out.
    fn cut(
        &self,
        snapshot: &dyn Snapshot,
        caller: &Caller,
        query: &Query,
        from: From,
        limit: usize,
    ) -> Result<Vec<(Option<SortKey>, Address)>, RosterError> {
        match self {
            Self::Sorted(all) => {
                let order = query.order.unwrap_or_default();
                let skip = match from {
                    From::Skip(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
                    From::After(None) => 0,
                    From::After(Some(position)) => {
                        let sort = position.sort.unwrap_or_else(SortKey::unassigned);
                        let last = (sort, position.at);
                        all.partition_point(|one| placed(order, one, &last).is_le())
                    }
                };
                Ok(all.iter().skip(skip).take(limit).map(|(sort, at)| (Some(sort.clone()), *at)).collect())
            }
            Self::Listed(parts) => {
                let mut page = Vec::new();
                let (mut skip, mut after) = match from {
                    From::Skip(skip) => (skip, None),
                    From::After(position) => (0, position.map(|position| position.at)),
                };
                for listed in parts {
                    let left = limit.saturating_sub(page.len());
                    // Kinds before the one where the last page ended have been shown.
                    let within = match after {
                        Some(at) if at.kind != listed.kind() => continue,
                        within => within.map(|at| at.id),
                    };
                    after = None;
                    if left == 0 {
                        break;
                    }
                    let total = listed.total();
                    let ids = if skip >= total {
                        vec![]
                    } else {
                        listed.page(snapshot, caller, within, skip, left)?
                    };
                    page.extend(ids.into_iter().map(|id| (None, Address { kind: listed.kind(), id })));
                    skip = skip.saturating_sub(total);
                }
                Ok(page)
            }
        }
    }
}

impl Listed {
    const fn kind(&self) -> KindId {
        match self {
            Self::All(kind, _) | Self::Some(kind, _) => *kind,
        }
    }

    fn total(&self) -> u64 {
        match self {
            Self::All(_, total) => *total,
            Self::Some(_, ids) => ids.len() as u64,
        }
    }

    /// Returns ids from just after one, leaving out the first `skip` of them.
    fn page(
        &self,
        snapshot: &dyn Snapshot,
        caller: &Caller,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, RosterError> {
        match self {
            Self::All(kind, _) => Ok(snapshot.ids(caller.tenant, *kind, after, skip, limit)?),
            Self::Some(_, ids) => {
                let first = ids.partition_point(|id| after.is_some_and(|after| *id <= after));
                let first = first.saturating_add(usize::try_from(skip).unwrap_or(usize::MAX));
                Ok(ids.iter().skip(first).take(limit).copied().collect())
            }
        }
    }
}

/// Says which of two resources comes first; ties are broken by id, in either order.
fn placed(order: SortOrder, left: &(SortKey, Address), right: &(SortKey, Address)) -> std::cmp::Ordering {
    let by_id = || (left.1.id, left.1.kind).cmp(&(right.1.id, right.1.kind));
    order.compare(&left.0, &right.0).then_with(by_id)
}

/// Reads the resources of a page.
fn views(
    snapshot: &Arc<dyn Snapshot>,
    caller: &Caller,
    query: &Query,
    page: impl Iterator<Item = Address>,
) -> Result<Vec<View>, RosterError> {
    let mut views = Vec::new();
    let mut members = 0_usize;
    for at in page {
        let Some(part) = query.parts.iter().find(|part| part.kind.id == at.kind) else { continue };
        let Some(view) = view(snapshot, caller, at, part.edges)? else { continue };
        members = members.saturating_add(view.members.as_ref().map_or(0, Vec::len));
        // One group is shown whatever its size, as it is when it is read alone.
        if members > MEMBERS_MAX && !views.is_empty() {
            let detail = format!(
                "the groups of this page have more than {MEMBERS_MAX} members together; ask for excludedAttributes=members, or for a smaller count"
            );
            return Err(Refusal::new(Why::TooMany, detail).into());
        }
        views.push(view);
    }
    Ok(views)
}

#[cfg(test)]
mod tests;
