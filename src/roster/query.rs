//! Lists: which resources a filter means, in which order, and a page of them (RFC 7644 §3.4.2, RFC 9865).
//!
//! One use case for a kind's collection, for a search by POST and for a query across kinds. `candidates` asks the indexes, `scan` reads
//! records where they do not say enough, `found` cuts pages, `cursor` names the place where a page ended. Without `sortBy` resources come
//! kind by kind in order of creation; with it, ties are broken by id. What sorts by an attribute with an index of order is not sorted but
//! read from there, however much it is: of one kind, unfiltered or where the filter is answered by indexes alone.

use std::sync::Arc;

use super::candidates::candidates;
use super::cursor::{self, Binding, Position};
use super::edges::{Edges, MemberFace, groups_of_each};
use super::error::RosterError;
use super::found::{Found, Listed, Place, Placed, Walk, placed};
use super::known::{Known, known, own_ids};
use super::scan::{SCAN_ROWS_MAX, Scan, is_core, mentions};
use super::scope::Scope;
use super::view::{View, view_of};
use super::{Caller, LOCAL, Roster, index};
use crate::idp::profile::GroupsOff;
use crate::ids::{Address, KindId};
use crate::scim::attr::AttrPath;
use crate::scim::filter::Filter;
use crate::scim::note::{Notes, Rule};
use crate::scim::schema::Kind;
use crate::scim::{Refusal, SortOrder, Why};
use crate::store::{Snapshot, Stored};

/// Resources in a page when the client does not say.
pub const PAGE_SIZE_DEFAULT: u64 = 100;
/// Most resources in a page.
pub const PAGE_SIZE_MAX: u64 = 1000;
/// Where more than this match a filter, their order is read from an index. Fewer in tests, whose worlds are small.
const WALK_ABOVE: usize = if cfg!(test) { 1 } else { SCAN_ROWS_MAX };

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
    /// Where to go back; `None` on the first page and where the page was asked for by index.
    pub previous: Option<String>,
    /// The resources.
    pub views: Views,
}

/// The resources of a page, read one by one as they are asked for: of one moment, unless that is let go.
pub struct Views {
    /// `None` after it was let go.
    snapshot: Option<Arc<dyn Snapshot>>,
    caller: Caller,
    edges: Vec<(KindId, Edges)>,
    left: std::vec::IntoIter<Address>,
    /// Those of them that were read already.
    ready: std::vec::IntoIter<Ready>,
}

/// A resource that was read before it is shown.
#[derive(Default)]
struct Ready {
    stored: Option<Stored>,
    /// Its groups, where they were read together with those of others.
    groups: Option<Vec<MemberFace>>,
}

impl Ready {
    const fn of(stored: Stored) -> Self {
        Self { stored: Some(stored), groups: None }
    }

    /// Reads several at once.
    fn read(
        snapshot: &dyn Snapshot,
        caller: &Caller,
        edges: &[(KindId, Edges)],
        at: &[Address],
    ) -> Result<Vec<Self>, RosterError> {
        let stored = snapshot.get_each(caller.tenant, at)?;
        let mut ready: Vec<Self> = stored.into_iter().map(|stored| Self { stored, groups: None }).collect();
        let shows_groups = edges.iter().any(|(kind, edges)| *kind == KindId::USER && edges.groups);
        if at.len() > 1 && shows_groups && caller.may(Scope::GroupsRead) {
            let people = ready.iter_mut().zip(at).filter(|(_, at)| at.kind == KindId::USER);
            let (people, members): (Vec<_>, Vec<_>) = people.map(|(ready, at)| (ready, *at)).unzip();
            for (ready, groups) in people.into_iter().zip(groups_of_each(snapshot, caller, &members)?) {
                ready.groups = groups;
            }
        }
        Ok(ready)
    }

    /// Shows it, if it is there for the caller.
    fn view(
        self,
        snapshot: &Arc<dyn Snapshot>,
        caller: &Caller,
        edges: Edges,
    ) -> Result<Option<View>, RosterError> {
        let left = Edges { groups: edges.groups && self.groups.is_none(), ..edges };
        let view = view_of(snapshot, caller, self.stored, left)?;
        Ok(view.map(|view| View { groups: view.groups.or(self.groups), ..view }))
    }
}

/// Records of a page that are read at once. They are held until they are asked for.
const READ_AT_ONCE: usize = 32;

impl std::fmt::Debug for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Views").field("left", &self.left.len()).finish_non_exhaustive()
    }
}

impl Views {
    /// Reads the next one. Who was removed since the moment was let go is left out.
    pub fn next_view(&mut self, roster: &Roster) -> Result<Option<View>, RosterError> {
        loop {
            let ahead = self.left.as_slice();
            let Some(at) = ahead.first().copied() else { return Ok(None) };
            let snapshot = match self.snapshot.take() {
                Some(snapshot) => snapshot,
                None => roster.store.snapshot()?,
            };
            let ready = match self.ready.next() {
                Some(ready) => ready,
                None => {
                    let next = ahead.get(..READ_AT_ONCE).unwrap_or(ahead);
                    self.ready = Ready::read(snapshot.as_ref(), &self.caller, &self.edges, next)?.into_iter();
                    self.ready.next().unwrap_or_default()
                }
            };
            self.left.next();
            let Some((_, edges)) = self.edges.iter().find(|(kind, _)| *kind == at.kind) else {
                self.snapshot = Some(snapshot);
                continue;
            };
            let found = ready.view(&snapshot, &self.caller, *edges)?;
            self.snapshot = Some(snapshot);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Lets go of the moment. The next resource is read from a later one.
    pub fn let_go(&mut self) {
        self.snapshot = None;
        self.ready = Vec::new().into_iter();
    }
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
            self.took(caller, &Notes::of(Rule::GroupsOff));
            let start_index = match query.start {
                Start::Index(index) => Some(index),
                Start::Cursor(_) => None,
            };
            let parts: Vec<Part> = query.parts.iter().filter(|part| !off(part)).cloned().collect();
            if parts.is_empty() {
                let views = Views {
                    ready: Vec::new().into_iter(),
                    snapshot: None,
                    caller: caller.clone(),
                    edges: Vec::new(),
                    left: Vec::new().into_iter(),
                };
                return Ok(Page { total: 0, start_index, next: None, previous: None, views });
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
        let (position, sealing) = match &query.start {
            Start::Index(_) => (None, None),
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
                (position, Some((key, binding)))
            }
        };
        let place = match (&query.start, &position) {
            (Start::Index(index), _) => Place::Skip(index.saturating_sub(1)),
            (Start::Cursor(_), None) => Place::Skip(0),
            (Start::Cursor(_), Some(position)) if position.back => Place::Before(position),
            (Start::Cursor(_), Some(position)) => Place::After(position),
        };
        let snapshot = self.store.snapshot()?;
        let mut scan = Scan::begin(&snapshot, caller, self.clock.as_ref());
        let found = find(&snapshot, &mut scan, caller, query)?;
        let cut = |place, limit| found.cut(snapshot.as_ref(), &scan, caller, place, limit);
        let shown = shown(cut, place, usize::from(limit), sealing.is_some())?;
        let link = |wanted: bool, edge: Option<&Placed>, back: bool| {
            let (key, binding) = sealing.as_ref()?;
            let (sort, at) = edge.filter(|_| wanted)?;
            let position = Position { at: *at, sort: sort.clone(), count: limit, back };
            Some(cursor::seal(key, binding, caller.now, &position))
        };
        let next = link(shown.more_after, shown.page.last(), false);
        let previous = link(shown.more_before, shown.page.first(), true);
        let total = found.total();
        let page: Vec<Address> = shown.page.into_iter().map(|(_, at)| at).collect();
        let ready = scan.read_already(&page).into_iter().map(Ready::of);
        let views = Views {
            edges: query.parts.iter().map(|part| (part.kind.id, part.edges)).collect(),
            snapshot: Some(Arc::clone(&snapshot)),
            caller: caller.clone(),
            ready: ready.collect::<Vec<_>>().into_iter(),
            left: page.into_iter(),
        };
        let start_index = match query.start {
            Start::Index(index) => Some(index),
            Start::Cursor(_) => None,
        };
        Ok(Page { total, start_index, next, previous, views })
    }
}

/// A page, and whether there is anything beside it.
struct Shown {
    page: Vec<Placed>,
    more_before: bool,
    more_after: bool,
}

/// Cuts out a page; by cursor, one more than it holds, which says whether there is another page.
fn shown<'p>(
    cut: impl Fn(Place<'p>, usize) -> Result<Vec<Placed>, RosterError>,
    place: Place<'p>,
    limit: usize,
    by_cursor: bool,
) -> Result<Shown, RosterError> {
    let ask = limit.saturating_add(usize::from(by_cursor));
    if matches!(place, Place::Before(_)) {
        let mut page = cut(place, ask)?;
        if page.len() > limit {
            page.remove(0);
            return Ok(Shown { page, more_before: true, more_after: true });
        }
        if page.len() == limit {
            return Ok(Shown { page, more_before: false, more_after: true });
        }
        // Too few are before it, so that this is the first page: it is a whole one.
        return shown(cut, Place::Skip(0), limit, by_cursor);
    }
    let mut page = cut(place, ask)?;
    let more_after = page.len() > limit;
    page.truncate(limit);
    Ok(Shown { page, more_before: matches!(place, Place::After(_)), more_after })
}

/// Finds everything that matches.
fn find(
    snapshot: &Arc<dyn Snapshot>,
    scan: &mut Scan<'_>,
    caller: &Caller,
    query: &Query,
) -> Result<Found, RosterError> {
    let Some(order) = query.order else {
        let lists = query.parts.iter().map(|part| listed(snapshot, scan, caller, part));
        return Ok(Found::Listed { lists: lists.collect::<Result<_, _>>()?, back: false });
    };
    if let [part] = query.parts.as_slice()
        && let Some(found) = in_kept_order(snapshot, scan, caller, part, order)?
    {
        return Ok(found);
    }
    let mut all = Vec::new();
    for part in &query.parts {
        let found = match &part.filter {
            Some(filter) => candidates(snapshot.as_ref(), caller, &part.kind, filter)?,
            None => None,
        };
        scan.keys(part, found, &mut all)?;
    }
    all.sort_unstable_by(|left, right| placed(order, left, right));
    Ok(Found::Sorted(all, order))
}

/// Finds what matches of one kind, in order of id.
fn listed(
    snapshot: &Arc<dyn Snapshot>,
    scan: &mut Scan<'_>,
    caller: &Caller,
    part: &Part,
) -> Result<Listed, RosterError> {
    let kind = part.kind.id;
    Ok(match &part.filter {
        None => match known(snapshot.as_ref(), caller, kind)? {
            Known::All(count) => Listed::All(kind, count),
            Known::Own(owned, count) => Listed::Own(owned, count),
        },
        Some(filter) => {
            let found = candidates(snapshot.as_ref(), caller, &part.kind, filter)?;
            Listed::Some(kind, scan.matching(part, filter, found)?)
        }
    })
}

/// Finds what matches where the store keeps the order that is asked for: by id (which is that of creation), or in an index.
fn in_kept_order(
    snapshot: &Arc<dyn Snapshot>,
    scan: &mut Scan<'_>,
    caller: &Caller,
    part: &Part,
    order: SortOrder,
) -> Result<Option<Found>, RosterError> {
    let Some(path) = &part.sort_by else { return Ok(None) };
    if path.is("id") || path.is_sub("meta", "created") {
        // An id begins with the millisecond in which it was made.
        let lists = vec![listed(snapshot, scan, caller, part)?];
        return Ok(Some(Found::Listed { lists, back: order == SortOrder::Descending }));
    }
    let Some(index) = index::order(&part.kind, path) else { return Ok(None) };
    if !index::has_orders(snapshot.as_ref(), caller.tenant)? {
        return Ok(None);
    }
    let kind = part.kind.id;
    let only = match &part.filter {
        None => match known(snapshot.as_ref(), caller, kind)? {
            Known::All(_) => None,
            Known::Own(owned, count) if count > WALK_ABOVE as u64 => {
                match own_ids(snapshot.as_ref(), caller, owned)? {
                    Some(own) => Some(own),
                    None => return Ok(None),
                }
            }
            Known::Own(..) => return Ok(None),
        },
        Some(filter) => match candidates(snapshot.as_ref(), caller, &part.kind, filter)? {
            // Of fewer the records are read, which costs no more than a look at everybody's entries.
            Some(found) if found.exact && found.ids.len() > WALK_ABOVE => Some(found.ids),
            _ => return Ok(None),
        },
    };
    let all = snapshot.count(caller.tenant, kind)?;
    Ok(Some(Found::Walked(Walk { kind, index, order, all, only })))
}

#[cfg(test)]
mod tests;
