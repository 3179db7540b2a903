//! Lists: which resources a filter means, and a page of them (RFC 7644 §3.4.2).
//!
//! An equality on an indexed attribute, alone or under `and`, leads to a few candidates; the whole filter then judges each. A filter
//! without one is answered by reading every record, up to a bound, and refused beyond it (X32): never ignored.

use std::sync::Arc;

use serde_json::json;

use super::error::RosterError;
use super::scope::Scope;
use super::view::{Edges, View, groups_with, view};
use super::{Caller, LOCAL, Roster, index};
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::attr::AttrPath;
use crate::scim::filter::{Computed, Filter};
use crate::scim::schema::Kind;
use crate::scim::{Document, Refusal, Why};
use crate::store::{IndexId, IndexRange, PAGE_ROWS_MAX, Snapshot};

/// Resources in a page when the client does not say.
pub const PAGE_SIZE_DEFAULT: u64 = 100;
/// Most resources in a page.
pub const PAGE_SIZE_MAX: u64 = 1000;
/// Most records that a filter without an index may read.
const SCAN_ROWS_MAX: usize = 20_000;
/// Most candidates that an index may yield before the filter is refused.
const CANDIDATES_MAX: usize = 100_000;

/// Most members that the groups of one page may have together, and most that a filter may look at.
const MEMBERS_MAX: usize = if cfg!(test) { 5 } else { 500_000 };

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which resources; all of the kind where `None`.
    pub filter: Option<Filter>,
    /// The first one wanted, counted from 1.
    pub start_index: u64,
    /// How many; the default where `None`.
    pub count: Option<u64>,
    /// What of the edges to read.
    pub edges: Edges,
}

/// A page of an answer.
#[derive(Debug)]
pub struct Page {
    /// How many resources match in all.
    pub total: u64,
    /// The index of the first resource in the page.
    pub start_index: u64,
    /// The resources.
    pub views: Vec<View>,
}

impl Roster {
    /// Tells whether a query is sure to read a few records only, so that it may be answered where it stands.
    pub fn is_quick(caller: &Caller, kind: &Kind, query: &Query) -> bool {
        const FEW: u64 = 200;
        // A user's groups are a record each.
        let most = if query.edges.groups { FEW / 10 } else { FEW };
        let few = query.count.unwrap_or(PAGE_SIZE_DEFAULT) <= most && query.start_index <= FEW;
        let finds_one = |filter: &Filter| {
            best_key(caller, kind, filter).is_some_and(|(key, _)| key <= Key::ExternalId)
                && !mentions(filter, "members")
        };
        !query.edges.members && query.filter.as_ref().map_or(few, finds_one)
    }

    /// Lists resources of a kind, in order of creation.
    pub fn query(&self, caller: &Caller, kind: &Kind, query: &Query) -> Result<Page, RosterError> {
        caller.needs(Scope::reads(kind.id))?;
        if kind.id == KindId::USER && query.filter.as_ref().is_some_and(|filter| mentions(filter, "groups")) {
            caller.needs(Scope::GroupsRead)?;
        }
        let snapshot = self.store.snapshot()?;
        let count = query.count.unwrap_or(PAGE_SIZE_DEFAULT).min(PAGE_SIZE_MAX);
        let limit = usize::try_from(count).unwrap_or(usize::MAX);
        let skip = query.start_index.saturating_sub(1);
        let (total, ids) = match &query.filter {
            None => {
                let total = snapshot.count(caller.tenant, kind.id)?;
                let beyond = limit == 0 || skip >= total;
                (
                    total,
                    if beyond { vec![] } else { snapshot.ids(caller.tenant, kind.id, None, skip, limit)? },
                )
            }
            Some(filter) => {
                let matching = matching(&snapshot, caller, kind, filter)?;
                let total = matching.len() as u64;
                let from = usize::try_from(skip).unwrap_or(usize::MAX);
                (total, matching.into_iter().skip(from).take(limit).collect())
            }
        };
        let mut views = Vec::with_capacity(ids.len());
        let mut members = 0_usize;
        for id in ids {
            let at = Address { kind: kind.id, id };
            let Some(view) = view(&snapshot, caller, at, query.edges)? else { continue };
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
        Ok(Page { total, start_index: query.start_index, views })
    }
}

/// Finds every id that the filter means, in order of creation.
fn matching(
    snapshot: &Arc<dyn Snapshot>,
    caller: &Caller,
    kind: &Kind,
    filter: &Filter,
) -> Result<Vec<ResourceId>, RosterError> {
    let candidates = match candidates(snapshot.as_ref(), caller, kind, filter)? {
        Some(candidates) => candidates,
        None => everything(snapshot.as_ref(), caller, kind)?,
    };
    if is_settled_by_a_key(caller, kind, filter) {
        return Ok(candidates);
    }
    let needs = Edges { members: mentions(filter, "members"), groups: mentions(filter, "groups") };
    let several = candidates.len() > 1;
    let mut members = 0_usize;
    let mut ids = Vec::new();
    for id in candidates {
        let Some(view) = view(snapshot, caller, Address { kind: kind.id, id }, needs)? else { continue };
        members = members.saturating_add(view.members.as_ref().map_or(0, Vec::len));
        if members > MEMBERS_MAX && several {
            let detail = format!(
                "the filter would look at more than {MEMBERS_MAX} members; add a condition on id or displayName by eq"
            );
            return Err(Refusal::new(Why::TooMany, detail).into());
        }
        let document = Document::from_segments(view.stored.segments())
            .map_err(|error| RosterError::Broken(format!("{id}: {error}")))?;
        if judge(filter, caller, kind, &view, &document) {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Tells whether a unique key is all that the filter is about, so that who holds it is the answer and no document need be parsed.
/// Keys are folded as the filter compares: userName by its profile, externalId by case.
fn is_settled_by_a_key(caller: &Caller, kind: &Kind, filter: &Filter) -> bool {
    let key = filter.as_text_equality().and_then(|(path, _)| Key::of(caller, kind, path));
    matches!(key, Some(Key::UserName | Key::ExternalId))
}

/// What leads from an equality to candidates. The earlier, the fewer; what only one can hold comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Id,
    UserName,
    ExternalId,
    Email,
    Member,
    DisplayName,
}

impl Key {
    /// Finds the key of an attribute. Of externalIds every connection has its own; `local`, which has none, sees all, hence no key.
    fn of(caller: &Caller, kind: &Kind, path: &AttrPath) -> Option<Self> {
        match (kind.id, path.name.as_str(), path.sub.as_deref()) {
            _ if path.extension.is_some() => None,
            (_, "id", None) => Some(Self::Id),
            (KindId::USER, "userName", None) => Some(Self::UserName),
            (_, "externalId", None) => (caller.connection != LOCAL).then_some(Self::ExternalId),
            (KindId::USER, "emails", None | Some("value")) => Some(Self::Email),
            (KindId::GROUP, "members", None | Some("value")) => Some(Self::Member),
            (_, "displayName", None) => Some(Self::DisplayName),
            _ => None,
        }
    }
}

/// Finds the equality that leads to the fewest candidates, among those that every match must satisfy.
fn best_key<'f>(caller: &Caller, kind: &Kind, filter: &'f Filter) -> Option<(Key, &'f str)> {
    let keyed = |(path, value)| Some((Key::of(caller, kind, &path)?, value));
    filter.text_equalities().into_iter().filter_map(keyed).min_by_key(|(key, _)| *key)
}

/// Uses an index where the filter has an equality that every match must satisfy; `None` where it has none.
fn candidates(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    kind: &Kind,
    filter: &Filter,
) -> Result<Option<Vec<ResourceId>>, RosterError> {
    let Some((key, value)) = best_key(caller, kind, filter) else { return Ok(None) };
    let holder = |key| -> Result<Vec<ResourceId>, RosterError> {
        Ok(snapshot.by_unique(caller.tenant, &key)?.map(|at| at.id).into_iter().collect())
    };
    Ok(Some(match key {
        Key::Id => ResourceId::parse(value).ok().into_iter().collect(),
        // A name that no person can have is nobody's.
        Key::UserName => index::user_name(value).map_or(Ok(vec![]), holder)?,
        Key::ExternalId => holder(index::external_id(kind.id, caller.connection, value))?,
        Key::Email => indexed(snapshot, caller, kind, index::EMAIL, value)?,
        Key::DisplayName => indexed(snapshot, caller, kind, index::DISPLAY_NAME, value)?,
        Key::Member => match ResourceId::parse(value) {
            Ok(id) => {
                let mut groups = groups_with(snapshot, caller, Address::user(id))?;
                groups.extend(groups_with(snapshot, caller, Address::group(id))?);
                groups
            }
            Err(_) => vec![],
        },
    }))
}

/// Lets the filter judge a resource as it would be shown.
fn judge(filter: &Filter, caller: &Caller, kind: &Kind, view: &View, document: &Document) -> bool {
    let word = |kind| if kind == KindId::GROUP { "Group" } else { "User" };
    let members = view.members.iter().flatten();
    let groups = view.groups.iter().flatten();
    let subject = Computed {
        document,
        id: &view.stored.at().id.to_string(),
        resource_type: &kind.name,
        created: view.stored.created(),
        modified: view.modified,
        version: view.version.0,
        own_external_id: caller.connection == LOCAL || view.stored.connection() == Some(caller.connection),
        groups: &groups
            .map(|group| json!({ "value": group.id.to_string(), "display": group.display, "type": "direct" }))
            .collect(),
        members: &members
            .map(|member| json!({ "value": member.id.to_string(), "type": word(member.kind) }))
            .collect(),
    };
    filter.matches(&subject, kind)
}

fn indexed(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    kind: &Kind,
    index: IndexId,
    value: &str,
) -> Result<Vec<ResourceId>, RosterError> {
    let mut range = IndexRange::exactly(kind.id, index, index::folded(value));
    let mut ids = Vec::new();
    loop {
        let page = snapshot.index_range(caller.tenant, &range, PAGE_ROWS_MAX)?;
        let last = page.len() < PAGE_ROWS_MAX;
        range.after = page.last().cloned();
        ids.extend(page.into_iter().map(|row| row.id));
        if last {
            return Ok(ids);
        }
        if ids.len() >= CANDIDATES_MAX {
            return Err(too_many(CANDIDATES_MAX));
        }
    }
}

fn everything(snapshot: &dyn Snapshot, caller: &Caller, kind: &Kind) -> Result<Vec<ResourceId>, RosterError> {
    if snapshot.count(caller.tenant, kind.id)? > SCAN_ROWS_MAX as u64 {
        return Err(too_many(SCAN_ROWS_MAX));
    }
    let mut ids: Vec<ResourceId> = Vec::new();
    loop {
        let page = snapshot.ids(caller.tenant, kind.id, ids.last().copied(), 0, PAGE_ROWS_MAX)?;
        let last = page.len() < PAGE_ROWS_MAX;
        ids.extend(page);
        if last {
            return Ok(ids);
        }
    }
}

fn too_many(bound: usize) -> RosterError {
    let detail = format!(
        "the filter would read more than {bound} resources; compare userName, externalId, displayName, emails.value or id with eq"
    );
    Refusal::new(Why::TooMany, detail).into()
}

/// Tells whether a filter speaks of an attribute of the core schema.
fn mentions(filter: &Filter, name: &str) -> bool {
    let is = |path: &AttrPath| path.extension.is_none() && path.name == name;
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::Element { path, .. } => is(path),
        Filter::And(operands) | Filter::Or(operands) => {
            operands.iter().any(|operand| mentions(operand, name))
        }
        Filter::Not(inner) => mentions(inner, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::store::memory::MemoryStore;

    #[test]
    fn a_page_and_a_filter_look_at_so_many_members_and_no_more() {
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        let roster = Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)));
        let request = roster.request_id();
        roster.create_tenant("acme", request).unwrap();
        let caller = roster.operator("acme", request).unwrap();
        let [users, groups] =
            [KindId::USER, KindId::GROUP].map(|kind| Arc::clone(roster.kinds().by_id(kind).unwrap()));
        let mut crowd = Vec::new();
        for number in 0..=MEMBERS_MAX {
            let body = json!({ "userName": format!("user-{number}") });
            let made = roster.create(&caller, &users, body, Edges::NONE).unwrap();
            crowd.push(json!({ "value": made.stored.at().id.to_string() }));
        }
        let create = |name: &str, members: &[serde_json::Value]| {
            let body = json!({ "displayName": name, "members": members });
            roster.create(&caller, &groups, body, Edges::NONE).unwrap();
        };
        let ask = |filter: Option<&str>, edges| {
            let filter = filter.map(|filter| Filter::parse(filter, &groups).unwrap());
            let query = Query { filter, start_index: 1, count: None, edges };
            roster.query(&caller, &groups, &query).map(|page| page.views.len()).map_err(|error| match error {
                RosterError::Refused(refusal) => refusal.why,
                other => panic!("{other}"),
            })
        };
        // One group alone is shown whatever its size.
        create("all", &crowd);
        assert_eq!(ask(None, Edges::ALL), Ok(1));
        assert_eq!(ask(Some("members.type eq \"User\""), Edges::NONE), Ok(1));
        create("one", &crowd[..1]);
        assert_eq!(ask(None, Edges::ALL), Err(Why::TooMany));
        assert_eq!(ask(Some("members.type eq \"User\""), Edges::NONE), Err(Why::TooMany));
        assert_eq!(ask(None, Edges::NONE), Ok(2));
        assert_eq!(ask(Some("displayName sw \"o\""), Edges::NONE), Ok(1));
        assert_eq!(ask(Some("displayName eq \"one\" and members.type eq \"User\""), Edges::NONE), Ok(1));
    }
}
