//! Which resources a filter can mean, as far as the indexes know: the planner.
//!
//! Equalities on indexed attributes, beginnings of names and addresses, and what comes before or after a name or a time are looked up; `and` intersects what its operands found, `or`
//! unites it when every operand found something. The answer holds every match. It says whether it holds nothing else; where it may,
//! whoever asked reads the records. That nothing was found out (`None`) is always right, and slow.

mod changed;

use super::error::RosterError;
use super::known::{knows, only_known};
use super::{Caller, LOCAL, index, keyed};
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::attr::AttrPath;
use crate::scim::filter::eval::{self, unassigned};
use crate::scim::filter::{CompareOp, Filter, Literal};
use crate::scim::schema::Kind;
use crate::scim::{SortKey, fold, urn};
use crate::store::{IndexId, IndexRange, PAGE_ROWS_MAX, Snapshot, UniqueKey};

/// Most ids that an index may yield; one that yields more has not narrowed anything.
pub(super) const CANDIDATES_MAX: usize = 100_000;
/// So few that reading them costs less than asking another index. Fewer in tests, whose worlds are small.
const FEW: usize = if cfg!(test) { 1 } else { 16 };

/// What the indexes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    /// In order, each once; every match is among them.
    pub(super) ids: Vec<ResourceId>,
    /// Whether each of them matches.
    pub(super) exact: bool,
    /// Whether each is known to the caller. Otherwise whoever reads it sees whose it is.
    pub(super) known: bool,
}

impl Candidates {
    fn new(mut ids: Vec<ResourceId>, exact: bool) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self { ids, exact, known: false }
    }

    fn nothing() -> Self {
        Self { ids: Vec::new(), exact: true, known: true }
    }

    fn maybe(self) -> Self {
        Self { exact: false, ..self }
    }

    /// Keeps what is in both.
    fn and(mut self, other: &Self) -> Self {
        self.ids.retain(|id| other.ids.binary_search(id).is_ok());
        Self { exact: self.exact && other.exact, ids: self.ids, known: false }
    }

    /// Keeps what is in either.
    fn or(mut self, other: Self) -> Self {
        self.ids.extend(other.ids);
        Self::new(self.ids, self.exact && other.exact)
    }
}

type Found = Result<Option<Candidates>, RosterError>;

/// Asks the indexes about a filter; `None` where they cannot help.
pub(super) fn candidates(snapshot: &dyn Snapshot, caller: &Caller, kind: &Kind, filter: &Filter) -> Found {
    let found = Planner { snapshot, caller, kind }.plan(filter)?;
    found.map(|found| only_known(snapshot, caller, kind.id, found)).transpose()
}

struct Planner<'a> {
    snapshot: &'a dyn Snapshot,
    caller: &'a Caller,
    kind: &'a Kind,
}

impl Planner<'_> {
    fn plan(&self, filter: &Filter) -> Found {
        match filter {
            Filter::And(operands) => self.all(operands),
            Filter::Or(operands) => self.any(operands),
            Filter::Compare { path, op, value } => {
                if self.kind.attribute_of(path.extension.as_deref(), &path.name).is_none() {
                    // Another kind's attribute: nobody has it, so that nobody or everybody matches.
                    return Ok((!unassigned(*op, value)).then(Candidates::nothing));
                }
                self.look_up(path, *op, value)
            }
            Filter::Element { path, filter } => self.element(path, filter),
            Filter::Present(path) => {
                let known = self.kind.attribute_of(path.extension.as_deref(), &path.name).is_some();
                Ok((!known).then(Candidates::nothing))
            }
            Filter::Not(_) => Ok(None),
        }
    }

    /// `a and b`: what narrows to one is asked first, and nothing more once there are few.
    fn all(&self, operands: &[Filter]) -> Found {
        let mut found: Option<Candidates> = None;
        let mut unasked = false;
        for pointed in [true, false] {
            for operand in operands.iter().filter(|operand| self.is_point(operand) == pointed) {
                if found.as_ref().is_some_and(|found| found.ids.len() <= FEW) {
                    unasked = true;
                    continue;
                }
                match (self.plan(operand)?, found.take()) {
                    (Some(more), Some(sofar)) => found = Some(sofar.and(&more)),
                    (more @ Some(_), None) => found = more,
                    (None, sofar) => {
                        found = sofar;
                        unasked = true;
                    }
                }
            }
        }
        Ok(found.map(|found| if unasked { found.maybe() } else { found }))
    }

    /// `a or b`: helps only when every operand does.
    fn any(&self, operands: &[Filter]) -> Found {
        let mut found = Candidates::nothing();
        for operand in operands {
            let Some(more) = self.plan(operand)? else { return Ok(None) };
            found = found.or(more);
            if found.ids.len() > CANDIDATES_MAX {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// `members[value eq "x" and type eq "User"]`, which is what a link to a member comes to: the edge says both.
    fn member(&self, path: &AttrPath, filter: &Filter) -> Found {
        if self.kind.id != KindId::GROUP || !path.is("members") {
            return Ok(None);
        }
        let [one, other] = filter.conjuncts() else { return Ok(None) };
        let says = |name: &str| {
            [one, other].into_iter().filter_map(Filter::as_text_equality).find(|(path, _)| path.is(name))
        };
        let (Some((_, value)), Some((_, kind))) = (says("value"), says("type")) else { return Ok(None) };
        let Ok(id) = ResourceId::parse(value) else { return Ok(None) };
        if fold::same(kind, "User") {
            self.groups_with(Address::user(id))
        } else if fold::same(kind, "Group") {
            self.groups_with(Address::group(id))
        } else {
            Ok(None)
        }
    }

    /// `emails[type eq "work" and value eq "x"]`: one of the conditions on an element narrows.
    fn element(&self, path: &AttrPath, filter: &Filter) -> Found {
        if self.kind.attribute_of(path.extension.as_deref(), &path.name).is_none() {
            return Ok(Some(Candidates::nothing()));
        }
        if let Some(found) = self.member(path, filter)? {
            return Ok(Some(found));
        }
        let alone = filter.conjuncts().len() == 1;
        for condition in filter.conjuncts() {
            if let Filter::Compare { path: inner, op, value } = condition {
                let whole = AttrPath { sub: Some(inner.name.clone()), ..path.clone() };
                if let Some(found) = self.look_up(&whole, *op, value)? {
                    return Ok(Some(if alone { found } else { found.maybe() }));
                }
            }
        }
        Ok(None)
    }

    /// Tells whether a condition leads to one resource at most.
    fn is_point(&self, filter: &Filter) -> bool {
        filter.as_text_equality().is_some_and(|(path, _)| {
            path.is("id")
                || (self.caller.connection != LOCAL && path.is("externalId"))
                || (self.kind.id == KindId::USER && path.is("userName"))
        })
    }

    fn look_up(&self, path: &AttrPath, op: CompareOp, value: &Literal) -> Found {
        if let (CompareOp::Eq, Literal::Text(text), Some(kind)) = (op, value, self.names(path)) {
            return self.naming(kind, text);
        }
        if let (CompareOp::Eq, Literal::Text(text)) = (op, value)
            && self.is_employee_number(path)
        {
            return self.indexed(&IndexRange::exactly(
                KindId::USER,
                index::EMPLOYEE_NUMBER,
                index::folded(text),
            ));
        }
        if let Some(extension) = &path.extension {
            return self.custom(extension, path, op, value);
        }
        let sub = path.sub.as_deref();
        match (op, value) {
            (op, Literal::Text(text)) if path.is_sub("meta", "lastModified") => match eval::instant(text) {
                Some(at) if self.kind.id == KindId::GROUP => self.group_changed(op, at),
                Some(at) => self.ordered(path, op, &SortKey::of_instant(at)),
                None => Ok(None),
            },
            (CompareOp::Eq, Literal::Text(text)) => self.equal(&path.name, sub, text),
            (CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le, Literal::Text(text)) => {
                match SortKey::of_folded(text) {
                    // Of an empty text nothing is kept in the order of others.
                    Some(key) if path.is("userName") => self.ordered(path, op, &key),
                    _ if path.is("displayName") => self.beside(op, text),
                    _ => Ok(None),
                }
            }
            (CompareOp::Sw, Literal::Text(text)) => self.begins(&path.name, sub, text),
            (CompareOp::Eq, Literal::Bool(false)) if path.is("active") && self.kind.id == KindId::USER => {
                self.indexed(&IndexRange::exactly(self.kind.id, index::INACTIVE, vec![]))
            }
            _ => Ok(None),
        }
    }

    /// Tells whether people are found by an attribute as the number that the employer gave, once all of them are in that index.
    fn is_employee_number(&self, path: &AttrPath) -> bool {
        self.kind.id == KindId::USER
            && path.extension.as_deref().is_some_and(|id| urn::same(id, urn::ENTERPRISE))
            && path.name == "employeeNumber"
            && index::has_orders(self.snapshot, self.caller.tenant).unwrap_or(false)
    }

    /// Tells which kind of resource an attribute names by its id. People are named without being in the index.
    fn names(&self, path: &AttrPath) -> Option<KindId> {
        let attribute = self.kind.attribute_of(path.extension.as_deref(), &path.name)?;
        let holder = match &path.sub {
            Some(sub) => attribute.sub(sub)?,
            None if attribute.names.is_some() => attribute,
            // A complex attribute is compared by its value.
            None => attribute.sub("value")?,
        };
        holder.names.filter(|kind| *kind != KindId::USER)
    }

    /// Lists what names a resource. By which of its attributes, the index does not say.
    fn naming(&self, kind: KindId, id: &str) -> Found {
        let Ok(id) = ResourceId::parse(id) else { return Ok(Some(Candidates::nothing())) };
        let entry = index::reference(Address { kind, id });
        let found = self.indexed(&IndexRange::exactly(self.kind.id, entry.index, entry.value))?;
        Ok(found.map(Candidates::maybe))
    }

    /// An equality on an attribute of the tenant's own.
    fn custom(&self, extension: &str, path: &AttrPath, op: CompareOp, value: &Literal) -> Found {
        let keyed = self.caller.sight.keyed(self.kind.id, extension, &path.name, path.sub.as_deref());
        let Some(keyed) = keyed.filter(|_| op == CompareOp::Eq) else { return Ok(None) };
        let Some(value) = keyed.of_literal(value) else { return Ok(None) };
        if keyed.unique {
            return Ok(Some(self.holder(&UniqueKey { index: keyed::UNIQUE, value })?));
        }
        self.indexed(&IndexRange::exactly(self.kind.id, keyed::INDEXED, value))
    }

    fn equal(&self, name: &str, sub: Option<&str>, text: &str) -> Found {
        let Self { snapshot, caller, kind } = *self;
        let tenant = caller.tenant;
        let id = ResourceId::parse(text).ok();
        match (kind.id, name, sub) {
            (_, "id", None) => {
                let at = id.map(|id| Address { kind: kind.id, id });
                let known = at.map(|at| snapshot.exists(tenant, at)).transpose()?.unwrap_or(false);
                Ok(Some(Candidates::new(id.into_iter().filter(|_| known).collect(), true)))
            }
            // A name that no person can have is nobody's. Keys are folded as the filter compares.
            (KindId::USER, "userName", None) => match index::user_name(text) {
                Ok(key) => Ok(Some(self.holder(&key)?)),
                Err(_) => Ok(Some(Candidates::nothing())),
            },
            (_, "externalId", None) if caller.connection != LOCAL => {
                Ok(Some(self.holder(&index::external_id(kind.id, caller.connection, text))?))
            }
            (KindId::USER, "emails", None | Some("value")) => {
                self.indexed(&IndexRange::exactly(kind.id, index::EMAIL, index::folded(text)))
            }
            (_, "displayName", None) => {
                self.indexed(&IndexRange::exactly(kind.id, index::DISPLAY_NAME, index::folded(text)))
            }
            (KindId::GROUP, "members", None | Some("value")) => match id {
                Some(id) => {
                    let of_user = self.groups_with(Address::user(id))?;
                    let of_group = self.groups_with(Address::group(id))?;
                    Ok(of_user.zip(of_group).map(|(left, right)| left.or(right)))
                }
                None => Ok(None),
            },
            (KindId::USER, "groups", None | Some("value")) => match id {
                Some(id) => self.people_of(id),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// `meta.lastModified gt "2026-01-31T08:00:00Z"`, where an index holds the kind in that order.
    fn ordered(&self, path: &AttrPath, op: CompareOp, key: &SortKey) -> Found {
        let Some(index) = index::order(self.kind, path) else { return Ok(None) };
        if !index::has_orders(self.snapshot, self.caller.tenant)? {
            return Ok(None);
        }
        self.between(index, op, key.as_bytes().to_vec(), key.least_alike(), key.greatest_alike())
    }

    /// `displayName lt "m"`.
    fn beside(&self, op: CompareOp, text: &str) -> Found {
        let Some(value) = index::folded_prefix(text) else { return Ok(None) };
        self.between(index::DISPLAY_NAME, op, value, vec![], vec![u8::MAX])
    }

    /// Reads what comes before or after a value, from the least to the greatest that count.
    fn between(
        &self,
        index: IndexId,
        op: CompareOp,
        value: Vec<u8>,
        least: Vec<u8>,
        greatest: Vec<u8>,
    ) -> Found {
        let exactly = IndexRange::exactly(self.kind.id, index, value.clone());
        let (from, to) = match op {
            CompareOp::Eq => return self.indexed(&exactly),
            CompareOp::Gt => (value.iter().copied().chain([0]).collect(), greatest),
            CompareOp::Ge => (value, greatest),
            CompareOp::Lt | CompareOp::Le => (least, value),
            CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => return Ok(None),
        };
        let found = self.indexed(&IndexRange { from: Some(from), to: Some(to), ..exactly.clone() })?;
        let Some(mut found) = found else { return Ok(None) };
        if op != CompareOp::Lt {
            return Ok(Some(found));
        }
        // Stretches end with a value; those who have that very value go again.
        let Some(equal) = self.indexed(&exactly)? else { return Ok(None) };
        found.ids.retain(|id| equal.ids.binary_search(id).is_err());
        Ok(Some(found))
    }

    /// `displayName sw "a"`, where the index keeps values in the order in which the filter compares them.
    fn begins(&self, name: &str, sub: Option<&str>, text: &str) -> Found {
        let index = match (self.kind.id, name, sub) {
            (KindId::USER, "userName", None) => return self.names_beginning(text),
            (KindId::USER, "emails", None | Some("value")) => index::EMAIL,
            (_, "displayName", None) => index::DISPLAY_NAME,
            _ => return Ok(None),
        };
        let Some(from) = index::folded_prefix(text) else { return Ok(None) };
        // A value that goes on after the prefix goes on with a byte of text, and none of those is 255.
        let to = from.iter().copied().chain([u8::MAX]).collect();
        self.indexed(&IndexRange { from: Some(from), to: Some(to), ..IndexRange::all(self.kind.id, index) })
    }

    /// Names are kept under their own folding, which is that of other texts for ASCII alone; so what is found is judged again.
    fn names_beginning(&self, text: &str) -> Found {
        let Some(prefix) = index::folded_prefix(text).filter(|prefix| prefix.is_ascii()) else {
            return Ok(None);
        };
        let mut after: Option<Vec<u8>> = None;
        let found = gather(|_| {
            let tenant = self.caller.tenant;
            let page = self.snapshot.by_unique_prefix(
                tenant,
                index::USER_NAME,
                &prefix,
                after.as_deref(),
                PAGE_ROWS_MAX,
            )?;
            after = page.last().map(|row| row.value.clone());
            Ok(page.into_iter().map(|row| row.at.id).collect())
        })?;
        Ok(found.map(Candidates::maybe))
    }

    fn holder(&self, key: &UniqueKey) -> Result<Candidates, RosterError> {
        let holder = self.snapshot.by_unique(self.caller.tenant, key)?;
        let ids = holder.filter(|at| at.kind == self.kind.id).map(|at| at.id);
        Ok(Candidates::new(ids.into_iter().collect(), true))
    }

    /// Reads a stretch of an index; `None` where it is too long to be of help.
    fn indexed(&self, range: &IndexRange) -> Found {
        let mut range = range.clone();
        let tenant = self.caller.tenant;
        gather(|_| {
            let page = self.snapshot.index_range(tenant, &range, PAGE_ROWS_MAX)?;
            range.after = page.last().cloned();
            Ok(page.into_iter().map(|row| row.id).collect())
        })
    }

    fn groups_with(&self, member: Address) -> Found {
        if !knows(self.snapshot, self.caller, member)? {
            return Ok(Some(Candidates::nothing()));
        }
        gather(|last: Option<ResourceId>| {
            Ok(self.snapshot.groups_of(self.caller.tenant, member, last, PAGE_ROWS_MAX)?)
        })
    }

    /// Lists the people who are direct members of a group.
    fn people_of(&self, group: ResourceId) -> Found {
        if !knows(self.snapshot, self.caller, Address::group(group))? {
            return Ok(Some(Candidates::nothing()));
        }
        gather(|last: Option<ResourceId>| {
            // People come before groups, so that a page which ends with a group is the last one with people.
            let after = last.map(Address::user);
            let page = self.snapshot.members(self.caller.tenant, group, after, PAGE_ROWS_MAX)?;
            Ok(page
                .into_iter()
                .filter(|member| member.kind == KindId::USER)
                .map(|member| member.id)
                .collect())
        })
    }
}

/// Reads pages until one is not full; `None` when it becomes too much.
fn gather(mut page: impl FnMut(Option<ResourceId>) -> Result<Vec<ResourceId>, RosterError>) -> Found {
    let mut ids: Vec<ResourceId> = Vec::new();
    loop {
        let more = page(ids.last().copied())?;
        let last = more.len() < PAGE_ROWS_MAX;
        ids.extend(more);
        if last {
            return Ok(Some(Candidates::new(ids, true)));
        }
        if ids.len() >= CANDIDATES_MAX {
            return Ok(None);
        }
    }
}
